"""What SFTP alone has: a server that renames nothing over what is there, and the user's own ssh.

servers: sftp_sshd
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sftp_line import Line
from stores import Sftp
from tend import Tendd, until
from test_two_way import Pair, contents, trash

QUICK = "settle = 50ms\n"


def lined(kind, home):
    store, line = Sftp(kind), Line(home / "line")
    store.ssh = line.command(store.ssh)
    return store, line


def leftovers(store):
    """Below .tend, beside owners' marks and kept versions."""
    return sorted(path for path, kind in store.keys(".tend").items()
                  if kind == "file" and path.split("/")[0] in ("tmp", "swaps"))


# ---- the connection breaks between two renames ----

def replaced_once(machine, data):
    """The place of kept versions is there: else the first rename that is tried fails."""
    for text in ("older\n", "old\n"):
        (data / "file").write_text(text)
        machine.barrier("data")


def broken_in_a_swap(machine, line, data):
    """`file`, of old bytes, is replaced; the old one has gone from its name, and the machine is dead."""
    line.breaks_after_the_rename_of("data/file")
    (data / "file").write_text("new bytes\n")
    machine.until(line.away.exists, "the end of the connection")
    machine.kill()


@pytest.mark.parametrize("mode", ["backup", "mirror", "two-way"])
def test_a_swap_that_breaks_off_is_put_back_and_done(tendd, mode):
    store, line = lined("tend-poor", tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK + "mode = %s\n" % mode)).start()
    (data / "other").write_text("other\n")
    replaced_once(tendd, data)
    broken_in_a_swap(tendd, line, data)
    assert not store.at("data/file").exists()
    assert b"old\n" in [path.read_bytes() for path in store.at(".tend").rglob("*") if path.is_file()]
    line.away.unlink()
    tendd.start()
    tendd.until(lambda: store.keys("data").get("file"), "the name")
    tendd.barrier("data")
    assert store.read("data/file") == b"new bytes\n" == (data / "file").read_bytes()
    assert store.versions("data/file") == ([b"older\n", b"old\n"] if mode != "mirror" else [])
    tendd.until(lambda: not leftovers(store), "the end of what it needed")
    store.judge(data)
    assert trash(tendd) == {} if mode == "two-way" else True


def test_a_swap_that_breaks_off_is_done_by_the_next_connection(tendd):
    """The same process has it again."""
    store, line = lined("tend-poor", tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK)).start()
    replaced_once(tendd, data)
    line.breaks_after_the_rename_of("data/file")
    (data / "file").write_text("new bytes\n")
    tendd.until(line.away.exists, "the end of the connection")
    line.away.unlink()
    tendd.barrier("data")
    assert store.read("data/file") == b"new bytes\n"
    assert store.versions("data/file") == [b"older\n", b"old\n"]
    tendd.until(lambda: not leftovers(store), "the end of what it needed")
    store.judge(data)


@pytest.mark.parametrize("mode", ["two-way", "fetch"])
def test_a_swap_that_broke_off_is_no_deletion_for_another_machine(mode):
    store = Sftp("tend-poor")
    pair = Pair(store, modes=("two-way", mode))
    try:
        line = Line(pair.machines[0].root / "line")
        plain = store.ssh
        store.ssh = line.command(plain)
        pair.configure(pair.machines[0], "two-way")
        store.ssh = plain
        pair.configure(pair.machines[1], mode)
        for machine in pair.machines:
            machine.start()
        first, second = pair.machines
        if mode == "two-way":  # else all is gone, for a moment
            (pair.data(0) / "beside").write_text("beside\n")
        replaced_once(first, pair.data(0))
        second.until(lambda: contents(pair.data(1)) == contents(pair.data(0)), "the file")
        broken_in_a_swap(first, line, pair.data(0))
        # It lists, and asks, and finds what was put back by itself.
        second.until(lambda: store.keys("data").get("file"), "the name")
        (store.at("data/other")).write_text("by another hand\n")
        second.until(lambda: (pair.data(1) / "other").exists(), "the next list")
        second.barrier("data")
        assert store.read("data/file") == b"old\n" == (pair.data(1) / "file").read_bytes()
        assert trash(second) == {}
        line.away.unlink()
        first.start()
        pair.wait(0)
        second.until(lambda: (pair.data(1) / "file").read_bytes() == b"new bytes\n", "the new one")
        second.until(lambda: not leftovers(store), "the end of what was needed")
    finally:
        pair.close()


def test_what_cannot_be_put_back_is_not_absent():
    """A machine that may rename nothing there waits, and removes nothing here."""
    store = Sftp("tend-poor")
    with Tendd() as first, Tendd() as second:
        line = Line(first.root / "line")
        plain = store.ssh
        store.ssh = line.command(plain)
        data = first.folder("data")
        first.configure(store.folder(data, more=QUICK + "mode = two-way\n")).start()
        replaced_once(first, data)
        store.ssh, store.kind = plain, "tend-fixed"
        copy = second.folder("data")
        second.configure(store.folder(copy, more=QUICK + "mode = fetch\npoll = 1s\n")).start()
        second.until((copy / "file").exists, "the file")
        broken_in_a_swap(first, line, data)
        second.until(lambda: "cannot be put back" in second.tend("status", "data").stdout, "the word of it")
        assert (copy / "file").read_text() == "old\n" and trash(second) == {}
        line.away.unlink()
        first.start()
        first.barrier("data")
        second.until(lambda: (copy / "file").read_text() == "new bytes\n", "the new one")


# ---- what is asked, and how ----

def kinds(line):
    return [kind for kind, _, _ in line.requests()]


@pytest.mark.parametrize("kind", ["tend", "tend-poor"])
def test_extensions_are_used_where_they_are_offered(tendd, kind):
    store, line = lined(kind, tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK)).start()
    (data / "file").write_text("old\n")
    tendd.barrier("data")
    line.forget()
    (data / "file").write_text("new bytes\n")
    tendd.barrier("data")
    asked = kinds(line)
    assert "write" in asked and store.versions("data/file") == [b"old\n"]
    offered = {"fsync", "posix-rename", "hardlink"}
    assert offered & set(asked) == (offered if kind == "tend" else set()), asked
    assert ("rename" in asked) is (kind == "tend-poor"), asked
    if kind == "tend":  # on the disk before the old one goes
        assert asked.index("write") < asked.index("fsync") < asked.index("posix-rename"), asked
    line.forget()
    assert tendd.tend("remote", "check", "cloud").returncode == 0
    assert ("statvfs" in kinds(line)) is (kind == "tend")


def test_requests_do_not_wait_for_each_other(tendd):
    """Answers that are kept back show how many are asked without them: 64 for the bytes of one file."""
    store, line = lined("tend", tendd.root)
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    line.holds("write")
    (data / "file").write_bytes(os.urandom(4 << 20))
    tendd.until(lambda: max(line.most()) >= 64, "a window full of requests")
    line.lets_go()
    tendd.barrier("data")
    assert 64 <= max(line.most()) <= 80, line.most()
    store.judge(data)


def test_a_list_tells_all(tendd):
    """No request for each file that is listed: what is asked grows with folders only."""
    store, line = lined("tend", tendd.root)
    data = tendd.folder("data")
    for folder in "abc":
        (data / folder).mkdir()
        for number in range(200):
            (data / folder / str(number)).write_text(str(number))
    tendd.configure(store.folder(data, more=QUICK)).start()
    tendd.barrier("data")
    line.forget()
    verified = tendd.tend("verify", "data")
    assert verified.returncode == 0 and "all as they were stored" in verified.stdout, verified
    asked = kinds(line)
    assert asked.count("opendir") >= 4
    assert len([kind for kind in asked if kind in ("lstat", "stat", "fstat", "open", "readlink")]) <= 3 * asked.count("opendir"), asked
    assert len(asked) < 100, asked


# ---- connections ----

def connections_under_load(tendd, store):
    """More files than all connections carry at once, each a while on its way."""
    data = tendd.folder("data")
    for number in range(120):
        (data / str(number)).write_bytes(os.urandom(10_000))
    more = QUICK + "max_transfers = 32\n"
    tendd.configure(store.folder(data, more=more).replace("type = sftp\n", "type = sftp\nmax_in_flight = 32\n")).start()
    tendd.barrier("data")
    store.judge(data)


def test_four_connections_carry_all(tendd):
    """None ends as long as there is work: so many there ever were, on a line that lets much pile up."""
    store, line = Sftp("tend"), Line(tendd.root / "line", bytes_per_second=1 << 17)
    store.ssh = line.command(store.ssh)
    connections_under_load(tendd, store)
    connected = [path.read_text().count("write") for path in line.folder.iterdir()]
    assert len(connected) == 4, connected


def server_folder():
    return Path(os.environ["TEND_SERVERS"]) / "sftp_sshd"


@contextlib.contextmanager
def own_sshd(folder, more=""):
    """One more, with the keys of the other: its port, what else `ssh` must be told to know it, its log."""
    port = subprocess.run([Path(__file__).parent.parent / "support/free-ports", "1"], check=True, capture_output=True,
                          text=True).stdout.strip()
    configuration, log = folder / "sshd_config", folder / "sshd.log"
    old = (server_folder() / "sshd_config").read_text().splitlines()
    configuration.write_text("\n".join("Port " + port if words.startswith("Port ") else words for words in old) + "\n" + more)
    path = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
    with subprocess.Popen([path, "-D", "-e", "-f", configuration], stderr=open(log, "wb")) as server:
        try:
            until(lambda: "listening" in log.read_text(), "sshd")
            yield port, "HostKeyAlias [127.0.0.1]:%s" % (server_folder() / "server").read_text().splitlines()[2], log
        finally:
            server.terminate()


@pytest.fixture
def narrow(tendd, tmp_path):
    """A connection that two sessions share, as many as its server allows in one, and no other is to be had."""
    socket = tendd.root / "master"
    store = Sftp("tend")
    with own_sshd(tmp_path, "MaxSessions 2\n") as (port, alias, _):
        with subprocess.Popen([*store.ssh.split(), "-o", alias, "-p", port, "-M", "-N", "-S", socket, "tend"]) as master:
            try:
                until(socket.exists, "the connection")
                store.ssh += " -oProxyCommand=false -S %s" % socket
                yield store
            finally:
                master.terminate()


def test_fewer_connections_than_we_would_have(tendd, narrow):
    """A server that refuses the third says so once; what waits goes through the two."""
    line = Line(tendd.root / "line", bytes_per_second=1 << 17)
    narrow.ssh = line.command(narrow.ssh)
    connections_under_load(tendd, narrow)
    assert len([path for path in line.folder.iterdir() if "open" in path.read_text()]) == 2
    assert len(list(line.folder.iterdir())) == 3
    assert tendd.folder_part("data")["trouble"] is None


# ---- the user's own ssh ----

def with_host(tendd, store, text):
    """Goes to host "tend-own", as a configuration of the user's says."""
    configuration = tendd.root / "ssh_config"
    configuration.write_text("Include %s\n" % store.configuration + text)
    store.ssh = "ssh -F %s" % configuration
    store.kind = "tend-own"


def reaches(tendd, store):
    data = tendd.folder("data")
    tendd.configure(store.folder(data, more=QUICK)).start()
    (data / "file").write_text("file\n")
    tendd.barrier("data")
    assert store.read("data/file") == b"file\n"


def own_host(words):
    port = (server_folder() / "server").read_text().splitlines()[2]
    known = server_folder() / "known_hosts"
    return ("Host tend-own\n\tHostName 127.0.0.1\n\tPort %s\n\tUserKnownHostsFile %s\n\tStrictHostKeyChecking yes\n\t%s\n" % (
        port, known, "\n\t".join(words)))


def test_a_jump_host(tendd, tmp_path):
    """As ProxyJump says, through the sshd of another machine: that one tells who came."""
    key = ["IdentityFile %s/id" % server_folder(), "IdentitiesOnly yes", "IdentityAgent none"]
    with own_sshd(tmp_path) as (port, alias, log):
        gate = own_host([alias, *key]).replace("Host tend-own", "Host gate").replace(
            "\tPort ", "\tPort %s\n\tPort " % port)  # the first of two counts
        store = Sftp("tend")
        with_host(tendd, store, own_host(["ProxyJump gate", *key]) + gate)
        reaches(tendd, store)
        assert "Accepted publickey" in log.read_text()
        tendd.stop()


def test_a_key_that_only_the_agent_has(tmp_path):
    with Tendd(environment={"SSH_AUTH_SOCK": str(tmp_path / "agent")}) as tendd, subprocess.Popen(
            ["ssh-agent", "-D", "-a", tmp_path / "agent"], stdout=subprocess.DEVNULL) as agent:
        try:
            tendd.until((tmp_path / "agent").exists, "the agent")
            store = Sftp("tend")
            with_host(tendd, store, own_host(["IdentityFile none"]))
            tendd.configure(store.section())
            assert tendd.tend("remote", "check", "cloud").returncode == 5
            subprocess.run(["ssh-add", "-q", server_folder() / "id"], check=True, env=tendd.environment)
            reaches(tendd, store)
        finally:
            agent.terminate()
