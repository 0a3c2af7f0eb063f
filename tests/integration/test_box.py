"""The cloud machine of a person, whole: a bare Debian, tend, and conf/jupyter-vm.ini; in a container that systemd boots.

What differs from the shipped file stands in `example`: the remote is a real S3 server of the tests, the key one that the test can log in
with. Everything else is as a person has it: the packages come by apt (from an archive in the tree), and repo.anaconda.com and
github.com are a server in the tree that speaks https for these names. What these two hold are stand-ins of the same layout:
conda's installer (support/box-conda.sh; its jupyter and glances are Debian's), and a fenv of a few lines.

servers: s3_rgw
one build
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from booted import SOURCE, SUPPORT, furnish, installed, put
from mirrored import adapted, boot, make_mirror, seen_from_inside
from stores import S3
from test_systemd import JOB

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


def example(store, key):
    """The shipped example with the remote and the key of this test."""
    return adapted(
        (SOURCE / "conf/jupyter-vm.ini").read_text(),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEexampleEXAMPLEexampleEXAMPLEexample soph@laptop", key),
        ("bucket = my-notebooks", "bucket = %s\nprefix = %s\nendpoint = http://127.0.0.1:9000" % (store.bucket, store.prefix)),
        ("region = eu-central-1", "region = " + store.region),
        ("access_key_id = AKIAEXAMPLE", "access_key_id = " + store.access))


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
    mirror = make_mirror(root, "repo.anaconda.com", "github.com")
    make_repository(mirror / "github.com/oh-my-fish/plugin-foreign-env", work)
    installer = mirror / "repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh"
    installer.parent.mkdir(parents=True)
    shutil.copy(SUPPORT / "box-conda.sh", installer)


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
    with installed(THERE, LATER) as root, seen_from_inside(store.server, job / "s3"):
        furnish(root, example(store, (job / "key.pub").read_text().strip()), JOB)
        put(root / "etc/tend/secrets/s3", store.secret + "\n", 0o600)
        make_world(root, tmp_path)
        boot(root, job, times=2)
    assert store.read("notebooks/deep/er/deep.bin") == deep
    assert b'"nbformat": 4' in store.read("notebooks/second.ipynb")
