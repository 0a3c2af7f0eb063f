#!/usr/bin/python3
"""A line to an SFTP server that counts, may be narrow, and may go dead: tend says to it what it would say to ssh.

usage: sftp_line.py FOLDER BYTES_PER_SECOND SSH...    0: as fast as it goes
Leaves in a file of its own in FOLDER a line for each request that came: its kind, and of a write the offset and the bytes of it. While
FOLDER.dead_at is there, nothing goes on once so many bytes were written.
"""

import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

KINDS = {1: "init", 3: "open", 4: "close", 5: "read", 6: "write", 7: "lstat", 8: "fstat", 9: "setstat", 10: "fsetstat", 11: "opendir",
         12: "readdir", 13: "remove", 14: "mkdir", 15: "rmdir", 16: "realpath", 17: "stat", 18: "rename", 19: "readlink",
         20: "symlink"}


class Line:
    """What all connections of a test have said."""

    def __init__(self, folder, bytes_per_second=0):
        self.folder = folder
        self.folder.mkdir()
        self.bytes_per_second = bytes_per_second
        self.dead_at = folder.with_suffix(".dead_at")

    def goes_dead(self, at):
        self.dead_at.write_text(str(int(at)))

    def goes_on(self):
        self.dead_at.unlink()

    def command(self, ssh):
        return "/usr/bin/python3 %s %s %d %s" % (os.path.abspath(__file__), self.folder, self.bytes_per_second, ssh)

    def requests(self):
        """[(kind, offset, bytes)]; the end of a line that is being written is not there yet."""
        lines = [line.split(" ") for path in self.folder.iterdir() for line in path.read_text().split("\n")[:-1]]
        return [(words[0], int(words[1]), int(words[2])) if len(words) > 1 else (words[0], 0, 0) for words in lines]

    def written(self):
        return sum(size for _, _, size in self.requests())

    def forget(self):
        for path in self.folder.iterdir():
            os.truncate(path, 0)


def text_at(body, at):
    length, = struct.unpack_from(">I", body, at)
    return body[at + 4:at + 4 + length], at + 4 + length


def told(body):
    """One request, without its length."""
    if body[0] == 200:
        return text_at(body, 5)[0].decode().partition("@")[0]
    kind = KINDS.get(body[0], str(body[0]))
    if kind != "write":
        return kind
    _, at = text_at(body, 5)
    return "write %d %d" % (struct.unpack_from(">Q", body, at)[0], len(text_at(body, at + 8)[0]))


def await_the_other_end():
    ended = select.poll()
    ended.register(0, 0)
    ended.poll()


def main(folder, speed, ssh):
    limit = Path(folder + ".dead_at")
    dead_at = int(limit.read_text()) if limit.exists() else None
    written = 0
    with subprocess.Popen(ssh, stdin=subprocess.PIPE) as child, open("%s/%d" % (folder, os.getpid()), "a", buffering=1,
                                                                      encoding="ascii") as seen:
        kept = b""
        while True:
            select.select([0], [], [])  # ssh makes its output one that does not wait, and that is the same socket
            got = os.read(0, max(4096, speed // 256) if speed else 1 << 18)
            if not got:
                break
            if speed:
                time.sleep(len(got) / speed)
            child.stdin.write(got)
            child.stdin.flush()
            kept += got
            while len(kept) >= 4 and len(kept) >= 4 + (length := struct.unpack_from(">I", kept)[0]):
                line = told(kept[4:4 + length])
                seen.write(line + "\n")
                written += int(line.split(" ")[2]) if line.startswith("write ") else 0
                kept = kept[4 + length:]
            if dead_at is not None and written >= dead_at:
                await_the_other_end()
                break
        child.stdin.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
