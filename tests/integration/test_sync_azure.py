"""Sync to Azure's blobs, as Azurite plays them.

servers: azure_azurite
"""

import os
import time

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import counted, start
from stores import Azure


@pytest.fixture(params=["key", "sas"])
def store(tendd, request):
    azure = Azure("azure_azurite", tendd.root)
    if request.param == "sas":
        azure.by_sas(days=30)
    return azure


def test_names_of_blobs(tendd, store):
    """What rclone and people see in the container: plain names, and links as texts."""
    data = tendd.folder("data")
    (data / "full").mkdir()
    (data / "full/file").write_text("file\n")
    (data / "full/link").symlink_to("file")
    start(tendd, store)
    tendd.barrier("data")
    assert set(store.listing("data")) == {"full/file", "full/link.rclonelink"}
    assert store.read("data/full/link.rclonelink") == b"file"


def test_nothing_of_a_large_file_is_sent_twice(tendd, store):
    data = start(tendd, store)
    body = os.urandom(1 << 20) * 30
    (data / "large").write_bytes(body)
    tendd.barrier("data")
    assert store.read("data/large") == body
    assert counted(tendd)[1] == len(body)


def test_a_sas_serves_and_its_end_is_told(tendd, store):
    store.by_sas(days=2)
    data = start(tendd, store)
    (data / "file").write_text("one\n")
    tendd.barrier("data")
    assert store.read("data/file") == b"one\n"
    said = tendd.tend("status", "data").stdout
    ends = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400))
    assert "the SAS ends at " + ends in said and "sas_file" in said, said
    store.by_sas(days=30)
    assert tendd.reload().status == 200
    tendd.until(lambda: "the SAS ends" not in tendd.tend("status", "data").stdout)
