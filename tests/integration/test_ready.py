"""When a service is ready, and whether it is still alive: with a real server that does as a file says."""

import os
import pwd
import signal
import socket
import sys

import pytest

from tend import is_alive, until

# Listens once `listen` is there, answers what `status` says, hangs while `hang` is there, and writes that it is up once `say` is there.
SERVER = r"""
import os, socket, sys, time
root, port = sys.argv[1], int(sys.argv[2])
def there(name):
    return os.path.exists(os.path.join(root, name))
while not there("listen"):
    time.sleep(0.01)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", port))
server.listen(50)
server.settimeout(0.05)
said = False
while True:
    if there("say") and not said:
        said = True
        print("the server is up", flush=True)
    if not there("listen"):
        server.close()
        while not there("listen"):
            time.sleep(0.01)
        os.execv(sys.executable, [sys.executable] + sys.argv)
    try:
        asked, _ = server.accept()
    except socket.timeout:
        continue
    while there("hang"):
        time.sleep(0.01)
    asked.settimeout(1)
    try:
        asked.recv(65536)
        status = open(os.path.join(root, "status")).read().strip() if there("status") else "200"
        asked.sendall(("HTTP/1.1 %s x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status).encode())
    except OSError:
        pass
    asked.close()
"""


class Server:
    def __init__(self, tendd):
        self.tendd = tendd
        self.root = tendd.folder("server")
        (tendd.root / "server.py").write_text(SERVER)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def section(self, more):
        return ("[service server]\nnetwork = no\ncommand = %s %s %s %d\nrestart_delay = 0s\n%s\n"
                "[service dependent]\nnetwork = no\ncommand = sleep 1000\nrequires = service:server\n"
                % (sys.executable, self.tendd.root / "server.py", self.root, self.port,
                   more.replace("PORT", str(self.port)).replace("ROOT", str(self.root))))

    def start(self, more):
        self.tendd.configure(self.section(more)).start()

    def let(self, *names):
        for name in names:
            (self.root / name).write_text("")

    def stop(self, *names):
        for name in names:
            (self.root / name).unlink()


@pytest.fixture
def server(tendd):
    return Server(tendd)


def detail(tendd):
    return tendd.unit("service:server")["detail"] or ""


KINDS = {
    "tcp": ("tcp:PORT", ["listen"], "nothing listens on port"),
    "tcp address": ("tcp:127.0.0.1:PORT", ["listen"], "nothing listens on port"),
    "http": ("http://127.0.0.1:PORT/api", ["listen"], "cannot connect"),
    "file": ("file:ROOT/made", ["made"], "is not there"),
    "log": ("log:server is up", ["listen", "say"], "log:server is up"),
    "command": ("command:test -e ROOT/made", ["made"], "exits with code 1"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_dependents_wait_until_it_is_ready(tendd, server, kind):
    ready, needs, says = KINDS[kind]
    server.start("ready = %s\n" % ready)
    tendd.until(lambda: says in detail(tendd), "what is missing")
    assert tendd.unit("service:server")["state"] == "starting"
    assert tendd.service_part("dependent")["pid"] is None
    server.let(*needs)
    tendd.until_state("service:server", "ready")
    tendd.until_state("service:dependent", "ready")
    assert tendd.service_part("server")["restarts"] == 0 and not detail(tendd)


def test_a_bad_answer_is_not_ready(tendd, server):
    (server.root / "status").write_text("503")
    server.let("listen")
    server.start("ready = http://127.0.0.1:PORT/\n")
    tendd.until(lambda: "answers 503" in detail(tendd), "the answer")
    (server.root / "status").write_text("302")
    tendd.until_state("service:server", "ready")


def test_what_an_earlier_run_left_does_not_count(tendd, server):
    server.let("made")
    os.utime(server.root / "made", (1, 1))
    server.start("ready = file:ROOT/made\n")
    tendd.until(lambda: "earlier run" in detail(tendd), "the old file")
    server.let("made")
    tendd.until_state("service:server", "ready")
    # The line of the run before is still in the log.
    log = tendd.logs / "server.log"
    server.let("listen", "say")
    tendd.until(lambda: "the server is up" in log.read_text(), "the line")
    server.stop("say")
    tendd.configure(server.section("ready = log:server is up\n"))
    assert tendd.tend("reload").returncode == 0
    tendd.post("/v1/units/service:server/restart")
    tendd.until(lambda: detail(tendd) == "not ready yet: log:server is up", "the new run")
    assert tendd.unit("service:server")["state"] == "starting"
    server.let("say")
    tendd.until_state("service:server", "ready")


def test_not_ready_in_time_is_a_failure(tendd, server):
    server.start("ready = tcp:PORT\nready_timeout = 300ms\ngive_up_after = 2\n")
    tendd.until_state("service:server", "failed")
    assert "not ready within 300ms: nothing listens on port %d" % server.port in detail(tendd)
    assert "gave up after 2 failures" in detail(tendd)
    assert tendd.service_part("server")["pid"] is None
    server.let("listen")
    assert tendd.tend("start", "server").returncode == 0
    tendd.until_state("service:dependent", "ready")


def test_ready_stays_ready_over_a_kill(tendd, server):
    """The next tendd does not probe it from nothing: it listens no longer, and nobody is the worse for it."""
    server.let("listen")
    server.start("ready = tcp:PORT\nready_timeout = 1s\n")
    tendd.until_state("service:dependent", "ready")
    pids = [tendd.service_part(name)["pid"] for name in ("server", "dependent")]
    tendd.kill()
    server.stop("listen")
    tendd.start()
    tendd.until_state("service:server", "ready")
    assert [tendd.service_part(name)["pid"] for name in ("server", "dependent")] == pids


def test_a_start_goes_on_over_a_kill(tendd, server):
    server.start("ready = tcp:PORT\n")
    tendd.until(lambda: "nothing listens" in detail(tendd), "the start")
    pid = tendd.service_part("server")["pid"]
    tendd.kill()
    tendd.start()
    tendd.until(lambda: "nothing listens" in detail(tendd), "the start, gone on with")
    assert tendd.unit("service:server")["state"] == "starting"
    server.let("listen")
    tendd.until_state("service:server", "ready")
    assert tendd.service_part("server")["pid"] == pid


@pytest.mark.parametrize("check, breaks, mends", [
    ("http://127.0.0.1:PORT/", ("status", "500"), "answers 500"),
    ("tcp:PORT", None, "nothing listens"),
    ("command:test ! -e ROOT/broken", ("broken", ""), "exits with code 1"),
])
def test_one_that_does_not_answer_is_restarted(tendd, server, check, breaks, mends):
    server.let("listen")
    server.start("ready = tcp:PORT\ncheck = %s\ncheck_every = 100ms\ncheck_failures = 3\n" % check)
    tendd.until_state("service:dependent", "ready")
    before = tendd.service_part("server")["pid"]
    dependent = tendd.service_part("dependent")["pid"]
    if breaks:
        (server.root / breaks[0]).write_text(breaks[1])
    else:
        server.stop("listen")
    tendd.until(lambda: tendd.service_part("server")["pid"] not in (before, None), "another pid")
    log = tendd.said
    assert "check failed, 3 of 3: " in log and mends in log and "not ready within" not in log
    if breaks:
        (server.root / breaks[0]).unlink()
    else:
        server.let("listen")
    tendd.until_state("service:server", "ready")
    # A failed check of a required service stops nobody (SERVICES.md §3).
    assert tendd.service_part("dependent")["pid"] == dependent


def test_one_failure_is_forgiven(tendd, server):
    server.let("listen")
    (server.root / "status").write_text("500")
    server.start("check = http://127.0.0.1:PORT/\ncheck_every = 100ms\ncheck_failures = 1000\n")
    tendd.until(lambda: "check failed, 2 of 1000" in detail(tendd), "failures")
    assert tendd.unit("service:server")["state"] == "ready"
    (server.root / "status").write_text("204")
    tendd.until(lambda: not detail(tendd), "the end of the trouble")
    assert tendd.service_part("server")["restarts"] == 0


def test_a_check_runs_as_the_service(tendd):
    """With its user, directory and environment."""
    section = ("[service %s]\nnetwork = no\ncommand = sleep 1000\ndirectory = /usr\nenvironment = A=b\nuser = %s\n"
               "ready = command:sh -c 'test \"$(id -un) $A $PWD\" = \"%s b /usr\"'\n")
    me = pwd.getpwuid(os.geteuid()).pw_name
    other = "nobody" if os.geteuid() == 0 else me
    tendd.configure(section % ("mine", me, me) + section % ("other", other, other) +
                    section % ("wrong", me, "somebody")).start()
    tendd.until_state("service:mine", "ready")
    tendd.until_state("service:other", "ready")
    tendd.until(lambda: "exits with code 1" in (tendd.unit("service:wrong")["detail"] or ""), "the answer")
    assert tendd.unit("service:wrong")["state"] == "starting"


def test_nothing_of_a_check_is_left(tendd, server):
    """A command that hangs is ended, with what it started; also by a stop, and by the next tendd after a kill."""
    hang = "command:sh -c 'echo $$ >>ROOT/pids; sleep 1000 & echo $! >>ROOT/pids; wait'"

    def pids():
        path = server.root / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []
    server.start("ready = %s\n" % hang)
    tendd.until(lambda: len(pids()) >= 2, "the command")
    first = pids()
    tendd.until(lambda: "took longer than 5 s" in detail(tendd), "its end")
    tendd.until(lambda: not any(map(is_alive, first)), "nothing of it")
    tendd.until(lambda: len(pids()) >= 4, "the next one")
    second = pids()[2:4]
    tendd.kill()
    assert any(map(is_alive, second))
    tendd.start()
    tendd.until(lambda: not any(map(is_alive, second)), "nothing of it")
    tendd.until(lambda: len(pids()) >= 6, "the third one")
    assert tendd.stop() == 0
    until(lambda: not any(map(is_alive, pids())))


def test_a_reload_looks_for_another_sign(tendd, server):
    server.start("ready = tcp:PORT\n")
    tendd.until(lambda: "nothing listens" in detail(tendd), "the start")
    pid = tendd.service_part("server")["pid"]
    server.let("made")
    tendd.configure(server.section("ready = file:ROOT/made\n"))
    assert tendd.tend("reload").stdout == "service:server live (ready)\n"
    tendd.until_state("service:server", "ready")
    assert tendd.service_part("server")["pid"] == pid


def test_a_stop_in_mid_start(tendd, server):
    server.start("ready = tcp:PORT\n")
    tendd.until(lambda: "nothing listens" in detail(tendd), "the start")
    pid = tendd.service_part("server")["pid"]
    assert tendd.tend("stop", "server").returncode == 0
    assert not is_alive(pid)
    tendd.send_signal(signal.SIGTERM)
    assert tendd.wait() == 0
