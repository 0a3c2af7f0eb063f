"""before_start and after_stop, with the real tendd and keeper: in order, as the service, within stop_timeout, never beside themselves."""

import os
import signal

import pytest

from tend import is_alive, until

ONCE = "restart_delay = 1h\nrestart_max_delay = 1h\n"


def service(name, command, **keys):
    text = "[service %s]\nnetwork = no\nshell = yes\ncommand = %s\n" % (name, command)
    return text + "".join("%s = %s\n" % item for item in keys.items())


def texts_of(tendd, name):
    path = tendd.logs / (name + ".log")
    return [line.split(" ", 1)[1] for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def detail_of(tendd, name):
    return tendd.unit("service:" + name)["detail"]


def pid_in(path):
    return until(lambda: int(path.read_text()), "a pid in %s" % path)


def test_they_stand_around_every_run(tendd):
    os.chmod(tendd.root, 0o755)
    tendd.configure(service("a", "echo main; test -e /no; exec sleep 1000", before_start="id -un; echo before $X in $PWD",
                            after_stop="echo after", user="games", environment="X=x", directory="/usr")).start()
    tendd.until_state("service:a", "ready")
    tendd.until(lambda: "main" in texts_of(tendd, "a"))
    run = ["games", "before x in /usr", "main"]
    assert texts_of(tendd, "a") == run
    assert tendd.tend("restart", "a").returncode == 0
    tendd.until(lambda: texts_of(tendd, "a") == [*run, "after", *run])
    assert tendd.tend("stop", "a").returncode == 0
    assert texts_of(tendd, "a") == [*run, "after", *run, "after"]
    assert detail_of(tendd, "a") == "stopped by hand"
    assert tendd.service_part("a")["failures"] == 0


def test_after_a_crash_and_at_the_end_of_tendd(tendd):
    """It runs after an end of the service's own, too, before the next start; a stop of tendd waits for it."""
    tendd.configure(service("a", "echo main; sleep 0.2; exit 1", after_stop="sleep 0.3; echo after", restart_delay="0ms")).start()
    tendd.until(lambda: texts_of(tendd, "a").count("main") > 2)
    assert tendd.stop() == 0
    told = texts_of(tendd, "a")
    assert told == ["main", "after"] * (len(told) // 2)


@pytest.mark.parametrize("before, says, code", [
    ("echo one; echo the disk is not there; exit 3", "before_start: exit code 3: the disk is not there", 3),
    ("exit 4", "before_start: exit code 4", 4),
    ("kill -9 $$", "before_start: ended by signal 9 (Killed)", 0),
])
def test_a_failing_before_start_is_a_failed_start(tendd, before, says, code):
    tendd.configure(service("a", "echo main; exec sleep 1000", before_start=before, after_stop="echo after") + ONCE).start()
    unit = tendd.until_state("service:a", "failed")
    assert unit["detail"].startswith(says + "; next try at ")
    assert (unit["service"]["exit"]["class"], unit["service"]["exit"]["code"], unit["service"]["failures"]) == ("bad", code, 1)
    assert "main" not in texts_of(tendd, "a") and texts_of(tendd, "a")[-1] == "after"
    assert says in tendd.tend("status", "a").stdout


def test_a_before_start_that_cannot_be_run(tendd):
    tendd.configure("[service a]\nnetwork = no\ncommand = sleep 1000\nbefore_start = no-such-program x\n" + ONCE).start()
    unit = tendd.until_state("service:a", "failed")
    assert unit["detail"].startswith("before_start: cannot run 'no-such-program': not found in PATH ")


def test_they_may_not_take_for_ever(tendd):
    """stop_timeout holds for each; what does not mind TERM is killed with all its processes."""
    tendd.configure(
        service("before", "exec sleep 1000", stop_timeout="300ms", before_start="trap '' TERM; setsid sleep 1000 & "
                "echo $! >%s/left; wait; sleep 1000" % tendd.root) + ONCE +
        service("after", "sleep 0.1", restart="never", stop_timeout="300ms",
                after_stop="echo $$ >%s/after; trap '' TERM; sleep 1000; sleep 1000" % tendd.root)).start()
    unit = tendd.until_state("service:before", "failed")
    assert unit["detail"].startswith("before_start took longer than 300ms; next try at ")
    assert not is_alive(pid_in(tendd.root / "left"))
    tendd.until_state("service:after", "ready")
    assert not is_alive(pid_in(tendd.root / "after"))
    assert "after_stop: ended by signal 9" in tendd.said


def test_a_stop_during_before_start(tendd):
    tendd.configure(service("a", "echo main; exec sleep 1000", before_start="echo $$ >%s/pid; exec sleep 1000" % tendd.root,
                            after_stop="echo after")).start()
    pid = pid_in(tendd.root / "pid")
    assert detail_of(tendd, "a") == "before_start runs"
    assert tendd.tend("stop", "a").returncode == 0
    assert not is_alive(pid)
    assert texts_of(tendd, "a") == ["after"]
    unit = tendd.unit("service:a")
    assert (unit["state"], unit["service"]["failures"]) == ("down", 0)


def test_nothing_of_before_start_is_left(tendd):
    tendd.configure(service("a", "exec sleep 1000", before_start="setsid sleep 1000 & echo $! >%s/left" % tendd.root)).start()
    tendd.until_state("service:a", "ready")
    assert not is_alive(pid_in(tendd.root / "left"))


LOCKED = ("exec 9>>{root}/lock; flock -n 9 || echo twice >>{root}/twice; echo {word} >>{root}/{word}; "
          "while ! test -e {root}/go; do sleep 0.02; done; echo ended >>{root}/{word}-ended")


@pytest.mark.parametrize("word", ["before", "after"])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGQUIT])
def test_tendd_dies_meanwhile(tendd, word, signum):
    """The next one begins it anew, and not beside the old one."""
    hook = LOCKED.format(root=tendd.root, word=word)
    tendd.configure(service("a", "echo main; exec sleep 1000", **{"before_start" if word == "before" else "after_stop": hook})).start()
    if word == "after":
        tendd.until_state("service:a", "ready")
        tendd.post("/v1/units/service:a/restart")
    for count in 1, 2, 3:
        tendd.until(lambda n=count: (tendd.root / word).read_text().count(word) == n, "%d begins" % count)
        if count < 3:
            tendd.stop(signum) if signum == signal.SIGQUIT else tendd.kill()
            tendd.start()
    (tendd.root / "go").write_text("")
    tendd.until(lambda: (tendd.root / (word + "-ended")).exists(), "its end")
    tendd.until_state("service:a", "ready")
    assert not (tendd.root / "twice").exists()
    assert (tendd.root / (word + "-ended")).read_text() == "ended\n"
