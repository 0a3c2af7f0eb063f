"""`tend wait` is a true barrier: right after it the plug is pulled and the machine is lost, with its state and its folder; another
machine takes all of it from the remote.

servers: s3_rgw dav_apache
"""

import contextlib
import os
import shutil
import signal
import sqlite3

import pytest

from basics import QUICK
from churn import Churn
from databases import Writer, last_row, last_transaction
from stores import S3, Directory, WebDav, as_told, brief
from tend import Tendd, is_alive

OPERATIONS = 300
KEYS = QUICK + "pace = 100%\nmax_delete = none\n"
DATABASES = ("busy.db", "open.db")


@pytest.fixture(params=["directory", "s3_rgw", "dav_apache"])
def store(tmp_path, request):
    make = {"directory": lambda: Directory(tmp_path / "remote"), "s3_rgw": lambda: S3("s3_rgw", tmp_path),
            "dav_apache": lambda: WebDav("dav_apache", tmp_path)}
    return make[request.param]()


@pytest.fixture
def other():
    with Tendd() as daemon:
        yield daemon


def pull_the_plug(machine):
    keepers = machine.keepers()
    machine.kill()
    for keeper in keepers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGKILL)
        machine.until(lambda pid=keeper: not is_alive(pid), "the end of the keeper")


def told(store, data, *left_out):
    """Folders of a store that has none are there by what lies in them, and have the mode of the one they lie in."""
    facts = {path: fact for path, fact in as_told(store, data).items() if path not in left_out}
    return facts if store.has_folders else {path: fact[:1] if fact[0] == "folder" else fact for path, fact in facts.items()}


@pytest.mark.parametrize("mode", ["backup", "mirror", "two-way"])
def test_what_was_waited_for_is_elsewhere(tendd, other, store, mode):
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=KEYS + "mode = %s\n" % mode)).start()
    churn = Churn(data, seed=31, directory=store.kind == "directory")
    churn.names = [name for name in churn.names if name != "tab\t" or store.kind != "dav_apache"]
    still_open = sqlite3.connect(data / "open.db", isolation_level=None)
    still_open.execute("pragma journal_mode=wal")
    still_open.execute("create table t(id integer primary key)")
    with Writer(data / "busy.db", "wal") as writer:
        churn.work(OPERATIONS)
        tendd.until(lambda: writer.committed.value > 100, "rows")
        still_open.execute("insert into t values(7)")  # in its log, and for long
        committed = writer.committed.value
        ended = tendd.tend("wait", "data")
        assert ended.returncode == 0, ended
        pull_the_plug(tendd)
    shutil.rmtree(tendd.state)
    lost = data.rename(tendd.root / "lost")

    there = other.folder("data")
    other.configure(store.folder(there, more=KEYS + "mode = fetch\n")).start()
    other.barrier("data")
    assert not [name for name in os.listdir(there) if name.startswith(DATABASES) and name not in DATABASES]
    ours = told(store, lost, *DATABASES, *(name + end for name in DATABASES for end in ("-wal", "-shm")))
    theirs = told(store, there, *DATABASES)
    assert ours.keys() == theirs.keys(), (sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys()))
    assert not [(path, brief(ours[path]), brief(theirs[path])) for path in ours if ours[path] != theirs[path]]
    assert last_row(there / "open.db") == 7
    assert last_transaction(there / "busy.db") >= committed
    still_open.close()
