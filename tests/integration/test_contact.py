"""First contact of a folder with its remote, and what may never be taken for a deletion."""

import json
import os
import shutil

import pytest

from basics import counted, fill, start
from stores import Directory, assert_same, empty


@pytest.fixture
def store(tendd):
    return Directory(tendd.root / "remote")


def nothing_was_done(tendd, name="data"):
    sent_files, _, set_only, removed = counted(tendd, name)
    return (sent_files, set_only, removed) == (0, 0, 0)


def needs_person(tendd, name="data"):
    """The folder says that it waits for a person; returns what it says."""
    def holds():
        unit = tendd.unit("folder:" + name)
        return unit["needs_person"] and unit["folder"]["trouble"]
    trouble = tendd.until(holds, "a folder that needs a person")
    assert tendd.tend("status").returncode == 5
    assert tendd.tend("wait", name).returncode == 5
    return trouble["text"]


# ---- what is there already ----

def test_adoption_after_a_lost_index(tendd, store):
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    tendd.stop()
    shutil.rmtree(tendd.state / "folders")
    tendd.start()
    tendd.barrier("data")
    assert nothing_was_done(tendd)
    part = tendd.until_idle("data")
    assert part["strangers"] == 0 and part["files"] > 20 and part["links"] == 3
    # Agreed from now on: a deletion is one again.
    (data / "plain.txt").unlink()
    tendd.barrier("data")
    assert "plain.txt" not in store.keys("data")
    assert_same(data, store.at("data"))


def test_adoption_after_a_damaged_index(tendd, store):
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    tendd.kill()
    for name in ("data.db", "data.db-wal"):
        (tendd.state / "folders" / name).write_bytes(os.urandom(20_000))
    tendd.start()
    tendd.barrier("data")
    assert nothing_was_done(tendd)
    assert "damaged" in tendd.said
    assert_same(data, store.at("data"))


def test_adoption_of_what_rclone_brought(tendd, store):
    """A copy that another program made: only what differs is sent."""
    data = tendd.folder("data")
    fill(data)
    shutil.copytree(data, store.at("data"), symlinks=True)
    (store.at("data") / "plain.txt").write_text("older\n")
    start(tendd, store)
    tendd.barrier("data")
    assert counted(tendd)[0] == 1
    assert_same(data, store.at("data"))
    assert store.versions("data/plain.txt") == [b"older\n"]


def test_strangers_stay(tendd, store):
    data = tendd.folder("data")
    (data / "ours").write_text("ours\n")
    store.put("data/theirs", b"theirs\n")
    store.put("data/dir/theirs too", b"theirs too\n")
    store.put("data/.hidden/deep/er", b"deeper\n")
    start(tendd, store)
    tendd.barrier("data")
    part = tendd.until_idle("data")
    assert part["strangers"] >= 3
    assert part["files"] == 1
    for _ in range(2):  # also after a restart
        tendd.stop()
        tendd.start()
        (data / "dir").mkdir(exist_ok=True)
        (data / "dir/ours").write_text("ours\n")
        tendd.barrier("data")
        (data / "dir/ours").unlink()
        (data / "dir").rmdir()
        tendd.barrier("data")
    files = {path for path, kind in store.keys("data").items() if kind == "file"}
    assert files == {"ours", "theirs", "dir/theirs too", ".hidden/deep/er"}
    assert tendd.tend("status").returncode == 0


def test_strangers_go_when_a_person_says_so(tendd, store):
    data = tendd.folder("data")
    (data / "ours").write_text("ours\n")
    (data / "both").write_text("both\n")
    (data / "out").write_text("left out by the rules\n")
    for path in ("theirs", "dir/theirs too", "dir/sub/third", "both", "out"):
        store.put("data/" + path, (path + "\n").encode())
    start(tendd, store, "exclude = out\n")
    tendd.barrier("data")
    tendd.until_idle("data")
    nothing = tendd.tend("approve", "data")
    assert nothing.returncode == 0 and "--strangers" in nothing.stdout, nothing
    seen = tendd.tend("approve", "data", "--strangers", "--json")
    assert seen.returncode == 5, seen
    listed = json.loads(seen.stdout)
    assert {"theirs", "dir/theirs too", "dir/sub/third"} <= {entry["path"] for entry in listed["paths"]}, listed
    assert not {"ours", "both"} & {entry["path"] for entry in listed["paths"]}
    assert tendd.tend("approve", "data", "--strangers").returncode == 5  # nobody is here to ask
    assert tendd.post("/v1/units/folder:data/approve", {"strangers": listed["upto"] - 1}).status == 409
    # Something waits: it may be one of them.
    tendd.post("/v1/units/folder:data/pause")
    assert tendd.post("/v1/units/folder:data/approve", {"strangers": listed["upto"]}).status == 409
    (data / "theirs").write_text("ours by now\n")
    tendd.until(lambda: tendd.folder_part("data")["pending"] == 1, "what was written")
    tendd.post("/v1/units/folder:data/resume")
    tendd.barrier("data")
    kept = set(store.keys("data"))
    assert {"theirs", "dir/theirs too"} <= kept
    done = tendd.tend("approve", "data", "--strangers", "--yes")
    assert done.returncode == 0, done
    tendd.until(lambda: {path for path, kind in store.keys("data").items() if kind == "file"} == {"ours", "both", "out", "theirs"},
                "the end of what was theirs")
    tendd.until(lambda: tendd.folder_part("data")["forgotten"] is None, "the end of all of it")
    assert store.read("data/theirs") == b"ours by now\n" and store.read("data/out") == b"out\n"
    assert store.versions("data/dir/theirs too") == [b"dir/theirs too\n"]
    part = tendd.folder_part("data")
    assert part["strangers"] == 1 and part["files"] == 3, part
    # What is a stranger to nobody stays; a second time there is but what the rules leave out, and it stays, too.
    assert tendd.tend("approve", "data", "--strangers", "--yes").returncode == 0
    tendd.stop()
    tendd.start()
    tendd.barrier("data")
    assert {path for path, kind in store.keys("data").items() if kind == "file"} == {"ours", "both", "out", "theirs"}
    texts = [event["text"] for event in tendd.get("/v1/history?unit=folder:data")["events"]]
    assert any(text.startswith("removal of what only the remote has by ") for text in texts), texts


def test_strangers_wait_for_what_is_not_seen_to(tendd, store):
    """While something here waits for a person it is not known what only the remote has."""
    data = tendd.folder("data")
    for name in ("a", "b", "c"):
        (data / name).write_text(name)
    store.put("data/theirs", b"theirs\n")
    start(tendd, store, "max_delete = 1\n")
    tendd.barrier("data")
    upto = tendd.until_idle("data")["only_remote"]["upto"]
    (data / "a").unlink()
    (data / "b").unlink()
    tendd.until(lambda: tendd.folder_part("data")["deletions"], "the brake")
    answer = tendd.post("/v1/units/folder:data/approve", {"strangers": upto})
    assert answer.status == 409 and "2 paths are still to be seen to" in answer["error"]["text"], answer
    assert tendd.tend("approve", "data", "--yes").returncode == 0
    tendd.until(lambda: store.keys("data") == {"c": "file", "theirs": "file"}, "the deletions")
    tendd.until_idle("data")
    assert tendd.post("/v1/units/folder:data/approve", {"strangers": upto}).status == 200
    tendd.until(lambda: store.keys("data") == {"c": "file"}, "the end of what is theirs")


def test_a_stranger_in_a_deleted_folder_lives(tendd, store):
    """Trap 11: a deletion takes what is ours, not what lies beside it."""
    data = start(tendd, store)
    (data / "dir/sub").mkdir(parents=True)
    (data / "dir/sub/ours").write_text("ours\n")
    (data / "dir/more").write_text("more\n")
    (data / "stays").write_text("stays\n")
    tendd.barrier("data")
    store.put("data/dir/sub/theirs", b"theirs\n")
    shutil.rmtree(data / "dir")
    tendd.barrier("data")
    assert store.keys("data") == {"dir": "folder", "dir/sub": "folder", "dir/sub/theirs": "file", "stays": "file"}
    assert store.read("data/dir/sub/theirs") == b"theirs\n"
    # The folder comes back, and the stranger is still nobody's to delete.
    (data / "dir/sub").mkdir(parents=True)
    (data / "dir/sub/ours").write_text("again\n")
    tendd.barrier("data")
    shutil.rmtree(data / "dir")
    tendd.barrier("data")
    assert store.read("data/dir/sub/theirs") == b"theirs\n"


def test_somebody_else_writes_there(tendd, store):
    """A file that another hand changed at the remote is kept as a version before ours goes in, and it is said once."""
    data = start(tendd, store)
    (data / "a").write_text("ours\n")
    tendd.barrier("data")
    store.put("data/a", b"theirs\n")
    (data / "a").write_text("ours again\n")
    tendd.barrier("data")
    assert store.read("data/a") == b"ours again\n"
    assert b"theirs\n" in store.versions("data/a")
    assert tendd.said.count("somebody else") == 1


# ---- an empty folder ----

def test_empty_folder_before_a_full_remote_waits(tendd, store):
    data = tendd.folder("data")
    for number in range(7):
        store.put("data/dir/%d" % number, b"kept\n")
    before = store.keys("data")
    start(tendd, store, more="restore = never\n")
    text = needs_person(tendd)
    assert "is empty" in text and "holds 8 " in text, text
    assert nothing_was_done(tendd)
    assert store.keys("data") == before
    # Restarted, it waits still.
    tendd.kill()
    tendd.start()
    needs_person(tendd)
    assert nothing_was_done(tendd)
    # The first file shows that the folder is meant; strangers stay.
    (data / "first").write_text("first\n")
    tendd.until_state("folder:data", "ready")
    tendd.barrier("data")
    assert store.keys("data") == {**before, "first": "file"}
    assert tendd.folder_part("data")["strangers"] >= 7
    assert tendd.tend("status").returncode == 0


def test_only_excluded_files_are_as_good_as_none(tendd, store):
    data = tendd.folder("data")
    (data / "scratch.tmp").write_text("tmp\n")
    store.put("data/kept", b"kept\n")
    start(tendd, store, more="exclude = *.tmp\nrestore = never\n")
    needs_person(tendd)
    assert nothing_was_done(tendd)
    assert store.keys("data") == {"kept": "file"}


def test_emptied_folder_stops(tendd, store):
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    empty(data)
    text = needs_person(tendd)
    assert "is empty" in text and "nothing is deleted" in text, text
    assert store.keys("data") == before
    tendd.kill()
    tendd.start()
    needs_person(tendd)
    assert store.keys("data") == before
    # A file in it says that it is meant: now they go, each to its version.
    (data / "plain.txt").write_text("plain\n")
    tendd.until(lambda: not tendd.unit("folder:data")["needs_person"], "the folder going on")
    tendd.barrier("data")
    assert store.keys("data") == {"plain.txt": "file"}
    assert store.versions("data/private") == [b"secret\n"]
    assert tendd.tend("status").returncode == 0


def test_emptied_while_nobody_watched(tendd, store):
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    tendd.stop()
    empty(data)
    tendd.start()
    needs_person(tendd)
    assert store.keys("data") == before
    fill(data)  # brought back, though not by tend
    tendd.until(lambda: not tendd.unit("folder:data")["needs_person"], "the folder going on")
    tendd.barrier("data")
    assert_same(data, store.at("data"))


# ---- the folder itself goes ----

def folder_is_away(tendd):
    def holds():
        unit = tendd.unit("folder:data")
        return unit["folder"]["trouble"] and unit["folder"]["state"] in ("failed", "stopped")
    tendd.until(holds, "a folder that says it is gone")
    return tendd.folder_part("data")["trouble"]["text"]


def test_root_moved_away_and_back(tendd, store):
    data = tendd.folder("data")
    other = tendd.folder("other")
    fill(data)
    tendd.configure(store.folder(data, more="settle = 50ms\n") +
                    "[folder other]\npath = %s\nremote = cloud:other\nsettle = 50ms\n" % other).start()
    tendd.barrier()
    before = store.keys("data")
    data.rename(tendd.root / "elsewhere")
    text = folder_is_away(tendd)
    assert str(data) in text and "mount" in text, text
    assert tendd.tend("status").returncode in (1, 5)
    assert tendd.tend("wait", "data").returncode in (1, 5)
    assert store.keys("data") == before
    (other / "goes on").write_text("goes on\n")
    tendd.barrier("other")
    assert store.read("other/goes on") == b"goes on\n"
    (tendd.root / "elsewhere/plain.txt").write_text("changed elsewhere\n")
    (tendd.root / "elsewhere").rename(data)
    tendd.tend("sync", "data")  # the back-off need not pass
    tendd.until(lambda: tendd.folder_part("data")["trouble"] is None, "the folder going on")
    tendd.barrier("data")
    assert_same(data, store.at("data"))


def test_root_missing_at_start(tendd, store):
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    tendd.stop()
    data.rename(tendd.root / "elsewhere")
    tendd.start()
    folder_is_away(tendd)
    assert store.keys("data") == before
    (tendd.root / "elsewhere").rename(data)
    tendd.tend("sync", "data")
    tendd.until(lambda: tendd.folder_part("data")["trouble"] is None, "the folder going on")
    tendd.barrier("data")
    assert nothing_was_done(tendd)


def test_root_is_a_file(tendd, store):
    (tendd.root / "data").write_text("a file\n")
    tendd.configure(store.folder(tendd.root / "data", more="settle = 50ms\n")).start()
    text = tendd.until(lambda: (tendd.folder_part("data")["trouble"] or {}).get("text"), "the trouble")
    assert text == "'%s/data' is no folder: move it out of the way, or correct 'path'" % tendd.root
    (tendd.root / "data").unlink()
    data = tendd.folder("data")
    (data / "file").write_text("x")
    assert tendd.tend("sync", "data").returncode == 0
    tendd.until(lambda: store.keys("data") == {"file": "file"}, "the folder going on")


def test_an_empty_folder_in_its_place_is_not_it(tendd, store):
    """A disk that is not mounted leaves an empty folder behind."""
    data = tendd.folder("data")
    fill(data)
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys("data")
    data.rename(tendd.root / "elsewhere")
    data.mkdir()
    needs_person(tendd)
    assert store.keys("data") == before
    data.rmdir()
    (tendd.root / "elsewhere").rename(data)
    tendd.tend("sync", "data")
    tendd.until(lambda: tendd.folder_part("data")["trouble"] is None, "the folder going on")
    tendd.barrier("data")
    assert_same(data, store.at("data"))


# ---- whose remote is it? ----

def test_two_machines_on_one_remote(tendd, store):
    """The second does not write where the first does, unless all is equal."""
    from tend import Tendd
    data = tendd.folder("data")
    (data / "a").write_text("first's\n")
    start(tendd, store)
    tendd.barrier("data")
    with Tendd() as second:
        own = second.folder("data")
        (own / "a").write_text("second's\n")
        second.configure(store.folder(own, more="settle = 50ms\n")).start()
        text = needs_person(second)
        assert str(data) in text, text
        assert store.read("data/a") == b"first's\n"
        # Equal by now: it takes over.
        (own / "a").write_text("first's\n")
        shutil.copystat(data / "a", own / "a")
        second.tend("sync", "data")
        second.until(lambda: "takes the remote over" in second.said, "the second taking over")
        (own / "b").write_text("second's\n")
        second.barrier("data")
        assert store.read("data/b") == b"second's\n"


def test_the_remote_is_the_root(tendd, store):
    """remote = cloud: : tend's own folder is nobody's file."""
    data = tendd.folder("data")
    fill(data)
    (data / ".tend").mkdir()
    (data / ".tend/own").write_text("somebody's\n")
    tendd.configure(store.folder(data, key="", more="settle = 50ms\n")).start()
    tendd.barrier("data")
    (data / "plain.txt").write_text("again\n")
    tendd.barrier("data")
    store.judge(data, key="")
    assert "own" not in {path.rsplit("/")[-1] for path in (path.name for path in (store.path / ".tend").rglob("*"))}
    tendd.stop()
    shutil.rmtree(tendd.state / "folders")
    tendd.start()
    tendd.barrier("data")
    assert nothing_was_done(tendd)
    assert tendd.folder_part("data")["strangers"] == 0
