"""A tree with tend installed that systemd boots: in a container (test_systemd.py), on a kernel of its own (test_boot.py)."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUPPORT = HERE.parent / "support"
SOURCE = HERE.parents[1]

# Finds out when it runs twice, and says good-bye.
ONLY = """#!/bin/bash
exec 9>>/srv/lock.$1
flock -n 9 || { touch /srv/twice; exit 9; }
echo $$ >/srv/pid.$1
trap 'echo bye >/srv/data/said; exit 0' TERM
while :; do sleep 0.1; done
"""


RELEASE = SOURCE / "build/release"


@contextlib.contextmanager
def bare(*packages):
    """The tree with these packages, without tend."""
    assert (RELEASE / "bin/tendd").exists(), "build for release first: cmake --preset release && ninja -C build/release"
    root = Path(tempfile.mkdtemp(prefix="tend-root-", dir="/var/tmp"))
    try:
        subprocess.run(["tar", "-xf", made("make-root", *packages), "-C", root, "--exclude=./dev/*"], check=True)
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def installed(*packages):
    """The tree, with these packages and the release build in it by cmake --install."""
    with bare(*packages) as root:
        subprocess.run(["cmake", "--install", RELEASE, "--prefix", "/usr"], env=dict(os.environ, DESTDIR=str(root)), check=True,
                       capture_output=True)
        yield root


def made(starter, *words):
    """The path that a script of tests/support prints, which makes it once."""
    ended = subprocess.run([SUPPORT / starter, *words], capture_output=True, text=True, timeout=1600)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def put(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def furnish(root, ini, job):
    """Its configuration, a service and a folder, and the unit `job`, which is to run when tend is up."""
    put(root / "etc/tend/tend.ini", ini)
    put(root / "srv/only", ONLY, 0o755)
    put(root / "srv/data/file", "file\n")
    (root / "srv/remote").mkdir()
    put(root / "etc/systemd/system/job.service", job)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    for unit, place in (("tend.service", "/usr/lib/systemd/system/"), ("tend-services.service", "/usr/lib/systemd/system/"),
                        ("job.service", "../")):
        (wants / unit).symlink_to(place + unit)


REBOOT = 133  # how systemd-nspawn ends where what it booted asks for a reboot


def boot(root, job, times=2, patience=240, more=()):
    """Boots the tree in a container that sees nothing but `job`, at /job; a reboot is booted again, `times` at most in all. What runs in
    it writes to /job/out, and how that ended to /job/rc."""
    for _ in range(times):
        booted = subprocess.run(
            ["systemd-nspawn", "-q", "-D", root, "--bind=%s:/job" % job, "--register=no", "--keep-unit", "--private-network",
             "--machine=tend-%s-%d" % (root.name[-8:].replace("_", "x"), os.getpid()), "-b", "--console=pipe", *more],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patience, errors="replace",
            env=dict(os.environ, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        if booted.returncode != REBOOT:
            break
    said = (job / "out").read_text() if (job / "out").exists() else booted.stdout[-4000:] + booted.stderr
    print(said)
    assert (job / "rc").exists() and (job / "rc").read_text().strip() == "0", said
    return said
