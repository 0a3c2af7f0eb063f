"""Deletions that are too many stop, and a person lets exactly those go that were shown."""

import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from basics import start
from stores import Directory, assert_same
from tend import Tendd


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


def test_another_root_is_approved_by_name(tendd, store):
    """An empty mount point, say: nothing is done until the disk is back, or a person means it."""
    data = tendd.folder("data")
    numbered(data, 20)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    tendd.stop()
    data.rename(tendd.root / "disk")
    data.mkdir()
    tendd.start()
    tendd.until(lambda: tendd.folder_part("data")["refused_root"], "a root that is refused")
    assert tendd.tend("status").returncode == 5
    shown = tendd.tend("approve", "data")
    assert shown.returncode == 5 and "16 of 16 files" in shown.stdout, shown
    assert store.keys("data") == before
    data.rmdir()
    (tendd.root / "disk").rename(data)
    tendd.tend("sync", "data")
    tendd.until_idle("data")
    assert tendd.folder_part("data")["sent_files"] == 0
    # Meant, it is what counts; its emptiness is asked about like any other.
    tendd.stop()
    data.rename(tendd.root / "disk")
    data.mkdir()
    tendd.start()
    tendd.until(lambda: tendd.folder_part("data")["refused_root"], "a root that is refused")
    assert tendd.tend("approve", "data", "--yes").returncode == 0
    tendd.until(lambda: held(tendd) == 20, "20 deletions held back")
    assert store.keys("data") == before
    assert tendd.tend("approve", "data", "--yes").returncode == 0
    tendd.barrier("data")
    assert store.keys("data") == {}


class Unprivileged(Tendd):
    """Not even root's tests run this daemon as root: it may be refused a folder."""

    def command(self, *arguments):
        words = super().command(*arguments)
        if os.geteuid() == 0:
            words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
        return words


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_what_cannot_be_read_is_not_deleted(mode):
    with Unprivileged() as tendd:
        store = Directory(tendd.root / "remote")
        data = tendd.folder("data")
        numbered(data, 3)
        (data / "sub/deep").mkdir(parents=True)
        (data / "sub/deep/file").write_text("1\n")
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "65534:65534", tendd.root], check=True)
            tendd.stderr_path.touch()
        start(tendd, store)
        tendd.barrier("data")
        before = store.keys("data")
        (data / "sub").chmod(mode)
        try:
            tendd.post("/v1/sync")
            refused = tendd.until(lambda: tendd.folder_part("data")["troubles"], "a folder that cannot be read")
            assert refused[0]["path"].startswith("sub") and "ermission" in refused[0]["reason"], refused
            # Neither the next start nor its being the only change makes it look deleted.
            tendd.kill()
            tendd.start()
            (data / "d/000").unlink()
            tendd.until(lambda: "d/000" not in store.keys("data"), "what was deleted")
            tendd.until(lambda: tendd.folder_part("data")["troubles"], "a folder that cannot be read")
            del before["d/000"]
            assert store.keys("data") == before
        finally:
            (data / "sub").chmod(0o755)
        (data / "sub/deep/file").write_text("2\n")
        tendd.until(lambda: store.read("data/sub/deep/file") == b"2\n", "it can be read again")


def test_what_is_newly_excluded_is_forgotten(tendd, store):
    data = tendd.folder("data")
    numbered(data, 5)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    assert "is covered" in tendd.tend("forget", "data").stdout
    tendd.configure(store.folder(data, more="settle = 50ms\nexclude = /d/001\n\t/d/002\n"))
    assert tendd.reload().status == 200
    forgotten = tendd.until(lambda: (tendd.folder_part("data")["forgotten"] or {}).get("files") == 2 and
                            tendd.folder_part("data")["forgotten"], "two that are forgotten")
    assert [item["path"] for item in forgotten["paths"]] == ["d/001", "d/002"]
    assert store.keys("data") == before
    assert "2 no longer covered; 'tend forget data --remote' removes them" in tendd.tend("status", "data").stdout
    shown = tendd.tend("forget", "data", "--remote")
    assert shown.returncode == 5 and "d/002" in shown.stdout and store.keys("data") == before, shown
    assert tendd.tend("forget", "data", "--remote", "--yes").returncode == 0
    tendd.until(lambda: tendd.folder_part("data")["forgotten"] is None, "none left")
    assert sorted(set(before) - set(store.keys("data"))) == ["d/001", "d/002"]
    assert store.versions("data/d/001") == [b"1\n"] and (data / "d/001").exists()
    assert tendd.post("/v1/units/folder:data/forget", {}).status == 400


def test_dry_run_says_what_would_be_done(tendd, store):
    data = tendd.folder("data")
    numbered(data, 5)
    tendd.configure(store.folder(data, more="settle = 50ms\nmax_delete = 1\n"))
    # Before the first push, without a daemon.
    got = tendd.tend("sync", "--dry-run", "data")
    assert got.returncode == 0 and "5 files to send" in got.stdout and "d/004" in got.stdout, got
    assert store.keys("") == {} and not tendd.state.exists()
    tendd.start()
    tendd.barrier("data")
    tendd.stop()
    (data / "d/000").unlink()
    (data / "d/001").unlink()
    (data / "d/002").write_text("other\n")
    (data / "new").write_text("new\n")
    told = json.loads(tendd.tend("sync", "--dry-run", "data", "--json").stdout)
    assert {(item["what"], item["path"]) for item in told["paths"]} == {
        ("delete", "d/000"), ("delete", "d/001"), ("send", "d/002"), ("send", "new")}
    assert told["contacted"] and told["needs_approval"] and told["same"] == 2
    assert told["send"] == {"files": 2, "size_bytes": 10}
    assert "d/000" in store.keys("data") and "new" not in store.keys("data")
    # Beside a daemon that waits for a person just that is still to be done.
    tendd.start()
    tendd.until(lambda: held(tendd) == 2, "two held back")
    tendd.until(lambda: "new" in store.keys("data") and store.read("data/d/002") == b"other\n", "the rest sent")
    got = tendd.tend("sync", "--dry-run", "data")
    assert got.returncode == 0 and "0 files to send" in got.stdout and "would wait for 'tend approve'" in got.stdout, got
    assert tendd.tend("sync", "--dry-run", "nothing").returncode == 2
