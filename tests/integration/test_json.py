"""What scripts read: a command that fails says so in JSON too, and several units at once."""

import json

import pytest

SERVICES = "".join("[service %s]\nnetwork = no\ncommand = sleep 1000\nstop_timeout = 5s\n" % name for name in "abc")


@pytest.mark.parametrize("words, code, kind, text", [
    (["status", "nosuch"], 2, "invalid", "there is no unit 'nosuch'"),
    (["wait", "service:a"], 2, "invalid", "'service:a' is no folder"),
    (["statsu"], 2, "invalid", "there is no command 'statsu': did you mean 'status'?"),
    (["status", "--nosuch"], 2, "invalid", "unknown option '--nosuch' of 'status'"),
    (["wait", "--timeout", "soon"], 2, "invalid", "bad duration 'soon'"),
    (["start", "a", "nosuch"], 2, "invalid", "there is no unit 'nosuch'"),
    (["stop"], 2, "invalid", "this stops tendd: say --yes"),
    (["run", "a"], 2, "invalid", "'service:a' is no step"),
    (["versions", "nosuch", "file"], 2, "invalid", "there is no folder 'nosuch'"),
    (["remote", "check", "nosuch"], 2, "invalid", "there is no remote 'nosuch'"),
])
def test_what_is_wrong_is_told_as_an_object(tendd, words, code, kind, text):
    tendd.configure(SERVICES).start()
    plain = tendd.tend(*words)
    assert plain.returncode == code and plain.stdout == "", plain
    told = tendd.tend("--json", *words)
    assert told.returncode == code and told.stderr == plain.stderr, told
    answer = json.loads(told.stdout)
    assert answer["api"] == 1 and answer["exit_code"] == code
    assert answer["error"]["kind"] == kind and text in answer["error"]["text"], answer


def test_without_a_daemon(tendd):
    tendd.configure(SERVICES)
    for words in ["status"], ["stop", "--yes"], ["restart", "a"], ["awake", "1h"], ["reload"]:
        told = tendd.tend("--json", *words)
        answer = json.loads(told.stdout)
        assert (told.returncode, answer["exit_code"], answer["error"]["kind"]) == (3, 3, "offline"), told
        assert "tendd is not running" in answer["error"]["text"], answer
    told = tendd.tend("--json", "env", "nosuch")  # the file is read here
    answer = json.loads(told.stdout)
    assert told.returncode == answer["exit_code"] == 2 and "there is no service 'nosuch'" in answer["error"]["text"], told
    wrong = tendd.tend("--json", "status", "a", "b")
    assert json.loads(wrong.stdout)["error"]["hint"] == "see 'tend status --help'"


def test_an_answer_is_not_followed_by_another(tendd):
    """What failed is in the answer itself: exit code 1, and one object."""
    tendd.configure("[service bad]\nnetwork = no\ncommand = false\nrestart = never\n").start()
    tendd.until_state("service:bad", "failed")
    told = tendd.tend("--json", "status")
    assert told.returncode == 1 and "error" not in json.loads(told.stdout)
    stopped = tendd.tend("--json", "wait", "--timeout", "1s")  # no folder: nothing is waited for
    assert stopped.returncode == 0 and json.loads(stopped.stdout)["done"] is True


def test_several_units_by_one_command(tendd):
    tendd.configure(SERVICES).start()
    for name in "abc":
        tendd.until_state("service:" + name, "ready")
    got = tendd.tend("stop", "a", "service:c")
    assert got.returncode == 0 and got.stdout == "service:a is down\nservice:c is down\n", got
    assert [tendd.unit("service:" + name)["state"] for name in "abc"] == ["down", "ready", "down"]
    pid = tendd.service_part("b")["pid"]
    got = tendd.tend("--json", "start", "a", "c")
    units = json.loads(got.stdout)["units"]
    assert got.returncode == 0 and [(unit["unit"], unit["state"]) for unit in units] == [
        ("service:a", "ready"), ("service:c", "ready")]
    # One by one is as it was.
    assert json.loads(tendd.tend("--json", "restart", "b").stdout)["unit"]["unit"] == "service:b"
    assert tendd.service_part("b")["pid"] != pid
    # A wrong name among them: none is touched.
    pids = [tendd.service_part(name)["pid"] for name in "abc"]
    got = tendd.tend("restart", "a", "nosuch", "c")
    assert got.returncode == 2 and "there is no unit 'nosuch'" in got.stderr
    assert [tendd.service_part(name)["pid"] for name in "abc"] == pids


def test_the_worst_of_several_is_the_exit_code(tendd):
    tendd.configure(SERVICES + "[service bad]\nnetwork = no\ncommand = false\nrestart = never\n").start()
    tendd.until_state("service:bad", "failed")
    got = tendd.tend("restart", "bad", "a")
    assert got.returncode == 1 and "service:bad is failed" in got.stderr and "service:a is up" in got.stdout, got
