"""Hosts of services, tend and its peers: the same scripts run by each."""

import os
import subprocess
from pathlib import Path

from bench import Daemon


def service_script(base, name):
    """Tells its pid by a file, then becomes a sleep: no shell stays."""
    script = base / name
    script.write_text("#!/bin/sh\necho $$ > %s.pid\nexec sleep 100000\n" % script)
    script.chmod(0o755)
    return script


def children_of(pid):
    """It and all below it."""
    found = [pid]
    for task in Path("/proc/%d/task" % pid).iterdir():
        for child in (task / "children").read_text().split():
            found += children_of(int(child))
    return found


class Tend:
    def __init__(self, base, scripts):
        base.mkdir()
        text = "".join("[service %s]\ncommand = %s\nrestart_delay = 0s\nnetwork = no\nlog_max_size = none\n" % (one.name, one) for one in scripts)
        self.daemon = Daemon(base / "tend", text)
        self.daemon.start()

    def pids(self):
        return [self.daemon.process.pid, self.daemon.keeper()]

    def log(self, script):
        return self.daemon.base / "log" / (script.name + ".log")

    def stop(self):
        keeper = self.daemon.keeper()
        self.daemon.stop()
        try:
            os.kill(keeper, 15)
        except ProcessLookupError:
            pass


class S6:
    def __init__(self, base, scripts):
        for one in scripts:
            (base / "scan" / one.name).mkdir(parents=True)
            run = base / "scan" / one.name / "run"
            run.write_text("#!/bin/sh\nexec %s\n" % one)
            run.chmod(0o755)
        self.scan = base / "scan"
        self.process = subprocess.Popen(["s6-svscan", "-c", "1000", self.scan], stderr=subprocess.DEVNULL)

    def pids(self):
        """svscan and the supervisors, which stand between it and the services."""
        below = [one for one in children_of(self.process.pid) if b"s6-" in Path("/proc/%d/cmdline" % one).read_bytes().split(b"\0")[0]]
        return below

    def stop(self):
        subprocess.run(["s6-svscanctl", "-t", self.scan], check=True)
        self.process.wait(30)


class Runit:
    """With `logged` each service has a svlogd, which puts a time before its lines and begins no file anew."""

    def __init__(self, base, scripts, logged=False):
        self.base = base
        for one in scripts:
            folder = base / "scan" / one.name
            folder.mkdir(parents=True)
            self.put(folder / "run", "#!/bin/sh\nexec %s 2>&1\n" % one)
            if logged:
                (folder / "log" / "main").mkdir(parents=True)
                (folder / "log/main/config").write_text("s2000000000\nn2\n")
                self.put(folder / "log/run", "#!/bin/sh\nexec svlogd -ttt %s\n" % (folder / "log/main"))
        self.process = subprocess.Popen(["runsvdir", base / "scan"], stderr=subprocess.DEVNULL, start_new_session=True)

    def put(self, path, text):
        path.write_text(text)
        path.chmod(0o755)

    def log(self, script):
        return self.base / "scan" / script.name / "log/main/current"

    def loggers(self):
        return [one for one in children_of(self.process.pid) if b"svlogd" in Path("/proc/%d/cmdline" % one).read_bytes()]

    def stop(self):
        self.process.send_signal(1)  # HUP: the supervisors end with their services
        self.process.wait(30)


class Supervisord:
    def __init__(self, base, scripts):
        base.mkdir()
        self.base = base
        text = "[supervisord]\nnodaemon=true\nuser=root\nlogfile=%s/log\npidfile=%s/pid\nchildlogdir=%s\n" % ((base,) * 3)
        text += "".join(
            "[program:%s]\ncommand=%s\nautorestart=true\nstartsecs=0\nstartretries=1000000\nredirect_stderr=true\n"
            "stdout_logfile=%s\nstdout_logfile_maxbytes=0\n" % (one.name, one, self.log(one)) for one in scripts)
        (base / "conf").write_text(text)
        self.process = subprocess.Popen(
            ["supervisord", "-c", base / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pids(self):
        return [self.process.pid]

    def log(self, script):
        return self.base / (script.name + ".out")

    def stop(self):
        self.process.terminate()
        self.process.wait(180)  # it ends one after the other, a second for each
