#!/usr/bin/python3
"""Services: killed and running again, against s6 and supervisord; what 20 of them take of memory, against supervisord."""

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import Daemon, room, say

MANY = 20


def service_script(base, name):
    """Tells its pid by a file, then becomes a sleep: no shell stays."""
    script = base / name
    script.write_text("#!/bin/sh\necho $$ > %s.pid\nexec sleep 100000\n" % script)
    script.chmod(0o755)
    return script


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


class Tend:
    def __init__(self, base, scripts):
        base.mkdir()
        text = "".join("[service %s]\ncommand = %s\nrestart_delay = 0s\n" % (one.name, one) for one in scripts)
        self.daemon = Daemon(base / "tend", text)
        self.daemon.start()

    def pids(self):
        return [self.daemon.process.pid, self.keeper()]

    def keeper(self):
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/tend-keeper") and str(self.daemon.base).encode() in words[1]:
                return int(entry.name)
        raise SystemExit("no keeper")

    def stop(self):
        keeper = self.keeper()
        self.daemon.stop()
        os.kill(keeper, signal.SIGTERM)


class S6:
    def __init__(self, base, scripts):
        for one in scripts:
            (base / "scan" / one.name).mkdir(parents=True)
            run = base / "scan" / one.name / "run"
            run.write_text("#!/bin/sh\nexec %s\n" % one)
            run.chmod(0o755)
        self.process = subprocess.Popen(["s6-svscan", base / "scan"], stderr=subprocess.DEVNULL)
        self.scan = base / "scan"

    def stop(self):
        subprocess.run(["s6-svscanctl", "-t", self.scan], check=True)
        self.process.wait(30)


class Supervisord:
    def __init__(self, base, scripts):
        base.mkdir()
        text = "[supervisord]\nnodaemon=true\nuser=root\nlogfile=%s/log\npidfile=%s/pid\nchildlogdir=%s\n" % ((base,) * 3)
        text += "".join(
            "[program:%s]\ncommand=%s\nautorestart=true\nstartsecs=0\nstartretries=1000000\n" % (one.name, one) for one in scripts)
        (base / "conf").write_text(text)
        self.process = subprocess.Popen(
            ["supervisord", "-c", base / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def restart(base, kind, count):
    script = service_script(base, "one-%s" % kind.__name__)
    host = kind(base / kind.__name__, [script])
    pid_of(script)
    took = restarts_ms(script, count)
    host.stop()
    return statistics.median(took)


def held(base, kind):
    scripts = [service_script(base, "many%d-%s" % (i, kind.__name__)) for i in range(MANY)]
    host = kind(base / ("many-" + kind.__name__), scripts)
    for one in scripts:
        pid_of(one)
    found = settled_memory(host.pids())
    host.stop()
    return found


def main(count):
    base = room()
    try:
        ours = restart(base, Tend, count)
        s6 = restart(base, S6, count)
        supervisord = restart(base, Supervisord, min(count, 10))
        say("services", "killed until running again, median", "ms", ours, s6, "s6", 1.0, rounds=count)
        say("services", "killed until running again, median", "ms", ours, supervisord, "supervisord", 0.01, rounds=count)
        pss, dirty = held(base, Tend)
        peer, _ = held(base, Supervisord)
        say("services", "PSS of 20 services' hosts", "bytes", pss, peer, "supervisord", 0.4)
        say("services", "private dirty of 20 services' hosts", "bytes", dirty, 5 << 20, "5 MiB", 1.0)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
