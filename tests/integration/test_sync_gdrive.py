"""Sync to Google Drive, as our own server plays it.
"""

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import start
from drive_ground import Drive, Ground
from stores import rclone


@pytest.fixture
def store(tendd, tmp_path):
    with Ground(tmp_path, tls=True) as ground:
        yield Drive(tmp_path, ground)


def test_links_go_both_ways(tendd, store, tmp_path):
    """They are what rclone makes of them: it brings ours back as links, and we know its own."""
    data = tendd.folder("data")
    (data / "file").write_text("file\n")
    (data / "link").symlink_to("file")
    (data / "theirs").symlink_to("no/such")
    rclone("copy", "-l", "--include", "theirs.rclonelink", data, store.address("data"), env=store.env)
    start(tendd, store)
    tendd.barrier("data")
    assert store.keys("data") == {"file": "file", "link": "link", "theirs": "link"}
    rclone("copy", "-l", store.address("data"), tmp_path / "back", env=store.env)
    assert (tmp_path / "back/link").readlink() == data.joinpath("link").readlink()
    assert (tmp_path / "back/theirs").readlink() == data.joinpath("theirs").readlink()
    assert not list((tmp_path / "back").glob("*.rclonelink"))
    assert tendd.tend("restore", "data", "--to", tendd.root / "again").returncode == 0
    assert (tendd.root / "again/link").readlink() == data.joinpath("link").readlink()
