"""Steps bring a machine up: what is so is not touched, what a person changed is held, and a crash in the middle is gone on from."""

import contextlib
import hashlib
import http.server
import io
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tarfile
import threading

import pytest

from control import FIELDS
from tend import Stream, is_alive

SETTLED = ("ready", "failed")


def step(name, **keys):
    lines = "".join("%s = %s\n" % (key.rstrip("_"), str(value).replace("\n", "\n\t")) for key, value in keys.items())
    return "[step %s]\n%s" % (name, lines)


def settle(tendd, name, *states):
    return tendd.until_state("step:" + name, *(states or SETTLED))


def part(tendd, name):
    return tendd.unit("step:" + name)["step"]


def log_of(tendd, name):
    path = tendd.logs / "steps" / (name + ".log")
    return path.read_text() if path.exists() else ""


def events(tendd, name):
    answer = tendd.get("/v1/history?unit=step:%s" % name)
    return [event["event"] for event in answer["events"]][::-1]


def restart(tendd):
    assert tendd.stop() == 0
    tendd.start()


# ---- run ----


def test_a_command_runs_once_for_each_definition(tendd):
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo one >>%s; echo said" % marks)).start()
    assert settle(tendd, "a")["state"] == "ready"
    assert marks.read_text() == "one\n"
    assert re.search(r"^\d{4}-\d\d-\d\dT\S+Z said$", log_of(tendd, "a"), re.M)
    assert events(tendd, "a") == ["started", "done"]
    restart(tendd)
    assert settle(tendd, "a")["detail"] == "done"
    assert marks.read_text() == "one\n"
    # What says when, not what, is no other definition.
    tendd.configure(step("a", run="echo one >>%s; echo said" % marks, timeout="5m", retries="1"))
    assert tendd.reload()["changes"] == ["step:a live (timeout, retries)"]
    tendd.configure(step("a", run="echo two >>%s" % marks))
    assert tendd.reload()["changes"] == ["step:a restart (run, timeout, retries)"]
    tendd.until(lambda: marks.read_text() == "one\ntwo\n", "the second run")
    settle(tendd, "a")
    # A section that goes and comes back is not done twice.
    tendd.configure("")
    assert tendd.reload()["changes"] == ["step:a removed"]
    tendd.until(lambda: tendd.get("/v1/units/step:a").status == 404, "its end")
    tendd.configure(step("a", run="echo two >>%s" % marks))
    tendd.reload()
    assert settle(tendd, "a")["state"] == "ready"
    assert marks.read_text() == "one\ntwo\n"


def test_its_environment(tendd):
    out = tendd.root / "out"
    tendd.configure(step("a", run="env >%s; pwd >>%s; umask >>%s; cat >>%s" % ((out,) * 4), environment="COLOUR=blue"),
                    tend="path = /opt/here\nenvironment = PLACE=all\n").start()
    assert settle(tendd, "a")["state"] == "ready"
    text = out.read_text()
    for line in ("HOME=", "USER=", "COLOUR=blue", "PLACE=all", "PATH=/opt/here:", "TEND_UNIT=step:a"):
        assert re.search("^" + line, text, re.M), text
    assert "NOTIFY_SOCKET" not in text and text.rstrip().endswith("0022")


def test_creates_and_unless(tendd):
    there = tendd.root / "there"
    there.write_text("")
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo a >>%s" % marks, creates=there) +
                    step("b", run="echo b >>%s" % marks, unless="test -e %s # is it?" % there) +
                    step("c", run="echo c >>%s" % marks, unless="test ! -e %s" % there)).start()
    for name in "abc":
        assert settle(tendd, name)["state"] == "ready"
    assert marks.read_text() == "c\n"
    assert part(tendd, "a")["why"] == "what it creates is there"
    assert events(tendd, "a") == []
    assert "already so" in log_of(tendd, "b")


def test_it_fails_and_is_tried_again(tendd):
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s\nfalse\necho never" % marks, retries=0) +
                    step("b", run="test -e %s && exit 0; touch %s; exit 3" % ((tendd.root / "b",) * 2), retries=5) +
                    "[service after]\ncommand = sleep 1000\nafter = step:a\nnetwork = no\n"
                    "[service requires]\ncommand = sleep 1000\nrequires = step:a\nnetwork = no\n").start()
    unit = settle(tendd, "a")
    assert unit["state"] == "failed" and "exit code 1" in unit["detail"] and "tend run a" in unit["detail"]
    assert "never" not in log_of(tendd, "a")
    tendd.until_state("service:after", "ready")
    assert tendd.unit("service:requires")["waits_for"] == ["step:a"]
    assert tendd.tend("status").returncode == 1
    assert settle(tendd, "b")["state"] == "ready"
    assert events(tendd, "a") == ["started", "failed", "gave up"]


def test_a_timeout_ends_all_of_it(tendd):
    pid = tendd.root / "pid"
    tendd.configure(step("a", run="sleep 1000 & echo $! >%s; trap '' TERM; wait; wait" % pid, timeout="300ms", retries=0)).start()
    unit = settle(tendd, "a")
    assert unit["state"] == "failed" and "not done within 300ms" in unit["detail"]
    assert not is_alive(int(pid.read_text()))


def test_what_a_command_leaves_behind_ends_with_it(tendd):
    pid = tendd.root / "pid"
    tendd.configure(step("a", run="setsid sleep 1000 & echo $! >%s" % pid)).start()
    assert settle(tendd, "a")["state"] == "ready"
    assert not is_alive(int(pid.read_text()))


@pytest.mark.parametrize("how", ["kill", "keep"])
def test_a_command_outlives_tendd(tendd, how):
    """kill -9, or a restart that keeps services: the same run goes on, and what it wrote meanwhile is in its log."""
    go, marks = tendd.root / "go", tendd.root / "marks"
    tendd.configure(step("a", run="echo begun >>%s; while ! test -e %s; do sleep 0.1; done; echo end; echo ended >>%s" % (
        marks, go, marks))).start()
    tendd.until(lambda: marks.exists() and part(tendd, "a")["pid"], "its command")
    pid = part(tendd, "a")["pid"]
    if how == "kill":
        tendd.kill()
    else:
        tendd.post("/v1/stop", {"services": "keep"})
        assert tendd.wait() == 0
    assert is_alive(pid)
    tendd.start()
    tendd.until(lambda: part(tendd, "a")["state"] == "running", "it taken up")
    assert part(tendd, "a")["pid"] == pid
    go.write_text("")
    assert settle(tendd, "a")["state"] == "ready"
    assert marks.read_text() == "begun\nended\n"
    assert re.search("Z end$", log_of(tendd, "a"), re.M)


def test_it_ends_while_tendd_is_away(tendd):
    go, marks = tendd.root / "go", tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s; while ! test -e %s; do sleep 0.1; done; exit 7" % (marks, go), retries=0)).start()
    tendd.until(lambda: marks.exists() and part(tendd, "a")["pid"], "its command")
    pid = part(tendd, "a")["pid"]
    tendd.kill()
    go.write_text("")
    tendd.until(lambda: not is_alive(pid), "its end")
    tendd.start()
    assert "exit code 7" in settle(tendd, "a")["detail"]
    assert marks.read_text() == "x\n"


def test_the_keeper_dies_with_it(tendd):
    """How it ended is not known then: it is tried again."""
    go, marks = tendd.root / "go", tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s; while ! test -e %s; do sleep 0.1; done" % (marks, go))).start()
    tendd.until(lambda: marks.exists() and part(tendd, "a")["pid"], "its command")
    pid = part(tendd, "a")["pid"]
    os.kill(tendd.keeper_pid(), signal.SIGKILL)
    tendd.until(lambda: not is_alive(pid), "its end")
    go.write_text("")
    assert settle(tendd, "a")["state"] == "ready"
    assert marks.read_text() == "x\nx\n"
    assert events(tendd, "a")[:2] == ["started", "failed"]


def test_a_stop_ends_it_and_the_next_start_begins_anew(tendd):
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s; sleep 1000" % marks)).start()
    tendd.until(lambda: marks.exists() and part(tendd, "a")["pid"], "its command")
    pid = part(tendd, "a")["pid"]
    assert tendd.stop() == 0
    assert not is_alive(pid)
    tendd.start()
    tendd.until(lambda: marks.read_text() == "x\nx\n", "the second run")
    assert part(tendd, "a")["tries"] == 1


def test_a_step_that_leaves_the_file_is_ended(tendd):
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s; sleep 1000" % marks)).start()
    tendd.until(lambda: marks.exists() and part(tendd, "a")["pid"], "its command")
    pid = part(tendd, "a")["pid"]
    tendd.configure("")
    tendd.reload()
    tendd.until(lambda: tendd.get("/v1/units/step:a").status == 404, "its end")
    assert not is_alive(pid)


# ---- the graph ----


def test_folders_steps_and_services_in_one_graph(tendd):
    """folder restored -> step -> service, and a second step behind the first."""
    (tendd.folder("remote") / "data").mkdir()
    (tendd.root / "remote/data/notebook").write_text("1 + 1\n")
    out = tendd.root / "out"
    tendd.configure(
        "[remote disk]\ntype = directory\npath = %s/remote\n[folder data]\npath = %s/data\nremote = disk:data\n" % ((tendd.root,) * 2) +
        step("second", run="cat %s >>%s" % (tendd.root / "first", out), requires="step:first") +
        step("first", run="cat %s/data/notebook >%s" % (tendd.root, tendd.root / "first"), requires="folder:data network") +
        "[service s]\ncommand = sh -c 'cat %s; sleep 1000'\nrequires = step:second\nnetwork = no\n" % out).start()
    tendd.until_state("service:s", "ready")
    assert out.read_text() == "1 + 1\n"


def test_a_folder_of_a_user_that_a_step_makes(tendd):
    """On a bare machine the configuration is good before the user is there."""
    tendd.folder("data")
    tendd.configure("[remote disk]\ntype = directory\npath = %s/remote\n"
                    "[folder data]\npath = %s/data\nremote = disk:data\nuser = not-yet-there\nrequires = step:a\n"
                    "[service s]\ncommand = true\nuser = not-yet-there\n" % ((tendd.root,) * 2) +
                    step("a", user="not-yet-there"))
    got = tendd.run_to_end("--check")
    assert got.returncode == 0, got.stderr


def test_units_that_are_not_there_and_circles(tendd):
    tendd.configure(step("a", run="true", after="step:b") + step("b", run="true", requires="step:a step:nobody"))
    got = tendd.run_to_end("--check")
    assert got.returncode == 2
    assert "unknown unit 'step:nobody'" in got.stderr
    tendd.configure(step("a", run="true", after="step:b") + step("b", run="true", requires="step:a"))
    got = tendd.run_to_end("--check")
    assert got.returncode == 2 and "waits for itself" in got.stderr


# ---- file and link ----


def test_a_file_is_written_kept_and_held(tendd):
    path = tendd.root / "deep/er/tmux.conf"
    tendd.configure(step("conf", file=path, content="\nset -g mouse on\n# second", mode="0600")).start()
    assert settle(tendd, "conf")["state"] == "ready"
    assert path.read_text() == "set -g mouse on\n# second\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat()
    restart(tendd)
    assert settle(tendd, "conf")["detail"] == "as it is wanted"
    assert path.stat() == before or path.stat().st_ino == before.st_ino
    assert events(tendd, "conf") == ["done"]
    # Its mode is mended, without a new file's content.
    path.chmod(0o644)
    restart(tendd)
    settle(tendd, "conf")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # A person changes it: held, whatever tendd does.
    path.write_text("set -g mouse off\n")
    restart(tendd)
    unit = settle(tendd, "conf")
    assert unit["state"] == "ready" and unit["step"]["state"] == "held" and unit["needs_person"]
    assert tendd.tend("status").returncode == 5
    assert path.read_text() == "set -g mouse off\n"
    # A new definition does not take it either.
    tendd.configure(step("conf", file=path, content="third", mode="0600"))
    tendd.reload()
    tendd.until(lambda: part(tendd, "conf")["state"] == "held", "held again")
    assert path.read_text() == "set -g mouse off\n"
    got = tendd.tend("run", "conf")
    assert got.returncode == 0 and "before-tend.1" in got.stdout, got
    assert path.read_text() == "third\n"
    assert (path.parent / "tmux.conf.before-tend.1").read_text() == "set -g mouse off\n"
    # Ours again: the next definition simply takes its place.
    tendd.configure(step("conf", file=path, content="fourth", mode="0600"))
    tendd.reload()
    tendd.until(lambda: path.read_text() == "fourth\n", "the fourth")
    assert sorted(os.listdir(path.parent)) == ["tmux.conf", "tmux.conf.before-tend.1"]


def test_another_file_in_its_place_is_kept_beside(tendd):
    source, path = tendd.root / "source", tendd.root / "there"
    source.write_bytes(b"from a file\n\x00\xff")
    path.write_text("somebody's\n")
    path.chmod(0o640)
    tendd.configure(step("a", file=path, source=source)).start()
    assert settle(tendd, "a")["state"] == "ready"
    assert path.read_bytes() == source.read_bytes()
    assert (tendd.root / "there.before-tend").read_text() == "somebody's\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.unlink()
    restart(tendd)
    settle(tendd, "a")
    assert path.read_bytes() == source.read_bytes()


def test_a_link_of_somebody_is_never_written_through(tendd):
    outside, path = tendd.root / "outside", tendd.root / "there"
    outside.write_text("not ours\n")
    path.symlink_to(outside)
    tendd.configure(step("a", file=path, content="ours")).start()
    assert settle(tendd, "a")["state"] == "ready"
    assert outside.read_text() == "not ours\n" and path.read_text() == "ours\n" and not path.is_symlink()
    assert os.readlink(tendd.root / "there.before-tend") == str(outside)


def test_a_folder_in_its_place(tendd):
    path = tendd.folder("there")
    tendd.configure(step("a", file=path, content="x", retries=0) + step("b", link=path, target="/x", retries=0)).start()
    for name in "ab":
        assert "is a folder" in settle(tendd, name)["detail"]
    assert path.is_dir()


def test_as_another_user(tendd):
    """With that user's rights alone: what leads out of its folder is not followed, and nobody else's is written."""
    nobody = pwd.getpwnam("nobody")
    tendd.root.chmod(0o755)
    home, closed, out = tendd.folder("home"), tendd.folder("closed"), tendd.root / "out"
    out.touch()
    for path in (home, out):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    closed.chmod(0o755)
    (home / "trap").symlink_to(closed)
    tendd.configure(step("a", file=home / "sub/file", content="x", as_="nobody") +
                    step("trap", file=home / "trap/file", content="x", as_="nobody", retries=0) +
                    step("closed", file=closed / "file", content="x", as_="nobody", retries=0) +
                    step("owned", file=closed / "owned", content="x", owner="nobody:root", mode="0640") +
                    step("run", run="id -u >%s; echo $HOME >>%s" % (out, out), as_="nobody")).start()
    for name in ("a", "owned", "run"):
        assert settle(tendd, name)["state"] == "ready", tendd.unit("step:" + name)
    for path in (home / "sub", home / "sub/file"):
        assert (path.stat().st_uid, path.stat().st_gid) == (nobody.pw_uid, nobody.pw_gid)
    for name in ("trap", "closed"):
        assert settle(tendd, name)["state"] == "failed"
    assert sorted(os.listdir(closed)) == ["owned"]
    found = (closed / "owned").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (nobody.pw_uid, 0, 0o640)
    assert out.read_text().split() == [str(nobody.pw_uid), nobody.pw_dir]


def test_links(tendd):
    link, other = tendd.root / "deep/link", tendd.root / "other"
    other.write_text("somebody's\n")
    tendd.configure(step("a", link=link, target="../remote") + step("b", link=other, target="/nowhere")).start()
    for name in "ab":
        assert settle(tendd, name)["state"] == "ready"
    assert os.readlink(link) == "../remote" and os.readlink(other) == "/nowhere"
    assert (tendd.root / "other.before-tend").read_text() == "somebody's\n"
    link.unlink()
    link.symlink_to("elsewhere")
    other.unlink()
    restart(tendd)
    for name in "ab":
        settle(tendd, name)
    assert os.readlink(link) == "elsewhere" and part(tendd, "a")["state"] == "held"
    assert os.readlink(other) == "/nowhere"
    assert tendd.tend("run", "step:a").returncode == 0
    assert os.readlink(link) == "../remote"


# ---- plan, run, logs, status ----


def test_plan_with_and_without_tendd(tendd):
    path, secret, marks = tendd.root / "conf", tendd.root / "secret", tendd.root / "marks"
    path.write_text("one\ntwo\nthree\n")
    secret.write_text("password\n")
    secret.chmod(0o600)
    tendd.configure(step("conf", file=path, content="\none\n2\nthree") + step("key", file=secret, content="other") +
                    step("mark", run="echo x >>%s" % marks) + step("off", run="false", enabled="no") +
                    "[service last]\ncommand = sleep 1000\nrequires = step:conf\n")
    got = tendd.tend("plan")
    assert got.returncode == 0, got
    assert re.search(r"^would run +step:conf +file %s: another one is there$" % path, got.stdout, re.M), got.stdout
    assert "    -two\n    +2\n" in got.stdout and "password" not in got.stdout
    assert re.search(r"^would run +step:mark +run .*: not done yet$", got.stdout, re.M)
    order = got.stdout.partition("order of a start")[2].splitlines()[1:]
    assert [line.split()[:2] for line in order] == [
        ["1", "network"], ["1", "step:conf"], ["1", "step:key"], ["2", "step:mark"], ["2", "step:off"], ["2", "service:last"]], order
    assert order[4].endswith("after network; not enabled") and order[5].endswith("requires step:conf; after network")
    assert path.read_text() == "one\ntwo\nthree\n" and not marks.exists() and not tendd.state.exists()
    tendd.start()
    for name in ("conf", "mark"):
        settle(tendd, name)
    path.write_text("mine\n")
    with_daemon = tendd.tend("plan")
    assert re.search(r"^held +step:conf", with_daemon.stdout, re.M) and "    -mine\n" in with_daemon.stdout
    assert re.search(r"^is so +step:mark .*: done$", with_daemon.stdout, re.M)
    assert [one["verdict"] for one in tendd.get("/v1/plan")["steps"]] == ["held", "so", "so", "todo"]
    tendd.stop()
    assert tendd.tend("plan").stdout == with_daemon.stdout
    assert path.read_text() == "mine\n"


def test_a_plan_of_a_bad_configuration(tendd):
    tendd.configure(step("a", run="true") + "nonsense = 1\n")
    got = tendd.tend("plan")
    assert got.returncode == 2 and got.stdout == "" and "unknown key 'nonsense'" in got.stderr
    assert "mend it" in got.stderr.splitlines()[-1]


def test_fields_of_the_api(tendd):
    tendd.configure(step("a", run="true")).start()
    settle(tendd, "a")
    assert set(FIELDS["step"]) <= part(tendd, "a").keys()
    assert set(FIELDS["plan"]) == tendd.get("/v1/plan")["steps"][0].keys()
    assert tendd.post("/v1/units/step:nobody/run").status == 404
    assert tendd.post("/v1/units/network/run").status == 400
    assert tendd.post("/v1/units/step:a/run")["unit"]["unit"] == "step:a"


def test_run_by_hand_shows_what_it_writes(tendd):
    marks = tendd.root / "marks"
    tendd.configure(step("a", run="echo x >>%s; printf 'half %%s\\rwhole\\nno end' 1" % marks, creates="/") +
                    step("bad", run="echo out; echo err >&2; exit 4", retries=0, enabled="no") +
                    step("waits", run="echo done", requires="step:bad")).start()
    settle(tendd, "a")
    assert not marks.exists()
    got = tendd.tend("run", "a")
    assert (got.returncode, got.stdout) == (0, "whole\nno end\ntend: done\nstep:a: done\n"), got
    assert marks.read_text() == "x\n"
    got = tendd.tend("run", "bad")
    assert got.returncode == 1 and "out\nerr\n" in got.stdout and "exit code 4" in got.stderr, got
    assert tendd.tend("run", "waits").returncode == 0
    assert tendd.tend("run", "nobody").returncode == 2
    got = tendd.tend("logs", "step:a")
    assert got.returncode == 0 and [line.split(" ", 1)[1] for line in got.stdout.splitlines()] == ["whole", "no end", "tend: done"]
    assert "ordered" in events(tendd, "a")
    got = tendd.tend("status", "step:bad")
    assert "failed" in got.stdout and "exit code 4" in got.stdout


def test_all_that_it_writes_is_in_its_log(tendd):
    tendd.configure(step("a", run="seq 100000; printf end")).start()
    assert settle(tendd, "a")["state"] == "ready"
    said = [line.split(" ", 1)[1] for line in log_of(tendd, "a").splitlines()]
    assert said == [str(number) for number in range(1, 100001)] + ["end", "tend: done"]


def test_a_log_is_followed_live(tendd):
    go = tendd.root / "go"
    tendd.configure(step("a", run="echo begun; while ! test -e %s; do sleep 0.1; done; echo ended" % go)).start()
    tendd.until_state("step:a", "starting")
    with Stream(tendd, "/v1/units/step:a/log?follow=1") as log:
        assert log.line().endswith(" begun")
        go.write_text("")
        assert log.line().endswith(" ended")


def test_another_machine(tendd):
    """An image made from a finished machine builds itself again where it must; what is so stays."""
    import sqlite3
    marks, path = tendd.root / "marks", tendd.root / "file"
    tendd.configure(step("a", run="echo x >>%s" % marks) + step("b", file=path, content="x")).start()
    for name in "ab":
        settle(tendd, name)
    tendd.stop()
    with sqlite3.connect(tendd.state / "ledger.db") as db:
        db.execute("UPDATE step SET machine = 'another'")
    db.close()
    tendd.start()
    tendd.until(lambda: marks.read_text() == "x\nx\n", "the second run")
    settle(tendd, "a")
    assert settle(tendd, "b")["detail"] == "as it is wanted"


def test_a_boot(tendd):
    """`when = boot` runs once a boot; a step that the machine went down under is gone on with, but not for ever."""
    import sqlite3
    marks = tendd.root / "marks"
    tendd.configure(step("boot", run="echo boot >>%s" % marks, when="boot") +
                    step("once", run="echo once >>%s" % marks, after="step:boot")).start()
    for name in ("boot", "once"):
        settle(tendd, name)
    restart(tendd)
    for name in ("boot", "once"):
        settle(tendd, name)
    assert marks.read_text() == "boot\nonce\n"
    tendd.stop()
    with sqlite3.connect(tendd.state / "ledger.db") as db:
        db.execute("UPDATE step SET done_boot = 'before', run_boot = 'before'")
        db.execute("UPDATE step SET run = 'gone', running = definition, definition = '', tries = 2 WHERE unit = 'step:once'")
    db.close()
    tendd.start()
    tendd.until(lambda: marks.read_text() == "boot\nonce\nboot\nonce\n", "both again")
    settle(tendd, "once")
    assert "interrupted" in events(tendd, "once")
    tendd.stop()
    with sqlite3.connect(tendd.state / "ledger.db") as db:
        db.execute("UPDATE step SET run_boot = 'before', run = 'gone', running = definition, definition = '', tries = 4"
                   " WHERE unit = 'step:once'")
    db.close()
    tendd.start()
    unit = settle(tendd, "once")
    assert unit["state"] == "failed" and "interrupted" in unit["detail"]
    assert marks.read_text() == "boot\nonce\nboot\nonce\n"


# ---- git ----


@pytest.fixture
def repository(tendd):
    """With two commits, a branch and a tag."""
    path = tendd.folder("upstream")
    run = git(path)
    run("init", "-q", "-b", "main")
    for number in ("one", "two"):
        (path / "file").write_text(number + "\n")
        run("add", "file")
        run("commit", "-qm", number)
    run("tag", "-a", "first", "-m", "x", "HEAD~1")
    run("branch", "side", "HEAD~1")
    return path


def git(path):
    def run(*words):
        return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(path), *words], check=True,
                              capture_output=True, text=True).stdout.strip()
    return run


def test_git(tendd, repository):
    to = tendd.root / "deep/it's here"
    tendd.configure(step("a", git=repository, to=to)).start()
    assert settle(tendd, "a")["state"] == "ready", log_of(tendd, "a")
    assert (to / "file").read_text() == "two\n" and git(to)("branch", "--show-current") == "main"
    assert os.listdir(to.parent) == ["it's here"]
    (to / "file").write_text("mine\n")
    restart(tendd)
    assert settle(tendd, "a")["detail"] == "it is there"
    assert (to / "file").read_text() == "mine\n" and events(tendd, "a") == ["started", "done"]
    # What somebody works on is not overwritten.
    tendd.configure(step("a", git=repository, to=to, ref="first", retries=0))
    tendd.reload()
    settle(tendd, "a", "failed")
    assert (to / "file").read_text() == "mine\n"
    git(to)("checkout", "-q", "file")
    assert tendd.tend("run", "a").returncode == 0
    assert (to / "file").read_text() == "one\n"
    # A commit that came since is fetched, and one that is named in full is compared.
    (repository / "file").write_text("three\n")
    git(repository)("commit", "-qam", "three")
    commit = git(repository)("rev-parse", "HEAD")
    tendd.configure(step("a", git=repository, to=to, ref=commit))
    tendd.reload()
    tendd.until(lambda: (to / "file").read_text() == "three\n", "the third")
    settle(tendd, "a", "ready")
    git(to)("checkout", "-q", "HEAD~1")
    restart(tendd)
    tendd.until(lambda: (to / "file").read_text() == "three\n", "the third again")
    shutil.rmtree(to)
    restart(tendd)
    tendd.until(lambda: (to / "file").exists() and (to / "file").read_text() == "three\n", "a new clone")


def test_git_leaves_what_is_in_its_place(tendd, repository):
    full, empty, cut = tendd.folder("full"), tendd.folder("empty"), tendd.root / "cut"
    (full / "theirs").write_text("theirs\n")
    (tendd.folder("cut.tend-clone") / "half").write_text("of a clone that was cut off\n")
    tendd.configure("".join(step(to.name, git=repository, to=to, ref="side", retries=0) for to in (full, empty, cut)) +
                    step("none", git=tendd.root / "nowhere", to=tendd.root / "none", retries=0)).start()
    assert settle(tendd, "full")["state"] == "failed" and os.listdir(full) == ["theirs"]
    for to in (empty, cut):
        assert settle(tendd, to.name)["state"] == "ready", log_of(tendd, to.name)
        assert (to / "file").read_text() == "one\n"
    assert settle(tendd, "none")["state"] == "failed" and not (tendd.root / "none").exists()


# ---- download ----


class Shelf:
    """A web server: files with ranges, redirects, and one that stops in the middle until it is told to go on."""

    def __init__(self):
        self.files, self.asked, self.leads = {}, [], {}
        self.stop_at, self.go = None, threading.Event()
        shelf = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                shelf.asked.append((self.path, self.headers.get("Range")))
                if self.path in shelf.leads:
                    self.send_response(302)
                    self.send_header("Location", shelf.leads[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = shelf.files.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                begin = int(re.match(r"bytes=(\d+)-$", self.headers["Range"]).group(1)) if self.headers["Range"] else 0
                if begin and begin >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206 if begin else 200)
                if begin:
                    self.send_header("Content-Range", "bytes %d-%d/%d" % (begin, len(body) - 1, len(body)))
                self.send_header("Content-Length", str(len(body) - begin))
                self.end_headers()
                with contextlib.suppress(OSError):
                    if shelf.stop_at and begin < shelf.stop_at:
                        self.wfile.write(body[begin:shelf.stop_at])
                        self.wfile.flush()
                        shelf.go.wait(60)
                        begin = shelf.stop_at
                    self.wfile.write(body[begin:])

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.server.server_address[1], path)


@pytest.fixture
def shelf():
    shelf = Shelf()
    yield shelf
    shelf.go.set()
    shelf.server.shutdown()
    shelf.server.server_close()


def digest_of(body):
    return hashlib.sha256(body).hexdigest()


def test_downloads(tendd, shelf):
    body = os.urandom(3_500_000)
    shelf.files = {"/large": body, "/empty": b"", "/there": b"there"}
    shelf.leads = {"/moved": "/again", "/again": shelf.url("/large"), "/loop": "/loop"}
    (tendd.root / "there").write_bytes(b"there")
    (tendd.root / "old").write_bytes(b"x" * 5_000_000)
    root = tendd.root
    tendd.configure(step("a", download=shelf.url("/large"), to=root / "deep/a") +
                    step("b", download=shelf.url("/moved"), to=root / "b", sha256=digest_of(body).upper()) +
                    step("old", download=shelf.url("/large"), to=root / "old") +
                    step("empty", download=shelf.url("/empty"), to=root / "empty") +
                    step("there", download=shelf.url("/there"), to=root / "there", sha256=digest_of(b"there")) +
                    step("loop", download=shelf.url("/loop"), to=root / "loop", retries=0) +
                    step("gone", download=shelf.url("/gone"), to=root / "gone", retries=0) +
                    step("other", download=shelf.url("/large"), to=root / "other", sha256="0" * 64, retries=0)).start()
    for name in ("a", "b", "old", "empty", "there"):
        assert settle(tendd, name)["state"] == "ready", tendd.unit("step:" + name)
    for name in ("deep/a", "b", "old"):
        assert (root / name).read_bytes() == body
    assert (root / "empty").read_bytes() == b""
    assert ("/there", None) not in shelf.asked and part(tendd, "there")["why"] == "it is there, with this digest"
    assert "not followed" in settle(tendd, "loop")["detail"]
    assert "status 404" in settle(tendd, "gone")["detail"]
    assert "not the one that is wanted" in settle(tendd, "other")["detail"]
    assert not list(root.rglob("*.tend-part"))
    assert not (root / "other").exists() and not (root / "gone").exists()
    count = len(shelf.asked)
    (root / "b").unlink()
    restart(tendd)
    for name in ("a", "b"):
        assert settle(tendd, name)["detail"] == "done"
    settle(tendd, "other", "failed")
    assert [path for path, _ in shelf.asked[count:] if path in ("/large", "/moved")] == ["/large"]  # "other" fails again


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_download_goes_on_where_it_stood(tendd, shelf, end):
    body = os.urandom(2_000_000)
    shelf.files, shelf.stop_at = {"/large": body}, 1_200_000
    tendd.configure(step("a", download=shelf.url("/large"), to=tendd.root / "a", sha256=digest_of(body))).start()
    there = tendd.root / "a.tend-part"
    tendd.until(lambda: there.exists() and there.stat().st_size >= 900_000, "the first part")
    assert part(tendd, "a")["state"] == "fetching"
    if end == "kill":
        tendd.kill()
    else:
        assert tendd.stop() == 0
    size = there.stat().st_size
    shelf.stop_at = None
    tendd.start()
    assert settle(tendd, "a")["state"] == "ready"
    assert (tendd.root / "a").read_bytes() == body and not there.exists()
    assert shelf.asked[-1] == ("/large", "bytes=%d-" % size)


def test_a_part_that_was_another_file_is_begun_anew(tendd, shelf):
    body = os.urandom(100_000)
    shelf.files = {"/file": body}
    (tendd.root / "a.tend-part").write_bytes(b"z" * 100)
    (tendd.root / "b.tend-part").write_bytes(b"z" * 200_000)
    tendd.configure("".join(step(name, download=shelf.url("/file"), to=tendd.root / name, sha256=digest_of(body))
                            for name in "ab")).start()
    for name in "ab":
        assert settle(tendd, name)["state"] == "ready"
        assert (tendd.root / name).read_bytes() == body and events(tendd, name).count("failed") == 1


def test_a_download_that_hangs_ends_in_time(tendd, shelf):
    shelf.files, shelf.stop_at = {"/file": b"x" * 2_000_000}, 1000
    tendd.configure(step("a", download=shelf.url("/file"), to=tendd.root / "a", timeout="300ms", retries=0)).start()
    assert "in time" in settle(tendd, "a")["detail"]


def test_archives(tendd, shelf):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        item = tarfile.TarInfo("in/side")
        item.size = 5
        archive.addfile(item, io.BytesIO(b"tared"))
    shelf.files = {"/one.tar.gz": file.getvalue(), "/bad": b"no archive"}
    to = tendd.folder("to")
    tendd.configure(step("a", download=shelf.url("/one.tar.gz"), to="%s/" % to, unpack="yes") +
                    step("bad", download=shelf.url("/bad"), to=tendd.root / "bad", unpack="yes", retries=0)).start()
    assert settle(tendd, "a")["state"] == "ready", log_of(tendd, "a")
    assert (to / "in/side").read_text() == "tared"
    assert "fetching" in events(tendd, "a") and "started" in events(tendd, "a")
    assert settle(tendd, "bad")["state"] == "failed"
    assert not (tendd.root / "to.tend-part").exists()
