"""tend remote: by the configuration alone, without tendd.

servers: s3_rgw s3_swift azure_azurite
"""

import json

import pytest

from stores import S3, Azure, Directory


@pytest.fixture(params=["directory", "s3_rgw", "s3_swift", "azure_azurite"])
def store(request, tendd):
    if request.param == "directory":
        made = Directory(tendd.root / "remote")
    else:
        made = (Azure if request.param == "azure_azurite" else S3)(request.param, tendd.root)
    tendd.configure(made.section())
    return made


def found(tendd, *words, wanted=0):
    ended = tendd.tend("--json", "remote", *words)
    assert ended.returncode == wanted, ended.stderr
    return json.loads(ended.stdout)


def test_check_finds_out_and_leaves_nothing(tendd, store):
    before = store.keys(".tend") if store.kind != "directory" else {}
    said = found(tendd, "check", "cloud")
    assert said["usable"] and said["reachable"] and said["write"]
    # What these servers do is known: TESTBENCH of the stores, tests/contract.
    assert said["conditional_writes"] is (store.kind != "s3_swift")
    assert said["file_times"] == "kept to the nanosecond"
    assert said["permissions"] and said["hashes"] is (store.kind != "directory")
    assert said["upload_bytes_per_second"] > 0 and said["download_bytes_per_second"] > 0
    assert said["resumes_uploads"] is True
    left = [key for key, kind in store.keys(".tend").items() if kind == "file" and key not in before]
    assert not left
    text = tendd.tend("remote", "check", "cloud").stdout
    assert "file times" in text and "kept to the nanosecond" in text


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
