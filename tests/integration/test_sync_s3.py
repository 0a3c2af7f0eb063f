"""Sync to real S3 servers.

servers: s3_rgw s3_swift
"""

import os

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import QUICK, counted, fill, since, start
from stores import S3


@pytest.fixture(params=["s3_rgw", "s3_swift"])
def store(tendd, request):
    return S3(request.param, tendd.root)


def test_names_of_objects(tendd, store):
    """What rclone and people see in the bucket: plain keys, links as texts, a marker only where a folder needs one."""
    data = tendd.folder("data")
    (data / "full").mkdir()
    (data / "full/file").write_text("file\n")
    (data / "full/link").symlink_to("file")
    (data / "empty").mkdir()
    (data / "closed").mkdir(mode=0o700)
    (data / "closed/file").write_text("file\n")
    start(tendd, store)
    tendd.barrier("data")
    assert set(store.listing("data")) == {"full/file", "full/link.rclonelink", "closed/file"}
    assert store.read("data/full/link.rclonelink") == b"file"
    assert store.markers("data") == {"empty/", "closed/"}
    (data / "empty/in").write_text("in\n")
    (data / "full/file").unlink()
    (data / "full/link").unlink()
    tendd.barrier("data")
    assert "full/" in store.markers("data")
    store.judge(data)


def test_metadata(tendd, store):
    """mode and mtime travel with the object, in rclone's words."""
    data = tendd.folder("data")
    (data / "a").write_text("a\n")
    (data / "a").chmod(0o640)
    start(tendd, store)
    tendd.barrier("data")
    metadata = store.metadata("data/a")
    assert metadata["mode"][-3:] == "640", metadata
    (data / "a").chmod(0o600)
    tendd.barrier("data")
    assert store.metadata("data/a")["mode"][-3:] == "600"
    store.judge(data)


def test_what_tend_keeps_is_nobodys(tendd, store):
    """A folder at the root of its remote that lost its index: versions and the owner's mark are no strangers, and go with none."""
    data = tendd.folder("data")
    (data / "a").write_text("first\n")
    tendd.configure(store.folder(data, key="", more=QUICK)).start()
    tendd.barrier("data")
    (data / "a").write_text("second\n")
    tendd.barrier("data")
    assert tendd.stop() == 0
    (tendd.state / "folders/data.db").unlink()
    store.put("theirs", b"theirs\n")
    tendd.start()
    tendd.barrier("data")
    assert tendd.until_idle("data")["strangers"] == 1
    own = {path for path in store.listing() if path.startswith(".tend/")}
    assert len(own) >= 2, own
    assert tendd.tend("approve", "data", "--strangers", "--yes").returncode == 0
    tendd.until(lambda: store.keys() == {"a": "file"}, "the end of what is theirs")
    assert own < {path for path in store.listing() if path.startswith(".tend/")}


# ---- what other programs sent in parts ----

@pytest.mark.parametrize("chunk, size", [(5, 11), (15, 17)])
def test_parts_of_others_are_adopted(tendd, store, chunk, size):
    """An ETag "md5-N" and nothing else to go by: the parts that tools like to make are tried, and nothing is sent again."""
    data = tendd.folder("data")
    body = os.urandom(1 << 20) * size + b"end"
    (data / "large").write_bytes(body)
    store.put("data/large", body, chunk_mib=chunk)
    (data / "other").write_bytes(body[:-1] + b"X")  # as large, and not the same
    store.put("data/other", body, chunk_mib=chunk)
    start(tendd, store)
    tendd.barrier("data")
    sent, _, set_only, removed = counted(tendd)
    assert (sent, set_only, removed) == (1, 1, 0)
    assert store.versions("data/large") == []
    assert store.versions("data/other") == [body]
    store.judge(data)


def test_parts_of_rclone_are_adopted_by_their_time(tendd, store):
    """rclone may be told to leave the MD5 out; its mtime is ours."""
    data = tendd.folder("data")
    (data / "large").write_bytes(os.urandom(1 << 20) * 13)
    store.run("copy", "-M", "--s3-upload-cutoff", "6M", "--s3-chunk-size", "6M", "--s3-disable-checksum", data,
              store.address("data"))
    assert "-" in store.etag("data/large")
    start(tendd, store)
    tendd.barrier("data")
    assert counted(tendd)[0] == 0
    assert store.read("data/large") == (data / "large").read_bytes()
