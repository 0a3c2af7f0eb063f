"""The cloud machine of a person, whole: a bare Debian, tend, and conf/jupyter-vm.ini; in a container that systemd boots.

What differs from the shipped file is in `ADAPTED`: the remote is a real S3 server of the tests, the key one that the test can log in
with. Everything else is as a person has it: the packages come by apt (from an archive in the tree), and repo.anaconda.com and
github.com are a server in the tree that speaks https for these names. What these two hold are stand-ins of the same layout:
conda's installer (support/box-conda.sh; its jupyter and glances are Debian's), and a fenv of a few lines.

servers: s3_rgw
one build
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from booted import SOURCE, SUPPORT, boot, furnish, installed, put
from stores import S3
from test_systemd import JOB

sys.path.insert(0, str(SUPPORT))
line = __import__("box-mirror").line

# What a rented machine has before tend comes; jupyter and glances are what the stand-in of conda points to.
THERE = "jupyter-notebook,glances,python3-bottle,sudo,openssh-server,iproute2,ca-certificates,libpam-systemd"
# What its steps install: in an archive that lies in the tree.
LATER = "fish,tmux,mosh,ufw,git,curl,bzip2"

FENV = """function fenv
	for line in (bash -c "$argv >/dev/null 2>&1; env -0" | string split0)
		set -l parts (string split -m 1 = -- $line)
		contains -- $parts[1] PWD SHLVL _; or set -gx $parts[1] $parts[2]
	end
end
"""
NOTEBOOK = """{"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# Grüße"}], "metadata": {}, "nbformat": 4,
"nbformat_minor": 4}
"""


def adapted(store, key):
    """The shipped example with the remote and the key of this test; each is found exactly once."""
    text = (SOURCE / "conf/jupyter-vm.ini").read_text()
    for old, new in (
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEexampleEXAMPLEexampleEXAMPLEexample soph@laptop", key),
            ("bucket = my-notebooks", "bucket = %s\nprefix = %s\nendpoint = http://127.0.0.1:9000" % (store.bucket, store.prefix)),
            ("region = eu-central-1", "region = " + store.region),
            ("access_key_id = AKIAEXAMPLE", "access_key_id = " + store.access)):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def seen_from_inside(store, path):
    """The S3 server as a socket in the file system."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    host, port = store.server.partition("//")[2].split(":")
    threading.Thread(target=line, args=(listener, lambda: socket.create_connection((host, int(port)))), daemon=True).start()
    try:
        yield
    finally:
        listener.close()


def make_repository(place, work):
    """As a server that knows nothing of git gives it."""
    tree = work / "fenv"
    put(tree / "functions/fenv.fish", FENV)
    words = ["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "fenv"]):
        subprocess.run(["git", *words, "-C", tree, *command], check=True, capture_output=True)
    subprocess.run(["git", *words, "clone", "-q", "--bare", tree, place], check=True, capture_output=True)
    subprocess.run(["git", *words, "-C", place, "update-server-info"], check=True)


def make_world(root, work):
    """What the steps find outside: the archive of packages, two https servers, nothing else."""
    for path in (root / "etc/apt/sources.list.d").iterdir():
        path.unlink()
    put(root / "etc/apt/sources.list", "deb [trusted=yes] file:/srv/apt ./\n")
    mirror = root / "srv/mirror"
    make_repository(mirror / "github.com/oh-my-fish/plugin-foreign-env", work)
    installer = mirror / "repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh"
    installer.parent.mkdir(parents=True)
    shutil.copy(SUPPORT / "box-conda.sh", installer)
    shutil.copy(SUPPORT / "box-mirror.py", root / "srv")
    subprocess.run([SUPPORT / "make-tls", root / "srv/tls", "repo.anaconda.com", "github.com"], check=True)
    with open(root / "etc/ssl/certs/ca-certificates.crt", "a", encoding="utf-8") as known:
        known.write((root / "srv/tls/ca.pem").read_text())
    put(root / "etc/hosts", "127.0.0.1 localhost repo.anaconda.com github.com\n")
    put(root / "etc/systemd/system/mirror.service",
        "[Unit]\nBefore=tend.service\n[Service]\nExecStart=python3 /srv/box-mirror.py\n")
    (root / "etc/systemd/system/multi-user.target.wants/mirror.service").symlink_to("../mirror.service")


@pytest.fixture
def job():
    place = Path(tempfile.mkdtemp(prefix="tend-box-"))  # short: a socket lies in it
    yield place
    shutil.rmtree(place)


def test_the_box(job, tmp_path):
    store = S3("s3_rgw", tmp_path)
    deep = os.urandom(3 << 20)
    store.put("notebooks/first.ipynb", NOTEBOOK.encode())
    store.put("notebooks/deep/er/deep.bin", deep)
    (job / "first.ipynb").write_text(NOTEBOOK)
    (job / "deep.bin").write_bytes(deep)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "soph@laptop", "-f", job / "key"], check=True)
    for name in ("box-job.sh", "job.sh"):
        shutil.copy(SUPPORT / name, job / name.replace("box-job", "run"))
    with installed(THERE, LATER) as root, seen_from_inside(store, job / "s3"):
        furnish(root, adapted(store, (job / "key.pub").read_text().strip()), JOB)
        put(root / "etc/tend/secrets/s3", store.secret + "\n", 0o600)
        make_world(root, tmp_path)
        boot(root, job, patience=900, more=["--resolv-conf=off"])
    assert (job / "boots").read_text().strip() == "2"
    assert store.read("notebooks/deep/er/deep.bin") == deep
    assert b'"nbformat": 4' in store.read("notebooks/second.ipynb")
