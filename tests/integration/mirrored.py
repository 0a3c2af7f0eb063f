"""What a machine in a container sees of the world, and nothing else: support/box-mirror.py, which speaks https for the names it is
given, and servers of this machine, by sockets in the file system."""

import contextlib
import gzip
import hashlib
import shutil
import socket
import subprocess
import sys
import threading

import booted
from booted import SUPPORT, put

sys.path.insert(0, str(SUPPORT))
line = __import__("box-mirror").line


@contextlib.contextmanager
def seen_from_inside(url, path):
    """A server of this machine as a socket in the file system."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    host, port = url.partition("//")[2].split(":")
    threading.Thread(target=line, args=(listener, lambda: socket.create_connection((host, int(port)))), daemon=True).start()
    try:
        yield
    finally:
        listener.close()


def make_mirror(root, *names):
    """The names, of which /srv/mirror holds a folder each, and an apt that knows only what lies in the tree."""
    for path in (root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    put(root / "etc/apt/sources.list", "deb [trusted=yes] file:/srv/apt ./\n")
    shutil.copy(SUPPORT / "box-mirror.py", root / "srv")
    subprocess.run([SUPPORT / "make-tls", root / "srv/tls", *names], check=True)
    with open(root / "etc/ssl/certs/ca-certificates.crt", "a", encoding="utf-8") as known:
        known.write((root / "srv/tls/ca.pem").read_text())
    put(root / "etc/hosts", "127.0.0.1 localhost %s\n" % " ".join(names))
    put(root / "etc/systemd/system/mirror.service",
        "[Unit]\nBefore=tend.service\n[Service]\nExecStart=python3 /srv/box-mirror.py\n")
    (root / "etc/systemd/system/multi-user.target.wants/mirror.service").symlink_to("../mirror.service")
    return root / "srv/mirror"


def adapted(text, *changes):
    """A shipped example with what a test must have otherwise; each is found exactly once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def boot(root, job, times=1):
    """Boots the tree, which restarts itself so often; what its job said, when that ended well."""
    said = booted.boot(root, job, times, patience=900, more=["--resolv-conf=off"])
    assert (job / "boots").read_text().strip() == str(times)
    return said


def make_packages(archive, work, packages):
    """Packages of apt made here, {name: {path: text of a program}}; "postinst" is no path but its own script."""
    stanzas = b""
    archive.mkdir(parents=True, exist_ok=True)
    for name, files in packages.items():
        control = "Package: %s\nVersion: 1.1-1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: for a test\n" % name
        put(work / name / "DEBIAN/control", control)
        for path, text in files.items():
            put(work / name / ("DEBIAN/postinst" if path == "postinst" else path), text, 0o755)
        deb = archive / (name + "_1.1-1_all.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", work / name, deb], check=True, capture_output=True)
        body = deb.read_bytes()
        stanzas += ("%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n" % (
            control, deb.name, len(body), hashlib.sha256(body).hexdigest())).encode()
    with open(archive / "Packages.gz", "ab") as known:
        known.write(gzip.compress(stanzas))
