"""Deletions that are too many stop, and a person lets exactly those go that were shown."""

import json
import shutil
import threading
import time

import pytest

from basics import start
from stores import Directory, assert_same


@pytest.fixture
def store(tendd):
    return Directory(tendd.root / "remote")


def numbered(data, count):
    (data / "d").mkdir()
    for number in range(count):
        (data / "d" / ("%03d" % number)).write_text("%d\n" % number)


def held(tendd):
    return (tendd.folder_part("data")["deletions"] or {}).get("files", 0)


def test_a_trickle_of_deletions_stops(tendd, store):
    """60 % of 250 files, fifty a second."""
    data = tendd.folder("data")
    numbered(data, 250)
    start(tendd, store)
    tendd.barrier("data")

    def trickle():
        for number in range(150):
            (data / "d" / ("%03d" % number)).unlink()
            time.sleep(0.02)
    thread = threading.Thread(target=trickle)
    thread.start()
    (data / "new").write_text("new\n")
    tendd.until(lambda: held(tendd) == 150, "150 deletions held back")
    thread.join()
    assert sum(kind == "file" for kind in store.keys("data").values()) == 251  # "new" as well: the rest goes on
    unit = tendd.unit("folder:data")
    assert unit["needs_person"] and unit["folder"]["state"] == "stopped"
    assert "tend approve data" in unit["folder"]["trouble"]["text"]
    assert tendd.tend("status").returncode == 5
    assert tendd.tend("wait", "data").returncode == 5
    # It is looked at first, and nothing is done without an answer.
    shown = tendd.tend("approve", "data")
    assert shown.returncode == 5 and "d/000" in shown.stdout and "150 files" in shown.stdout, shown
    assert "--yes" in shown.stderr
    listed = tendd.tend("approve", "data", "--json")
    assert listed.returncode == 5 and len(json.loads(listed.stdout)["paths"]) == 150
    # Neither a restart nor a person's second thoughts about some of them lose the rest.
    tendd.kill()
    tendd.start()
    (data / "d/000").write_text("0\n")
    tendd.until(lambda: held(tendd) == 149, "one that came back")
    (data / "d/200").unlink()
    tendd.until(lambda: held(tendd) == 150, "one that came later")
    said = tendd.tend("approve", "data", "--yes")
    assert said.returncode == 0 and "approved" in said.stdout, said
    assert tendd.tend("wait", "data").returncode == 0
    assert_same(data, store.at("data"))
    assert store.versions("data/d/001") == [b"1\n"]
    assert tendd.tend("status").returncode == 0
    assert "nothing back" in tendd.tend("approve", "data").stdout
    assert tendd.post("/v1/units/folder:data/approve", {"upto": 1}).status == 409


def test_only_what_was_shown_is_approved(tendd, store):
    data = tendd.folder("data")
    numbered(data, 20)
    start(tendd, store, more="max_delete = 3\n")
    tendd.barrier("data")
    for number in range(5):
        (data / "d" / ("%03d" % number)).unlink()
    tendd.until(lambda: held(tendd) == 5, "five held back")
    seen = tendd.folder_part("data")["deletions"]["upto"]
    (data / "d/010").unlink()
    tendd.until(lambda: held(tendd) == 6, "the sixth")
    assert tendd.post("/v1/units/folder:data/approve", {"upto": seen}).status == 200
    tendd.until(lambda: "d/004" not in store.keys("data"), "the five gone")
    assert held(tendd) == 1 and "d/010" in store.keys("data")
    assert [item["path"] for item in tendd.folder_part("data")["deletions"]["paths"]] == ["d/010"]


def test_an_emptied_folder_may_be_meant(tendd, store):
    data = tendd.folder("data")
    numbered(data, 3)
    start(tendd, store)
    tendd.barrier("data")
    shutil.rmtree(data / "d")
    tendd.until(lambda: held(tendd) == 3, "all held back")
    assert "d/002" in tendd.tend("approve", "data", "-y").stdout
    tendd.barrier("data")
    assert store.keys("data") == {}
