"""Programs that write into SQLite databases while tests look, and what a copy of such a database must hold."""

import contextlib
import multiprocessing
import sqlite3

KEPT = 500  # rows: each transaction writes one and takes the oldest away


def write_on(path, mode, alone, committed, stop):
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    if alone:
        db.execute("pragma locking_mode=exclusive")
    db.execute("pragma journal_mode=%s" % mode)
    db.execute("pragma synchronous=off")
    db.execute("create table if not exists t(id integer primary key, x blob)")
    number = db.execute("select coalesce(max(id), 0) from t").fetchone()[0]
    while not stop.is_set():
        number += 1
        db.execute("begin")
        db.execute("insert into t values(?, randomblob(abs(random()) % 3000))", (number,))
        db.execute("delete from t where id = ? - ?", (number, KEPT))
        db.execute("commit")
        committed.value = number
    db.close()


class Writer:
    """A program of its own that commits all the time. `alone`: it takes its lock once, and lets nobody else in until it ends."""

    def __init__(self, path, mode, alone=False):
        self.committed = multiprocessing.Value("q", 0)
        self.stop = multiprocessing.Event()
        self.process = multiprocessing.Process(target=write_on, daemon=True,
                                               args=(path, mode, alone, self.committed, self.stop))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.process.join()


def last_row(path):
    """Of a database that is whole: the number of its last row."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute("select max(id) from t").fetchone()[0] or 0


def last_transaction(path):
    """Of what a Writer wrote: the last transaction, with nothing of those before it missing and nothing of a later one there."""
    last = last_row(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        count, first = db.execute("select count(*), coalesce(min(id), 1) from t").fetchone()
    assert count == min(last, KEPT) and last - first + 1 == count, (first, last, count)
    return last


def taken_home(tmp_path, body, judge=last_row):
    """What a person gets who opens the copy."""
    path = tmp_path / "home.db"
    path.write_bytes(body)
    try:
        return judge(path)
    finally:
        path.unlink()
