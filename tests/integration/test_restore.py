"""POST .../restore: a folder's files come back into their own place, asked for over the socket by curl; never over what is there, never
outside the folder, as its user, and whole after kill -9."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import time

import pytest

from basics import start
from stores import Directory, walk
from tend import PATIENCE
from test_user import NOBODY, begin, data as nobodys, give, put, root_only, store as roots_store  # noqa: F401
from test_versions import facts, now

URL = "http://tend/v1/units/folder:data/restore"
MANY = 1500


@pytest.fixture
def cloud(tendd):
    return Directory(tendd.root / "cloud")


def ask(tendd, body, code=200):
    """What curl is told."""
    ended = subprocess.run(["curl", "-sS", "--unix-socket", tendd.socket, "-w", "\n%{http_code}", "--json", json.dumps(body), URL],
                           capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended
    text, _, status = ended.stdout.rpartition("\n")
    assert int(status) == code, (body, ended.stdout)
    return json.loads(text)


def bring_back(tendd, code=200, **body):
    return ask(tendd, dict(body, wait=True), code)


def counts(answer):
    return tuple(answer[name] for name in ("files", "links", "same", "left_count", "failed_count"))


def nothing_beside(data):
    return not [path for path, _ in walk(data) if ".tend-tmp" in path]


def test_files_and_folders_as_they_were(tendd, cloud):
    data = start(tendd, cloud)
    (data / "d/deep").mkdir(parents=True)
    (data / "d/file").write_text("first\n")
    (data / "d/deep/tool").write_text("#!/bin/sh\n")
    (data / "d/deep/tool").chmod(0o750)
    (data / "d/link").symlink_to("../no such")
    (data / "other").write_text("other\n")
    os.utime(data / "d/file", ns=(5, 1_234_567_890_123_456_789))
    tendd.barrier("data")
    at, wanted = now(), facts(data)
    (data / "d/file").unlink()
    (data / "d/deep/tool").write_text("changed\n")
    (data / "d/link").unlink()
    (data / "other").unlink()
    tendd.barrier("data")
    # One path.
    answer = bring_back(tendd, paths=["d/file"], at=at)
    assert counts(answer) == (1, 0, 0, 0, 0) and answer["bytes"] == 6 and answer["api"] == 1, answer
    assert (data / "d/file").read_text() == "first\n" and not (data / "other").exists()
    # What stands there stays, unless told.
    answer = bring_back(tendd, at=at)
    assert counts(answer) == (1, 1, 1, 1, 0) and answer["left"] == ["d/deep/tool"], answer
    assert answer["reasons"] == ["d/deep/tool: is there already"]
    assert (data / "d/deep/tool").read_text() == "changed\n"
    tendd.barrier("data")
    assert counts(bring_back(tendd, paths=["d", "other"], at=at, overwrite=True)) == (1, 0, 3, 0, 0)
    assert facts(data) == wanted and nothing_beside(data)
    # They are changes like any other; what was replaced is kept.
    tendd.barrier("data")
    cloud.judge(data)
    assert cloud.versions("data/d/deep/tool")[-1] == b"changed\n"
    assert counts(bring_back(tendd)) == (0, 0, 4, 0, 0)
    texts = [(event["event"], event["text"]) for event in tendd.get("/v1/history?unit=folder:data")["events"]]
    who = "uid %d" % os.getuid()
    assert ("ordered", "restore by " + who) in texts, texts
    assert ("restored", "1 file, 1 link, 6 B for %s; 1 left as they are, 0 failed" % who) in texts, texts


def modes(data):
    return {path: stat.S_IMODE(os.stat(data / path).st_mode) for path, kind in walk(data) if kind == "folder"}


def test_folders_have_their_modes(tendd, cloud):
    data = start(tendd, cloud)
    data.chmod(0o711)
    (data / "d/deep/closed").mkdir(parents=True)
    (data / "d/deep/closed/file").write_text("file\n")
    (data / "d/other").mkdir()
    (data / "d/other/file").write_text("file\n")
    (data / "stays").write_text("an empty folder would be none that people emptied\n")
    wanted = {"d": 0o750, "d/deep": 0o705, "d/deep/closed": 0o555, "d/other": 0o770}
    for path in wanted:
        (data / path).chmod(wanted[path])
    tendd.barrier("data")
    at = now()
    # Those that are named, those on the way, and those below.
    assert tendd.post("/v1/units/folder:data/pause").status == 200
    shutil.rmtree(data / "d")
    assert counts(bring_back(tendd, paths=["d/deep/closed/file"])) == (1, 0, 0, 0, 0)
    assert modes(data) == {path: wanted[path] for path in wanted if path != "d/other"}
    shutil.rmtree(data / "d")
    assert counts(bring_back(tendd, paths=["d"])) == (2, 0, 0, 0, 0)
    assert modes(data) == wanted
    # Of a folder that is gone at the remote nobody knows it: it gets that of the one it lies in.
    shutil.rmtree(data / "d")
    assert tendd.post("/v1/units/folder:data/resume").status == 200
    tendd.until(lambda: not cloud.at("data/d").exists(), "the deletion")
    tendd.barrier("data")
    assert counts(bring_back(tendd, paths=["d"], at=at)) == (2, 0, 0, 0, 0)
    assert modes(data) == dict.fromkeys(wanted, 0o711)


def test_without_waiting(tendd, cloud):
    data = start(tendd, cloud)
    (data / "file").write_text("first\n")
    (data / "stays").write_text("stays\n")
    tendd.barrier("data")
    at = now()
    (data / "file").unlink()
    tendd.barrier("data")
    assert ask(tendd, {"paths": ["file"], "at": at}, 202)["state"] == "restoring"
    tendd.until((data / "file").exists, "the file")
    tendd.until(lambda: [event for event in tendd.get("/v1/history?unit=folder:data")["events"] if event["event"] == "restored"],
                "its end in the history")


def test_nothing_leads_out(tendd, cloud):
    data = start(tendd, cloud)
    (data / "d").mkdir()
    (data / "d/file").write_text("first\n")
    (data / "l").write_text("first\n")
    tendd.barrier("data")
    at = now()
    outside = tendd.folder("outside")
    (outside / "kept").write_text("kept\n")
    for path in ("../x", "..", "/etc/passwd", "d/../../x", "d//file", "./d", "d/"):
        assert bring_back(tendd, 400, paths=["d/file", path])["error"]["kind"] == "invalid"
    for body in ({"paths": "d"}, {"paths": [5]}, {"paths": ["d\0/../x"]}, {"at": "yesterday"}, {"at": 5}, {"paths": ["d"] * 1001}):
        assert bring_back(tendd, 400, **body)["error"]["kind"] == "invalid", body
    assert "nothing" in bring_back(tendd, 404, paths=["nope", "no/pe"])["error"]["text"]
    answer = bring_back(tendd, paths=["nope", "d/file"])
    assert counts(answer) == (0, 0, 1, 0, 1) and answer["failed"] == ["nope"], answer
    assert tendd.post("/v1/units/folder:nope/restore").status == 404
    # Links in the way are what a person has there: neither followed nor replaced.
    (data / "d/file").unlink()
    (data / "d").rmdir()
    (data / "d").symlink_to(outside)
    (data / "l").unlink()
    (data / "l").symlink_to(outside / "kept")
    answer = bring_back(tendd, at=at, overwrite=False)
    assert answer["failed"] == ["d", "d/file"] and answer["left"] == ["l"], answer
    assert sorted(answer["reasons"]) == ["d/file: a link stands in the place of its folder",
                                         "d: cannot make folder 'd': something else stands there", "l: is there already"], answer
    tendd.barrier("data")
    answer = bring_back(tendd, paths=["l"], at=at, overwrite=True)
    assert counts(answer) == (1, 0, 0, 0, 0)
    assert (data / "l").read_text() == "first\n" and not (data / "l").is_symlink()
    assert os.listdir(outside) == ["kept"] and (outside / "kept").read_text() == "kept\n"
    assert (data / "d").is_symlink() and nothing_beside(data)


def test_a_living_database_is_not_replaced(tendd, cloud):
    data = start(tendd, cloud)
    database = sqlite3.connect(data / "chat.db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table message(text)")
    database.execute("insert into message values('first')")
    database.commit()
    tendd.barrier("data")
    at = now()
    database.execute("insert into message values('later')")
    database.commit()
    tendd.barrier("data")
    answer = bring_back(tendd, at=at, overwrite=True)
    assert counts(answer) == (1, 0, 0, 0, 0) and answer["aside"] == ["chat.db.restored"], answer
    assert database.execute("select count(*) from message").fetchone() == (2,)
    found = sqlite3.connect(data / "chat.db.restored")
    assert found.execute("pragma integrity_check").fetchone() == ("ok",)
    assert found.execute("select text from message").fetchall() == [("first",)]
    found.close()
    database.close()
    # Nobody has it open: it is replaced.
    tendd.barrier("data")
    answer = bring_back(tendd, paths=["chat.db"], at=at, overwrite=True)
    assert counts(answer) == (1, 0, 0, 0, 0) and answer["aside"] == [], answer
    with sqlite3.connect(data / "chat.db") as found:
        assert found.execute("select count(*) from message").fetchone() == (1,)
    found.close()
    tendd.barrier("data")


def test_an_old_log_beside_is_not_played_into_it(tendd, cloud):
    """The database is gone, and the log that a crash left of it lies there still, held by nobody."""
    data = start(tendd, cloud)
    database = sqlite3.connect(data / "chat.db", isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("create table message(text)")
    database.execute("insert into message values('first')")
    tendd.barrier("data")
    at = now()
    database.execute("pragma wal_checkpoint(truncate)")
    database.execute("insert into message values('later')")
    left = (data / "chat.db-wal").read_bytes()
    database.close()
    tendd.barrier("data")
    (data / "chat.db").unlink()
    (data / "chat.db-wal").write_bytes(left)
    tendd.barrier("data")
    answer = bring_back(tendd, paths=["chat.db"], at=at)
    came = answer["aside"][0] if answer["aside"] else "chat.db"
    assert counts(answer) == (1, 0, 0, 0, 0) and not (data / (came + "-wal")).exists(), (answer, os.listdir(data))
    with contextlib.closing(sqlite3.connect(data / came)) as found:
        assert found.execute("pragma integrity_check").fetchone() == ("ok",)
        assert found.execute("select text from message").fetchall() == [("first",)]


@pytest.mark.parametrize("begin_words, end_words", [
    ("begin immediate", "commit"), ("begin; select count(*) from message", "commit"), ("select count(*) from message", "")])
def test_a_database_that_is_open_is_not_replaced(tendd, cloud, begin_words, end_words):
    """Nothing lies beside it: a lock is all that tells, or that somebody has it open."""
    data = start(tendd, cloud)
    path = data / "chat.db"
    subprocess.run(["sqlite3", path, "create table message(text); insert into message values('first')"], check=True)
    tendd.barrier("data")
    at = now()
    subprocess.run(["sqlite3", path, "insert into message values('later')"], check=True)
    tendd.barrier("data")
    writer = subprocess.Popen(["sqlite3", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    writer.stdin.write(begin_words + "; select 'begun';\n")
    writer.stdin.flush()
    while "begun" not in writer.stdout.readline():
        assert writer.poll() is None
    assert os.listdir(data) == ["chat.db"]
    answer = bring_back(tendd, at=at, overwrite=True)
    assert counts(answer) == (1, 0, 0, 0, 0) and answer["aside"] == ["chat.db.restored"], answer
    assert writer.communicate("insert into message values('last'); %s; select count(*) from message;\n" % end_words)[0].split() == ["3"]
    with contextlib.closing(sqlite3.connect(path)) as found:
        assert found.execute("select text from message").fetchall() == [("first",), ("later",), ("last",)]
    tendd.barrier("data")
    answer = bring_back(tendd, paths=["chat.db"], at=at, overwrite=True)
    assert counts(answer) == (1, 0, 0, 0, 0) and answer["aside"] == [], answer
    with contextlib.closing(sqlite3.connect(path)) as found:
        assert found.execute("select text from message").fetchall() == [("first",)]


@root_only
def test_as_the_folders_user(tendd, roots_store, nobodys):  # noqa: F811
    data = nobodys
    (data / "d").mkdir(mode=0o700)
    give(data / "d")
    put(data / "d/file", "mine\n")
    put(data / "roots", "root's\n", "root", 0o644)
    (data / "closed").mkdir(mode=0o755)
    put(data / "closed/file", "root's\n", "root", 0o644)
    begin(tendd, roots_store, data)
    tendd.barrier("data")
    at = now()
    for path in ("d/file", "roots", "closed/file"):
        (data / path).unlink()
    (data / "d").rmdir()
    tendd.barrier("data")
    # Where only root may write nothing is written, though it is root who is asked.
    answer = bring_back(tendd, at=at)
    assert answer["failed"] == ["closed/file"] and "ermission denied" in answer["reasons"][0], answer
    for path in ("d", "d/file", "roots"):
        assert os.stat(data / path).st_uid == NOBODY.pw_uid, path
    assert stat.S_IMODE(os.stat(data / "d/file").st_mode) == 0o600
    assert os.listdir(data / "closed") == [] and nothing_beside(data)


def many(tendd, cloud):
    """A folder of many files, all deleted here; (its path, when they were there, what was there)."""
    data = tendd.folder("data")
    for number in range(MANY):
        path = data / ("%02d/%d" % (number % 40, number))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d\n" % number * 50)
    start(tendd, cloud, "max_delete = none\n")
    tendd.barrier("data")
    at, wanted = now(), facts(data)
    for path, kind in sorted(walk(data), reverse=True):
        (data / path).rmdir() if kind == "folder" else (data / path).unlink()
    (data / "new").write_text("new\n")
    tendd.barrier("data")
    return data, at, wanted


def begun(data):
    """So many are back."""
    return sum(not name.startswith(".tend-tmp") for folder in data.iterdir() if folder.is_dir() for name in os.listdir(folder))


def await_begun(data, more_than):
    """Looks again at once: a quick machine is through in a moment."""
    end = time.monotonic() + PATIENCE
    while begun(data) <= more_than:
        assert time.monotonic() < end, "nothing comes back"


def test_kill_9_in_the_middle(tendd, cloud):
    data, at, wanted = many(tendd, cloud)
    for _ in range(3):
        before = begun(data)
        ask(tendd, {"at": at}, 202)
        await_begun(data, before)
        tendd.kill()
        assert before < begun(data) < MANY, "the restore was through already"
        (data / ".tend-tmp.00ff.restore").write_text("what it left\n")
        tendd.start()
        # What it had not brought back is no deletion, and what it left half done goes.
        tendd.barrier("data")
        tendd.until(lambda: nothing_beside(data), "nothing half done")
        assert "a restore was broken off" in tendd.said
    answer = bring_back(tendd, at=at)
    assert answer["files"] + answer["same"] == MANY and counts(answer)[3:] == (0, 0), answer
    assert answer["files"] < MANY
    (data / "new").unlink()
    assert facts(data) == wanted
    tendd.barrier("data")
    cloud.judge(data)
    tendd.kill()
    said = len(tendd.said)
    tendd.start()
    tendd.barrier("data")
    assert "broken off" not in tendd.said[said:]


def test_a_stop_breaks_it_off(tendd, cloud):
    data, at, _ = many(tendd, cloud)
    ask(tendd, {"at": at}, 202)
    await_begun(data, 0)
    assert tendd.stop(signal.SIGTERM) == 0
    assert 0 < begun(data) < MANY and nothing_beside(data)
    said = len(tendd.said)
    tendd.start()
    tendd.barrier("data")
    assert "broken off" not in tendd.said[said:]
    cloud.judge(data)
