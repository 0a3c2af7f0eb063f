"""Live SQLite databases: every copy at the remote is whole, and holds what was committed before it was taken.

servers: s3_rgw s3_swift
"""

import contextlib
import os
import re
import sqlite3
import threading

import pytest

from basics import QUICK, counted, since, start
from databases import Writer, last_transaction, taken_home
from fault_proxy import Proxy, status
from stores import S3, Directory

PART = 5 << 20
NO_PATIENCE_LEFT = "is sent ahead of files it may name"


@pytest.fixture(params=["directory", "s3_rgw"])
def store(tendd, request):
    return Directory(tendd.root / "remote") if request.param == "directory" else S3(request.param, tendd.root)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_that_never_rests(tendd, store, tmp_path, mode):
    """Every copy, those that were replaced too, is of one moment, and of none before its capture."""
    data = start(tendd, store)
    floors = [0]
    with Writer(data / "chat.db", mode) as writer:
        tendd.until(lambda: writer.committed.value > 100, "rows")
        for _ in range(5):
            before = writer.committed.value
            tendd.barrier("data")
            assert taken_home(tmp_path, store.read("data/chat.db"), last_transaction) >= before
            floors.append(before)
            tendd.until(lambda: writer.committed.value > before + 50, "more rows")
    tendd.barrier("data")
    assert taken_home(tmp_path, store.read("data/chat.db"), last_transaction) == writer.committed.value
    assert set(store.keys("data")) == {"chat.db"}
    kept = [taken_home(tmp_path, body, last_transaction) for body in store.versions("data/chat.db")]
    assert kept == sorted(kept) and len(kept) == len(set(kept)), kept
    # Of each barrier there is a copy, kept or replaced by a later one.
    assert len(kept) >= len(floors) - 1, kept
    assert NO_PATIENCE_LEFT not in tendd.said


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_writer_that_lets_nobody_in(tendd, tmp_path, mode):
    """No lock is to be had, and what lies there is never the same twice: the last good copy stays, and it is said until it goes on."""
    store = Directory(tendd.root / "remote")
    with Writer(tendd.folder("data") / "chat.db", mode) as writer:
        tendd.until(lambda: writer.committed.value > 100, "rows")
    data = start(tendd, store, settle=QUICK, more="max_settle = 1s\n")
    tendd.barrier("data")
    last = writer.committed.value
    with Writer(data / "chat.db", mode, alone=True) as writer:
        def stored():
            return taken_home(tmp_path, store.read("data/chat.db"), last_transaction)

        def refused():
            # On a loaded machine it may pause for long enough to be copied: then that is the last good one.
            before, ended = writer.committed.value, tendd.tend("wait", "data")
            if ended.returncode == 0:
                assert stored() >= before
                return None
            return ended

        assert stored() == last
        tendd.until(lambda: writer.committed.value > last + 100, "rows")
        told = tendd.until(lambda: tendd.folder_part("data")["troubles"], "the word of it")
        assert [(row["path"], row["why"]) for row in told] == [("chat.db", "hot")], told
        assert "it is tried again; the last good copy of it stays" in told[0]["reason"], told
        ended = tendd.until(refused, "a wait that ends")
        assert ended.returncode == 1 and "chat.db: the database is being written" in ended.stdout + ended.stderr, ended
        assert stored() >= last and set(store.keys("data")) == {"chat.db"}
        # Nobody else waits for it.
        (data / "note").write_text("note\n")
        tendd.until(lambda: store.keys("data").get("note"), "the file beside it")

        def said():
            ended = tendd.tend("status", "data")
            return ended.returncode == 1 and "chat.db" in ended.stdout and "last good copy" in ended.stdout
        tendd.until(said, "the word of it in the status")
    tendd.barrier("data")
    assert taken_home(tmp_path, store.read("data/chat.db"), last_transaction) == writer.committed.value
    assert not tendd.folder_part("data")["troubles"] and tendd.tend("status", "data").returncode == 0
    assert os.listdir(tendd.state / "images") == []


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


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_200_mib(tendd, mode, tmp_path):
    """Captured and sent whole while its writer goes on: every copy is of one moment, and of none before its capture began."""
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    with contextlib.closing(sqlite3.connect(data / "large.db", isolation_level=None)) as db:
        db.execute("pragma synchronous=off")
        db.execute("create table filler(id integer primary key, x blob)")
        db.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 51200)"
                   " insert into filler select i, zeroblob(4000) from n")
    with Writer(data / "large.db", mode) as writer:
        tendd.until(lambda: writer.committed.value > 100, "rows")
        tendd.configure(store.folder(data, more=QUICK)).start()
        before = writer.committed.value
        tendd.barrier("data")
        body = store.read("data/large.db")
        assert len(body) > 200 << 20
        assert taken_home(tmp_path, body, last_transaction) >= before
        assert writer.committed.value > before, "it was held up"
    for body in store.versions("data/large.db"):
        assert len(body) > 200 << 20
        taken_home(tmp_path, body, last_transaction)


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

    def is_ours(path):
        with contextlib.closing(sqlite3.connect(path)) as home:
            assert home.execute("pragma integrity_check").fetchall() == [("ok",)]
            for query in ("select count(*), sum(length(x)) from t", "select x from t where id in (1, 10000, 10099, %d)" % rows):
                assert home.execute(query).fetchall() == db.execute(query).fetchall()
    taken_home(tmp_path, store.read("data/large.db"), is_ours)
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
