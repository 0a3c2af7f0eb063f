"""The real programs for tests: one tendd on a folder of its own, spoken to over its socket.

Nothing here sleeps for a fixed time: `until` waits for what a test says, and ends with all that is known when it does not come.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE = 60.0  # seconds: generous, since sanitizers and a loaded machine are slow


def bin_folder():
    return Path(os.environ["TEND_BIN"])


def until(holds, what="the condition", patience=PATIENCE, say=lambda: ""):
    """Waits for `holds()` to give something true, and returns it. An exception of a try counts as "not yet"."""
    end = time.monotonic() + patience
    pause = 0.005
    last = None
    while True:
        try:
            result = holds()
            if result:
                return result
            last = result
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError("%s did not come in %g s (last: %r)\n%s" % (what, patience, last, say()))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=PATIENCE):
        super().__init__("tend", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def peer_pid(path):
    """Who listens on this socket; None: nobody."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
        except OSError:
            return None
        return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def is_alive(pid):
    try:
        return Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def session(leader):
    """The living processes of its session, without itself."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if entry.name.isdigit() and int(entry.name) != leader and is_alive(int(entry.name)) and \
                    int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3]) == leader:
                found.append(int(entry.name))
    return found


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body

    def __getitem__(self, key):
        return self.body[key]

    def __repr__(self):
        return "%d %r" % (self.status, self.body)


class Tendd:
    """A folder `root` with tend.ini, state, run and logs, and the daemon on it.

    The folder's name is short: a socket's path is.
    """

    def __init__(self, root=None, environment=None):
        self.owns_root = root is None
        self.root = Path(root or tempfile.mkdtemp(prefix="tend-", dir="/tmp"))
        self.ini = self.root / "tend.ini"
        self.state = self.root / "state"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.socket = self.run / "tend.sock"
        self.keeper_socket = self.run / "keeper.sock"
        self.stderr_path = self.root / "stderr"
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # ---- configuration ----

    def configure(self, text, tend=""):
        """Writes tend.ini: `tend` goes into [tend], beside the folders; `text` is the rest."""
        head = "[tend]\nstate_dir = %s\nruntime_dir = %s\nlog_dir = %s\n" % (self.state, self.run, self.logs)
        new = self.root / "tend.ini.new"
        new.write_text(head + tend.rstrip("\n") + "\n" + text)
        new.rename(self.ini)
        return self

    def folder(self, name):
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    # ---- the daemon ----

    def command(self, *arguments):
        return [str(bin_folder() / "tendd"), "-c", str(self.ini), *map(str, arguments)]

    def start(self, wait=True):
        assert self.process is None or self.process.poll() is not None
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, env=self.environment,
                start_new_session=True)
        if wait:
            self.until(self.answers, "an answer of tendd")
        return self

    def answers(self):
        assert self.process.poll() is None, "tendd ended with %d\n%s" % (self.process.returncode, self.said)
        return peer_pid(self.socket) == self.process.pid and self.get("/v1/status").status == 200

    def run_to_end(self, *arguments, timeout=PATIENCE):
        """Runs tendd until it ends by itself: for --check and bad input."""
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=self.environment, timeout=timeout)

    @property
    def pid(self):
        return self.process.pid

    @property
    def said(self):
        """All that the daemons of this folder wrote so far."""
        try:
            return self.stderr_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def send_signal(self, signum):
        self.process.send_signal(signum)

    def wait(self, patience=PATIENCE):
        """The exit code, when the daemon has ended."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError("tendd did not end\n" + self.said) from None

    def stop(self, signum=signal.SIGTERM, patience=PATIENCE):
        self.send_signal(signum)
        return self.wait(patience)

    def kill(self):
        """kill -9: what a crash or a power cut of the process leaves."""
        self.process.kill()
        self.process.wait()

    def keeper_pid(self):
        return peer_pid(self.keeper_socket)

    def keepers(self):
        """Pids of keepers on this folder, also of one that does not listen yet."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if entry.name.isdigit() and words[0].endswith(b"/tend-keeper") and bytes(self.keeper_socket) in words:
                found.append(int(entry.name))
        return found

    def close(self):
        """Ends everything, also what a failed test left; a tendd that still runs as one that hands its services over, whose end is judged
        by the sanitizers and by what it leaves open."""
        try:
            if self.process and self.process.poll() is None:
                self.end()
        finally:
            self.clear()

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        try:
            status = self.stop(signal.SIGQUIT)
        finally:
            if self.process.poll() is None:
                self.kill()
        assert status == 0, "tendd ended with %d\n%s" % (status, self.said[-8000:])

    def clear(self):
        try:
            for keeper in self.keepers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(keeper, signal.SIGTERM)  # once: all its services go with it
                until(lambda pid=keeper: not is_alive(pid), "the end of the keeper")
            if self.process:
                until(lambda: not session(self.process.pid), "the end of what tendd started",
                      say=lambda: str([Path("/proc/%d/cmdline" % pid).read_bytes() for pid in session(self.process.pid)]))
            with contextlib.suppress(OSError):
                said = (self.logs / "keeper.log").read_text(errors="replace")
                assert "Sanitizer" not in said and "runtime error" not in said, said[-8000:]
        finally:
            if self.owns_root:
                shutil.rmtree(self.root, ignore_errors=True)

    # ---- the API ----

    def request(self, method, path, body=None, timeout=PATIENCE):
        connection = UnixConnection(self.socket, timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text)
            answer = connection.getresponse()
            raw = answer.read()
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return Answer(answer.status, json.loads(raw) if is_json else raw)
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, {} if body is None else body, **options)

    def unit(self, name):
        return self.get("/v1/units/" + name)["unit"]

    def folder_part(self, name):
        return self.unit("folder:" + name)["folder"]

    def service_part(self, name):
        return self.unit("service:" + name)["service"]

    def until(self, holds, what="the condition", patience=PATIENCE):
        return until(holds, what, patience, say=lambda: self.said[-8000:])

    def until_state(self, unit, *states):
        """Waits until the unit is in one of these states; returns it."""
        def holds():
            found = self.unit(unit)
            return found if found["state"] in states else None
        return self.until(holds, "%s %s" % (unit, " or ".join(states)))

    def until_armed(self, *services):
        """Waits until these have printed "armed": a shell that has just been started has set no trap yet."""
        logs = [self.logs / (name + ".log") for name in services]
        self.until(lambda: all(log.exists() and "armed" in log.read_text() for log in logs), "traps of services")

    def until_idle(self, name, patience=PATIENCE):
        """Waits until nothing is left to send for a folder; returns its part of the status."""
        def holds():
            part = self.folder_part(name)
            return part if part["state"] == "idle" and part["pending"] == 0 else None
        return self.until(holds, "folder %s idle" % name, patience)

    def barrier(self, *folders, patience=PATIENCE):
        """What `tend wait` does: True when all that was written before is durable."""
        marks = self.post("/v1/wait", {"folders": list(folders)})["marks"]
        answer = self.post("/v1/wait", {"marks": marks}, timeout=patience)
        assert answer["done"], answer
        return True

    def reload(self, dry_run=False):
        return self.post("/v1/reload", {"dry_run": dry_run})

    def tend(self, *arguments, timeout=PATIENCE, **options):
        """Runs the command against this daemon."""
        return subprocess.run([str(bin_folder() / "tend"), "-c", str(self.ini), *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.environment,
                              timeout=timeout, **options)


class Stream:
    """An answer that goes on: server-sent events, or a log."""

    def __init__(self, tendd, path, headers=None):
        self.connection = UnixConnection(tendd.socket)
        self.connection.request("GET", path, headers=headers or {})
        self.answer = self.connection.getresponse()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def line(self):
        return self.answer.readline().decode().rstrip("\n")

    def event(self):
        """The next event as (id, name, body); heartbeats are passed over."""
        fields = {}
        while True:
            line = self.line()
            if line.startswith(":"):
                continue
            if not line and "data" in fields:
                return fields.get("id"), fields.get("event"), json.loads(fields["data"])
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value

    def close(self):
        self.answer.close()
        self.connection.close()
