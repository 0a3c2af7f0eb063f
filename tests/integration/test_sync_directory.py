"""Sync to a directory store."""

import os

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import counted, fill, since, start
from stores import Directory, assert_same


@pytest.fixture
def store(tendd):
    return Directory(tendd.root / "remote")


def test_modes_and_times(tendd, store):
    data = tendd.folder("data")
    fill(data)
    (data / "line\nbreak").write_text("line\nbreak\n")
    (data / os.fsdecode(b"not utf-8 \xff\xfe")).write_text("bytes\n")
    for mode in (0o400, 0o444, 0o600, 0o640, 0o666, 0o755, 0o777, 0o611):
        (data / ("mode %o" % mode)).write_text("mode\n")
        (data / ("mode %o" % mode)).chmod(mode)
        (data / ("folder %o" % (mode | 0o100))).mkdir()
        (data / ("folder %o" % (mode | 0o100))).chmod(mode | 0o100)
    start(tendd, store)
    tendd.barrier("data")
    assert_same(data, store.at("data"))
    (data / "closed").chmod(0o755)
    (data / "deep").chmod(0o711)
    tendd.barrier("data")
    assert_same(data, store.at("data"))
