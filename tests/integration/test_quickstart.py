"""daemon/quickstart, from nothing: it builds, runs, shows, ends everything with Ctrl-C, and cleans up."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.request

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
HOUSE = os.path.dirname(os.path.dirname(HERE))


def run(house, *words, **options):
    return subprocess.run([os.path.join(house, "daemon", "quickstart"), *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=1200, **options)


def wait_for(condition, what, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("never came: " + what)


# ---- before anything is built ----


def test_shellcheck():
    got = subprocess.run(["shellcheck", os.path.join(HOUSE, "daemon", "quickstart")], capture_output=True, text=True)
    assert got.stdout == ""


def test_unknown_options_are_wrong_usage():
    got = run(HOUSE, "--cleen")
    assert got.returncode == 2 and "unknown option '--cleen'" in got.stderr


@pytest.fixture
def bare(tmp_path):
    """A checkout on a machine where two packages are missing; what apt-get and sudo are told is written down."""
    house, bin_dir, told = tmp_path / "house", tmp_path / "bin", tmp_path / "told"
    for name in ("daemon/quickstart", "tests/packages"):
        (house / name).parent.mkdir(parents=True)
        shutil.copy(os.path.join(HOUSE, name), house / name)
    bin_dir.mkdir()
    programs = {
        "dpkg-query": 'case $4 in cmake | libuv1-dev) exit 1 ;; esac; printf installed',
        "apt-get": 'echo "apt-get $*" >>"%s"; [ "$1" = update ]' % told,
        "sudo": 'echo "sudo $*" >>"%s"; exec "$@"' % told,
    }
    for name, text in programs.items():
        (bin_dir / name).write_text("#!/bin/sh\n%s\n" % text)
        (bin_dir / name).chmod(0o755)
    env = dict(os.environ, PATH="%s:%s" % (bin_dir, os.environ["PATH"]))
    return house, told, env


LINE = "apt-get install --yes --no-install-recommends cmake libuv1-dev"


def test_missing_packages_are_named_and_nothing_is_installed_unasked(bare):
    house, told, env = bare
    got = run(str(house), env=env)
    assert got.returncode == 1
    assert re.search(r"^    (sudo )?%s$" % LINE, got.stderr, re.M)
    assert "--yes" in got.stderr
    assert not told.exists()
    assert not (house / "build").exists()


def test_yes_installs_exactly_what_was_said(bare):
    house, told, env = bare
    assert run(str(house), "--yes", env=env).returncode == 1  # this apt-get installs nothing
    assert [line for line in told.read_text().splitlines() if line.startswith("apt-get")] == ["apt-get update", LINE]


# ---- the whole of it ----


def below(place):
    """Processes whose command line or environment names this place."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = b"".join(open("/proc/%s/%s" % (pid, name), "rb").read() for name in ("cmdline", "environ"))
            state = open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if place.encode() in text and state != "Z" and int(pid) != os.getpid():
            found.append(int(pid))
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A checkout of its own: what is built and made here touches nobody's. Its folders are named by one odd word."""
    house = tmp_path_factory.mktemp("q") / "a house"
    shutil.copytree(HOUSE, house, ignore=shutil.ignore_patterns("build", ".git", "__pycache__"), symlinks=True)
    yield str(house)
    run(str(house), "--clean")


def start(house, home):
    env = dict(os.environ, HOME=str(home))
    for name in ("TEND_SOCKET", "XDG_RUNTIME_DIR", "TEND_BIN"):
        env.pop(name, None)
    with open(os.path.join(house, "said"), "w") as said:
        return subprocess.Popen([os.path.join(house, "daemon", "quickstart"), "--yes"], stdin=subprocess.DEVNULL,
                                stdout=said, stderr=said, env=env, cwd=str(home), start_new_session=True)


def said(house):
    with open(os.path.join(house, "said")) as file:
        return file.read()


def tend(house, *words):
    return subprocess.run([house + "/build/release/bin/tend", "-c", house + "/build/quickstart/quickstart.ini", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def rows(path):
    with sqlite3.connect("file:%s?immutable=1" % path, uri=True) as chat:
        assert chat.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return chat.execute("SELECT count(*) FROM message").fetchone()[0]


def is_up(house, process):
    assert process.poll() is None, said(house)
    return "tendd runs." in said(house)


def test_quickstart(house, tmp_path):
    process = start(house, tmp_path)
    try:
        wait_for(lambda: is_up(house, process), "what to try", 1200)
        place = house + "/build/quickstart"
        copy = place + "/cloud/messages/chat.db"
        wait_for(lambda: os.path.exists(copy), "chat.db in the cloud")
        before = rows(copy)
        wait_for(lambda: rows(copy) > before, "a later chat.db in the cloud")
        assert os.listdir(place + "/cloud/messages/Attachments")
        assert not [name for name in os.listdir(place + "/cloud/messages") if name.endswith(("-wal", "-shm"))]

        with open(place + "/messages/hello", "w") as file:
            file.write("hello\n")
        assert tend(house, "wait", "--timeout", "100s").returncode == 0
        with open(place + "/cloud/messages/hello") as file:
            assert file.read() == "hello\n"
        assert tend(house, "status").returncode == 0
        assert "message" in tend(house, "logs", "writer").stdout
        port = re.search(r"http://127\.0\.0\.1:(\d+)/", said(house)).group(1)
        page = urllib.request.urlopen("http://127.0.0.1:%s/messages/hello" % port, timeout=60).read()
        assert page == b"hello\n"

        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        assert process.wait(120) == 0, said(house)
        wait_for(lambda: not below(place), "the end of every child")
        assert os.listdir(tmp_path) == []  # the home folder
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_clean_also_ends_what_outlived_a_kill(house, tmp_path):
    process = start(house, tmp_path)
    wait_for(lambda: is_up(house, process), "what to try", 1200)
    place = house + "/build/quickstart"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert below(place)
    got = run(house, "--clean")
    assert (got.returncode, got.stderr) == (0, "")
    assert not os.path.exists(place)
    assert below(place) == []
