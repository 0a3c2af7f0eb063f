"""The machine is taken away: notices of all three providers, what services and folders do with the time that is left, and that nothing
is done twice."""

import filecmp
import json
import signal
import socket
import threading

import pytest

from metadata_server import Metadata
from tend import Tendd, until

MIB = 1 << 20


@pytest.fixture
def metadata():
    with Metadata() as service:
        yield service


def configure(tendd, preempt, tend="", folder="", service="", rest=""):
    """A folder `data`, and a service `train` that counts in `data` how often it was told, and how it ended."""
    data = tendd.folder("data")
    (tendd.root / "remote").mkdir(exist_ok=True)
    command = "trap 'echo end >%s/last; exit 0' TERM; echo armed; while :; do sleep 0.05; done" % data
    tendd.configure(
        "[remote disk]\ntype = directory\npath = %s/remote\n" % tendd.root +
        "[folder data]\npath = %s\nremote = disk:data\nsettle = 50ms\n%s" % (data, folder) +
        "[service train]\nnetwork = no\nshell = yes\ncommand = %s\n" % command +
        "on_preempt = echo told; echo told >>%s/told; cp %s/told %s/checkpoint\n%s" % (tendd.root, tendd.root, data, service) +
        preempt + rest, tend=tend)
    return data


def begin(tendd):
    tendd.start()
    tendd.until_idle("data")
    tendd.until_state("service:train", "ready")
    tendd.until_armed("train")


def is_remote(tendd, name):
    return (tendd.root / "remote" / "data" / name).exists()


def preempt_of(tendd):
    return tendd.get("/v1/status")["preempt"]


def until_preempt(tendd, *states):
    def holds():
        found = preempt_of(tendd)
        return found if found["state"] in states else None
    return tendd.until(holds, "preempt %s" % " or ".join(states))


def times_told(tendd):
    path = tendd.root / "told"
    return path.read_text().count("told") if path.exists() else 0


def lines_of(tendd, name):
    return [line.split(" ", 1)[1] for line in (tendd.logs / (name + ".log")).read_text().splitlines()]


def are_equal(tendd):
    compared = filecmp.dircmp(tendd.root / "data", tendd.root / "remote" / "data", ignore=[".tend"])
    names = compared.common_files
    different = filecmp.cmpfiles(compared.left, compared.right, names, shallow=False)
    return not compared.left_only and not compared.right_only and not different[1] and not different[2]


def test_ec2(tendd, metadata):
    """The whole way: one huge file on a slow line, many small ones behind it, two notices, TERM, a kill, and a new start."""
    preempt = "[preempt]\nprovider = aws\nendpoint = %s\n" % metadata.url
    rest = "[notify n]\non = preempt\ncommand = sh -c 'echo $TEND_EVENT $TEND_EVENT_UNIT >>%s/heard'\n" % tendd.root
    more = tendd.folder("more")
    rest += "[folder more]\npath = %s\nremote = disk:more\nsettle = 50ms\n" % more  # the line is for both
    data = configure(tendd, preempt, tend="upload_limit = 256KiB\n", rest=rest)
    begin(tendd)
    tendd.until_idle("more")
    assert preempt_of(tendd)["provider"] == "aws"
    assert tendd.tend("status").returncode == 0
    tendd.until(lambda: metadata.asked > 1, "a question to the metadata service")
    with open(data / "huge", "wb") as huge:
        huge.truncate(340 * MIB)  # each word lets a part of 64 MiB through
    tendd.until(lambda: tendd.folder_part("data")["pending"] > 0, "the huge file's mark")
    for i in range(60):
        ((more, data)[i % 2] / ("small-%d" % i)).write_text("small %d\n" % i)
    metadata.token = 2  # the old one is refused from now on
    metadata.terminate(12)
    found = until_preempt(tendd, "told", "stopped")
    assert found["what"] == "terminate"
    ended = tendd.tend("status")
    assert ended.returncode == 5
    assert "this machine is taken away by aws (terminate)" in ended.stdout
    metadata.notice["action"] = "stop"  # another event, while the first is worked on
    tendd.until(lambda: all(is_remote(tendd, "%s/small-%d" % (("../more", ".")[i % 2], i)) for i in range(60)), "the small files over there")
    tendd.until(lambda: is_remote(tendd, "checkpoint"), "what on_preempt saved")
    assert "told" in lines_of(tendd, "train")
    until_preempt(tendd, "stopped")
    tendd.until(lambda: is_remote(tendd, "last"), "what the service wrote at its end")
    assert not is_remote(tendd, "huge")
    assert (tendd.root / "heard").read_text() == "preempt tendd\n"
    history = tendd.tend("history", "tendd").stdout
    assert history.count("this machine is taken away") == 1
    tendd.send_signal(signal.SIGTERM)
    tendd.until(lambda: tendd.get("/v1/status")["state"] == "stopping", "the stop")
    tendd.kill()
    assert times_told(tendd) == 1
    # The disk is there again, and so is the notice.
    assert not is_remote(tendd, "huge")
    configure(tendd, preempt, rest=rest)
    tendd.start()
    asked = metadata.asked
    tendd.until(lambda: metadata.asked > asked + 1, "the notice once more")
    tendd.until_idle("data")
    assert are_equal(tendd)
    assert times_told(tendd) == 1


def test_compute_engine_with_the_power_button(tendd, metadata):
    """`on_stop = keep` is for a tendd that goes, not for a machine that does; systemd hears how long it takes."""
    said = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = str(tendd.root / "notify")
        notify.bind(path)
        notify.settimeout(0.2)
        ends = threading.Event()

        def listen():
            while not ends.is_set():
                try:
                    said.append(notify.recv(4096).decode())
                except TimeoutError:
                    continue
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            tendd.environment["NOTIFY_SOCKET"] = path
            data = configure(tendd, "[preempt]\nprovider = gcp\nendpoint = %s\n" % metadata.url, tend="on_stop = keep\n")
            begin(tendd)
            tendd.until(lambda: metadata.asked > 2, "a question that waits")
            metadata.preempt()
            until_preempt(tendd, "told")
            (data / "late").write_text("late\n")
            assert tendd.stop() == 0
        finally:
            ends.set()
            listener.join()
    assert times_told(tendd) == 1
    assert is_remote(tendd, "late")
    assert is_remote(tendd, "last")
    assert is_remote(tendd, "checkpoint")
    assert any(line.startswith("STATUS=this machine is taken away by gcp (preempt)") for line in said), said
    stopping = next(i for i, line in enumerate(said) if "STOPPING=1" in line)
    assert any(line.startswith("EXTEND_TIMEOUT_USEC=") for line in said[stopping:]), said


def test_azure(tendd, metadata):
    """Another machine's event is none of ours; ours is let go when all is sent and stopped, and not before."""
    data = configure(tendd, "[preempt]\nprovider = azure\nendpoint = %s\nbudget = 4s\n" % metadata.url)
    begin(tendd)
    metadata.schedule("E0", "Preempt", 30, "my-vm-2")
    asked = metadata.asked
    tendd.until(lambda: metadata.asked > asked + 1, "more questions")
    assert preempt_of(tendd)["state"] == "watching"
    (data / "a").write_text("a\n")
    metadata.schedule("E1", "Terminate", 600, "my-vm")
    until_preempt(tendd, "told")
    assert metadata.acks == []
    tendd.until(lambda: metadata.acks, "the word that all is done")
    assert metadata.acks == [{"StartRequests": [{"EventId": "E1"}]}]
    assert tendd.unit("service:train")["state"] == "down"
    assert is_remote(tendd, "a") and is_remote(tendd, "last") and is_remote(tendd, "checkpoint")
    # A person knows better.
    configure(tendd, "")
    assert tendd.reload().status == 200
    assert preempt_of(tendd) is None
    tendd.until_state("service:train", "ready")
    assert times_told(tendd) == 1


def test_a_hint_only_sends(tendd, metadata):
    data = configure(tendd, "[preempt]\nprovider = aws\nendpoint = %s\n" % metadata.url)
    tendd.configure(tendd.ini.read_text().split("\n", 4)[4].replace("settle = 50ms", "settle = 1h\nmax_settle = 1h"))
    begin(tendd)
    (data / "a").write_text("a\n")
    tendd.until(lambda: tendd.folder_part("data")["pending"] > 0, "its mark")
    assert not is_remote(tendd, "a")
    metadata.hint = {"noticeTime": "2026-11-23T14:03:07Z"}
    tendd.until(lambda: is_remote(tendd, "a"), "the file over there")
    found = preempt_of(tendd)
    assert (found["state"], found["what"]) == ("watching", None)
    assert tendd.tend("status").returncode == 0
    assert tendd.unit("service:train")["state"] == "ready"
    assert times_told(tendd) == 0
    assert "rebalance: perhaps" in tendd.tend("history", "tendd").stdout


def test_nobody_and_nonsense(tendd, metadata):
    """A metadata service that is none is said, and hinders nothing; a change of the section holds at once."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        data = configure(tendd, "[preempt]\nprovider = gcp\nendpoint = http://127.0.0.1:%d\n" % port)
        begin(tendd)
        (data / "a").write_text("a\n")
        tendd.barrier("data")
        tendd.until(lambda: preempt_of(tendd)["trouble"], "the trouble")
    ended = tendd.tend("status")
    assert ended.returncode == 1
    assert "its notices would not be heard" in ended.stdout
    metadata.garbage = True
    configure(tendd, "[preempt]\nprovider = gcp\nendpoint = %s\nbudget = 1m\n" % metadata.url)
    assert tendd.reload()["changes"] == ["preempt live (endpoint, budget)"]
    assert preempt_of(tendd)["trouble"] is None
    tendd.until(lambda: preempt_of(tendd)["trouble"], "the trouble")
    assert "no answer of Compute Engine's" in preempt_of(tendd)["trouble"]
    metadata.garbage = False
    tendd.until(lambda: not preempt_of(tendd)["trouble"], "no trouble")
    assert preempt_of(tendd)["state"] == "watching"
    configure(tendd, "[preempt]\nprovider = off\n")
    assert tendd.reload().status == 200
    assert (preempt_of(tendd)["provider"], preempt_of(tendd)["state"]) == ("none", "off")
    assert times_told(tendd) == 0


@pytest.mark.parametrize("command, says", [
    ("echo no room; exit 3", "on_preempt: exit code 3"),
    ("kill -9 $$", "on_preempt: ended by signal 9 (Killed)"),
    ("trap '' TERM; while :; do sleep 1; done", "on_preempt did not end in time: stopped"),
])
def test_on_preempt_fails(tendd, metadata, command, says):
    """What it says is in the service's log; the rest goes on, and it is ended when its time is over, whatever it does."""
    configure(tendd, "[preempt]\nprovider = azure\nendpoint = %s\nbudget = 2s\n" % metadata.url)
    text = tendd.ini.read_text()
    line = next(line for line in text.splitlines() if line.startswith("on_preempt"))
    tendd.ini.write_text(text.replace(line, "on_preempt = " + command))
    begin(tendd)
    metadata.schedule("E1", "Preempt", 600, "my-vm")
    tendd.until(lambda: says in tendd.said, says)
    if "no room" in command:
        tendd.until(lambda: "no room" in lines_of(tendd, "train"), "what it said")
    tendd.until(lambda: is_remote(tendd, "last"), "what the service wrote at its end")


def test_on_preempt_outlives_tendd(metadata):
    """A kill of tendd in between: the command goes on to its end, is not begun again, and the machine's end is not forgotten."""
    with Tendd() as tendd:
        configure(tendd, "[preempt]\nprovider = azure\nendpoint = %s\nbudget = 12s\n" % metadata.url)
        text = tendd.ini.read_text()
        line = next(line for line in text.splitlines() if line.startswith("on_preempt"))
        tendd.ini.write_text(text.replace(line, "on_preempt = echo told >>%s/told; until test -e %s/go; do sleep 0.05; done; "
                                                "echo saved >%s/data/saved" % (tendd.root, tendd.root, tendd.root)))
        begin(tendd)
        metadata.schedule("E1", "Preempt", 600, "my-vm")
        until(lambda: times_told(tendd) == 1, "the command")
        tendd.kill()
        tendd.start()
        found = until_preempt(tendd, "told", "stopped")
        assert found["what"] == "preempt"
        (tendd.root / "go").touch()
        tendd.until(lambda: is_remote(tendd, "saved"), "what it saved")
        tendd.until(lambda: is_remote(tendd, "last"), "what the service wrote at its end")
        assert times_told(tendd) == 1
        assert json.loads(tendd.tend("history", "tendd", "--json").stdout)["events"]
