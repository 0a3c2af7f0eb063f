"""A machine with tend on a kernel of its own, emulated (support/boot-vm), for tests that see more than one of its lives: it has a disk
that outlives it, reaches the servers of this machine, and is heard on its serial line."""

import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from booted import SUPPORT, made, put

HOST = "10.0.2.2"  # what is 127.0.0.1 here, as the machine sees it
PATIENCE = 300.0  # seconds: a boot takes one of them where nothing else runs

# Instead of udev, which is not in the tree: the disk, and a network that ends at this machine.
WORLD = """#!/bin/sh -eu
for i in $(seq 600); do
	[ -b /dev/vda ] && [ -e /sys/class/net/eth0 ] && break
	sleep 0.1
done
mkdir -p /data
mount /dev/vda /data
mkdir -p /data/state /var/lib/tend
mount --bind /data/state /var/lib/tend
ip link set lo up
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
"""
UNIT = """[Unit]
After=systemd-modules-load.service
Before=tend.service tend-services.service job.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/srv/world
StandardError=journal+console
"""


def equip(root, kernel):
    """Into the tree: the kernel's modules and what brings the disk and the network up."""
    shutil.copytree(Path(kernel).parent / "lib/modules", root / "usr/lib/modules", dirs_exist_ok=True)
    for version in (root / "usr/lib/modules").iterdir():
        subprocess.run(["chroot", root, "depmod", version.name], check=True)
    put(root / "etc/modules-load.d/vm.conf", "virtio_pci\nvirtio_blk\nvirtio_net\n")
    put(root / "srv/world", WORLD, 0o755)
    put(root / "etc/systemd/system/world.service", UNIT)
    (root / "etc/systemd/system/multi-user.target.wants/world.service").symlink_to("../world.service")


def make_disk(path, size="1G"):
    """An empty disk with a file system."""
    subprocess.run(["truncate", "-s", size, path], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True)
    return path


def read_disk(disk, place):
    """All that lies on a disk, as it would be found after a power cut: a copy, whose journal is played back first."""
    copy = place.with_suffix(".copy")
    subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
    checked = subprocess.run(["e2fsck", "-fy", copy], capture_output=True, text=True)
    assert checked.returncode in (0, 1), checked.stdout + checked.stderr  # 1: the journal was played back
    place.mkdir()
    subprocess.run(["debugfs", "-R", "rdump / %s" % place, copy], check=True, capture_output=True)
    copy.unlink()
    return place


class Machine:
    """One life of it: `packed` is the tree as pack-tree packs it, `disk` what is at /data, `words` the kernel hears."""

    def __init__(self, kernel, packed, disk, words):
        self.lines = []
        self.more = threading.Condition()
        self.process = subprocess.Popen(
            [SUPPORT / "boot-vm", kernel, packed, "0", "-drive", "file=%s,format=raw,if=none,id=disk" % disk,
             "-device", "virtio-blk-pci,drive=disk", "-netdev", "user,id=net,ipv6=off", "-device", "virtio-net-pci,netdev=net,romfile="],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, APPEND=words))
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\r\n")
            print(text, flush=True)
            with self.more:
                self.lines.append(text)
                self.more.notify_all()

    def found(self, text):
        return next((match for match in (re.search(text, line) for line in self.lines) if match), None)

    def until(self, text, patience=PATIENCE):
        """Waits for a line with this regular expression; its match."""
        end = time.monotonic() + patience
        with self.more:
            while True:
                failed = self.found("FAILED: ")
                match = self.found(text)
                if match:
                    return match
                assert not failed, failed.string
                assert self.process.poll() is None, "the machine ended before it said '%s'" % text
                assert time.monotonic() < end, "the machine did not say '%s'" % text
                self.more.wait(1)

    def until_off(self, patience=PATIENCE):
        """It goes by itself."""
        code = self.process.wait(patience)
        self.listener.join()
        failed = self.found("FAILED: ")
        assert not failed, failed.string
        assert code == 0

    def kill(self):
        """As when the plug is pulled."""
        self.process.kill()
        self.process.wait()
        self.listener.join()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()
