"""Sync to real WebDAV servers.

servers: dav_apache dav_lighttpd dav_nginx dav_cloud
"""

import os

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import counted, start
from stores import WebDav, rclone


@pytest.fixture(params=["dav_apache", "dav_lighttpd", "dav_cloud"])
def store(tendd, request):
    return WebDav(request.param, tendd.root)


def test_names_of_files(tendd, store):
    """What other programs see there: plain names, links as texts, folders that are folders."""
    data = tendd.folder("data")
    (data / "full").mkdir()
    (data / "full/file").write_text("file\n")
    (data / "full/link").symlink_to("file")
    (data / "empty").mkdir()
    start(tendd, store)
    tendd.barrier("data")
    assert set(store.rows("data")) == {"full", "full/file", "full/link.rclonelink", "empty"}
    assert store.read("data/full/link.rclonelink") == b"file"


def test_a_large_file_arrives_once(tendd, store):
    """In parts where the server takes them; nothing of it is sent twice."""
    data = tendd.folder("data")
    start(tendd, store)
    tendd.barrier("data")
    body = os.urandom(1 << 20) * 30
    (data / "large").write_bytes(body)
    tendd.barrier("data")
    assert store.read("data/large") == body
    assert counted(tendd)[1] == len(body)


def test_digest_over_tls(tendd):
    store = WebDav.__new__(WebDav)
    store.__init__("dav_apache", tendd.root, which=0)
    server, user, secret, authority = (
        open(os.path.join(os.environ["TEND_SERVERS"], "dav_apache/server"), encoding="utf-8").read().splitlines()[4:8])
    data = tendd.folder("data")
    (data / "file").write_text("file\n")
    section = "[remote cloud]\ntype = webdav\nurl = %s\nuser = %s\npassword_file = %s\nca_file = %s\n" % (
        server, user, store.secret_path, authority)
    tendd.configure(section + "[folder data]\npath = %s\nremote = cloud:%s\n" % (data, os.urandom(6).hex())).start()
    tendd.barrier("data")
    assert counted(tendd)[0] == 1 and secret


def test_a_poor_server_is_borne(tendd):
    """nginx keeps no times, ignores conditions and hides what begins with a dot: bytes arrive all the same, and what does not is
    listed."""
    store = WebDav("dav_nginx", tendd.root)
    data = tendd.folder("data")
    (data / "deep/er").mkdir(parents=True)
    (data / "deep/er/file").write_text("one\n")
    (data / ".hidden").write_text("not there\n")
    start(tendd, store)
    assert tendd.tend("wait", "data").returncode == 1
    assert "no such names" in tendd.tend("status", "data").stdout
    (data / ".hidden").unlink()
    (data / "deep/er/file").write_text("another\n")
    tendd.barrier("data")
    (data / "deep/er/file").chmod(0o600)
    tendd.barrier("data")
    store.judge(data)
    assert store.versions("data/deep/er/file") == [b"one\n"]


def test_a_full_disk_that_is_told_as_a_failure(tendd):
    """nginx says 500 to what finds no room, as to anything: that is tried again, with the two things to look at; and it leaves half of
    what it copied."""
    assert os.geteuid() == 0, "only root can give a server a small disk"
    store = WebDav("dav_nginx", tendd.root, small=True)
    data = tendd.folder("data")
    (data / "file").write_bytes(os.urandom(1 << 20))
    first = (data / "file").read_bytes()
    (data / "large").write_bytes(os.urandom(5 << 19))
    start(tendd, store)
    tendd.barrier("data")
    (data / "file").write_bytes(os.urandom(1 << 20))
    tendd.until(lambda: "(500): see its log, and whether its disk is full" in tendd.tend("status", "data").stdout, "the trouble in status")
    assert store.read("data/file") == first and store.read("data/large") == (data / "large").read_bytes()
    rclone("deletefile", store.address("data/large"), env=store.env)
    (data / "large").unlink()
    tendd.tend("sync", "data")
    tendd.barrier("data")
    store.judge(data)
    assert first in store.versions("data/file")
    tendd.stop()
    rclone("purge", store.address(), env=store.env)
