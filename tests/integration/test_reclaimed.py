"""The end of a machine, on a kernel of its own: it goes off when nobody uses it, and all is in the cloud before; another one with an
empty disk brings every byte back; that one is taken away, and 20 seconds after the notice the plug is pulled. Then the disk is there
again. The cloud is a real S3 server, the notices are EC2's.

servers: s3_rgw
one build
"""

import base64
import gzip
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import time
from urllib.parse import quote

import pytest

from basics import fill
from booted import SUPPORT, furnish, installed, made, put
from emulated import HOST, Machine, equip, make_disk, read_disk
from metadata_server import Metadata
from stores import S3

TAKEN = "this machine is taken away by aws"
NOTICE = 20.0  # seconds from the notice to the end
ENOUGH = 10  # files of the training run before the notice

INI = """
[step place]
run = mkdir -p /data/work /data/large
creates = /data/large

[folder work]
path = /data/work
remote = cloud:work
settle = 200ms
requires = step:place

# What is on its way when the machine is taken away, and does not get there.
[folder large]
path = /data/large
remote = cloud:large
requires = step:place

[service notes]
command = /srv/notes
on_preempt = sh -c 'echo saved >/data/work/checkpoint'
network = no
requires = folder:work

[idle]
after = 5s
every = 500ms
min_uptime = 5s
warn = 1s
active =
	ssh mosh tty tmux jobs sync
	command:test -e /run/busy

[preempt]
provider = aws
endpoint = %s
"""
# Says what is there when it begins, and writes down how it ended.
NOTES = """#!/bin/bash
/job/reclaimed-sums.sh /data/work ./diary >/run/seen.new && mv /run/seen.new /run/seen
trap 'echo "$(sed "s/.*tend.life=/life /" /proc/cmdline) ended" >>/data/work/diary; exit 0' TERM
sleep infinity &
wait
"""
JOB = """[Unit]
After=tend.service
[Service]
Type=oneshot
Environment=PATIENCE=120
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStartPre=/bin/touch /run/busy
ExecStart=/bin/sh -c '/job/reclaimed-job.sh || systemctl poweroff --force --force'
"""


def sums_of(place):
    listed = subprocess.run([SUPPORT / "reclaimed-sums.sh", place, "./diary"], check=True, capture_output=True)
    return listed.stdout.splitlines()


def seen_by(machine):
    """What the service found when it began."""
    return gzip.decompress(base64.b64decode(machine.until("seen: (.*)").group(1))).splitlines()


def body_of(store, key):
    """Of any name: rclone has its own way of writing some."""
    return store.signed("GET", "/%s/%s" % (store.bucket, quote("%s/%s" % (store.prefix, key))), {})


def sum_of(body):
    return hashlib.sha256(body).hexdigest()


class World:
    """The image, what it was made with, and the cloud; all lives share them."""

    def __init__(self, place, root, store, metadata):
        self.place, self.store, self.metadata = place, store, metadata
        self.kernel = made("make-kernel")
        self.seed = place / "seed"
        self.seed.mkdir()
        fill(self.seed)
        (self.seed / "model.bin").write_bytes(os.urandom(3 << 20))
        self.image = place / "image"
        self.make_image(root)

    def make_image(self, root):
        port = self.store.server.rpartition(":")[2]
        self.store.endpoint = "http://%s:%s" % (HOST, port)
        secret, self.store.secret_path = self.store.secret_path, "/etc/tend/secrets/s3"
        notices = "http://%s:%d" % (HOST, self.metadata.server.server_port)
        furnish(root, "[tend]\nupload_limit = 512KiB\n" + self.store.section() + INI % notices, JOB)
        put(root / "etc/tend/secrets/s3", secret.read_text(), 0o600)
        put(root / "srv/notes", NOTES, 0o755)
        put(root / "etc/systemd/system/tend.service.d/test.conf", "[Service]\nStandardOutput=journal+console\n"
            "StandardError=journal+console\n")
        (root / "job").mkdir()
        for name in ("job.sh", "reclaimed-job.sh", "reclaimed-sums.sh"):
            shutil.copy(SUPPORT / name, root / "job")
        subprocess.run(["tar", "--format=posix", "-cf", root / "srv/seed.tar", "-C", self.seed, "."], check=True)  # with nanoseconds
        equip(root, self.kernel)
        subprocess.run([SUPPORT / "pack-tree", root, self.image], check=True)

    def boot(self, disk, life):
        return Machine(self.kernel, self.image, disk, "tend.life=%d" % life)


@pytest.fixture
def world(tmp_path):
    with installed("iproute2,kmod") as root, Metadata() as metadata:
        made = World(tmp_path, root, S3("s3_rgw", tmp_path), metadata)
        shutil.rmtree(root)
        yield made


def goes_off(world):
    """The first life: nobody uses it any more."""
    disk = make_disk(world.place / "first.disk")
    with world.boot(disk, 1) as machine:
        assert seen_by(machine) == []
        machine.until("all is written")
        machine.until_off()
        told = "\n".join(machine.lines)
    disk.unlink()
    order = [told.index(word) for word in ("idle: storing everything", "idle: stopping services", "what services wrote when they stopped")]
    assert order == sorted(order)
    world.store.judge(world.seed, "work", excluded=["/diary"])
    assert world.store.read("work/diary") == b"life 1 ended\n"


def comes_back(world, machine):
    """The second one, with an empty disk: all was there before the service began."""
    seen = seen_by(machine)
    wanted = sums_of(world.seed)
    assert seen == wanted, set(seen) ^ set(wanted)
    machine.until("diary: life 1 ended")


class Lines:
    """What the training run said of its files, {name: sum}: all, those of before the notice, and those that `tend wait` answered for."""

    def __init__(self, lines):
        self.wrote, self.before, self.waited = {}, None, {}
        for line in lines:
            found = re.search(r"wrote (step-\d+) ([0-9a-f]{64})$", line)
            if found:
                self.wrote[found.group(1)] = found.group(2)
            if TAKEN in line and self.before is None:
                self.before = dict(self.wrote)
            if re.search(r"waited \d+$", line):
                self.waited = dict(self.wrote)


def is_reclaimed(world, machine):
    """It hears that it is taken away, and so many seconds later the plug is pulled. The lines it could still say."""
    machine.until("waited %d$" % ENOUGH)
    end = time.monotonic() + NOTICE
    world.metadata.terminate(NOTICE)
    machine.until(TAKEN)
    time.sleep(max(0.0, end - time.monotonic()))  # the only thing that is told is the time
    machine.kill()
    world.metadata.notice = None
    return Lines(machine.lines)


def sums_over_there(store):
    """{name: sum} of the training run's files."""
    return {name: sum_of(store.read("work/run/" + name)) for name in store.keys("work/run")}


def all_is_there(world, said):
    """What was waited for, and what the time allowed: all small files there were, and what the service saved. Nothing is torn."""
    stored = sums_over_there(world.store)
    assert len(said.before) >= ENOUGH and len(said.waited) >= ENOUGH
    for wanted in (said.before, said.waited):
        assert {name: stored.get(name) for name in wanted} == wanted
    written = {name: stored[name] for name in stored if name in said.wrote}
    assert written.items() <= said.wrote.items()
    assert len(stored) <= len(said.wrote) + 1  # the last one may have had no time to be told
    assert world.store.read("work/checkpoint") == b"saved\n"
    assert world.store.read("work/diary") in (b"life 1 ended\n", b"life 1 ended\nlife 2 ended\n")
    assert world.store.keys("large") == {}
    world.store.judge(world.seed, "work", excluded=["/diary", "/checkpoint", "/run/**"])
    return stored


def rows_of(database):
    """(path, size, hash) of each file that the index has no doubt of."""
    with sqlite3.connect(database) as db:
        paths = {1: b""}
        for key, parent, name in db.execute("SELECT id, parent, name FROM dir WHERE id > 1 ORDER BY id"):
            paths[key] = paths[parent] + name + b"/"
        rows = db.execute("SELECT dir, name, size, hash FROM entry e WHERE kind = 0 AND flags & 1 = 0 AND NOT EXISTS "
                          "(SELECT 1 FROM dirty d WHERE d.dir = e.dir AND d.name = e.name)")
        return [(os.fsdecode(paths[key] + name), size, digest) for key, name, size, digest in rows]


def index_is_whole(world, disk, name):
    """As the power cut left it: no page is broken, and what it knows of a file was over there. What was replaced in the last seconds,
    as the diary was, is a kept version by now: a commit that no barrier waits for may be lost."""
    place = read_disk(disk, world.place / name)
    databases = sorted((place / "state").glob("**/*.db"))
    assert len(databases) >= 3, databases
    for path in databases:
        with sqlite3.connect(path) as db:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)], path
    rows = rows_of(place / "state/folders/work.db")
    assert len(rows) >= ENOUGH
    for path, size, digest in rows:
        bodies = [body_of(world.store, "work/" + path)]
        if path == "diary":
            bodies += world.store.versions("work/diary")
        assert (size, digest) in [(len(body), hashlib.md5(body).digest()) for body in bodies], path
    return place


def goes_on(world, disk, said, stored):
    """The third life, with the disk of the second: all it has is over there, and nothing that was there is lost, whatever the disk lost.
    What neither the disk nor the index knows any more, written and sent in the last seconds, stays there as it is."""
    with world.boot(disk, 3) as machine:
        machine.until("verified: ")
        machine.until_off()
    place = index_is_whole(world, disk, "third")
    world.store.judge(place / "work", "work", more=["--one-way"], times=False)
    now = sums_over_there(world.store)
    for name in set(now) - {path.name for path in (place / "work/run").iterdir()}:
        assert now[name] == stored[name], name
    for name, wanted in {**stored, **said.waited}.items():
        kept = [] if now.get(name) == wanted else map(sum_of, world.store.versions("work/run/" + name))
        assert now.get(name) == wanted or wanted in kept, name


def test_the_end_of_a_machine(world, tmp_path):
    goes_off(world)
    disk = make_disk(tmp_path / "second.disk")
    with world.boot(disk, 2) as machine:
        comes_back(world, machine)
        said = is_reclaimed(world, machine)
    stored = all_is_there(world, said)
    index_is_whole(world, disk, "second")
    goes_on(world, disk, said, stored)
