#!/usr/bin/python3
"""100,000 files of 1 to 16 KiB from memory to memory: tend against rclone copy, in turn."""

import shutil
import sys
import time

from bench import Daemon, make_files, room, say, timed


def tend_once(base, source):
    shutil.rmtree(base / "tend", ignore_errors=True)
    shutil.rmtree(base / "cloud", ignore_errors=True)
    (base / "cloud").mkdir()
    daemon = Daemon(
        base / "tend",
        "[remote cloud]\ntype = directory\npath = %s/cloud\n[folder all]\npath = %s\nremote = cloud:\n"
        "max_transfers = 64\n" % (base, source),
    )
    start = time.monotonic()
    daemon.start()
    daemon.durable()
    wall = time.monotonic() - start
    cpu = daemon.cpu_ticks_seconds()
    daemon.stop()
    return wall, cpu


def rclone_once(base, source, transfers):
    shutil.rmtree(base / "peer", ignore_errors=True)
    return timed(
        ["rclone", "copy", "--config", "/dev/null", "--transfers", str(transfers), str(source), str(base / "peer")]
    )


def main(count):
    base = room()
    try:
        source = base / "source"
        make_files(source, count, 1024, 16384)
        tend, peer = [], []
        for _ in range(3):
            tend.append(tend_once(base, source))
            peer.append(min((rclone_once(base, source, n) for n in (8, 32)), key=lambda figures: figures[0]))
        for at, figure, target in ((0, "wall", 0.7), (1, "cpu", 0.5)):
            ours = sorted(run[at] for run in tend)[1]
            theirs = sorted(run[at] for run in peer)[1]
            say("directory", figure, "s", ours, theirs, "rclone copy", target, files=count)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000)
