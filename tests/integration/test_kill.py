"""The same work with kill -9 of tendd at random moments: nothing is lost, nothing is doubled, nothing is torn; indexes are whole,
and a service that counts all the while keeps its pid and each of its lines. 200 in all; by hand: TEND_KILLS=200, in each of the three.

servers: s3_rgw
"""

import os
import random
import sqlite3
import time

import pytest

from churn import Churn
from stores import S3, Directory, assert_same
from test_churn import KEYS, assert_versions, compare
from test_services import pid_of, service, texts_of

KILLS = int(os.environ.get("TEND_KILLS", "67"))
OPERATIONS = 250 * KILLS
COUNTER = service("counter", "i=0; while :; do echo n$i; i=$((i+1)); sleep 0.01; done", log_max_size="none")


def churn_and_kill(tendd, churn, seed):
    moments = random.Random(seed)
    tendd.until_state("service:counter", "ready")
    pid = pid_of(tendd, "counter")
    for _ in range(KILLS):
        # Bursts, so that it is killed at rest, in the middle of much, and while it starts.
        left, until = OPERATIONS // KILLS, time.monotonic() + moments.uniform(0.05, 1.5)
        while left > 0:
            burst = min(left, moments.randrange(5, 60))
            churn.work(burst)
            left -= burst
            time.sleep(max(0.0, until - time.monotonic()) * burst / (left + burst))
        tendd.kill()
        tendd.start(wait=False)
    tendd.until(tendd.answers, "an answer of tendd")
    tendd.until_state("service:counter", "ready")
    assert pid_of(tendd, "counter") == pid


def judge_the_rest(tendd):
    """After an orderly stop: the service's lines, and the databases."""
    assert tendd.stop() == 0
    numbers = [int(text[1:]) for text in texts_of(tendd, "counter")]
    assert numbers == list(range(len(numbers))) and len(numbers) > KILLS
    databases = list(tendd.state.glob("**/*.db"))
    assert len(databases) >= 2
    for path in databases:
        with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as db:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)], path


@pytest.mark.parametrize("mode", ["backup", "mirror"])
def test_kill_directory(tendd, mode):
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="mode = %s\n%s" % (mode, KEYS)) + COUNTER).start()
    churn = Churn(data, seed=11)
    churn_and_kill(tendd, churn, seed=12)
    compare(tendd, store, data)
    assert_same(data, store.at("data"))
    if mode == "backup":
        assert_versions(store.path / ".tend/versions", churn)
    judge_the_rest(tendd)


def test_kill_s3(tendd):
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=KEYS) + COUNTER).start()
    churn = Churn(data, seed=13, directory=False)
    churn_and_kill(tendd, churn, seed=14)
    compare(tendd, store, data)
    # rclone does not look at them: no folder that is gone stays there.
    folders = {path + "/" for path, kind in churn.kinds.items() if kind == "folder"}
    assert store.markers("data") <= folders
    store.run("copy", store.address(".tend/versions"), tendd.root / "versions")
    assert_versions(tendd.root / "versions", churn)
    judge_the_rest(tendd)
