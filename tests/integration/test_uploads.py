"""Large uploads to real servers: gone on with after a kill -9, and given up when nobody wants them.

servers: s3_rgw azure_azurite dav_cloud dav_apache sftp_sshd
"""

import base64
import contextlib
import os
import re
import signal
from urllib.parse import unquote

import pytest

from basics import QUICK
from drive_ground import Drive, Ground
from fault_proxy import before, stall
from sftp_line import Line
from stores import S3, Azure, Sftp, WebDav

PART = 8 << 20
PARTS = 7
SIZE = PART * (PARTS - 1) + 1000


def ranged(request):
    return re.search(rb"(?i)\r\ncontent-range: bytes (\d+)-\d+/%d\r\n" % SIZE, request.head)


# A part on its way to each: its number, as the target of the PUT or its range tells.
NUMBER = {
    "s3_rgw": lambda request: re.search(r"[?&]partNumber=(\d+)", request.target),
    "azure_azurite": lambda request: re.search(r"[?&]comp=block(?:&|$)", request.target) and re.search(
        r"-(\d{5})$", b64(re.search(r"[?&]blockid=([^&]+)", request.target).group(1))),
    "dav_cloud": lambda request: re.search(r"/uploads/lab/[^/]+/(\d{5})$", request.target),
    "dav_apache": ranged,
    "gdrive": ranged,
}
# What tells the server that this upload is not wanted any more.
GIVEN_UP = {"s3_rgw": "uploadId=", "azure_azurite": "/.tend/uploads/", "dav_cloud": "/uploads/lab/tend-",
            "dav_apache": "/.tend/uploads/tend-", "gdrive": "upload_id="}


def b64(text):
    return base64.b64decode(unquote(text)).decode()


@pytest.fixture(params=sorted(NUMBER))
def proxied(tendd, request, tmp_path):
    with contextlib.ExitStack() as stack:
        if request.param == "gdrive":
            store = Drive(tmp_path, stack.enter_context(Ground(tmp_path, tls=True)))
        else:
            store = {"s3": S3, "azure": Azure, "dav": WebDav}[request.param.partition("_")[0]](request.param, tendd.root)
        yield store, stack.enter_context(before(store))


def number(store, request):
    found = NUMBER[store.kind](request) if request.method == "PUT" else None
    if not found:
        return 0
    value = int(found.group(1))
    return value // PART + 1 if NUMBER[store.kind] is ranged else value


def parts_of(store, proxy, begun=False):
    """(number, bytes of it that came) of the parts that were sent; with `begun` also of those that did not come whole."""
    with proxy.lock:
        return [(number(store, request), request.came) for request in (proxy.begun if begun else proxy.requests)
                if number(store, request)]


def is_at_the_fourth(store, proxy):
    """The server has those before it: parts go side by side, and the fourth may overtake the third."""
    with proxy.lock:
        sent = {number(store, request): request.answered for request in proxy.requests}
    return 4 in sent and all(sent.get(part) for part in (1, 2, 3))


def begin(tendd, store, proxy):
    """Killed when parts from the fourth on never get an answer."""
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(SIZE))
    proxy.decide = lambda request: stall if number(store, request) > 3 else None
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: is_at_the_fourth(store, proxy), "the fourth part on its way")
    tendd.kill()
    return data


def go_on(tendd, proxy):
    tendd.until(lambda: not proxy.links, "the end of the connections")
    proxy.forget()
    proxy.decide = lambda request: None
    tendd.start()
    tendd.barrier("data")


def test_it_goes_on_after_a_kill(tendd, proxied):
    store, proxy = proxied
    data = begin(tendd, store, proxy)
    go_on(tendd, proxy)
    assert sorted(parts_of(store, proxy)) == [(4, PART), (5, PART), (6, PART), (7, 1000)]  # and nothing of what was there
    store.judge(data)


def test_it_is_given_up(tendd, proxied):
    """The file went while nobody ran."""
    store, proxy = proxied
    data = begin(tendd, store, proxy)
    (data / "large").unlink()
    (data / "other").write_text("other\n")
    go_on(tendd, proxy)
    tendd.until(lambda: any(request.method == "DELETE" and GIVEN_UP[store.kind] in request.target for request in proxy.requests),
                "the upload given up")
    files = {path for path, kind in store.keys("data").items() if kind == "file"}
    assert files == {"other"} and not parts_of(store, proxy)


def given_up(store, proxy):
    """Also by the server's own list, where it has one."""
    asked = any(request.method == "DELETE" and GIVEN_UP[store.kind] in request.target for request in proxy.requests)
    return asked and not uploads_of(store)


def uploads_of(store):
    """The uploads that the server itself knows of; None: it does not tell."""
    if store.kind == "gdrive":
        return list(store.server.sessions)
    if store.kind != "s3_rgw":
        return None
    return re.findall(rb"<UploadId>", store.signed("GET", "/" + store.bucket, {"uploads": "", "prefix": store.prefix}))


def leave_the_configuration(tendd, store, data, how):
    """The folder does, at a start or a reload; or goes to another place of the remote."""
    tendd.configure(store.section())
    if how == "elsewhere":
        (data / "large").unlink()
        tendd.configure(store.folder(data, "elsewhere", more=QUICK))
    if how == "reload":
        tendd.reload()
    else:
        tendd.start()


@pytest.mark.parametrize("how", ["start", "reload", "elsewhere"])
def test_it_is_given_up_when_its_folder_left_the_configuration(tendd, proxied, how):
    """Or goes to another place of the remote."""
    store, proxy = proxied
    data = begin(tendd, store, proxy)
    assert uploads_of(store) is None or len(uploads_of(store)) == 1
    tendd.until(lambda: not proxy.links, "the end of the connections")
    if how == "reload":
        proxy.forget()
        tendd.start()
        # The fifth may come to its memory before the fourth.
        tendd.until(lambda: any(part > 3 for part, _ in parts_of(store, proxy)), "a part on its way that gets no answer")
    proxy.forget()
    proxy.decide = lambda request: None
    leave_the_configuration(tendd, store, data, how)
    tendd.until(lambda: given_up(store, proxy), "the upload given up")
    # What was on its way when the configuration was read may still have come.
    assert how == "reload" or not parts_of(store, proxy)
    assert not store.keys("data")


def test_it_stays_when_its_remote_left_the_configuration_too(tendd, proxied):
    """And is given up when the remote is back, under whatever name."""
    store, proxy = proxied
    begin(tendd, store, proxy)
    tendd.until(lambda: not proxy.links, "the end of the connections")
    proxy.forget()
    proxy.decide = lambda request: None
    told = "folder 'data' is none now, and 'cloud:data', to which it began to send 'large', is no remote"
    tendd.configure("").start()
    tendd.until(lambda: told in tendd.said, "the word of it")
    tendd.reload()
    tendd.configure(store.section("other")).reload()
    tendd.until(lambda: given_up(store, proxy), "the upload given up")
    assert tendd.said.count(told) == 1


@pytest.mark.parametrize("how", ["start", "reload", "elsewhere"])
def test_it_is_given_up_by_sftp_when_its_folder_left_the_configuration(tendd, how):
    """As above; parts lie beside until they are put together."""
    store, line = Sftp("tend"), Line(tendd.root / "line", bytes_per_second=8 << 20)
    store.ssh = line.command(store.ssh)
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(SIZE))

    def parts():
        return [path for path in store.at(".tend/tmp").glob("*") if path.name.count(".") > 4]
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(parts, "a part that has come whole")
    tendd.kill()
    before = line.written()
    assert before < SIZE
    if how == "reload":
        tendd.start()
        tendd.until(lambda: line.written() > before + 4096, "the upload on its way again")
    leave_the_configuration(tendd, store, data, how)
    tendd.until(lambda: not list(store.at(".tend/tmp").glob("*")), "the upload given up")
    tendd.until(lambda: "what was sent of 'large'" in tendd.said, "the word of it")
    assert line.written() < SIZE and not store.keys("data")


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_part_is_sent_twice_at_most(tendd, proxied, share):
    """Killed at any moment on a line that is the narrow place: what the server got is counted."""
    store, proxy = proxied
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(SIZE))

    def comes(request):
        if number(store, request) and sum(came for _, came in parts_of(store, proxy, begun=True)) >= SIZE * share:
            proxy.comes = lambda request: None
            os.kill(tendd.pid, signal.SIGKILL)
    proxy.comes = comes
    proxy.bytes_per_second = 16 << 20
    tendd.configure(store.folder(data, more=QUICK)).start(wait=False)
    tendd.wait()
    tendd.until(lambda: not proxy.links, "the end of the connections")
    proxy.bytes_per_second = 0
    before = parts_of(store, proxy, begun=True)
    whole = {one for one, _ in parts_of(store, proxy)}
    assert whole and sum(came for _, came in before) < SIZE
    go_on(tendd, proxy)
    again = parts_of(store, proxy, begun=True)
    twice = sum(came for _, came in before + again) - SIZE
    assert 0 <= twice <= PART, (before, again)
    assert not whole & {one for one, _ in again} or store.kind == "dav_apache", (before, again)
    store.judge(data)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_part_is_sent_twice_at_most_by_sftp(tendd, share):
    """As above; what is counted is what ssh was given."""
    store, line = Sftp("tend"), Line(tendd.root / "line", bytes_per_second=16 << 20)
    line.goes_dead(SIZE * share)
    store.ssh = line.command(store.ssh)
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(SIZE))
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.until(lambda: line.written() >= SIZE * share, "so much on its way")
    tendd.kill()
    whole = {int(path.name.split(".")[-3]) for path in store.at(".tend/tmp").iterdir() if path.name.count(".") > 4}
    assert whole and line.written() < SIZE
    line.goes_on()
    tendd.start()
    tendd.barrier("data")
    parts = [(offset // PART + 1, size) for kind, offset, size in line.requests() if kind == "write"]
    assert 0 <= sum(size for _, size in parts) - SIZE <= PART
    mark = 4096  # of the owner, at most: it is a write at 0 too
    assert all(PART <= sum(size for part, size in parts if part == one) <= PART + mark for one in whole), whole
    store.judge(data)
