"""Sync to real WebDAV servers.

servers: dav_apache dav_lighttpd dav_nginx dav_cloud
"""

import hashlib
import json
import os
from datetime import datetime

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import QUICK, counted, start
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


def with_vendor(store, data, vendor):
    return store.section(more="vendor = %s\n" % vendor) + "[folder data]\npath = %s\nremote = cloud:data\n%s" % (data, QUICK)


def seen_by(store, vendor):
    """{name: (seconds, md5)} as rclone reads them of a server of this vendor: the server's own time and hash."""
    rows = json.loads(rclone("lsjson", "--hash", "--files-only", "-R", "--exclude", "/.tend/**", store.address("data"),
                             env={**store.env, "RCLONE_WEBDAV_VENDOR": vendor}).stdout)
    return {row["Path"]: (int(datetime.fromisoformat(row["ModTime"].replace("Z", "+00:00")).timestamp()), row.get("Hashes", {}).get("md5"))
            for row in rows}


@pytest.mark.parametrize("vendor", ["auto", "nextcloud", "plain"])
def test_a_cloud_is_told_times_and_hashes(tendd, vendor):
    """So that its own pages and clients see them; as a plain server it is told neither, and keeps the bytes all the same."""
    store, data = WebDav("dav_cloud", tendd.root), tendd.folder("data")
    bodies = {"small": b"small\n", "empty": b""}
    if vendor != "plain":
        bodies["large"] = os.urandom(1 << 20) * 20
    for number, (name, body) in enumerate(bodies.items()):
        (data / name).write_bytes(body)
        os.utime(data / name, (1000000000 + number, 1000000000 + number))
    tendd.configure(with_vendor(store, data, vendor)).start()
    tendd.barrier("data")
    wanted = {name: (1000000000 + number, hashlib.md5(body).hexdigest()) for number, (name, body) in enumerate(bodies.items())}
    if vendor == "plain":
        assert all(got[0] > 1500000000 and not got[1] for got in seen_by(store, "owncloud").values())
    else:
        assert seen_by(store, "owncloud") == wanted
        assert {name: got[0] for name, got in seen_by(store, "nextcloud").items()} == {name: got[0] for name, got in wanted.items()}
    assert {name: store.read("data/" + name) for name in bodies} == bodies
    # What replaces one has a time and a hash of its own.
    (data / "small").write_bytes(b"another\n")
    os.utime(data / "small", (1100000000, 1100000000))
    tendd.barrier("data")
    if vendor != "plain":
        assert seen_by(store, "owncloud")["small"] == (1100000000, hashlib.md5(b"another\n").hexdigest())
    store.judge(data)
    if vendor == "plain":  # nor are its uploads used, and it takes no others
        (data / "large").write_bytes(os.urandom(1 << 20) * 20)
        tendd.until(lambda: "takes no PUT with Content-Range" in tendd.tend("status", "data").stdout, "the refusal in status")


def test_a_vendor_that_it_is_not_is_told(tendd):
    store = WebDav("dav_apache", tendd.root)
    tendd.configure(with_vendor(store, tendd.folder("data"), "nextcloud"))
    said = tendd.tend("remote", "check", "cloud")
    assert said.returncode == 2 and "`url` of a Nextcloud is https://HOST/remote.php/dav/files/USER" in said.stderr, said


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
