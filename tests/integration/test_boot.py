"""Installed on a kernel that boots, with all cgroup controllers, which a container does not have: SERVICES.md §8, trap 1.

one build
"""

import re
import shutil
import subprocess

from booted import SUPPORT, furnish, installed, made

INI = """[remote disk]
type = directory
path = /srv/remote

[folder data]
path = /srv/data
remote = disk:data
settle = 100ms

[service one]
command = /srv/only one
network = no
memory_max = 256MiB
cpu_max = 50%

[service hungry]
command = perl -e '$x = "x" x (128 << 20); sleep 1000'
network = no
memory_max = 32MiB
restart = never

[service family]
command = echo $$ >/srv/pid.family; perl -e '$x = "x" x (128 << 20); sleep 1000'; exec sleep 1000
shell = yes
network = no
memory_max = 32MiB

[service shell]
command = perl -e '$x = "x" x (128 << 20); sleep 1000'; exit 9
shell = yes
network = no
memory_max = 32MiB
restart = never
"""
# The machine is an emulated one: it takes its time.
JOB = """[Unit]
After=tend.service
[Service]
Type=oneshot
Environment=PATIENCE=120
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStart=/bin/sh -c '/job/boot-job.sh; echo "the job ended with $$?"; systemctl poweroff --force --force'
"""


def test_booted():
    with installed() as root:
        furnish(root, INI, JOB)
        for name in ("boot-job.sh", "job.sh"):
            (root / "job").mkdir(exist_ok=True)
            shutil.copy(SUPPORT / name, root / "job")
        booted = subprocess.run([SUPPORT / "boot-vm", made("make-kernel"), root, "600"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, errors="replace", timeout=700)
    said = booted.stdout + booted.stderr
    print(said)
    ended = re.search(r"the job ended with (\d+)", said)
    assert ended and ended.group(1) == "0", said[-8000:]
    assert booted.returncode == 0
