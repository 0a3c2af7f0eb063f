"""A server that has enough of us, then no room, then takes our credentials no more: status says so, it goes on by itself or when told
to, and rclone reads what came of it.

servers: s3_rgw azure_azurite dav_apache
"""

import os
import re

import pytest

import fault_proxy as fault
from basics import CALM, QUICK
from churn import Churn
from fault_proxy import before
from stores import S3, Azure, WebDav, rclone
from test_churn import assert_versions

WRITES = ("PUT", "POST", "MKCOL", "COPY", "PROPPATCH")
READS = ("GET", "HEAD", "PROPFIND", "DELETE")
ENDED = {"azure_azurite": (403, ("x-ms-request-id: 1", "x-ms-error-code: AuthenticationFailed"), "", r"correct `key_file`"),
         "dav_apache": (401, ('WWW-Authenticate: Basic realm="bench"',), "", r"correct `user` or `password_file`"),
         "s3_rgw": (400, ("x-amz-request-id: 1",), "<Error><Code>ExpiredToken</Code></Error>", r"renew the credentials")}


@pytest.fixture(params=sorted(ENDED))
def proxied(tendd, request):
    store = {"s3": S3, "azure": Azure, "dav": WebDav}[request.param.partition("_")[0]](request.param, tendd.root)
    with before(store) as proxy:
        yield store, proxy


def work(data, name):
    (data / name).write_text(name + " is new\n")
    (data / "over").write_text(name + " is over\n")
    (data / (name + ".large")).write_bytes(os.urandom(18 << 20))


def trouble(tendd):
    told = tendd.folder_part("data")["trouble"]
    return told["text"] if told else ""


def test_rclone_reads_what_came_after(tendd, proxied):
    store, proxy = proxied
    data = tendd.folder("data")
    (data / "over").write_text("at first\n")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    status, headers, body, advice = ENDED[store.kind]
    for name, act, methods, says in (
            ("enough", fault.status(429, headers=("Retry-After: 10",)), WRITES, r"too many requests"),
            ("full", fault.status(507), WRITES, r"free or buy room"),
            ("ended", fault.status(status, body, headers), WRITES + READS, advice)):
        proxy.forget()
        # What comes in the middle of things, not only at their beginning.
        proxy.decide = lambda request, act=act, methods=methods: (
            act if len(proxy.requests) > 6 and request.method in methods else None)
        work(data, name)
        tendd.until(lambda says=says: re.search(says, trouble(tendd)), "%r in status" % says)
        proxy.decide = lambda request: None
        tendd.until(lambda: tendd.tend("sync").returncode == 0 and tendd.tend("wait", "data", "--timeout", "60s").returncode == 0,
                    "all of it there", patience=240)
        store.judge(data)
    assert "somebody else" not in tendd.said


@pytest.mark.parametrize("proxied", ["azure_azurite", "dav_apache"], indirect=True)  # Ceph has test_faults.py
def test_churn_while_answers_are_lost(tendd, proxied):
    """A sixth of all requests meets something, most often that it was done and nobody said so; nothing is lost, nothing goes in twice."""
    store, proxy = proxied
    data = tendd.folder("data")
    tendd.configure(store.section("r", "timeout = 1s\nmax_in_flight = 8\n") +
                    "[folder data]\npath = %s\nremote = r:data\nmax_delete = none\n%s" % (data, CALM)).start()
    tendd.until_idle("data")
    acts = [fault.lost, fault.lost, fault.lost, fault.reset, fault.cut_head, fault.status(503), fault.status(429), fault.stall]
    chance = fault.now_and_then(acts, 0.16, seed=19)

    def decide(request):
        act = chance(request)
        # A server that moves a folder is given ten minutes for it: nobody knows how much lies in it.
        return fault.lost if act == fault.stall and request.method == "MOVE" else act
    proxy.decide = decide
    churn = Churn(data, seed=18, directory=False)
    churn.names = [name for name in churn.names if not re.search(r"[\\\t]|\.$", name)]  # which some of them never take
    for _ in range(3):
        churn.work(60)
        # After tries that all met something it waits, longer each time: minutes on a busy machine.
        tendd.until(lambda: tendd.folder_part("data")["state"] == "idle" and tendd.folder_part("data")["pending"] == 0,
                    "the folder", patience=240)
    assert proxy.count() < 6000
    proxy.decide = lambda request: None
    assert tendd.tend("wait", "data").returncode == 0
    store.judge(data)
    assert "somebody else" not in tendd.said
    rclone("copy", store.address(".tend/versions"), tendd.root / "versions", env=store.env)
    assert_versions(tendd.root / "versions", churn)
