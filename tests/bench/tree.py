#!/usr/bin/python3
"""One changed file in a watched tree of 1,000,000: tend's CPU for it against one pass of rclone; and what tendd keeps resident."""

import shutil
import sys

from bench import Daemon, make_files, room, say, timed

CHANGES = 50  # one change costs less than a reading can tell


def main(count):
    base = room()
    try:
        source = base / "source"
        make_files(source, count, 16, 64)
        (base / "cloud").mkdir()
        daemon = Daemon(
            base / "tend",
            "[remote cloud]\ntype = directory\npath = %s/cloud\n[folder all]\npath = %s\nremote = cloud:\n"
            % (base, source),
        )
        daemon.start()
        daemon.durable()
        daemon.stop()
        daemon.start()  # what a machine that has run for long holds: nothing of the first upload
        daemon.durable()
        victim = source / "d0000/f000000"
        before = daemon.cpu_seconds()
        for i in range(CHANGES):
            victim.write_text("changed %d\n" % i)
            daemon.durable()
        cpu = (daemon.cpu_seconds() - before) / CHANGES
        resident = daemon.resident_bytes()
        daemon.stop()
        victim.write_text("changed once more\n")
        _, peer = timed(["rclone", "sync", "--config", "/dev/null", "--exclude", "/.tend/**", str(source), str(base / "cloud")])
        say("tree", "cpu of one change", "s", cpu, peer, "rclone sync", 0.001, files=count)
        say("tree", "resident", "bytes", resident, 32 << 20, "32 MiB", 1.0, files=count)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000000)
