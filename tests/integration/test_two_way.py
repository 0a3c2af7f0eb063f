"""Modes `two-way` and `fetch`: two daemons on one remote, and what lies on both disks is the judge.

servers: azure_azurite s3_rgw dav_apache sftp_sshd
"""

import json
import os
import random
import shutil
import sqlite3
import stat

import pytest

from drive_ground import Drive, Ground
from stores import S3, Azure, Directory, Sftp, WebDav, facts
from tend import Tendd

QUICK = "settle = 50ms\nmax_settle = 2s\npoll = 1s\npace = 100%\n"


class Pair:
    """Two machines that share one remote."""

    def __init__(self, store, modes=("two-way", "two-way"), more=""):
        self.store = store
        self.modes = modes
        self.more = more
        self.machines = [Tendd(), Tendd()]

    def start(self):
        for machine, mode in zip(self.machines, self.modes):
            self.configure(machine, mode)
            machine.start()
        return self

    def configure(self, machine, mode, more=""):
        data = machine.folder("data")
        machine.configure(self.store.folder(data, more=QUICK + "mode = %s\n" % mode + self.more + more))

    def data(self, number):
        return self.machines[number].root / "data"

    def wait(self, *numbers):
        for number in numbers or (0, 1):
            self.machines[number].barrier("data")

    def meet(self):
        """Both have what both had."""
        def alike():
            self.wait(0, 1)
            self.wait(0)
            return contents(self.data(0)) == contents(self.data(1))
        try:
            self.machines[0].until(alike, "both sides alike")
        except AssertionError as error:
            left, right = contents(self.data(0)), contents(self.data(1))
            differ = sorted(set(left.items()) ^ set(right.items()), key=str)[:20]
            parts = [machine.folder_part("data") for machine in self.machines]
            stand = [{name: part[name] for name in ("state", "pending", "refused", "trouble", "troubles", "deletions")}
                     for part in parts]
            raise AssertionError("%s\n%s\n%s\n%s" % (differ, stand, self.machines[1].said[-4000:], error)) from None

    def close(self):
        for machine in self.machines:
            machine.close()


def contents(data):
    """Kinds, bytes and targets; not times, which some remotes do not keep."""
    found = {}
    for folder, folders, files in os.walk(data):
        for name in folders + files:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, data)
            if ".tend-tmp." in name:
                continue
            try:
                if os.path.islink(path):
                    found[short] = ("link", os.readlink(path))
                elif os.path.isdir(path):
                    found[short] = ("folder",)
                else:
                    with open(path, "rb") as file:
                        found[short] = ("file", file.read())
            except FileNotFoundError:
                pass
    return found


def trash(machine):
    return {os.path.relpath(os.path.join(folder, name), machine.state / "trash" / "data").split("/", 1)[1]:
            open(os.path.join(folder, name), "rb").read()
            for folder, _, files in os.walk(machine.state / "trash" / "data") for name in files}


def conflicts(data):
    return sorted(name for _, _, files in os.walk(data) for name in files if "(conflict " in name)


@pytest.fixture
def directory(tmp_path):
    return Directory(tmp_path / "remote")


@pytest.fixture(params=["directory", "s3_rgw", "dav_apache", "sftp_sshd"])
def any_store(tmp_path, request):
    make = {"directory": lambda: Directory(tmp_path / "remote"), "s3_rgw": lambda: S3("s3_rgw", tmp_path),
            "dav_apache": lambda: WebDav("dav_apache", tmp_path), "sftp_sshd": lambda: Sftp("tend")}
    return make[request.param]()


@pytest.fixture
def pair(directory):
    pair = Pair(directory)
    yield pair
    pair.close()


@pytest.fixture
def any_pair(any_store):
    pair = Pair(any_store)
    yield pair
    pair.close()


@pytest.fixture(params=["gdrive", "azure_azurite"])
def other_pair(tmp_path, request):
    """Of clouds where a look costs more: one story each."""
    if request.param == "gdrive":
        with Ground(tmp_path, tls=True) as ground:
            pair = Pair(Drive(tmp_path, ground))
            yield pair
            pair.close()
    else:
        pair = Pair(Azure("azure_azurite", tmp_path))
        yield pair
        pair.close()


def test_both_see_what_the_other_does(any_pair):
    both_see(any_pair)


def test_on_other_clouds_too(other_pair):
    both_see(other_pair)
    pair = other_pair
    pair.machines[1].stop()
    (pair.data(0) / "large").write_text("edited on one\n")
    (pair.data(1) / "large").write_text("edited on two, another way\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    found = conflicts(pair.data(0))
    assert len(found) == 1 and {(pair.data(0) / name).read_text() for name in (found[0], "large")} == \
        {"edited on one\n", "edited on two, another way\n"}


def both_see(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "folder").mkdir()
    (one / "folder/made on one").write_text("1\n")
    (two / "made on two").write_text("2\n")
    (one / "large").write_bytes(os.urandom(6 << 20))
    (one / "empty").write_bytes(b"")
    (one / "alone").mkdir()
    (one / "link").symlink_to("folder/made on one")
    pair.meet()
    assert (two / "folder/made on one").read_text() == "1\n"
    assert (one / "made on two").read_text() == "2\n"
    assert (two / "alone").is_dir() and os.readlink(two / "link") == "folder/made on one"
    (two / "folder/made on one").write_text("1, edited on two\n")
    (one / "made on two").unlink()
    shutil.rmtree(one / "alone")
    pair.meet()
    assert (one / "folder/made on one").read_text() == "1, edited on two\n"
    assert not (two / "made on two").exists() and not (two / "alone").exists()
    assert trash(pair.machines[1])["made on two"] == b"2\n"
    assert trash(pair.machines[0])["folder/made on one"] == b"1\n"
    assert not conflicts(one) and not conflicts(two)
    shutil.rmtree(two / "folder")
    pair.meet()
    assert not (one / "folder").exists()


def test_a_second_run_does_nothing(any_pair):
    pair = any_pair.start()
    for number in range(30):
        folder = pair.data(number % 2) / ("folder %d" % (number % 3))
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_text("%d\n" % number)
    pair.meet()
    for machine in pair.machines:
        machine.stop()
        machine.start()
    pair.wait()
    for machine in pair.machines:
        part = machine.folder_part("data")
        did = {name: part[name] for name in ("sent_files", "set_only", "removed", "moved", "brought_files", "removed_here")}
        assert not any(did.values()), did
        assert part["files"] == 30 and part["conflicts"] == []


def test_links_are_left_out_when_told(any_store):
    """On both sides: neither sent nor brought, and one that was stored stays there when it goes here."""
    pair = Pair(any_store)
    try:
        pair.configure(pair.machines[0], "two-way")
        pair.configure(pair.machines[1], "two-way", more="symlinks = skip\n")
        for machine in pair.machines:
            machine.start()
        one, two = pair.data(0), pair.data(1)
        (one / "file").write_text("a file\n")
        (one / "link").symlink_to("file")
        pair.wait(0)
        pair.machines[1].until(lambda: (two / "file").exists(), "the file")
        (two / "own").symlink_to("file")
        pair.wait(1)
        assert not (two / "link").is_symlink() and "own" not in str(pair.store.keys("data"))
        # A link in the place of a file that was agreed: the file is gone.
        (two / "file").unlink()
        (two / "file").symlink_to("elsewhere")
        pair.wait(1)
        pair.machines[0].until(lambda: not (one / "file").exists(), "the file to go")
        assert (one / "link").is_symlink() and (two / "file").is_symlink()
        # They are synced from now on.
        pair.configure(pair.machines[1], "two-way")
        assert pair.machines[1].reload().status == 200
        pair.meet()
        assert os.readlink(two / "link") == "file" and os.readlink(one / "own") == "file"
        # Agreed, and left out again: what goes here stays there.
        pair.configure(pair.machines[1], "two-way", more="symlinks = skip\n")
        assert pair.machines[1].reload().status == 200
        pair.wait(1)
        (two / "link").unlink()
        pair.wait(1, 0)
        assert (one / "link").is_symlink()
    finally:
        pair.close()


def test_a_dry_run_tells_both_directions(any_pair):
    pair = any_pair.start()
    one, two = pair.data(0), pair.data(1)
    for name in ("edited here", "edited there", "edited on both", "gone here", "gone there", "same", "alike"):
        (one / name).write_text(name + " as agreed\n")
    (one / "sub").mkdir()
    (one / "sub" / "inner").write_text("in it\n")
    pair.meet()
    pair.machines[1].stop()
    (one / "edited there").write_text("edited there, by one\n")
    (one / "edited on both").write_text("edited on both, by one\n")
    (one / "alike").write_text("the same edit\n")
    (one / "gone there").unlink()
    (one / "new there").write_text("new there\n")
    pair.wait(0)
    pair.machines[0].stop()
    (two / "edited here").write_text("edited here, by two\n")
    (two / "edited on both").write_text("edited on both, by the second\n")
    (two / "alike").write_text("the same edit\n")
    (two / "gone here").unlink()
    (two / "new here").write_text("new here\n")
    before = contents(two)
    told = json.loads(pair.machines[1].tend("sync", "--dry-run", "data", "--json").stdout)
    said = {item["path"]: item["what"] for item in told["paths"]}
    # Where a list tells no hash, what was edited alike on both sides is looked at only when it is synced.
    alike = said.pop("alike", None)
    assert alike in (None, "attributes", "conflict"), said
    assert said == {"edited here": "send", "new here": "send", "edited there": "bring", "new there": "bring",
                    "edited on both": "conflict", "gone here": "delete", "gone there": "remove"}, said
    assert told["contacted"] and told["same"] >= 2 and contents(two) == before
    text = pair.machines[1].tend("sync", "--dry-run", "data").stdout
    assert "2 files to bring" in text and "1 to remove here" in text and "1 to delete" in text, text
    for machine in pair.machines:
        machine.start()
    pair.meet()
    left = json.loads(pair.machines[1].tend("sync", "--dry-run", "data", "--json").stdout)
    assert left["paths"] == [], left


@pytest.mark.parametrize("mode", ["two-way", "fetch"])
def test_verify_reads_back(tmp_path, mode):
    """What rots at the remote under an unchanged size and time is no edit of anybody's: ours are sent again, and fetch says it."""
    pair = Pair(Sftp("tend"), modes=("two-way", mode))
    try:
        for number in (0, 1):
            pair.configure(pair.machines[number], pair.modes[number])
            for name in ("rotten", "sound"):
                (pair.data(number) / name).write_text(name + " as it was written\n")
                os.utime(pair.data(number) / name, (1700000000, 1700000000))
        pair.machines[0].start()
        pair.wait(0)
        machine = pair.machines[1].start()
        pair.meet()
        assert machine.tend("verify", "data").stdout == "folder:data: 2 files compared, all as they were stored\n"
        assert "2 had been adopted by size and time" in machine.tend("verify", "data", "--read").stdout
        machine.barrier("data")
        assert "adopted" not in machine.tend("verify", "data", "--read").stdout
        there = pair.store.path / "data" / "rotten"
        before = there.stat()
        there.write_text("rotten AS it was written\n")
        os.utime(there, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert "all as they were stored" in machine.tend("verify", "data").stdout
        said = machine.tend("verify", "data", "--read").stdout
        assert "2 files compared: 0 are others at the remote, and taken over; 1 were not as they were stored" in said, said
        if mode == "fetch":
            assert there.read_text() == "rotten AS it was written\n"
        else:
            machine.until(lambda: there.read_text() == "rotten as it was written\n", "the bytes to be sent again")
            assert "all as they were stored" in machine.tend("verify", "data", "--read").stdout
        assert contents(pair.data(1)) == contents(pair.data(0)) and not conflicts(pair.data(1))
        # What another hand changed is taken over first, and compared after.
        pair.store.put("data/sound", b"by another hand, later\n")
        machine.until(lambda: "others at the remote" in machine.tend("verify", "data").stdout or
                      (pair.data(1) / "sound").read_text() == "by another hand, later\n", "the edit to be found")
        machine.until(lambda: (pair.data(1) / "sound").read_text() == "by another hand, later\n", "the edit to come")
    finally:
        pair.close()


def test_two_edits_are_both_kept(any_pair):
    pair = any_pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "notes.txt").write_text("as agreed\n")
    pair.meet()
    pair.machines[1].stop()
    (one / "notes.txt").write_text("edited on one\n")
    (two / "notes.txt").write_text("edited on two, another way\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    found = conflicts(one)
    assert len(found) == 1 and found == conflicts(two), found
    assert found[0].startswith("notes (conflict ") and found[0].endswith(").txt")
    assert {(one / "notes.txt").read_text(), (one / found[0]).read_text()} == \
        {"edited on one\n", "edited on two, another way\n"}
    listed = pair.machines[1].folder_part("data")["conflicts"]
    assert [(row["path"], row["of"]) for row in listed] == [(found[0], "notes.txt")]
    assert "another edit of 'notes.txt'" in pair.machines[1].tend("status", "data").stdout
    (two / found[0]).unlink()
    pair.meet()
    assert pair.machines[1].folder_part("data")["conflicts"] == []


def test_the_same_edit_is_no_conflict(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "notes").write_text("as agreed\n")
    pair.meet()
    pair.machines[1].stop()
    (one / "notes").write_text("the same\n")
    (two / "notes").write_text("the same\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    assert not conflicts(one) and (two / "notes").read_text() == "the same\n"


@pytest.mark.parametrize("edits_first", [True, False])
def test_an_edit_beats_a_deletion(pair, edits_first):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "folder").mkdir()
    (one / "folder/notes").write_text("as agreed\n")
    (one / "folder/other").write_text("other\n")
    (one / "stays").write_text("stays\n")
    pair.meet()
    pair.machines[1].stop()
    if edits_first:
        (one / "folder/notes").write_text("edited on one\n")
        shutil.rmtree(two / "folder")
    else:
        shutil.rmtree(one / "folder")
        (two / "folder/notes").write_text("edited on two\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    assert (one / "folder/notes").read_text().startswith("edited")
    assert not (one / "folder/other").exists() and not conflicts(one)


def test_a_renamed_folder_meets_edits_inside(pair):
    """What was edited stays under its old name, since an edit beats a deletion; all that was agreed has the new one."""
    pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "folder/deep").mkdir(parents=True)
    for name in ("edited", "stays", "deep/edited", "deep/stays"):
        (one / "folder" / name).write_text("%s, as agreed\n" % name)
    pair.meet()
    pair.machines[1].stop()
    (one / "folder").rename(one / "renamed")
    (two / "folder/edited").write_text("edited on two\n")
    (two / "folder/deep/edited").write_text("edited on two, deep\n")
    (two / "folder/new").write_text("new on two\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    found = {path: fact[1] for path, fact in contents(one).items() if fact[0] == "file"}
    agreed = {"renamed/" + name: b"%s, as agreed\n" % name.encode() for name in ("edited", "stays", "deep/edited", "deep/stays")}
    assert found == {**agreed, "folder/edited": b"edited on two\n", "folder/deep/edited": b"edited on two, deep\n",
                     "folder/new": b"new on two\n"}


def test_first_contact_joins_both(any_pair):
    pair = any_pair
    one = pair.machines[0].folder("data")
    two = pair.machines[1].folder("data")
    (one / "only one").write_text("1\n")
    (one / "alike").write_text("alike\n")
    os.utime(one / "alike", (1700000000, 1700000000))
    (one / "differs").write_text("this is of one\n")
    (two / "only two").write_text("2\n")
    (two / "alike").write_text("alike\n")
    os.utime(two / "alike", (1700000000, 1700000000))
    (two / "differs").write_text("this is of two, and longer\n")
    pair.configure(pair.machines[0], "two-way")
    pair.machines[0].start()
    pair.wait(0)
    pair.configure(pair.machines[1], "two-way")
    pair.machines[1].start()
    pair.meet()
    found = conflicts(one)
    assert len(found) == 1 and found[0].startswith("differs (conflict "), found
    assert (one / found[0]).read_text() == "this is of two, and longer\n"
    assert (two / "only one").read_text() == "1\n" and (one / "only two").read_text() == "2\n"


def test_kinds_change_and_clash(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    (one / "a").write_text("a file\n")
    (one / "b").mkdir()
    (one / "b/below").write_text("below\n")
    pair.meet()
    (one / "a").unlink()
    (one / "a").mkdir()
    (one / "a/now").write_text("now\n")
    shutil.rmtree(one / "b")
    (one / "b").write_text("now a file\n")
    pair.meet()
    assert (two / "a/now").read_text() == "now\n" and (two / "b").read_text() == "now a file\n"
    pair.machines[1].stop()
    (one / "c").write_text("a file of one\n")
    (two / "c").mkdir()
    (two / "c/of two").write_text("2\n")
    pair.wait(0)
    pair.machines[1].start()
    pair.meet()
    assert (one / "c/of two").read_text() == "2\n"
    found = conflicts(one)
    assert len(found) == 1 and (one / found[0]).read_text() == "a file of one\n"


def test_times_and_modes_go_over(pair):
    pair.start()
    pair.meet()  # a folder that starts empty restores what the remote has by then: not counted as brought
    one, two = pair.data(0), pair.data(1)
    (one / "tool").write_text("#!/bin/sh\n")
    (one / "folder").mkdir(mode=0o700)
    pair.meet()
    os.utime(one / "tool", ns=(1600000000123456789, 1600000000123456789))
    os.chmod(one / "tool", 0o755)
    os.chmod(one / "folder", 0o750)
    pair.wait(0, 1)
    assert facts(two) == facts(one)
    assert pair.machines[1].folder_part("data")["brought_bytes"] == len("#!/bin/sh\n")


def test_many_deletions_there_are_held_here(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    for number in range(300):
        (one / ("%03d" % number)).write_text("%d\n" % number)
    pair.meet()
    pair.machines[0].stop()
    for key in pair.store.keys("data"):
        if not key.endswith("000"):
            pair.store.remove("data/" + key)
    machine = pair.machines[1]
    machine.post("/v1/units/folder:data/sync")
    machine.until(lambda: machine.folder_part("data")["deletions"], "the brake")
    assert len(os.listdir(two)) == 300
    assert machine.tend("wait").returncode == 5
    upto = machine.folder_part("data")["deletions"]["upto"]
    assert machine.post("/v1/units/folder:data/approve", {"upto": upto}).status == 200
    machine.until(lambda: len(os.listdir(two)) == 1, "the approved deletions")
    assert len(trash(machine)) == 299


def test_an_emptied_remote_deletes_nothing(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    for number in range(20):
        (one / str(number)).write_text("%d\n" % number)
    pair.meet()
    pair.machines[0].stop()
    away = pair.store.path / "away"
    (pair.store.path / "data").rename(away)
    machine = pair.machines[1]
    machine.post("/v1/units/folder:data/sync")
    machine.until(lambda: machine.unit("folder:data")["needs_person"], "a question to a person")
    assert len(os.listdir(two)) == 20
    shutil.rmtree(pair.store.path / "data", ignore_errors=True)
    away.rename(pair.store.path / "data")
    machine.until(lambda: not machine.unit("folder:data")["needs_person"], "going on")
    assert len(os.listdir(two)) == 20


def test_what_is_not_synced_keeps_its_folder(directory):
    pair = Pair(directory, more="exclude = *.tmp\n")
    try:
        pair.start()
        one, two = pair.data(0), pair.data(1)
        (one / "folder").mkdir()
        (one / "folder/file").write_text("1\n")
        (one / "stays").write_text("stays\n")
        pair.meet()
        (two / "folder/mine.tmp").write_text("mine\n")
        shutil.rmtree(one / "folder")
        pair.wait(0, 1)
        pair.wait(0, 1)
        assert os.listdir(two / "folder") == ["mine.tmp"] and not (one / "folder").exists()
        pair.machines[1].stop()
        pair.machines[1].start()
        pair.wait(1, 0)
        assert not (one / "folder").exists(), "it was made again though nothing of ours lies in it"
        (two / "folder/again").write_text("2\n")
        pair.wait(1, 0)
        assert (one / "folder/again").read_text() == "2\n"
    finally:
        pair.close()


def test_a_database_in_use_is_not_replaced(pair):
    pair.start()
    one, two = pair.data(0), pair.data(1)
    with sqlite3.connect(one / "notes.db") as made:
        made.execute("create table t(x)")
        made.execute("insert into t values('agreed')")
    made.close()
    pair.wait(0, 1)
    held = sqlite3.connect(two / "notes.db", isolation_level=None)
    held.execute("pragma journal_mode=wal")
    held.execute("insert into t values('of two')")
    with sqlite3.connect(one / "notes.db") as changed:
        changed.execute("insert into t values('of one')")
    changed.close()
    pair.wait(0, 1)
    pair.machines[1].until(lambda: conflicts(two), "theirs beside ours")
    held.execute("insert into t values('later')")
    rows = [row[0] for row in held.execute("select x from t order by rowid")]
    held.close()
    assert rows == ["agreed", "of two", "later"]
    pair.wait(1, 0)
    seen = set()
    for name in ["notes.db"] + conflicts(one):
        opened = sqlite3.connect(one / name)
        assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
        seen |= {row[0] for row in opened.execute("select x from t")}
        opened.close()
    assert seen == {"agreed", "of two", "later", "of one"}


@pytest.mark.parametrize("adopted", [False, True])
def test_a_database_in_use_is_not_removed(pair, adopted):
    """Nor one that was agreed on by its size and time, unread."""
    for machine, mode in zip(pair.machines, pair.modes):
        pair.configure(machine, mode, more="sqlite = copy\n" if adopted else "")
    one, two = pair.data(0), pair.data(1)
    (one / "stays").write_text("stays\n")
    with sqlite3.connect(one / "notes.db") as made:
        made.execute("create table t(x)")
    made.close()
    if adopted:
        shutil.copy2(one / "notes.db", two / "notes.db")
    pair.machines[0].start()
    pair.wait(0)
    if adopted:
        pair.configure(pair.machines[1], "two-way")
    pair.machines[1].start()
    pair.wait(1)
    held = sqlite3.connect(two / "notes.db", isolation_level=None)
    held.execute("begin immediate")
    (one / "notes.db").unlink()
    pair.wait(0)
    machine = pair.machines[1]
    machine.post("/v1/units/folder:data/sync")
    machine.until(lambda: [row["path"] for row in machine.folder_part("data")["troubles"]] == ["notes.db"], "the word of it")
    assert (two / "notes.db").exists()
    held.execute("rollback")
    held.close()
    machine.post("/v1/units/folder:data/sync")
    machine.until(lambda: not (two / "notes.db").exists(), "its end")
    assert "notes.db" in trash(machine)


def test_a_foreign_one_way_owner_is_not_undone(pair):
    pair.configure(pair.machines[0], "backup")
    one = pair.machines[0].folder("data")
    (one / "file").write_text("1\n")
    pair.machines[0].start()
    pair.wait(0)
    pair.configure(pair.machines[1], "two-way")
    (pair.data(1) / "mine").write_text("mine\n")
    machine = pair.machines[1].start()
    machine.until(lambda: machine.unit("folder:data")["needs_person"], "the question")
    assert "one-way" in machine.folder_part("data")["trouble"]["text"]
    assert "mine" not in pair.store.keys("data")
    # The other one joins in: its own mark goes.
    pair.machines[0].stop()
    pair.configure(pair.machines[0], "two-way")
    pair.machines[0].start()
    pair.wait(0)
    machine.until(lambda: not machine.unit("folder:data")["needs_person"], "going on")
    pair.meet()
    assert (one / "mine").read_text() == "mine\n"


def test_fetch_only_takes(any_store):
    pair = Pair(any_store, modes=("backup", "fetch"))
    try:
        pair.start()
        one, two = pair.data(0), pair.data(1)
        (one / "folder").mkdir()
        for number in range(20):
            (one / "folder" / str(number)).write_text("%d\n" % number)
        pair.wait(0, 1)
        assert contents(two) == contents(one)
        (two / "mine").write_text("mine\n")
        (two / "folder/1").write_text("edited here\n")
        (two / "folder/2").unlink()
        pair.wait(1)
        (one / "folder/3").write_text("edited there\n")
        (one / "folder/1").write_text("edited there too\n")
        (one / "folder/4").unlink()
        pair.wait(0, 1)
        assert (two / "folder/3").read_text() == "edited there\n"
        assert (two / "folder/1").read_text() == "edited there too\n"
        assert not (two / "folder/2").exists() and not (two / "folder/4").exists()
        assert (two / "mine").read_text() == "mine\n"
        assert trash(pair.machines[1])["folder/1"] == b"edited here\n"
        assert "mine" not in any_store.keys("data")
        assert contents(one)["folder/2"] == ("file", b"2\n")
        (one / "folder/2").write_text("2, again\n")
        pair.wait(0, 1)
        assert (two / "folder/2").read_text() == "2, again\n"
    finally:
        pair.close()


def test_an_empty_machine_gets_all(any_pair):
    pair = any_pair
    one = pair.machines[0].folder("data")
    for number in range(60):
        folder = one / ("%d" % (number % 4))
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_text("%d\n" % number)
    pair.configure(pair.machines[0], "two-way")
    pair.machines[0].start()
    pair.wait(0)
    pair.configure(pair.machines[1], "two-way")
    shutil.rmtree(pair.data(1))
    pair.machines[1].start()
    pair.meet()
    assert len(contents(pair.data(1))) == 64


def step(chance, data, number):
    """One thing that a person may do."""
    paths = sorted(path for path in contents(data) if not path.startswith("own "))
    files = [path for path in paths if (data / path).is_file()]
    folders = [path for path in paths if (data / path).is_dir() and not (data / path).is_symlink()]
    what = chance.random()
    try:
        if what < 0.35 or not files:
            folder = chance.choice(folders + [""])
            (data / folder / ("f%d" % chance.randrange(40))).write_text("%d\n" % number + "+" * (1000 + number))
        elif what < 0.6:
            # SFTP tells times by the second: edits of one size within it would look alike.
            (data / chance.choice(files)).write_text("edit %d\n" % number + "." * number)
        elif what < 0.72:
            (data / chance.choice(files)).unlink()
        elif what < 0.82:
            (data / chance.choice(folders + [""]) / ("d%d" % chance.randrange(8))).mkdir(exist_ok=True)
        elif what < 0.92:
            to = data / chance.choice(folders + [""]) / ("f%d" % chance.randrange(40))
            if not to.exists():
                (data / chance.choice(files)).rename(to)
        elif folders:
            shutil.rmtree(data / chance.choice(folders))
    except OSError:
        pass  # the daemon was faster


def test_they_converge_whatever_happens(any_store):
    """Random work on both, and both are killed now and then; what was written last by one alone is never lost."""
    pair = Pair(any_store, more="max_delete = none\n")
    seed = int(os.environ.get("TEND_SEED", random.randrange(10**9)))
    print("TEND_SEED=%d" % seed)
    chance = random.Random(seed)
    kept = {}
    try:
        pair.start()
        (pair.data(0) / "own stays").write_text("a remote that is wholly empty asks a person\n")
        pair.meet()
        for number in range(int(os.environ.get("TEND_STEPS", "240"))):
            side = chance.randrange(2)
            step(chance, pair.data(side), number)
            if number % 12 == 0:  # nobody else touches these
                name = "own %d %d" % (side, number)
                (pair.data(side) / name).write_text("kept %d\n" % number)
                kept[name] = "kept %d\n" % number
            if chance.random() < 0.04:
                machine = pair.machines[chance.randrange(2)]
                machine.kill()
                machine.start()
            if chance.random() < 0.05:
                pair.wait(side)
        pair.meet()
        for name, text in kept.items():
            assert (pair.data(1) / name).read_text() == text
        for number in range(2):
            assert not [name for name in contents(pair.data(number)) if ".tend-tmp." in name]
        pair.wait()
        before = [machine.folder_part("data") for machine in pair.machines]
        pair.wait()
        for machine, part in zip(pair.machines, before):
            now = machine.folder_part("data")
            for name in ("sent_files", "brought_files", "removed", "removed_here", "set_only"):
                assert now[name] == part[name], (name, part[name], now[name])
    finally:
        pair.close()
