"""The real programs and a Drive server: a folder like the Messages archive, a kill -9 in the middle of a large upload, lists that lag, and
rclone as the judge."""

import math
import os
import random
import re
import shutil
import sqlite3

import pytest
from basics import QUICK
from drive_ground import Drive, Ground
from stores import rclone
from test_versions import json_of, now, restored

FOLDER = "application/vnd.google-apps.folder"


@pytest.fixture(name="store")
def _store(tendd, tmp_path):
    with Ground(tmp_path, tls=True) as ground:
        yield Drive(tmp_path, ground)


def fill(data, seed=1):
    dice = random.Random(seed)
    for i in range(40):
        place = data / "Attachments" / ("%02x" % (i % 7)) / ("%02d" % i)
        place.mkdir(parents=True, exist_ok=True)
        (place / ("IMG_%04d é.heic" % i)).write_bytes(dice.randbytes(dice.randrange(1, 20000)))


def database(data):
    chat = sqlite3.connect(data / "chat.db")
    chat.execute("PRAGMA journal_mode=WAL")
    chat.execute("CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, text TEXT)")
    chat.executemany("INSERT INTO message(text) VALUES(?)", [("hello %d" % i,) for i in range(1000)])
    chat.commit()
    return chat


def test_messages(tendd, store, tmp_path):
    data = tendd.folder("data")
    fill(data)
    chat = database(data)
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK)).start()
    tendd.barrier("data")
    store.judge(data, "Backups/Messages", excluded=("chat.db*",))
    # One file one request, beside those for folders and ids: what we made ourselves need not be asked for.
    # (40 files, the database, the mark of the owner.)
    assert len(store.asked("POST /upload/drive/v3/files")) == 42
    copy = tmp_path / "copy.db"
    copy.write_bytes(rclone("cat", store.address("Backups/Messages/chat.db"), env=store.env).stdout)
    assert sqlite3.connect(copy).execute("SELECT count(*) FROM message").fetchone() == (1000,)

    # At rest nothing is asked.
    store.server.log.clear()
    (data / "Attachments").rename(data / "Anhänge")
    tendd.barrier("data")
    store.judge(data, "Backups/Messages", excluded=("chat.db*",))
    assert len(store.asked("PATCH /drive/v3/files/", "fields")) == 1 and not store.asked("/upload/")
    chat.execute("DELETE FROM message WHERE id > 500")
    chat.commit()
    tendd.barrier("data")
    kept = rclone("lsf", "-R", "--files-only", store.address(".tend/versions"), env=store.env).stdout.decode()
    assert len(kept.split()) == 1 and "/chat.db/" in kept
    chat.close()


def begin_large(tendd, store, parts=3):
    data = tendd.folder("data")
    (data / "large").write_bytes(random.Random(2).randbytes((parts << 23) + 12345))
    # The second part is taken, and its answer never comes.
    store.server.faults.append({"match": "PUT .*upload_id", "drop": True, "after": True, "count": 1000, "skip": 1})
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: len(store.asked("PUT", "upload_id")) >= 2, "the second part on its way")
    tendd.kill()
    store.server.faults.clear()
    store.server.log.clear()
    return data


def test_a_large_file_goes_on_after_a_kill(tendd, store):
    data = begin_large(tendd, store)
    session = next(iter(store.server.sessions.values()))
    held = len(session.held)
    assert held >= 8 << 20
    store.server.short_take = True
    tendd.start()
    tendd.barrier("data")
    store.judge(data)
    assert not store.asked("uploadType=resumable&supports"), "begun anew"
    assert len(store.server.sessions) == 1
    assert len(store.named("large")) == 1


def test_a_lost_answer_and_a_kill_make_no_twin(tendd, store):
    data = tendd.folder("data")
    (data / "file").write_text("once\n")
    store.server.faults.append({"match": "POST /upload/drive/v3/files", "drop": True, "after": True, "count": 1000})
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: store.named("file"), "the file at the server")
    tendd.kill()
    store.server.faults.clear()
    tendd.start()
    tendd.barrier("data")
    assert len(store.named("file")) == 1
    store.judge(data)


def no_twins(store):
    """Whatever lists said: one of each name in each folder."""
    store.server.drive.list_lag = 0
    names = [(file.parent, file.name) for file in store.server.drive.files.values() if file.parent and not file.trashed]
    assert len(set(names)) == len(names), sorted(names)


# The request that makes it: its answer never comes, no list tells of it, and the daemon is killed meanwhile.
MAKING = {
    "the remote's folder": (r"POST /drive/v3/files\?", '"name":"Backups"'),
    "the mark of the owner": (r"POST /upload/drive/v3/files\?", '"name":"Backups%2FMessages"'),
    "a folder": (r"POST /drive/v3/files\?", '"name":"sub"'),
    "a file": (r"POST /upload/drive/v3/files\?", '"name":"file"'),
    "a version's folder": (r"POST /drive/v3/files\?", '"name":"versions"'),
    "a version": (r"POST /drive/v3/files/[^/]+/copy", ""),
}


@pytest.mark.parametrize("what", MAKING)
def test_what_lists_do_not_tell_yet_is_not_made_twice(tendd, store, what):
    match, body = MAKING[what]
    data = tendd.folder("data")
    (data / "sub").mkdir()
    (data / "sub/file").write_text("once\n")
    store.server.drive.list_lag = 1000000
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK))
    fault = {"match": match, "body": body, "drop": True, "after": True, "deaf": True, "count": 1}
    if what.startswith("a version"):
        tendd.start()
        tendd.barrier("data")
        store.server.faults.append(fault)
        (data / "sub/file").write_text("twice\n")
    else:
        store.server.faults.append(fault)
        tendd.start()
    tendd.until(lambda: fault["count"] == 0, what + " at the server")
    tendd.kill()
    store.server.faults.clear()
    tendd.start()
    tendd.barrier("data")
    no_twins(store)
    store.judge(data, "Backups/Messages")


def test_an_id_is_in_the_index_before_it_is_used(tendd, store):
    """At the moment of each request that makes something the index, as a kill would leave it, knows with which id."""
    data = tendd.folder("data")
    fill(data)
    used, missing = [], []
    fault = store.server.fault

    def look(line, raw):
        given = re.search(rb'"id":"([^"]+)"', raw)
        if given and line.startswith("POST") and "uploadType=resumable" not in line:
            used.append(given.group(1))
            index = sqlite3.connect("file:%s?mode=ro" % (tendd.state / "folders/data.db"), uri=True)
            if not index.execute("SELECT 1 FROM making WHERE id = ?", used[-1:]).fetchone():
                missing.append(line)
            index.close()
        return fault(line, raw)

    store.server.fault = look
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK)).start()
    tendd.barrier("data")
    (data / "Attachments/00/00/IMG_0000 é.heic").write_text("changed\n")
    tendd.barrier("data")
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK + "exclude = /Attachments/01/\n"))
    tendd.reload()
    tendd.until(lambda: (tendd.folder_part("data")["forgotten"] or {}).get("files") == 6, "what is no longer covered")
    assert tendd.tend("forget", "data", "--remote", "--yes").returncode == 0
    tendd.until(lambda: tendd.folder_part("data")["forgotten"] is None, "none left")
    # Files and their folders, the folders above them, the mark of the owner in its folders, a version in its folders, and
    # those of six more, which are moved there.
    assert len(used) == 40 + 48 + 2 + 3 + 8 + 13 and not missing
    # Of what is done only folders that nobody asked for by themselves are left, since no row tells of them.
    with sqlite3.connect("file:%s?mode=ro" % (tendd.state / "folders/data.db"), uri=True) as index:
        assert not index.execute("SELECT * FROM making WHERE path <> x''").fetchall()


def test_a_known_folder_is_not_looked_up(tendd, store):
    data = tendd.folder("data")
    deep = data / "a/b/c/d"
    deep.mkdir(parents=True)
    (deep / "file").write_text("one\n")
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK)).start()
    tendd.barrier("data")
    tendd.stop()
    tendd.start()
    tendd.barrier("data")
    store.server.log.clear()
    (deep / "new").write_text("two\n")
    tendd.barrier("data")
    # Is the name free, and the file; ids are got by the hundred.
    asked = [line.split("?")[0] for line in store.server.log]
    assert sorted(asked) == ["GET /drive/v3/files", "GET /drive/v3/files/generateIds", "POST /upload/drive/v3/files"]
    store.server.log.clear()
    (deep / "file").chmod(0o600)
    tendd.barrier("data")
    assert [line.split("/")[0] for line in store.server.log] == ["GET ", "PATCH "]
    store.judge(data, "Backups/Messages")


def test_lists_that_lag_make_no_twins(tendd, store):
    store.server.drive.list_lag = 1000000
    data = tendd.folder("data")
    fill(data)
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    (data / "Attachments/00/00/IMG_0000 é.heic").write_text("changed\n")
    (data / "Attachments/new").write_text("new\n")
    tendd.barrier("data")
    no_twins(store)
    store.judge(data)


def test_strangers_live(tendd, store):
    data = tendd.folder("data")
    (data / "sub").mkdir()
    (data / "stays").write_text("stays\n")
    (data / "sub/ours").write_text("ours\n")
    tendd.configure(store.folder(data, more=QUICK + "max_delete = none\n")).start()
    tendd.barrier("data")
    sub = store.named("sub")[0].id
    ours = store.named("ours")[0]
    twin = store.server.strange("file", "ours", sub)
    others = [store.server.strange("document", "a / b", sub), store.server.strange("shortcut", "short", sub, ours.id)]
    (data / "sub/ours").write_text("ours, changed\n")
    tendd.barrier("data")
    assert store.server.drive.files[twin].content == b"strange" and ours.content == b"ours, changed\n"
    (data / "sub/ours").unlink()
    (data / "sub").rmdir()
    tendd.barrier("data")
    for one in (*others, twin, sub):
        assert not store.server.drive.is_trashed(store.server.drive.files[one])
    assert [file.id for file in store.named("ours") if file.parent == sub] == [twin]


def test_many_small_files_take_their_time(tendd, store):
    """Two or three a second is all that Drive takes: who looks is told before half a day has passed."""
    data = tendd.folder("data")
    (data / "first").touch()
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    assert tendd.folder_part("data")["left_seconds"] is None
    store.server.delay_ms = 1000
    fill(data)
    tendd.until(lambda: tendd.folder_part("data")["pending"] >= 40, "the new files in status")
    folder = tendd.folder_part("data")
    assert folder["left_seconds"] == math.ceil(folder["pending"] / 2.5)
    assert re.search(r"to go .*, about \d+", tendd.tend("status", "data").stdout)
    assert " to go, about " in tendd.tend("status").stdout
    # What does not go on by itself has no end that could be told.
    tendd.tend("pause", "data")
    assert tendd.folder_part("data")["left_seconds"] is None
    tendd.tend("resume", "data")
    store.server.delay_ms = 0
    tendd.barrier("data")
    assert tendd.folder_part("data")["left_seconds"] is None


def test_no_room_and_too_fast_are_told(tendd, store):
    data = tendd.folder("data")
    store.server.faults.append({"match": "POST /upload", "reason": "userRateLimitExceeded", "count": 3})
    (data / "file").write_text("content\n")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    store.server.drive.limits[store.server.user] = 10
    (data / "more").write_bytes(os.urandom(1000))
    tendd.until(lambda: "storage of this Google account is full" in tendd.tend("status", "data").stdout, "the full account in status")
    store.server.drive.limits.clear()
    tendd.tend("sync", "data")
    tendd.barrier("data")
    store.judge(data)


def large_held(store):
    """How much of a large upload the server has; all of it, when it is through."""
    with store.server.lock:
        held = [len(session.held) for session in store.server.sessions.values()]
    return max(held) if held else (1 << 40 if store.named("large") else 0)


def test_a_token_that_ends_in_mid_transfer(tendd, store):
    """One is asked for by whoever meets it first, for all; nothing is sent anew for it."""
    data = tendd.folder("data")
    fill(data)
    (data / "large").write_bytes(random.Random(2).randbytes((3 << 23) + 12345))
    store.server.delay_ms = 20
    tendd.configure(store.folder(data, more=QUICK)).start()
    for tokens in (1, 2):
        seen = len(store.asked("upload"))
        tendd.until(lambda seen=seen: len(store.asked("upload")) >= seen + 5, "requests on their way")
        # A request that was refused once already is given one more token, not two.
        tendd.until(lambda tokens=tokens: tokens == 1 or large_held(store) >= 8 << 20, "a part that came through")
        with store.server.lock:
            store.server.oauth.access.clear()
        tendd.until(lambda tokens=tokens: len(store.asked("POST /token")) > tokens, "another token")
    tendd.barrier("data")
    assert len(store.asked("POST /token")) == 3
    assert sum(file.name == "large" for file in store.server.drive.files.values()) == 1 and len(store.server.sessions) == 1
    no_twins(store)
    tendd.until_idle("data")
    part = tendd.folder_part("data")
    assert part["trouble"] is None and part["refused"] == 0
    # rclone's own token went as well.
    store.ground.token = store.server.sign_in(store.ground.client, "drive")
    store.env = store.ground.rclone_env()
    store.judge(data)


def moment(tendd):
    """One after which something can happen: the times of files are of a coarser clock than ours."""
    at = now()
    tendd.until(lambda: now()[:21] > at[:21], "a moment after it")
    return at


def moments(tendd, data, count=3):
    """So many contents of one file; [(time, bytes)]."""
    (data / "d").mkdir()
    (data / "other").write_text("other\n")
    known = []
    for number in range(count):
        (data / "d/file").write_bytes(os.urandom(100 + number) if number != 1 else b"")
        tendd.barrier("data")
        moment(tendd)
        known.append((moment(tendd), (data / "d/file").read_bytes()))
    return known


@pytest.mark.parametrize("told", ["came", "given"])
def test_what_drive_itself_keeps_comes_back(tendd, store, told):
    """Also where a folder keeps nothing itself, and whatever the time of a revision is that of."""
    store.server.drive.revision_time = told
    data = tendd.folder("data")
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK + "mode = mirror\n")).start()
    known = moments(tendd, data)
    for alone in (False, True):
        if alone:
            assert tendd.stop() == 0
        versions = json_of(tendd, "versions", "data", "d/file")["versions"]
        assert [version["size_bytes"] for version in versions] == [100, 0, 102], versions
        for number, (at, body) in enumerate(known):
            to = tendd.root / ("out-%d-%d" % (alone, number))
            store.server.log.clear()
            assert restored(tendd, to, "--at", at) == {"d/file": body, "other": b"other\n"}
            # A request for each file that was written since, and none for any other.
            assert len(store.asked("/revisions?")) == (1 if number < 2 else 0)


@pytest.mark.parametrize("told", ["came", "given"])
def test_what_tend_and_drive_keep_is_told_once(tendd, store, told):
    store.server.drive.revision_time, store.server.drive.revision_page = told, 2
    data = tendd.folder("data")
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK)).start()
    known = moments(tendd, data)
    versions = json_of(tendd, "versions", "data", "d/file")["versions"]
    assert [version["size_bytes"] for version in versions] == [100, 0, 102], versions
    # What tend kept lives longer, and what of it went is Drive's to tell.
    for file in list(store.server.drive.files.values()):
        if "~" in file.name:
            store.server.drive.drop(file)
    for number, (at, body) in enumerate(known):
        assert restored(tendd, tendd.root / ("out-%d" % number), "d", "--at", at) == {"d/file": body}


def test_what_went_comes_back_from_the_trash(tendd, store):
    """Where a folder keeps nothing itself: what tend removed, also with folders and twice under one name, and what another hand did."""
    data = tendd.folder("data")
    (data / "d/e").mkdir(parents=True)
    all_of_it = {"a": b"a\n", "d/e/f": os.urandom(1 << 20), "stays": b"stays\n", "theirs": b"theirs\n"}
    for path, body in all_of_it.items():
        (data / path).write_bytes(body)
    (data / "d/e/f").chmod(0o640)
    known_stat = os.stat(data / "d/e/f")
    tendd.configure(store.folder(data, "Backups/Messages", more=QUICK + "mode = mirror\n")).start()
    tendd.barrier("data")
    moment(tendd)
    known = [(moment(tendd), all_of_it)]

    (data / "a").unlink()
    shutil.rmtree(data / "d")
    tendd.barrier("data")
    moment(tendd)
    known.append((moment(tendd), {path: all_of_it[path] for path in ("stays", "theirs")}))
    (data / "a").write_bytes(b"another\n")
    tendd.barrier("data")
    moment(tendd)
    known.append((moment(tendd), {**known[1][1], "a": b"another\n"}))
    (data / "a").unlink()
    tendd.barrier("data")
    moment(tendd)
    known.append((moment(tendd), known[1][1]))
    for file in store.named("theirs"):
        file.trashed = True  # since when nobody says: it was there until now
    for alone in (False, True):
        if alone:
            assert tendd.stop() == 0
        for number, (at, files) in enumerate(known):
            assert restored(tendd, tendd.root / ("out-%d-%d" % (alone, number)), "--at", at) == files, number
        assert [one["size_bytes"] for one in json_of(tendd, "versions", "data", "a")["versions"]] == [2, 8]
        assert len(json_of(tendd, "versions", "data", "d/e/f")["versions"]) == 1
        part = tendd.root / ("part-%d" % alone)
        assert restored(tendd, part, "d", "--at", known[0][0]) == {"d/e/f": all_of_it["d/e/f"]}
        now_there = os.stat(part / "d/e/f")
        assert (now_there.st_mode, now_there.st_mtime_ns) == (known_stat.st_mode, known_stat.st_mtime_ns)
