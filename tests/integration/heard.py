"""What a server, or the kernel, is asked while tend moves a folder: by who listens before it."""

import contextlib
import os
import re
import subprocess

from drive_ground import Drive, Ground
from fault_proxy import before
from sftp_line import Line
from stores import S3, Azure, Directory, Sftp, WebDav
from tend import until

# What moves a folder with all in it there, and what else would change something.
FOLDERS = {
    "directory": (r"rename", r"linkat|unlinkat|mkdirat"),
    "sftp_sshd": (r"posix-rename|rename", r"write|open$|remove|mkdir|rmdir|copy-data|hardlink"),
    "dav_apache": (r"MOVE", r"PUT|COPY|DELETE|MKCOL|PROPPATCH"),
    "gdrive": (r"PATCH", r"POST|PUT|DELETE"),
}
FLAT = ["s3_rgw", "azure_azurite"]  # each file is copied over there


def moves_alone(store, heard):
    """The number of moves; nothing else was changed."""
    moves, changes = FOLDERS[store.name]
    assert not [line for line in heard if re.match(changes, line)], heard[:40]
    return sum(bool(re.match(moves, line)) for line in heard)


@contextlib.contextmanager
def heard_store(name, home, listeners, pid):
    """A store whose `heard` gives, after a `with` of it, what was asked meanwhile: lines that begin with the verb, and of a request of
    HTTP with the bytes of its body. `pid()` is tendd's."""
    with contextlib.ExitStack() as stack:
        if name == "directory":
            store = Directory(home / "remote")
            store.heard = lambda: calls_heard(pid(), listeners / "calls")
        elif name == "sftp_sshd":
            store, line = Sftp("tend"), Line(listeners / "line")
            store.ssh = line.command(store.ssh)
            store.heard = lambda: line_heard(line)
        else:
            kind = {"s3_rgw": S3, "azure_azurite": Azure, "dav_apache": WebDav}.get(name)
            store = kind(name, home) if kind else Drive(listeners, stack.enter_context(Ground(listeners, tls=True)))
            proxy = stack.enter_context(before(store))
            store.heard = lambda: proxy_heard(proxy)
        store.name = name
        yield store


@contextlib.contextmanager
def proxy_heard(proxy):
    proxy.forget()
    heard = []
    yield heard
    with proxy.lock:
        heard += ["%s %d %s" % (request.method, len(request.body), request.target) for request in proxy.requests]


@contextlib.contextmanager
def line_heard(line):
    line.forget()
    heard = []
    yield heard
    heard += [kind for kind, _, _ in line.requests()]


@contextlib.contextmanager
def calls_heard(pid, file):
    """The calls by which names change."""
    calls = "trace=rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", calls, "-o", file, "-p", str(pid)], stderr=subprocess.DEVNULL)
    heard = []
    try:
        until(lambda: all_traced(pid), "the tracer")
        yield heard
    finally:
        tracer.terminate()
        tracer.wait()
    heard += [re.sub(r"^\d+ +", "", call) for call in file.read_text().splitlines() if re.match(r"\d+ +\w+\(", call)]


def all_traced(pid):
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task), encoding="utf-8") as file:
            if "TracerPid:\t0\n" in file.read():
                return False
    return True
