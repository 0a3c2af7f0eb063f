#!/usr/bin/python3
"""A tree of 1,000,000 files in 10,000 folders: a start with nothing changed against find and rclone sync, one changed file while
watching against a pass of rclone, and what tendd keeps resident after its first sync against rclone's peak."""

import contextlib
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import Daemon, make_files, room, say, timed

CHANGES = 50  # one change costs less than a reading can tell
STARTS = 3
PER_FOLDER = 100
SETTLE_MS = 1000  # as the default

WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


@contextlib.contextmanager
def enough_watches(folders):
    """A machine of little memory allows few; put back afterwards."""
    before = WATCHES.read_text()
    if int(before) < 2 * folders:
        WATCHES.write_text("%d\n" % (2 * folders))
    try:
        yield
    finally:
        WATCHES.write_text(before)


def start_once(daemon):
    """From exec until a barrier is through: the scan is done and nothing is left to do."""
    begun = time.monotonic()
    daemon.start()
    daemon.durable()
    return time.monotonic() - begun, daemon.cpu_seconds()


def latency_ms(victim, stored, content):
    """How long until the store holds it, by itself."""
    begun = time.monotonic()
    victim.write_text(content)
    while not stored.exists() or stored.read_text() != content:
        time.sleep(0.001)
    return (time.monotonic() - begun) * 1000


def main(count):
    base = room()
    try:
        with enough_watches(count // PER_FOLDER):
            measure(base, count)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def measure(base, count):
    source = base / "source"
    make_files(source, count, 0, 0, per_folder=PER_FOLDER)  # empty: two trees of them must fit in memory
    (base / "cloud").mkdir()
    daemon = Daemon(
        base / "tend",
        "[remote cloud]\ntype = directory\npath = %s/cloud\n[folder all]\npath = %s\nremote = cloud:\n" % (base, source),
    )
    begun = time.monotonic()
    daemon.start()
    daemon.durable()
    first = time.monotonic() - begun
    first_cpu = daemon.cpu_seconds()
    resident, peak = daemon.resident_bytes(), daemon.peak_bytes()
    log_bytes = sum(path.stat().st_size for path in (base / "tend/state").rglob("*-wal"))

    victim = source / "d0000/f000000"
    before = daemon.cpu_seconds()
    for i in range(CHANGES):
        victim.write_text("changed %d\n" % i)
        daemon.durable()
    change = (daemon.cpu_seconds() - before) / CHANGES
    late = [latency_ms(victim, base / "cloud/d0000/f000000", "late %d\n" % i) for i in range(11)]
    daemon.stop()

    find = ["find", str(source), "-printf", "%s %T@\\n"]
    sync = ["rclone", "sync", "--config", "/dev/null", "--exclude", "/.tend/**", str(source), str(base / "cloud")]
    starts, finds, syncs = [], [], []
    for _ in range(STARTS):
        starts.append(start_once(daemon))
        daemon.stop()
        finds.append(timed(find))
        syncs.append(timed(sync))
    rclone_peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of the largest child: rclone

    def middle(runs, at):
        return statistics.median(run[at] for run in runs)

    say("tree", "start with nothing changed, wall", "s", middle(starts, 0), middle(finds, 0), "find -printf", 3, files=count)
    say("tree", "start with nothing changed, wall", "s", middle(starts, 0), middle(syncs, 0), "rclone sync", 0.5, files=count)
    say("tree", "start with nothing changed, cpu", "s", middle(starts, 1), middle(finds, 1), "find -printf", 3, files=count)
    say("tree", "start with nothing changed, cpu", "s", middle(starts, 1), middle(syncs, 1), "rclone sync", 0.5, files=count)
    say("tree", "one change, cpu", "s", change, middle(syncs, 1), "rclone sync", 0.001, files=count)
    say("tree", "one change, until the remote holds it", "ms", statistics.median(late), SETTLE_MS + 100, "settle + 100 ms", 1.0)
    say("tree", "resident after the first sync", "bytes", resident, 32 << 20, "32 MiB", 1.0, files=count, peak=peak)
    say("tree", "resident after the first sync", "bytes", resident, rclone_peak, "rclone's peak", 0.5, files=count,
        first_sync_s=round(first, 1), first_sync_cpu_s=round(first_cpu, 1), index_log_bytes=log_bytes)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000000)
