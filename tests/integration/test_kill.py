"""The same work with kill -9 of tendd at 20 random moments: nothing is lost, nothing is doubled, nothing is torn.

servers: s3_rgw
"""

import random
import time

import pytest

from churn import Churn
from stores import S3, Directory, assert_same
from test_churn import KEYS, assert_versions, compare

KILLS = 20
OPERATIONS = 5000


def churn_and_kill(tendd, churn, seed):
    moments = random.Random(seed)
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


@pytest.mark.parametrize("mode", ["backup", "mirror"])
def test_kill_directory(tendd, mode):
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="mode = %s\n%s" % (mode, KEYS))).start()
    churn = Churn(data, seed=11)
    churn_and_kill(tendd, churn, seed=12)
    compare(tendd, store, data)
    assert_same(data, store.at("data"))
    if mode == "backup":
        assert_versions(store, churn)


def test_kill_s3(tendd):
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=KEYS)).start()
    churn = Churn(data, seed=13, directory=False)
    churn_and_kill(tendd, churn, seed=14)
    compare(tendd, store, data)
