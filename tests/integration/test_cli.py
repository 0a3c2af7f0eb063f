"""Every command of `tend` against the real daemon: what it does, what it prints, its exit code."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from tend import bin_folder, is_alive, until

SLEEPER = "sleep 1000000"


@pytest.fixture
def home(tendd):
    """A daemon with a folder into a directory store, two services of which one requires the other, and a task."""
    tendd.folder("docs")
    tendd.folder("cloud")
    (tendd.root / "docs" / "first").write_text("first\n")
    configure(tendd)
    tendd.start()
    tendd.until_idle("docs")
    tendd.until_state("service:base", "ready")
    tendd.until_state("service:web", "ready")
    return tendd


def configure(tendd, web=SLEEPER, more=""):
    tendd.configure("""
[remote cloud]
type = directory
path = %s/cloud

[folder docs]
path = %s/docs
remote = cloud:docs
settle = 100ms

[service base]
command = sleep 1000000
directory = /

[service web]
command = %s
directory = /
requires = service:base
%s""" % (tendd.root, tendd.root, web, more))


def good(got, code=0):
    assert got.returncode == code, (got.returncode, got.stdout, got.stderr)
    return got.stdout


# ---- status ----


def test_status(home):
    rows = {line.split()[0]: line.split()[1] for line in good(home.tend("status")).splitlines()[2:]}
    assert rows["folder:docs"] == "idle"
    assert rows["service:base"] == rows["service:web"] == "up"
    one = good(home.tend("status", "docs"))
    assert "%s/docs" % home.root in one and "cloud:docs (backup)" in one
    assert str(home.service_part("web")["pid"]) in good(home.tend("status", "web"))


def test_status_json_is_the_apis(home):
    whole = json.loads(good(home.tend("status", "--json")))
    assert whole["api"] == 1 and whole["pid"] == home.pid and whole["configuration"]["path"] == str(home.ini)
    assert {unit["unit"] for unit in whole["units"]} >= {"folder:docs", "service:base", "service:web"}
    one = json.loads(good(home.tend("status", "docs", "--json")))
    assert one["unit"]["folder"]["files"] == 1


def test_status_of_a_folder_shows_what_is_in_flight(home):
    assert home.folder_part("docs")["in_flight"] == []
    home.configure(home.ini.read_text().partition("\n\n")[2], "upload_limit = 8KiB")
    good(home.tend("reload"))
    # The limit lets one begin, and the other wait for as long as that is worth.
    for name in ("large 1", "large 2"):
        (home.root / "docs" / name).write_bytes(b"x" * (4 << 20))

    def flying():
        return [flight for flight in home.folder_part("docs")["in_flight"]
                if flight["path"].startswith("large ") and flight["size_bytes"] == 4 << 20 and flight["doing"] == "sending"]
    home.until(flying, "a large file on its way")
    assert re.search("large [12], 4.0 MiB \\(sending\\)", good(home.tend("status", "docs")))
    home.stop(signal.SIGQUIT)


def test_status_exits_1_for_a_service_that_fails(home):
    configure(home, more="\n[service broken]\ncommand = /nonexistent/program\ndirectory = /\n"
              "restart_delay = 1h\nrestart_max_delay = 1h\n")
    good(home.tend("reload"))
    home.until_state("service:broken", "failed")
    out = good(home.tend("status"), 1)
    assert "/nonexistent/program" in out
    good(home.tend("status", "broken"), 1)
    good(home.tend("status", "web"))


def test_status_shows_a_bad_configuration(home):
    with home.ini.open("a") as file:
        file.write("\n[folder docs2]\npth = /srv\n")
    line = home.ini.read_text().splitlines().index("pth = /srv") + 1
    got = home.tend("reload")
    assert got.returncode == 2
    assert "tend.ini:%d: " % line in got.stderr and "pth" in got.stderr
    out = good(home.tend("status"), 1)
    assert "tend.ini:%d: " % line in out
    configure(home)
    good(home.tend("reload"))
    good(home.tend("status"))


def test_status_watch_shows_a_change(home):
    process = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(home.ini), "status", "--watch", "docs"],
                               stdout=subprocess.PIPE, text=True)
    try:
        assert " folder:docs idle " in process.stdout.readline()
        good(home.tend("pause", "docs"))
        assert " folder:docs paused" in process.stdout.readline()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


# ---- folders ----


def test_wait_is_a_barrier(home):
    for round_ in range(20):
        (home.root / "docs" / ("file%d" % round_)).write_text("x" * round_)
        good(home.tend("wait", "docs"))
        assert (home.root / "cloud" / "docs" / ("file%d" % round_)).read_text() == "x" * round_
    assert json.loads(good(home.tend("wait", "--json")))["done"] is True


def test_sync_wait(home):
    (home.root / "docs" / "new").write_text("new\n")
    good(home.tend("sync", "--wait"))
    assert (home.root / "cloud" / "docs" / "new").read_text() == "new\n"
    assert good(home.tend("sync", "docs")) == "looking through folder:docs\n"
    assert json.loads(good(home.tend("sync", "--json")))["api"] == 1


def test_sync_scans(home):
    before = home.folder_part("docs")["scans"]
    good(home.tend("sync"))
    home.until(lambda: home.folder_part("docs")["scans"] > before, "a scan")


def test_pause_holds_a_folder_and_wait_says_so(home):
    assert good(home.tend("pause", "docs")) == "folder:docs is paused\n"
    (home.root / "docs" / "held").write_text("held\n")
    got = home.tend("wait")
    assert got.returncode == 1
    assert "folder:docs" in got.stderr and "paused" in got.stderr
    assert not (home.root / "cloud" / "docs" / "held").exists()
    good(home.tend("resume", "folder:docs"))
    good(home.tend("wait"))
    assert (home.root / "cloud" / "docs" / "held").read_text() == "held\n"


def test_wait_times_out(home):
    home.send_signal(signal.SIGSTOP)
    try:
        got = home.tend("wait", "--timeout", "1s")
        assert got.returncode == 4 and "timed out" in got.stderr
    finally:
        home.send_signal(signal.SIGCONT)
    good(home.tend("wait"))


def wait_with_a_mark(home, round_of):
    """`tend wait` once it has its mark, the daemon stopped; None: all was in the store before we saw it."""
    for number in range(1000):
        (home.root / "docs" / ("small%d" % number)).write_text("%d of %d\n" % (number, round_of))
    leader, follower = pty.openpty()
    process = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(home.ini), "wait"], stderr=follower)
    os.close(follower)
    said = b""
    while b"to go" not in said:  # progress: it has its mark
        # A daemon that has only a tenth of the time is not done before we have seen it.
        home.send_signal(signal.SIGCONT)
        time.sleep(0.02)
        home.send_signal(signal.SIGSTOP)
        if select.select([leader], [], [], 0.2)[0]:
            try:
                said += os.read(leader, 4096)
            except OSError:  # it has ended
                break
    try:  # its answer may have come together with that
        assert process.wait(0.5) == 0
    except subprocess.TimeoutExpired:
        if b"to go" in said:
            return process, leader
    home.send_signal(signal.SIGCONT)
    os.close(leader)
    assert process.wait(60) == 0
    return None


def test_wait_outlives_a_crash_of_the_daemon(home):
    process, leader = next(filter(None, (wait_with_a_mark(home, n) for n in range(20))))
    home.kill()
    assert process.poll() is None
    home.start()
    assert process.wait(120) == 0
    os.close(leader)
    for number in range(1000):
        name = "small%d" % number
        assert (home.root / "cloud" / "docs" / name).read_text() == (home.root / "docs" / name).read_text()


# ---- services ----


def test_start_stop_restart(home):
    pid = home.service_part("web")["pid"]
    assert good(home.tend("stop", "web")) == "service:web is down\n"
    assert not is_alive(pid)
    good(home.tend("status"))  # down, as a person wants it
    assert good(home.tend("start", "web")).startswith("service:web is up (pid ")
    pid, base = home.service_part("web")["pid"], home.service_part("base")["pid"]
    good(home.tend("restart", "web"))
    assert home.service_part("web")["pid"] != pid and not is_alive(pid)
    assert home.service_part("base")["pid"] == base


def test_dependents_go_along_unless_only(home):
    web = home.service_part("web")["pid"]
    got = home.tend("restart", "--only", "base")
    assert got.returncode == 0 and got.stderr == ""
    assert home.service_part("web")["pid"] == web
    got = home.tend("stop", "base")
    assert "service:web requires service:base: stop goes along" in got.stderr
    good(got)
    assert home.unit("service:web")["state"] == home.unit("service:base")["state"] == "down"
    assert not is_alive(web)


def test_start_of_what_cannot_run_exits_1(home):
    configure(home, web="/nonexistent/program")
    home.tend("reload")
    got = home.tend("start", "web")
    assert got.returncode == 1 and "/nonexistent/program" in got.stderr


def test_a_stopped_service_stays_down_over_a_restart(home):
    good(home.tend("stop", "web"))
    assert home.stop() == 0
    home.start()
    home.until_state("service:base", "ready")
    assert home.unit("service:web")["state"] == "down"
    good(home.tend("start", "web"))


COUNTER = "sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done'"


def test_logs(home):
    configure(home, web=COUNTER)
    good(home.tend("reload"))
    out = home.until(lambda: [line for line in good(home.tend("logs", "-n", "5", "web")).splitlines()
                              if " line " in line][4:], "five lines")
    assert out
    lines = good(home.tend("logs", "web", "-n5")).splitlines()
    assert len(lines) == 5
    assert json.loads(good(home.tend("logs", "web", "-n1", "--json")).splitlines()[0])["text"].startswith("line ")


def test_logs_of_two_services_since_a_time(home):
    configure(home, web=COUNTER, more="\n[service more]\ncommand = %s\n" % COUNTER.replace("line", "other"))
    good(home.tend("reload"))
    home.until_state("service:more", "ready")
    home.until(lambda: "line 20" in good(home.tend("logs", "web")) and "other 20" in good(home.tend("logs", "more")), "lines")
    lines = [line.split() for line in good(home.tend("logs", "web", "more")).splitlines()]
    assert {line[0] for line in lines} == {"web", "more"}
    assert [line[1] for line in lines] == sorted(line[1] for line in lines)
    tenth = good(home.tend("logs", "web", "--grep", "^line 10$")).split()
    assert tenth[1:] == ["line", "10"]
    since = good(home.tend("logs", "web", "--since", tenth[0])).splitlines()
    assert "line 10" in since[0] or "line 9" in since[0]  # of the same millisecond


def test_logs_follow_over_a_crash_of_the_daemon(home):
    configure(home, web=COUNTER)
    good(home.tend("reload"))
    process = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(home.ini), "logs", "-f", "-n0", "web"],
                               stdout=subprocess.PIPE, text=True)
    try:
        numbers = [int(process.stdout.readline().split()[2]) for _ in range(30)]
        home.kill()
        home.start()
        numbers += [int(process.stdout.readline().split()[2]) for _ in range(200)]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert numbers == list(range(numbers[0], numbers[0] + 230))


# ---- the daemon ----


def test_reload_says_what_it_does(home):
    web, base = home.service_part("web")["pid"], home.service_part("base")["pid"]
    assert good(home.tend("reload")) == "nothing changed\n"
    configure(home, web="sleep 2000000")
    out = good(home.tend("reload", "--dry-run"))
    assert "service:web restart" in out and "command" in out
    assert home.service_part("web")["pid"] == web
    assert good(home.tend("reload")) == out
    home.until(lambda: home.service_part("web")["pid"] not in (None, web), "a new web")
    assert home.service_part("base")["pid"] == base
    assert json.loads(good(home.tend("reload", "--json")))["changes"] == []


def test_stop_ends_everything_and_flushes(home):
    pids = [home.service_part(name)["pid"] for name in ("web", "base")]
    got = home.tend("stop")
    assert got.returncode == 2 and "--yes" in got.stderr
    (home.root / "docs" / "last").write_text("last\n")
    assert good(home.tend("stop", "--yes")) == "tendd has stopped\n"
    assert home.wait() == 0
    assert (home.root / "cloud" / "docs" / "last").read_text() == "last\n"
    assert not any(map(is_alive, pids))
    got = home.tend("status")
    assert got.returncode == 3
    assert got.stderr == "tend: tendd is not running: start it with 'tendd -c %s'\n" % home.ini


def test_stop_asks_on_a_terminal(home):
    leader, follower = pty.openpty()
    process = subprocess.Popen([str(bin_folder() / "tend"), "-c", str(home.ini), "stop"], stdin=follower,
                               stdout=follower, stderr=follower)
    os.close(follower)
    os.write(leader, b"no\n")
    assert process.wait(60) == 1
    os.close(leader)
    good(home.tend("status"))


@pytest.mark.parametrize("words", [["status"], ["wait"], ["sync"], ["reload"], ["pause", "docs"], ["restart", "web"]])
def test_every_way_to_name_the_daemon(home, words):
    tend = str(bin_folder() / "tend")
    for before, variables in ((["--socket", str(home.socket)], {}), ([], {"TEND_SOCKET": str(home.socket)})):
        got = subprocess.run([tend, *before, *words], env=dict(os.environ, **variables), capture_output=True, text=True,
                             timeout=120)
        assert got.returncode == 0, got.stderr
        home.tend("resume", "docs")


# ---- secrets ----


def test_no_command_prints_a_secret(home):
    secret = home.root / "secret"
    secret.write_text("wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY\n")
    secret.chmod(0o600)
    port = 9  # discard: nobody answers
    configure(home, more="""
environment = PASSWORD=hunter2hunter2

[remote s3]
type = s3
bucket = b
endpoint = http://127.0.0.1:%d
access_key_id = AKIAEXAMPLE
secret_access_key_file = %s

[folder out]
path = %s/docs
remote = s3:docs
""" % (port, secret, home.root))
    said = [home.tend("reload")]
    until(lambda: home.unit("folder:out")["folder"]["trouble"], "trouble with the store")
    for words in (["status"], ["status", "--json"], ["status", "out"], ["status", "out", "--json"], ["status", "web"],
                  ["status", "web", "--json"], ["reload", "--dry-run"], ["logs", "web"]):
        said.append(home.tend(*words))
    text = "".join(got.stdout + got.stderr for got in said) + home.said
    assert "wJalrXUtnFEMI" not in text
    assert "hunter2" not in text
    assert "tendd" in text
