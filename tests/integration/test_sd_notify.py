"""`ready = notify` and `check = notify`: a program that says itself how it stands, over the keeper's socket (sd_notify(3))."""

import os
import signal
import socket
import sys

import pytest

from tend import Tendd, is_alive

# Sends each file of `say` as one datagram, in name order, and then takes it away: itself, or by a grandchild in a session of its own
# ("child"). Says that it is alive while `alive` is there. Its environment stands in `env` first of all.
SPEAKER = r"""
import os, socket, sys, time
root = sys.argv[1]
with open(root + "/env.new", "w") as out:
    out.write("".join("%s=%s\n" % item for item in os.environ.items()) + "pid=%d\n" % os.getpid())
os.rename(root + "/env.new", root + "/env")
line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def send(text):
    line.sendto(text, os.environ["NOTIFY_SOCKET"])
def by_grandchild(text):
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    send(text)
    time.sleep(1000)
while True:
    for name in sorted(os.listdir(root + "/say")):
        path = root + "/say/" + name
        text = open(path, "rb").read()
        if "child" in name:
            by_grandchild(text)
        else:
            send(text)
        os.unlink(path)
    if os.path.exists(root + "/alive"):
        send(b"WATCHDOG=1")
    time.sleep(0.02)
"""


class Speaker:
    def __init__(self, tendd):
        self.tendd = tendd
        self.root = tendd.folder("speaker")
        (self.root / "say").mkdir()
        (tendd.root / "speaker.py").write_text(SPEAKER)
        self.said = 0

    def section(self, more):
        return ("[service speaker]\nnetwork = no\ncommand = %s %s %s\nrestart_delay = 0s\n%s\n"
                "[service dependent]\nnetwork = no\ncommand = sh -c 'env >%s/dependent; exec sleep 1000'\n"
                "requires = service:speaker\n"
                % (sys.executable, self.tendd.root / "speaker.py", self.root, more, self.root))

    def start(self, more):
        self.tendd.configure(self.section(more)).start()
        self.env()

    def env(self):
        path = self.root / "env"
        self.tendd.until(path.exists, "the program")
        return dict(line.split("=", 1) for line in path.read_text().splitlines())

    def say(self, text, who="main"):
        """Back once it was sent."""
        self.said += 1
        name = "%06d.%s" % (self.said, who)
        new = self.root / name
        new.write_text(text)
        new.rename(self.root / "say" / name)
        self.tendd.until(lambda: not (self.root / "say" / name).exists(), "the datagram's way")

    def pid(self):
        return self.tendd.service_part("speaker")["pid"]

    def detail(self):
        return self.tendd.unit("service:speaker")["detail"] or ""


@pytest.fixture(params=["", "cgroup"], ids=["groups", "marks"])
def speaker(request):
    with Tendd(environment={"TEND_WITHOUT": request.param}) as tendd:
        yield Speaker(tendd)


@pytest.fixture
def one(tendd):
    return Speaker(tendd)


@pytest.mark.parametrize("who", ["main", "child"])
def test_dependents_wait_until_it_says_so(speaker, who):
    tendd = speaker.tendd
    speaker.start("ready = notify\nenvironment = NOTIFY_SOCKET=/nowhere\n")
    tendd.until(lambda: speaker.detail() == "not ready yet: notify", "the wait")
    speaker.say("STATUS=reading 3 of 7\nX_OTHER=1\nMAINPID=1", who)
    tendd.until(lambda: speaker.detail() == "not ready yet: reading 3 of 7", "what it says")
    assert tendd.unit("service:speaker")["state"] == "starting" and tendd.service_part("dependent")["pid"] is None
    pid = speaker.pid()
    speaker.say("STATUS=all read\nREADY=1\nMAINPID=1", who)
    tendd.until_state("service:dependent", "ready")
    tendd.until(lambda: speaker.detail() == "all read", "what it says now")
    assert speaker.pid() == pid == int(speaker.env()["pid"])
    speaker.say("STATUS=", who)
    tendd.until(lambda: not speaker.detail(), "nothing to say")
    # Nobody else is told of the socket.
    tendd.until(lambda: "PATH=" in (speaker.root / "dependent").read_text(), "its environment")
    assert "NOTIFY_SOCKET" not in (speaker.root / "dependent").read_text()
    assert "WATCHDOG_USEC" not in speaker.env()


def test_nobody_speaks_for_another(speaker):
    """Neither a process that is no service's, nor another service that has found the socket."""
    tendd = speaker.tendd
    shout = ("import os, socket, time; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
             "s.sendto(b'READY=1\\nSTATUS=false', os.environ['NOTIFY_SOCKET']); time.sleep(1000)")
    path = tendd.root / "shout.py"
    path.write_text(shout)
    tendd.configure(speaker.section("ready = notify\n") +
                    "[service loud]\nnetwork = no\nready = notify\n"
                    "command = sh -c '%s %s & wait'\n" % (sys.executable, path)).start()
    address = speaker.env()["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.sendto(b"READY=1\nSTATUS=false", address)
    tendd.until_state("service:loud", "ready")
    assert "false" in tendd.unit("service:loud")["detail"]
    # In order: when this one has come through, the others have.
    speaker.say("STATUS=still at work")
    tendd.until(lambda: speaker.detail() == "not ready yet: still at work", "its own word")
    assert tendd.unit("service:speaker")["state"] == "starting"


def test_systemds_own_program(one):
    """systemd-notify sends in the name of its parent, and waits at a barrier: a descriptor that must be closed."""
    tendd = one.tendd
    seen = one.root / "seen"
    tendd.configure("[service shell]\nnetwork = no\nready = notify\ncommand = sh -c 'systemd-notify --status=\"by a shell\" && "
                    "systemd-notify --ready && echo done >%s; exec sleep 1000'\n" % seen).start()
    tendd.until_state("service:shell", "ready")
    tendd.until(lambda: tendd.unit("service:shell")["detail"] == "by a shell", "its status")
    tendd.until(lambda: seen.exists() and seen.read_text() == "done\n", "the barrier's end")


def test_what_is_said_while_tendd_is_away_is_heard(one):
    tendd = one.tendd
    one.start("ready = notify\nready_timeout = 10m\n")
    tendd.until(lambda: one.detail() == "not ready yet: notify", "the wait")
    pid = one.pid()
    tendd.kill()
    one.say("READY=1\nSTATUS=up since long")
    tendd.start()
    tendd.until_state("service:dependent", "ready")
    assert one.pid() == pid and one.detail() == "up since long"
    tendd.kill()
    tendd.start()
    tendd.until_state("service:speaker", "ready")
    one.say("STATUS=second")
    tendd.until(lambda: one.detail() == "second", "a word to the next tendd")
    assert one.pid() == pid and tendd.service_part("speaker")["restarts"] == 0


def test_the_last_words_of_one_that_ends(one):
    """READY=1, heard for sure, and at once an end: both are known, in this order."""
    tendd = one.tendd
    tendd.configure("[service quick]\nnetwork = no\nready = notify\nok_exit = 3\nrestart = on-failure\ncommand = %s -c "
                    "'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
                    "s.connect(os.environ[\"NOTIFY_SOCKET\"]); s.send(b\"READY=1\"); r, w = os.pipe(); "
                    "socket.send_fds(s, [b\"BARRIER=1\"], [w]); os.close(w); os.read(r, 1); os._exit(3)'\n" % sys.executable).start()
    tendd.until(lambda: tendd.service_part("quick")["exit"], "its end")
    tendd.until_state("service:quick", "ready")
    part = tendd.service_part("quick")
    assert part["restarts"] == 0 and part["exit"]["code"] == 3


def test_not_said_in_time_is_a_failure(one):
    tendd = one.tendd
    tendd.configure(one.section("ready = notify\nready_timeout = 300ms\ngive_up_after = 2\n")).start()
    tendd.until_state("service:speaker", "failed")
    assert "not ready within 300ms" in one.detail() and "gave up after 2 failures" in one.detail()


def test_one_that_is_silent_is_restarted(speaker):
    tendd = speaker.tendd
    (speaker.root / "alive").write_text("")
    speaker.start("ready = notify\ncheck = notify\ncheck_every = 1s\ncheck_failures = 1000\n")
    env = speaker.env()
    assert env["WATCHDOG_USEC"] == "1000000" and env["WATCHDOG_PID"] == env["pid"]
    speaker.say("READY=1")
    tendd.until_state("service:dependent", "ready")
    (speaker.root / "alive").unlink()
    tendd.until(lambda: "check failed, 1 of 1000: no WATCHDOG=1 within 1s" in speaker.detail(), "the first failure")
    (speaker.root / "alive").write_text("")
    tendd.until(lambda: not speaker.detail(), "the end of the trouble")
    pid, dependent = speaker.pid(), tendd.service_part("dependent")["pid"]
    # Also by the next tendd.
    tendd.kill()
    (speaker.root / "alive").unlink()
    tendd.configure(speaker.section("ready = notify\ncheck = notify\ncheck_every = 1s\ncheck_failures = 2\n")).start()
    tendd.until(lambda: speaker.pid() not in (pid, None), "another pid")
    assert not is_alive(pid) and "check failed, 2 of 2: no WATCHDOG=1 within 1s" in tendd.said
    assert tendd.service_part("dependent")["pid"] == dependent


def test_one_that_says_that_it_is_broken_is_restarted_at_once(one):
    tendd = one.tendd
    (one.root / "alive").write_text("")
    one.start("ready = notify\ncheck = notify\ncheck_every = 1h\n")
    one.say("READY=1")
    tendd.until_state("service:speaker", "ready")
    pid = one.pid()
    one.say("WATCHDOG=trigger")
    tendd.until(lambda: one.pid() not in (pid, None), "another pid")
    assert "it says itself that it is broken" in tendd.said


def test_one_that_stops_by_itself_is_left_alone(one):
    tendd = one.tendd
    (one.root / "alive").write_text("")
    one.start("ready = notify\ncheck = notify\ncheck_every = 500ms\ncheck_failures = 6\n[service witness]\nnetwork = no\n"
              "command = sleep 1000\nrequires = service:dependent\ncheck = command:false\ncheck_every = 1s\n")
    one.say("READY=1")
    tendd.until_state("service:speaker", "ready")
    pid = one.pid()
    one.say("STOPPING=1")
    tendd.until(lambda: one.detail() == "it says that it is stopping", "its word")
    (one.root / "alive").unlink()
    one.say("STATUS=writing")
    tendd.until(lambda: one.detail() == "writing", "later words")
    tendd.until(lambda: "service:witness: check failed, 3 of 3" in tendd.said, "many looks at another")
    assert one.pid() == pid and "service:speaker: check failed" not in tendd.said
    os.kill(pid, signal.SIGTERM)
    tendd.until(lambda: one.pid() not in (pid, None), "another pid")


def test_a_reload_asks_for_words_from_one_that_has_no_voice(one):
    """It began without the socket: what `check` says holds from its next start on."""
    tendd = one.tendd
    section = "[service sleeper]\nnetwork = no\ncommand = sleep 1000\n%s"
    tendd.configure(section % "").start()
    tendd.until_state("service:sleeper", "ready")
    pid = tendd.service_part("sleeper")["pid"]
    tendd.configure(section % "check = notify\ncheck_every = 100ms\ncheck_failures = 1\n" +
                    "[service witness]\nnetwork = no\ncommand = sleep 1000\ncheck = command:false\ncheck_every = 200ms\n"
                    "check_failures = 5\n")
    assert tendd.tend("reload").returncode == 0
    tendd.until(lambda: "check failed, 5 of 5" in tendd.said, "many looks at another")
    assert tendd.service_part("sleeper")["pid"] == pid and tendd.unit("service:sleeper")["state"] == "ready"


def test_one_that_talks_without_end(one):
    """It keeps neither tendd nor the keeper from their work."""
    tendd = one.tendd
    tendd.configure("[service chatter]\nnetwork = no\nready = notify\ncommand = %s -c 'import os, socket\n"
                    "\ts = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\tn = 0\n\twhile True:\n"
                    "\t\tn += 1\n\t\ts.sendto(b\"READY=1\\nSTATUS=%%d\" %% n, os.environ[\"NOTIFY_SOCKET\"])'\n"
                    "[service quiet]\nnetwork = no\ncommand = sleep 1000\nrequires = service:chatter\n" % sys.executable).start()
    tendd.until_state("service:quiet", "ready")
    first = int(tendd.unit("service:chatter")["detail"])
    tendd.until(lambda: int(tendd.unit("service:chatter")["detail"]) > first + 1000, "more words")
    assert tendd.tend("restart", "quiet").returncode == 0
    tendd.until_state("service:quiet", "ready")
    assert tendd.stop() == 0
