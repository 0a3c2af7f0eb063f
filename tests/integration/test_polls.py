"""What a poll of two-way and fetch asks a remote that can tell what has changed: Google Drive by its changes, Nextcloud by the ETags of
its folders.

servers: dav_cloud
"""

import re
import shutil
from urllib.parse import unquote_plus

import pytest

from basics import QUICK, start
from drive_ground import Drive, Ground
from fault_proxy import before
from stores import WebDav, facts, rclone

POLLS = QUICK + "poll = 200ms\nverify = 365d\n"


def fill(data):
    for folder in ("one", "two/deep/er"):
        (data / folder).mkdir(parents=True)
        for number in range(3):
            (data / folder / str(number)).write_text("%s %d\n" % (folder, number))


def names(data):
    return {path: fact[0] for path, fact in facts(data).items()}


def at_rest(tendd, seen):
    """`seen()`: requests so far. Waits until polls ask the very same, one after the other; answers with what one asks."""
    tendd.until_idle("data")

    def same():
        before_now = list(seen())
        tendd.until(lambda: len(seen()) >= len(before_now) + 3, "three requests more")
        asked = list(seen())[len(before_now):]
        return asked if len(set(asked)) == 1 else None
    return tendd.until(same, "polls that ask one thing")[0]


@pytest.fixture(params=["two-way", "fetch"])
def drive(tendd, tmp_path, request):
    with Ground(tmp_path, tls=True) as ground:
        store = Drive(tmp_path, ground)
        made = tmp_path / "made"
        fill(made)
        rclone("copy", made, store.address("data"), env=store.env)
        data = start(tendd, store, more="mode = %s\n" % request.param, settle=POLLS)
        tendd.until(lambda: names(data) == names(made), "all of it")
        yield store, data


def requests(store):
    return [" ".join(line.split()[:2]).partition("?")[0] for line in list(store.server.log)]


CHANGES = "GET /drive/v3/changes"


def lists(store):
    """Of tend's, which rclone does not ask for in order; what asks for one name is none."""
    return [line for line in store.asked("GET /drive/v3/files?", "orderBy=name") if " and name = " not in unquote_plus(line)]


def test_drive_is_asked_what_changed(tendd, drive):
    store, data = drive
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    store.server.log.clear()
    store.put("data/two/deep/er/1", b"changed\n")
    store.put("data/one/new", b"new\n")
    store.remove("data/one/0")
    tendd.until(lambda: (data / "two/deep/er/1").read_text() == "changed\n" and not (data / "one/0").exists() and
                (data / "one/new").exists(), "what another hand did")
    assert (data / "one/new").read_text() == "new\n"
    assert not lists(store), store.server.log
    assert at_rest(tendd, lambda: requests(store)) == CHANGES


def test_one_way_asks_nothing(tendd, tmp_path):
    """In the time of several polls of a folder that is asked about, at another server, backup and mirror ask for nothing."""
    with Ground(tmp_path) as polled, Ground(tmp_path) as still:
        folders = []
        for name, ground, more in (("both", polled, "mode = two-way\n"), ("kept", still, "mode = backup\n"), ("same", still, "mode = mirror\n")):
            place = tmp_path / ("home-" + name)
            place.mkdir()
            fill(tendd.folder(name))
            store = Drive(place, ground)
            folders.append(store.section("cloud-" + name) + "[folder %s]\npath = %s\nremote = cloud-%s:%s\n" % (
                name, tendd.folder(name), name, name) + POLLS + more)
        tendd.configure("".join(folders)).start()
        for name in ("both", "kept", "same"):
            tendd.barrier(name)
            tendd.until_idle(name)
        asked = lambda: len(polled.server.log)
        polls = lambda count, since: tendd.until(lambda: asked() >= since + count, "%d polls" % count)

        def rests():
            before_now = len(still.server.log)
            polls(5, asked())
            return len(still.server.log) == before_now
        tendd.until(rests, "one-way folders at rest")
        (tendd.folder("kept") / "more").write_text("more\n")
        before_now = len(still.server.log)
        tendd.barrier("kept")
        assert len(still.server.log) > before_now
        tendd.until(rests, "one-way folders at rest again")
        still.server.log.clear()
        polls(20, asked())
        assert not still.server.log


def test_a_start_asks_drive_what_changed_meanwhile(tendd, drive, request):
    """The token outlives the process: nothing changed is one request, and no list; what changed meanwhile is told."""
    store, data = drive
    sends = request.node.callspec.params["drive"] == "two-way"
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    assert tendd.stop() == 0
    store.server.log.clear()
    tendd.start()
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    assert not lists(store), store.server.log
    assert tendd.stop() == 0
    store.server.log.clear()
    store.put("data/two/deep/er/1", b"while nobody looked\n")
    store.remove("data/one/0")
    if sends:
        (data / "one/2").write_text("here, while nobody looked\n")
    tendd.start()
    tendd.until(lambda: (data / "two/deep/er/1").read_text() == "while nobody looked\n" and not (data / "one/0").exists(),
                "what another hand did meanwhile")
    if sends:
        tendd.barrier("data")
        assert store.read("data/one/2") == b"here, while nobody looked\n"
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    assert not lists(store), store.server.log


def test_a_start_with_other_rules_lists_a_drive(tendd, drive, request):
    """What the rules left out nobody looked at: the token says nothing of it."""
    store, data = drive
    mode = "mode = %s\n" % request.node.callspec.params["drive"]
    assert tendd.stop() == 0
    tendd.configure(store.folder(data, more=POLLS + mode + "exclude = *.log\n")).start()
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    store.put("data/one/left.log", b"left out\n")
    at_rest(tendd, lambda: requests(store))
    assert tendd.stop() == 0
    assert not (data / "one/left.log").exists()
    store.server.log.clear()
    tendd.configure(store.folder(data, more=POLLS + mode)).start()
    tendd.until(lambda: (data / "one/left.log").exists(), "what is left out no more")
    assert lists(store)


def test_drive_is_listed_when_folders_move_or_the_token_is_refused(tendd, drive):
    store, data = drive
    at_rest(tendd, lambda: requests(store))
    store.server.log.clear()
    rclone("move", store.address("data/two"), store.address("data/three"), env=store.env)
    tendd.until(lambda: (data / "three/deep/er/2").exists() and not (data / "two/deep/er/2").exists(), "the folder's new name", 8)
    assert at_rest(tendd, lambda: requests(store)) == CHANGES
    assert lists(store)
    store.put("data/one/1", b"while nobody could tell\n")
    store.server.drive.changes.clear()
    tendd.until(lambda: (data / "one/1").read_text() == "while nobody could tell\n", "what no change tells of")
    assert at_rest(tendd, lambda: requests(store)) == CHANGES


def test_an_emptied_drive_deletes_nothing(tendd, drive):
    store, data = drive
    at_rest(tendd, lambda: requests(store))
    here = names(data)
    rclone("purge", store.address("data"), env=store.env)
    tendd.until(lambda: tendd.unit("folder:data")["needs_person"], "a folder that needs a person")
    assert names(data) == here


@pytest.fixture
def cloud(tendd):
    store = WebDav("dav_cloud", tendd.root)
    with before(store) as proxy:
        data = tendd.folder("data")
        fill(data)
        start(tendd, store, more="mode = two-way\n", settle=POLLS)
        tendd.barrier("data")
        yield store, proxy, data


def asked(proxy):
    with proxy.lock:
        return ["%s %s %s" % (one.method, one.target.rstrip("/").rpartition("/data")[2], depth(one)) for one in proxy.requests]


def depth(request):
    found = re.search(rb"(?i)\r\ndepth: *(\w+)", request.head)
    return found.group(1).decode() if found else ""


def test_a_cloud_s_folders_are_listed_where_something_moved(tendd, cloud):
    store, proxy, data = cloud
    assert at_rest(tendd, lambda: asked(proxy)) == "PROPFIND  0"
    proxy.forget()
    store.put("data/two/deep/er/1", b"changed\n")
    tendd.until(lambda: (data / "two/deep/er/1").read_text() == "changed\n", "what another hand did")
    lists = {line for line in asked(proxy) if line.endswith(" 1")}
    assert lists == {"PROPFIND  1", "PROPFIND /two 1", "PROPFIND /two/deep 1", "PROPFIND /two/deep/er 1"}
    store.remove("data/one/0")
    tendd.until(lambda: not (data / "one/0").exists(), "what another hand removed")
    shutil.rmtree(data / "one")
    tendd.barrier("data")
    assert "one" not in store.keys("data")
    assert at_rest(tendd, lambda: asked(proxy)) == "PROPFIND  0"
    store.judge(data)


def test_a_start_asks_a_cloud_for_its_root_alone(tendd, cloud):
    store, proxy, data = cloud
    assert at_rest(tendd, lambda: asked(proxy)) == "PROPFIND  0"
    assert tendd.stop() == 0
    proxy.forget()
    tendd.start()
    assert at_rest(tendd, lambda: asked(proxy)) == "PROPFIND  0"
    # Of the folder: its owner's mark, beside it, is looked for at each start.
    assert not [line for line in asked(proxy) if line.endswith(" 1") and "/remote.php/" not in line], asked(proxy)
    assert tendd.stop() == 0
    store.put("data/two/deep/er/1", b"while nobody looked\n")
    tendd.start()
    tendd.until(lambda: (data / "two/deep/er/1").read_text() == "while nobody looked\n", "what another hand did meanwhile")
    assert at_rest(tendd, lambda: asked(proxy)) == "PROPFIND  0"
    store.judge(data)
