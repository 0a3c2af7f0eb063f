#!/usr/bin/python3
"""One file of 1 GiB to a real S3 (Ceph RGW over bluestore) against rclone copy: wall, CPU, and what tendd keeps resident at most."""

import os
import shutil
import statistics
import subprocess
import sys
import time

from bench import ROOT, Daemon, room, say, timed
from s3 import rclone_remote, s3_section, server_start

ROUNDS = 3


def tend_once(base, server, source, name):
    shutil.rmtree(base / "tend", ignore_errors=True)
    (base / "tend").mkdir()
    daemon = Daemon(base / "tend", s3_section(base, server, name) + "[folder all]\npath = %s\nremote = cloud:\n" % source)
    start = time.monotonic()
    daemon.start()
    daemon.durable()
    wall = time.monotonic() - start
    figures = wall, daemon.cpu_seconds(), daemon.peak_bytes()
    daemon.stop()
    return figures


def purge(server, name):
    subprocess.run(["rclone", "purge", "--config", "/dev/null", rclone_remote(server, name)], check=True)


def main(size):
    base = room()
    try:
        server = server_start(base, "bluestore")  # what is purged it gives back by and by: memstore would be full
        source = base / "source"
        source.mkdir()
        block = os.urandom(1 << 20)
        with open(source / "large", "wb") as file:
            for _ in range(size >> 20):
                file.write(block)
        tend, peer = [], []
        for i in range(ROUNDS):
            tend.append(tend_once(base, server, source, "tend%d" % i))
            purge(server, "tend%d" % i)
            command = ["rclone", "copy", "--config", "/dev/null", str(source), rclone_remote(server, "rclone%d" % i)]
            peer.append(timed(command))
            purge(server, "rclone%d" % i)
        middle = lambda runs, at: statistics.median(run[at] for run in runs)
        say("large", "wall", "s", middle(tend, 0), middle(peer, 0), "rclone copy", 0.8, bytes=size)
        say("large", "cpu", "s", middle(tend, 1), middle(peer, 1), "rclone copy", 0.5, bytes=size)
        say("large", "resident at most", "bytes", max(run[2] for run in tend), 64 << 20, "64 MiB", 1.0, bytes=size)
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / "rgw"])
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 30)
