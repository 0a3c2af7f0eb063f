"""tendd as root, where one mark watches a whole file system: taken over from inotify while folders come, it misses nothing, and
who is on the same disk is none of its business."""

import os

from churn import Churn
from stores import Directory, assert_same

KEYS = "settle = 100ms\nmax_delete = none\n"


def configure(tendd, from_folders, **more):
    tendd.environment["TEND_FANOTIFY_FROM"] = str(from_folders)
    tendd.environment.update(more)
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="mode = mirror\n" + KEYS)).start()
    return store, data


def wait_and_compare(tendd, store, data):
    waited = tendd.tend("wait", "data", "--timeout", "240s", timeout=300)
    assert waited.returncode == 0, "%s\n%s" % (waited, tendd.said[-8000:])
    assert_same(data, store.at("data"))


def test_it_takes_over_in_the_middle_of_a_storm(tendd):
    store, data = configure(tendd, 10)
    churn = Churn(data, seed=21)
    churn.work(500)
    for i in range(12):
        (data / ("more%d" % i) / "deep").mkdir(parents=True)
    churn.work(1500)
    wait_and_compare(tendd, store, data)
    part = tendd.until_idle("data")
    assert part["watched_by"] == "fanotify" and part["degraded"] is None, part
    assert "their file systems are watched as a whole from now on" in tendd.said
    assert "watched by" in tendd.tend("status", "folder:data").stdout
    # Its own folder moves as one, beside it others do as they like.
    other = tendd.folder("other")
    for i in range(300):
        (other / ("a%d" % i)).write_text("x")
    os.rename(data / "more1", data / "moved")
    (data / "moved/deep/file").write_text("y")
    wait_and_compare(tendd, store, data)


def test_it_starts_again_after_a_kill(tendd):
    store, data = configure(tendd, 0)
    churn = Churn(data, seed=22)
    churn.work(700)
    tendd.kill()
    churn.work(300)
    tendd.start()
    churn.work(700)
    wait_and_compare(tendd, store, data)
    assert tendd.until_idle("data")["watched_by"] == "fanotify"


def test_it_can_be_done_without(tendd):
    store, data = configure(tendd, 0, TEND_WITHOUT="fanotify")
    (data / "a/b").mkdir(parents=True)
    (data / "a/b/file").write_text("x")
    wait_and_compare(tendd, store, data)
    assert tendd.until_idle("data")["watched_by"] == "inotify"
