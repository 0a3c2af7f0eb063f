"""Sync to real S3 servers.

servers: s3_rgw s3_swift
"""

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import counted, fill, since, start
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
