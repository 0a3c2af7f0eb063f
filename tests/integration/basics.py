"""What a folder does on every kind of remote: a test module that imports all of this and has a fixture `store` shows it for its
stores."""

import json
import os
import stat

QUICK = "settle = 50ms\n"
# Longer than a loaded machine keeps a writer from its next call: what is counted, or kept as a version, was written in place, and half
# of it is a content, too. A barrier waits for none of it.
CALM = "settle = 2s\n"
COUNTERS = ("sent_files", "sent_bytes", "set_only", "removed")


def start(tendd, store, more="", settle=CALM):
    """One folder "data" on the store; returns its local path."""
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=settle + more)).start()
    return data


def counted(tendd, name="data"):
    part = tendd.folder_part(name)
    return tuple(part[counter] for counter in COUNTERS)


def since(tendd, before):
    """sent files, sent bytes, attributes only, removed."""
    return tuple(now - then for now, then in zip(counted(tendd), before))


def fill(data, without=()):
    (data / "plain.txt").write_text("plain\n")
    (data / "nothing").write_bytes(b"")
    (data / "tool").write_text("#!/bin/sh\n")
    (data / "tool").chmod(0o755)
    (data / "private").write_text("secret\n")
    (data / "private").chmod(0o600)
    (data / "deep/er/still").mkdir(parents=True)
    (data / "deep/er/still/file").write_bytes(os.urandom(200_000))
    (data / "deep/empty").mkdir()
    (data / "closed").mkdir(mode=0o700)
    (data / "closed/in").write_text("in\n")
    (data / "link").symlink_to("plain.txt")
    (data / "dangling").symlink_to("../no/such thing")
    (data / "folderlink").symlink_to("deep")
    for name in ("with space", "emoji \U0001f980", "nfd e\u0301", "nfc \u00e9", "100%", "%2F", "#hash", "a&b+c=d?e;f", "-dash",
                 "back\\slash", "quote'\"", "star*[x]{y}", "n" * 200, "tab\there", ".hidden", "trailing ", "trailing."):
        if name in without:
            continue
        (data / name).write_text(name)
        os.utime(data / name, ns=(1_234_567_890_123_456_789, 1_234_567_890_123_456_789))
    os.utime(data / "link", ns=(1, 987_654_321_987_654_321), follow_symlinks=False)


def test_everything_arrives_as_it_is(tendd, store):
    data = tendd.folder("data")
    fill(data, store.refused)
    start(tendd, store)
    ended = tendd.tend("wait", "data")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    store.judge(data)
    assert store.read("data/plain.txt") == b"plain\n"
    part = tendd.until_idle("data")
    assert part["links"] == 3
    assert part["refused"] == 0 and part["strangers"] == 0 and part["trouble"] is None
    assert tendd.tend("status").returncode == 0


def test_edits_arrive(tendd, store):
    data = start(tendd, store)
    (data / "a").write_text("one\n")
    tendd.barrier("data")
    assert store.read("data/a") == b"one\n"
    with open(data / "a", "a") as file:
        file.write("two\n")
    tendd.barrier("data")
    assert store.read("data/a") == b"one\ntwo\n"
    (data / "a").write_text("other\n")  # shorter, in place
    tendd.barrier("data")
    assert store.read("data/a") == b"other\n"
    (data / "new").write_text("by rename\n")
    (data / "new").rename(data / "a")
    tendd.barrier("data")
    assert store.keys("data") == {"a": "file"}
    assert store.read("data/a") == b"by rename\n"
    store.judge(data)


def test_it_comes_by_itself(tendd, store):
    """Without anybody waiting for it: settle, and no scan."""
    data = start(tendd, store, settle=QUICK)
    tendd.until_idle("data")
    scans = tendd.folder_part("data")["scans"]
    (data / "sub").mkdir()
    (data / "sub/file").write_text("by itself\n")
    tendd.until(lambda: store.keys("data").get("sub/file") and store.read("data/sub/file") == b"by itself\n", "the file")
    (data / "sub/file").unlink()
    tendd.until(lambda: "sub/file" not in store.keys("data"), "the file's end")
    assert tendd.folder_part("data")["scans"] == scans


def test_chmod_and_touch_send_no_content(tendd, store):
    data = start(tendd, store)
    (data / "a").write_bytes(b"x" * 100_000)
    (data / "b").write_bytes(b"y" * 100_000)
    tendd.barrier("data")
    before = counted(tendd)
    (data / "a").chmod(0o640)
    tendd.barrier("data")
    assert since(tendd, before) == (0, 0, 1, 0)
    os.utime(data / "b", ns=(5, 1_600_000_000_123_456_789))
    tendd.barrier("data")
    assert since(tendd, before) == (0, 0, 2, 0)
    store.judge(data)
    assert store.read("data/a") == b"x" * 100_000
    # The same bytes written once more are no news either.
    (data / "a").write_bytes(b"x" * 100_000)
    tendd.barrier("data")
    assert since(tendd, before)[:2] == (0, 0)
    store.judge(data)
    assert store.versions("data/a") == [] and store.versions("data/b") == []


def test_renames_of_files_and_folders(tendd, store):
    data = start(tendd, store)
    (data / "dir/sub").mkdir(parents=True)
    for number in range(20):
        (data / ("dir/sub/%d" % number)).write_text("file %d\n" % number)
    (data / "file").write_text("file\n")
    tendd.barrier("data")
    before = counted(tendd)
    (data / "file").rename(data / "dir/moved")
    (data / "dir").rename(data / "other")
    tendd.barrier("data")
    assert since(tendd, before)[:2] == (0, 0)  # no content travels for it
    names = {path for path, kind in store.keys("data").items() if kind == "file"}
    assert names == {"other/moved"} | {"other/sub/%d" % number for number in range(20)}
    store.judge(data)
    # What happens in the moved folder is still seen.
    (data / "other/sub/new").write_text("after\n")
    tendd.barrier("data")
    assert store.read("data/other/sub/new") == b"after\n"


def test_deletions(tendd, store):
    data = start(tendd, store)
    (data / "dir/sub").mkdir(parents=True)
    (data / "dir/sub/a").write_text("a\n")
    (data / "dir/b").write_text("b\n")
    (data / "stays").write_text("stays\n")
    (data / "gone").write_text("gone\n")
    tendd.barrier("data")
    (data / "gone").unlink()
    (data / "dir/sub/a").unlink()
    (data / "dir/sub").rmdir()
    (data / "dir/b").unlink()
    (data / "dir").rmdir()
    tendd.barrier("data")
    assert store.keys("data") == {"stays": "file"}
    store.judge(data)


def test_kinds_change(tendd, store):
    data = start(tendd, store)
    (data / "a").write_text("file\n")
    (data / "b").mkdir()
    (data / "b/in").write_text("in\n")
    (data / "c").symlink_to("a")
    (data / "d").write_text("d\n")
    (data / "e").write_text("e\n")
    tendd.barrier("data")
    (data / "a").unlink()
    (data / "a").mkdir()
    (data / "a/in").write_text("now a folder\n")
    (data / "b/in").unlink()
    (data / "b").rmdir()
    (data / "b").write_text("now a file\n")
    (data / "c").unlink()
    (data / "c").write_text("now a file\n")
    (data / "d").rename(data / "swap")  # d and e change places
    (data / "e").rename(data / "d")
    (data / "swap").rename(data / "e")
    tendd.barrier("data")
    files = {path for path, kind in store.keys("data").items() if kind == "file"}
    assert files == {"a/in", "b", "c", "d", "e"}
    assert (store.read("data/d"), store.read("data/e")) == (b"e\n", b"d\n")
    store.judge(data)


def test_symlinks(tendd, store):
    data = start(tendd, store)
    (data / "link").symlink_to("one")
    tendd.barrier("data")
    (data / "link").unlink()
    (data / "link").symlink_to("two/../" + "long" * 200)
    (data / "back").symlink_to(".")
    tendd.barrier("data")
    assert store.keys("data") == {"link": "link", "back": "link"}
    store.judge(data)
    (data / "link").unlink()
    tendd.barrier("data")
    assert store.keys("data") == {"back": "link"}
    store.judge(data)


def test_versions_in_backup(tendd, store):
    data = start(tendd, store)
    (data / "dir").mkdir()
    for text in ("one", "two", "three"):
        (data / "dir/a").write_text(text)
        tendd.barrier("data")
    assert store.versions("data/dir/a") == [b"one", b"two"]
    (data / "dir/a").unlink()
    tendd.barrier("data")
    assert store.versions("data/dir/a") == [b"one", b"two", b"three"]
    (data / "dir/a").write_text("four")
    tendd.barrier("data")
    assert store.versions("data/dir/a") == [b"one", b"two", b"three"]
    assert store.read("data/dir/a") == b"four"


def test_no_versions_in_mirror(tendd, store):
    data = start(tendd, store, more="mode = mirror\n")
    for text in ("one", "two"):
        (data / "a").write_text(text)
        tendd.barrier("data")
    assert store.read("data/a") == b"two"
    (data / "a").unlink()
    (data / "b").write_text("b")
    tendd.barrier("data")
    assert store.keys("data") == {"b": "file"}
    assert store.versions("data/a") == []
    store.judge(data)


def test_a_restart_sends_nothing(tendd, store):
    """Also what changed while nobody watched is found."""
    data = tendd.folder("data")
    fill(data, store.refused)
    start(tendd, store)
    tendd.barrier("data")
    assert tendd.stop() == 0
    tendd.start()
    tendd.barrier("data")
    assert counted(tendd) == (0, 0, 0, 0)
    assert "somebody else" not in tendd.said
    tendd.stop()
    (data / "plain.txt").write_text("while it slept\n")
    (data / "private").unlink()
    (data / "tool").chmod(0o700)
    (data / "deep").rename(data / "depth")
    tendd.start()
    tendd.barrier("data")
    assert store.read("data/plain.txt") == b"while it slept\n"
    assert "private" not in store.keys("data")
    store.judge(data)


def test_a_large_file(tendd, store):
    """In parts where the store has them; its copy is whole, and it is replaced whole."""
    data = start(tendd, store)
    body = os.urandom(1 << 20) * 70
    (data / "large").write_bytes(body)
    tendd.barrier("data")
    store.judge(data)
    with open(data / "large", "ab") as file:
        file.write(b"end")
    tendd.barrier("data")
    store.judge(data)
    before = counted(tendd)
    (data / "large").chmod(0o600)
    os.utime(data / "large", ns=(0, 1_500_000_000_000_000_001))
    tendd.barrier("data")
    assert since(tendd, before)[:2] == (0, 0)
    store.judge(data)


def test_odd_kinds_do_not_disturb(tendd, store):
    """A FIFO is counted, never opened; what is beside it goes its way."""
    data = start(tendd, store)
    os.mkfifo(data / "fifo")
    (data / "file").write_text("file\n")
    ended = tendd.tend("wait", "data")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert store.keys("data") == {"file": "file"}
    tendd.until(lambda: tendd.folder_part("data")["not_kept"] == 1, "the FIFO counted")
    (data / "fifo").unlink()
    (data / "fifo").write_text("a file now\n")
    tendd.barrier("data")
    assert store.read("data/fifo") == b"a file now\n"
    assert stat.S_ISREG(os.lstat(data / "fifo").st_mode)


def test_verify_sends_again_what_another_hand_took(tendd, store):
    data = tendd.folder("data")
    fill(data, store.refused)
    start(tendd, store)
    tendd.barrier("data")
    got = tendd.tend("verify", "data", "--read")
    assert got.returncode == 0 and "all as they were stored" in got.stdout, got
    store.remove("data/plain.txt")
    store.put("data/private", b"theirs!")  # of the same length
    store.put("data/stranger", b"nobody's\n")
    got = tendd.tend("verify", "data")
    assert got.returncode == 0 and "1 were missing" in got.stdout and "1 were not as they were stored" in got.stdout, got
    tendd.barrier("data")
    assert store.read("data/plain.txt") == b"plain\n"
    assert store.read("data/private") == b"secret\n"
    assert b"theirs!" in store.versions("data/private")
    assert store.read("data/stranger") == b"nobody's\n"
    assert "all as they were stored" in tendd.tend("verify", "data").stdout
    assert "verify" in tendd.tend("status", "data").stdout


def test_doctor_asks_it(tendd, store):
    """Each question opens a store of its own, and lets it go when it has answered; nothing of it stays there."""
    start(tendd, store)
    tendd.barrier("data")
    before = store.keys(".tend")
    for _ in range(2):
        findings = json.loads(tendd.tend("doctor", "--json").stdout)["findings"]
        told = [finding for finding in findings if finding["check"] == "remotes"]
        assert told and {finding["level"] for finding in told} <= {"good", "advice"}, told
        assert store.keys(".tend") == before
    assert tendd.stop() == 0, tendd.said
