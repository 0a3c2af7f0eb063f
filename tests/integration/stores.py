"""What tests need of a remote, whatever its type: its section of tend.ini, what lies in it, the hand of somebody else, and rclone
as the judge."""

import hashlib
import hmac
import http.client
import json
import os
import shutil
import stat
import subprocess
import time
import uuid
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree


def rclone(*words, env=None, patience=300, wanted=(0,)):
    """Runs rclone without a configuration of the person's; its answer is that of one of `wanted` exit codes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_"))}
    clean["RCLONE_CONFIG"] = "/dev/null"
    clean.update(env or {})
    ended = subprocess.run(["rclone", *map(str, words)], capture_output=True, env=clean, timeout=patience,
                           stdin=subprocess.DEVNULL)
    said = ended.stderr.decode(errors="replace")
    assert wanted is None or ended.returncode in wanted, "rclone %s: %d\n%s" % (words, ended.returncode, said)
    ended.said = said
    return ended


class Store:
    """A remote named "cloud". Keys are relative to its root."""

    refused = ()  # names of basics.fill() that it never takes

    def folder(self, local, key="data", name="data", more=""):
        """The sections of a remote and of one folder on it."""
        return self.section() + "[folder %s]\npath = %s\nremote = cloud:%s\n%s" % (name, local, key, more)

    def judge(self, local, key="data", excluded=(), more=(), times=True):
        """rclone finds no difference, in bytes, links, sizes and times, between a local folder and its remote."""
        words = ["-l", "--no-unicode-normalization", "--exclude", "/.tend/**", "--checkers", "16", *more]
        for pattern in excluded:
            words += ["--exclude", pattern]
        checked = rclone("check", *words, local, self.address(key), env=self.env, wanted=None)
        assert checked.returncode == 0, checked.said
        assert "could not be checked" not in checked.said, checked.said
        if not times:
            return
        dry = rclone("sync", *words, "--dry-run", local, self.address(key), env=self.env)
        assert "Skipped" not in dry.said and "ERROR" not in dry.said, dry.said


class Directory(Store):
    kind = "directory"
    has_folders = True
    env = {}

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def section(self, name="cloud", more=""):
        return "[remote %s]\ntype = directory\npath = %s\n%s" % (name, self.path, more)

    def address(self, key=""):
        return str(self.path / key)

    def at(self, key):
        return self.path / key

    def keys(self, key=""):
        """{path below key: kind} with kind file, link or folder; what is tend's own at the root is left out."""
        found = {}
        for path, kind in walk(self.path / key):
            if key or path.split("/")[0] != ".tend":
                found[path] = kind
        return found

    def read(self, key):
        path = self.path / key
        return os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()

    def put(self, key, body):
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def remove(self, key):
        (self.path / key).unlink()

    def mode(self, key):
        return stat.S_IMODE(os.lstat(self.path / key).st_mode)

    def mtime_ns(self, key):
        return os.lstat(self.path / key).st_mtime_ns

    def versions(self, key):
        """The bytes of all kept versions of a path, oldest end first."""
        place = self.path / ".tend/versions" / key
        return [path.read_bytes() for path in sorted(place.iterdir()) if "~" in path.name] if place.is_dir() else []


class Sftp(Directory):
    """A folder of its own that a server of tests/support serves: what lies there is looked at without it."""

    refused = ()

    def __init__(self, host):
        place = Path(os.environ["TEND_SERVERS"]) / "sftp_sshd" / "server"
        self.configuration, folder, *_ = place.read_text().splitlines()
        super().__init__(Path(folder) / uuid.uuid4().hex[:12])
        self.kind = host
        self.ssh = "ssh -F " + self.configuration

    def section(self, name="cloud", more=""):
        return "[remote %s]\ntype = sftp\nhost = %s\nssh = %s\npath = %s\n%s" % (
            name, self.kind, self.ssh, self.path, more)

    def put(self, key, body):
        """In a later second than what stood there: SFTP tells no closer, and tend.ini(5) says so."""
        path = self.path / key
        before = path.stat().st_mtime_ns if path.exists() else None
        super().put(key, body)
        if before is not None and path.stat().st_mtime_ns // 10**9 == before // 10**9:
            os.utime(path, ns=(before + 10**9, before + 10**9))

    def judge(self, local, key="data", excluded=()):
        """SFTP tells whole seconds; without an extension of OpenSSH's a link has a time of its own."""
        super().judge(local, key, excluded, more=("--modify-window", "1s"), times=self.kind == "tend")


class S3(Store):
    """A prefix of its own in the bucket of a server that tests/support started."""

    has_folders = False

    def __init__(self, kind, home, endpoint=None):
        place = Path(os.environ["TEND_SERVERS"]) / kind / "server"
        self.kind = kind
        self.server, self.access, self.secret, self.region, self.bucket = place.read_text().splitlines()
        self.endpoint = endpoint or self.server
        self.prefix = uuid.uuid4().hex[:12]
        self.secret_path = Path(home) / "secret"
        self.secret_is(self.secret)
        self.env = {"RCLONE_S3_PROVIDER": "Other", "RCLONE_S3_ENDPOINT": self.server,
                    "RCLONE_S3_ACCESS_KEY_ID": self.access, "RCLONE_S3_SECRET_ACCESS_KEY": self.secret,
                    "RCLONE_S3_REGION": self.region}

    def secret_is(self, secret):
        new = self.secret_path.with_suffix(".new")
        new.write_text(secret + "\n")
        new.chmod(0o600)
        new.rename(self.secret_path)

    def section(self, name="cloud", more=""):
        return ("[remote %s]\ntype = s3\nendpoint = %s\nbucket = %s\nprefix = %s\nregion = %s\naccess_key_id = %s\n"
                "secret_access_key_file = %s\n%s" % (name, self.endpoint, self.bucket, self.prefix, self.region,
                                                     self.access, self.secret_path, more))

    def address(self, key=""):
        return ":s3:%s/%s" % (self.bucket, "/".join(part for part in (self.prefix, key) if part))

    def run(self, *words, **options):
        return rclone(*words, env=self.env, **options)

    def listing(self, key="", metadata=False):
        """rclone's rows by path; markers of folders are not among them. A key that does not exist has none."""
        words = ["lsjson", "-R", "--files-only", "--hash"] + (["-M"] if metadata else [])
        answer = self.run(*words, self.address(key), wanted=(0, 3))
        return {row["Path"]: row for row in json.loads(answer.stdout or b"[]")}

    def keys(self, key=""):
        found = {}
        for path in self.listing(key):
            if key or path.split("/")[0] != ".tend":
                link = path.endswith(".rclonelink")
                found[path[:-len(".rclonelink")] if link else path] = "link" if link else "file"
        return found

    def read(self, key):
        return self.run("cat", self.address(key)).stdout

    def put(self, key, body, chunk_mib=0):
        """As a stream: nothing but the bytes is known of it. With `chunk_mib` in parts of that size."""
        words = ["--s3-chunk-size", "%dM" % chunk_mib, "--streaming-upload-cutoff", "0"] if chunk_mib else []
        subprocess.run(["rclone", "rcat", *words, self.address(key)], input=body, check=True, capture_output=True,
                       env={**os.environ, "RCLONE_CONFIG": "/dev/null", **self.env, "AWS_CA_BUNDLE": ""})
        if chunk_mib:
            assert self.etag(key).endswith("-%d" % -(-len(body) // (chunk_mib << 20)))

    def remove(self, key):
        self.run("deletefile", self.address(key))

    def signed(self, method, path, query, body=b""):
        """One request of our own, by signature version 4; the answer's body."""
        host = self.server.partition("//")[2]
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = "%s/%s/s3/aws4_request" % (moment[:8], self.region)
        body_hash = hashlib.sha256(body).hexdigest()
        headers = {"host": host, "x-amz-content-sha256": body_hash, "x-amz-date": moment}
        asked = "&".join("%s=%s" % (quote(name, safe=""), quote(query[name], safe="")) for name in sorted(query))
        canonical = "\n".join([method, path, asked, *("%s:%s" % item for item in headers.items()), "", ";".join(headers),
                               body_hash])
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
            self.access, scope, ";".join(headers), hmac.digest(key, text.encode(), "sha256").hex())
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request(method, path + "?" + asked, body or None, headers)
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status == 200, said
        return said

    def etag(self, key):
        place = "/".join(part for part in (self.prefix, key) if part)
        tree = ElementTree.fromstring(self.signed("GET", "/" + self.bucket, {"list-type": "2", "prefix": place}))
        return tree.findtext("%sContents/%sETag" % ((tree.tag.partition("}")[0] + "}",) * 2)).strip('"')

    def metadata(self, key):
        folder, _, name = key.rpartition("/")
        return self.listing(folder, metadata=True)[name]["Metadata"]

    def markers(self, key=""):
        """The objects that stand for folders, which rclone does not tell: the server's own list."""
        found, token = set(), ""
        place = "/".join(part for part in (self.prefix, key) if part) + "/"
        while True:
            query = {"list-type": "2", "prefix": place, **({"continuation-token": token} if token else {})}
            tree = ElementTree.fromstring(self.signed("GET", "/" + self.bucket, query))
            name = tree.tag.partition("}")[0] + "}"
            keys = [element.text for element in tree.iter(name + "Key")]
            found |= {text[len(place):] for text in keys if text.endswith("/") and text != place}
            token = tree.findtext(name + "NextContinuationToken") or ""
            if not token:
                return found

    def versions(self, key):
        place = ".tend/versions/" + key
        return [self.read(place + "/" + name) for name in sorted(self.listing(place)) if "/" not in name and "~" in name]


class Azure(S3):
    """A prefix of its own in the container of Azurite; rclone comes by a SAS, which its old versions can."""

    refused = ("tab\there", "back\\slash", "trailing.")

    def __init__(self, kind, home):
        place = Path(os.environ["TEND_SERVERS"]) / kind / "server"
        self.kind = kind
        self.endpoint, self.account, self.key, self.container, self.sas = place.read_text().splitlines()
        self.prefix = uuid.uuid4().hex[:12]
        self.secret_path = Path(home) / "secret"
        self.login = "key_file"
        self.secret_is(self.key)
        self.env = {"RCLONE_AZUREBLOB_SAS_URL": "%s?%s" % (self.endpoint, self.sas)}

    def by_sas(self, days):
        """From now on with a shared access signature that ends so soon."""
        maker = Path(__file__).resolve().parent.parent / "support/make-container"
        made = subprocess.run([maker, "--sas", self.account, self.key, str(days)], check=True, capture_output=True, text=True)
        self.login = "sas_file"
        self.secret_is(made.stdout.strip())

    def section(self, name="cloud", more=""):
        return ("[remote %s]\ntype = azure\nendpoint = %s\naccount = %s\ncontainer = %s\nprefix = %s\n%s = %s\n%s" % (
            name, self.endpoint, self.account, self.container, self.prefix, self.login, self.secret_path, more))

    def address(self, key=""):
        return ":azureblob:%s/%s" % (self.container, "/".join(part for part in (self.prefix, key) if part))

    def put(self, key, body):
        subprocess.run(["rclone", "rcat", self.address(key)], input=body, check=True, capture_output=True,
                       env={**os.environ, "RCLONE_CONFIG": "/dev/null", **self.env})


class Folders(Store):
    """A remote with folders of its own, which rclone looks into and changes."""

    has_folders = True

    def rows(self, key=""):
        answer = rclone("lsjson", "-R", self.address(key), env=self.env, wanted=(0, 3))
        return {} if answer.returncode else {row["Path"]: row for row in json.loads(answer.stdout)}

    def keys(self, key=""):
        found = {}
        for path, row in self.rows(key).items():
            if key or path.split("/")[0] != ".tend":
                link = path.endswith(".rclonelink")
                found[path[:-len(".rclonelink")] if link else path] = ("folder" if row["IsDir"] else "link" if link else "file")
        return found

    def read(self, key):
        return rclone("cat", self.address(key), env=self.env).stdout

    def put(self, key, body):
        subprocess.run(["rclone", "rcat", self.address(key)], input=body, check=True, capture_output=True,
                       env={**os.environ, "RCLONE_CONFIG": "/dev/null", **self.env})

    def remove(self, key):
        rclone("deletefile", self.address(key), env=self.env)

    def versions(self, key):
        place = ".tend/versions/" + key
        return [self.read(place + "/" + name) for name in sorted(self.rows(place)) if "/" not in name and "~" in name]


class WebDav(Folders):
    """A folder of its own on a WebDAV server that tests/support started. `which`: of those that one start script brings; `small`: on its
    disk of 4 MiB."""

    refused = ("tab\there",)

    def __init__(self, kind, home, which=0, small=False):
        place = Path(os.environ["TEND_SERVERS"]) / kind / "server"
        self.kind = kind
        server, self.user, self.secret, authority = place.read_text().splitlines()[which * 4:which * 4 + 4]
        self.authority = None if authority == "-" else authority
        server = server.rpartition("/")[0] + "/small" if small else server
        self.url = server + "/" + uuid.uuid4().hex[:12]
        self.secret_path = Path(home) / "password"
        self.secret_path.write_text(self.secret + "\n")
        self.secret_path.chmod(0o600)
        hidden = subprocess.run(["rclone", "obscure", self.secret], capture_output=True, check=True, text=True).stdout.strip()
        self.env = {"RCLONE_WEBDAV_URL": self.url, "RCLONE_WEBDAV_VENDOR": "other", "RCLONE_WEBDAV_USER": self.user,
                    "RCLONE_WEBDAV_PASS": hidden}
        if self.authority:
            self.env["RCLONE_CA_CERT"] = self.authority
        rclone("mkdir", ":webdav:" + self.url[len(server) + 1:], env={**self.env, "RCLONE_WEBDAV_URL": server})

    def section(self, name="cloud", more=""):
        authority = "ca_file = %s\n" % self.authority if self.authority else ""
        return "[remote %s]\ntype = webdav\nurl = %s\nuser = %s\npassword_file = %s\n%s%s" % (
            name, self.url, self.user, self.secret_path, authority, more)

    def address(self, key=""):
        return ":webdav:" + key

    def judge(self, local, key="data", excluded=()):
        """rclone finds the same bytes; times are in a property of tend's own, which rclone does not read."""
        words = ["-l", "--no-unicode-normalization", "--exclude", "/.tend/**", "--download"]
        for pattern in excluded:
            words += ["--exclude", pattern]
        rclone("check", *words, local, self.address(key), env=self.env)


def walk(root):
    """(path, kind) of all below `root`, parents first."""
    def below(folder, prefix):
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                path = prefix + entry.name
                if entry.is_symlink():
                    yield path, "link"
                elif entry.is_dir():
                    yield path, "folder"
                    yield from below(entry.path, path + "/")
                else:
                    yield path, "file"
    if os.path.isdir(root):
        yield from below(root, "")


def facts(root, without=()):
    """All that a directory store keeps of a tree: kinds, modes of files and folders, bytes, targets, times of files and links."""
    found = {}
    for path, kind in walk(root):
        if path.split("/")[0] in without:
            continue
        full = os.path.join(root, path)
        status = os.lstat(full)
        mode = stat.S_IMODE(status.st_mode) & 0o777
        if kind == "folder":
            found[path] = (kind, mode | 0o700)  # a store works in its folders
        elif kind == "link":
            found[path] = (kind, os.readlink(full), status.st_mtime_ns)
        else:
            with open(full, "rb") as file:
                found[path] = (kind, mode, status.st_mtime_ns, status.st_size, file.read())
    return found


def as_told(store, data):
    """The facts of a folder that its remote can tell: WebDAV knows no mode, SFTP no less than a second, and not when a link was made."""
    told = facts(data)
    if isinstance(store, Sftp):
        told = {path: (*fact[:2], fact[2] // 10**9, *fact[3:]) if fact[0] == "file" else fact for path, fact in told.items()}
    if isinstance(store, WebDav):
        told = {path: fact if fact[0] == "link" else (fact[0], *fact[2:]) for path, fact in told.items()}
    return {path: ("link", os.readlink(data / path)) if fact[0] == "link" else fact for path, fact in told.items()}


def assert_same(local, remote, without=()):
    """A folder and its copy in a directory store agree in everything that is kept."""
    ours, theirs = facts(local), facts(remote, without)
    wrong = []
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            wrong.append("%r: local %s, remote %s" % (path, brief(ours.get(path)), brief(theirs.get(path))))
    assert not wrong, "%d differences:\n%s" % (len(wrong), "\n".join(wrong[:20]))


def brief(fact):
    if fact is None:
        return "nothing"
    return " ".join(repr(item if not isinstance(item, bytes) else item[:24]) for item in fact)


def empty(folder):
    """Removes all that lies in a folder, not the folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)
