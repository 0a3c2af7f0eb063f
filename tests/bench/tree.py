#!/usr/bin/python3
"""A tree of 1,000,000 files in 10,000 folders: a start with nothing changed against find and rclone sync, one changed file while
watching against a pass of rclone, and what tendd keeps resident after its first sync against rclone's peak. And the first scan of such
a tree in two-way mode, where the index knows none of it, against find; and what is resident there once all of it is stored.

usage: tree.py [FILES]
"""

import contextlib
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import Daemon, make_files, middle, room, say, timed

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
        source = base / "source"
        make_files(source, count, 0, 0, per_folder=PER_FOLDER)  # empty: two trees of them must fit in memory
        with enough_watches(count // PER_FOLDER):
            measure(base, source, count)
            shutil.rmtree(base / "cloud")
            measure_two_way(base, source, count)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def find_of(source):
    return ["find", str(source), "-printf", "%s %T@\\n"]


def daemon_of(base, name, source, more=""):
    text = "[remote cloud]\ntype = directory\npath = %s/cloud\n[folder all]\npath = %s\nremote = cloud:\n%s"
    return Daemon(base / name, text % (base, source, more))


def measure(base, source, count):
    (base / "cloud").mkdir()
    daemon = daemon_of(base, "tend", source)
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

    find = find_of(source)
    sync = ["rclone", "sync", "--config", "/dev/null", "--exclude", "/.tend/**", str(source), str(base / "cloud")]
    starts, finds, syncs = [], [], []
    for _ in range(STARTS):
        starts.append(start_once(daemon))
        daemon.stop()
        finds.append(timed(find))
        syncs.append(timed(sync))
    rclone_peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # of the largest child: rclone

    say("tree", "start with nothing changed, wall", "s", middle(starts, 0), middle(finds, 0), "find -printf", 3, files=count)
    say("tree", "start with nothing changed, wall", "s", middle(starts, 0), middle(syncs, 0), "rclone sync", 0.5, files=count)
    say("tree", "start with nothing changed, cpu", "s", middle(starts, 1), middle(finds, 1), "find -printf", 3, files=count)
    say("tree", "start with nothing changed, cpu", "s", middle(starts, 1), middle(syncs, 1), "rclone sync", 0.5, files=count)
    say("tree", "one change, cpu", "s", change, middle(syncs, 1), "rclone sync", 0.001, files=count)
    say("tree", "one change, until the remote holds it", "ms", statistics.median(late), SETTLE_MS + 100, "settle + 100 ms", 1.0)
    say("tree", "resident after the first sync", "bytes", resident, 32 << 20, "32 MiB", 1.0, files=count, peak=peak)
    say("tree", "resident after the first sync", "bytes", resident, rclone_peak, "rclone's peak", 0.5, files=count,
        first_sync_s=round(first, 1), first_sync_cpu_s=round(first_cpu, 1), index_log_bytes=log_bytes)


def scan_once(base, name, source):
    """A new index, and so patient that nothing is stored meanwhile."""
    daemon = daemon_of(base, name, source, "mode = two-way\nsettle = 1d\nmax_settle = 1d\n")
    begun = time.monotonic()
    daemon.start()
    while True:
        told = daemon.tend("--json", "status", "all")
        if told.returncode == 0 and json.loads(told.stdout)["unit"]["folder"]["scans"]:
            break
        if daemon.process.poll() is not None:
            raise SystemExit("tendd ended: %s" % (daemon.base / "tendd.log").read_text())
        time.sleep(0.02)
    wall, cpu = time.monotonic() - begun, daemon.cpu_seconds()
    daemon.drop()
    shutil.rmtree(daemon.base / "state")
    return wall, cpu


def measure_two_way(base, source, count):
    (base / "cloud").mkdir()
    scans, finds = [], []
    for i in range(STARTS):
        scans.append(scan_once(base, "scan%d" % i, source))
        finds.append(timed(find_of(source)))
    daemon = daemon_of(base, "two-way", source, "mode = two-way\n")
    daemon.start()
    daemon.durable()
    resident, peak = daemon.resident_bytes(), daemon.peak_bytes()
    daemon.stop()
    for at, unit in ((0, "wall"), (1, "cpu")):
        say("tree", "first scan, two-way, " + unit, "s", middle(scans, at), middle(finds, at), "find -printf", 4, files=count)
    say("tree", "resident after the first sync, two-way", "bytes", resident, 48 << 20, "48 MiB", 1.0, files=count, peak=peak)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000000)
