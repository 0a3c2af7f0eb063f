"""Sync to OpenSSH's sshd, through the system's ssh.

servers: sftp_sshd
"""

import json
import os
import signal

import pytest

from basics import *  # noqa: F403  the tests every store passes
from basics import start
from stores import Sftp


@pytest.fixture(params=["tend", "tend-poor"])
def store(tendd, request):
    return Sftp(request.param)


def children_named(pid, name):
    """Pids of the children of a process that run a program of this name."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, task), encoding="utf-8") as file:
            for child in map(int, file.read().split()):
                try:
                    with open("/proc/%d/comm" % child, encoding="utf-8") as comm:
                        if comm.read().strip() == name:
                            found.append(child)
                except OSError:
                    pass
    return found


def test_check_tells_what_it_can(tendd, store):
    tendd.configure(store.section())
    ended = tendd.tend("--json", "remote", "check", "cloud")
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["usable"] and said["reachable"] and said["write"] and said["permissions"]
    assert said["file_times"] == "kept to the second"
    assert said["resumes_uploads"] is True
    assert ("free_bytes" in said and said["free_bytes"] > 0) is (store.kind == "tend")
    assert store.keys(".tend") == {"tmp": "folder"} or not store.at(".tend/tmp").exists() or not any(
        kind == "file" for kind in store.keys(".tend").values())


def test_a_key_that_the_server_does_not_know_needs_a_person(tendd):
    store = Sftp("tend-stranger")
    tendd.configure(store.section())
    ended = tendd.tend("remote", "check", "cloud")
    assert ended.returncode == 5, ended.stdout + ended.stderr
    assert "it took none of our keys" in ended.stdout + ended.stderr


def test_kill_of_tendd_in_the_middle_of_a_large_file(tendd):
    """The next one goes on with the very file that the server holds."""
    store = Sftp("tend")
    data = tendd.folder("data")
    start(tendd, store)
    tendd.barrier("data")
    body = os.urandom(1 << 20) * 96
    (data / "large").write_bytes(body)
    place = store.at(".tend/tmp")
    # A part's name tells that its bytes are there.
    tendd.until(lambda: sum(name.count(".") > 4 for name in os.listdir(place)) >= 3, "some parts at the server")
    tendd.kill()
    whole, = [name for name in os.listdir(place) if name.count(".") == 4 and ".parts." in name]
    number = os.stat(place / whole).st_ino
    tendd.start()
    tendd.barrier("data")
    assert store.read("data/large") == body
    assert not [name for name in os.listdir(place) if "parts" in name]
    assert os.stat(store.at("data/large")).st_ino == number


def test_kill_of_ssh_in_the_middle(tendd):
    """Each connection that breaks is made anew, and all arrives."""
    store = Sftp("tend")
    data = tendd.folder("data")
    start(tendd, store)
    tendd.barrier("data")
    for number in range(400):
        (data / ("file %d" % number)).write_text("text %d\n" % number)
    (data / "large").write_bytes(os.urandom(1 << 20) * 48)
    killed = 0
    while killed < 3:
        tendd.until(lambda: children_named(tendd.process.pid, "ssh"), "a connection")
        for pid in children_named(tendd.process.pid, "ssh"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
        if len(store.keys("data")) == 401:
            break
    tendd.barrier("data")
    store.judge(data)
    assert killed >= 1


def test_no_connection_outlives_tendd(tendd):
    store = Sftp("tend")
    start(tendd, store)
    tendd.barrier("data")
    pids = children_named(tendd.process.pid, "ssh")
    assert pids
    tendd.kill()
    tendd.until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), "the end of ssh")
