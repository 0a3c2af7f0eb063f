"""A rented GPU, whole: a bare Debian, tend, and conf/paperspace-gpu.ini, in a container that systemd boots.

What differs from the shipped file is the remote, a real S3 server of the tests. Everything else is as a person has it; the archives of
NVIDIA and of the distribution hold stand-ins: a driver that wants a restart, CUDA and cuDNN of one file each.

servers: s3_rgw
one build
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from booted import SOURCE, SUPPORT, furnish, installed, put
from mirrored import boot, make_mirror, make_packages, seen_from_inside
from stores import S3
from test_box import LATER, THERE
from test_systemd import JOB

CUDA = "compute/cuda/repos/ubuntu2204/x86_64"
LIST = "deb [trusted=yes] https://developer.download.nvidia.com/%s /\n" % CUDA
DRIVERS = """#!/bin/sh -eu
[ "$*" = 'install --gpgpu' ]
echo "$DEBIAN_FRONTEND" >>/srv/drivers
apt-get -q -y install nvidia-utils-550-server
"""
OF_THE_DISTRIBUTION = {
    "ubuntu-drivers-common": {"usr/bin/ubuntu-drivers": DRIVERS},
    "nvidia-utils-550-server": {"usr/bin/nvidia-smi": "#!/bin/sh\n", "postinst": "#!/bin/sh\ntouch /run/reboot-required\n"},
}
OF_NVIDIA = {
    "cuda-keyring": {"etc/apt/sources.list.d/cuda-ubuntu2204-x86_64.list": LIST},
    "cuda-toolkit-12-4": {"usr/local/cuda/bin/nvcc": "#!/bin/sh\necho release 12.4\n", "postinst": "#!/bin/sh\ncp /job/boots /srv/cuda\n"},
    "cudnn9-cuda-12": {"usr/include/cudnn.h": "#define CUDNN_MAJOR 9\n"},
}


def example(store):
    text, count = re.subn(
        r"(?m)^type = gdrive\nclient_secret_file = /etc/tend/secrets/google.json$",
        "type = s3\nbucket = %s\nprefix = %s\nendpoint = http://127.0.0.1:9000\nregion = %s\naccess_key_id = %s\n"
        "secret_access_key_file = /etc/tend/secrets/s3" % (store.bucket, store.prefix, store.region, store.access),
        (SOURCE / "conf/paperspace-gpu.ini").read_text())
    assert count == 1
    return text


@pytest.fixture
def job():
    place = Path(tempfile.mkdtemp(prefix="tend-gpu-"))  # short: a socket lies in it
    yield place
    shutil.rmtree(place)


def test_the_rented_gpu(job, tmp_path):
    store = S3("s3_rgw", tmp_path)
    results = os.urandom(3 << 20)
    store.put("work/results/deep.bin", results)
    (job / "deep.bin").write_bytes(results)
    for name in ("gpu-job.sh", "job.sh"):
        shutil.copy(SUPPORT / name, job / name.replace("gpu-job", "run"))
    with installed(THERE, LATER) as root, seen_from_inside(store.server, job / "s3"):
        furnish(root, example(store), JOB)
        put(root / "etc/tend/secrets/s3", store.secret + "\n", 0o600)
        mirror = make_mirror(root, "repo.anaconda.com", "developer.download.nvidia.com")
        put(mirror / "repo.anaconda.com/miniconda/Miniconda3-latest-Linux-x86_64.sh", (SUPPORT / "box-conda.sh").read_text())
        make_packages(root / "srv/apt", tmp_path / "own", OF_THE_DISTRIBUTION)
        make_packages(mirror / "developer.download.nvidia.com" / CUDA, tmp_path / "nvidia", OF_NVIDIA)
        # Its image has a person already.
        subprocess.run(["chroot", root, "useradd", "-m", "-s", "/bin/bash", "ubuntu"], check=True)
        boot(root, job, times=2)
    assert store.read("work/results/deep.bin") == results
    assert store.read("work/notes.txt") == b"of today\n"
