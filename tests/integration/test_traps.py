"""SYNC.md §13: traps that the real programs show best. Those of one room are in its own tests."""

import os
import shutil
import sqlite3

import pytest

from basics import counted, since, start
from stores import Directory, assert_same


@pytest.fixture
def store(tendd):
    return Directory(tendd.root / "remote")


def rows(path):
    """Of a copy that nobody writes; a copy of the copy, since a look may leave files beside it."""
    with sqlite3.connect("file:%s?mode=ro&immutable=1" % path, uri=True) as copy:
        assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
        return [text for (text,) in copy.execute("select t from m order by rowid")]


@pytest.fixture
def database(tendd, store):
    """A WAL database whose writer stays, and sends nothing to the database file by itself."""
    data = start(tendd, store)
    writer = sqlite3.connect(data / "chat.db", isolation_level=None)
    writer.execute("pragma journal_mode=wal")
    writer.execute("pragma wal_autocheckpoint=0")
    writer.execute("create table m(t)")
    writer.execute("insert into m values('one')")
    tendd.barrier("data")
    yield data, writer
    writer.close()


def test_a_row_in_the_wal_is_a_change(tendd, store, database):
    """Trap 2: no checkpoint, nobody waits for it, and it is there."""
    data, writer = database
    scans = tendd.folder_part("data")["scans"]
    before = (data / "chat.db").read_bytes()
    writer.execute("insert into m values('two')")
    tendd.until(lambda: rows(store.at("data/chat.db")) == ["one", "two"], "the row")
    assert (data / "chat.db").read_bytes() == before
    assert tendd.folder_part("data")["scans"] == scans
    assert set(store.keys("data")) == {"chat.db"}


def test_an_idle_database_sends_nothing(tendd, store, database):
    """Traps 3 and 5: checkpoints and commits without a change are no news, and the folder is left as it was."""
    data, writer = database
    listing = sorted(os.listdir(data))
    before = counted(tendd)
    for turn in range(6):
        writer.execute("pragma wal_checkpoint(%s)" % ("truncate" if turn % 2 else "passive"))
        writer.execute("begin immediate")
        writer.execute("update m set t = t")
        writer.execute("commit")
        tendd.barrier("data")
    writer.execute("pragma wal_checkpoint(truncate)")
    tendd.barrier("data")
    assert since(tendd, before)[:2] == (0, 0)
    assert sorted(os.listdir(data)) == listing
    assert rows(store.at("data/chat.db")) == ["one"]


def reads_as_others_do(tendd):
    """A root that may read everything would never meet a closed folder."""
    inner = tendd.command()
    if os.geteuid() == 0:
        tendd.command = lambda: ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *inner]


def test_what_cannot_be_read_is_not_deleted(tendd, store):
    """Trap 16: a closed folder and a closed file are refused with their reason; remote and base stay."""
    reads_as_others_do(tendd)
    data = tendd.folder("data")
    (data / "closed/below").mkdir(parents=True)
    (data / "closed/below/file").write_text("x")
    (data / "secret").write_text("s")
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    (data / "closed").chmod(0)
    (data / "secret").write_text("changed, and closed")
    (data / "secret").chmod(0)
    (data / "beside").write_text("goes on")
    for _ in range(2):
        tendd.tend("sync", "data")
        waited = tendd.tend("wait", "data")
        assert waited.returncode == 1, waited
        assert "closed" in waited.stderr and "secret" in waited.stderr and "ermission" in waited.stderr, waited.stderr
        assert store.keys("data") == {**before, "beside": "file"}
        tendd.stop()
        tendd.start()  # and a start that scans sees no more of it
    listed = tendd.tend("status", "data").stdout
    assert "closed" in listed and "secret" in listed
    (data / "closed").chmod(0o755)
    (data / "secret").chmod(0o600)
    tendd.barrier("data")
    assert_same(data, store.at("data"))


def test_what_is_newly_excluded_is_not_deleted(tendd, store):
    """Trap 16: forgotten, and what happens to it from then on is nobody's business."""
    data = tendd.folder("data")
    for name in ("a.log", "b.log", "c"):
        (data / name).write_text(name)
    (data / "logs.log").mkdir()
    (data / "logs.log/deep").write_text("deep")
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    tendd.configure(store.folder(data, more="settle = 50ms\nexclude = *.log\n"))
    assert tendd.reload().status == 200
    tendd.until(lambda: tendd.folder_part("data")["files"] == 1, "the rules at work")
    (data / "a.log").unlink()
    shutil.rmtree(data / "logs.log")
    (data / "b.log").write_text("changed")
    (data / "c").write_text("changed")
    tendd.barrier("data")
    assert store.keys("data") == before
    assert store.read("data/b.log") == b"b.log" and store.read("data/c") == b"changed"
    # Included again: what is here is compared and sent; what is not here is not deleted, there is no base for it.
    tendd.configure(store.folder(data, more="settle = 50ms\n"))
    assert tendd.reload().status == 200
    tendd.until(lambda: store.read("data/b.log") == b"changed", "the file that is included again")
    tendd.barrier("data")
    assert store.keys("data") == before
