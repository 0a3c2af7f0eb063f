"""kill -9 of tendd, of the keeper, and of both, at random moments, again and again: no service ever runs twice, and how each run
ended is known, but for those whose keeper died. By hand: TEND_ROUNDS=200.
"""

import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tend import is_alive, until

ROUNDS = int(os.environ.get("TEND_ROUNDS", "15"))

# Both hold a lock until all of them is gone. The first stays, with a child that has left its session; the second ends again and
# again, each time with another code, which it writes down as the last thing.
STAYS = """#!/bin/sh
exec 9>>ROOT/stays.lock
flock -n 9 || { echo stays >>ROOT/twice; exit 99; }
echo start >>ROOT/starts
setsid sleep 1000 &
sleep 1000
"""
ENDS = """#!/bin/sh
exec 9>>ROOT/ends.lock
flock -n 9 || { echo ends >>ROOT/twice; exit 99; }
n=$(cat ROOT/count 2>/dev/null || echo 0)
n=$((n + 1))
echo $n >ROOT/count.new
mv ROOT/count.new ROOT/count
sleep 0.0$((n % 7))
echo $n >>ROOT/ends
exit $((n % 90 + 1))
"""
INI = """
[service stays]
command = ROOT/stays.sh
network = no
restart_delay = 10ms
restart_max_delay = 10ms
%s
[service ends]
command = ROOT/ends.sh
network = no
restart_delay = 10ms
restart_max_delay = 10ms
%s
"""


def furnish(tendd, more=""):
    for name, text in (("stays", STAYS), ("ends", ENDS)):
        script = tendd.root / (name + ".sh")
        script.write_text(text.replace("ROOT", str(tendd.root)))
        script.chmod(0o755)
    tendd.configure(INI.replace("ROOT", str(tendd.root)) % (more, more))


def numbers(path):
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def kill_keeper(tendd):
    pid = tendd.keeper_pid()
    if not pid:
        return 0
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def told_codes(tendd):
    """Of the service that ends, oldest first: what its history says. A tendd that dies between the history and the record tells
    the next one of the same end again; no two ends that follow each other have the same code."""
    with sqlite3.connect("file:%s?mode=ro" % (tendd.state / "ledger.db"), uri=True) as db:
        rows = db.execute("select text from history where unit = 'service:ends' and event = 'ended' order by id").fetchall()
    found = [re.fullmatch(r"exit code (\d+)(?: \(as asked\))?", text) for (text,) in rows]
    codes = [int(match.group(1)) for match in found if match]
    return [code for before, code in zip([None] + codes, codes) if code != before]


def lost_of(ends, codes):
    """How many of `ends` are in `codes` no more; each code stands for one end, in their order."""
    lost, at = 0, 0
    for number in ends:
        if at < len(codes) and codes[at] == number % 90 + 1:
            at += 1
        else:
            lost += 1
    assert at == len(codes), "an end that nobody came to: %r of %r" % (codes[at:], ends)
    return lost


@pytest.mark.parametrize("without", ["", "cgroup,cgroup.kill,pidfd"], ids=["groups", "marks"])
def test_no_round_runs_a_service_twice(tendd, without):
    tendd.environment["TEND_WITHOUT"] = without
    furnish(tendd)
    tendd.start()
    chance = random.Random(int(os.environ.get("TEND_SEED", "1")))
    keepers = 0
    for turn in range(ROUNDS):
        time.sleep(chance.choice([0, 0.02, 0.2, 0.5]) * chance.random())  # a moment by chance, not a wait for anything
        victims = chance.choice(["tendd", "tendd", "keeper", "both", "both the other way"])
        if victims in ("keeper", "both the other way"):
            keepers += kill_keeper(tendd)
        if victims != "keeper":
            tendd.kill()
        if victims == "both":
            time.sleep(0.05 * chance.random())
            keepers += kill_keeper(tendd)
        if victims != "keeper":
            tendd.start(wait=chance.random() < 0.7)
        assert not (tendd.root / "twice").exists(), "round %d: %s" % (turn, (tendd.root / "twice").read_text())
        if chance.random() < 0.3:
            seen = len(numbers(tendd.root / "ends"))
            tendd.until(tendd.answers, "an answer of tendd")
            tendd.until_state("service:stays", "ready")
            tendd.until(lambda: len(numbers(tendd.root / "ends")) > seen, "the next end")
    tendd.until(tendd.answers, "an answer of tendd")
    # The last word may be of before the last keeper died.
    pid = tendd.until(lambda: is_alive(tendd.service_part("stays")["pid"] or 0) and tendd.service_part("stays")["pid"], "it lives")
    for name in "stays", "ends":
        assert tendd.tend("stop", name).returncode == 0
    until(lambda: not is_alive(pid))
    assert tendd.stop() == 0
    ends, codes = numbers(tendd.root / "ends"), told_codes(tendd)
    print("%d rounds, %d keepers, %d ends, %d known" % (ROUNDS, keepers, len(ends), len(codes)))
    assert not (tendd.root / "twice").exists()
    assert len(ends) >= ROUNDS / 5 and ends == sorted(set(ends))
    assert lost_of(ends, codes) <= keepers


@pytest.mark.parametrize("boot, lives", [("before", True), ("", False)], ids=["of another boot", "of this boot"])
def test_a_pid_of_another_boot_is_a_strangers(tendd, boot, lives):
    """Pid and start time of the record may be those of a program of this boot, which is no business of ours. Of this boot they are
    ours, and end before the service starts."""
    furnish(tendd)
    tendd.start()
    tendd.until_state("service:stays", "ready")
    keeper = tendd.keeper_pid()
    tendd.kill()
    os.kill(keeper, signal.SIGKILL)
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        started = int(Path("/proc/%d/stat" % stranger.pid).read_text().rsplit(")", 1)[1].split()[19])
        with sqlite3.connect(tendd.state / "ledger.db") as db:
            db.execute("UPDATE service SET pid = ?, start_time = ?, boot = CASE ? WHEN '' THEN boot ELSE ? END"
                       " WHERE unit = 'service:stays'", (stranger.pid, started, boot, boot))
        db.close()
        tendd.start()
        tendd.until(lambda: tendd.service_part("stays")["pid"] not in (None, stranger.pid), "another pid")
        tendd.until_state("service:stays", "ready")
        assert (stranger.poll() is None) == lives
        stranger.kill()
