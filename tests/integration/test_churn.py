"""5,000 random operations at full speed while tendd runs, then everything is compared.

servers: s3_rgw s3_swift
"""

import hashlib

import pytest

from churn import Churn
from stores import S3, Directory, assert_same, walk

OPERATIONS = 5000
# It deletes most of what it makes: the brake has tests of its own.
KEYS = "settle = 100ms\nmax_delete = none\n"


def compare(tendd, store, data):
    waited = tendd.tend("wait", "data", "--timeout", "240s", timeout=300)
    assert waited.returncode == 0, "%s\n%r\n%s" % (waited, tendd.process.poll(), tendd.said[-8000:])
    store.judge(data)
    part = tendd.until_idle("data")
    assert part["refused"] == 0 and part["strangers"] == 0 and part["trouble"] is None, part
    assert "somebody else" not in tendd.said


def assert_versions(place, churn):
    """Whatever was kept is something that was written, whole."""
    versions = [place / path for path, kind in walk(place) if kind == "file"]
    assert versions
    for path in versions:
        assert hashlib.md5(path.read_bytes()).digest() in churn.written, path


@pytest.mark.parametrize("mode", ["backup", "mirror"])
def test_churn_directory(tendd, mode):
    store = Directory(tendd.root / "remote")
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more="mode = %s\n%s" % (mode, KEYS))).start()
    churn = Churn(data, seed=7)
    churn.work(OPERATIONS)
    compare(tendd, store, data)
    assert_same(data, store.at("data"))
    if mode == "backup":
        assert_versions(store.path / ".tend/versions", churn)
    else:
        assert not (store.path / ".tend/versions").exists()


@pytest.mark.parametrize("kind", ["s3_rgw", "s3_swift"])
def test_churn_s3(tendd, kind):
    store = S3(kind, tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=KEYS)).start()
    churn = Churn(data, seed=8, directory=False)
    churn.work(OPERATIONS)
    compare(tendd, store, data)
