"""Installed as a service: the release build in a container that systemd boots.

one build
"""

import os
import shutil

import pytest

from booted import SUPPORT, boot, furnish, installed, put

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

[folder theirs]
path = /srv/theirs
remote = disk:theirs
settle = 100ms
user = nobody

[service one]
command = /srv/only one
network = no

[service count]
command = i=0; while :; do echo n$i; i=$((i+1)); sleep 0.01; done
shell = yes
network = no
log_max_size = none
"""
MORE = """
[service two]
command = /srv/only two
network = no
"""

JOB = """[Unit]
After=tend.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'n=$$(($$(cat /job/boots 2>/dev/null || echo 0) + 1)); echo $$n >/job/boots; \
/job/run.sh $$n >>/job/out 2>&1; rc=$$?; \
if [ $$rc = 133 ]; then systemctl --no-block reboot; else echo $$rc >/job/rc; systemctl --no-block poweroff; fi'
"""


@pytest.fixture
def root():
    with installed() as tree:
        yield tree


def fill(root, job):
    furnish(root, INI + "\n[tend]\nshutdown_timeout = 3s\n", JOB)
    put(root / "etc/tend/more", MORE)
    put(root / "etc/credential", "a secret\n", 0o600)
    put(root / "etc/systemd/system/tend.service.d/test.conf", "[Service]\nLoadCredential=key:/etc/credential\n")
    (root / "srv/away").mkdir()
    for name, owner in (("mine", 65534), ("roots", 0)):
        put(root / "srv/theirs" / name, "in the sandbox of the unit\n", 0o600)
        os.chown(root / "srv/theirs" / name, owner, owner)
    shutil.copy(SUPPORT / "nspawn-job.sh", job / "run.sh")
    shutil.copy(SUPPORT / "job.sh", job)


def test_installed(root, tmp_path):
    job = tmp_path
    fill(root, job)
    boot(root, job)
    assert (job / "boots").read_text().strip() == "2"
