"""The API on the unix socket, as docs and scripts see it."""

import json
import os
import re
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tend import Stream, UnixConnection, is_alive, until

FIELDS = json.loads((Path(__file__).parent.parent / "data" / "api_fields.json").read_text())
MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

SERVICES = """
[service first]
command = sleep 1000
network = no
[service second]
command = sleep 1000
network = no
requires = service:first
"""


def sync_ini(tendd):
    tendd.folder("data")
    tendd.folder("remote")
    return ("[remote disk]\ntype = directory\npath = %s/remote\n"
            "[folder data]\npath = %s/data\nremote = disk:data\nsettle = 100ms\n" % (tendd.root, tendd.root))


def pid_of(tendd, name):
    return tendd.service_part(name)["pid"]


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
    ("POST", "/v1/awake", {}, 501, "not built yet"),
    ("GET", "/metrics", None, 501, "not built yet"),
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


def test_socket_is_closed_to_others(tendd):
    tendd.configure("").start()
    mode = stat.S_IMODE(os.stat(tendd.socket).st_mode)
    assert mode & 0o007 == 0 and mode & 0o600 == 0o600
    assert stat.S_IMODE(os.stat(tendd.state).st_mode) == 0o700


# ---- services ----

def test_start_stop_restart(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    first, second = pid_of(tendd, "first"), pid_of(tendd, "second")

    answer = tendd.post("/v1/units/service:second/restart", {"wait": True})
    assert answer["unit"]["state"] == "ready"
    assert answer["unit"]["service"]["pid"] not in (None, second)
    assert not is_alive(second)
    assert pid_of(tendd, "first") == first

    answer = tendd.post("/v1/units/service:second/stop", {"wait": True})
    assert answer["unit"]["state"] == "down" and answer["unit"]["service"]["pid"] is None
    answer = tendd.post("/v1/units/service:second/start", {"wait": True})
    assert answer["unit"]["state"] == "ready"
    # Started again: nothing to do, and said at once.
    again = tendd.post("/v1/units/service:second/start", {"wait": True})
    assert again["unit"]["service"]["pid"] == answer["unit"]["service"]["pid"]


def test_an_order_against_an_order(tendd):
    """Whoever waits for a stop is told when somebody starts it again meanwhile; and the other way round."""
    end = tendd.root / "end"
    tendd.configure("[service slow]\ncommand = sh -c 'trap \"\" TERM; echo armed; while [ ! -e %s ]; do sleep 0.05; done'\n"
                    "stop_timeout = 1m\nnetwork = no\n" % end).start()
    tendd.until_state("service:slow", "ready")
    tendd.until_armed("slow")
    with ThreadPoolExecutor() as pool:
        stop = pool.submit(tendd.post, "/v1/units/service:slow/stop", {"wait": True})
        tendd.until_state("service:slow", "stopping")
        restart = pool.submit(tendd.post, "/v1/units/service:slow/restart", {"wait": True})
        refused = stop.result(60)
        assert refused.status == 409 and refused["error"]["text"] == "service:slow was told to start meanwhile"
        stop = pool.submit(tendd.post, "/v1/units/service:slow/stop", {"wait": True})
        refused = restart.result(60)
        assert refused.status == 409 and refused["error"]["text"] == "service:slow was told to stop meanwhile"
        end.touch()
        assert stop.result(60)["unit"]["state"] == "down"


def test_what_requires_it_goes_along(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    assert tendd.unit("service:first")["dependents"] == ["service:second"]
    first, second = pid_of(tendd, "first"), pid_of(tendd, "second")
    answer = tendd.post("/v1/units/service:first/restart", {"wait": True})
    assert answer["unit"]["service"]["pid"] != first
    tendd.until(lambda: pid_of(tendd, "second") not in (None, second), "a new second")
    assert not is_alive(second)

    tendd.until_state("service:second", "ready")
    tendd.post("/v1/units/service:first/stop", {"wait": True})
    assert tendd.unit("service:second")["state"] == "down"


def test_only_leaves_the_others(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    second = pid_of(tendd, "second")
    tendd.post("/v1/units/service:first/stop", {"wait": True, "only": True})
    assert pid_of(tendd, "second") == second and is_alive(second)


def test_a_stop_by_hand_is_remembered(tendd):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    first = pid_of(tendd, "first")
    tendd.post("/v1/units/service:second/stop", {"wait": True})
    tendd.kill()
    tendd.start()
    tendd.until_state("service:first", "ready")
    assert pid_of(tendd, "first") == first
    assert tendd.unit("service:second")["state"] == "down"
    assert tendd.post("/v1/units/service:second/start", {"wait": True})["unit"]["state"] == "ready"


def test_wait_ends_when_it_cannot_start(tendd):
    tendd.configure("[service bad]\ncommand = /nowhere/program\nnetwork = no\n").start()
    tendd.until_state("service:bad", "failed")
    answer = tendd.post("/v1/units/service:bad/start", {"wait": True})
    assert answer["unit"]["state"] == "failed"
    assert "cannot run" in answer["unit"]["detail"]


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
            if body["unit"] == "service:second" and body["service"]["pid"] not in (None, old):
                break
    # What was missed is told to who says where it stopped, and no greeting.
    tendd.post("/v1/units/service:second/stop", {"wait": True})
    with Stream(tendd, "/v1/events", {"Last-Event-ID": last}) as events:
        while True:
            _, name, body = events.event()
            if body["unit"] == "network":  # what it finds out takes as long as it takes
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


# ---- the end ----

@pytest.mark.parametrize("services", [None, "stop", "keep"])
def test_stop_by_the_api(tendd, services):
    tendd.configure(SERVICES).start()
    tendd.until_state("service:second", "ready")
    pid, keeper = pid_of(tendd, "first"), tendd.keeper_pid()
    answer = tendd.post("/v1/stop", {"services": services} if services else {})
    assert answer.status == 202
    assert tendd.wait() == 0
    assert is_alive(pid) == (services == "keep")
    if services == "keep":
        tendd.start()
        tendd.until_state("service:first", "ready")
        assert pid_of(tendd, "first") == pid
    else:
        until(lambda: not is_alive(keeper), "the end of the keeper")


# ---- history ----

def test_the_history_says_who_ordered_what(tendd):
    tendd.configure(sync_ini(tendd) + SERVICES).start()
    tendd.until_state("service:second", "ready")
    assert tendd.post("/v1/units/service:second/stop", {"wait": True}).status == 200
    tendd.post("/v1/units/folder:data/pause")
    tendd.post("/v1/units/folder:data/resume")
    tendd.post("/v1/sync", {"folders": ["data"]})
    tendd.reload()
    by = "by uid %d" % os.getuid()
    events = tendd.get("/v1/history")["events"]
    for event in events:
        assert sorted(event) == sorted(FIELDS["event"])
        assert MOMENT.match(event["time"])
    ids = [event["id"] for event in events]
    assert ids == sorted(ids, reverse=True)
    orders = [(event["unit"], event["text"]) for event in reversed(events) if event["event"] == "ordered"]
    assert orders == [("service:second", "stop " + by), ("folder:data", "pause " + by), ("folder:data", "resume " + by),
                      ("folder:data", "sync " + by), ("tendd", "reload " + by)]
    assert "stop of service:second asked " + by in tendd.said
    # Refused orders are none.
    assert tendd.post("/v1/units/folder:data/start").status == 400
    assert tendd.post("/v1/units/folder:data/approve", {"upto": 1}).status != 200
    assert len([event for event in tendd.get("/v1/history?limit=1000")["events"] if event["event"] == "ordered"]) == 5
    # Of one unit, and no more than asked for.
    events = tendd.get("/v1/history?unit=service:second")["events"]
    assert {event["unit"] for event in events} == {"service:second"}
    assert {"started", "ended", "ordered"} <= {event["event"] for event in events}
    assert len(tendd.get("/v1/history?limit=2")["events"]) == 2
    for limit in ("0", "1001", "x", "-1"):
        assert tendd.get("/v1/history?limit=" + limit).status == 400
    # The command, and over a restart.
    tendd.kill()
    tendd.start()
    said = tendd.tend("history", "second").stdout.splitlines()
    assert "service:second  ordered: stop " + by in " | ".join(said)
    assert said.index([line for line in said if "started" in line][0]) < said.index([line for line in said if "ordered" in line][0])
    assert len(tendd.tend("history", "-n", "3").stdout.splitlines()) == 3
    assert json.loads(tendd.tend("--json", "history", "folder:data").stdout)["events"][0]["text"] == "sync " + by
    assert tendd.tend("history", "nobody").returncode == 2
    assert tendd.tend("history", "-n", "0").returncode == 2
