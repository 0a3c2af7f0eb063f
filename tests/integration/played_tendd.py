"""A tendd that only plays the API: answers what a test lays out, remembers what it was asked."""

import json
import os
import socketserver
import threading
from http.server import BaseHTTPRequestHandler


class PlayedTendd:
    """`answers` maps (method, path) to (status, answer), or to a function that takes the body and returns that.

    An answer that is a generator of bytes is sent in chunks; None breaks the connection without an answer.
    """

    def __init__(self, socket_path):
        self.socket_path = str(socket_path)
        self.asked = []
        self.answers = {}
        self.units = []
        self.status = {
            "api": 1, "version": "0.1.0", "host": "box", "pid": 77, "since": "2026-11-22T14:03:07.123Z",
            "state": "running", "configuration": {"path": "/etc/tend/tend.ini", "loaded": "2026-11-22T14:03:07.123Z",
                                                  "error": None},
        }
        self.server = None
        self.stopping = threading.Lock()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def start(self):
        played = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def address_string(self):
                return "unix"

            def do_GET(self):
                played.answer(self)

            do_POST = do_GET

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, address):
                pass  # a client that went away is part of what is tested

        self.server = Server(self.socket_path, Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self):
        with self.stopping:
            if self.server:
                os.unlink(self.socket_path)
                self.server.shutdown()
                self.server.server_close()
                self.thread.join()
                self.server = None

    def answer(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else None
        self.asked.append((handler.command, handler.path, body))
        status, answer = self.find(handler.command, handler.path, body)
        if answer is None:
            handler.close_connection = True
            return
        if isinstance(answer, dict):
            text = json.dumps(answer).encode()
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(text)))
            handler.end_headers()
            handler.wfile.write(text)
            return
        handler.send_response(status)
        handler.send_header("Content-Type", "text/plain")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        whole = True
        for part in answer:
            if part is None:  # the daemon dies in the middle
                whole = False
                break
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        if whole:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    def find(self, method, path, body):
        answer = self.answers.get((method, path))
        if callable(answer):
            return answer(body)
        if answer:
            return answer
        if (method, path) == ("GET", "/v1/units"):
            return 200, {"api": 1, "units": self.units}
        if (method, path) == ("GET", "/v1/status"):
            return 200, dict(self.status, units=self.units)
        for unit in self.units:
            if (method, path) == ("GET", "/v1/units/" + unit["unit"]):
                return 200, {"api": 1, "unit": unit}
        return 404, {"api": 1, "error": {"kind": "not found", "text": "no such resource '%s'" % path, "hint": ""}}


def folder(name, **changes):
    unit = {
        "unit": "folder:" + name, "kind": "folder", "name": name, "state": "ready", "detail": None,
        "since": "2026-11-22T14:03:07.123Z", "wanted": True, "enabled": True, "needs_person": False, "waits_for": [],
        "dependents": [],
        "folder": {
            "path": "/srv/" + name, "remote": "cloud:" + name, "mode": "backup", "state": "idle", "trouble": None,
            "degraded": None, "files": 3, "folders": 1, "links": 0, "size_bytes": 4096, "strangers": 0, "pending": 0,
            "refused": 0, "not_kept": 0, "plain_databases": 0, "sent_files": 3, "sent_bytes": 4096, "set_only": 0, "moved": 0, "removed": 0, "scans": 1,
            "last_sync": "2026-11-22T14:03:08.000Z", "troubles": [],
        },
    }
    unit["folder"].update(changes.pop("folder", {}))
    unit.update(changes)
    return unit


def service(name, **changes):
    unit = {
        "unit": "service:" + name, "kind": "service", "name": name, "state": "ready", "detail": None,
        "since": "2026-11-22T14:03:07.123Z", "wanted": True, "enabled": True, "needs_person": False, "waits_for": [],
        "dependents": [],
        "service": {"state": "up", "pid": 4242, "restarts": 0, "failures": 0, "exit": None, "next_try": None,
                    "log": "/var/log/tend/%s.log" % name, "command": "run " + name},
    }
    unit["service"].update(changes.pop("service", {}))
    unit.update(changes)
    return unit
