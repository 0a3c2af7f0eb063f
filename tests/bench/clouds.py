#!/usr/bin/python3
"""5,000 files of 1 to 16 KiB, and one of 2 GiB, to Apache's mod_dav, Azurite and OpenSSH's sshd against rclone copy.

Of the large one the floor too: a loop that reads it, hashes it as that cloud's conventions want, and sends it in the clear, to a
socket of this machine or, for sshd, into ssh; against the same rclone.

usage: clouds.py [FILES [BYTES [KIND...]]]    0: without these; KIND: dav_apache azure_azurite sftp_sshd
"""

import hashlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import best, cpu_since, make_files, make_large, middle, room, say, served, tend_once, timed
from stores import Azure, Sftp, WebDav

ROUNDS = 3
TRANSFERS = [["--transfers", n] for n in ("4", "8", "32")]
# A process a file at the server: 6 files a second, so that no setting with it is the best one for small files.
NO_HASHES = ["--sftp-disable-hashcheck"]
# What rclone has for a large file, beside its defaults. It parts none that goes to WebDAV.
LARGE = {
    "dav_apache": [[]],
    "azure_azurite": [[], ["--azureblob-chunk-size", "8M"], ["--azureblob-chunk-size", "32M", "--azureblob-upload-concurrency", "4"]],
    "sftp_sshd": [[], NO_HASHES, [*NO_HASHES, "--sftp-chunk-size", "255k"]],
}


# What rclone's own SSH agrees on; OpenSSH's default costs twice as much where the processor has instructions for AES.
CIPHER = " -c aes128-gcm@openssh.com"


def store_of(base, kind):
    if kind != "sftp_sshd":
        return {"dav": WebDav, "azure": Azure}[kind.split("_")[0]](kind, base)
    store = Sftp("tend")
    store.ssh += CIPHER
    return store


def rclone_once(store, source, words):
    environment, to = dict(os.environ, **store.env), store.address()
    if store.kind == "tend":
        keys = Path(store.configuration).parent
        port = (keys / "server").read_text().splitlines()[2]
        environment.update(RCLONE_SFTP_HOST="127.0.0.1", RCLONE_SFTP_PORT=port, RCLONE_SFTP_KEY_FILE=str(keys / "id"),
                           RCLONE_SFTP_KNOWN_HOSTS_FILE=str(keys / "known_hosts"))
        to = ":sftp:" + to
    return timed(["rclone", "copy", "--config", "/dev/null", *words, str(source), to], env=environment)


# Azure compares each block by its MD5, and keeps that of the whole; elsewhere the hash is ours to choose.
HASHES = {"dav_apache": ["sha256"], "azure_azurite": ["md5", "md5"], "sftp_sshd": ["sha256"]}


def floor_once(kind, store, path):
    """CPU seconds, without the receiver's. The hashes are computed where the bytes were just read."""
    ours, theirs = socket.socketpair() if kind == "sftp_sshd" else (None, None)
    if kind == "sftp_sshd":
        sink = subprocess.Popen([*store.ssh.split(), store.kind, "cat >/dev/null"], stdin=theirs)
        theirs.close()
    else:
        server = socket.create_server(("127.0.0.1", 0))
        reader = os.fork()
        if reader == 0:
            taken, room_for = server.accept()[0], bytearray(1 << 20)
            while taken.recv_into(room_for):
                pass
            os._exit(0)
        ours = socket.create_connection(server.getsockname())
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    before, part = time.process_time(), bytearray(8 << 20)
    hashes = [hashlib.new(name) for name in HASHES[kind]]
    with open(path, "rb", buffering=0) as file:
        while (got := file.readinto(part)):
            for one in hashes:
                one.update(memoryview(part)[:got])
            ours.sendall(memoryview(part)[:got])
    ours.close()
    own = time.process_time() - before
    if kind != "sftp_sshd":
        os.waitpid(reader, 0)
        return own
    sink.wait()
    return own + cpu_since(children)


def measure(base, kind, source, figure, settings, target, **more):
    tend, peer, bare = [], [], []
    for _ in range(ROUNDS):
        with served(base, kind):
            if figure == "large":
                bare.append(floor_once(kind, store_of(base, kind), source / "large"))
            tend.append(tend_once(base / "tend", store_of(base, kind).section() + "[folder all]\npath = %s\nremote = cloud:\n" % source))
        runs = []
        for words in settings:
            with served(base, kind):
                runs.append(rclone_once(store_of(base, kind), source, words))
        peer.append(runs)
    name = "rclone copy, best of " + " / ".join(" ".join(words) or "its defaults" for words in settings)
    for at, unit, most in ((0, "wall", target), (1, "cpu", 0.4)):
        least = best(peer, at)
        say("clouds", "%s %s, %s" % (kind, figure, unit), "s", middle(tend, at), least, name, most,
            all=[[round(run[at], 2) for run in tend], [[round(one[at], 2) for one in run] for run in peer]], **more)
    if bare:
        say("clouds", "%s %s, floor, cpu" % (kind, figure), "s", statistics.median(bare), least, name, most, **more)


def main(files, size, kinds):
    base = room()
    try:
        small, large = base / "small", base / "large"
        if files:
            make_files(small, files, 1024, 16384)
        if size:
            make_large(large, size)
        for kind in kinds or LARGE:
            if files:
                settings = [words + (NO_HASHES if kind == "sftp_sshd" else []) for words in TRANSFERS]
                measure(base, kind, small, "small", settings, 0.8, files=files)
            if size:
                measure(base, kind, large, "large", LARGE[kind], 1.0, bytes=size)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main(*([int(word) for word in sys.argv[1:3]] + [5000, 2 << 30][len(sys.argv[1:3]):]), sys.argv[3:])
