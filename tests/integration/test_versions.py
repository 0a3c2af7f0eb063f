"""What was replaced or deleted is kept, found and brought back: `tend versions`, `ls`, `restore`, with tendd and without; and thinned.

servers: s3_rgw azure_azurite
"""

import datetime
import json
import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from basics import start
from stores import S3, Azure, Directory, rclone, walk
from tend import UnixConnection, bin_folder


@pytest.fixture(params=["directory", "s3_rgw", "azure_azurite"])
def store(tendd, request):
    if request.param == "directory":
        return Directory(tendd.root / "cloud")
    return (Azure if request.param == "azure_azurite" else S3)(request.param, tendd.root)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def ago(**span):
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**span)
    return moment.strftime("%Y%m%dT%H%M%S.") + "%03dZ" % (moment.microsecond // 1000)


def told(tendd, *words, code=0):
    answer = tendd.tend(*words)
    assert answer.returncode == code, (words, answer.returncode, answer.stdout, answer.stderr)
    return answer.stdout


def json_of(tendd, *words):
    return json.loads(told(tendd, *words, "--json"))


def restored(tendd, to, *words, code=0):
    told(tendd, "restore", "data", *words, "--to", to, code=code)
    return {path: (to / path).read_bytes() for path, kind in walk(to) if kind == "file"}


def facts(root):
    """All that comes back: bytes, modes and times of files, targets of links, and the folders that hold something."""
    found = {}
    for path, kind in walk(root):
        status = os.lstat(root / path)
        if kind == "file":
            found[path] = ((root / path).read_bytes(), stat.S_IMODE(status.st_mode), status.st_mtime_ns)
        elif kind == "link":
            found[path] = (os.readlink(root / path), status.st_mtime_ns)
    return found


def edits(tendd, store):
    """Five contents of one file; [(time, bytes)]."""
    data = start(tendd, store)
    (data / "d").mkdir()
    (data / "other").write_text("other\n")
    known = []
    for number in range(5):
        body = os.urandom(100 + number)
        (data / "d/file").write_bytes(body)
        tendd.barrier("data")
        known.append((now(), body))
    return data, known


def test_every_content_comes_back(tendd, store):
    data, known = edits(tendd, store)
    for alone in (False, True):
        if alone:
            assert tendd.stop() == 0
        versions = json_of(tendd, "versions", "data", "d/file")["versions"]
        assert [version["size_bytes"] for version in versions] == [100, 101, 102, 103, 104]
        assert versions[-1]["version"] is None and versions[-1]["to"] is None
        for one, next_one in zip(versions, versions[1:]):
            assert one["to"] == next_one["from"]
        table = told(tendd, "versions", "data", str(data / "d/file"))
        assert len(table.splitlines()) == 6 and "now" in table
        for number, (at, body) in enumerate(known):
            to = tendd.root / ("out-%d-%d" % (alone, number))
            assert restored(tendd, to, "d", "--at", at) == {"d/file": body}
            listed = json_of(tendd, "ls", "data", "d", "--at", at)["entries"]
            assert [(entry["path"], entry["size_bytes"]) for entry in listed] == [("d/file", len(body))]
        # As rclone would bring it back by hand.
        place = ".tend/versions/data/d/file/" + versions[0]["version"]
        assert rclone("cat", store.address(place), env=store.env).stdout == known[0][1]
        rclone("copy", store.address(".tend/versions/data"), tendd.root / ("rclone-%d" % alone), env=store.env)
        kept = sorted((tendd.root / ("rclone-%d" % alone) / "d/file").iterdir())
        assert [path.read_bytes() for path in kept] == [body for _, body in known[:4]]


def test_a_deleted_tree_comes_back(tendd, store):
    data = tendd.folder("data")
    (data / "tree/deep/er").mkdir(parents=True)
    (data / "tree/tool").write_text("#!/bin/sh\n")
    (data / "tree/tool").chmod(0o750)
    (data / "tree/deep/large").write_bytes(os.urandom(9 << 20))
    (data / "tree/deep/er/nothing").write_bytes(b"")
    (data / "tree/deep/er/a&b+c=d?e;f#%41 \u00e9").write_text("odd\n")
    (data / "tree/link").symlink_to("../no/such thing")
    for number in range(40):
        (data / ("tree/deep/%d" % number)).write_text("%d\n" % number)
    os.utime(data / "tree/tool", ns=(5, 1_234_567_890_123_456_789))
    (data / "stays").write_text("stays\n")
    start(tendd, store)
    tendd.barrier("data")
    at, wanted = now(), facts(data)
    for path, kind in sorted(walk(data), reverse=True):
        if path.startswith("tree") and kind == "folder":
            (data / path).rmdir()
        elif path.startswith("tree"):
            (data / path).unlink()
    tendd.barrier("data")
    assert [entry["path"] for entry in json_of(tendd, "ls", "data")["entries"]] == ["stays"]
    told(tendd, "restore", "data", "tree", "--to", tendd.root / "no", code=1)  # nothing stands there now
    told(tendd, "restore", "data", "--at", at, "--to", tendd.root / "with")
    assert facts(tendd.root / "with") == wanted
    # A file of the same name, later: what stood there then is still what comes back; in between there was nothing.
    between = now()
    (data / "tree").mkdir()
    (data / "tree/tool").write_text("new\n")
    tendd.barrier("data")
    assert tendd.stop() == 0
    assert told(tendd, "restore", "data", "--at", at, "--to", tendd.root / "without")
    assert facts(tendd.root / "without") == wanted
    assert set(restored(tendd, tendd.root / "between", "--at", between)) == {"stays"}
    assert restored(tendd, tendd.root / "now") == {"stays": b"stays\n", "tree/tool": b"new\n"}


def modes(root):
    return {path: stat.S_IMODE(os.stat(root / path).st_mode) for path, kind in walk(root) if kind == "folder"}


@pytest.mark.parametrize("known", ["index", "index alone", "nothing"])
def test_folders_come_back_with_their_modes(tendd, store, known):
    """What was closed to others is not open to them where it comes back; also on a machine that never saw it."""
    data = tendd.folder("data")
    (data / "closed/deep").mkdir(parents=True)
    (data / "closed/deep/file").write_text("file\n")
    (data / "closed/none").mkdir()
    (data / "open").mkdir()
    (data / "open/file").write_text("file\n")
    wanted = {"closed": 0o700, "closed/deep": 0o750, "closed/none": 0o710, "open": 0o755}
    for path, mode in wanted.items():
        (data / path).chmod(mode)
    start(tendd, store)
    tendd.barrier("data")
    if known != "index":
        assert tendd.stop() == 0
    if known == "nothing":
        (tendd.state / "folders/data.db").unlink()
    told(tendd, "restore", "data", "--to", tendd.root / "all")
    assert modes(tendd.root / "all") == wanted
    told(tendd, "restore", "data", "closed", "--to", tendd.root / "named")
    assert modes(tendd.root / "named") == {path: mode for path, mode in wanted.items() if path != "open"}
    told(tendd, "restore", "data", "closed/deep/file", "--to", tendd.root / "way")
    assert modes(tendd.root / "way") == {path: wanted[path] for path in ("closed", "closed/deep")}


def test_never_over_what_is_there(tendd, store):
    data, known = edits(tendd, store)
    (data / "d/file").write_text("newer\n")
    tendd.barrier("data")
    at = known[2][0]
    answer = tendd.tend("restore", "data", "d/file", "--at", at, "--to", data)
    assert answer.returncode == 1 and "there already" in answer.stderr
    assert (data / "d/file").read_text() == "newer\n"
    # Without --to it goes to a new place, which is said.
    here = tendd.folder("here")
    for number in range(2):
        answer = tendd.tend("restore", "data", "d/file", "--at", at, cwd=here)
        assert answer.returncode == 0, answer.stderr
        place = answer.stdout.split(" to ")[1].strip()
        assert os.path.dirname(place) == str(here)
        with open(place + "/d/file", "rb") as file:
            assert file.read() == known[2][1]
    assert len(os.listdir(here)) == 2
    told(tendd, "restore", "data", "d/file", "--at", at, "--to", data, "--overwrite")
    assert (data / "d/file").read_bytes() == known[2][1]
    tendd.barrier("data")
    assert store.read("data/d/file") == known[2][1]
    assert not [name for name in os.listdir(data / "d") if name != "file"]


def test_a_database_comes_back_whole(tendd, store):
    """Last, and never beside a -wal that is not its own."""
    data = start(tendd, store)
    database = sqlite3.connect(data / "chat.db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table message(text)")
    for number in range(3):
        database.execute("insert into message values(?)", (str(number),))
        database.commit()
        tendd.barrier("data")
    at = now()
    database.execute("insert into message values('later')")
    database.commit()
    tendd.barrier("data")
    answer = tendd.tend("restore", "data", "--at", at, "--to", data, "--overwrite")
    assert answer.returncode == 0 and "chat.db.restored" in answer.stderr, answer.stderr
    assert database.execute("select count(*) from message").fetchone() == (4,)
    database.close()
    found = sqlite3.connect(data / "chat.db.restored")
    assert found.execute("pragma integrity_check").fetchone() == ("ok",)
    assert found.execute("select text from message").fetchall() == [("0",), ("1",), ("2",)]
    found.close()
    assert set(restored(tendd, tendd.root / "out", "chat.db")) == {"chat.db"}


def test_the_api_stays_inside(tendd, store):
    data, known = edits(tendd, store)
    (tendd.root / "outside").write_text("secret\n")
    unit = "/v1/units/folder:data/"
    for path in ("..", "../outside", "/etc/passwd", "d/../../outside", "d//file", "./d"):
        for what in ("tree?path=", "versions?path=", "content?path="):
            answer = tendd.get(unit + what + path)
            assert answer.status == 400 and answer["error"]["kind"] == "invalid", (what, path, answer)
    for version in ("..", "../../../../outside", "x", "20261122T140307.123Z~20261122T140307.123Z/../.."):
        assert tendd.get(unit + "content?path=d/file&version=" + version).status == 400
    assert tendd.get(unit + "content?path=nope").status == 404
    assert tendd.get(unit + "versions?path=nope").status == 404
    assert tendd.get(unit + "tree?at=yesterday").status == 400
    assert tendd.get("/v1/units/folder:nope/tree").status == 404
    assert tendd.get(unit + "content?path=d/file").body == known[-1][1]
    version = tendd.get(unit + "versions?path=d/file")["versions"][1]["version"]
    assert tendd.get(unit + "content?path=d/file&version=" + version).body == known[1][1]
    lines = tendd.get(unit + "tree?recursive=1").body.decode().splitlines()
    assert '"api":1' in lines[0] and lines[-1] == '{"end":true}' and len(lines) == 5, lines


def test_a_reader_that_stops_holds_nobody(tendd, store):
    """Contents wait for their readers; the folder that goes away meanwhile ends them."""
    data = start(tendd, store)
    body = os.urandom(1 << 20) * 24
    (data / "large").write_bytes(body)
    tendd.barrier("data")
    stalled = []
    for _ in range(5):
        connection = UnixConnection(tendd.socket)
        connection.request("GET", "/v1/units/folder:data/content?path=large")
        stalled.append(connection)
    (data / "more").write_text("more\n")
    tendd.barrier("data")
    assert tendd.get("/v1/units/folder:data/content?path=large").body == body
    tendd.configure(store.section())
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.get("/v1/units/folder:data").status == 404, "the folder gone")
    for connection in stalled:
        connection.close()
    assert tendd.stop() == 0


def test_old_ones_go(tendd, store):
    """By a table that is made from the names at the remote; a new run waits first, and a `keep` that grew holds them."""
    keep = {"young": (ago(minutes=5), ago(hours=3)), "day": (ago(days=3), ago(days=4))}
    gone = {"old": (ago(days=31), ago(days=40)), "older": (ago(days=40), ago(days=41))}
    for name, (ended, born) in {**keep, **gone}.items():
        store.put(".tend/versions/data/f/%s~%s" % (ended, born), name.encode())
    tendd.environment["TEND_WITHOUT"] = "prune-wait"
    data = tendd.folder("data")
    (data / "f").write_text("now\n")
    tendd.configure(store.folder(data, more="settle = 50ms\nkeep = 3650d\n")).start()
    tendd.until(lambda: tendd.folder_part("data")["pruned"], "a look")
    part = tendd.folder_part("data")
    assert part["versions"] == 4 and part["versions_bytes"] == sum(map(len, {**keep, **gone}))
    tendd.configure(store.folder(data, more="settle = 50ms\nkeep = 30d\n"))
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.folder_part("data")["versions"] == 2, "the old ones gone")
    assert store.versions("data/f") == [b"day", b"young"]
    assert "old versions" in told(tendd, "status", "data")


def test_versions_that_the_bucket_keeps(tendd):
    """Where the bucket keeps versions itself, they are found and brought back, also those of a folder that keeps none of its own."""
    store = S3("s3_rgw", tendd.root)
    store.bucket = "kept-" + store.prefix
    store.signed("PUT", "/" + store.bucket, {})
    store.signed("PUT", "/" + store.bucket, {"versioning": ""},
                 b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
    data = start(tendd, store, "mode = mirror\n")
    (data / "d").mkdir()
    (data / "other").write_text("other\n")
    known = []
    for number in range(3):
        (data / "d/file").write_bytes(os.urandom(100 + number))
        (data / "d/file2").write_text("another\n")
        tendd.barrier("data")
        known.append((now(), (data / "d/file").read_bytes()))
        tendd.until(lambda: now()[:19] != known[-1][0][:19], "another second: some servers tell no less")
    (data / "d/file").unlink()
    (data / "d/file2").unlink()
    tendd.barrier("data")
    tendd.until(lambda: store.keys("data") == {"other": "file"}, "the end of the files")
    after = now()
    for alone in (False, True):
        if alone:
            assert tendd.stop() == 0
        versions = json_of(tendd, "versions", "data", "d/file")["versions"]
        assert [version["size_bytes"] for version in versions] == [100, 101, 102], versions
        for number, (at, body) in enumerate(known):
            to = tendd.root / ("out-%d-%d" % (alone, number))
            assert restored(tendd, to, "d", "--at", at) == {"d/file": body, "d/file2": b"another\n"}
        assert json_of(tendd, "ls", "data", "--at", after, "-r")["entries"][0]["path"] == "other"


def test_a_wrong_clock_removes_nothing(tendd):
    """A clock that is 400 days ahead at the start would take all of them."""
    store = Directory(tendd.root / "cloud")
    store.put(".tend/versions/data/f/%s~%s" % (ago(days=3), ago(days=4)), b"kept")
    tendd.environment.update(
        TEND_WITHOUT="prune-wait", FAKETIME="+400d", NO_FAKE_STAT="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
        LD_PRELOAD=next(str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
        ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    data = tendd.folder("data")
    (data / "f").write_text("now\n")
    tendd.configure(store.folder(data, more="settle = 50ms\nkeep = 30d\n")).start()
    tendd.until(lambda: tendd.folder_part("data")["prune_trouble"], "a warning")
    assert "differ by more than ten minutes" in tendd.said
    assert tendd.folder_part("data")["pruned"] is None
    assert store.versions("data/f") == [b"kept"]


def test_wrong_words(tendd):
    data = tendd.folder("data")
    tendd.configure(Directory(tendd.root / "cloud").folder(data))
    for words in (["ls", "data", "--at", "tomorrow"], ["ls", "data", "--at", "2999-01-01"], ["ls", "dato"], ["ls", "data", "../x"],
                  ["ls", "data", "/etc"], ["versions", "data"], ["versions", "data", "nope"], ["restore"],
                  ["restore", "data", "--at", "14"]):
        answer = tendd.tend(*words)
        assert answer.returncode == 2, (words, answer)
    assert "did you mean 'data'" in tendd.tend("ls", "dato").stderr
    without = subprocess.run([str(bin_folder() / "tend"), "--socket", "/no/such", "ls", "data"], capture_output=True, text=True,
                             check=False)
    assert without.returncode == 3 and "-c FILE" in without.stderr


def test_times_in_words(tendd):
    """`--at` as a person says it, in the local time of whoever asks, with the daemon and without it."""
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    (data / "file").write_text("of before\n")
    tendd.barrier("data")
    (data / "file").write_text("of now, and longer\n")
    tendd.barrier("data")
    kept = [path for path in (store.path / ".tend/versions/data/file").iterdir() if "~" in path.name]
    assert len(kept) == 1
    kept[0].rename(kept[0].with_name("%s~%s" % (ago(hours=1), ago(hours=80))))
    for alone in (False, True):
        if alone:
            assert tendd.stop() == 0
        for number, (words, body) in enumerate((("2h ago", b"of before\n"), ("yesterday 14:00", b"of before\n"),
                                                ("2d ago", b"of before\n"), ("0 ago", b"of now, and longer\n"))):
            to = tendd.root / ("out-%d-%d" % (alone, number))
            assert restored(tendd, to, "--at", words) == {"file": body}, words
        answer = tendd.tend("restore", "data", "--at", "a while ago", "--to", tendd.root / "no")
        assert answer.returncode == 2 and "a while ago" in answer.stderr, answer
