"""What a change costs at a remote that bills each request, and what none costs.

servers: s3_rgw
one build (ThreadSanitizer has a thread of its own that ticks), not quick
"""

import pytest

from basics import start
from fault_proxy import Proxy
from quiet import QUIET_SECONDS, SETTLED_SECONDS, traced
from stores import S3


@pytest.fixture
def counted(tendd):
    """A folder on S3 whose requests are counted, with one file there, and all that is asked but once behind it."""
    store = S3("s3_rgw", tendd.root)
    with Proxy(store.server) as proxy:
        store.endpoint = proxy.address
        data = tendd.folder("data")
        (data / "first").write_text("first\n")
        (data / "folder").mkdir()
        (data / "folder/old").write_text("old\n")
        start(tendd, store, more="mode = backup\n")
        tendd.barrier("data")
        (data / "first").write_text("the first change\n")  # finds out which conditions the server keeps
        tendd.barrier("data")
        yield store, proxy, data


def cost(tendd, proxy, change):
    """The requests that it takes until the change is durable there."""
    proxy.forget()
    change()
    tendd.barrier("data")
    return sorted(request.method for request in proxy.requests)


def test_requests_of_a_new_file(tendd, counted):
    """Its PUT, guarded by its condition: nothing is looked at first, also where the folder is new to the bucket."""
    store, proxy, data = counted
    assert cost(tendd, proxy, lambda: (data / "new").write_text("new\n")) == ["PUT"]
    assert cost(tendd, proxy, lambda: (data / "folder/new").write_text("new\n")) == ["PUT"]
    store.judge(data)


def test_requests_of_a_change(tendd, counted):
    """The copy that keeps the version, and the PUT. Before them it is looked at the object, since this server keeps no condition of a
    copy; at the version's place only after a try that may have kept it."""
    store, proxy, data = counted
    (data / "new").write_text("new\n")
    tendd.barrier("data")
    assert cost(tendd, proxy, lambda: (data / "new").write_text("changed\n")) == ["HEAD", "PUT", "PUT"]
    assert not any("/.tend/versions/" in request.target for request in proxy.requests if request.method == "HEAD")
    store.judge(data)


def test_a_start_asks_no_server_twice_what_it_is_like(tendd, counted):
    """Which conditions it keeps was found out by the first run: later ones remember."""
    _, proxy, data = counted
    assert any("/.tend/probe-" in request.target for request in proxy.requests)
    assert tendd.stop() == 0
    proxy.forget()
    tendd.start()
    (data / "first").write_text("while all is as it was\n")
    tendd.barrier("data")
    assert proxy.count("PUT") > 0
    assert not any("/.tend/probe-" in request.target for request in proxy.requests), proxy.requests


def test_nothing_is_asked(tendd, counted, tmp_path):
    """No call of tendd's or the keeper's, and no request, while nothing changes."""
    _, proxy, data = counted
    with traced(tendd, tmp_path / "calls") as trace:
        trace.until_quiet(SETTLED_SECONDS)
        proxy.forget()
        trace.until_quiet()
        assert proxy.count() == 0
        (data / "first").write_text("again\n")
        tendd.barrier("data")
        assert trace.silence() < QUIET_SECONDS and proxy.count() > 0
