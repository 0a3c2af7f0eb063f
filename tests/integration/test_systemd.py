"""Installed as a service: the release build in a container that systemd boots.

one build
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
SOURCE = HERE.parents[1]

INI = """[remote disk]
type = directory
path = /srv/remote
requests_per_second = 10

[remote away]
type = s3
bucket = b
endpoint = http://127.0.0.1:9
access_key_id = id
secret_access_key_file = credential:key

[folder data]
path = /srv/data
remote = disk:data
settle = 100ms

[folder away]
path = /srv/away
remote = away:x

[service one]
command = /srv/only one
network = no
"""
MORE = """
[service two]
command = /srv/only two
network = no
"""
# Finds out when it runs twice, and says good-bye.
ONLY = """#!/bin/bash
exec 9>>/srv/lock.$1
flock -n 9 || { touch /srv/twice; exit 9; }
echo $$ >/srv/pid.$1
trap 'echo bye >/srv/data/said; exit 0' TERM
while :; do sleep 0.1; done
"""


@pytest.fixture
def root():
    """A tree with tend installed in it by cmake --install."""
    release = SOURCE / "build/release"
    assert (release / "bin/tendd").exists(), "build for release first: cmake --preset release && ninja -C build/release"
    made = subprocess.run([SUPPORT / "make-root"], capture_output=True, text=True, timeout=700)
    assert made.returncode == 0, made.stderr
    root = Path(tempfile.mkdtemp(prefix="tend-root-", dir="/var/tmp"))
    try:
        subprocess.run(["tar", "-xf", made.stdout.strip(), "-C", root, "--exclude=./dev/*"], check=True)
        subprocess.run(["cmake", "--install", release, "--prefix", "/usr"], env=dict(os.environ, DESTDIR=str(root)), check=True,
                       capture_output=True)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def put(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def furnish(root, job):
    put(root / "etc/tend/tend.ini", INI)
    put(root / "etc/tend/more", MORE)
    put(root / "etc/credential", "a secret\n", 0o600)
    put(root / "etc/systemd/system/tend.service.d/test.conf", "[Service]\nLoadCredential=key:/etc/credential\n")
    put(root / "srv/only", ONLY, 0o755)
    put(root / "srv/data/file", "file\n")
    for name in ("remote", "away"):
        (root / "srv" / name).mkdir()
    with open(root / "etc/tend/tend.ini", "a") as ini:
        ini.write("\n[tend]\nshutdown_timeout = 3s\n")
    shutil.copy(SUPPORT / "nspawn-job.sh", job / "run.sh")
    put(root / "etc/systemd/system/job.service",
        "[Unit]\nAfter=tend.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c '"
        "n=$$(($$(cat /job/boots 2>/dev/null || echo 0) + 1)); echo $$n >/job/boots; /job/run.sh $$n >>/job/out 2>&1; rc=$$?; "
        "if [ $$rc = 133 ]; then systemctl --no-block reboot; else echo $$rc >/job/rc; systemctl --no-block poweroff; fi'\n")
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    for unit, place in (("tend.service", "/usr/lib/systemd/system/"), ("tend-services.service", "/usr/lib/systemd/system/"),
                        ("job.service", "../")):
        (wants / unit).symlink_to(place + unit)


def test_installed(root, tmp_path):
    job = tmp_path
    furnish(root, job)
    for _ in range(2):
        booted = subprocess.run(
            ["systemd-nspawn", "-q", "-D", root, "--bind=%s:/job" % job, "--register=no", "--keep-unit", "--private-network",
             "--machine=tend-test-%d" % os.getpid(), "-b", "--console=pipe"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, errors="replace",
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        if booted.returncode != 133:
            break
    said = (job / "out").read_text() if (job / "out").exists() else booted.stdout[-4000:] + booted.stderr
    print(said)
    assert (job / "rc").exists() and (job / "rc").read_text().strip() == "0", said
    assert (job / "boots").read_text().strip() == "2"
