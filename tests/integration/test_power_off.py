"""[idle] with the real tendd: who keeps the machine up, the warning and how it is called off, everything stored before services stop
and again after, and only then the act, which here is a command that leaves a file."""

import json
import os
import shlex
import signal
import subprocess

import pytest

from stores import Directory
from tend import until

AFTER = "after = 1s\nevery = 100ms\nmin_uptime = 0s\nwarn = %s\n"


class Power:
    """An ini with a file that says whether the machine is in use, a folder, and a service that writes when it stops."""

    def __init__(self, tendd):
        self.tendd = tendd
        self.used = tendd.root / "used"
        self.acted = tendd.root / "acted"
        self.data = tendd.folder("data")
        self.store = Directory(tendd.root / "remote")
        self.used.write_text("")
        tendd.environment["TEND_WITHOUT"] = "idle-wait"

    def idle(self, warn="0s", active=None, action=None, **more):
        action = action or "sh -c %s" % shlex.quote("ls '%s/remote' > '%s.new'; mv '%s.new' '%s'" % (
            self.tendd.root, self.acted, self.acted, self.acted))
        keys = "".join("%s = %s\n" % item for item in more.items())
        active = active or "command:test -e %s" % self.used
        return "[idle]\n" + AFTER % warn + "active = %s\naction = %s\n%s" % (active, action, keys)

    def service(self):
        """Its last word is written when it is told to stop."""
        script = "trap 'echo last > \"%s/last\"; exit 0' TERM; echo armed; while :; do sleep 0.1; done" % self.data
        return "[service a]\nnetwork = no\nshell = yes\ncommand = %s\n" % script

    def folder(self):
        return self.store.section("cloud") + "[folder data]\npath = %s\nremote = cloud:data\nsettle = 100ms\n" % self.data

    def why(self):
        return self.tendd.get("/v1/awake")["idle"]["why"]

    def phase(self):
        return self.tendd.get("/v1/status")["idle"]["phase"]

    def events(self):
        return [event["text"] for event in self.tendd.get("/v1/history?unit=tendd&limit=100")["events"]
                if event["event"] == "idle"]

    def told(self, text):
        return any(text in event for event in self.events())


@pytest.fixture
def power(tendd):
    return Power(tendd)


def test_a_signal_keeps_it_up_and_its_end_lets_it_go(tendd, power):
    """Everything is stored before the act: also what the service wrote when it was told to stop."""
    tendd.configure(power.folder() + power.service() + power.idle()).start()
    tendd.until_state("service:a", "ready")
    tendd.until_armed("a")
    tendd.until(lambda: "exit code 0: in use" in power.why(), "the signal")
    assert not power.acted.exists()
    (power.data / "late").write_text("late\n")
    power.used.unlink()
    tendd.until(power.acted.exists, "the act")
    assert "it goes now" in "\n".join(power.events())
    assert power.store.read("data/last") == b"last\n" and power.store.read("data/late") == b"late\n"
    lines = [line.split(" ", 2)[2] for line in tendd.said.splitlines() if " idle: " in line]
    order = ["storing everything", "stopping services", "what services wrote when they stopped", "now"]
    assert [word for word in order if any(word in line for line in lines)] == order
    # It is still up after that: services run again, and it is not tried once more.
    tendd.until_state("service:a", "ready")
    tendd.until(lambda: power.phase() == "gave up", "the end of it")
    power.acted.unlink()
    count = len(power.events())
    assert power.told("still up five minutes later")
    tendd.until(lambda: tendd.get("/v1/awake")["signals"][0]["state"] == "idle", "another look")
    assert len(power.events()) == count and not power.acted.exists()


def test_awake_and_why_awake(tendd, power):
    power.used.unlink()
    tendd.configure(power.idle(warn="1h")).start()
    tendd.until(lambda: power.phase() == "warned", "the warning")
    assert tendd.get("/v1/status")["idle"]["left_seconds"] > 3000
    got = tendd.tend("awake", "2h")
    assert got.returncode == 0 and got.stdout.startswith("stays up until "), got
    tendd.until(lambda: power.phase() == "watching" and power.why() == "tend awake", "the end of the warning")
    assert power.told("called off: tend awake")
    text = tendd.tend("why-awake").stdout
    assert "watching: tend awake" in text and "stays up until" in text and "command:test" in text, text
    answer = json.loads(tendd.tend("why-awake", "--json").stdout)
    assert answer["idle"]["awake"] and answer["signals"][0]["state"] == "idle"
    assert "idle: watching, tend awake" in tendd.tend("status").stdout
    # It is remembered by the next tendd.
    tendd.kill()
    tendd.start()
    tendd.until(lambda: power.why() == "tend awake", "the next tendd")
    assert tendd.tend("awake", "off").returncode == 0
    tendd.until(lambda: power.phase() == "warned", "the warning again")
    assert tendd.tend("awake", "--json").returncode == 0
    tendd.until(lambda: power.why() == "tend awake", "two hours")
    assert tendd.tend("awake", "soon").returncode == 2
    assert not power.acted.exists()


def test_somebody_comes_back_after_the_warning(tendd, power):
    power.used.unlink()
    tendd.configure(power.idle(warn="1h")).start()
    tendd.until(lambda: power.phase() == "warned", "the warning")
    power.used.write_text("")
    tendd.until(lambda: power.phase() == "watching", "the end of the warning")
    assert power.told("called off: command:test -e")
    assert not power.acted.exists()


def test_somebody_comes_while_services_stop(tendd, power):
    """Services begin again, and nothing was done."""
    stop = "[service a]\nnetwork = no\nshell = yes\nstop_timeout = 1m\ncommand = trap 'touch %s; exit 0' TERM; echo armed; while :; do sleep 0.1; done\n" % power.used
    power.used.unlink()
    tendd.configure(stop + power.idle()).start()
    tendd.until(lambda: power.told("called off"), "the last look")
    tendd.until_state("service:a", "ready")
    assert power.phase() == "watching" and not power.acted.exists()


def test_dry_run_only_says_it(tendd, power):
    power.used.unlink()
    hook = tendd.root / "hook"
    notify = "[notify n]\non = idle\ncommand = sh -c 'echo \"$TEND_EVENT $TEND_EVENT_TEXT\" >> %s'\n" % hook
    tendd.configure(power.service() + power.idle(dry_run="yes") + notify).start()
    tendd.until(lambda: len(power.events()) >= 2, "it twice")
    assert all(text.startswith("dry run: nobody uses this machine; 'sh -c") for text in power.events())
    tendd.until(lambda: "idle dry run: nobody" in hook.read_text(), "the notification")
    assert not power.acted.exists() and tendd.unit("service:a")["state"] == "ready"


@pytest.mark.parametrize("force", ["no", "yes"])
def test_what_cannot_be_stored_holds_it(tendd, power, force):
    """The remote is away: called off, and tried again after another window; with force it goes on."""
    power.used.unlink()
    tendd.configure(power.folder() + power.idle(warn="1h", force=force), tend="shutdown_timeout = 1s\n").start()
    tendd.until_idle("data")
    tendd.until(lambda: power.phase() == "warned", "the warning")
    away = tendd.root / "away"
    (tendd.root / "remote").rename(away)
    (tendd.root / "remote").write_text("no folder")
    (power.data / "new").write_text("new\n")
    tendd.configure(power.folder() + power.idle(force=force), tend="shutdown_timeout = 1s\n")
    assert tendd.reload().status == 200
    if force == "yes":
        tendd.until(power.acted.exists, "the act")
    else:
        tendd.until(lambda: power.told("called off: the remote folder"), "the failure")
        assert not power.acted.exists()


def test_nobody_answers(tendd, power):
    """What waits for a remote that is not there holds it, however long."""
    power.used.unlink()
    remote = "[remote cloud]\ntype = webdav\nurl = http://127.0.0.1:9/\n"
    folder = "[folder data]\npath = %s\nremote = cloud:data\n" % power.data
    (power.data / "new").write_text("new\n")
    tendd.configure(remote + folder + power.idle(), tend="shutdown_timeout = 1s\n").start()
    tendd.until(lambda: power.told("called off: not all could be stored"), "the failure")
    assert not power.acted.exists()
    # In the list of signals it is not even tried.
    tendd.configure(remote + folder + power.idle(active="sync"), tend="shutdown_timeout = 1s\n")
    assert tendd.reload().status == 200
    tendd.until(lambda: power.why().startswith("sync: folder:data: "), "the signal")


def test_an_act_that_fails_starts_services_again(tendd, power):
    power.used.unlink()
    tendd.configure(power.service() + power.idle(action="false")).start()
    tendd.until(lambda: power.phase() == "gave up", "the failure")
    assert power.told("did not end this machine: it ended with exit code 1")
    tendd.until_state("service:a", "ready")
    assert tendd.reload().status == 200
    power.used.write_text("")
    tendd.configure(power.service() + power.idle(action="true"))
    tendd.reload()
    tendd.until(lambda: power.phase() == "watching", "a new try after a reload")


def test_a_command_that_fails_counts_as_use(tendd, power):
    tendd.configure(power.idle(active="command:/no/such/program")).start()
    tendd.until(lambda: "counts as in use" in power.why(), "unknown")
    assert tendd.get("/v1/awake")["signals"][0]["state"] == "unknown" and not power.acted.exists()


def test_a_step_holds_it_whatever_is_written(tendd, power):
    power.used.unlink()
    gate = tendd.root / "gate"
    step = "[step long]\nrun = while ! test -e %s; do sleep 0.1; done\n" % gate
    tendd.configure(step + power.idle()).start()
    tendd.until(lambda: power.why() == "a step is at work, or will be: step:long", "the step")
    assert not power.acted.exists()
    gate.write_text("")
    tendd.until(power.acted.exists, "the act")


def test_a_service_keeps_it_up(tendd, power):
    task = "[service train]\nnetwork = no\nrestart = on-failure\ncommand = sh -c 'while test -e %s; do sleep 0.1; done'\n" % power.used
    tendd.configure(task + power.idle(active="service:train")).start()
    tendd.until(lambda: power.why().startswith("service:train: service:train: up"), "the task")
    assert not power.acted.exists()
    power.used.unlink()
    tendd.until(power.acted.exists, "the act")


def test_a_busy_pane_of_tmux_keeps_it_up(tendd, power):
    """A real tmux, detached, with a job that computes; a shell that waits in it is nothing."""
    socket = str(tendd.root / "tmux")
    tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
    script = "while test -e %s; do :; done; sleep 1000" % power.used
    subprocess.run([*tmux, "new-session", "-d", "-s", "work", "sh"], check=True, stdin=subprocess.DEVNULL)
    try:
        subprocess.run([*tmux, "send-keys", "-t", "work", "python3 -c 'import os\nwhile os.path.exists(\"%s\"): pass'" % power.used,
                        "Enter"], check=True)
        tendd.configure(power.idle(active="tmux", warn="1h")).start()
        tendd.until(lambda: power.why().startswith("tmux: 'python3' works in a pane"), "the pane: " + script)
        assert not power.acted.exists()
        power.used.unlink()
        tendd.until(lambda: tendd.get("/v1/awake")["signals"][0]["state"] == "idle", "an idle pane")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, stdin=subprocess.DEVNULL)


def test_a_stop_in_the_middle(tendd, power):
    """A person's stop goes before ours: everything ends in order, and nothing acts."""
    power.used.unlink()
    slow = "[service a]\nnetwork = no\nshell = yes\nstop_timeout = 1m\ncommand = trap 'touch %s; sleep 1; exit 0' TERM; echo armed; while :; do sleep 0.1; done\n" % (
        tendd.root / "stopping")
    tendd.configure(power.folder() + slow + power.idle()).start()
    tendd.until((tendd.root / "stopping").exists, "the stop of services")
    assert tendd.stop() == 0
    assert not power.acted.exists()


def test_without_a_section_nothing_is_looked_at(tendd):
    tendd.configure("").start()
    assert tendd.get("/v1/status")["idle"] is None
    assert "there is no [idle]" in tendd.tend("why-awake").stdout
    assert "there is no [idle]" in tendd.tend("awake", "1h").stderr


@pytest.mark.parametrize("text, says", [
    ("active = sssh\n", "'sssh' is no signal"),
    ("active = cpu>many\n", "write a percentage"),
    ("active = net>fast\n", "write bytes a second"),
    ("active = ssh>3\n", "'ssh>3' is no signal"),
    ("active = service:\n", "'service:' is no signal"),
    ("active = command:'a\n", "quote"),
    ("action = ''\n", "the command is empty"),
    ("stop_billing = always\n", "stop_billing"),
    ("endpoint = here\n", "is no URL"),
    ("after = 10ms\n", "after"),
    ("active = ssh service:no\n", "tend.ini:7: unknown unit 'service:no'"),
])
def test_bad_keys(tendd, text, says):
    got = tendd.configure("[idle]\n" + text).run_to_end("--check")
    assert got.returncode == 2 and says in got.stderr, got.stderr
