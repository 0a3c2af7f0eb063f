#!/usr/bin/python3
"""One file of 1 GiB to a real S3 (Ceph RGW over bluestore) against rclone copy: wall, CPU, and what tendd keeps resident at most."""

import shutil
import subprocess
import sys

from bench import ROOT, make_large, middle, room, say, tend_once, timed
from s3 import rclone_remote, s3_section, server_start

ROUNDS = 3


def purge(server, name):
    subprocess.run(["rclone", "purge", "--config", "/dev/null", rclone_remote(server, name)], check=True)


def main(size):
    base = room()
    try:
        server = server_start(base, "bluestore")  # what is purged it gives back by and by: memstore would be full
        source = base / "source"
        make_large(source, size)
        tend, peer = [], []
        for i in range(ROUNDS):
            ini = "[folder all]\npath = %s\nremote = cloud:\n" % source
            tend.append(tend_once(base / "tend", s3_section(base, server, "tend%d" % i) + ini))
            purge(server, "tend%d" % i)
            command = ["rclone", "copy", "--config", "/dev/null", str(source), rclone_remote(server, "rclone%d" % i)]
            peer.append(timed(command))
            purge(server, "rclone%d" % i)
        say("large", "wall", "s", middle(tend, 0), middle(peer, 0), "rclone copy", 0.8, bytes=size)
        say("large", "cpu", "s", middle(tend, 1), middle(peer, 1), "rclone copy", 0.5, bytes=size)
        say("large", "resident at most", "bytes", max(run[2] for run in tend), 64 << 20, "64 MiB", 1.0, bytes=size)
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / "rgw"])
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 30)
