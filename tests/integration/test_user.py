"""`user` of a folder: tend runs as root, and reads the folder with the rights of the one whose it is. By hand: TEND_ROUNDS=10000.

one build
"""

import contextlib
import os
import pwd
import random
import sqlite3
import subprocess
import threading
import time

import pytest

from basics import QUICK
from stores import Directory
from tend import Tendd

ROUNDS = int(os.environ.get("TEND_ROUNDS", "2000"))
SECRET = b"only root may read this " * 500
NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0


def root_only(test):
    """Somebody else has nobody to be: then there is one test, that tendd says so."""
    return test if IS_ROOT else None


def give(*paths, mode=None):
    for path in paths:
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)
        if mode is not None:
            path.chmod(mode)


def put(path, text, owner="nobody", mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    if owner == "nobody":
        give(path)
    return path


@pytest.fixture
def data(tendd):
    """A folder of nobody's, and the way to it."""
    tendd.root.chmod(0o711)
    folder = tendd.folder("data")
    give(folder, mode=0o700)
    return folder


@pytest.fixture
def store(tendd):
    place = Directory(tendd.root / "remote")
    place.path.chmod(0o700)  # root's: nobody has no business there
    return place


def begin(tendd, store, data, more=""):
    tendd.configure(store.folder(data, more=QUICK + "user = nobody\n" + more)).start()


def trouble_of(tendd):
    return {item["path"]: item["reason"] for item in tendd.folder_part("data")["troubles"]}


@root_only
def test_what_the_user_may_read_arrives_and_nothing_else(tendd, store, data):
    put(data / "mine", "mine\n")
    put(data / "open", "root's, for all\n", "root", 0o644)
    put(data / "roots", "root's alone\n", "root")
    (data / "sub").mkdir(mode=0o755)
    put(data / "sub/mine", "mine too\n")
    (data / "closed").mkdir(mode=0o700)
    put(data / "closed/open", "behind a door\n", "root", 0o644)
    give(data / "sub")
    begin(tendd, store, data)
    ended = tendd.tend("wait", "data")
    assert ended.returncode == 1 and "roots" in ended.stderr + ended.stdout, ended
    files = {path: kind for path, kind in store.keys("data").items() if kind == "file"}
    assert files == {"mine": "file", "open": "file", "sub/mine": "file"}
    assert tendd.folder_part("data")["refused"] == 2
    told = trouble_of(tendd)
    assert set(told) == {"roots", "closed"} and all("ermission denied" in reason for reason in told.values()), told
    status = tendd.tend("status", "data").stdout
    assert "'roots'" in status and "ermission denied" in status, status
    # What lies at the remote is root's, as are the daemon's own files; nothing was made in the folder.
    for folder, _, names in os.walk(tendd.root / "remote"):
        assert all(os.lstat(os.path.join(folder, name)).st_uid == 0 for name in names)
    assert sorted(os.listdir(data)) == ["closed", "mine", "open", "roots", "sub"]
    # Given to the user it is read; taken from the user it stays at the remote as it was.
    give(data / "roots")
    os.chown(data / "mine", 0, 0)
    (data / "mine").write_text("not for nobody\n")
    tendd.until(lambda: store.keys("data").get("roots"), "the file that was given")
    assert store.read("data/roots") == b"root's alone\n"
    tendd.until(lambda: "mine" in trouble_of(tendd), "the file that was taken")
    assert store.read("data/mine") == b"mine\n"
    assert tendd.tend("wait", "data").returncode == 1


@root_only
def test_changes_are_seen_as_the_user(tendd, store, data):
    """A folder that the user makes is watched: what comes into it arrives without a scan."""
    begin(tendd, store, data)
    tendd.until_idle("data")
    scans = tendd.folder_part("data")["scans"]
    subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c",
                    "umask 077; mkdir -p '%s/a/b' && echo deep > '%s/a/b/file'" % (data, data)], check=True)
    tendd.until(lambda: store.keys("data").get("a/b/file") and store.read("data/a/b/file") == b"deep\n", "the file")
    put(data / "a/b/file", "deeper\n")
    tendd.until(lambda: store.read("data/a/b/file") == b"deeper\n", "its new content")
    assert tendd.folder_part("data")["scans"] == scans
    tendd.barrier("data")


def swap_forever(data, outside, stop, rounds):
    """Each name is by turns a file of nobody's, root's own file by a rename, a link to it, and a second name of it."""
    flip = 0
    while not stop.is_set():
        for number in range(4):
            path, kept = data / ("f%d" % number), data / ("kept%d" % number)
            path.rename(kept)
            turn = (flip + number) % 3
            if turn == 0:
                (outside / "moved").rename(path)
            elif turn == 1:
                path.symlink_to(outside / "secret")
            else:
                os.link(outside / "secret", path)
            time.sleep(random.random() / 1000)  # so that some are met as they are now
            if turn == 0:
                path.rename(outside / "moved")
            else:
                path.unlink()
            kept.rename(path)
        (data / "folder").rename(data / "away")
        (data / "folder").symlink_to(outside)
        (data / "folder").unlink()
        (outside / "folder").rename(data / "folder")
        (data / "folder").rename(outside / "folder")
        (data / "away").rename(data / "folder")
        flip += 1
        rounds[0] = flip
        if flip % 20 == 0:
            put(data / "note", "%d\n" % flip)


def holds_secret(place):
    for folder, _, names in os.walk(place):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    if SECRET[:24] in file.read():
                        return path
    return None


@root_only
def test_what_is_swapped_in_never_leaves(tendd, store, data):
    """Nor what root has put into the folder, of which the system follows neither links nor parents."""
    outside = tendd.folder("outside")
    outside.chmod(0o700)
    (outside / "folder").mkdir()
    (outside / "folder").chmod(0o755)
    for name in ("secret", "moved", "g0", "folder/g0"):
        (outside / name).write_bytes(SECRET)
        (outside / name).chmod(0o600)
    (data / "folder").mkdir()
    give(data / "folder")
    for number in range(4):
        put(data / ("f%d" % number), "mine %d\n" % number * 1000)
    put(data / "folder/g0", "mine\n" * 1000)
    # In mode backup: whatever was sent at any time is still there at the end.
    quick = "settle = 1ms\nmax_settle = 5ms\nmax_delete = none\nuser = nobody\n"
    tendd.configure(store.folder(data, more=quick)).start()
    stop, rounds = threading.Event(), [0]
    thread = threading.Thread(target=swap_forever, args=(data, outside, stop, rounds))
    thread.start()
    try:
        while rounds[0] < ROUNDS:
            assert thread.is_alive()
            tendd.tend("sync")
            for number in range(4):  # makes it look at what may be root's by now
                with contextlib.suppress(OSError):
                    os.utime(data / ("f%d" % number), follow_symlinks=False)
            with contextlib.suppress(OSError):
                os.utime(data / "folder/g0")
    finally:
        stop.set()
        thread.join()
    assert tendd.tend("wait", "data").returncode == 0
    assert tendd.folder_part("data")["sent_files"] > 20  # it did read all the while
    assert "cannot open 'f0': Permission denied" in tendd.said  # also what it may not
    for place in (store.path, tendd.state):
        assert holds_secret(place) is None
    assert store.read("data/f0") == b"mine 0\n" * 1000


@root_only
def test_a_live_database_of_the_user(tendd, store, data, tmp_path):
    """Its image arrives whole, and the folder is left as it was: nothing of root's lies beside it."""
    begin(tendd, store, data)
    code = """if True:
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("pragma journal_mode=wal")
        db.execute("pragma wal_autocheckpoint=0")
        db.execute("create table t(id integer primary key, x text)")
        for line in sys.stdin:
            db.execute("insert into t(x) values(?)", (line.strip(),))
            print("done", flush=True)
        """
    writer = subprocess.Popen(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/bin/python3", "-c",
                               code, str(data / "chat.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with writer:
        for number in range(1, 21):
            writer.stdin.write("row %d\n" % number)
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"
            tendd.barrier("data")
            home = tmp_path / "home.db"
            home.write_bytes(store.read("data/chat.db"))
            with contextlib.closing(sqlite3.connect(home)) as db:
                assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
                assert db.execute("select count(*), max(x) from t where x = ?", ("row %d" % number,)).fetchone()[0] == 1
            names = sorted(os.listdir(data))
            assert names == ["chat.db", "chat.db-shm", "chat.db-wal"]
            assert {os.lstat(data / name).st_uid for name in names} == {NOBODY.pw_uid}
        writer.stdin.close()
        writer.wait()
    tendd.barrier("data")
    assert store.keys("data") == {"chat.db": "file"}
    assert all(os.lstat(data / name).st_uid == NOBODY.pw_uid for name in os.listdir(data))
    # Images are root's, and gone when they are sent.
    assert os.listdir(tendd.state / "images") == []


@root_only
def test_a_reload_changes_whose_rights_hold(tendd, store, data):
    put(data / "mine", "mine\n")
    put(data / "roots", "root's alone\n", "root")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    assert set(store.keys("data")) == {"mine", "roots"}
    tendd.configure(store.folder(data, more=QUICK + "user = nobody\n"))
    assert tendd.reload().status == 200
    put(data / "roots", "again\n", "root")
    put(data / "mine", "again\n")
    tendd.until(lambda: store.read("data/mine") == b"again\n", "the user's file")
    tendd.until(lambda: "roots" in trouble_of(tendd), "the refusal of root's")
    assert store.read("data/roots") == b"root's alone\n"


@root_only
def test_a_dry_run_sees_with_the_users_eyes(tendd, store, data):
    put(data / "mine", "mine\n")
    put(data / "roots", "root's alone\n", "root")
    tendd.configure(store.folder(data, more="user = nobody\n"))
    said = tendd.tend("sync", "--dry-run", "data").stdout
    assert "mine" in said and "send" in said, said


@root_only
def test_the_way_to_the_folder_is_the_users_too(tendd, store, data):
    put(data / "mine", "mine\n")
    tendd.root.chmod(0o700)
    begin(tendd, store, data)
    tendd.until(lambda: "as user 'nobody'" in str(tendd.folder_part("data")["trouble"]), "why it does not go on")
    assert tendd.tend("status").returncode == 5
    tendd.root.chmod(0o711)
    tendd.until(lambda: store.read("data/mine") == b"mine\n", "the file")
    assert tendd.tend("status").returncode == 0


@root_only
def test_home_is_the_users(tendd, store):
    more = "path = ~/x\nremote = cloud:data\nuser = nobody\nenabled = no\n"
    tendd.configure(store.section() + "[folder data]\n" + more).start()
    assert tendd.folder_part("data")["path"] == NOBODY.pw_dir + "/x"


def test_a_user_that_is_not_there(tendd, store):
    place = tendd.folder("data")
    tendd.configure(store.folder(place, more="user = no-such-user\n"))
    line = 1 + tendd.ini.read_text().splitlines().index("user = no-such-user")
    ended = tendd.run_to_end()
    assert ended.returncode == 2
    assert "%s:%d: there is no user 'no-such-user'" % (tendd.ini, line) in ended.stderr, ended.stderr


def check_as_nobody(tendd):
    """Nobody by name, whose files are those of whoever runs this."""
    somebody = ["unshare", "--user", "--map-user=%d" % NOBODY.pw_uid, "--map-group=%d" % NOBODY.pw_gid]
    return subprocess.run([*somebody, *tendd.command("--check")], capture_output=True, text=True, timeout=60)


def test_only_root_reads_for_others(tendd, store):
    place = tendd.folder("data")
    tendd.configure(store.folder(place, more="user = root\n"))
    line = 1 + tendd.ini.read_text().splitlines().index("user = root")
    ended = check_as_nobody(tendd)
    assert ended.returncode == 2
    assert "%s:%d: user 'root' is another than yours" % (tendd.ini, line) in ended.stderr, ended.stderr
    # Oneself by name is nothing special.
    tendd.configure(store.folder(place, more="user = nobody\n"))
    ended = check_as_nobody(tendd)
    assert ended.returncode == 0, ended


@root_only
def test_a_container_that_forbids_it_is_told(store):
    """Root of a namespace without other users cannot be them: said at the start, not done as root."""
    with Tendd() as tendd:
        place = tendd.folder("data")
        tendd.configure(store.folder(place, more="user = nobody\n"))
        line = 1 + tendd.ini.read_text().splitlines().index("user = nobody")
        ended = subprocess.run(["unshare", "--map-root-user", *tendd.command("--check")], capture_output=True, text=True,
                               timeout=60)
        assert ended.returncode == 2
        assert "%s:%d: as user 'nobody': files cannot be read as uid" % (tendd.ini, line) in ended.stderr, ended.stderr
