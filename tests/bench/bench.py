"""What the benches share: the release build, a daemon whose CPU and memory are read from /proc, peers, and the JSON line.

Figures are of one run on one machine, tend and its peer in turn; the ratio is what counts.
"""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
BIN = Path(os.environ.get("TEND_BIN", ROOT / "build/release/bin"))
os.environ["TEND_BIN"] = str(BIN)

# rclone's S3 of Debian fails at once with this in its environment.
os.environ.pop("AWS_CA_BUNDLE", None)


def room():
    """A folder in memory: disks differ, and none is measured here."""
    base = Path(os.environ.get("TEND_BENCH_DIR", "/dev/shm")) / ("tend-bench-%d" % os.getpid())
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    return base


@contextlib.contextmanager
def served(base, kind):
    """A server of one's own, by its start script, for the stores of the tests: what was sent to another is neither in its memory nor on
    its disk."""
    os.environ["TEND_SERVERS"] = str(base)
    script = "start-" + kind.removeprefix("s3_").replace("_", "-")
    subprocess.run([ROOT / "tests/support" / script, base / kind], check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / kind], check=True)


def make_files(folder, count, smallest, largest, per_folder=1000, seed=1):
    chosen = random.Random(seed)
    block = os.urandom(1 << 20)
    for i in range(count):
        if i % per_folder == 0:
            where = folder / ("d%04d" % (i // per_folder))
            where.mkdir(parents=True)
        size = chosen.randint(smallest, largest)
        at = chosen.randrange(len(block) - size)
        (where / ("f%06d" % i)).write_bytes(block[at : at + size])


def make_large(folder, size):
    folder.mkdir(parents=True)
    block = os.urandom(1 << 20)
    with open(folder / "large", "wb") as file:
        for _ in range(size >> 20):
            file.write(block)


class Daemon:
    """tendd in the foreground on an ini of its own."""

    def __init__(self, base, ini, tracer=()):
        self.base = base
        self.tracer = tracer
        base.mkdir(parents=True, exist_ok=True)
        self.ini = base / "tend.ini"
        self.ini.write_text(
            "[tend]\nstate_dir = %s/state\nruntime_dir = %s/run\nlog_dir = %s/log\n%s" % (base, base, base, ini)
        )
        os.chmod(self.ini, 0o600)
        self.process = None

    def start(self):
        self.log = open(self.base / "tendd.log", "ab")
        self.process = subprocess.Popen(
            [*self.tracer, BIN / "tendd", "-c", self.ini], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL
        )

    def tend(self, *words):
        return subprocess.run([BIN / "tend", "-c", self.ini, *words], capture_output=True, text=True)

    def durable(self, seconds=3600):
        """Waits until the daemon answers, and until all is in the store."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done = self.tend("wait", "--timeout", "3600s")
            if done.returncode == 0:
                return
            if done.returncode != 3:
                raise SystemExit("tend wait: exit %d: %s%s" % (done.returncode, done.stdout, done.stderr))
            if self.process.poll() is not None:
                raise SystemExit("tendd ended: %s" % (self.base / "tendd.log").read_text())
            time.sleep(0.02)
        raise SystemExit("tend wait: no end in sight")

    def cpu_seconds(self):
        """Of all its threads, in nanoseconds' resolution."""
        total = 0
        for task in Path("/proc/%d/task" % self.process.pid).iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def status_bytes(self, name):
        for line in Path("/proc/%d/status" % self.process.pid).read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        return 0

    def resident_bytes(self):
        return self.status_bytes("VmRSS")

    def peak_bytes(self):
        return self.status_bytes("VmHWM")

    def keeper(self):
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/tend-keeper") and str(self.base).encode() in words[1]:
                return int(entry.name)
        raise SystemExit("no keeper")

    def drop(self):
        """Ends it with nothing stored that was not: no flush."""
        self.process.kill()
        self.process.wait()
        os.kill(self.keeper(), signal.SIGKILL)

    def stop(self):
        """CPU seconds of all its life, with those of its children."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.process.terminate()
        self.process.wait(120)
        self.log.close()
        return cpu_since(before)


def cpu_since(before):
    """Of the children that ended since."""
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tend_once(base, ini, tracer=()):
    """From nothing to all in the store: wall and CPU seconds, and the most that tendd kept resident."""
    shutil.rmtree(base, ignore_errors=True)
    daemon = Daemon(base, ini, tracer)
    start = time.monotonic()
    daemon.start()
    daemon.durable()
    wall, peak = time.monotonic() - start, daemon.peak_bytes()
    return wall, daemon.stop(), peak


def timed(command, **options):
    """Wall and CPU seconds of a command and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, **options)
    wall = time.monotonic() - start
    if done.returncode != 0:
        raise SystemExit("%s: exit %d: %s" % (command[0], done.returncode, done.stderr[-2000:]))
    return wall, cpu_since(before)


def middle(runs, at):
    """Of one figure of several runs."""
    return statistics.median(run[at] for run in runs)


def best(rounds, at):
    """Of a peer that ran in each round with each of its settings: the one that is best for this figure, in the middle of its runs."""
    return min(middle(runs, at) for runs in zip(*rounds))


def say(bench, figure, unit, tend, peer, peer_name, target, **more):
    """One line: `ratio` is tend over peer, and passes at or below `target`."""
    ratio = tend / peer if peer else 0
    print(
        json.dumps(
            {
                "bench": bench,
                "figure": figure,
                "unit": unit,
                "tend": round(tend, 6),
                "peer": round(peer, 6),
                "peer_name": peer_name,
                "ratio": round(ratio, 6),
                "target": target,
                "met": ratio <= target,
                "load": round(os.getloadavg()[0], 1),
                **more,
            }
        ),
        flush=True,
    )
