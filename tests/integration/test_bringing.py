"""A large file comes from real servers in several ranges at once, and a kill -9 in the middle costs no more than what was on its way.

servers: s3_rgw dav_apache
"""

import os
import re
import sqlite3

import pytest

from basics import QUICK
from fault_proxy import before, stall
from stores import S3, WebDav

SPAN = 4 << 20
SPANS = 9
SIZE = SPAN * (SPANS - 1) + 1000
HERE = 3  # spans that come before the kill
FETCHES = "mode = fetch\npoll = 1s\nrestore = never\n"
PULLS = "restore = if-empty\n"


@pytest.fixture(params=["s3_rgw", "dav_apache"])
def proxied(tendd, request):
    store = {"s3": S3, "dav": WebDav}[request.param.partition("_")[0]](request.param, tendd.root)
    with before(store) as proxy:
        yield store, proxy


def put(tendd, store):
    body = os.urandom(SIZE)
    store.put("data/large", body)
    return body


def first(request):
    """The first byte that is asked for of the large file; None: it is another request."""
    found = re.search(rb"(?i)\r\nrange: bytes=(\d+)-", request.head)
    return int(found.group(1)) if found and request.method == "GET" and "/large" in request.target else None


def asked(proxy):
    with proxy.lock:
        return sorted(at for at in map(first, proxy.begun) if at is not None)


def noted(tendd):
    """How many bytes the index says to be on the disk; 0: of none."""
    base = sqlite3.connect("file:%s?mode=ro" % (tendd.state / "folders/data.db"), uri=True)
    try:
        return sum(row[0] for row in base.execute("select upto from bringing"))
    finally:
        base.close()


def beside(data):
    return [path.name for path in data.iterdir() if path.name.startswith(".tend-tmp.")]


def killed_halfway(tendd, store, proxy, mode=FETCHES):
    """All behind the third span never gets an answer."""
    data = tendd.folder("data")
    proxy.decide = lambda request: stall if (first(request) or 0) >= HERE * SPAN else None
    tendd.configure(store.folder(data, more=QUICK + mode)).start()
    tendd.until(lambda: len(asked(proxy)) > HERE + 1 and noted(tendd) == HERE * SPAN, "three spans on the disk, others on their way")
    tendd.kill()
    assert len(asked(proxy)) <= HERE + 4  # so many at once
    tendd.until(lambda: not proxy.links, "the end of the connections")
    proxy.forget()
    proxy.decide = lambda request: None
    return data


@pytest.mark.parametrize("mode", [FETCHES, PULLS])
def test_it_goes_on_after_a_kill(tendd, proxied, mode):
    store, proxy = proxied
    body = put(tendd, store)
    data = killed_halfway(tendd, store, proxy, mode)
    assert len(beside(data)) == 1
    tendd.start()
    tendd.until(lambda: tendd.folder_part("data") and (data / "large").is_file(), "the file")  # whoever looks disturbs nothing
    tendd.barrier("data")
    assert (data / "large").read_bytes() == body
    assert asked(proxy) == [at * SPAN for at in range(HERE, SPANS)]  # each once, and nothing of what was here
    assert beside(data) == [] and noted(tendd) == 0


def test_another_version_comes_whole(tendd, proxied):
    store, proxy = proxied
    put(tendd, store)
    data = killed_halfway(tendd, store, proxy)
    body = put(tendd, store)
    tendd.start()
    tendd.until(lambda: (data / "large").is_file(), "the file")
    tendd.barrier("data")
    assert (data / "large").read_bytes() == body
    assert beside(data) == [] and noted(tendd) == 0


def test_what_a_folder_left_goes_with_it(tendd, proxied):
    """It is in the configuration no more."""
    store, proxy = proxied
    put(tendd, store)
    data = killed_halfway(tendd, store, proxy)
    other = tendd.folder("other")
    tendd.configure(store.folder(other, key="other", name="other", more=QUICK)).start()
    tendd.until(lambda: beside(data) == [], "an empty place")
    tendd.until(lambda: noted(tendd) == 0, "an index that knows of nothing")
