"""The Drive server that other tests trust, judged by two clients that nobody here wrote: Google's own for Node, and rclone. And what
they do not look at: sessions that expire, lists that lag, refusals in Google's shapes.
not quick, one build"""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import socket
import subprocess
import time
import urllib.parse

import pytest
from drive_ground import SUPPORT, Ground, node_judge
from stores import rclone
from tend import until

FILES, UPLOAD = "/drive/v3/files", "/upload/drive/v3/files"


@pytest.fixture(name="ground")
def _ground(tmp_path):
    with Ground(tmp_path) as ground:
        yield ground


class Talk:
    def __init__(self, ground, token=None):
        self.host = ground.server.address.partition("//")[2]
        self.token = token or ground.token["access_token"]

    def __call__(self, method, path, body=None, headers=None, **query):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        where = path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection.request(method, where, body, {"Authorization": "Bearer " + self.token, **(headers or {})})
        answer = connection.getresponse()
        raw = answer.read()
        answer.json = json.loads(raw) if raw[:1] in (b"{", b"[") else raw
        connection.close()
        return answer

    def reason(self, answer):
        return answer.status, answer.json["error"]["errors"][0]["reason"]


def test_official_client(ground):
    node_judge(ground)


def tree(folder, seed=1):
    dice = random.Random(seed)
    for name in ("plain", "with space", "é nfc", "e\u0301 nfd", "日本", "quote'", "back\\slash", "a&b+c%41#d?", "deep/er/file", "empty"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else dice.randbytes(dice.randrange(1, 5000)))
        os.utime(path, (1700000000, 1700000000 + dice.randrange(1000)))
    # rclone sends from 8 MiB on in sessions.
    (folder / "large").write_bytes(dice.randbytes((9 << 20) + 123))


def test_rclone(tmp_path):
    local = tmp_path / "local"
    local.mkdir()
    (tmp_path / "tls").mkdir()
    tree(local)
    with Ground(tmp_path / "tls", tls=True) as ground:
        env = ground.rclone_env()
        rclone("sync", "--drive-chunk-size", "1M", local, ":drive:up/here", env=env)
        assert any("uploadType=resumable" in line for line in ground.server.log)
        checked = rclone("check", "--download", local, ":drive:up/here", env=env)
        assert "0 differences found" in checked.said
        dry = rclone("sync", "--dry-run", local, ":drive:up/here", env=env)
        assert "Skipped" not in dry.said, dry.said
        (local / "plain").rename(local / "renamed")
        rclone("sync", "--track-renames", local, ":drive:up/here", env=env)
        rclone("moveto", ":drive:up/here/deep", ":drive:up/there", env=env)
        assert rclone("lsf", "-R", ":drive:up/there", env=env).stdout == b"er/\ner/file\n"
        rclone("copyto", ":drive:up/there/er/file", ":drive:copy", env=env)
        assert rclone("cat", ":drive:copy", env=env).stdout == (local / "deep/er/file").read_bytes()
        # Half is taken and rclone goes on all the same, or says so: nothing is half stored.
        ground.server.faults.append({"match": "upload_id", "reason": "backendError", "count": 2, "skip": 1})
        (local / "large").write_bytes(random.Random(5).randbytes(9 << 20))
        rclone("copyto", "--drive-chunk-size", "1M", local / "large", ":drive:large2", env=env)
        assert rclone("cat", ":drive:large2", env=env).stdout == (local / "large").read_bytes()
        rclone("purge", ":drive:up", env=env)
        assert rclone("lsf", ":drive:", env=env).stdout == b"copy\nlarge2\n"
        about = json.loads(rclone("about", "--json", ":drive:", env=env).stdout)
        assert about["used"] > 9 << 20


def test_rclone_polls_changes(tmp_path):
    """It keeps what it listed for a day, and looks again only at what changes.list tells."""
    (tmp_path / "tls").mkdir()
    with Ground(tmp_path / "tls", tls=True) as ground:
        talk = Talk(ground)
        folder = talk("POST", FILES, {"name": "folder", "mimeType": "application/vnd.google-apps.folder"}).json["id"]
        made = talk("POST", FILES, {"name": "first", "parents": [folder]}).json["id"]
        with serving(tmp_path, ground) as names:
            assert names("folder/") == ["first"]
            talk("POST", FILES, {"name": "second", "parents": [folder]})
            talk("PATCH", f"{FILES}/{made}", {"name": "renamed"})
            until(lambda: names("folder/") == ["renamed", "second"], "the change at rclone")
            talk("PATCH", f"{FILES}/{made}", {"trashed": True})
            until(lambda: names("folder/") == ["second"], "the removal at rclone")
            asked = len(ground.server.log)
            until(lambda: len(ground.server.log) > asked + 2, "idle polls")
        assert all(line.startswith("GET /drive/v3/changes?") for line in ground.server.log[asked:])


@contextlib.contextmanager
def serving(home, ground):
    """rclone serves the drive by HTTP; names(path) is what its page of that folder links to."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
    port = int(subprocess.run([SUPPORT / "free-ports", "1"], check=True, capture_output=True).stdout)
    with open(home / "served", "wb") as said:
        process = subprocess.Popen(
            ["rclone", "serve", "http", "--addr", f"127.0.0.1:{port}", "--poll-interval", "1s", "--dir-cache-time", "24h", ":drive:"],
            env={**env, "RCLONE_CONFIG": "/dev/null", **ground.rclone_env()}, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def names(path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/" + path)
        page = connection.getresponse().read().decode()
        connection.close()
        return sorted(re.findall(r'class="name"><a href="([^"/]+)"', page))
    try:
        until(lambda: names("") is not None, "rclone's server", say=lambda: (home / "served").read_text())
        yield names
    finally:
        process.terminate()
        process.wait(30)


def begin(talk, size, **metadata):
    answer = talk("POST", UPLOAD, {"name": "large", **metadata}, {"X-Upload-Content-Length": str(size), "Content-Type": "application/json"},
                  uploadType="resumable", fields="id,size,md5Checksum")
    assert answer.status == 200
    return answer.headers["Location"].partition(talk.host)[2]


def span(first, last, total):
    return {"Content-Range": f"bytes {first}-{last}/{total}"}


def test_sessions(ground):
    talk, unit = Talk(ground), 256 << 10
    content = random.Random(3).randbytes(2 * unit + 5)
    where = begin(talk, len(content))
    asked = talk("PUT", where, b"", {"Content-Range": f"bytes */{len(content)}"})
    assert asked.status == 308 and "Range" not in asked.headers
    # No multiple, a gap, another total: refused, and nothing of it is held.
    for headers, body in ((span(0, 99, len(content)), content[:100]), (span(unit, 2 * unit - 1, len(content)), content[:unit]),
                          (span(0, unit - 1, 7 * unit), content[:unit]), (span(0, unit, len(content)), content[:unit])):
        assert talk("PUT", where, body, headers).status == 400
    assert talk("PUT", where, content[:unit], span(0, unit - 1, len(content))).headers["Range"] == f"bytes=0-{unit - 1}"
    ground.server.short_take = True
    more = talk("PUT", where, content[unit:], span(unit, len(content) - 1, len(content)))
    assert more.status == 308 and more.headers["Range"] == f"bytes=0-{2 * unit - 1}"
    # The address is the key: no token is needed.
    done = Talk(ground, "nobody's")("PUT", where, content[2 * unit:], span(2 * unit, len(content) - 1, len(content)))
    assert done.status == 200 and done.json["md5Checksum"] == hashlib.md5(content).hexdigest()
    assert talk("PUT", where, b"", {"Content-Range": f"bytes */{len(content)}"}).json == done.json
    where = begin(talk, 10)
    ground.server.session_seconds = 0
    time.sleep(0.01)
    assert talk.reason(talk("PUT", where, b"", {"Content-Range": "bytes */10"})) == (404, "notFound")


def test_it_says_go_on_before_the_body(ground):
    """As Google does: a client that asks would wait for a second."""
    host, _, port = ground.server.address.partition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.sendall(f"POST {UPLOAD}?uploadType=media HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                     f"Authorization: Bearer {ground.token['access_token']}\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 100 ")
        line.sendall(b"hello")
        assert line.recv(100).startswith(b"HTTP/1.1 200 ")


def test_lists_that_lag(ground):
    talk = Talk(ground)
    ground.server.drive.list_lag = 3
    made = talk("POST", FILES, {"name": "new"}).json["id"]
    assert talk("GET", FILES + "/" + made).status == 200
    seen = [len(talk("GET", FILES, q="name = 'new'").json["files"]) for _ in range(5)]
    assert seen == [0, 0, 0, 1, 1]


def test_refusals(ground):
    talk = Talk(ground)
    for reason, status in (("userRateLimitExceeded", 403), ("rateLimitExceeded", 403), ("storageQuotaExceeded", 403),
                           ("dailyLimitExceeded", 403), ("backendError", 503)):
        ground.server.faults.append({"match": "GET /drive/v3/files", "reason": reason})
        assert talk.reason(talk("GET", FILES)) == (status, reason)
    ground.server.faults.append({"match": "GET", "reason": "tooManyRequests", "headers": {"Retry-After": "7"}})
    slow = talk("GET", FILES)
    assert talk.reason(slow) == (429, "rateLimitExceeded") and slow.headers["Retry-After"] == "7"
    ground.server.drive.limits[ground.server.user] = 4
    body = b"--b\r\nContent-Type: application/json\r\n\r\n{}\r\n--b\r\nContent-Type: text/plain\r\n\r\n12345\r\n--b--"
    full = talk("POST", UPLOAD, body, {"Content-Type": "multipart/related; boundary=b"}, uploadType="multipart")
    assert talk.reason(full) == (403, "storageQuotaExceeded")
    assert talk("POST", UPLOAD, body, {"Content-Type": "multipart/related; boundary=c"}, uploadType="multipart").status == 400
    assert talk.reason(talk("GET", FILES, unknown="1")) == (400, "invalidParameter")
    document = ground.server.strange("document", "Notes", ground.server.drive.root(ground.server.user).id)
    assert talk.reason(talk("GET", f"{FILES}/{document}", alt="media")) == (403, "fileNotDownloadable")
    assert "md5Checksum" not in talk("GET", f"{FILES}/{document}", fields="*").json


def test_an_app_sees_its_own(ground):
    own = Talk(ground, ground.server.sign_in(ground.client, "drive.file")["access_token"])
    root = ground.server.drive.root(ground.server.user).id
    strange = ground.server.strange("file", "theirs", root)
    assert own("GET", FILES + "/root").status == 404
    assert own("GET", FILES + "/" + strange).status == 404
    made = own("POST", FILES, {"name": "mine", "parents": ["root"]}).json["id"]
    listed = own("GET", FILES, q="'root' in parents").json["files"]
    assert [one["id"] for one in listed] == [made]


def test_shared_drives(ground):
    talk = Talk(ground)
    drive = ground.server.drive.add_shared_drive("Team", [ground.server.user])
    assert talk("POST", FILES, {"name": "x", "parents": [drive]}).status == 404
    made = talk("POST", FILES, {"name": "x", "parents": [drive]}, supportsAllDrives="true").json["id"]
    assert talk("GET", f"{FILES}/{made}").status == 404
    assert talk("GET", f"{FILES}/{made}", supportsAllDrives="true").status == 200
    assert talk("GET", FILES, q=f"'{drive}' in parents").json["files"] == []
    listed = talk("GET", FILES, q=f"'{drive}' in parents", corpora="drive", driveId=drive, includeItemsFromAllDrives="true",
                  supportsAllDrives="true").json["files"]
    assert [one["id"] for one in listed] == [made]


def unpadded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_service_account(ground, tmp_path):
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
    ground.server.add_service_account("robot@example.iam", public)

    def ask(sign_by=key, **claims):
        now = int(time.time())
        body = {"iss": "robot@example.iam", "scope": "https://www.googleapis.com/auth/drive", "iat": now, "exp": now + 3600,
                "aud": ground.server.address + "/token", **claims}
        text = unpadded(b'{"alg":"RS256","typ":"JWT"}') + "." + unpadded(json.dumps(body).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", sign_by], input=text.encode(), check=True,
                                   capture_output=True).stdout
        form = urllib.parse.urlencode({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                                       "assertion": text + "." + unpadded(signature)})
        return Talk(ground)("POST", "/token", form.encode(), {"Content-Type": "application/x-www-form-urlencoded"})

    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genrsa", "-out", other, "2048"], check=True, capture_output=True)
    assert ask(sign_by=other).json["error"] == "invalid_grant"
    assert ask(aud="https://example.org/token").json["error"] == "invalid_grant"
    assert ask(exp=int(time.time()) + 7200).json["error"] == "invalid_grant"
    assert ask(sub="somebody@example.org").json["error"] == "unauthorized_client"
    robot = Talk(ground, ask().json["access_token"])
    # It owns no storage.
    assert robot.reason(robot("POST", FILES, {"name": "x"})) == (403, "storageQuotaExceeded")
