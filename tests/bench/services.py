#!/usr/bin/python3
"""Services: killed and running again, 50 of them started, what they take of memory and how often their host wakes up, and how fast their
lines go to their logs; against s6, runit and supervisord."""

import os
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path

from bench import room, say
from hosts import S6, Runit, Supervisord, Tend, service_script

MANY = 50
LINES, LINE_BYTES = 2000000, 100

# Writes them by blocks, as fast as somebody reads, and stays.
WRITER = """#!/usr/bin/python3
import os, time
line = b"x" * %d + b"\\n"
block, left = line * 600, %d
while left > 0:
    count = min(left, 600)
    at, text = 0, block[:count * len(line)]
    while at < len(text):
        at += os.write(1, text[at:])
    left -= count
time.sleep(100000)
""" % (LINE_BYTES - 1, LINES)


def pid_of(script):
    while True:
        try:
            text = Path("%s.pid" % script).read_text()
            if text.endswith("\n"):
                return int(text)
        except OSError:
            pass
        time.sleep(0.0002)


def restarts_ms(script, count):
    """From kill to the new one's word, `count` times."""
    took = []
    for _ in range(count):
        pid = pid_of(script)
        os.unlink("%s.pid" % script)
        begun = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        pid_of(script)
        took.append((time.monotonic() - begun) * 1000)
    return took


def restart(base, kind, count):
    script = service_script(base, "one-%s" % kind.__name__)
    host = kind(base / kind.__name__, [script])
    pid_of(script)
    took = restarts_ms(script, count)
    host.stop()
    return statistics.median(took)


# ---- many ----


def memory(pids):
    """PSS and private dirty bytes of all of them."""
    pss = dirty = 0
    for pid in pids:
        for line in Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1]) * 1024
            if line.startswith("Private_Dirty:"):
                dirty += int(line.split()[1]) * 1024
    return pss, dirty


def settled_memory(pids):
    """When all has started it takes no more, and what only the start took is given back. Told by private bytes: others' shares move PSS."""
    found, same = memory(pids), 0
    while same < 20:
        time.sleep(0.05)
        now = memory(pids)
        same = same + 1 if abs(now[1] - found[1]) <= 64 << 10 else 0
        found = now
    return found


def switches(pids):
    """How often they have slept and were woken."""
    total = 0
    for pid in pids:
        for task in Path("/proc/%d/task" % pid).iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    total += int(line.split()[1])
    return total


def many(base, kind, idle_seconds):
    """Wall of the start of all, then memory, then wake-ups while nothing happens."""
    base = base / ("many-" + kind.__name__)
    base.mkdir()
    scripts = [service_script(base, "s%d" % i) for i in range(MANY)]
    begun = time.monotonic()
    host = kind(base / "host", scripts)
    for one in scripts:
        pid_of(one)
    wall = time.monotonic() - begun
    pss, dirty = settled_memory(host.pids())
    if idle_seconds:
        time.sleep(11)  # until all are forgiven what was before: healthy_after is 10 s
    before = switches(host.pids())
    time.sleep(idle_seconds)
    woken = switches(host.pids()) - before
    host.stop()
    return wall, pss, dirty, woken


# ---- lines ----


def cpu_seconds(pids):
    return sum(int((task / "schedstat").read_text().split()[0]) for pid in pids for task in Path("/proc/%d/task" % pid).iterdir()) / 1e9


def relay(base, kind, **options):
    """Wall from the start until all lines are in the log, and the CPU seconds of whoever brought them there."""
    base = base / ("lines-" + kind.__name__)
    base.mkdir()
    script = base / "writer"
    script.write_text(WRITER)
    script.chmod(0o755)
    begun = time.monotonic()
    host = kind(base / "host", [script], **options)
    log = host.log(script)
    while not log.exists() or log.stat().st_size < LINES * LINE_BYTES:
        time.sleep(0.002)
    size = -1
    while log.stat().st_size != size:  # with a time before each it is longer than what was written
        size = log.stat().st_size
        wall = time.monotonic() - begun
        time.sleep(0.05)
    cpu = cpu_seconds(host.loggers() if kind is Runit else host.pids())
    with open(log, "rb") as lines:
        count = sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    host.stop()
    if count != LINES:
        raise SystemExit("%s: %d lines of %d" % (kind.__name__, count, LINES))
    shutil.rmtree(base, ignore_errors=True)  # a svlogd may be at its last words
    return wall, cpu


def main(count):
    base = room()
    try:
        ours = restart(base, Tend, count)
        for kind, rounds, target in ((S6, count, 1.0), (Runit, 3, 1.0), (Supervisord, count, 0.01)):
            peer = restart(base, kind, rounds)
            say("services", "killed until running again, median", "ms", ours, peer, kind.__name__.lower(), target, rounds=rounds)
        wall, pss, dirty, woken = many(base, Tend, 10)
        s6_wall, s6_pss, _, _ = many(base, S6, 0)
        _, peer_pss, _, peer_woken = many(base, Supervisord, 10)
        say("services", "start of 50 until all run", "s", wall, s6_wall, "s6", 1.0)
        say("services", "PSS of 50 services' hosts", "bytes", pss, peer_pss, "supervisord", 0.4, s6=s6_pss)
        say("services", "private dirty of 50 services' hosts", "bytes", dirty, 5 << 20, "5 MiB", 1.0)
        say("services", "wake-ups in 10 s with 50 services", "count", woken, peer_woken, "supervisord", 0.0)
        wall, cpu = relay(base, Tend)
        peer_wall, _ = relay(base, Supervisord)
        _, peer_cpu = relay(base, Runit, logged=True)
        say("services", "200 MB of lines, until in the log", "s", wall, peer_wall, "supervisord", 0.5)
        say("services", "200 MB of lines, CPU", "s", cpu, peer_cpu, "svlogd", 0.3)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
