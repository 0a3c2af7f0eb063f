#!/usr/bin/python3
"""A folder of 10,000 files gets another name: how many requests move it where the store has folders, and how many bytes of bodies travel
where each file is copied over there.

usage: renames.py [FILES [STORE...]]    STORE: directory sftp_sshd dav_apache gdrive s3_rgw azure_azurite
"""

import contextlib
import shutil
import sys
import time

from bench import Daemon, make_files, room, say, served
from heard import FLAT, FOLDERS, heard_store, moves_alone


def measure(base, name, files):
    home = base / ("of-" + name)
    listeners, source = home / "listeners", home / "source"
    listeners.mkdir(parents=True)
    make_files(source, files, 1, 64, per_folder=files)
    with contextlib.ExitStack() as stack:
        if name not in ("directory", "gdrive"):
            stack.enter_context(served(base, name))
        store = stack.enter_context(heard_store(name, home, listeners, lambda: daemon.process.pid))
        daemon = Daemon(home / "tend", store.section() + "[folder all]\npath = %s\nremote = cloud:\n" % source)
        daemon.start()
        daemon.durable()
        begun = time.monotonic()
        with store.heard() as heard:
            (source / "d0000").rename(source / "renamed")
            daemon.durable()
        wall = round(time.monotonic() - begun, 2)
        daemon.stop()
    if name in FOLDERS:
        say("renames", name, "requests that change something", moves_alone(store, heard), 1, "one", 1.0, files=files, asked=len(heard),
            wall=wall)
    else:
        say("renames", name, "bytes of bodies", sum(int(line.split(" ")[1]) for line in heard), 1, "a byte", 0, files=files,
            asked=len(heard), wall=wall)


def main(files, names):
    base = room()
    try:
        for name in names or [*FOLDERS, *FLAT]:
            measure(base, name, files)
    finally:
        shutil.rmtree(base, ignore_errors=True)


main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000, sys.argv[2:])
