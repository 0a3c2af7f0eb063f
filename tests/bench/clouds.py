#!/usr/bin/python3
"""5,000 files of 1 to 16 KiB, and one of 2 GiB, to Apache's mod_dav, Azurite and OpenSSH's sshd against rclone copy.

usage: clouds.py [FILES [BYTES [KIND...]]]    0: without these; KIND: dav_apache azure_azurite sftp_sshd
"""

import os
import shutil
import statistics
import sys
from pathlib import Path

from bench import make_files, make_large, room, say, served, tend_once, timed
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


def store_of(base, kind):
    return Sftp("tend") if kind == "sftp_sshd" else {"dav": WebDav, "azure": Azure}[kind.split("_")[0]](kind, base)


def rclone_once(store, source, words):
    environment, to = dict(os.environ, **store.env), store.address()
    if store.kind == "tend":
        keys = Path(store.configuration).parent
        port = (keys / "server").read_text().splitlines()[2]
        environment.update(RCLONE_SFTP_HOST="127.0.0.1", RCLONE_SFTP_PORT=port, RCLONE_SFTP_KEY_FILE=str(keys / "id"),
                           RCLONE_SFTP_KNOWN_HOSTS_FILE=str(keys / "known_hosts"))
        to = ":sftp:" + to
    return timed(["rclone", "copy", "--config", "/dev/null", *words, str(source), to], env=environment)


def measure(base, kind, source, figure, settings, target, **more):
    tend, peer = [], []
    for _ in range(ROUNDS):
        with served(base, kind):
            tend.append(tend_once(base / "tend", store_of(base, kind).section() + "[folder all]\npath = %s\nremote = cloud:\n" % source))
        runs = []
        for words in settings:
            with served(base, kind):
                runs.append(rclone_once(store_of(base, kind), source, words))
        peer.append(runs)
    name = "rclone copy, best of " + " / ".join(" ".join(words) or "its defaults" for words in settings)
    for at, unit, most in ((0, "wall", target), (1, "cpu", 0.4)):
        best = [statistics.median(run[i][at] for run in peer) for i in range(len(settings))]
        say("clouds", "%s %s, %s" % (kind, figure, unit), "s", statistics.median(run[at] for run in tend), min(best), name, most,
            all=[[round(run[at], 2) for run in tend], [[round(one[at], 2) for one in run] for run in peer]], **more)


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
