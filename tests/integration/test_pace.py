"""`pace`: what a file that never rests may cost. Counted at the server, which takes its time with each upload.

servers: s3_rgw
"""

import threading
import time

from fault_proxy import Proxy
from stores import S3

HELD = 0.5  # seconds that an upload takes at least
QUICK = "settle = 50ms\nmax_settle = 200ms\n"


def slowly(link, request):
    time.sleep(HELD)
    link.send(b"".join(link.ask(request)))


class Writer:
    """Appends all the time."""

    def __init__(self, path):
        self.path = path
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.stop.wait(0.02):
            with open(self.path, "ab") as file:
                file.write(b"one more line\n")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join()


def puts_of(proxy, name):
    with proxy.lock:
        return [request for request in proxy.requests
                if request.method == "PUT" and request.target.endswith("/data/" + name)]


def gaps(puts):
    return [after.at - before.at for before, after in zip(puts, puts[1:])]


def watched(tendd, store, data, proxy):
    # The default, 10 %: what took t waits 9 t.
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: len(puts_of(proxy, "hot")) >= 3, "three uploads")
    assert min(gaps(puts_of(proxy, "hot"))) >= 10 * HELD
    # Other files do not wait for it.
    (data / "calm").write_text("calm\n")
    tendd.until(lambda: puts_of(proxy, "calm"), "the other file")
    # 50 %: t waits t. Faster than before, and no faster than that.
    tendd.configure(store.folder(data, more=QUICK + "pace = 50%\n"))
    assert tendd.reload().status == 200
    tendd.until(lambda: any(2 * HELD <= gap < 10 * HELD for gap in gaps(puts_of(proxy, "hot"))), "a shorter wait")
    assert min(gaps(puts_of(proxy, "hot"))) >= 2 * HELD


def test_a_steady_writer_is_sent_as_often_as_pace_says(tendd):
    store = S3("s3_rgw", tendd.root)
    data = tendd.folder("data")
    with Proxy(store.server) as proxy:
        proxy.decide = lambda request: slowly if request.method == "PUT" and request.target.endswith("/data/hot") else None
        store.endpoint = proxy.address
        with Writer(data / "hot"):
            watched(tendd, store, data, proxy)
        # A barrier does not wait for it.
        tendd.barrier("data")
    assert store.read("data/hot") == (data / "hot").read_bytes()
