"""tend upgrade: another program takes the place of the tendd that runs, in the same process; services go on."""

import os
import shutil
import signal
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


# 50 MB/s: lines of 100 bytes, 500 at a time, until `enough` is there; then how many there were.
LOUD = """use Time::HiRes 'sleep';
$| = 1;
my $n = 0;
until (-e "ROOT/enough") {
	my $block = '';
	$block .= sprintf("n%-98d\n", $n++) for 1..500;
	print $block;
	sleep 0.001;
}
print "end $n\n";
sleep 1000;
"""


def test_one_that_writes_50_mb_a_second_loses_no_line(tendd, place):
    """Through upgrades, restarts and kills of the daemon; bounded by what is written, not by a time."""
    script = tendd.root / "loud.pl"
    script.write_text(LOUD.replace("ROOT", str(tendd.root)))
    tendd.configure("[service loud]\nnetwork = no\ncommand = perl %s\nlog_max_size = none\n" % script)
    assert tendd.tend("reload").returncode == 0
    tendd.until_state("service:loud", "ready")
    log = tendd.logs / "loud.log"
    pid = tendd.service_part("loud")["pid"]

    def grows():
        size = log.stat().st_size
        tendd.until(lambda: log.stat().st_size > size + (4 << 20), "4 MiB more")
    tendd.until(log.exists, "the log")
    for change in ("upgrade", "stop", "upgrade", "kill", "upgrade"):
        grows()
        if change == "upgrade":
            put(place, bin_folder() / "tendd")
            got = tendd.tend("upgrade")
            assert got.returncode == 0, got.stderr
        elif change == "kill":
            tendd.kill()
            tendd.start()
        else:
            assert tendd.stop(signal.SIGQUIT) == 0
            tendd.start()
        tendd.until(lambda: tendd.service_part("loud")["pid"] == pid, "the same pid")
    grows()
    (tendd.root / "enough").write_text("")
    tendd.until(lambda: log.read_bytes()[-200:].split(b"\n")[-2].split(b" ")[1] == b"end", "the last line")
    wanted = 0
    with open(log, "rb") as lines:
        for line in lines:
            text = line.split(b" ", 1)[1].rstrip()
            if text.startswith(b"end"):
                break
            assert text == b"n%d" % wanted
            wanted += 1
    assert text == b"end %d" % wanted and wanted > 200000
    assert tendd.service_part("loud")["pid"] == pid and tendd.service_part("loud")["log_lost_lines"] == 0


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
