#!/usr/bin/python3
"""Two-way where nothing changed, 100,000 files on a real S3 (Ceph RGW): the barrier of a daemon that runs, its list of the remote included,
against rclone bisync, which finds out the same. And from an edit on one machine to its bytes on another, over RGW and the Drive server.

usage: two_way.py [FILES [EDITS]]    0: without these
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

from bench import ROOT, Daemon, make_files, middle, room, say, timed
from drive_ground import Drive, Ground
from s3 import rclone_remote, s3_section, server_start

ROUNDS = 3
SETTLE, POLL = 0.2, 1.0


def folder(section, data, key, more=""):
    return section + "[folder all]\npath = %s\nremote = cloud:%s\nmode = two-way\n%s" % (data, key, more)


def nothing_changed(base, server, count):
    data, remote = base / "data", rclone_remote(server, "idle")
    make_files(data, count, 100, 1000)
    daemon = Daemon(base / "tend", folder(s3_section(base, server, "idle"), data, ""))
    daemon.start()
    daemon.durable()
    bisync = ["rclone", "bisync", "--config", "/dev/null", "--workdir", str(base / "bisync"), "--checkers", "32",
              "--filters-file", str(base / "filters"), str(data), remote]
    (base / "filters").write_text("- /.tend/**\n")
    timed([*bisync, "--resync"])
    ours = []
    for _ in range(ROUNDS):
        began, cpu = time.monotonic(), daemon.cpu_seconds()
        daemon.durable()
        ours.append((time.monotonic() - began, daemon.cpu_seconds() - cpu))
    # Once: it asks for the time of each object by a request of its own, which takes minutes.
    peer = timed(bisync)
    resident = daemon.resident_bytes()
    daemon.stop()
    say("two-way, nothing changed", "wall", "s", middle(ours, 0), peer[0], "rclone bisync", 0.1, files=count)
    say("two-way, nothing changed", "cpu", "s", middle(ours, 1), peer[1], "rclone bisync", 0.1, files=count)
    say("two-way, nothing changed", "resident", "bytes", resident, 48 << 20, "48 MiB", 1.0, files=count)


def awaited(path, text):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if path.exists() and path.read_text() == text:
            return time.monotonic()
        time.sleep(0.002)
    raise SystemExit("'%s' never came" % path)


def seen_elsewhere(base, name, section, edits):
    """The worst of some edits, each at another moment between two polls."""
    more = "settle = %dms\npoll = %dms\npace = 100%%\n" % (SETTLE * 1000, POLL * 1000)
    sides = [base / name / side for side in "ab"]
    machines = []
    for side in sides:
        (side / "data").mkdir(parents=True)
        machines.append(Daemon(side, folder(section, side / "data", "seen", more)))
        machines[-1].start()
        machines[-1].durable()
    took = []
    for number in range(edits):
        text = "edit %d\n" % number
        time.sleep(POLL * (number % 5) / 5)
        began = time.monotonic()
        (sides[0] / "data/file").write_text(text)
        took.append(awaited(sides[1] / "data/file", text) - began)
    for machine in machines:
        machine.stop()
    say("two-way, edit seen elsewhere, " + name, "wall, worst of %d" % edits, "s", max(took), SETTLE + POLL + 0.5,
        "settle + poll + 0.5 s", 1.0, median=round(statistics.median(took), 3))


def main(count, edits):
    base = room()
    try:
        server = server_start(base, "bluestore")
        if count:
            nothing_changed(base, server, count)
        if edits:
            seen_elsewhere(base, "rgw", s3_section(base, server, "seen"), edits)
            (base / "drive").mkdir()
            with Ground(base / "drive") as ground:
                seen_elsewhere(base, "drive", Drive(base / "drive", ground).section(), edits)
    finally:
        subprocess.run([ROOT / "tests/support/stop-server", base / "rgw"], check=False)
        shutil.rmtree(base, ignore_errors=True)


os.environ.setdefault("NO_PROXY", "127.0.0.1")
main(int(sys.argv[1]) if len(sys.argv) > 1 else 100000, int(sys.argv[2]) if len(sys.argv) > 2 else 20)
