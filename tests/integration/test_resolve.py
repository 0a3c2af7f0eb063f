"""`tend resolve`: of two edits that were both kept one stays; what goes is in the trash and a version at the remote."""

import json
import os
import sqlite3

import pytest

QUICK = "settle = 50ms\npoll = 1s\npace = 100%\nmode = two-way\n"


class Edited:
    """A folder and its remote, a plain folder too, in which `other` is another hand."""

    def __init__(self, tendd):
        self.tendd = tendd
        self.here, self.there = tendd.folder("data"), tendd.folder("remote") / "data"
        tendd.configure("[remote disk]\ntype = directory\npath = %s/remote\n[folder data]\npath = %s\nremote = disk:data\n%s"
                        % (tendd.root, self.here, QUICK))
        tendd.start()

    def conflict(self, name="notes.txt"):
        """Both edit `name`; the row that tells of it."""
        (self.here / name).write_text("as agreed")
        self.tendd.barrier("data")
        self.tendd.post("/v1/units/folder:data/pause")
        (self.here / name).write_text("mine, longer")
        (self.there / name).write_text("theirs, longer than that")
        self.tendd.post("/v1/units/folder:data/resume")
        self.tendd.until(self.rows, "a conflict")
        self.tendd.barrier("data")
        return self.rows()[0]

    def rows(self):
        return self.tendd.folder_part("data")["conflicts"]

    def resolve(self, *words, code=0):
        got = self.tendd.tend("resolve", "data", *words)
        assert got.returncode == code, (got.stdout, got.stderr)
        return got.stdout + got.stderr

    def alike(self):
        """What both sides have."""
        self.tendd.barrier("data")
        self.tendd.until(lambda: texts(self.here) == texts(self.there), "both sides alike")
        return texts(self.here)

    def trash(self):
        return sorted(texts(self.tendd.state / "trash" / "data").values())

    def versions(self):
        return sorted(texts(self.tendd.root / "remote" / ".tend" / "versions").values())


def texts(folder):
    return {name: open(os.path.join(at, name), "rb").read().decode(errors="replace") for at, _, names in os.walk(folder)
            for name in names if ".tend-tmp." not in name}


@pytest.fixture
def edited(tendd):
    return Edited(tendd)


@pytest.mark.parametrize("keep, stays, goes", [("mine", "mine, longer", "theirs, longer than that"),
                                               ("theirs", "theirs, longer than that", "mine, longer")])
def test_one_stays(edited, keep, stays, goes):
    row = edited.conflict()
    assert row["of"] == row["theirs"] == "notes.txt" and row["mine"] == row["path"]
    shown = edited.resolve()
    assert row["mine"] in shown and "tend resolve data PATH mine|theirs|both" in shown
    assert json.loads(edited.resolve("--json")) == {"folder": "data", "conflicts": [row]}
    before = edited.trash()
    assert ("notes.txt' is yours now" if keep == "mine" else "notes.txt' is theirs now") in edited.resolve("notes.txt", keep)
    assert texts(edited.here) == {"notes.txt": stays} and edited.rows() == []
    assert edited.alike() == {"notes.txt": stays}
    assert edited.trash() == sorted(before + [goes]) and goes in edited.versions()
    assert "has no conflicts" in edited.resolve()
    assert "is in no conflict" in edited.resolve("notes.txt", keep, code=2)
    assert "'%s': keep %s by" % (row["path"], keep) in edited.tendd.tend("history", "--json").stdout


def test_both_stay(edited):
    row = edited.conflict()
    edited.resolve(row["path"], "both")
    assert edited.rows() == []
    assert edited.alike() == {"notes.txt": "theirs, longer than that", row["path"]: "mine, longer"}


def test_what_is_gone_cannot_stay(edited):
    row = edited.conflict()
    (edited.here / "notes.txt").unlink()
    edited.tendd.barrier("data")
    assert edited.tendd.post("/v1/units/folder:data/resolve", {"path": row["path"], "keep": "theirs"}).status == 404
    assert edited.alike() == {row["path"]: "mine, longer"}
    edited.resolve(row["path"], "mine")
    assert edited.alike() == {"notes.txt": "mine, longer"}


def test_wrong_questions(edited):
    row = edited.conflict()
    before = edited.alike()
    assert "which one is to stay?" in edited.resolve("notes.txt", code=2)
    assert "which one is to stay?" in edited.resolve("notes.txt", "yours", code=2)
    assert "is in no conflict" in edited.resolve("nothing", "mine", code=2)
    for body, status in (({}, 400), ({"path": row["path"], "keep": "all"}, 400), ({"path": row["path"]}, 400),
                         ({"path": "../../etc/passwd", "keep": "mine"}, 404), ({"path": 5, "keep": "mine"}, 400)):
        assert edited.tendd.post("/v1/units/folder:data/resolve", body).status == status, body
    (edited.here / row["path"]).unlink()
    (edited.here / row["path"]).mkdir()
    assert edited.tendd.post("/v1/units/folder:data/resolve", {"path": row["path"], "keep": "mine"}).status in (400, 404)
    (edited.here / row["path"]).rmdir()
    assert edited.alike() == {"notes.txt": before["notes.txt"]}


def test_a_living_database_stays(edited):
    """Nobody's database changes under a program that has it open."""
    with sqlite3.connect(edited.here / "notes.db") as made:
        made.execute("create table t(x)")
    made.close()
    edited.tendd.barrier("data")
    held = sqlite3.connect(edited.here / "notes.db", isolation_level=None)
    held.execute("pragma journal_mode=wal")
    held.execute("insert into t values('mine')")
    with sqlite3.connect(edited.there / "notes.db") as other:
        other.execute("insert into t values('theirs')")
    other.close()
    edited.tendd.until(edited.rows, "theirs beside ours")
    row = edited.rows()[0]
    assert row["mine"] == row["of"] == "notes.db" and row["theirs"] == row["path"]
    assert "a program has the database 'notes.db' open: end it" in edited.resolve("notes.db", "theirs", code=1)
    held.execute("insert into t values('more')")
    assert [x for x, in held.execute("select x from t")] == ["mine", "more"]
    held.close()
    edited.resolve("notes.db", "theirs")
    edited.tendd.barrier("data")
    for folder in (edited.here, edited.there):
        edited.tendd.until(lambda: [path.name for path in folder.iterdir()] == ["notes.db"], "one database")  # noqa: B023
        opened = sqlite3.connect(folder / "notes.db")
        assert [x for x, in opened.execute("select x from t")] == ["theirs"]
        opened.close()
