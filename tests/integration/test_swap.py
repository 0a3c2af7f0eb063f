"""Links that somebody turns while tend, as root, reads and writes: nothing from outside the folder reaches the remote, and nothing of
the remote lands outside of it.

one build
"""

import ctypes
import os
import pwd
import random
import threading
import time

import pytest

from stores import Directory

ROUNDS = 10_000
SECRET = b"only root may read this " * 500


def swap_forever(data, outside, stop, rounds):
    """A folder and a link to another one, a file and a link to another one, change places all the time."""
    flip = 0
    while not stop.is_set():
        for name in ("folder", "file", "deep/er/folder"):
            path, aside, away = data / name, data / (name + ".aside"), data / (name + ".away")
            path.rename(away)
            aside.rename(path)
            time.sleep(random.random() / 1000)  # so that some are met as they are now
            away.rename(aside)
        flip += 1
        rounds[0] = flip
        if flip % 20 == 0:  # something to send, also where the link leads
            with open(data / "note", "w") as note:
                note.write("%d\n" % flip)


def test_a_swapped_link_leads_nowhere(tendd):
    store = Directory(tendd.root / "remote")
    data, outside = tendd.folder("data"), tendd.folder("outside")
    outside.chmod(0o700)
    for number in range(3):
        (outside / ("f%d" % number)).write_bytes(SECRET)
        (outside / ("f%d" % number)).chmod(0o600)
    for name in ("folder", "deep/er/folder"):
        (data / name).mkdir(parents=True)
        for number in range(3):
            (data / name / ("f%d" % number)).write_bytes(b"mine %d\n" % number * 1000)
        (data / (name + ".aside")).symlink_to(outside)
    (data / "file").write_bytes(b"mine\n" * 3000)
    (data / "file.aside").symlink_to(outside / "f0")
    # In mode backup: whatever was sent at any time is still there at the end.
    tendd.configure(store.folder(data, more="settle = 1ms\nmax_settle = 5ms\nmax_delete = none\n")).start()
    stop, rounds = threading.Event(), [0]
    thread = threading.Thread(target=swap_forever, args=(data, outside, stop, rounds))
    thread.start()
    try:
        while rounds[0] < ROUNDS:
            tendd.tend("sync")
            for number in range(3):  # makes it look at what may be a link by now
                try:
                    os.utime(data / "folder" / ("f%d" % number))
                except OSError:
                    pass
    finally:
        stop.set()
        thread.join()
    assert tendd.tend("wait", "data").returncode == 0
    assert tendd.folder_part("data")["sent_files"] > 20  # it did read all the while
    for folder, _, names in os.walk(store.path):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                with open(path, "rb") as file:
                    assert SECRET[:24] not in file.read(), path


def change_forever(remote, stop):
    """Somebody else's edits, new files and deletions, where the folder that is swapped lies."""
    number = 0
    while not stop.is_set():
        number += 1
        for name in ("folder", "deep/er/folder"):
            place = remote / name
            try:
                place.mkdir(parents=True, exist_ok=True)
                new = place / "new.part"
                new.write_bytes(b"theirs %d\n" % number * 300)
                new.rename(place / ("f%d" % (number % 5)))
                (place / ("f%d" % ((number + 2) % 5))).unlink(missing_ok=True)
            except OSError:
                pass  # moved by tend meanwhile
        time.sleep(0.002)


LIBC = ctypes.CDLL(None, use_errno=True)


def exchange(one, other):
    """In one step: nobody finds the place empty and makes something there."""
    return LIBC.renameat2(-100, bytes(one), -100, bytes(other), 2) == 0


def exchange_forever(data, stop, rounds):
    flip = 0
    while not stop.is_set():
        good = True
        for name in ("folder", "file", "deep/er/folder"):
            good &= exchange(data / name, data / (name + ".aside"))
            time.sleep(random.random() / 1000)
        flip += good
        rounds[0] = flip


def looks(outside):
    """All of it, but for when it was read."""
    return {path.relative_to(outside): (path.lstat().st_ino, path.lstat().st_mtime_ns, path.lstat().st_ctime_ns,
                                        path.read_bytes() if path.is_file() else None)
            for path in [outside, *outside.rglob("*")]}


def holds_secret(place):
    for path in place.rglob("*"):
        if path.is_file() and not path.is_symlink() and SECRET[:24] in path.read_bytes():
            return path
    return None


@pytest.mark.parametrize("user", [None, "nobody"] if os.geteuid() == 0 else [None])
def test_a_swapped_link_is_not_written_through(tendd, user):
    """The same while files come from the remote: edited, made and removed in a folder whose place a link takes. As the user whose the
    folder is, too; and nothing from outside is sent."""
    store = Directory(tendd.root / "remote")
    data, outside = tendd.folder("data"), tendd.folder("outside")
    for number in range(5):
        (outside / ("f%d" % number)).write_bytes(SECRET)
    (outside / "folder").mkdir()
    for name in ("folder", "deep/er/folder"):
        (data / name).mkdir(parents=True)
        (data / name / "f0").write_bytes(b"mine\n")
        (data / (name + ".aside")).symlink_to(outside)
    (data / "file").write_bytes(b"mine\n")
    (data / "file.aside").symlink_to(outside / "f0")
    if user:
        tendd.root.chmod(0o711)
        outside.chmod(0o700)
        for path in (data, *data.rglob("*")):
            os.lchown(path, pwd.getpwnam(user).pw_uid, -1)
    before = looks(outside)
    keys = "mode = two-way\nsettle = 1ms\nmax_settle = 5ms\nmax_delete = none\npoll = 1s\n" + ("user = %s\n" % user if user else "")
    tendd.configure(store.folder(data, more=keys)).start()
    tendd.barrier("data")
    stop, rounds = threading.Event(), [0]
    threads = [threading.Thread(target=exchange_forever, args=(data, stop, rounds)),
               threading.Thread(target=change_forever, args=(store.path / "data", stop))]
    for thread in threads:
        thread.start()
    try:
        while rounds[0] < ROUNDS:
            tendd.tend("sync")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert looks(outside) == before
    assert tendd.folder_part("data")["brought_files"] > 20  # files came all the while
    assert holds_secret(store.path) is None and holds_secret(tendd.state) is None
