"""Renames send no content: a folder of 1,000 files, and a kill -9 in the middle of many.

servers: s3_rgw azure_azurite dav_apache sftp_sshd
"""

import os
import random
import time

import pytest

from basics import counted, since, start
from heard import FLAT, FOLDERS, heard_store, moves_alone

FILES = 1000
PATIENCE = 300.0


@pytest.fixture(params=[*FOLDERS, *FLAT])
def store(tendd, request, tmp_path):
    with heard_store(request.param, tendd.root, tmp_path, lambda: tendd.pid) as made:
        yield made


def fill(folder, count):
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / ("%04d" % number)
        path.write_bytes(b"%d " % number * (1 + number % 50))
        os.utime(path, ns=(1, 1_600_000_000_000_000_000 + number))


def files(store):
    return {path for path, kind in store.keys("data").items() if kind == "file"}


def test_a_folder_of_a_thousand(tendd, store):
    data = start(tendd, store)
    fill(data / "photos/2026", FILES)
    tendd.barrier("data", patience=PATIENCE)
    before = counted(tendd)
    with store.heard() as heard:
        (data / "albums").mkdir()
        (data / "photos/2026").rename(data / "albums/summer")
        tendd.barrier("data", patience=PATIENCE)
    assert since(tendd, before)[:2] == (0, 0)
    if not store.has_folders:
        assert len(heard) >= 2 * FILES and not [line for line in heard if line.split(" ")[1] != "0"]  # not a byte of a body
    moved = tendd.folder_part("data")["moved"]
    assert moved == (1 if store.has_folders else FILES)
    assert files(store) == {"albums/summer/%04d" % number for number in range(FILES)}
    assert store.versions("data/photos/2026/0000") == []
    store.judge(data)
    assert "renamed" in tendd.tend("status", "folder:data").stdout


@pytest.mark.parametrize("store", FOLDERS, indirect=True)
def test_a_folder_moves_by_one_request(tendd, store):
    data = start(tendd, store)
    fill(data / "photos/2026", FILES)
    (data / "albums").mkdir()
    tendd.barrier("data", patience=PATIENCE)
    with store.heard() as heard:
        (data / "photos/2026").rename(data / "albums/summer")
        tendd.barrier("data")
    assert moves_alone(store, heard) == 1 and len(heard) < 10, heard[:40]
    assert files(store) == {"albums/summer/%04d" % number for number in range(FILES)}


def test_moved_while_the_daemon_was_down(tendd, store):
    data = start(tendd, store)
    fill(data / "a/b", 50)
    (data / "large").write_bytes(os.urandom(3 << 20))
    tendd.barrier("data")
    assert tendd.stop() == 0
    (data / "a").rename(data / "c")
    (data / "large").rename(data / "c/huge")
    tendd.start()
    tendd.barrier("data")
    assert counted(tendd)[:2] == (0, 0)
    store.judge(data)


def test_kill_in_the_middle(tendd, store):
    """Wherever it ends, the next one goes on: nothing is lost, nothing is doubled."""
    dice = random.Random(3)
    data = start(tendd, store)
    fill(data / "at0", 150)
    tendd.barrier("data")
    for turn in range(6):
        (data / ("at%d" % turn)).rename(data / ("at%d" % (turn + 1)))
        (data / ("at%d/0000" % (turn + 1))).rename(data / ("single%d" % turn))
        (data / ("at%d/0001" % (turn + 1))).rename(data / ("at%d/0000" % (turn + 1)))
        os.link(data / ("single%d" % turn), data / ("at%d/0001" % (turn + 1)))
        time.sleep(dice.uniform(0.05, 0.6))  # any moment will do
        tendd.kill()
        tendd.start()
    tendd.barrier("data")
    local = {os.path.relpath(os.path.join(at, name), data) for at, _, names in os.walk(data) for name in names}
    assert files(store) == local
    store.judge(data)
    part = tendd.until_idle("data")
    assert part["refused"] == 0 and part["strangers"] == 0 and part["trouble"] is None, part
    tendd.stop()
    tendd.start()
    tendd.barrier("data")
    assert counted(tendd) == (0, 0, 0, 0)
