"""The Drive server of tests/support/drive for tests in Python, and the two clients that judge it."""

import json
import os
import subprocess
import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parents[1] / "support"
sys.path.insert(0, str(SUPPORT))

from drive.server import Server  # noqa: E402  pylint: disable=wrong-import-position
from stores import Folders  # noqa: E402  pylint: disable=wrong-import-position

HOSTS = ("www.googleapis.com", "oauth2.googleapis.com", "accounts.google.com")


def make_certificate(folder):
    """(authority, certificate, key) for Google's names: a client that trusts the authority believes the server."""
    run = lambda *words, **more: subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder, **more)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj",
        "/CN=tests")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=" + HOSTS[0])
    (folder / "names").write_text("subjectAltName=" + ",".join("DNS:" + name for name in HOSTS))
    run("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile",
        "names", "-out", "certificate.pem")
    return folder / "ca.pem", folder / "certificate.pem", folder / "key.pem"


class Ground:
    """A running server with a client, a signed-in user and, with `tls`, a certificate for Google's names."""

    def __init__(self, folder, tls=False, scope="drive"):
        self.folder = Path(folder)
        self.authority, *pair = make_certificate(self.folder) if tls else (None,)
        self.server = Server(tls=tuple(map(str, pair)) if tls else None).start()
        self.client, self.secret = self.server.add_client()
        self.token = self.server.sign_in(self.client, scope)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()

    def rclone_env(self):
        """rclone knows only Google's own addresses: it comes here as to a proxy."""
        token = {"access_token": self.token["access_token"], "token_type": "Bearer", "expiry": "2037-01-01T00:00:00Z",
                 "refresh_token": self.token["refresh_token"]}
        return {"HTTPS_PROXY": self.server.address, "SSL_CERT_FILE": str(self.authority), "NO_PROXY": "", "no_proxy": "",
                "SSL_CERT_DIR": str(self.folder / "none"), "RCLONE_DRIVE_CLIENT_ID": self.client,
                "RCLONE_DRIVE_CLIENT_SECRET": self.secret, "RCLONE_DRIVE_TOKEN": json.dumps(token),
                "RCLONE_DRIVE_SCOPE": "drive", "RCLONE_DRIVE_PACER_MIN_SLEEP": "1ms", "RCLONE_DRIVE_PACER_BURST": "1000"}


class Drive(Folders):
    """All of the drive of a ground."""

    kind = "gdrive"

    def __init__(self, home, ground):
        self.ground, self.server, self.home = ground, ground.server, home
        self.endpoint = self.server.address
        self.env = ground.rclone_env()
        self.secret = home / "google-secret"
        self.secret.write_text(ground.secret + "\n")
        self.token = home / "google-token"
        self.token.write_text('{"refresh_token": "%s"}' % ground.token["refresh_token"])
        for path in (self.secret, self.token):
            path.chmod(0o600)

    def section(self, name="cloud", more=""):
        return ("[remote %s]\ntype = gdrive\nendpoint = %s\nclient_id = %s\nclient_secret_file = %s\ntoken_file = %s\nscope = drive\n%s"
                % (name, self.endpoint, self.ground.client, self.secret, self.token, more))

    def address(self, key=""):
        return ":drive:" + key

    def named(self, name):
        return [file for file in list(self.server.drive.files.values()) if file.name == name and not self.server.drive.is_trashed(file)]

    def asked(self, *words):
        return [line for line in list(self.server.log) if all(word in line for word in words)]


def node_judge(ground):
    """The official client for Node, from npm."""
    packages = Path(os.environ["TEND_BIN"]).parent / "npm-drive"
    subprocess.run([SUPPORT / "npm-package", packages, "@googleapis/drive@26.0.1"], check=True)
    given = json.dumps({"client_id": ground.client, "client_secret": ground.secret, "token": ground.token, "user": ground.server.user})
    ended = subprocess.run(["node", SUPPORT / "drive/judge.mjs", ground.server.address, given], capture_output=True, text=True,
                           timeout=120, check=False, env={**os.environ, "NODE_PACKAGES": str(packages), "NO_PROXY": "*"})
    assert ended.returncode == 0 and "judged" in ended.stdout, ended.stdout + ended.stderr
