"""Disks that are full or broken, trees that are large or odd, a watch that cannot see all.

one build
"""

import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from stores import Directory, assert_same
from test_services import log_of, service


@pytest.fixture
def small(tendd):
    """small(path, size) mounts a disk of this size there."""
    mounted = []

    def make(path, size):
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700,size=" + size, "tmpfs", str(path)], check=True)
        mounted.append(path)
        return path
    yield make
    tendd.close()
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill_up(folder):
    """Takes all the room that is left; the file to remove for more."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (65536, 4096):
            while True:
                try:
                    if file.write(bytes(size)) < size:
                        break
                except OSError:
                    break
    return ballast


def trouble_of(tendd, name="data"):
    part = tendd.get("/v1/units/folder:" + name)["unit"]["folder"]
    texts = [part["trouble"]["text"]] if part["trouble"] else []
    return " ".join(texts + [row["reason"] or "" for row in part["troubles"]])


def indexes_are_whole(tendd):
    for path in tendd.state.glob("**/*.db"):
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as db:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)], path


def start(tendd, store, more="", tend="", services=""):
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="settle = 50ms\n" + more) + services, tend=tend).start()
    tendd.until_idle("data")
    return data


# ---- no room ----


def test_full_store(tendd, small):
    store = Directory(small(tendd.root / "remote", "4m"))
    data = start(tendd, store)
    (data / "old").write_text("old\n")
    tendd.barrier("data")
    ballast = fill_up(store.path)
    (data / "large").write_bytes(os.urandom(1 << 20))
    (data / "old").write_text("new\n")
    tendd.until(lambda: "no space left" in trouble_of(tendd).lower(), "the full disk said")
    assert tendd.tend("wait", "data").returncode == 1
    assert store.read("data/old") in (b"old\n", b"new\n")  # never half, never nothing
    ballast.unlink()
    assert tendd.tend("sync").returncode == 0
    tendd.until_idle("data")
    assert_same(data, store.at("data"))
    assert not [path for path in store.path.rglob(".tend-tmp.*")]


def test_full_state(tendd, small):
    """The index cannot be written: nothing is sent without it, services and the socket go on; with room all goes on."""
    small(tendd.state, "96m")
    store = Directory(tendd.root / "remote")
    data = start(tendd, store, services=service("beat", "while :; do echo beat; sleep 0.05; done"))
    tendd.until_state("service:beat", "ready")
    pid = tendd.service_part("beat")["pid"]
    (data / "first").write_text("first\n")
    tendd.barrier("data")
    ballast = fill_up(tendd.state)
    for i in range(3000):
        (data / ("file %d with a long name so that rows need room" % i)).write_text("%d\n" % i)
    tendd.until(lambda: "index" in trouble_of(tendd), "the full disk said")
    assert tendd.tend("status").returncode == 1
    assert tendd.service_part("beat")["pid"] == pid
    said = tendd.said.count("cannot write the index")
    time.sleep(6)  # a stretch of time in which nothing can go well: no flood, and no busy loop
    assert tendd.said.count("cannot write the index") <= said + 2, tendd.said
    beats = log_of(tendd, "beat").count("beat")
    tendd.until(lambda: log_of(tendd, "beat").count("beat") > beats, "a line of the service")
    ballast.unlink()
    tendd.until(lambda: tendd.tend("sync").returncode == 0, "an answer")
    tendd.until_idle("data")
    assert tendd.tend("wait", "data").returncode == 0
    assert_same(data, store.at("data"))
    assert tendd.service_part("beat")["pid"] == pid
    assert tendd.stop() == 0
    indexes_are_whole(tendd)


def test_start_with_a_full_state(tendd, small):
    """It says so and ends, or it runs and says so; with room it works."""
    small(tendd.state, "1m")
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    (data / "a").write_text("a\n")
    tendd.configure(store.folder(data))
    ballast = fill_up(tendd.state)
    ended = tendd.run_to_end()
    assert ended.returncode == 1
    assert "full" in ended.stderr or "no space" in ended.stderr.lower(), ended.stderr
    ballast.unlink()
    tendd.start()
    assert tendd.tend("wait", "data").returncode == 0
    assert_same(data, store.at("data"))


def test_full_logs(tendd, small):
    """A service that talks on a full disk is not held up; what is lost is counted."""
    small(tendd.logs, "1m")
    count = tendd.root / "count"
    tendd.configure(service("loud", "i=0; while :; do i=$((i+1)); echo $i %s; echo $i >%s; done" % ("x" * 400, count),
                            log_max_size="64MiB")).start()
    tendd.until(lambda: tendd.service_part("loud")["log_lost_lines"] > 0, "lost lines")
    seen = int(count.read_text() or 0)
    tendd.until(lambda: int(count.read_text() or 0) > seen + 1000, "that it goes on")
    (tendd.logs / "loud.log").unlink()  # what a person does: the log begins anew, with a word about what is missing
    tendd.until(lambda: "lines could not be written here" in log_of(tendd, "loud"), "the log once more")


# ---- errors of the disk ----


def traced(tendd, path, calls, when):
    """tendd, whose calls on this path fail with EIO."""
    command = tendd.command()
    tendd.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    tendd.command = lambda: ["strace", "-D", "-f", "-q", "-o", "/dev/null", "-P", str(path), "-e", "trace=" + calls, "-e",
                             "inject=%s:error=EIO:when=%s" % (calls, when), *command]


@pytest.mark.parametrize("calls, when", [("pwrite64", "30..120+1"), ("fdatasync", "3..12+1"), ("pread64", "40..80+1")])
def test_broken_index(tendd, calls, when):
    """EIO of what the index does: at worst it is begun anew and compared; nothing is lost or doubled."""
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    index = tendd.state / "folders/data.db"
    index.parent.mkdir(parents=True)
    tendd.state.chmod(0o700)
    for suffix in ("", "-wal"):
        (index.parent / (index.name + suffix)).touch()
    for i in range(200):
        (data / ("file %d" % i)).write_text("%d\n" % i)
    tendd.configure(store.folder(data, more="settle = 50ms\n"))
    traced(tendd, "%s-wal" % index if calls != "pread64" else index, calls, when)
    tendd.start()
    for i in range(200, 400):
        (data / ("file %d" % i)).write_text("%d\n" % i)
    (data / "file 3").unlink()
    tendd.until(lambda: tendd.tend("sync").returncode == 0 and tendd.folder_part("data")["state"] == "idle" and
                tendd.folder_part("data")["pending"] == 0, "the folder")
    # The calls are counted for each thread: one may have its failing ones before it still.
    tendd.until(lambda: tendd.tend("wait", "data").returncode == 0, "a barrier")
    assert_same(data, store.at("data"))
    assert len(store.versions("data/file 3")) <= 1
    assert tendd.stop() == 0
    indexes_are_whole(tendd)


def test_a_file_that_cannot_be_read(tendd):
    """EIO of one file: said by its name, its copy stays, the others go; when it can be read again it is sent."""
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    (data / "bad").write_text("first\n")
    tendd.configure(store.folder(data, more="settle = 50ms\n")).start()
    tendd.barrier("data")
    assert tendd.stop() == 0
    (data / "bad").write_text("second\n")
    traced(tendd, data / "bad", "pread64,read", "1..4+1")
    tendd.start()
    (data / "good").write_text("good\n")
    tendd.until(lambda: "nput/output error" in trouble_of(tendd), "the error said")
    tendd.until(lambda: store.keys("data").get("good"), "the good one")
    assert store.read("data/bad") == b"first\n"
    tendd.until(lambda: tendd.tend("sync").returncode == 0 and store.read("data/bad") == b"second\n", "the bad one")
    tendd.until_idle("data")
    assert_same(data, store.at("data"))


# ---- trees ----


def test_many_folders_at_once(tendd):
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    for i in range(100):
        for j in range(100):
            path = data / ("d%d" % i) / ("e%d" % j)
            path.mkdir(parents=True)
            (path / "f").write_bytes(b"%d %d\n" % (i, j))
    assert tendd.tend("wait", "data", "--timeout", "120s", timeout=150).returncode == 0
    part = tendd.until_idle("data")
    assert (part["files"], part["folders"]) == (10_000, 10_100)
    assert_same(data, store.at("data"))
    shutil.rmtree(data / "d1")
    shutil.rmtree(data / "d2")
    (data / "d2").mkdir()
    assert tendd.tend("wait", "data", "--timeout", "120s", timeout=150).returncode == 0
    assert_same(data, store.at("data"))


def test_nothing_is_missed_in_new_folders(tendd):
    """Trap 12: what is made while its folder is not watched yet, and moved at once, is there after a barrier. By hand:
    TEND_ROUNDS=10000."""
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    for number in range(int(os.environ.get("TEND_ROUNDS", "150"))):
        top = data / ("r%d" % number)
        (top / "a/b/c").mkdir(parents=True)
        (top / "a/b/c/file").write_text("%d\n" % number)
        (top / "a").rename(top / "d")
        (top / "e/f").mkdir(parents=True)
        (top / "e/f/file").write_text("%d\n" % number)
        tendd.barrier("data")
        assert_same(top, store.at("data/r%d" % number))


def test_a_tree_comes_and_goes(tendd):
    """Deleted and made anew, with other bytes and other kinds, faster than anything can be sent."""
    store = Directory(tendd.root / "remote")
    data = start(tendd, store, more="mode = mirror\n")
    for turn in range(8):
        if (data / "tree").is_dir():
            shutil.rmtree(data / "tree")
        elif (data / "tree").exists():
            (data / "tree").unlink()
        if turn % 5 == 4:
            (data / "tree").write_text("a file now\n")
        else:
            for path in ("a/b/c", "a/d", "e"):
                (data / "tree" / path).mkdir(parents=True)
                (data / "tree" / path / "file").write_text("%d of %s\n" % (turn, path))
        if turn % 3 == 0:
            tendd.barrier("data")
            assert_same(data, store.at("data"))
    tendd.barrier("data")
    assert_same(data, store.at("data"))


def test_a_disk_that_is_mounted_meanwhile(tendd, small):
    """inotify is silent about it, and about all that is written there: a barrier sees it, and from then on it is watched."""
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    (data / "a place").mkdir()
    (data / "other").write_text("other\n")
    tendd.barrier("data")
    disk = small(data / "a place", "1m")
    (disk / "first").write_text("first\n")
    tendd.barrier("data")
    assert store.read("data/a place/first") == b"first\n"
    scans = tendd.folder_part("data")["scans"]
    (disk / "second").write_text("second\n")
    tendd.until(lambda: store.keys("data").get("a place/second"), "what is written there then")
    assert tendd.folder_part("data")["scans"] == scans


def test_odd_names_and_kinds(tendd):
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    names = [b"n" * 255, "é".encode() * 127, b"new\nline", b"\n", b"\xff\xfe\x80", b"\x01\x1b[31m", b" ", b"...", b"-", b"a\tb\r"]
    for number, name in enumerate(names):
        with open(os.path.join(os.fsencode(data), name), "wb") as file:
            file.write(b"%d\n" % number)
    folder = os.path.join(os.fsencode(data), b"\xfffolder\n")
    os.mkdir(folder)
    os.symlink(b"\xff\n", os.path.join(folder, b"l" * 255))
    os.mkfifo(data / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(data / "socket"))
        for _ in range(5):  # however often something happens to it
            os.utime(data / "fifo")
            tendd.barrier("data")
        tendd.until(lambda: tendd.folder_part("data")["not_kept"] == 2, "the FIFO and the socket counted")
    (data / "socket").unlink()
    (data / "fifo").unlink()
    tendd.barrier("data")
    tendd.until(lambda: tendd.folder_part("data")["not_kept"] == 0, "their end")
    assert_same(data, store.at("data"))
    # The API and the command bear them too: nothing raw on a terminal.
    os.chmod(data, 0o700)
    said = tendd.tend("status", "folder:data")
    assert said.returncode == 0 and "\x1b[31m" not in said.stdout


# ---- a watch that cannot see all ----


def test_more_events_than_the_queue_holds(tendd):
    """While tendd stands still more happens than the kernel keeps: it knows, and scans."""
    store = Directory(tendd.root / "remote")
    data = start(tendd, store)
    (data / "a").mkdir()
    tendd.barrier("data")
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    tendd.send_signal(signal.SIGSTOP)
    first, second = data / "first", data / "second"
    first.touch()
    for _ in range(limit // 2 + 100):  # two events each, which do not merge
        first.rename(second)
        first, second = second, first
    (data / "a/after").write_text("after\n")
    (data / "b/c").mkdir(parents=True)
    (data / "b/c/file").write_text("file\n")
    tendd.send_signal(signal.SIGCONT)
    tendd.until(lambda: "more changes at once than the system's queue holds" in tendd.said, "the overflow said")
    tendd.until(lambda: store.keys("data").get("b/c/file"), "what nobody saw")
    tendd.until_idle("data")
    assert_same(data, store.at("data"))


def test_too_few_watches(tendd):
    """The limit is said with the line to run; until then it is scanned, and a barrier sees everything."""
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    for i in range(60):
        (data / ("d%d" % i)).mkdir()
    tendd.configure(store.folder(data, more="settle = 50ms\n"))
    command = tendd.command()
    tendd.command = lambda: ["unshare", "-U", "-r", "sh", "-c",
                             "echo 20 >/proc/sys/user/max_inotify_watches && exec " + shlex.join(command)]
    tendd.start()
    degraded = tendd.until(lambda: tendd.folder_part("data")["degraded"], "degraded")
    assert "sysctl" in degraded and "max_user_watches" in degraded, degraded
    for i in range(60):
        (data / ("d%d/file" % i)).write_text("%d\n" % i)
    assert tendd.tend("wait", "data").returncode == 0
    assert_same(data, store.at("data"))
