"""`log = journal` and `both`, with systemd's own journald in a name space of its own."""

import json
import signal
import subprocess

import pytest

from tend import until

COUNT = "i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done; exec sleep 1000"


class Journal:
    """Its /run is a fresh one, seen by nobody else."""

    def __init__(self):
        self.keeper = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", "mount -t tmpfs run /run && mkdir -p /run/systemd/journal /run/log/journal && "
             "exec sleep 1000000"])
        self.daemon = None
        until(lambda: self.inside("test", "-d", "/run/log/journal") == 0, "the place of the journal")

    def prefix(self):
        return ["nsenter", "-m", "-t", str(self.keeper.pid)]

    def inside(self, *words):
        return subprocess.run(self.prefix() + list(words), stderr=subprocess.DEVNULL).returncode

    def start(self):
        self.daemon = subprocess.Popen(self.prefix() + ["/lib/systemd/systemd-journald"], stderr=subprocess.DEVNULL)
        until(lambda: self.inside("test", "-S", "/run/systemd/journal/socket") == 0, "journald")
        until(lambda: self.entries("systemd-journald", field="SYSLOG_IDENTIFIER"), "its first words")

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait()
            self.daemon = None
            self.inside("rm", "-f", "/run/systemd/journal/socket")

    def entries(self, name, field="TEND_UNIT"):
        got = subprocess.run(self.prefix() + ["journalctl", "--no-pager", "-q", "-o", "json", "%s=%s" % (field, name)],
                             capture_output=True, text=True)
        return [json.loads(line) for line in got.stdout.splitlines()]

    def texts(self, service):
        return [entry["MESSAGE"] for entry in self.entries("service:" + service)]

    def close(self):
        self.stop()
        self.keeper.kill()
        self.keeper.wait()


@pytest.fixture
def journal():
    found = Journal()
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def beside(tendd, journal):
    """A tendd that sees this journal."""
    command = tendd.command
    tendd.command = lambda *words: journal.prefix() + command(*words)
    return tendd


def ini(log, command=COUNT % 300, **keys):
    return ("[service a]\nnetwork = no\nshell = yes\nlog = %s\ncommand = %s\n" % (log, command) +
            "".join("%s = %s\n" % item for item in keys.items()))


def file_texts(tendd):
    path = tendd.logs / "a.log"
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []


WANTED = ["line %d" % i for i in range(300)]


@pytest.mark.parametrize("log, in_file, in_journal", [("journal", [], WANTED), ("both", WANTED, WANTED), ("file", WANTED, [])])
def test_where_lines_go(beside, journal, log, in_file, in_journal):
    journal.start()
    beside.configure(ini(log)).start()
    beside.until(lambda: file_texts(beside) == in_file and journal.texts("a") == in_journal, "the lines")
    for entry in journal.entries("service:a")[:1]:
        assert (entry["SYSLOG_IDENTIFIER"], entry["PRIORITY"], entry["_PID"]) == ("a", "6", str(beside.pid))
    got = beside.tend("logs", "a")
    if log == "journal":
        assert got.returncode != 0 and "goes to the journal: journalctl -t a" in got.stderr
        assert beside.service_part("a")["log"] is None
    else:
        assert got.returncode == 0 and "line 299" in got.stdout


def test_a_journal_that_is_not_there(beside, journal):
    """`both`: the file has all of it. `journal`: lines wait, and go when it comes."""
    beside.configure(ini("both")).start()
    beside.until(lambda: file_texts(beside) == WANTED, "the lines in the file")
    assert "lines of 'a' are in its file alone" in beside.said
    beside.configure(ini("journal", command="echo other; exec sleep 1000"))
    assert beside.reload().status == 200
    beside.until(lambda: "cannot reach the journal at '/run/systemd/journal/socket'" in beside.said, "the complaint")
    beside.until_state("service:a", "ready")
    journal.start()
    beside.until(lambda: journal.texts("a") == ["other"], "the line that waited")


def test_a_journald_that_is_restarted(beside, journal):
    journal.start()
    go = beside.root / "go"
    beside.configure(ini("journal", command="echo one; while ! test -e %s; do sleep 0.02; done; echo two; exec sleep 1000" % go)).start()
    beside.until(lambda: journal.texts("a") == ["one"], "the first line")
    journal.stop()
    journal.start()
    go.write_text("")
    beside.until(lambda: "two" in journal.texts("a"), "the second line")


def test_a_reload_moves_it(beside, journal):
    journal.start()
    tick = "i=0; while :; do echo n$i; i=$((i+1)); sleep 0.01; done"
    beside.configure(ini("file", command=tick)).start()
    beside.until(lambda: file_texts(beside), "lines in the file")
    pid = beside.service_part("a")["pid"]
    beside.configure(ini("journal", command=tick))
    assert beside.reload()["changes"] == ["service:a live (log)"]
    beside.until(lambda: journal.texts("a"), "lines in the journal")
    beside.configure(ini("file", command=tick))
    beside.reload()
    last = journal.texts("a")[-1]
    beside.until(lambda: len(file_texts(beside)) > 0 and int(file_texts(beside)[-1][1:]) > int(last[1:]) + 5, "lines in the file again")
    assert beside.service_part("a")["pid"] == pid
    numbers = sorted(int(text[1:]) for text in file_texts(beside) + journal.texts("a"))
    assert numbers == list(range(len(numbers)))  # each once, somewhere
