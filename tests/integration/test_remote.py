"""tend remote: by the configuration alone, without tendd.

servers: s3_rgw s3_swift azure_azurite dav_apache dav_lighttpd dav_nginx dav_cloud sftp_sshd
"""

import contextlib
import json
import re

import pytest

from drive_ground import Drive, Ground
from stores import S3, Azure, Directory, Sftp, WebDav

KEPT, BY_SECOND = "kept to the nanosecond", "kept to the second"
# What these servers do is known, by TESTBENCH of the stores and tests/contract: conditions, times, modes, hashes, large files in parts.
DO = {
    "directory": (True, KEPT, True, False, True),
    "s3_rgw": (True, KEPT, True, True, True),
    "s3_swift": (False, KEPT, True, True, True),
    "azure_azurite": (True, KEPT, True, True, True),
    "gdrive": (False, KEPT, True, True, True),
    "dav_apache": (True, KEPT, True, True, True),
    "dav_lighttpd": (True, KEPT, True, True, True),
    "dav_nginx": (False, "not kept", False, False, False),
    "dav_cloud": (True, KEPT, True, True, True),
    "sftp": (False, BY_SECOND, True, False, True),
}


def make(kind, tendd, folder, stack):
    if kind == "directory":
        return Directory(tendd.root / "remote")
    if kind == "gdrive":
        return Drive(folder, stack.enter_context(Ground(folder, tls=True)))
    if kind == "sftp":
        return Sftp("tend")
    return {"s3": S3, "azure": Azure, "dav": WebDav}[kind.partition("_")[0]](kind, tendd.root)


@pytest.fixture(params=sorted(DO))
def store(request, tendd, tmp_path):
    with contextlib.ExitStack() as stack:
        made = make(request.param, tendd, tmp_path, stack)
        tendd.configure(made.section())
        yield made


def found(tendd, *words, wanted=0):
    ended = tendd.tend("--json", "remote", *words)
    assert ended.returncode == wanted, ended.stderr
    return json.loads(ended.stdout)


def test_check_finds_out_and_leaves_nothing(tendd, store):
    before = store.keys(".tend") if store.kind != "directory" else {}
    said = found(tendd, "check", "cloud")
    assert said["usable"] and said["reachable"] and said["write"]
    facts = ("conditional_writes", "file_times", "permissions", "hashes", "resumes_uploads")
    wanted = DO["sftp" if isinstance(store, Sftp) else store.kind]
    assert tuple(said[fact] for fact in facts) == wanted
    assert abs(said["clock_skew_seconds"]) < 10
    assert said["upload_bytes_per_second"] > 0 and said["download_bytes_per_second"] > 0
    left = [key for key, kind in store.keys(".tend").items() if kind == "file" and key not in before]
    assert not left
    if store.kind == "s3_rgw":
        assert b"<UploadId>" not in store.signed("GET", "/" + store.bucket, {"uploads": "", "prefix": store.prefix})
    if store.kind == "gdrive":
        assert not store.server.sessions
    text = tendd.tend("remote", "check", "cloud").stdout
    assert re.search(r"(?m)^file times +%s$" % wanted[1], text), text
    if not wanted[4]:
        assert re.search(r"(?m)^resumes uploads +no: .*a file of more than 8 MiB cannot be kept there", text), text


def test_ls_shows_what_anybody_put_there(tendd, store):
    store.put("a/one", b"12345")
    store.put("a/b/two", b"")
    store.put("zwei", b"x" * 3000)
    entries = found(tendd, "ls", "cloud")["entries"]
    assert [(entry["name"], entry["kind"]) for entry in entries if entry["name"] != ".tend"] == [
        ("a", "folder"), ("zwei", "file")]
    entries = found(tendd, "ls", "cloud", "a/")["entries"]
    assert [(entry["name"], entry["kind"], entry["size_bytes"]) for entry in entries] == [
        ("b", "folder", entries[0]["size_bytes"]), ("one", "file", 5)]
    lines = tendd.tend("remote", "ls", "cloud").stdout.splitlines()
    assert any("2.9 KiB" in line and line.endswith("zwei") for line in lines), lines


def test_a_wrong_key_needs_a_person(tendd):
    store = S3("s3_rgw", tendd.root)
    tendd.configure(store.section())
    store.secret_is("wrong")
    ended = tendd.tend("remote", "check", "cloud")
    assert ended.returncode == 5, ended.stderr
    assert "secret" in ended.stderr, ended.stderr


def test_what_is_wrong_is_told(tendd):
    remote = tendd.root / "remote"
    tendd.configure("[remote cloud]\npath = %s\n" % remote)
    for words, code, text in ((["check", "clod"], 2, "did you mean 'cloud'?"), (["rm", "cloud"], 2, "neither ls nor check"),
                              (["check", "cloud", "x"], 2, "too many words"), (["ls", "cloud", "../x"], 2, "no path in a remote"),
                              (["check", "cloud"], 1, str(remote)), (["ls"], 2, "too few words")):
        ended = tendd.tend("remote", *words)
        assert ended.returncode == code and text in ended.stderr, (words, ended)
