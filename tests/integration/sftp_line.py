#!/usr/bin/python3
"""A line to an SFTP server that counts, may be narrow, and may go dead: tend says to it what it would say to ssh.

usage: sftp_line.py FOLDER BYTES_PER_SECOND SSH...    0: as fast as it goes
Leaves in a file of its own in FOLDER a line for each request that came: its kind, and of a write the offset and the bytes of it; in one
in FOLDER.most how many were without an answer at most. While FOLDER.dead_at is there, nothing goes on once so many bytes were written.
FOLDER.breaks: the connection breaks after the RENAME of what ends so, and no new one is had while FOLDER.away is there. FOLDER.holds:
answers to requests of this kind wait as long as it is there.
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
        self.away = folder.with_suffix(".away")
        self.most_folder = folder.with_suffix(".most")
        self.most_folder.mkdir()

    def goes_dead(self, at):
        self.dead_at.write_text(str(int(at)))

    def goes_on(self):
        self.dead_at.unlink()

    def breaks_after_the_rename_of(self, name):
        """From then on `away` is there; who wants connections again removes it."""
        self.folder.with_suffix(".breaks").write_text(name)

    def holds(self, kind):
        self.folder.with_suffix(".holds").write_text(kind)

    def lets_go(self):
        self.folder.with_suffix(".holds").unlink()

    def most(self):
        """Of each connection: how many requests were on their way at once."""
        return [int(path.read_text() or 0) for path in self.most_folder.iterdir()]

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


def write_all(fd, data):
    """Also to one that does not wait: ssh makes its ends so, and ours may be the same socket."""
    while data:
        select.select([], [fd], [])
        data = data[os.write(fd, data):]


def packets(kept):
    """The whole ones, and the rest."""
    found = []
    while len(kept) >= 4 and len(kept) >= 4 + (length := struct.unpack_from(">I", kept)[0]):
        found.append(kept[:4 + length])
        kept = kept[4 + length:]
    return found, kept


class Talk:
    """One connection."""

    def __init__(self, folder, speed, child, seen):
        self.folder = folder
        self.speed = speed
        self.child = child
        self.seen = seen
        limit = Path(folder + ".dead_at")
        self.dead_at = int(limit.read_text()) if limit.exists() else None
        self.written = 0
        self.open = {}  # id: kind of request
        self.most = 0
        self.questions = b""
        self.answers = b""
        self.held = []

    def asks(self):
        """False: there is nothing more to come."""
        got = os.read(0, max(4096, self.speed // 256) if self.speed else 1 << 18)
        if not got:
            return False
        if self.speed:
            time.sleep(len(got) / self.speed)
        whole, self.questions = packets(self.questions + got)
        for packet in whole:
            self.child.stdin.write(packet)
            if not self.note(packet[4:]):
                return False
        self.child.stdin.flush()
        if self.dead_at is not None and self.written >= self.dead_at:
            await_the_other_end()
            return False
        return True

    def note(self, body):
        """False: this was the last one that the server is to get."""
        line = told(body)
        self.seen.write(line + "\n")
        kind = line.split(" ")[0]
        if kind == "write":
            self.written += int(line.split(" ")[2])
        if kind != "init":
            self.open[body[1:5]] = kind
            if len(self.open) > self.most:
                self.most = len(self.open)
                Path("%s.most/%d" % (self.folder, os.getpid())).write_text(str(self.most))
        breaks = Path(self.folder + ".breaks")
        if kind != "rename" or not breaks.exists() or not text_at(body, 5)[0].decode().endswith(breaks.read_text()):
            return True
        breaks.unlink()
        self.child.stdin.flush()
        self.await_answer(body[1:5])
        Path(self.folder + ".away").touch()
        return False

    def await_answer(self, number):
        """A server that hears the end does no more, also of what it was asked for before."""
        while number not in [packet[5:9] for packet in self.held]:
            whole, self.answers = packets(self.answers + os.read(self.child.stdout.fileno(), 1 << 18))
            self.held += whole

    def is_held(self, packet):
        holds = Path(self.folder + ".holds")
        return holds.exists() and self.open.get(packet[5:9]) == holds.read_text()

    def answers_come(self):
        got = os.read(self.child.stdout.fileno(), 1 << 18)
        whole, self.answers = packets(self.answers + got)
        self.held += whole
        self.let_go()
        return bool(got)

    def let_go(self):
        waits = []
        for packet in self.held:
            if self.is_held(packet):
                waits.append(packet)
                continue
            self.open.pop(packet[5:9], None)
            write_all(1, packet)
        self.held = waits


def talk(one):
    sources = [0, one.child.stdout]
    while True:
        ready, _, _ = select.select(sources, [], [], 0.02 if one.held else None)
        one.let_go()
        if one.child.stdout in ready and not one.answers_come():
            return
        if 0 in ready and not one.asks():
            return


def main(folder, speed, ssh):
    if Path(folder + ".away").exists():
        sys.exit("ssh: connect to host: Connection refused")
    with subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child, open(
            "%s/%d" % (folder, os.getpid()), "a", buffering=1, encoding="ascii") as seen:
        try:
            talk(Talk(folder, speed, child, seen))
        finally:
            child.stdin.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
