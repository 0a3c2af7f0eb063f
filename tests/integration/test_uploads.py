"""Large uploads to a real S3 server: gone on with after a kill -9, and given up when nobody wants them.

servers: s3_rgw
"""

import os
import re

import pytest

from basics import QUICK
from fault_proxy import Proxy, stall
from stores import S3

PART = 8 << 20
PARTS = 7


@pytest.fixture
def proxied(tendd):
    store = S3("s3_rgw", tendd.root)
    with Proxy(store.server) as proxy:
        store.endpoint = proxy.address
        yield store, proxy


def parts_of(proxy):
    """{part number: its bytes} of the parts that were sent."""
    with proxy.lock:
        asked = [(re.search(r"partNumber=(\d+)", request.target), len(request.body)) for request in proxy.requests
                 if request.method == "PUT"]
    return {int(number.group(1)): size for number, size in asked if number}


def stop_after(proxy, count):
    """Parts from here on never get an answer."""
    def decide(request):
        number = re.search(r"partNumber=(\d+)", request.target)
        return stall if request.method == "PUT" and number and int(number.group(1)) > count else None
    proxy.decide = decide


def begin(tendd, store, proxy):
    data = tendd.folder("data")
    body = os.urandom(PART) * (PARTS - 1) + os.urandom(1000)
    (data / "large").write_bytes(body)
    stop_after(proxy, 3)
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: 4 in parts_of(proxy), "the fourth part on its way")
    tendd.kill()
    return data


def test_it_goes_on_after_a_kill(tendd, proxied):
    store, proxy = proxied
    data = begin(tendd, store, proxy)
    proxy.forget()
    proxy.decide = lambda request: None
    tendd.start()
    tendd.barrier("data")
    sent = parts_of(proxy)
    assert sorted(sent) == [4, 5, 6, 7]  # the rest, and nothing of what was there
    assert sum(sent.values()) < (PARTS - 4) * PART + PART
    store.judge(data)


def test_it_is_given_up(tendd, proxied):
    """The file went while nobody ran."""
    store, proxy = proxied
    data = begin(tendd, store, proxy)
    (data / "large").unlink()
    (data / "other").write_text("other\n")
    proxy.forget()
    proxy.decide = lambda request: None
    tendd.start()
    tendd.barrier("data")
    tendd.until(lambda: any(request.method == "DELETE" and "uploadId=" in request.target for request in proxy.requests),
                "the upload given up")
    assert store.keys("data") == {"other": "file"}
