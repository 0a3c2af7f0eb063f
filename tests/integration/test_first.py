"""Small and new first: what changes while a first sync takes its time does not wait for all of it. Counted at the server, which takes its
time with each upload.

servers: s3_rgw
"""

import os
import threading
import time

import pytest

from basics import QUICK
from fault_proxy import before
from stores import S3

FOLDERS, FILES = 20, 20  # so many in each
SOME, FAR_FROM_ALL = 20, FOLDERS * FILES // 2
LARGE = 9 << 20  # in two parts
SLOTS = 4


def slowly(link, request):
    time.sleep(0.05)
    link.send(b"".join(link.ask(request)))


@pytest.fixture
def store(tendd):
    return S3("s3_rgw", tendd.root)


def puts(proxy):
    """The names in the order in which they came."""
    with proxy.lock:
        targets = [request.target.partition("?")[0] for request in proxy.requests if request.method == "PUT"]
    return [target.partition("/data/")[2] for target in targets]


def of_long_ago(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("old\n")
    os.utime(path, (1e9, 1e9))


def test_an_edit_does_not_wait_for_a_first_sync(tendd, store):
    data = tendd.folder("data")
    for folder in range(FOLDERS):
        for file in range(FILES):
            of_long_ago(data / ("d%02d" % folder) / ("f%02d" % file))
    with before(store) as proxy:
        proxy.decide = lambda request: slowly if request.method == "PUT" else None
        tendd.configure(store.folder(data, more=QUICK + "max_transfers = %d\n" % SLOTS)).start()
        tendd.until(lambda: len(puts(proxy)) >= SOME and tendd.folder_part("data")["pending"] > FAR_FROM_ALL, "some of it")
        (data / "new").write_text("new\n")
        (data / "d19/f19").write_text("in place\n")
        (data / "d19/beside").write_text("another one\n")
        os.rename(data / "d19/beside", data / "d19/f18")
        (data / "fresh").mkdir()
        (data / "fresh/file").write_text("in a new folder\n")
        edited = {"new", "d19/f19", "d19/f18", "fresh/file"}
        tendd.until(lambda: edited <= set(puts(proxy)), "what was edited")
        proxy.decide = lambda request: None
        order = puts(proxy)
        assert max(order.index(name) for name in edited) < FAR_FROM_ALL, order
        tendd.barrier("data")
        for name in edited:
            assert store.read("data/" + name) == (data / name).read_bytes()


def test_small_ones_overtake_large_ones(tendd, store):
    """None of them is through, and there are more than there are slots, or memory for their parts."""
    data = tendd.folder("data")
    for i in range(SLOTS + 1):
        (data / ("large%d" % i)).touch()
        os.truncate(data / ("large%d" % i), LARGE)
        os.utime(data / ("large%d" % i), (1e9, 1e9))
    gate = threading.Event()

    def held(link, request):
        gate.wait()
        link.send(b"".join(link.ask(request)))

    with before(store) as proxy:
        proxy.decide = lambda request: held if "partNumber=" in request.target else None
        tendd.configure(store.folder(data, more=QUICK + "max_transfers = %d\n" % SLOTS), "buffer_limit = 16MiB\n").start()
        try:
            tendd.until(lambda: [name for name in puts(proxy) if name.startswith("large")], "a part of a large one")
            small = {"small": b"small\n", "medium": os.urandom(900_000)}
            for name, content in small.items():
                (data / name).write_bytes(content)
            tendd.until(lambda: small.keys() <= set(puts(proxy)), "the small ones")
            tendd.until(lambda: tendd.folder_part("data")["pending"] == SLOTS + 1, "no more than the large ones left")
        finally:
            gate.set()
        tendd.barrier("data")
        for name, content in small.items():
            assert store.read("data/" + name) == content
