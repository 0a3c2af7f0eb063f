"""tend upgrade: another program takes the place of the tendd that runs, in the same process; services go on."""

import os
import shutil
from pathlib import Path

import pytest

from tend import bin_folder

COUNTER = "i=0; while :; do echo n$i; i=$((i+1)); sleep 0.002; done"
INI = "[service a]\nnetwork = no\nshell = yes\ncommand = %s\n[service b]\nnetwork = no\ncommand = sleep 1000\n" % COUNTER


@pytest.fixture
def place(tendd):
    """The programs at a place of their own, where others may be put over them; a tendd runs from there."""
    place = tendd.folder("bin")
    for name in "tendd", "tend-keeper":
        shutil.copy(bin_folder() / name, place / name)
    tendd.command = lambda *words: [str(place / "tendd"), "-c", str(tendd.ini), *map(str, words)]
    tendd.environment["NOTIFY_SOCKET"] = "/nonexistent"
    tendd.configure(INI).start()
    for name in "ab":
        tendd.until_state("service:" + name, "ready")
    return place


def put(place, path=None, text=None):
    """As a package does: beside it, then over it."""
    new = place / "tendd.new"
    if path:
        shutil.copy(path, new)
    else:
        new.write_text(text)
    new.chmod(0o755)
    new.rename(place / "tendd")


def exe(tendd):
    return os.stat("/proc/%d/exe" % tendd.pid).st_ino


def pids(tendd):
    return [tendd.service_part(name)["pid"] for name in "ab"]


def numbers(tendd):
    lines = (tendd.logs / "a.log").read_text().split("\n")[:-1]
    return [int(line.split(" n")[1]) for line in lines]


def test_another_takes_over(tendd, place):
    before, keeper = pids(tendd), tendd.keeper_pid()
    since = tendd.get("/v1/status")["since"]
    for _ in range(3):
        put(place, bin_folder() / "tendd")
        got = tendd.tend("upgrade")
        assert got.returncode == 0, got.stderr
        assert got.stdout.startswith("tendd 0.1.0 runs in place of 0.1.0")
        assert tendd.process.poll() is None
        assert exe(tendd) == os.stat(place / "tendd").st_ino
        assert pids(tendd) == before and tendd.keeper_pid() == keeper
        now = tendd.get("/v1/status")["since"]
        assert now != since
        since = now
    assert "NOTIFY_SOCKET=/nonexistent" in Path("/proc/%d/environ" % tendd.pid).read_text().split("\0")
    tendd.until(lambda: len(numbers(tendd)) > 100, "lines")
    assert tendd.stop() == 0
    assert numbers(tendd) == list(range(len(numbers(tendd))))
    orders = [event for event in history(tendd) if event["unit"] == "tendd"]
    assert ["upgrade" in str(event) for event in orders] == [True] * 3, orders


def history(tendd):
    tendd.start()
    return tendd.get("/v1/history")["events"]


@pytest.mark.parametrize("text, says", [
    ("#!/bin/sh\necho 'unknown key: of the new one' >&2\nexit 2\n", "unknown key: of the new one"),
    ("not a program", "is no program"),
    ("#!/bin/sh\nkill -9 $$\n", "or crashed"),
])
def test_one_that_is_not_good_is_not_taken(tendd, place, text, says):
    before, inode = pids(tendd), exe(tendd)
    put(place, text=text)
    got = tendd.tend("upgrade")
    assert got.returncode == 2 and says in got.stderr and "tendd goes on as it is" in got.stderr
    assert (pids(tendd), exe(tendd)) == (before, inode)
    put(place, bin_folder() / "tendd")
    assert tendd.tend("upgrade").returncode == 0
    assert exe(tendd) != inode


def test_a_bad_configuration_is_not_taken(tendd, place):
    before, inode = pids(tendd), exe(tendd)
    tendd.configure(INI + "bogus = 1\n")
    put(place, bin_folder() / "tendd")
    got = tendd.tend("upgrade")
    assert got.returncode == 2 and "tend.ini:" in got.stderr and "unknown key 'bogus'" in got.stderr
    assert (pids(tendd), exe(tendd)) == (before, inode)
