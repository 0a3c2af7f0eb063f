"""The API on the unix socket, as docs and scripts see it."""

import contextlib
import json
import os
import re
import socket
import stat
import threading
from pathlib import Path

import pytest

from control import FIELDS, MOMENT, SERVICES, sync_ini
from tend import Stream, UnixConnection

# ---- shapes ----

def test_stable_fields(tendd):
    """What was there once stays: scripts are written against it."""
    tendd.configure(sync_ini(tendd) + SERVICES + "[service short]\ncommand = false\nrestart = never\nnetwork = no\n")
    tendd.start()
    tendd.until_idle("data")
    tendd.until(lambda: tendd.service_part("short")["exit"], "an exit")
    status = tendd.get("/v1/status").body
    assert list(status)[0] == "api" and status["api"] == 1
    for field in FIELDS["status"]:
        assert field in status
    assert status["state"] == "running" and status["pid"] == tendd.pid
    assert MOMENT.match(status["since"])
    for field in FIELDS["configuration"]:
        assert field in status["configuration"]
    assert status["configuration"]["error"] is None
    assert [u["unit"] for u in status["units"]].count("network") == 1
    for kind, name in (("folder", "data"), ("service", "short")):
        unit = tendd.unit("%s:%s" % (kind, name))
        for field in FIELDS["unit"]:
            assert field in unit
        for field in FIELDS[kind]:
            assert field in unit[kind], field
        assert MOMENT.match(unit["since"])
    assert list(tendd.service_part("short")["exit"]) == FIELDS["exit"]
    error = tendd.get("/v1/units/service:nobody")
    assert error.status == 404 and error["api"] == 1
    for field in FIELDS["error"]:
        assert field in error["error"]
    assert tendd.get("/v1/units")["units"][0].keys() >= set(FIELDS["unit"])


@pytest.mark.parametrize("method, path, body, status, text", [
    ("GET", "/v1/units/service:nobody", None, 404, "no unit 'service:nobody'"),
    ("GET", "/v1/nothing", None, 404, "nothing at '/v1/nothing'"),
    ("GET", "/v1/stop", None, 405, "does not take GET"),
    ("DELETE", "/v1/status", None, 405, "does not take DELETE"),
    ("POST", "/v1/units/folder:data/start", {}, 400, "is no service"),
    ("POST", "/v1/units/service:first/pause", {}, 400, "is no folder"),
    ("POST", "/v1/units/folder:nothing/sync", {}, 404, "no unit"),
    ("POST", "/v1/units/network/stop", {}, 400, "is no service"),
    ("GET", "/v1/units/folder:data/log", None, 400, "has no log"),
    ("GET", "/v1/units/service:first/log?lines=many", None, 400, "no number"),
    ("POST", "/v1/sync", {"folders": ["data", "other"]}, 404, "no folder 'other'"),
    ("POST", "/v1/wait", {"folders": ["other"]}, 404, "no folder 'other'"),
    ("POST", "/v1/wait", {"folders": "data"}, 400, "a list"),
    ("POST", "/v1/wait", {"marks": {"other": 1}}, 404, "no folder 'other'"),
    ("POST", "/v1/wait", {"marks": {"data": "x"}}, 404, "data"),
    ("POST", "/v1/wait", {"marks": []}, 400, "an object"),
    ("POST", "/v1/stop", {"services": "maybe"}, 400, "'stop' or 'keep'"),
    ("POST", "/v1/units/folder:data/approve", {}, 400, "'upto'"),
    ("POST", "/v1/awake", {"duration_seconds": 0}, 400, "a number"),
    ("POST", "/v1/web/login", {}, 400, "the dashboard is off"),
])
def test_refusals(tendd, method, path, body, status, text):
    tendd.configure(sync_ini(tendd) + SERVICES).start()
    answer = tendd.request(method, path, body)
    assert answer.status == status, answer
    assert text in answer["error"]["text"], answer
    assert tendd.get("/v1/status")["state"] == "running"


def raw(tendd, data):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(str(tendd.socket))
        try:
            s.sendall(data)
        except OSError:
            pass  # the answer came before all was sent
        got = b""
        try:
            while True:
                block = s.recv(65536)
                if not block:
                    return got
                got += block
        except ConnectionError:
            return got


MALFORMED = {
    "no path": b"GET\r\n\r\n",
    "unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "endless word": b"G" * 100000,
    "endless path": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "many headers": b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
    "negative length": b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
    "bad chunk": b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half JSON": b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{\"a\": nul",
    "large body": b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n" + b" " * 200000,
    "deep JSON": b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(tendd, name):
    tendd.configure("").start()
    answer = raw(tendd, MALFORMED[name])
    assert b" 200 " not in answer.split(b"\r\n")[0] and b" 202 " not in answer.split(b"\r\n")[0], answer[:200]
    assert tendd.get("/v1/status")["state"] == "running"


def test_half_a_request(tendd):
    """Nobody else waits for the rest of it, and it is let go when its sender is."""
    tendd.configure("").start()
    halves = []
    for data in (b"", b"\r\n\r\n", b"\x00" * 1000, b"POST /v1/stop HTTP/1.1\r\n",
                 b"POST /v1/stop HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n{\"serv"):
        half = socket.socket(socket.AF_UNIX)
        half.connect(str(tendd.socket))
        half.sendall(data)
        halves.append(half)
    assert tendd.get("/v1/status")["state"] == "running"
    for half in halves:
        half.close()

    def connections():
        """Of the server's side; the socket that listens has state 01."""
        rows = (line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:])
        return [row for row in rows if row[-1] == str(tendd.socket) and row[5] == "03"]

    tendd.until(lambda: not connections(), "closed connections")
    assert tendd.get("/v1/status")["state"] == "running"


def test_socket_state_and_logs_are_closed_to_others(tendd):
    tendd.configure("[service talk]\ncommand = echo hello\n").start()
    mode = stat.S_IMODE(os.stat(tendd.socket).st_mode)
    assert mode & 0o007 == 0 and mode & 0o600 == 0o600
    tendd.until(lambda: (tendd.logs / "talk.log").exists(), "the log")
    for top in (tendd.state, tendd.logs):
        for path in (top, *top.rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # one that SQLite needs no more
                mode = os.lstat(path).st_mode
                assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), path


# ---- folders ----

def test_barrier(tendd):
    tendd.configure(sync_ini(tendd)).start()
    tendd.until_idle("data")
    for i in range(20):
        (tendd.root / "data" / ("file%d" % i)).write_text("content %d" % i)
    tendd.barrier("data")
    for i in range(20):
        assert (tendd.root / "remote" / "data" / ("file%d" % i)).read_text() == "content %d" % i
    assert tendd.post("/v1/wait", {})["marks"].keys() == {"data"}


def test_marks_stay_valid(tendd):
    tendd.configure(sync_ini(tendd)).start()
    tendd.until_idle("data")
    (tendd.root / "data" / "file").write_text("x")
    marks = tendd.post("/v1/wait", {"folders": ["data"]})["marks"]
    tendd.kill()
    tendd.start()
    assert tendd.post("/v1/wait", {"marks": marks})["done"] is True
    assert (tendd.root / "remote" / "data" / "file").read_text() == "x"


def test_barrier_says_why_not(tendd):
    tendd.configure(sync_ini(tendd)).start()
    tendd.until_idle("data")
    assert tendd.post("/v1/units/folder:data/pause")["unit"]["folder"]["paused"] is True
    (tendd.root / "data" / "file").write_text("x")
    marks = tendd.post("/v1/wait", {"folders": ["data"]})["marks"]
    answer = tendd.post("/v1/wait", {"marks": marks})
    assert answer["done"] is False
    assert "paused" in answer["folders"]["data"]["text"]
    assert not (tendd.root / "remote" / "data" / "file").exists()
    tendd.post("/v1/units/folder:data/resume")
    tendd.barrier("data")
    assert (tendd.root / "remote" / "data" / "file").exists()


def test_sync_scans(tendd):
    tendd.configure(sync_ini(tendd)).start()
    before = tendd.until_idle("data")["scans"]
    assert tendd.post("/v1/sync", {})["folders"] == ["data"]
    tendd.until(lambda: tendd.folder_part("data")["scans"] > before, "another scan")
    tendd.post("/v1/units/folder:data/sync")
    tendd.until(lambda: tendd.folder_part("data")["scans"] > before + 1, "one more scan")


def test_asker_of_a_barrier_goes_away(tendd):
    tendd.configure(sync_ini(tendd)).start()
    tendd.until_idle("data")
    os.rename(tendd.root / "remote", tendd.root / "away")
    (tendd.root / "data" / "file").write_text("x")
    marks = tendd.post("/v1/wait", {"folders": ["data"]})["marks"]
    for _ in range(5):
        connection = UnixConnection(tendd.socket)
        connection.request("POST", "/v1/wait", json.dumps({"marks": marks}))
        connection.close()
    os.rename(tendd.root / "away", tendd.root / "remote")
    tendd.barrier("data")
    assert (tendd.root / "remote" / "data" / "file").exists()


def test_unreachable_remote_holds_nobody_up(tendd):
    """SERVICES.md §8, trap 11: `after` a folder that reaches nothing: within 60 s it counts as failed."""
    tendd.folder("data")
    tendd.configure("[remote disk]\ntype = directory\npath = %s/missing\n"
                    "[folder data]\npath = %s/data\nremote = disk:data\n"
                    "[service after]\ncommand = sleep 1000\nafter = folder:data\nnetwork = no\n"
                    % (tendd.root, tendd.root)).start()
    assert tendd.unit("service:after")["waits_for"] == ["folder:data"]
    tendd.until(lambda: tendd.unit("service:after")["state"] == "ready", "the service", patience=150)
    trouble = tendd.folder_part("data")["trouble"]
    assert "missing" in trouble["text"]
    # Cured: it goes on by itself.
    (tendd.root / "data" / "file").write_text("x")
    (tendd.root / "missing").mkdir()
    tendd.until(lambda: (tendd.root / "missing" / "data" / "file").exists(), "the file", patience=150)


# ---- logs ----

def test_log(tendd):
    tendd.configure("[service talk]\ncommand = for i in $(seq 1 50); do echo line $i; done; exec sleep 1000\n"
                    "shell = yes\nnetwork = no\n").start()
    tendd.until(lambda: b"line 50" in tendd.get("/v1/units/service:talk/log").body, "the last line")
    lines = tendd.get("/v1/units/service:talk/log?lines=3").body.decode().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["line 48", "line 49", "line 50"]
    assert len(tendd.get("/v1/units/service:talk/log?lines=0").body) == 0


def test_log_follow(tendd):
    tendd.folder("data")
    pipe = tendd.root / "pipe"
    os.mkfifo(pipe)
    tendd.configure("[service talk]\ncommand = exec cat %s\nshell = yes\nnetwork = no\nrestart_delay = 10ms\n"
                    % pipe).start()
    tendd.until_state("service:talk", "ready")
    with open(pipe, "w", buffering=1) as talk, Stream(tendd, "/v1/units/service:talk/log?lines=10&follow=1") as log:
        for i in range(3):
            talk.write("line %d\n" % i)
            while not log.line().endswith("line %d" % i):
                pass
        assert log.answer.headers["Content-Type"].startswith("text/plain")


def test_large_log_in_full(tendd):
    """More than any queue holds, to a reader that takes its time."""
    tendd.configure("[service talk]\ncommand = seq 1 300000; exec sleep 1000\nshell = yes\nnetwork = no\n"
                    "log_max_size = 100MiB\n").start()
    tendd.until(lambda: tendd.get("/v1/units/service:talk/log?lines=1").body.strip().endswith(b"300000"), "all lines")
    lines = tendd.get("/v1/units/service:talk/log?lines=300000").body.splitlines()
    assert [int(line.split()[1]) for line in lines] == list(range(1, 300001))


# ---- events ----

def test_events(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    with Stream(tendd, "/v1/events") as events:
        greeted = {}
        while len(greeted) < 3:
            _, name, body = events.event()
            assert name == "unit"
            greeted[body["unit"]] = body
        assert greeted.keys() == {"network", "service:first", "service:second"}
        old = greeted["service:second"]["service"]["pid"]
        tendd.post("/v1/units/service:second/restart")
        while True:
            last, name, body = events.event()
            if name == "unit" and body["unit"] == "service:second" and body["service"]["pid"] not in (None, old):
                break
    # What was missed is told to who says where it stopped, and no greeting.
    tendd.post("/v1/units/service:second/stop", {"wait": True})
    with Stream(tendd, "/v1/events", {"Last-Event-ID": last}) as events:
        while True:
            _, name, body = events.event()
            # What services use is told now and then; what the network finds out takes as long as it takes.
            if name != "unit" or body["unit"] == "network":
                continue
            assert body["unit"] == "service:second"
            if body["state"] == "down":
                break


def test_stalled_readers(tendd):
    """SERVICES.md §8, trap 15."""
    tendd.configure("".join("[service s%d]\ncommand = sleep 1000\nnetwork = no\n" % i for i in range(20))).start()
    tendd.until_state("service:s19", "ready")
    stalled = []
    for _ in range(100):
        connection = UnixConnection(tendd.socket)
        connection.request("GET", "/v1/events")
        stalled.append(connection)

    def rss():
        return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/%d/status" % tendd.pid).read_text()).group(1)) << 10

    before = rss()
    for _ in range(10):
        for i in range(20):
            tendd.post("/v1/units/service:s%d/restart" % i)
        for i in range(20):
            tendd.until_state("service:s%d" % i, "ready")
        assert tendd.get("/v1/status")["state"] == "running"
    # Each reader may hold 256 KiB; sanitizers keep freed memory for a while.
    assert rss() - before < 160 << 20
    for connection in stalled:
        connection.close()


def test_many_at_once(tendd):
    tendd.configure(SERVICES).start()
    wrong = []

    def ask():
        for _ in range(20):
            if tendd.get("/v1/status").status != 200:
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
