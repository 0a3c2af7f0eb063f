"""Live SQLite databases: every copy at the remote is whole, and holds what was committed before it was taken.

servers: s3_rgw s3_swift
"""

import multiprocessing
import os
import re
import sqlite3
import threading

import pytest

from basics import QUICK, counted, since, start
from fault_proxy import Proxy, status
from stores import S3, Directory

PART = 5 << 20
NO_PATIENCE_LEFT = "is sent ahead of files it may name"


@pytest.fixture(params=["directory", "s3_rgw"])
def store(tendd, request):
    return Directory(tendd.root / "remote") if request.param == "directory" else S3(request.param, tendd.root)


def write_on(path, mode, committed, stop):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.execute("pragma journal_mode=%s" % mode)
    db.execute("pragma synchronous=off")
    db.execute("create table if not exists t(id integer primary key, x blob)")
    number = 0
    while not stop.is_set():
        number += 1
        db.execute("begin")
        db.execute("insert into t values(?, randomblob(abs(random()) % 3000))", (number,))
        db.execute("delete from t where id = ? - 500", (number,))
        db.execute("commit")
        committed.value = number
    db.close()


class Writer:
    """A program of its own that commits all the time."""

    def __init__(self, path, mode):
        self.committed = multiprocessing.Value("q", 0)
        self.stop = multiprocessing.Event()
        self.process = multiprocessing.Process(target=write_on, args=(path, mode, self.committed, self.stop), daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.process.join()


def taken_home(tmp_path, body):
    """What a person gets who opens the copy: the number of its last row."""
    path = tmp_path / "home.db"
    path.write_bytes(body)
    with sqlite3.connect(path) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute("select max(id) from t").fetchone()[0] or 0


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_that_never_rests(tendd, store, tmp_path, mode):
    data = start(tendd, store)
    with Writer(data / "chat.db", mode) as writer:
        tendd.until(lambda: writer.committed.value > 100, "rows")
        for _ in range(5):
            before = writer.committed.value
            tendd.barrier("data")
            assert taken_home(tmp_path, store.read("data/chat.db")) >= before
            tendd.until(lambda: writer.committed.value > before + 50, "more rows")
    tendd.barrier("data")
    assert taken_home(tmp_path, store.read("data/chat.db")) == writer.committed.value
    assert set(store.keys("data")) == {"chat.db"}
    for body in store.versions("data/chat.db"):
        taken_home(tmp_path, body)
    assert NO_PATIENCE_LEFT not in tendd.said


def test_a_file_that_never_rests_beside_it(tendd, tmp_path):
    """The database goes after what it may name; a barrier has that go as it is."""
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="settle = 2s\nmax_settle = 1h\npace = 100%\nmax_transfers = 1\n")).start()
    rests = threading.Event()

    def grow():
        with open(data / "a.log", "ab", buffering=0) as log:
            while not rests.wait(0.001):
                log.write(b"a line\n")
    with sqlite3.connect(data / "chat.db") as db:
        db.execute("create table t(id integer primary key, x)")
    grower = threading.Thread(target=grow)
    grower.start()
    try:
        for number in (1, 2, 3):
            with db:
                db.execute("insert into t values(?, 'x')", (number,))
            tendd.barrier("data")
            assert taken_home(tmp_path, store.read("data/chat.db")) == number
    finally:
        rests.set()
        grower.join()
        db.close()
    assert NO_PATIENCE_LEFT not in tendd.said


def folder_as_it_is(data):
    return {entry.name: (entry.stat().st_size, entry.stat().st_mtime_ns, entry.stat().st_ino) for entry in os.scandir(data)}


def test_an_idle_database_costs_nothing(tendd, store):
    """Checkpoints and commits of nothing, with the log there and away; and nothing beside it is made, changed or taken."""
    data = start(tendd, store)
    db = sqlite3.connect(data / "chat.db", isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("create table t(id integer primary key, x)")
    db.execute("insert into t values(1, 2)")
    tendd.barrier("data")
    before = counted(tendd)
    listed = folder_as_it_is(data)
    for mode in ("passive", "full", "restart", "passive", "truncate", "passive"):
        db.execute("pragma wal_checkpoint(%s)" % mode)
        db.execute("begin immediate")
        db.execute("commit")
        tendd.barrier("data")
        assert folder_as_it_is(data).keys() == listed.keys()
    assert since(tendd, before)[0] == 0
    db.execute("insert into t values(2, 3)")
    tendd.barrier("data")
    assert since(tendd, before)[0] == 1
    listed = folder_as_it_is(data)
    tendd.post("/v1/units/folder:data/sync")
    tendd.barrier("data")
    assert folder_as_it_is(data) == listed
    db.close()
    tendd.barrier("data")
    assert since(tendd, before)[0] == 1
    assert [entry.name for entry in os.scandir(data)] == ["chat.db"]


def test_200_mib(tendd, tmp_path):
    """Captured and sent whole while its writer goes on."""
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    db = sqlite3.connect(data / "large.db", isolation_level=None)
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=off")
    db.execute("create table t(id integer primary key, x blob)")
    db.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 51200)"
               " insert into t select i, zeroblob(4000) from n")
    db.execute("insert into t values(60000, randomblob(100))")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    body = store.read("data/large.db")
    assert len(body) > 200 << 20
    assert taken_home(tmp_path, body) == 60000
    (tmp_path / "home.db").unlink()
    db.close()


def parts_of(proxy):
    """(bytes of all bodies, bytes of parts, how many were sent, how many taken from what stood there)."""
    with proxy.lock:
        numbers = {True: set(), False: set()}
        in_parts = 0
        for request in proxy.requests:
            number = re.search(r"partNumber=(\d+)", request.target)
            if number:
                numbers[b"x-amz-copy-source-range" in request.head.lower()].add(number.group(1))
                in_parts += len(request.body)
        return sum(len(request.body) for request in proxy.requests), in_parts, len(numbers[False]), len(numbers[True])


@pytest.mark.parametrize("server, rows", [("s3_rgw", 51200), ("s3_swift", 12800)])
def test_a_large_database_costs_what_changed(tendd, server, rows, tmp_path):
    """200 MiB and 50 MiB, 100 pages changed: what is equal is copied by the server, and the result is the whole image."""
    store = S3(server, tendd.root)
    data = tendd.folder("data")
    db = sqlite3.connect(data / "large.db", isolation_level=None)
    db.execute("pragma synchronous=off")
    db.execute("create table t(id integer primary key, x blob)")
    db.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)"
               " insert into t select i, randomblob(4000) from n", (rows,))
    size = (data / "large.db").stat().st_size
    assert size > rows << 12
    with Proxy(store.server) as proxy:
        store.endpoint = proxy.address
        tendd.configure(store.folder(data, more=QUICK)).start()
        tendd.barrier("data")
        assert parts_of(proxy)[1] == size
        for _ in range(2):
            proxy.forget()
            before = counted(tendd)
            db.execute("update t set x = randomblob(4000) where id between 10000 and 10099")
            tendd.barrier("data")
            everything, in_parts, sent, copied = parts_of(proxy)
            assert everything <= max(size * 5 // 100, 2 * PART + 100_000), (everything, size, sent, copied)
            assert 1 <= sent <= 2 and sent + copied == (size + PART - 1) // PART
            assert since(tendd, before)[:2] == (1, in_parts)
    assert taken_home(tmp_path, store.read("data/large.db")) == rows
    with sqlite3.connect(tmp_path / "home.db") as home:
        for query in ("select count(*), sum(length(x)) from t", "select x from t where id in (1, 10000, 10099, %d)" % rows):
            assert home.execute(query).fetchall() == db.execute(query).fetchall()
    (tmp_path / "home.db").unlink()
    db.close()


def test_a_remote_that_copies_no_parts(tendd, tmp_path):
    """All of it is sent, and it is said once."""
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    db = sqlite3.connect(data / "large.db", isolation_level=None)
    db.execute("create table t(id integer primary key, x blob)")
    db.execute("insert into t values(1, randomblob(12000000))")
    with Proxy(store.server) as proxy:
        store.endpoint = proxy.address
        proxy.decide = lambda request: (status(501, "<Error><Code>NotImplemented</Code></Error>")
                                        if b"x-amz-copy-source-range" in request.head.lower() else None)
        tendd.configure(store.folder(data, more=QUICK)).start()
        tendd.barrier("data")
        for number in (2, 3):
            proxy.forget()
            db.execute("insert into t values(?, 'x')", (number,))
            tendd.barrier("data")
            _, in_parts, sent, copied = parts_of(proxy)
            assert in_parts == (data / "large.db").stat().st_size
            assert (copied > 0) == (number == 2)
        assert tendd.said.count("copies no parts") == 1
    assert taken_home(tmp_path, store.read("data/large.db")) == 3
    db.close()
