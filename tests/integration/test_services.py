"""Services with the real tendd and the real keeper: they outlive both, are never started twice, and lose no line."""

import gzip
import os
import random
import re
import shlex
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from tend import bin_folder, is_alive, until

SECTION = "[service %s]\nnetwork = no\nshell = yes\n"


def service(name, command, **keys):
    lines = [SECTION % name, "command = %s\n" % command]
    return "".join(lines + ["%s = %s\n" % item for item in keys.items()])


def pid_of(tendd, name):
    return tendd.service_part(name)["pid"]


def log_of(tendd, name):
    path = tendd.logs / (name + ".log")
    return path.read_text(errors="replace") if path.exists() else ""


def texts_of(tendd, name):
    """The whole lines of a log without their times."""
    return [line.split(" ", 1)[1] for line in log_of(tendd, name).split("\n")[:-1]]


def only_one(tendd, name="only", rest="sleep 1000"):
    """A service that finds out when it runs twice: the lock is held until all of it is gone."""
    script = tendd.root / (name + ".sh")
    script.write_text("#!/bin/sh\nexec 9>>%s/lock\nflock -n 9 || { echo twice >>%s/twice; exit 9; }\n"
                      "echo start >>%s/starts\n%s\n" % (tendd.root, tendd.root, tendd.root, rest))
    script.chmod(0o755)
    return "[service %s]\nnetwork = no\ncommand = %s\n" % (name, script)


def starts(tendd):
    path = tendd.root / "starts"
    return len(path.read_text().split()) if path.exists() else 0


# ---- tendd dies ----


def test_a_killed_tendd_costs_no_line_and_no_pid(tendd):
    """kill -9 at random moments while services write as fast as they can: every number is there once, in order."""
    script = tendd.root / "count.py"
    script.write_text("import sys, time\ni = 0\nwhile True:\n"
                      "    sys.stdout.write('n%d\\n' % i)\n    i += 1\n"
                      "    if i % 200 == 0:\n        sys.stdout.flush()\n        time.sleep(0.001)\n")
    tendd.configure(service("quick", "exec python3 %s" % script, log_max_size="none") +
                    service("slow", "i=0; while :; do echo n$i; i=$((i+1)); sleep 0.003; done")).start()
    tendd.until_state("service:quick", "ready")
    tendd.until_state("service:slow", "ready")
    pids = [pid_of(tendd, "quick"), pid_of(tendd, "slow")]
    started = tendd.unit("service:quick")["since"]
    chance = random.Random(int(os.environ.get("TEND_SEED", "1")))
    for _ in range(20):
        until(lambda: len(log_of(tendd, "slow")) > 0)
        time.sleep(chance.random() * 0.15)  # a moment by chance, not a wait for anything
        tendd.kill()
        tendd.start()
        assert [pid_of(tendd, "quick"), pid_of(tendd, "slow")] == pids
    assert tendd.unit("service:quick")["since"] <= started  # as long as it runs, not as tendd does
    assert tendd.stop() == 0
    for name in "quick", "slow":
        numbers = [int(text[1:]) for text in texts_of(tendd, name)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 100


def test_an_exit_code_waits(tendd):
    """What ended while no tendd was there is known to the next one, and what it wrote is in its log (2 MiB of it)."""
    go = tendd.root / "go"
    tendd.configure(service("task", "while ! test -e %s; do sleep 0.02; done; "
                                    "i=0; while test $i -lt 32768; do "
                                    "echo 0123456789012345678901234567890123456789012345678901234567890123; "
                                    "i=$((i+1)); done; exit 42" % go, restart="never")).start()
    tendd.until(lambda: pid_of(tendd, "task"))
    tendd.kill()
    go.write_text("")
    tendd.start()
    unit = tendd.until_state("service:task", "failed")
    assert unit["service"]["exit"]["code"] == 42
    assert unit["service"]["exit"]["class"] == "bad"
    assert texts_of(tendd, "task") == ["0123456789" * 6 + "0123"] * 32768


@pytest.mark.parametrize("syscall", ["sendto", "pwrite64", "openat", "ftruncate", "fcntl"])
def test_killed_between_fork_and_record(tendd, syscall):
    """Trap 3: tendd is killed at its Nth such call, for each N around a start; the service never runs twice."""
    tendd.configure(only_one(tendd))
    for nth in range(1, 40, 3):
        tendd.environment["ASAN_OPTIONS"] = "detect_leaks=0"
        traced = subprocess.Popen(
            ["strace", "-o", "/dev/null", "-e", "trace=" + syscall, "-e",
             "inject=%s:signal=KILL:when=%d" % (syscall, nth), *tendd.command()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=tendd.environment,
            start_new_session=True)
        until(lambda: traced.poll() is not None or starts(tendd) > 0)
        if traced.poll() is None:
            os.killpg(traced.pid, signal.SIGKILL)
            traced.wait()
        tendd.start()
        tendd.until_state("service:only", "ready")
        until(lambda: starts(tendd) > 0)
        assert tendd.stop() == 0
        assert not (tendd.root / "twice").exists()
        assert starts(tendd) == 1
        (tendd.root / "starts").unlink()


@pytest.mark.parametrize("syscall", ["clone", "setsid", "chdir", "close", "dup2", "sendto", "execve", "prctl", "read"])
def test_keeper_killed_around_a_fork(tendd, syscall):
    """Trap 3, the other side: the keeper, or its child before exec, is killed at such a call; nothing runs twice."""
    tendd.configure(only_one(tendd, rest="setsid sleep 1000 &\nsleep 1000"))
    tendd.run.mkdir()
    tendd.environment["ASAN_OPTIONS"] = "detect_leaks=0"
    for nth in range(1, 6):
        traced = subprocess.Popen(
            ["strace", "-f", "-o", "/dev/null", "-e", "trace=" + syscall, "-e",
             "inject=%s:signal=KILL:when=%d" % (syscall, nth), str(bin_folder() / "tend-keeper"),
             str(tendd.keeper_socket)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=tendd.environment,
            start_new_session=True)
        until(lambda: traced.poll() is not None or tendd.keeper_pid())
        tendd.start()
        tendd.until_state("service:only", "ready", "failed")
        keeper = tendd.keeper_pid()
        if keeper and traced.poll() is None:
            os.kill(keeper, signal.SIGKILL)  # under strace each child of it would meet the same
            traced.wait()
        tendd.until(lambda: is_alive(pid_of(tendd, "only") or 0) and starts(tendd) > 0, "a service that lives")
        assert tendd.stop() == 0
        until(lambda: tendd.keeper_pid() is None, "the end of the keeper")
        assert not (tendd.root / "twice").exists()
        (tendd.root / "starts").unlink()


# ---- the keeper dies ----


@pytest.mark.parametrize("without", ["", "cgroup,cgroup.kill,pidfd"])
def test_a_killed_keeper(tendd, without):
    """Everything of it ends, also what left its session, and only then starts again."""
    tendd.environment["TEND_WITHOUT"] = without
    rest = "setsid sh -c 'sleep 1000 & sleep 1000' &\nsetsid sleep 1000 &\nsleep 1000"
    tendd.configure(only_one(tendd, rest=rest)).start()
    for round_number in range(1, 6):
        tendd.until_state("service:only", "ready")
        until(lambda: starts(tendd) == round_number, "start %d" % round_number)
        pid = pid_of(tendd, "only")
        os.kill(tendd.keeper_pid(), signal.SIGKILL)
        tendd.until(lambda: pid_of(tendd, "only") not in (None, pid), "another pid")
    assert not (tendd.root / "twice").exists()
    assert tendd.service_part("only")["exit"]["class"] == "unknown"
    assert tendd.stop() == 0


def test_both_are_killed(tendd):
    """The next tendd finds the record, but no keeper that knows it: what is left is ended first."""
    tendd.configure(only_one(tendd, rest="setsid sleep 1000 &\nsleep 1000")).start()
    tendd.until_state("service:only", "ready")
    until(lambda: starts(tendd) == 1)
    keeper = tendd.keeper_pid()
    tendd.kill()
    os.kill(keeper, signal.SIGKILL)
    tendd.start()
    until(lambda: starts(tendd) == 2, "the second start")
    tendd.until_state("service:only", "ready")
    assert not (tendd.root / "twice").exists()


def test_a_lost_ledger(tendd):
    """Without a record the keeper still knows: the service is taken up as it is."""
    tendd.configure(only_one(tendd)).start()
    tendd.until_state("service:only", "ready")
    pid = pid_of(tendd, "only")
    tendd.kill()
    for path in tendd.state.glob("ledger.db*"):
        path.unlink()
    tendd.start()
    tendd.until(lambda: pid_of(tendd, "only") == pid, "the same pid")
    assert starts(tendd) == 1 and not (tendd.root / "twice").exists()


def test_removed_while_tendd_was_away(tendd):
    tendd.configure(service("gone", "sleep 1000") + service("stays", "sleep 1000")).start()
    tendd.until_state("service:gone", "ready")
    tendd.until_state("service:stays", "ready")
    gone, stays = pid_of(tendd, "gone"), pid_of(tendd, "stays")
    tendd.kill()
    tendd.configure(service("stays", "sleep 1000")).start()
    until(lambda: not is_alive(gone), "the end of a service that was removed")
    assert is_alive(stays) and pid_of(tendd, "stays") == stays


# ---- birth ----

STATE = ("cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt|Umask)'; ls /proc/self/fd | tr '\\n' ' '; echo; "
         "readlink /proc/self/fd/0; cat /proc/self/limits | grep -vE 'core file'; cat /proc/self/oom_score_adj; "
         "env | grep -vE '^(TEND_RUN|PWD|_|SHLVL|OLDPWD)=' | sort; sleep 1000")


def test_born_clean_wherever_tendd_comes_from(tendd):
    """Trap 5: started from a shell that had closed, ignored and lowered all sorts of things, or from a clean one."""
    told = []
    for dirty in False, True:
        tendd.configure(service("born", STATE))
        environment = dict(tendd.environment)
        if dirty:
            tendd.environment.update(NOTIFY_SOCKET="/nonexistent", WATCHDOG_USEC="1", LISTEN_FDS="1", JOURNAL_STREAM="1:2",
                                     CREDENTIALS_DIRECTORY="/x", INVOCATION_ID="i", STATE_DIRECTORY="/y",
                                     DBUS_SESSION_BUS_ADDRESS="z")
            command = tendd.command()
            tendd.command = lambda: ["/bin/sh", "-c", "umask 077; trap '' HUP PIPE USR1 USR2 QUIT; exec 7</dev/null 8</dev/null; "
                                     "exec " + shlex.join(command)]
        tendd.start()
        tendd.until_state("service:born", "ready")
        tendd.until(lambda: "USER=" in log_of(tendd, "born"))
        told.append("\n".join(texts_of(tendd, "born")))
        if dirty:
            del tendd.command
        tendd.environment = environment
        assert tendd.stop() == 0
        (tendd.logs / "born.log").unlink()
    assert told[0] == told[1]
    assert "Umask:\t0022\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n" in told[0]
    assert "\n0 1 2 3 \n/dev/null\n" in told[0]
    names = {line.split("=")[0] for line in told[0].splitlines() if re.match("[A-Z_]+=", line)}
    assert names - {"TZ", "XDG_RUNTIME_DIR"} == {"HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "TEND_UNIT"}


def test_user_environment_and_the_rest(tendd):
    os.chmod(tendd.root, 0o755)
    (tendd.root / "env").write_text("# mine\nA=file\nexport B=\"two words\"\n")
    tendd.configure(service("who", "id -un; id -gn; id -G; echo $HOME $USER $A $B $C $T; echo $PATH; umask; nice; ulimit -n; pwd; "
                                   "echo again >/dev/stdout; sleep 1000",
                            user="games", environment_file=tendd.root / "env", environment="A=own\n  C=c d",
                            path="/opt/x/bin", umask="027", nice=5, limit_nofile=99, directory="/usr"),
                    tend="environment = T=tend\n  A=tend\npath = /opt/tend/bin\n").start()
    tendd.until(lambda: "again" in log_of(tendd, "who"))
    said = texts_of(tendd, "who")
    groups = subprocess.run(["id", "-G", "games"], capture_output=True, text=True, check=True).stdout.strip()
    assert said == ["games", "games", groups, "/usr/games games own two words c d tend",
                    "/opt/x/bin:/opt/tend/bin:/usr/local/bin:/usr/bin:/bin", "0027", "5", "99", "/usr", "again"]


@pytest.mark.parametrize("keys, says", [
    ("command = jupyter-not-here", "cannot run 'jupyter-not-here': not found in PATH "),
    ("command = /no/such/thing", "cannot run '/no/such/thing': no such file"),
    ("command = true\ndirectory = /no/such/folder", "cannot enter its directory '/no/such/folder'"),
    ("command = true\nuser = nobody-of-that-name", "there is no user 'nobody-of-that-name'"),
    ("command = true\ngroup = nogroup-of-that-name", "there is no group 'nogroup-of-that-name'"),
    ("command = true\nenvironment_file = /no/such/file", "cannot open environment_file '/no/such/file'"),
])
def test_what_cannot_run_says_why(tendd, keys, says):
    tendd.configure("[service bad]\nnetwork = no\nrestart_delay = 1h\nrestart_max_delay = 1h\n%s\n" % keys).start()
    unit = tendd.until_state("service:bad", "failed")
    assert says in unit["detail"] and "next try at " in unit["detail"]
    assert unit["service"]["exit"]["class"] == "exec_error"
    assert unit["service"]["next_try"]


# ---- restarts ----


def test_delay_doubles_and_nothing_gives_up(tendd):
    tendd.configure(service("crash", "echo x; exit 1", restart_delay="10ms", restart_max_delay="80ms")).start()
    tendd.until(lambda: tendd.service_part("crash")["restarts"] >= 8, "eight restarts")
    part = tendd.service_part("crash")
    assert part["failures"] >= 8
    assert len(texts_of(tendd, "crash")) >= 8


def test_give_up_and_start_again(tendd):
    tendd.configure(service("crash", "echo x; exit 3", restart_delay="5ms", give_up_after=3)).start()
    unit = tendd.until_state("service:crash", "failed")
    unit = tendd.until(lambda: (tendd.service_part("crash")["state"] == "failed" and tendd.unit("service:crash")))
    assert "exit code 3; gave up after 3 failures in a row" in unit["detail"]
    assert len(texts_of(tendd, "crash")) == 3
    tendd.post("/v1/units/service:crash/start")
    tendd.until(lambda: len(texts_of(tendd, "crash")) == 6, "three more tries")
    tendd.until(lambda: tendd.service_part("crash")["state"] == "failed", "failed again")
    tendd.kill()
    tendd.start()
    tendd.until(lambda: len(texts_of(tendd, "crash")) == 9, "another tendd tries as often")
    tendd.until(lambda: tendd.service_part("crash")["state"] == "failed", "failed again")
    assert "gave up after 3 failures in a row" in tendd.unit("service:crash")["detail"]


@pytest.mark.parametrize("keys, code, state", [
    ({"restart": "on-failure"}, 0, "done"),
    ({"restart": "on-failure", "ok_exit": "0 4"}, 4, "done"),
    ({"restart": "on-failure"}, 4, "delayed"),
    ({"restart": "never"}, 0, "done"),
    ({"restart": "never"}, 4, "failed"),
    ({"restart": "always"}, 0, "delayed"),
    ({"restart": "always", "no_restart_exit": "4"}, 4, "failed"),
    ({"restart": "always", "ok_exit": "0 4", "no_restart_exit": "4"}, 4, "done"),
])
def test_what_comes_after_an_exit(tendd, keys, code, state):
    tendd.configure(service("one", "exit %d" % code, restart_delay="1h", restart_max_delay="1h", **keys)).start()
    tendd.until(lambda: tendd.service_part("one")["state"] == state, state)


def test_a_task_runs_once_a_boot(tendd):
    tendd.configure(service("task", "echo ran", restart="never") + service("next", "sleep 1000", requires="service:task")).start()
    tendd.until_state("service:next", "ready")
    for _ in range(2):
        assert tendd.stop() == 0
        tendd.start()
        tendd.until_state("service:next", "ready")
    assert texts_of(tendd, "task") == ["ran"]
    tendd.post("/v1/units/service:task/start")
    tendd.until(lambda: texts_of(tendd, "task") == ["ran", "ran"], "the task once more")


@pytest.mark.parametrize("keys, runs_again", [({"restart": "on-failure"}, False),
                                              ({"restart": "always", "ok_exit": "4", "no_restart_exit": "4"}, False),
                                              ({"restart": "always", "restart_delay": "1h", "restart_max_delay": "1h"}, True)])
def test_what_ended_well_stays_ended(tendd, keys, runs_again):
    """A training that is through is not begun anew since tendd was killed or upgraded; after a stop of all it is."""
    code = 4 if "ok_exit" in keys else 0
    tendd.configure(service("training", "echo ran; exit %d" % code, **keys)).start()
    ends = "delayed" if runs_again else "done"
    for times in (1, 2) if runs_again else (1, 1, 1):
        tendd.until(lambda: tendd.service_part("training")["state"] == ends, ends)
        assert texts_of(tendd, "training") == ["ran"] * times
        tendd.kill()
        tendd.start()
    if not runs_again:
        assert tendd.stop() == 0
        tendd.start()
        tendd.until(lambda: texts_of(tendd, "training") == ["ran", "ran"], "a new run after a stop of all")


def test_a_stop_by_hand_is_remembered(tendd):
    tendd.configure(service("s", "sleep 1000")).start()
    tendd.until_state("service:s", "ready")
    tendd.post("/v1/units/service:s/stop")
    tendd.until_state("service:s", "down")
    tendd.kill()
    tendd.start()
    assert tendd.unit("service:s")["detail"] == "stopped by hand"
    assert tendd.service_part("s")["stopped"] and not pid_of(tendd, "s")
    tendd.post("/v1/units/service:s/start")
    tendd.until_state("service:s", "ready")
    assert not tendd.service_part("s")["stopped"]


# ---- stopping ----


def test_a_grandchild_that_holds_the_log(tendd):
    """Trap 8: a double fork keeps stdout open; stop ends all the same, and leaves nothing."""
    tendd.configure(service("fork", "setsid sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 0.1; done' & exec sleep 1000",
                            stop_timeout="1s")).start()
    tendd.until(lambda: "child" in log_of(tendd, "fork"))
    child = int(texts_of(tendd, "fork")[0].split()[1])
    tendd.post("/v1/units/service:fork/stop")
    tendd.until_state("service:fork", "down")
    assert not is_alive(child)


def test_stop_signal_then_kill(tendd):
    tendd.configure(service("deaf", "trap 'echo int' INT; trap '' TERM; echo up; while :; do sleep 0.05; done",
                            stop_signal="INT", stop_timeout="500ms")).start()
    tendd.until(lambda: "up" in log_of(tendd, "deaf"))
    tendd.post("/v1/units/service:deaf/stop")
    tendd.until_state("service:deaf", "down")
    assert "int" in texts_of(tendd, "deaf")
    assert tendd.service_part("deaf")["exit"]["signal"] == signal.SIGKILL


# ---- logs ----


def test_lines_as_people_meant_them(tendd):
    script = r"printf 'one\ntwo'; sleep 1.5; printf '\n'; printf '10%%\r50%%\r100%%\nwin\r\n'; " \
             r"head -c 40000 /dev/zero | tr '\0' x; echo; printf 'tail without end'; exit 0"
    tendd.configure(service("talk", script, restart="never")).start()
    tendd.until_state("service:talk", "ready")
    lines = log_of(tendd, "talk").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in lines)
    texts = texts_of(tendd, "talk")
    assert texts[:4] == ["one", "two", "100%", "win"]
    assert [len(text) for text in texts[4:7]] == [16384, 16384, 40000 - 2 * 16384]
    assert texts[7:] == ["tail without end"]
    assert stat.S_IMODE((tendd.logs / "talk.log").stat().st_mode) & 0o007 == 0


def test_a_gigabyte_on_one_line(tendd):
    """Trap 9: memory and log stay bounded."""
    tendd.configure(service("bar", "yes 0123456789012345678901234567890123456789012345678901234567890 | tr '\\n' '\\r' | head -c 1073741824; "
                                   "echo; echo end", restart="never")).start()

    def peak():
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/%d/status" % tendd.pid).read_text()).group(1))
    before = peak()
    tendd.until(lambda: tendd.unit("service:bar")["state"] == "ready", "the end of it", patience=300)
    assert texts_of(tendd, "bar")[-1] == "end"
    assert (tendd.logs / "bar.log").stat().st_size < 1 << 20
    assert peak() - before < 48 << 10


def test_rotation_loses_nothing(tendd):
    tendd.configure(service("many", "seq 1 200000", restart="never", log_max_size="1MiB", log_keep=20)).start()
    tendd.until_state("service:many", "ready")
    tendd.until(lambda: not list(tendd.logs.glob("many.log.1")), "the last one packed")
    old = sorted(tendd.logs.glob("many.log.*.gz"), key=lambda path: -int(path.name.split(".")[2]))
    assert len(old) >= 5
    text = ""
    for path in old:
        with gzip.open(path, "rt") as packed:
            part = packed.read()
        assert part.endswith("\n") and len(part) <= 1 << 20
        text += part
    text += log_of(tendd, "many")
    assert [int(line.split()[1]) for line in text.splitlines()] == list(range(1, 200001))


def test_old_logs_go(tendd):
    tendd.configure(service("many", "seq 1 200000", restart="never", log_max_size="256KiB", log_keep=2)).start()
    tendd.until_state("service:many", "ready")
    tendd.until(lambda: not list(tendd.logs.glob("many.log.1")), "the last one packed")
    assert sorted(path.name for path in tendd.logs.glob("many*")) == ["many.log", "many.log.1.gz", "many.log.2.gz"]


def test_a_log_that_cannot_be_written(tendd):
    """The service goes on; what could not be kept is counted; it is written again once that is possible."""
    tendd.logs.mkdir()
    (tendd.logs / "loud.log").mkdir()  # in the way, also for root
    tendd.configure(service("loud", "i=0; while :; do i=$((i+1)); echo $i %s; done" % ("x" * 200), log_max_size="none")).start()
    tendd.until_state("service:loud", "ready")
    tendd.until(lambda: tendd.service_part("loud")["log_lost_lines"] > 0, "lost lines")
    (tendd.logs / "loud.log").rmdir()
    tendd.until(lambda: "lines could not be written here" in log_of(tendd, "loud"), "the log once more")


def test_logs_command_follows_over_a_rotation(tendd):
    tendd.configure(service("tick", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.001; done", log_max_size="8KiB")).start()
    tendd.until(lambda: "\n" in log_of(tendd, "tick"))
    follow = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(tendd.ini), "logs", "-f", "-n", "5", "tick"],
                              stdout=subprocess.PIPE, text=True, env=tendd.environment)
    try:
        numbers = [int(follow.stdout.readline().split()[1]) for _ in range(1500)]
    finally:
        follow.kill()
        follow.wait()
        follow.stdout.close()
    assert numbers == list(range(numbers[0], numbers[0] + 1500))


def test_a_look_at_a_log_ends(tendd):
    """However fast the service writes meanwhile: the lines asked for, and no more."""
    tendd.configure(service("loud", "while :; do echo one; done", log_max_size="none")).start()
    tendd.until(lambda: len(texts_of(tendd, "loud")) > 100, "some lines")
    for _ in range(10):
        shown = tendd.tend("logs", "-n", "3", "loud")
        assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 3


def test_a_log_that_is_deleted(tendd):
    """By a person, or a cleaning job: it begins anew by itself, and the service notices nothing."""
    tendd.configure(service("tick", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")).start()
    tendd.until(lambda: "\n" in log_of(tendd, "tick"), "a line")
    pid = pid_of(tendd, "tick")
    (tendd.logs / "tick.log").unlink()
    tendd.until(lambda: len(texts_of(tendd, "tick")) > 10, "the log once more")
    numbers = [int(text) for text in texts_of(tendd, "tick") if text.isdigit()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert pid_of(tendd, "tick") == pid
    shown = tendd.tend("logs", "-n", "3", "tick")
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 3
