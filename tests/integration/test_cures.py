"""What a remote can suffer, and its cure: the folder says what to do, everything else goes on, and the folder goes on by itself.

servers: s3_rgw
"""

import os
import subprocess
import uuid
from pathlib import Path

from stores import S3, Directory, assert_same

SERVICE = "[service beside]\ncommand = sleep 1000\nnetwork = no\n"


def trouble(tendd, words):
    """Waits until the folder says these words; everything else goes on."""
    def holds():
        text = (tendd.folder_part("data")["trouble"] or {}).get("text", "")
        return words in text
    tendd.until(holds, "trouble: " + words)
    assert tendd.unit("service:beside")["state"] == "ready"


def goes_on(tendd):
    """Nobody tells it to."""
    tendd.until(lambda: tendd.folder_part("data")["trouble"] is None, "the folder going on")
    tendd.barrier("data")
    assert tendd.tend("status").returncode == 0


def s3_start(tendd, store):
    data = tendd.folder("data")
    (data / "file").write_text("one\n")
    tendd.configure(store.folder(data, more="settle = 50ms\n") + SERVICE).start()
    tendd.until_state("service:beside", "ready")
    return data


def test_wrong_key(tendd):
    store = S3("s3_rgw", tendd.root)
    store.secret_path.write_text("wrong\n")
    data = s3_start(tendd, store)
    trouble(tendd, "the secret key does not fit the access key id")
    assert tendd.tend("status").returncode == 5
    assert tendd.tend("wait", "data").returncode == 5
    store.secret_path.write_text(store.secret + "\n")
    goes_on(tendd)
    store.judge(data)
    # Withdrawn while it runs, and another one put in its place.
    store.secret_path.write_text("wrong\n")
    assert tendd.reload().status == 200
    (data / "file").write_text("two\n")
    trouble(tendd, "the secret key does not fit the access key id")
    store.secret_path.write_text(store.secret + "\n")
    goes_on(tendd)
    store.judge(data)
    assert store.secret not in tendd.said and "wrong" not in tendd.said


def test_missing_bucket(tendd):
    store = S3("s3_rgw", tendd.root)
    store.bucket = "made-later-" + uuid.uuid4().hex[:8]
    data = s3_start(tendd, store)
    trouble(tendd, "bucket '%s' does not exist" % store.bucket)
    assert tendd.tend("status").returncode == 1
    store.run("mkdir", ":s3:" + store.bucket)
    goes_on(tendd)
    store.judge(data)


class Mounted:
    """A directory store on a small disk of its own, which only this tendd sees."""

    def __init__(self, tendd):
        self.tendd = tendd
        self.path = tendd.folder("disk")
        self.data = tendd.folder("data")
        inner = tendd.command()
        root = [] if os.geteuid() == 0 else ["--map-root-user"]
        tendd.command = lambda: ["unshare", *root, "-m", "sh", "-c", 'mount -t tmpfs -o size=2m none "$0" && exec "$@"',
                                 str(self.path), *inner]
        tendd.configure(Directory(self.path).folder(self.data, key="", more="settle = 50ms\n") + SERVICE).start()
        tendd.until_state("service:beside", "ready")
        self.inside = Path("/proc/%d/root%s" % (tendd.pid, self.path))

    def remount(self, how):
        subprocess.run(["nsenter", "-t", str(self.tendd.pid), "-U" if os.geteuid() else "-m", "-m", "mount", "-o",
                        "remount," + how, str(self.path)], check=True)


def test_read_only_disk(tendd):
    disk = Mounted(tendd)
    (disk.data / "small").write_text("small\n")
    tendd.barrier("data")
    disk.remount("ro")
    (disk.data / "new").write_text("new\n")
    trouble(tendd, "read-only; remount it for writing")
    assert tendd.tend("status").returncode == 5
    disk.remount("rw")
    goes_on(tendd)
    assert_same(disk.data, disk.inside, without=(".tend",))


def test_a_file_where_the_remote_folder_should_be(tendd):
    path = tendd.root / "remote"
    store = Directory(path)
    path.rmdir()
    path.write_text("a file\n")
    data = tendd.folder("data")
    (data / "file").write_text("one\n")
    tendd.configure(store.folder(data, more="settle = 50ms\n") + SERVICE).start()
    tendd.until_state("service:beside", "ready")
    trouble(tendd, "is no folder: move it out of the way, or correct `path`")
    assert tendd.tend("status").returncode == 1
    path.unlink()
    path.mkdir()
    goes_on(tendd)
    assert store.keys("data") == {"file": "file"}
