"""How far everything is, for people who look: one large file that is sent in one piece, in parts, brought and restored. A line with a
limit is slow enough to be looked at.

servers: s3_rgw
"""

import json
import os

import pytest

from basics import QUICK
from stores import S3
from tend import Stream

SLOW = "upload_limit = %(speed)s\ndownload_limit = %(speed)s\n" % {"speed": "1MiB"}
ONE_PIECE = 5 << 20
PARTS = 12 << 20


@pytest.fixture
def store(tendd):
    return S3("s3_rgw", tendd.root)


def seen(tendd, doing, size):
    """The looks at the folder until its one file is through: what is told is never more than there is, and grows."""
    looks = []

    def moves():
        part = tendd.folder_part("data")
        flight = [one for one in part["in_flight"] if one["doing"] == doing and one["size_bytes"] == size]
        if flight and flight[0]["done_bytes"]:
            looks.append((flight[0]["done_bytes"], part["left_bytes"], part["bytes_per_second"], part["left_seconds"]))
        return len({look[0] for look in looks}) >= 3 and looks[-1][2] and looks[-1][3]
    tendd.until(moves, "three different looks at " + doing)
    for done, left, speed, seconds in looks:
        assert 0 < done <= size
        assert left is None or 0 <= left <= size
        assert speed >= 0 and (seconds is None or seconds >= 0)
    left = [look[1] for look in looks if look[1] is not None]
    assert left and left[-1] < size
    return looks[-1]


@pytest.mark.parametrize("size", [ONE_PIECE, PARTS])
def test_one_large_file_is_seen_to_go(tendd, store, size):
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(size))
    tendd.configure(store.folder(data, more=QUICK), SLOW).start()
    with Stream(tendd, "/v1/events") as stream:
        seen(tendd, "sending", size)
        said = tendd.tend("status", "data").stdout
        assert "in flight" in said and "of %d.0 MiB (sending)" % (size >> 20) in said, said
        assert " left, " in said and "/s, about " in said, said
        assert " left, " in tendd.tend("status").stdout
        assert json.loads(tendd.tend("status", "--json").stdout)["units"][-1]["folder"]["left_bytes"] > 0
        moved = set()
        while len(moved) < 3:  # without anybody asking
            _, name, body = stream.event()
            if name == "unit" and body["kind"] == "folder":
                moved.add(body["folder"]["moved_bytes"])
    tendd.configure(store.folder(data, more=QUICK))  # as fast as it goes
    tendd.reload()
    tendd.barrier("data")
    part = tendd.until_idle("data")
    assert (part["left_bytes"], part["moved_bytes"]) == (0, size)
    tendd.until(lambda: tendd.folder_part("data")["bytes_per_second"] == 0, "no speed any more")


def test_what_waits_is_weighed(tendd, store):
    """Many files behind a slow one: their bytes count before their turn comes."""
    data = tendd.folder("data")
    for i in range(40):
        (data / ("file%d" % i)).write_bytes(os.urandom(1 << 20))
    tendd.configure(store.folder(data, more=QUICK + "max_transfers = 1\n"), SLOW).start()
    part = tendd.until(lambda: (found := tendd.folder_part("data"))["left_bytes"] and found["left_seconds"] and found,
                       "what is left")
    assert (part["pending"] - 1) << 20 <= part["left_bytes"] + (2 << 20) and part["left_bytes"] <= 40 << 20, part


@pytest.mark.parametrize("mode", ["backup", "fetch"])
def test_one_large_file_is_seen_to_come(tendd, store, mode):
    """Restored into a folder that is missing, and fetched."""
    store.put("data/large", os.urandom(PARTS))
    data = tendd.root / "data"
    if mode == "fetch":
        data.mkdir()
    tendd.configure(store.folder(data, more=QUICK + "mode = %s\n" % mode), SLOW).start()
    seen(tendd, "bringing", PARTS)
    said = tendd.tend("status").stdout
    assert " left, " in said and "/s" in said, said
    tendd.configure(store.folder(data, more=QUICK + "mode = %s\n" % mode))
    tendd.reload()
    tendd.until(lambda: (data / "large").exists() and (data / "large").stat().st_size == PARTS, "all of it")
    tendd.until_idle("data")


def test_a_stop_goes_on_while_one_large_file_moves(tendd, store):
    """shutdown_timeout is how long nothing may move, and one file takes longer than that."""
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="settle = 1h\nmax_settle = 2h\n"), SLOW + "shutdown_timeout = 3s\n").start()
    tendd.until_idle("data")
    body = os.urandom(7 << 20)
    (data / "large").write_bytes(body)
    tendd.until(lambda: tendd.folder_part("data")["pending"], "the change")
    assert tendd.stop() == 0, tendd.said
    assert store.read("data/large") == body
