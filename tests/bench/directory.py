#!/usr/bin/python3
"""100,000 files of 1 to 16 KiB from memory to memory: tend against rclone sync, in turn; and what tend asks the disk to make durable.
Beside them the floor: a bare loop of the system calls and the hash that such a copy cannot do without, against the same rclone.

On a real disk: TEND_BENCH_DIR=FOLDER.
"""

import os
import shutil
import subprocess
import sys
import time

from bench import ROOT, best, make_files, middle, room, say, tend_once, timed

ROUNDS = 5
TRANSFERS = (4, 8, 32)  # 4 is rclone's own


def send_once(base, source, tracer=()):
    shutil.rmtree(base / "cloud", ignore_errors=True)
    (base / "cloud").mkdir()
    return tend_once(
        base / "tend",
        "[remote cloud]\ntype = directory\npath = %s/cloud\n[folder all]\npath = %s\nremote = cloud:\n"
        "max_transfers = 64\n" % (base, source),
        tracer,
    )


def rclone_once(base, source, transfers):
    shutil.rmtree(base / "peer", ignore_errors=True)
    return timed(
        ["rclone", "sync", "--config", "/dev/null", "--transfers", str(transfers), str(source), str(base / "peer")]
    )


def floor_once(base, source):
    """By as many threads as tendd wakes for such jobs."""
    binary = base / "floor"
    if not binary.exists():
        subprocess.run(["cc", "-O2", "-o", binary, ROOT / "tests/bench/floor.c", "-lcrypto", "-lpthread"], check=True)
    shutil.rmtree(base / "bare", ignore_errors=True)
    (base / "bare").mkdir()
    return timed([binary, str(source), str(base / "bare"), str(len(os.sched_getaffinity(0)))])


def syncs(base, source):
    """How many calls it takes until all is durable, of any kind."""
    told = base / "calls"
    # As tendd's grandchild it leaves the pid to be tendd's.
    send_once(base, source, ["strace", "-D", "-f", "-c", "-e", "trace=fsync,fdatasync,syncfs,sync", "-o", told])
    while not (told.exists() and " total\n" in told.read_text()):
        time.sleep(0.01)
    rows = [line.split() for line in told.read_text().splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in ("fsync", "fdatasync", "syncfs", "sync"))


def main(count):
    base = room()
    try:
        source = base / "source"
        make_files(source, count, 1024, 16384)
        tend, bare, peer = [], [], []
        for _ in range(ROUNDS):
            tend.append(send_once(base, source))
            bare.append(floor_once(base, source))
            peer.append([rclone_once(base, source, n) for n in TRANSFERS])
        for at, figure, target in ((0, "wall", 0.7), (1, "cpu", 0.5)):
            theirs = best(peer, at)
            say("directory", figure, "s", middle(tend, at), theirs, "rclone sync, best of --transfers 4, 8, 32", target, files=count)
            say("directory", "floor, " + figure, "s", middle(bare, at), theirs, "the same", target, files=count)
        say("directory", "syncs a file", "calls", syncs(base, source) / count, 1, "one each", 1.0, files=count)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000)
