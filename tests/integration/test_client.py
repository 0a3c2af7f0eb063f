"""The command against a played tendd: what it asks, what it prints, its exit codes, and how it finds the socket."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import tempfile
import threading
import time

import pytest

from played_tendd import PlayedTendd, folder, service

TEND = os.path.join(os.environ["TEND_BIN"], "tend")


@pytest.fixture
def place(tmp_path_factory):
    """A short path: a socket's name has 107 bytes at most."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def tendd(place):
    with PlayedTendd(place / "s") as played:
        played.units = [folder("messages"), service("jupyter"), service("glances")]
        yield played


def environment(**changes):
    clean = {k: v for k, v in os.environ.items() if k not in ("TEND_SOCKET", "NO_COLOR", "XDG_RUNTIME_DIR")}
    clean.update(changes)
    return clean


def tend(played, *words, **options):
    options.setdefault("env", environment())
    if played:
        words = ("--socket", played.socket_path) + words
    return subprocess.run([TEND, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          **options)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


# ---- usage ----


def test_without_a_word_it_helps():
    got = tend(None)
    assert got.returncode == 2 and "usage: tend" in got.stderr and got.stdout == ""
    got = tend(None, "--help")
    assert got.returncode == 0 and got.stdout.startswith("usage: tend") and got.stderr == ""


@pytest.mark.parametrize("words, text", [
    (["statsu"], "there is no command 'statsu': did you mean 'status'?"),
    (["xyzzy"], "there is no command 'xyzzy'"),
    (["status", "--jsno"], "unknown option '--jsno': did you mean '--json'?"),
    (["status", "-q"], "unknown option '-q' of 'status'"),
    (["wait", "--timout", "3s"], "unknown option '--timout': did you mean '--timeout'?"),
    (["wait", "--timeout"], "option '--timeout' needs a value: DURATION"),
    (["wait", "--timeout", "soon"], "bad duration 'soon'"),
    (["wait", "--timeout=0"], "bad duration '0'"),
    (["status", "--json=yes"], "option '--json' takes no value"),
    (["status", "a", "b"], "too many words"),
    (["pause"], "too few words"),
    (["logs", "jupyter", "-n", "many"], "bad number of lines 'many'"),
    (["logs", "jupyter", "--grep", "a(b"], "bad pattern 'a(b'"),
    (["logs", "jupyter", "--since", "soon"], "'soon' is no time"),
    (["status", "--system", "--user"], "exclude each other"),
    (["sync", "--dry-run"], "--dry-run looks at one folder"),
    (["sync", "--dry-run", "a", "b"], "--dry-run looks at one folder"),
    (["-c"], "option '--config' needs a value: FILE"),
])
def test_wrong_usage_is_said(tendd, words, text):
    got = tend(tendd, *words)
    assert got.returncode == 2
    assert text in got.stderr
    assert got.stdout == ""
    assert tendd.asked == []


def test_every_command_has_help():
    listed = re.findall(r"^  ([a-z-]+) ", tend(None, "--help").stdout, re.M)
    assert sorted(listed) == sorted(
        "status sync wait pause resume approve resolve verify forget start stop restart logs reload upgrade ls versions restore remote history env auth "
        "plan run awake why-awake init edit doctor ui".split())
    for name in listed:
        got = tend(None, name, "--help")
        assert got.returncode == 0 and got.stdout.startswith("usage: tend " + name)


def test_version():
    got = tend(None, "--version")
    assert got.returncode == 0 and re.fullmatch(r"tend \d+\.\d+\.\d+\n", got.stdout)


# ---- status ----


def test_status_lists_every_unit(tendd):
    got = tend(tendd, "status")
    assert got.returncode == 0
    lines = got.stdout.splitlines()
    assert lines[0].startswith("tendd 0.1.0 on box, running for ") and lines[0].endswith("/etc/tend/tend.ini")
    assert lines[1].split()[:3] == ["UNIT", "STATE", "FOR"]
    assert [line.split()[:2] for line in lines[2:]] == [
        ["folder:messages", "idle"], ["service:jupyter", "up"], ["service:glances", "up"]]
    assert "3 files, 4.0 KiB" in lines[2]
    assert "pid 4242" in lines[3]
    assert "\033" not in got.stdout


@pytest.mark.parametrize("unit, code, shown", [
    (folder("a", folder={"state": "syncing", "pending": 7}), 0, "7 to go"),
    (folder("a", folder={"degraded": "inotify limit"}), 0, "degraded: inotify limit"),
    (folder("a", folder={"state": "paused"}), 0, "paused"),
    (folder("a", state="waiting", waits_for=["network", "folder:b"], folder={"state": "waiting"}), 0,
     "for network, folder:b"),
    (folder("a", folder={"refused": 2}), 1, "2 refused"),
    (folder("a", folder={"trouble": {"kind": "denied", "text": "access denied: check the key"}}), 1,
     "access denied: check the key"),
    (folder("a", state="failed", folder={"state": "failed"}), 1, "failed"),
    (folder("a", needs_person=True, folder={"state": "stopped"}), 5, "stopped"),
    (service("a", state="starting", service={"state": "starting"}), 0, "starting"),
    (service("a", state="down", wanted=False, service={"state": "down", "pid": None}), 0, "down"),
    (service("a", state="down", wanted=False, enabled=False, service={"state": "down", "pid": None}), 0, "not enabled"),
    (service("a", state="ready", service={"state": "done", "pid": None}), 0, "done"),
    (service("a", state="failed", service={"state": "delayed", "pid": None,
                                           "exit": {"class": "bad", "code": 3, "signal": 0, "time": ""}}), 1,
     "exit code 3"),
    (service("a", state="failed", service={"state": "delayed", "pid": None,
                                           "exit": {"class": "signal", "code": 0, "signal": 11, "time": ""}}), 1,
     "ended by signal 11"),
    (service("a", state="failed", detail="cannot run 'x': not found in PATH /bin", service={"state": "failed"}), 1,
     "cannot run 'x': not found in PATH /bin"),
])
def test_status_tells_how_a_unit_stands(tendd, unit, code, shown):
    tendd.units = [unit, service("other")]
    got = tend(tendd, "status")
    assert shown in got.stdout
    assert got.returncode == code
    one = tend(tendd, "status", "a")
    assert one.returncode == code
    assert re.search(r"^unit +%s$" % unit["unit"], one.stdout, re.M)


@pytest.mark.parametrize("changes, shown", [
    ({"state": "syncing", "pending": 7}, "everything up to 2026-11-22 14:03:08 is in the cloud"),
    ({"refused": 1}, "everything up to 2026-11-22 14:03:08 is in the cloud"),
    ({"degraded": "inotify limit"}, "everything up to 2026-11-22 14:03:08 is in the cloud"),
    ({}, r"everything up to \d\d:\d\d:\d\d is in the cloud"),
    ({"last_sync": None}, None), ({"mode": "fetch"}, None)])
def test_status_says_up_to_when_all_is_in_the_cloud(tendd, changes, shown):
    tendd.units = [folder("a", folder=changes)]
    for words in (["status"], ["status", "a"]):
        said = tend(tendd, *words, env=environment(TZ="UTC")).stdout
        assert re.search(shown, said) if shown else "is in the cloud" not in said, said


def test_status_of_a_folder_lists_what_is_on_its_way(tendd):
    tendd.units = [folder("a", folder={
        "state": "syncing", "pending": 9, "left_seconds": 75,
        "in_flight": [{"path": "big film.mkv", "size_bytes": 3 << 30, "done_bytes": 1 << 30, "doing": "sending"},
                      {"path": "photo", "size_bytes": 2 << 20, "done_bytes": None, "doing": "bringing"},
                      {"path": "dir", "size_bytes": None, "done_bytes": None, "doing": "waiting"}],
        "conflicts": [{"path": "a (conflict box 2026)", "of": "a", "mine": "a (conflict box 2026)", "theirs": "a", "time": "2026-11-22T14:03:08.000Z"}],
        "troubles": [{"path": "log", "why": "hot", "reason": "it grows", "next_try": "2026-11-22T15:00:00.000Z"}]})]
    said = tend(tendd, "status", "a").stdout
    assert re.search(r"^in flight +big film.mkv, 1.0 GiB of 3.0 GiB \(sending\)\nin flight +photo, 2.0 MiB \(bringing\)\n"
                     r"in flight +dir \(waiting\)\nwaiting +6$", said, re.M), said
    assert re.search(r"^to go +9, about 1m15s", said, re.M)
    assert "'a (conflict box 2026)' is another edit of 'a'" in said and "'tend resolve a' keeps one" in said and "hot: it grows" in said


@pytest.mark.parametrize("changes, bar", [
    ({"last_sync": None, "state": "syncing", "files": 25, "pending": 75}, rb"progress +\[#+\.+\] +25%"),
    ({"restoring": {"files": 1, "of_files": 2, "size_bytes": 1 << 20, "of_size_bytes": 4 << 20}}, rb"progress +\[#+\.+\] +25%"),
    ({"state": "syncing", "files": 25, "pending": 75}, None)])
def test_status_of_a_folder_draws_how_far_it_is(tendd, changes, bar):
    tendd.units = [folder("a", folder=changes)]
    process, leader = on_a_terminal("--socket", tendd.socket_path, "status", "a")
    text = read_all(leader)
    os.close(leader)
    assert process.wait(60) == 0
    text = text if isinstance(text, bytes) else text.encode()
    assert re.search(bar, text) if bar else b"progress" not in text
    assert "progress" not in tend(tendd, "status", "a").stdout


def test_status_watch_tells_the_rate(tendd):
    tendd.units[0]["folder"].update(left_bytes=20 << 20, bytes_per_second=10 << 20, left_seconds=2)
    process, leader = on_a_terminal("--socket", tendd.socket_path, "status", "--watch")
    text = b""
    for shown in (b"20.0 MiB left, 10.0 MiB/s, about 2s", b"5.0 MiB left, 2.5 MiB/s, about 2s"):
        while shown not in text:
            assert select.select([leader], [], [], 60)[0] and len(text) < 1 << 20, text
            text += os.read(leader, 4096)
        tendd.units[0]["folder"].update(left_bytes=5 << 20, bytes_per_second=5 << 19)
    process.kill()
    process.wait()
    os.close(leader)


def test_a_person_counts_more_than_a_failure(tendd):
    tendd.units = [service("a", state="failed", service={"state": "failed"}), folder("b", needs_person=True)]
    assert tend(tendd, "status").returncode == 5


def test_a_bad_configuration_is_shown(tendd):
    tendd.status["configuration"]["error"] = "/etc/tend/tend.ini:3: unknown key 'pth'"
    got = tend(tendd, "status")
    assert got.returncode == 1
    assert "configuration not taken: /etc/tend/tend.ini:3: unknown key 'pth'" in got.stdout


def test_trouble_with_the_keeper_is_shown(tendd):
    tendd.status["keeper"] = "cannot reach the keeper"
    got = tend(tendd, "status")
    assert got.returncode == 1
    assert "services cannot be run: cannot reach the keeper" in got.stdout


def test_status_of_one_folder_lists_its_troubles(tendd):
    tendd.units[0]["folder"].update(refused=1, troubles=[
        {"path": "a\nb", "why": "refused", "reason": "permission denied", "next_try": "2026-11-22T15:00:00.000Z"}])
    got = tend(tendd, "status", "messages")
    assert "refused: permission denied" in got.stdout
    assert "a\nb" not in got.stdout  # a name cannot draw on the screen
    assert re.search(r"^remote +cloud:messages \(backup\)$", got.stdout, re.M)


def test_status_json_is_what_the_api_answers(tendd):
    assert json.loads(tend(tendd, "status", "--json").stdout) == dict(tendd.status, units=tendd.units)
    assert json.loads(tend(tendd, "--json", "status", "jupyter").stdout) == {"api": 1, "unit": tendd.units[1]}


def test_status_watches(tendd):
    process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "status", "--watch", "messages"],
                               stdout=subprocess.PIPE, text=True, env=environment())
    try:
        assert " folder:messages idle " in process.stdout.readline()
        tendd.units[0]["folder"]["state"] = "syncing"
        assert " folder:messages syncing " in process.stdout.readline()
        tendd.stop()
        tendd.units[0]["folder"]["state"] = "scanning"
        tendd.start()
        assert " folder:messages scanning " in process.stdout.readline()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def read_all(fd):
    text = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # the other side of a pseudo terminal is closed
            return text.decode()
        if not part:
            return text.decode()
        text += part


def on_a_terminal(*words, **changes):
    leader, follower = pty.openpty()
    process = subprocess.Popen([TEND, *words], stdin=follower, stdout=follower, stderr=follower,
                               env=environment(TERM="xterm", **changes))
    os.close(follower)
    return process, leader


def test_colours_obey_the_terminal_and_no_color(tendd):
    for changes, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        leader, follower = pty.openpty()
        process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "status"], stdout=follower,
                                   env=environment(**dict({"TERM": "xterm"}, **changes)))
        os.close(follower)
        text = read_all(leader)
        os.close(leader)
        assert process.wait() == 0
        assert ("\033[32m" in text) == coloured, text


# ---- names ----


@pytest.mark.parametrize("words, text", [
    (["status", "mesages"], "there is no unit 'mesages': did you mean 'messages'?"),
    (["status", "folder:mesages"], "there is no unit 'folder:mesages': did you mean 'folder:messages'?"),
    (["wait", "jupyter"], "'service:jupyter' is no folder"),
    (["pause", "service:jupyter"], "'service:jupyter' is no folder"),
    (["logs", "messages"], "'folder:messages' is no service"),
    (["logs", "jupiter"], "there is no service 'jupiter': did you mean 'jupyter'?"),
    (["restart", "messages"], "'folder:messages' is a folder"),
])
def test_unknown_units_are_said(tendd, words, text):
    got = tend(tendd, *words)
    assert got.returncode == 2
    assert text in got.stderr
    assert [method for method, _, _ in tendd.asked] == ["GET"]


def test_a_bare_name_must_be_the_only_one(tendd):
    tendd.units.append(service("messages"))
    got = tend(tendd, "status", "messages")
    assert got.returncode == 2
    assert "'messages' is both 'folder:messages' and 'service:messages': say which" in got.stderr
    assert tend(tendd, "status", "service:messages").returncode == 0
    tendd.answers["POST", "/v1/units/folder:messages/pause"] = (200, {"api": 1, "unit": tendd.units[0]})
    assert tend(tendd, "pause", "messages").returncode == 0  # only folders are meant


# ---- sync, wait ----


def test_sync_asks_for_what_was_named(tendd):
    tendd.answers["POST", "/v1/sync"] = (200, {"api": 1})
    assert tend(tendd, "sync").returncode == 0
    assert tendd.asked == [("POST", "/v1/sync", {})]
    assert tend(tendd, "sync", "folder:messages").stdout == "looking through folder:messages\n"
    assert tendd.asked[-1] == ("POST", "/v1/sync", {"folders": ["messages"]})


class Barrier:
    """Hands out a mark, then says what `polls` says, one after the other; the last for ever."""

    def __init__(self, tendd, *polls):
        self.polls = list(polls)
        tendd.answers["POST", "/v1/wait"] = self.answer

    def answer(self, body):
        if "marks" not in body:
            return 200, {"api": 1, "marks": {"messages": 123}}
        assert body == {"marks": {"messages": 123}}
        poll = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return poll() if callable(poll) else poll


DONE = (200, {"api": 1, "done": True})
NOT_YET = (200, {"api": 1, "done": False, "folders": {}})


def test_wait_returns_when_it_is_durable(tendd):
    Barrier(tendd, NOT_YET, DONE)
    assert tend(tendd, "wait").returncode == 0
    assert tendd.asked[0] == ("POST", "/v1/wait", {"folders": []})
    assert len(tendd.asked) == 3
    got = tend(tendd, "wait", "messages", "--json")
    assert json.loads(got.stdout) == {"api": 1, "done": True}
    assert ("POST", "/v1/wait", {"folders": ["messages"]}) in tendd.asked


@pytest.mark.parametrize("person, code", [(False, 1), (True, 5)])
def test_wait_lists_what_holds_it_up(tendd, person, code):
    Barrier(tendd, (200, {"api": 1, "done": False, "needs_person": person, "folders": {
        "messages": {"text": "2 paths are not in the cloud", "paths": ["a: permission denied", "b: still changing"]}}}))
    got = tend(tendd, "wait")
    assert got.returncode == code
    assert got.stderr.splitlines() == ["tend: folder:messages: 2 paths are not in the cloud",
                                       "tend:   a: permission denied", "tend:   b: still changing"]


def test_wait_times_out(tendd):
    never = threading.Event()

    def poll():
        never.wait(100)
        return NOT_YET

    Barrier(tendd, poll)
    got = tend(tendd, "wait", "--timeout", "300ms")
    never.set()
    assert got.returncode == 4
    assert "timed out: not all of 'messages' is in the cloud yet" in got.stderr


def test_wait_times_out_before_the_mark(tendd):
    never = threading.Event()

    def hang(_):
        never.wait(100)
        return NOT_YET

    tendd.answers["POST", "/v1/wait"] = hang
    got = tend(tendd, "wait", "--timeout", "1s")
    never.set()
    assert got.returncode == 4


def test_wait_survives_a_restart_of_the_daemon(tendd):
    polled = threading.Event()

    def poll():
        polled.set()
        return 200, None

    Barrier(tendd, poll)
    process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "wait"], env=environment())
    assert polled.wait(60)
    tendd.stop()
    Barrier(tendd, DONE)
    tendd.start()
    assert process.wait(60) == 0


def test_sync_wait_is_both(tendd):
    tendd.answers["POST", "/v1/sync"] = (200, {"api": 1})
    Barrier(tendd, DONE)
    assert tend(tendd, "sync", "--wait", "messages").returncode == 0
    posts = [(path, body) for method, path, body in tendd.asked if method == "POST"]
    assert posts == [("/v1/sync", {"folders": ["messages"]}), ("/v1/wait", {"folders": ["messages"]}),
                     ("/v1/wait", {"marks": {"messages": 123}})]


def test_wait_draws_progress_on_a_terminal(tendd):
    go_on = threading.Event()

    def poll():
        go_on.wait(100)
        return DONE

    Barrier(tendd, poll)
    tendd.units[0]["folder"]["pending"] = 12
    process, leader = on_a_terminal("--socket", tendd.socket_path, "wait")
    text = b""
    while b"12 to go" not in text:
        assert select.select([leader], [], [], 60)[0], text
        text += os.read(leader, 4096)
    go_on.set()
    read_all(leader)
    os.close(leader)
    assert process.wait(60) == 0


# ---- pause, start, stop, restart ----


def test_pause_and_resume(tendd):
    for verb, state in (("pause", "paused"), ("resume", "idle")):
        tendd.answers["POST", "/v1/units/folder:messages/" + verb] = (
            200, {"api": 1, "unit": folder("messages", folder={"state": state})})
        got = tend(tendd, verb, "messages")
        assert (got.returncode, got.stdout) == (0, "folder:messages is %s\n" % state)


@pytest.mark.parametrize("verb, after, code, text", [
    ("start", service("jupyter"), 0, "service:jupyter is up (pid 4242)\n"),
    ("restart", service("jupyter"), 0, "service:jupyter is up (pid 4242)\n"),
    ("stop", service("jupyter", state="down", wanted=False, service={"state": "down", "pid": None}), 0,
     "service:jupyter is down\n"),
    ("start", service("jupyter", state="failed", detail="exit code 3", service={"state": "delayed"}), 1,
     "tend: service:jupyter is delayed: exit code 3\n"),
])
def test_control_says_what_came_of_it(tendd, verb, after, code, text):
    tendd.answers["POST", "/v1/units/service:jupyter/" + verb] = (200, {"api": 1, "unit": after})
    got = tend(tendd, verb, "jupyter")
    assert (got.returncode, got.stdout + got.stderr) == (code, text)
    assert tendd.asked[-1][2] == {"only": False, "wait": True}


def test_control_names_those_that_go_along(tendd):
    tendd.units[1]["dependents"] = ["service:glances"]
    tendd.answers["POST", "/v1/units/service:jupyter/stop"] = (
        200, {"api": 1, "unit": service("jupyter", state="down", service={"state": "down", "pid": None})})
    got = tend(tendd, "stop", "jupyter")
    assert "service:glances requires service:jupyter: stop goes along" in got.stderr
    got = tend(tendd, "stop", "jupyter", "--only")
    assert got.stderr == "" and tendd.asked[-1][2] == {"only": True, "wait": True}


def test_stop_of_the_daemon_wants_a_yes(tendd):
    got = tend(tendd, "stop")
    assert got.returncode == 2 and "--yes" in got.stderr
    assert tendd.asked == []

    def stop(_):
        threading.Thread(target=tendd.stop).start()
        return 200, {"api": 1}

    tendd.answers["POST", "/v1/stop"] = stop
    got = tend(tendd, "stop", "--yes")
    assert (got.returncode, got.stdout) == (0, "tendd has stopped\n")


@pytest.mark.parametrize("typed, code, asked", [(b"n\n", 1, 0), (b"\n", 1, 0), (b"y\n", 0, 1)])
def test_stop_of_the_daemon_asks_on_a_terminal(tendd, typed, code, asked):
    def stop(_):
        threading.Thread(target=tendd.stop).start()
        return 200, {"api": 1}

    tendd.answers["POST", "/v1/stop"] = stop
    process, leader = on_a_terminal("--socket", tendd.socket_path, "stop")
    os.write(leader, typed)
    read_all(leader)
    os.close(leader)
    assert process.wait(60) == code
    assert len(tendd.asked) == asked


# ---- reload ----


def test_reload_lists_what_changed(tendd):
    tendd.answers["POST", "/v1/reload"] = lambda body: (200, {"api": 1, "changes": [
        "service:jupyter restart (command)"] if body["dry_run"] else []})
    got = tend(tendd, "reload", "--dry-run")
    assert (got.returncode, got.stdout) == (0, "service:jupyter restart (command)\n")
    got = tend(tendd, "reload")
    assert (got.returncode, got.stdout) == (0, "nothing changed\n")


def test_reload_of_a_bad_file_exits_2(tendd):
    tendd.answers["POST", "/v1/reload"] = (422, {
        "api": 1, "error": {"kind": "invalid", "text": "2 errors", "hint": ""},
        "lines": ["/e/tend.ini:3: unknown key 'pth'", "/e/tend.ini:9: bad duration 'x'"]})
    got = tend(tendd, "reload")
    assert got.returncode == 2
    assert got.stderr.splitlines()[:2] == ["tend: /e/tend.ini:3: unknown key 'pth'",
                                           "tend: /e/tend.ini:9: bad duration 'x'"]
    got = tend(tendd, "reload", "--json")
    assert got.returncode == 2 and len(json.loads(got.stdout)["lines"]) == 2


# ---- logs ----


def stamp(second):
    return b"2026-11-22T14:03:%02d.000Z" % second


def test_logs_prints_lines(tendd):
    tendd.answers["GET", "/v1/units/service:jupyter/log?lines=2"] = (
        200, iter([stamp(1) + b" one\n" + stamp(2)[:5], stamp(2)[5:] + b" two\n"]))
    got = tend(tendd, "logs", "-n2", "jupyter")
    assert got.returncode == 0
    assert got.stdout.encode() == stamp(1) + b" one\n" + stamp(2) + b" two\n"


def test_logs_json(tendd):
    tendd.answers["GET", "/v1/units/service:jupyter/log?lines=100"] = (200, iter([stamp(1) + b' say "hi"\n']))
    got = tend(tendd, "logs", "jupyter", "--json")
    assert [json.loads(line) for line in got.stdout.splitlines()] == [
        {"unit": "service:jupyter", "time": "2026-11-22T14:03:01.000Z", "text": 'say "hi"'}]


def two_logs(tendd, query, jupyter, glances, end=()):
    for name, texts in ("jupyter", jupyter), ("glances", glances):
        tendd.answers["GET", "/v1/units/service:%s/log?%s" % (name, query)] = (
            200, iter([b"".join(stamp(second) + b" " + text + b"\n" for second, text in texts), *end]))


def test_logs_of_several_are_one_in_their_order(tendd):
    two_logs(tendd, "lines=100", [(1, b"one"), (2, b"two"), (2, b"two again"), (4, b"four")], [(2, b"zwei"), (3, b"drei")])
    got = tend(tendd, "logs", "jupyter", "glances")
    assert got.returncode == 0
    assert [(line.split()[0], line.split(None, 2)[2]) for line in got.stdout.splitlines()] == [
        ("jupyter", "one"), ("jupyter", "two"), ("jupyter", "two again"), ("glances", "zwei"), ("glances", "drei"),
        ("jupyter", "four")]
    two_logs(tendd, "lines=100", [(2, b"two")], [(1, b"eins")])
    got = tend(tendd, "logs", "jupyter", "glances", "--json")
    assert [json.loads(line)["unit"] for line in got.stdout.splitlines()] == ["service:glances", "service:jupyter"]


def test_logs_that_match_since(tendd):
    log = [(1, b"Error: old"), (2, b"fine"), (3, b"Error: new"), (4, b"error: small")]
    for words, wanted in (["--grep", "^Err"], ["old", "new"]), (["--grep", "E(rr|x)or: n"], ["new"]), (
            ["--since", "2026-11-22T14:03:03Z"], ["new", "small"]), (
            ["--since", "2026-11-22T14:03:02Z", "--grep", "rror"], ["new", "small"]):
        two_logs(tendd, "lines=-1", log, [])
        got = tend(tendd, "logs", "jupyter", *words)
        assert got.returncode == 0 and [line.split()[-1] for line in got.stdout.splitlines()] == wanted, words
    two_logs(tendd, "lines=3", log[1:], [])
    assert "old" not in tend(tendd, "logs", "jupyter", "-n3", "--grep", "Error").stdout


def test_logs_follow_several(tendd):
    two_logs(tendd, "lines=100&follow=1", [(1, b"one")], [(1, b"eins")], end=[None])
    process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "logs", "-f", "jupyter", "glances"],
                               stdout=subprocess.PIPE, text=True, env=environment())
    assert sorted(process.stdout.readline().split()[::2] for _ in range(2)) == [["glances", "eins"], ["jupyter", "one"]]
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    process.wait(60)


def test_logs_follow_survives_a_restart_without_losing_or_repeating_a_line(tendd):
    lines = [stamp(second // 2) + b" line %d\n" % second for second in range(20)]
    died = threading.Event()

    def first():
        yield b"".join(lines[:9]) + lines[9][:30]
        died.set()
        yield None

    tendd.answers["GET", "/v1/units/service:jupyter/log?lines=100&follow=1"] = (200, first())
    process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "logs", "-f", "jupyter"],
                               stdout=subprocess.PIPE, env=environment())
    assert died.wait(60)
    tendd.stop()
    tendd.answers["GET", "/v1/units/service:jupyter/log?lines=10000&follow=1"] = (200, iter([b"".join(lines), None]))
    tendd.start()
    got = [process.stdout.readline() for _ in lines]
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait(60)
    assert got == lines and rest == b""


def test_logs_ends_when_nobody_reads(tendd):
    def endless():
        while True:
            yield stamp(1) + b" line\n"

    tendd.answers["GET", "/v1/units/service:jupyter/log?lines=100&follow=1"] = (200, endless())
    process = subprocess.Popen([TEND, "--socket", tendd.socket_path, "logs", "-f", "jupyter"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


# ---- trouble ----


def test_a_full_disk_is_said(tendd):
    with open("/dev/full", "w") as full:
        got = subprocess.run([TEND, "--socket", tendd.socket_path, "status"], stdout=full, stderr=subprocess.PIPE,
                             text=True, env=environment())
    assert got.returncode == 1 and "cannot write all of the output" in got.stderr


def test_an_error_is_said_with_its_hint(tendd):
    tendd.answers["POST", "/v1/units/folder:messages/pause"] = (
        409, {"api": 1, "error": {"kind": "busy", "text": "folder 'messages' is closing", "hint": "try again"}})
    got = tend(tendd, "pause", "messages")
    assert got.returncode == 1 and got.stderr == "tend: folder 'messages' is closing: try again\n"


def test_something_else_that_answers_is_no_tendd(tendd):
    tendd.answers["GET", "/v1/status"] = (200, iter([b"<html>hello</html>"]))
    got = tend(tendd, "status")
    assert got.returncode == 1 and "is not tendd" in got.stderr
    tendd.answers["GET", "/v1/status"] = (502, iter([b"bad gateway"]))
    got = tend(tendd, "status")
    assert got.returncode == 1 and "status 502" in got.stderr


@pytest.mark.parametrize("words", [
    ["status"], ["status", "x"], ["sync"], ["sync", "x"], ["wait"], ["wait", "x"], ["pause", "x"], ["resume", "x"], ["approve", "x"], ["resolve", "x"], ["verify", "x"], ["forget", "x"],
    ["start", "x"], ["stop", "x"], ["stop", "--yes"], ["restart", "x"], ["logs", "x"], ["history"], ["history", "x"], ["reload"]])
def test_without_tendd_it_is_exit_3(place, words):
    got = tend(None, "--socket", str(place / "nobody"), *words)
    assert got.returncode == 3
    assert got.stderr.startswith("tend: tendd is not running: start it with '")
    assert got.stdout == ""


def test_a_dead_socket_is_not_running(place):
    tendd = PlayedTendd(place / "s")
    tendd.start()
    tendd.server.shutdown()
    tendd.server.server_close()  # the file stays, as after kill -9
    tendd.thread.join()
    assert tend(None, "--socket", str(place / "s"), "status").returncode == 3


def test_a_socket_path_that_is_too_long_is_said(place):
    got = tend(None, "--socket", str(place / ("x" * 200)), "status")
    assert got.returncode == 2 and "the path of the socket is too long" in got.stderr


# ---- finding the socket ----


def test_finds_the_socket_of_a_file(place):
    (place / "run").mkdir()
    ini = place / "tend.ini"
    ini.write_text("[tend]\nlog_level = debug\nruntime_dir = %s/run\n[nonsense\nwhat = ever\n" % place)
    with PlayedTendd(place / "run" / "tend.sock"):
        assert tend(None, "-c", str(ini), "status").returncode == 0
        assert tend(None, "status", "--config", str(ini)).returncode == 0
        # What the file says counts more than the environment.
        got = tend(None, "-c", str(ini), "status", env=environment(TEND_SOCKET="/nonexistent"))
        assert got.returncode == 0
    got = tend(None, "-c", str(ini), "status")
    assert got.returncode == 3 and "'tendd -c %s'" % ini in got.stderr


def test_a_file_that_is_not_there_is_wrong_usage(place):
    got = tend(None, "-c", str(place / "none.ini"), "status")
    assert got.returncode == 2 and "none.ini" in got.stderr


def test_finds_the_socket_of_the_environment(tendd):
    assert tend(None, "status", env=environment(TEND_SOCKET=tendd.socket_path)).returncode == 0


def test_finds_the_socket_of_the_user(place):
    runtime, home = place / "runtime", place / "home"
    (runtime / "tend").mkdir(parents=True)
    (home / ".config" / "tend").mkdir(parents=True)
    env = environment(XDG_RUNTIME_DIR=str(runtime), HOME=str(home))
    env.pop("XDG_CONFIG_HOME", None)
    with PlayedTendd(runtime / "tend" / "tend.sock"):
        assert tend(None, "--user", "status", env=env).returncode == 0
    (place / "other").mkdir()
    (home / ".config" / "tend" / "tend.ini").write_text("[tend]\nruntime_dir = ~/../other\n")
    with PlayedTendd(place / "other" / "tend.sock"):
        assert tend(None, "--user", "status", env=env).returncode == 0


@pytest.fixture
def as_somebody():
    """Options that make a command one of an ordinary user."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def test_who_may_not_ask_is_told(tendd, as_somebody):
    os.chmod(tendd.socket_path, 0)
    got = tend(tendd, "status", **as_somebody)
    assert got.returncode == 1
    assert "permission denied on '%s'" % tendd.socket_path in got.stderr


def test_an_ordinary_user_asks_his_own_tendd_if_it_answers(as_somebody):
    with tempfile.TemporaryDirectory() as runtime:
        os.mkdir(os.path.join(runtime, "tend"))
        os.chmod(runtime, 0o755)
        env = environment(XDG_RUNTIME_DIR=runtime, HOME=runtime)
        got = tend(None, "status", env=env, **as_somebody)
        assert got.returncode == 3 and "'systemctl start tend'" in got.stderr  # the system's, then
        got = tend(None, "--user", "status", env=env, **as_somebody)
        assert got.returncode == 3 and "'systemctl --user start tend'" in got.stderr
        with PlayedTendd(os.path.join(runtime, "tend", "tend.sock")) as played:
            os.chmod(played.socket_path, 0o777)
            assert tend(None, "status", env=env, **as_somebody).returncode == 0
            assert tend(None, "--system", "status", env=env, **as_somebody).returncode == 3
