"""[notify NAME]: a POST to a real HTTP server, or a command, once in `quiet`, and what failed is tried again."""

import http.server
import json
import threading

import pytest

FAILS = "[service a]\nnetwork = no\ncommand = sh -c 'exit 3'\nrestart_delay = %s\nrestart_max_delay = 1h\n"


class Hook(http.server.ThreadingHTTPServer):
    """Keeps what is posted; answers with the next of `answers`, else 200."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Post)
        self.got, self.answers = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/hook?token=secret-of-mine" % self.server_port


class Post(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 200
        self.server.got.append((status, self.headers["Content-Type"], json.loads(body)))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.shutdown()
    server.server_close()


def notify(name="n", **keys):
    return "[notify %s]\n" % name + "".join("%s = %s\n" % (key.rstrip("_"), value) for key, value in keys.items())


def test_a_failed_service_is_posted(tendd, hook):
    tendd.configure(FAILS % "1h" + notify(webhook=hook.url)).start()
    tendd.until(lambda: hook.got, "the post")
    status, kind, body = hook.got[0]
    assert (status, kind) == (200, "application/json")
    assert (body["api"], body["event"], body["unit"], body["count"]) == (1, "service.failed", "service:a", 1)
    assert body["text"].startswith("exit code 3; next try at ") and body["time"].endswith("Z") and body["host"]


def test_it_is_quiet_and_counts(tendd, hook):
    """Many failures: one message at once, one at the end of the quiet time, with how many there were."""
    tendd.configure(FAILS % "0ms" + notify(webhook=hook.url, quiet="2s") + notify("other", webhook=hook.url, quiet="1h")).start()
    tendd.until(lambda: tendd.service_part("a")["failures"] > 5, "failures")
    tendd.until(lambda: len(hook.got) >= 3, "the second message")
    bodies = [body for _, _, body in hook.got]
    assert [body["count"] for body in bodies[:2]] == [1, 1] and bodies[2]["count"] > 1


def test_each_unit_and_event_is_a_topic_of_its_own(tendd, hook):
    tendd.configure((FAILS + (FAILS).replace("service a", "service b")) % ("1h", "1h") + notify(webhook=hook.url)).start()
    tendd.until(lambda: sorted(body["unit"] for _, _, body in hook.got) == ["service:a", "service:b"], "both")


def test_one_that_fails_is_tried_again(tendd, hook):
    tendd.environment["TEND_WITHOUT"] = "notify-wait"
    hook.answers = [500, 503]
    tendd.configure(FAILS % "1h" + notify(webhook=hook.url)).start()
    tendd.until(lambda: [status for status, _, _ in hook.got] == [500, 503, 200], "the third try")
    assert "answers 500" in tendd.said and "secret-of-mine" not in tendd.said
    assert hook.got[0][2] == hook.got[2][2]


def test_a_command_gets_the_event(tendd):
    script = tendd.root / "tell"
    script.write_text("#!/bin/sh\necho \"$1 $TEND_EVENT $TEND_EVENT_UNIT $TEND_EVENT_COUNT $TEND_EVENT_TEXT\" >>%s/told\n" % tendd.root)
    script.chmod(0o755)
    tendd.configure(FAILS % "1h" + notify(command="%s 'two words'" % script)).start()
    said = tendd.until(lambda: (tendd.root / "told").read_text(), "the command")
    assert said.startswith("two words service.failed service:a 1 exit code 3; next try at ")


def test_a_folder_that_needs_a_person(tendd, hook):
    docs = tendd.folder("docs")
    tendd.folder("cloud")
    for i in range(300):
        (docs / ("f%d" % i)).write_text(str(i))
    tendd.configure("[remote disk]\npath = %s/cloud\n[folder docs]\npath = %s\nremote = disk:docs\nsettle = 100ms\n"
                    "max_delete = 10\n" % (tendd.root, docs) + notify(webhook=hook.url, on="folder.stopped")).start()
    tendd.until_idle("docs")
    assert hook.got == []
    for i in range(200):
        (docs / ("f%d" % i)).unlink()
    tendd.until(lambda: hook.got, "the post")
    body = hook.got[0][2]
    assert (body["event"], body["unit"]) == ("folder.stopped", "folder:docs")


def test_a_folder_that_is_behind(tendd, hook):
    """Its remote is away: that is told, once; when it has caught up and falls behind again, again."""
    docs, cloud = tendd.folder("docs"), tendd.folder("cloud")
    tendd.configure("[remote disk]\npath = %s\n[folder docs]\npath = %s\nremote = disk:docs\nsettle = 100ms\n"
                    % (cloud, docs) + notify(webhook=hook.url, on="folder.behind", behind="1s", quiet="0s") +
                    notify("late", webhook=hook.url, on="folder.behind", behind="1h", quiet="0s")).start()
    (docs / "first").write_text("1")
    tendd.barrier("docs")
    assert not hook.got
    for turn in (1, 2):
        cloud.rename(tendd.root / "away")
        (docs / ("more%d" % turn)).write_text("2")
        tendd.until(lambda: len(hook.got) == turn, "the post")
        body = hook.got[-1][2]
        assert (body["event"], body["unit"]) == ("folder.behind", "folder:docs")
        assert body["text"].startswith("1 change has waited for 1s, and nothing was sent")
        (tendd.root / "away").rename(cloud)
        tendd.barrier("docs")
    assert len(hook.got) == 2


def test_a_step_that_failed(tendd, hook):
    tendd.configure("[step s]\nrun = exit 7\nretries = 0\n" + notify(webhook=hook.url, on="step.failed")).start()
    tendd.until(lambda: hook.got, "the post")
    body = hook.got[0][2]
    assert (body["event"], body["unit"]) == ("step.failed", "step:s") and "7" in body["text"]


def test_a_reload_changes_it(tendd, hook):
    quiet = "[service a]\nnetwork = no\ncommand = sleep 1000\n"
    tendd.configure(quiet).start()
    tendd.until_state("service:a", "ready")
    tendd.configure(quiet + notify(webhook=hook.url))
    assert tendd.reload()["changes"] == ["notify:n added"]
    tendd.configure(FAILS % "1h" + notify(webhook=hook.url, quiet="1h"))
    lines = tendd.reload()["changes"]
    assert "notify:n live (quiet)" in lines
    tendd.until(lambda: len(hook.got) == 1, "the post")
    tendd.configure(FAILS % "1h")
    assert tendd.reload()["changes"] == ["notify:n removed"]
    tendd.tend("restart", "a")
    tendd.until(lambda: tendd.service_part("a")["failures"] > 0 and tendd.unit("service:a")["state"] == "failed", "another failure")
    assert tendd.stop() == 0
    assert len(hook.got) == 1


@pytest.mark.parametrize("keys, says", [
    ({}, "nobody is told: write webhook or command"),
    ({"webhook": "example.org"}, "it begins with https://"),
    ({"command": "true", "on": "service.up"}, "there is no event 'service.up'"),
    ({"command": "true", "on": "preempted"}, "idle.blind or preempt"),
    ({"command": "a 'b"}, "quote"),
])
def test_what_makes_no_sense_is_refused(tendd, keys, says):
    tendd.configure(notify(**keys))
    got = tendd.run_to_end("--check")
    assert got.returncode == 2 and says in got.stderr and "tend.ini:" in got.stderr
