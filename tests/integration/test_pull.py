"""`restore = if-empty`: a folder that is missing or empty, and knows of nothing, comes back before anything is sent.

servers: s3_rgw dav_apache sftp_sshd
"""

import contextlib
import os
import shutil
import sqlite3
import stat

import pytest

from basics import QUICK, counted, fill, start
from fault_proxy import before
from stores import S3, Directory, Sftp, WebDav, as_told, assert_same, empty

MANY = 1000


@pytest.fixture
def store(tendd):
    return Directory(tendd.root / "remote")


@pytest.fixture(params=["directory", "s3_rgw", "dav_apache", "sftp_sshd"])
def any_store(tendd, request):
    make = {"directory": lambda: Directory(tendd.root / "remote"), "s3_rgw": lambda: S3("s3_rgw", tendd.root),
            "dav_apache": lambda: WebDav("dav_apache", tendd.root), "sftp_sshd": lambda: Sftp("tend")}
    return make[request.param]()


def forget_all(tendd):
    """As on a new machine; the remote is all that is left."""
    tendd.stop()
    shutil.rmtree(tendd.state)


def stored(tendd, store, make):
    """What `make` puts into the folder is at the remote, and nowhere else."""
    data = start(tendd, store)
    make(data)
    tendd.barrier("data")
    forget_all(tendd)
    kept = tendd.root / "kept"
    data.rename(kept)
    return data, kept


def many(data):
    for number in range(MANY):
        folder = data / ("%02d" % (number % 20))
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_text("%d\n" % number)


def here(data):
    return sum(len(files) for _, _, files in os.walk(data))


def leftovers(data):
    return [name for _, _, files in os.walk(data) for name in files if name.startswith(".tend-tmp.")]


def test_it_comes_back_as_it_was(tendd, any_store):
    data, kept = stored(tendd, any_store, lambda data: fill(data, any_store.refused))
    remote = any_store.keys("data")
    data.mkdir()
    tendd.start()
    tendd.until_state("folder:data", "ready")
    assert as_told(any_store, kept) == as_told(any_store, data)
    tendd.barrier("data")
    part = tendd.until_idle("data")
    assert counted(tendd)[:2] == (0, 0) and counted(tendd)[3] == 0, counted(tendd)
    assert part["strangers"] == 0 and part["restoring"] is None and part["trouble"] is None, part
    any_store.judge(data)
    assert any_store.keys("data") == remote
    # Agreed from now on: a deletion is one, and what is empty then is no reason to bring it back.
    (data / "plain.txt").unlink()
    tendd.barrier("data")
    assert "plain.txt" not in any_store.keys("data")
    tendd.stop()
    remote = any_store.keys("data")
    empty(data)
    tendd.start()
    tendd.until(lambda: tendd.unit("folder:data")["needs_person"], "a folder that needs a person")
    assert any_store.keys("data") == remote and not here(data)


def test_a_missing_folder_is_made(tendd, store):
    data, kept = stored(tendd, store, fill)
    (tendd.root / "link").symlink_to(tendd.root)
    far = tendd.root / "link/not/there/data"
    tendd.configure(store.folder(far, more=QUICK)).start()
    tendd.barrier("data")
    assert_same(kept, far)
    assert counted(tendd)[:2] == (0, 0)


def test_a_misspelt_folder_is_told(tendd, store):
    """Nothing lies at its remote: nobody would know where it came from."""
    tendd.configure(store.folder(tendd.root / "no/such", more=QUICK)).start()
    trouble = tendd.until(lambda: tendd.folder_part("data")["trouble"], "its trouble")
    assert "does not exist: create it" in trouble["text"]
    assert not (tendd.root / "no").exists()


def test_a_kill_at_every_moment(tendd, store):
    """What is not here yet is no deletion (trap 1), and nothing of it stays half."""
    data, kept = stored(tendd, store, many)
    remote = store.keys("data")
    data.mkdir()
    killed = 0
    for share in range(1, 12):
        tendd.start(wait=False)
        tendd.until(lambda: here(data) > MANY * share // 12 or counted_ready(tendd), "so much of it")
        killed += not counted_ready(tendd)
        tendd.kill()
        if share < 4:  # as one does between mkdir and chmod
            for folder in data.iterdir():
                folder.chmod(0o700)
        assert store.keys("data") == remote
    assert killed > 3, "it was through before it was killed"
    tendd.start()
    tendd.barrier("data")
    assert_same(kept, data)
    assert not leftovers(data) and store.keys("data") == remote
    assert counted(tendd)[:2] == (0, 0)


def counted_ready(tendd):
    with contextlib.suppress(OSError, AssertionError):
        return tendd.unit("folder:data")["state"] == "ready"
    return False


def test_who_requires_it_waits(tendd, store):
    data, _ = stored(tendd, store, many)
    data.mkdir()
    seen = tendd.root / "seen"
    tendd.configure(store.folder(data, more=QUICK) +
                    "[service reader]\nshell = yes\ncommand = find %s -type f | wc -l > %s; sleep 1000\nrequires = folder:data\n"
                    "network = no\n" % (data, seen)).start()
    tendd.until(lambda: seen.exists() and seen.read_text().strip(), "the service")
    assert int(seen.read_text()) == MANY


def test_what_was_made_meanwhile_stays(tendd, store):
    data, kept = stored(tendd, store, many)
    data.mkdir()
    tendd.start(wait=False)
    tendd.until(lambda: here(data) > MANY // 10, "some of it")
    tendd.kill()
    names = sorted(path.relative_to(kept) for path in kept.rglob("*") if path.is_file())
    missing = [name for name in names if not (data / name).exists()]
    assert missing, "all of it came at once"
    ours, removed = missing[0], next(name for name in names if (data / name).exists())
    (data / ours).parent.mkdir(exist_ok=True)
    (data / ours).write_text("made meanwhile, and longer\n")
    (data / "new").write_text("new\n")
    (data / removed).unlink()
    tendd.start()
    tendd.barrier("data")
    assert (data / ours).read_text() == "made meanwhile, and longer\n"
    assert store.read("data/%s" % ours) == b"made meanwhile, and longer\n" and store.read("data/new") == b"new\n"
    assert store.versions("data/%s" % ours) == [(kept / ours).read_bytes()]
    assert (data / removed).read_bytes() == (kept / removed).read_bytes()  # nothing was agreed when it went
    assert here(data) == MANY + 1


def test_the_rules_hold(tendd, store):
    data, kept = stored(tendd, store, fill)
    remote = store.keys("data")
    data.mkdir()
    tendd.configure(store.folder(data, more=QUICK + "exclude = deep/\n  tool\n")).start()
    tendd.barrier("data")
    assert_same(data, kept, without=("deep", "deep/er", "deep/er/still", "deep/er/still/file", "deep/empty", "tool"))
    assert store.keys("data") == remote


def test_rules_that_come_with_it(tendd, store):
    """What they leave out came before they were read: it is here, and agreed on by nobody."""
    for number in range(50):
        store.put("data/%02d" % number, b"%d" % number)
    store.put("data/.tendignore", b"0*\n")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    part = tendd.until_idle("data")
    assert here(data) == 51 and counted(tendd)[:2] == (0, 0) and counted(tendd)[3] == 0, counted(tendd)
    assert (part["strangers"], part["forgotten"], part["files"]) == (10, None, 41), part


@pytest.mark.parametrize("mode", ["backup", "two-way", "fetch"])
@pytest.mark.parametrize("all_agreed", [False, True])
def test_a_kill_takes_along_what_was_agreed(tendd, store, mode, all_agreed):
    """Agreed, but not on the disk for good yet: what a power cut takes along is no deletion. Nor is it where all rows came to the disk
    before what they speak of."""
    for number in range(MANY):
        store.put("data/%d" % number, b"%d" % number)
    remote = store.keys("data")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK + "mode = %s\n" % mode)).start(wait=False)
    tendd.until(lambda: here(data) > MANY // 2, "more than half of it")
    tendd.kill()
    came = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith(".tend-tmp.")]
    for path in came[::2]:
        path.unlink()
    with contextlib.closing(sqlite3.connect(tendd.state / "folders/data.db")) as index:
        if not index.execute("select count(*) from meta where cast(k as text) = 'pulling'").fetchone()[0]:
            pytest.skip("it was through before it was killed")
        assert index.execute("select count(*) from entry where flags & 1 = 0").fetchone()[0], "nothing was agreed"
        if all_agreed:
            index.execute("update entry set flags = flags & ~1")
            index.execute("update meta set v = ? where cast(k as text) = 'totals'", ("%d 0 0 0 0 0 0 0 0 %d" % (MANY, MANY),))
            index.commit()
    tendd.start()
    tendd.barrier("data")
    assert {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()} == {
        str(number): b"%d" % number for number in range(MANY)}
    assert {key: kind for key, kind in store.keys("data").items() if key in remote} == remote and counted(tendd)[3] == 0


def test_all_of_it_is_left_out(tendd, store):
    data, _ = stored(tendd, store, fill)
    remote = store.keys("data")
    data.mkdir()
    tendd.configure(store.folder(data, more=QUICK + "exclude = *\n")).start()
    tendd.until_state("folder:data", "ready")
    assert not here(data) and store.keys("data") == remote


def test_a_remote_that_goes_away(tendd):
    """In the middle of it: what is here stays, and the rest comes when it is back."""
    store = S3("s3_rgw", tendd.root)
    data, kept = stored(tendd, store, lambda data: [(data / str(number)).write_text("%d\n" % number) for number in range(300)])
    data.mkdir()
    with before(store) as proxy:
        def decide(request):
            if here(data) >= 50:
                proxy.shut()
            return None
        proxy.decide = decide
        tendd.configure(store.folder(data, more=QUICK)).start()
        trouble = tendd.until(lambda: tendd.folder_part("data")["trouble"], "its trouble")
        assert tendd.unit("folder:data")["state"] != "ready", trouble
        assert here(data) < 300
        proxy.decide = lambda request: None
        proxy.open()
        tendd.barrier("data")
    assert_same(kept, data)
    assert counted(tendd)[:2] == (0, 0)


def test_a_pause_in_the_midst_of_it(tendd, store):
    data, kept = stored(tendd, store, many)
    data.mkdir()
    tendd.start(wait=False)
    tendd.until(lambda: here(data) > 50, "some of it")
    assert tendd.tend("pause", "data").returncode == 0
    tendd.until(lambda: tendd.folder_part("data")["state"] == "paused" and tendd.folder_part("data")["restoring"] is None, "the pause")
    before = here(data)
    assert before == here(data) and not leftovers(data)
    assert tendd.tend("resume", "data").returncode == 0
    tendd.barrier("data")
    assert_same(kept, data)


def test_a_new_machine_takes_over(tendd, store):
    """The state went with the old one: another machine by its id."""
    data, _ = stored(tendd, store, fill)
    owner = store.at(".tend/owner/data")
    old = owner.read_text()
    data.mkdir()
    tendd.start()
    tendd.barrier("data")
    assert owner.read_text() != old
    (data / "plain.txt").write_text("ours\n")
    tendd.barrier("data")
    assert store.read("data/plain.txt") == b"ours\n"
    assert "all was brought back: takes the remote over" in tendd.said


def test_a_database_comes_back(tendd, store):
    def make(data):
        database = sqlite3.connect(data / "chat.db")
        database.execute("pragma journal_mode=wal")
        database.execute("create table t(x)")
        database.execute("insert into t values(1)")
        database.commit()
        database.close()
    data, _ = stored(tendd, store, make)
    data.mkdir()
    tendd.start()
    tendd.barrier("data")
    with contextlib.closing(sqlite3.connect(data / "chat.db")) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert database.execute("select x from t").fetchall() == [(1,)]
    assert counted(tendd)[:2] == (0, 0) and stat.S_IMODE((data / "chat.db").stat().st_mode) == 0o644
