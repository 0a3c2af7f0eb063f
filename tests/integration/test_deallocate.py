"""The end where power-off does not end the bill: Azure, played by a server of ours; systemctl, played by a script; and Jupyter's API,
played as well, which says whether a kernel works.
"""

import http.server
import json
import os
import threading

import pytest

ID = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/box"


class Played(http.server.ThreadingHTTPServer):
    """Answers by `answers`: (method, path without its question) to (status, JSON); keeps what was asked, with its headers."""

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers, self.asked = answers, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_port

    def questions(self):
        return [(method, path.split("?")[0]) for method, path, _ in self.asked]


class Answering(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        status, body = self.server.answers.get((self.command, self.path.split("?")[0]), (404, {}))
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


WHO, TOKEN = ("GET", "/metadata/instance/compute"), ("GET", "/metadata/identity/oauth2/token")
SAME, END = ("GET", ID), ("POST", ID + "/deallocate")
GOOD = {
    WHO: (200, {"resourceId": ID, "vmId": "11111111-AAAA", "name": "box"}),
    TOKEN: (200, {"access_token": "token-of-the-identity", "token_type": "Bearer"}),
    SAME: (200, {"properties": {"vmId": "11111111-aaaa"}}),
    END: (202, {}),
}


@pytest.fixture
def play():
    servers = []

    def start(answers):
        servers.append(Played(answers))
        return servers[-1]
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def systemctl(tendd):
    """A script in place of systemctl: this machine stays up."""
    folder = tendd.folder("bin")
    told = tendd.root / "told"
    (folder / "systemctl").write_text("#!/bin/sh\necho \"$@\" >> '%s'\n" % told)
    os.chmod(folder / "systemctl", 0o755)
    tendd.environment["PATH"] = "%s:%s" % (folder, tendd.environment["PATH"])
    tendd.environment["TEND_WITHOUT"] = "idle-wait"
    return told


def idle(**keys):
    words = dict({"after": "1s", "every": "100ms", "min_uptime": "0s", "warn": "0s", "active": "command:false"}, **keys)
    return "[idle]\n" + "".join("%s = %s\n" % item for item in words.items())


def events(tendd):
    return [event["text"] for event in tendd.get("/v1/history?unit=tendd&limit=100")["events"] if event["event"] == "idle"]


def phase(tendd):
    return tendd.get("/v1/status")["idle"]["phase"]


def test_azure_is_deallocated(tendd, systemctl, play):
    server = play(GOOD)
    tendd.configure(idle(action="poweroff", stop_billing="azure", endpoint=server.url)).start()
    tendd.until(lambda: END in server.questions(), "the call")
    assert server.questions() == [WHO, TOKEN, SAME, END]
    headers = [headers for _, _, headers in server.asked]
    assert [h.get("Metadata") for h in headers] == ["true", "true", None, None]
    assert [h.get("Authorization") for h in headers] == [None, None, *["Bearer token-of-the-identity"] * 2]
    assert "resource=https%3A%2F%2Fmanagement.azure.com%2F" in server.asked[1][1]
    tendd.until(lambda: phase(tendd) == "gave up", "the end of it")
    assert not systemctl.exists() and "token-of-the-identity" not in tendd.said


@pytest.mark.parametrize("change, says, asked", [
    ({SAME: (200, {"properties": {"vmId": "22222222-bbbb"}})}, "another machine", [WHO, TOKEN, SAME]),
    ({SAME: (200, {})}, "another machine", [WHO, TOKEN, SAME]),
    ({WHO: (200, {"resourceId": "/subscriptions/s/../other", "vmId": "1"})}, "does not name this machine", [WHO]),
    ({WHO: (200, {"resourceId": ID})}, "does not name this machine", [WHO]),
    ({WHO: (200, {"resourceId": ID.replace("virtualMachines", "disks"), "vmId": "1"})}, "does not name this machine", [WHO]),
    ({TOKEN: (400, {"error": "invalid_request"})}, "no managed identity", [WHO, TOKEN]),
    ({TOKEN: (200, {})}, "gives no token", [WHO, TOKEN]),
    ({SAME: (403, {})}, "Virtual Machine Contributor", [WHO, TOKEN, SAME]),
    ({END: (403, {})}, "Virtual Machine Contributor", [WHO, TOKEN, SAME, END]),
    ({END: (500, {})}, "Azure answers 500", [WHO, TOKEN, SAME, END]),
])
def test_azure_refuses(tendd, systemctl, play, change, says, asked):
    """Nothing is ended, and services run again."""
    server = play({**GOOD, **change})
    service = "[service a]\nnetwork = no\ncommand = sleep 1000\n"
    tendd.configure(service + idle(action="poweroff", stop_billing="azure", endpoint=server.url)).start()
    tendd.until(lambda: phase(tendd) == "gave up", "the failure")
    assert server.questions() == asked
    assert any(says in text for text in events(tendd)), events(tendd)
    tendd.until_state("service:a", "ready")
    assert not systemctl.exists()


def test_azure_is_busy(tendd, systemctl, play):
    """Nothing was done: it is tried again after another window."""
    server = play({**GOOD, TOKEN: (503, {})})
    tendd.configure(idle(action="poweroff", stop_billing="azure", endpoint=server.url)).start()
    tendd.until(lambda: server.questions().count(TOKEN) >= 2, "another try")
    assert any("called off: Azure answers 503" in text for text in events(tendd))
    server.answers = GOOD
    tendd.until(lambda: END in server.questions(), "the call")
    assert not systemctl.exists()


@pytest.mark.parametrize("action", ["poweroff", "suspend"])
def test_systemctl_is_told(tendd, systemctl, action):
    tendd.configure(idle(action=action, stop_billing="none")).start()
    tendd.until(lambda: systemctl.read_text() == action + "\n", "the act")


# ---- Jupyter ----


def kernel(state, time):
    return [{"name": "python3", "execution_state": state, "last_activity": time, "connections": 1}]


def test_a_kernel_keeps_it_up(tendd, systemctl, play):
    """Its server is found by the file that it left, and asked with the token that stands there."""
    server = play({("GET", "/base/api/kernels"): (200, kernel("busy", "2020-01-01T00:00:00.000000Z")), ("GET", "/base/api/terminals"): (200, [])})
    runtime = tendd.root / ".local/share/jupyter/runtime"
    runtime.mkdir(parents=True)
    (runtime / ("jpserver-%d.json" % os.getpid())).write_text(
        json.dumps({"url": server.url + "/base/", "token": "t-1", "pid": os.getpid(), "port": server.server_port}))
    tendd.environment["HOME"] = str(tendd.root)
    tendd.configure(idle(action="poweroff", active="jupyter")).start()
    tendd.until(lambda: "kernel python3 is busy" in tendd.get("/v1/awake")["idle"]["why"], "the kernel")
    assert server.asked[0][2]["Authorization"] == "token t-1"
    server.answers = {}
    tendd.until(lambda: "answers 404" in tendd.get("/v1/awake")["idle"]["why"], "a server that does not know")
    assert not systemctl.exists()
    server.answers = {("GET", "/base/api/kernels"): (200, kernel("idle", "2020-01-01T00:00:00.000000Z"))}
    tendd.until(systemctl.exists, "the act")
