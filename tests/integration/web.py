"""The TCP side for tests: a daemon that serves it on a free port, and how to ask there."""

import http.client
import json
import socket

from tend import PATIENCE


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Web:
    """`tendd` with the dashboard on; `cookie` once logged in."""

    def __init__(self, tendd, sections="", tend=""):
        self.tendd = tendd
        self.port = free_port()
        self.host = "127.0.0.1:%d" % self.port
        self.tend = "web = %s\n" % self.host + tend
        self.cookie = None
        tendd.configure(sections, tend=self.tend)

    def start(self):
        self.tendd.start()
        self.tendd.until(self.answers, "an answer of the dashboard")
        return self

    def answers(self):
        return self.ask("GET", "/")[0] == 200

    @property
    def token(self):
        return (self.tendd.state / "web_token").read_text().strip()

    def ask(self, method, path, body=None, **headers):
        """(status, headers, body): headers by their names with '_'; None leaves one of the usual out."""
        usual = {"Host": self.host}
        if method == "POST":
            usual.update({"Content-Type": "application/json", "Origin": "http://" + self.host})
        if self.cookie:
            usual["Cookie"] = self.cookie
        usual.update({name.replace("_", "-"): value for name, value in headers.items()})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            text = None if method == "GET" else json.dumps({} if body is None else body).encode()
            if text is not None:
                usual.setdefault("Content-Length", str(len(text)))
            for name, value in usual.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(text)
            answer = connection.getresponse()
            raw = answer.read()
            is_json = answer.headers.get("Content-Type", "").startswith("application/json")
            return answer.status, answer.headers, json.loads(raw) if is_json else raw
        finally:
            connection.close()

    def bearer(self, method, path, body=None, **headers):
        return self.ask(method, path, body, Authorization="Bearer " + self.token, **headers)

    def login(self):
        status, headers, body = self.ask("POST", "/v1/login", {"token": self.token})
        assert status == 200, body
        self.cookie = headers["Set-Cookie"].split(";")[0]
        return headers["Set-Cookie"]
