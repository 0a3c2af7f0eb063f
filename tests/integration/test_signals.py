"""What signals mean to tendd, and what it tells systemd meanwhile."""

import json
import os
import signal
import socket
import threading
import time

import pytest

from tend import is_alive, until

SLEEP = "[service sleep]\ncommand = sleep 1000\nnetwork = no\n"


def sync_ini(tendd, settle="100ms"):
    tendd.folder("data")
    tendd.folder("remote")
    return ("[remote disk]\ntype = directory\npath = %s/remote\n"
            "[folder data]\npath = %s/data\nremote = disk:data\nsettle = %s\nmax_settle = 1h\n"
            % (tendd.root, tendd.root, settle))


def pid_of(tendd, name="sleep"):
    return tendd.service_part(name)["pid"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_orderly_stop(tendd, signum):
    """Services end first and what they write then is flushed too, although nothing has settled."""
    tendd.configure(sync_ini(tendd, settle="1h") +
                    "[service writer]\nnetwork = no\nshell = yes\n"
                    "command = trap 'echo last words > %s/data/last; exit 0' TERM; echo armed; while :; do sleep 0.05; done\n"
                    % tendd.root).start()
    tendd.until_idle("data")
    tendd.until_state("service:writer", "ready")
    tendd.until_armed("writer")
    pid, keeper = pid_of(tendd, "writer"), tendd.keeper_pid()
    (tendd.root / "data" / "file").write_text("written just before")
    assert tendd.stop(signum) == 0
    assert not is_alive(pid)
    assert (tendd.root / "remote" / "data" / "file").read_text() == "written just before"
    assert (tendd.root / "remote" / "data" / "last").read_text() == "last words\n"
    assert not tendd.socket.exists()
    until(lambda: not is_alive(keeper), "the end of the keeper")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_second_one_ends_at_once(tendd, signum):
    tendd.configure("[service stubborn]\ncommand = trap '' TERM; echo armed; while :; do sleep 0.1; done\nshell = yes\n"
                    "network = no\nstop_timeout = 1h\n", tend="shutdown_timeout = 1h").start()
    tendd.until_state("service:stubborn", "ready")
    tendd.until_armed("stubborn")
    tendd.send_signal(signum)
    tendd.until(lambda: tendd.get("/v1/status")["state"] == "stopping", "the stop")
    tendd.send_signal(signum)
    tendd.wait()
    assert "at once" in tendd.said


def test_quit_leaves_everything(tendd):
    tendd.configure(sync_ini(tendd, settle="1h") + SLEEP).start()
    tendd.until_idle("data")
    tendd.until_state("service:sleep", "ready")
    pid = pid_of(tendd)
    (tendd.root / "data" / "file").write_text("not settled")
    assert tendd.stop(signal.SIGQUIT) == 0
    assert is_alive(pid)
    assert not (tendd.root / "remote" / "data" / "file").exists()
    tendd.start()
    tendd.until_state("service:sleep", "ready")
    assert pid_of(tendd) == pid
    tendd.barrier("data")
    assert (tendd.root / "remote" / "data" / "file").exists()


def test_on_stop_keep(tendd):
    tendd.configure(sync_ini(tendd, settle="1h") + SLEEP, tend="on_stop = keep").start()
    tendd.until_idle("data")
    tendd.until_state("service:sleep", "ready")
    pid = pid_of(tendd)
    (tendd.root / "data" / "file").write_text("x")
    assert tendd.stop() == 0
    assert is_alive(pid)
    assert (tendd.root / "remote" / "data" / "file").exists()
    tendd.start()
    tendd.until_state("service:sleep", "ready")
    assert pid_of(tendd) == pid


def test_hup(tendd):
    tendd.configure(SLEEP).start()
    tendd.until_state("service:sleep", "ready")
    pid = pid_of(tendd)
    tendd.configure(SLEEP + "[service more]\ncommand = sleep 1000\nnetwork = no\n")
    tendd.send_signal(signal.SIGHUP)
    tendd.until_state("service:more", "ready")
    assert pid_of(tendd) == pid


def test_hup_with_a_bad_configuration(tendd):
    tendd.configure(SLEEP).start()
    tendd.until_state("service:sleep", "ready")
    pid = pid_of(tendd)
    tendd.configure(SLEEP + "bogus = 1\n")
    tendd.send_signal(signal.SIGHUP)
    error = tendd.until(lambda: tendd.get("/v1/status")["configuration"]["error"], "the error in status")
    assert "unknown key 'bogus'" in error and error.startswith("%s:" % tendd.ini)
    assert error in tendd.said
    assert pid_of(tendd) == pid
    tendd.configure(SLEEP)
    tendd.send_signal(signal.SIGHUP)
    tendd.until(lambda: tendd.get("/v1/status")["configuration"]["error"] is None, "the end of the error")
    assert pid_of(tendd) == pid


def test_hup_reopens_logs(tendd):
    tendd.configure("[service talk]\ncommand = while :; do echo tick; sleep 0.05; done\nshell = yes\nnetwork = no\n")
    tendd.start()
    log = tendd.logs / "talk.log"
    tendd.until(lambda: "tick" in log.read_text(), "a line")
    log.rename(tendd.logs / "moved")
    tendd.send_signal(signal.SIGHUP)
    tendd.until(lambda: "tick" in log.read_text(), "a line in the new file")


def test_usr1(tendd):
    tendd.configure(sync_ini(tendd)).start()
    scans = tendd.until_idle("data")["scans"]
    tendd.send_signal(signal.SIGUSR1)
    tendd.until(lambda: tendd.folder_part("data")["scans"] > scans, "a scan")


def test_usr2(tendd):
    tendd.configure(sync_ini(tendd) + SLEEP).start()
    tendd.until_idle("data")
    path = tendd.state / "status.json"
    tendd.send_signal(signal.SIGUSR2)
    tendd.until(path.exists, "status.json")
    status = json.loads(path.read_text())
    assert status["pid"] == tendd.pid
    assert {"folder:data", "service:sleep"} <= {unit["unit"] for unit in status["units"]}
    assert path.stat().st_mode & 0o077 == 0
    tendd.until(lambda: "folder:data is ready" in tendd.said, "the log")


# ---- stops that take long ----

def test_stop_that_does_not_move_is_given_up(tendd):
    tendd.configure(sync_ini(tendd, settle="1h"), tend="shutdown_timeout = 2s").start()
    tendd.until_idle("data")
    os.rename(tendd.root / "remote", tendd.root / "away")
    (tendd.root / "data" / "file").write_text("x")
    assert tendd.stop() == 1
    assert "giving up" in tendd.said
    # What was not sent is sent by the next one.
    os.rename(tendd.root / "away", tendd.root / "remote")
    tendd.start()
    tendd.barrier("data")
    assert (tendd.root / "remote" / "data" / "file").exists()


def test_remote_that_comes_back_during_a_stop(tendd):
    """Longer than the store tries by itself: the stop goes on until shutdown_timeout."""
    tendd.configure(sync_ini(tendd, settle="1h")).start()
    tendd.until_idle("data")
    os.rename(tendd.root / "remote", tendd.root / "away")
    (tendd.root / "data" / "file").write_text("x")
    tendd.send_signal(signal.SIGTERM)
    tendd.until(lambda: "warn folder 'data'" in tendd.said, "the folder's complaint")
    os.rename(tendd.root / "away", tendd.root / "remote")
    assert tendd.wait() == 0
    assert (tendd.root / "remote" / "data" / "file").exists()


def chain(count, seconds):
    """Services that need `seconds` each to end, one after the other."""
    text = ""
    for i in range(count):
        text += ("[service s%d]\nnetwork = no\nshell = yes\nstop_timeout = 30s\n"
                 "command = trap 'sleep %g; exit 0' TERM; echo armed; while :; do sleep 0.05; done\n"
                 % (i, seconds))
        if i:
            text += "after = service:s%d\n" % (i - 1)
    return text


def test_stop_that_moves_goes_on(tendd):
    """In all it takes longer than shutdown_timeout, but something ends all the time."""
    tendd.configure(chain(5, 1.5), tend="shutdown_timeout = 6s").start()
    tendd.until_state("service:s4", "ready")
    tendd.until_armed("s0", "s1", "s2", "s3", "s4")
    began = time.monotonic()
    assert tendd.stop() == 0
    assert time.monotonic() - began > 6  # else this showed nothing
    assert "giving up" not in tendd.said


# ---- systemd ----

class Manager:
    """The notify socket of a systemd that is not there."""

    def __init__(self, tendd):
        self.path = tendd.root / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.messages = []
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        tendd.environment["NOTIFY_SOCKET"] = str(self.path)

    def listen(self):
        while True:
            try:
                self.messages += self.socket.recv(4096).decode().splitlines()
            except OSError:
                return

    def has(self, message, count=1):
        return sum(m.startswith(message) for m in self.messages) >= count

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(tendd):
    manager = Manager(tendd)
    yield manager
    manager.close()


def test_notifications(tendd, manager):
    tendd.environment.update(WATCHDOG_USEC="200000", INVOCATION_ID="i", CREDENTIALS_DIRECTORY="/x")
    tendd.configure(SLEEP).start()
    tendd.until(lambda: manager.has("READY=1"), "READY")
    tendd.until(lambda: manager.has("WATCHDOG=1", 3), "the watchdog")
    tendd.reload()
    tendd.until(lambda: manager.has("RELOADING=1") and manager.has("MONOTONIC_USEC="), "RELOADING")
    tendd.until(lambda: manager.has("READY=1", 2), "READY after the reload")
    tendd.until_state("service:sleep", "ready")
    # Nothing of it reaches a service, nor the keeper that tendd started: it would speak as if it were the unit.
    for pid in pid_of(tendd), tendd.keeper_pid():
        with open("/proc/%d/environ" % pid) as environ:
            names = {entry.split("=")[0] for entry in environ.read().split("\0")}
        assert not names & {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "CREDENTIALS_DIRECTORY"}
    assert tendd.stop() == 0
    assert manager.has("STOPPING=1")
    tendd.until(lambda: not tendd.keepers(), "the end of the keeper, which nobody needs any more")


def test_time_is_asked_for_while_something_moves(tendd, manager):
    tendd.configure(chain(5, 1.5), tend="shutdown_timeout = 6s").start()
    tendd.until_state("service:s4", "ready")
    tendd.until_armed("s0", "s1", "s2", "s3", "s4")
    assert tendd.stop() == 0
    assert manager.has("EXTEND_TIMEOUT_USEC=", 3)
    assert manager.has("STATUS=stopping: ")


def test_no_time_is_asked_for_while_nothing_moves(tendd, manager):
    tendd.configure(sync_ini(tendd, settle="1h"), tend="shutdown_timeout = 6s").start()
    tendd.until_idle("data")
    os.rename(tendd.root / "remote", tendd.root / "away")
    (tendd.root / "data" / "file").write_text("x")
    assert tendd.stop() == 1
    # Once at the beginning, once when the file was found: not every second.
    assert not manager.has("EXTEND_TIMEOUT_USEC=", 3)


@pytest.mark.parametrize("job, kept", [("restart", True), ("stop", False)])
def test_restart_by_systemd_keeps_services(tendd, manager, job, kept):
    tools = tendd.folder("tools")
    (tools / "systemctl").write_text("#!/bin/sh\ncase \"$*\" in *list-jobs*) echo 123 tend.service %s running;; esac\n"
                                     % job)
    (tools / "systemctl").chmod(0o755)
    tendd.environment["PATH"] = "%s:%s" % (tools, os.environ["PATH"])
    tendd.configure(SLEEP).start()
    tendd.until_state("service:sleep", "ready")
    pid = pid_of(tendd)
    assert tendd.stop() == 0
    assert is_alive(pid) == kept
