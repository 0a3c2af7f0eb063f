#!/usr/bin/python3
"""10,000 files of 1 to 16 KiB, then one of 2 GiB, fetched from a real S3 (Ceph RGW) into an empty folder, against rclone copy: the best of
its --transfers 8, 32, 64."""

import shutil
import subprocess
import sys

from bench import ROOT, best, make_files, make_large, middle, room, say, tend_once, timed
from s3 import rclone_remote, s3_section, server_start

ROUNDS = 3


def fetch_once(base, server, name):
    data = base / "fetched"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    run = tend_once(base / "tend", s3_section(base, server, name) +
                    "[folder all]\npath = %s\nremote = cloud:\nmode = fetch\n" % data)
    return run, sum(1 for path in data.rglob("*") if path.is_file())


def rclone_once(base, server, name, transfers):
    data = base / "copied"
    shutil.rmtree(data, ignore_errors=True)
    return timed(["rclone", "copy", "--config", "/dev/null", "--transfers", str(transfers), rclone_remote(server, name), str(data)])


def compare(base, server, name, count, wall, cpu, **more):
    tend, peer = [], []
    for i in range(ROUNDS):
        run, files = fetch_once(base, server, name)
        if files != count:
            raise SystemExit("%d files came, of %d" % (files, count))
        tend.append(run)
        peer.append([rclone_once(base, server, name, transfers) for transfers in ((8, 32, 64) if count > 1 else (4,))])
    say("fetch " + name, "wall", "s", middle(tend, 0), best(peer, 0), "rclone copy", wall, **more)
    say("fetch " + name, "cpu", "s", middle(tend, 1), best(peer, 1), "rclone copy", cpu, **more)
    say("fetch " + name, "resident at most", "bytes", max(run[2] for run in tend), 64 << 20, "64 MiB", 1.0, **more)


def main(count, size):
    base = room()
    try:
        server = server_start(base, "bluestore")
        make_files(base / "small", count, 1024, 16384)
        make_large(base / "large", size)
        for name in ("small", "large"):
            subprocess.run(["rclone", "copy", "--config", "/dev/null", "--transfers", "32", str(base / name),
                            rclone_remote(server, name)], check=True)
            shutil.rmtree(base / name)
        compare(base, server, "small", count, 0.7, 0.4, files=count)
        compare(base, server, "large", 1, 0.9, 0.4, bytes=size)
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / "rgw"])
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000, int(sys.argv[2]) if len(sys.argv) > 2 else 2 << 30)
