"""The metadata services of EC2, Compute Engine and Azure, as far as they tell that a machine is taken away."""

import http.server
import json
import threading
import time
import urllib.parse


class Metadata:
    """One service on a port of its own. `notice`, `hint`, `events` and `preempted` are what it says, `tokens` what it accepts."""

    def __init__(self):
        self.notice = self.hint = None
        self.events = []
        self.name = "my-vm"
        self.preempted = "FALSE"
        self.token = 1
        self.tokens_given = self.refused = 0
        self.garbage = False
        self.acks = []
        self.asked = 0
        self.changed = threading.Condition()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def answer(self, status, text="", **headers):
                body = text.encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                assert self.path == "/latest/api/token"
                assert 1 <= int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
                service.tokens_given += 1
                self.answer(200, "token-%d" % service.token)

            def do_POST(self):
                assert self.headers["Metadata"] == "true"
                service.acks.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(200)

            def do_GET(self):
                service.asked += 1
                path, _, query = self.path.partition("?")
                if service.garbage:
                    self.answer(200, "<html>welcome to the hotel</html>")
                elif path.startswith("/latest/"):
                    self.aws(path)
                elif path.startswith("/computeMetadata/v1/"):
                    self.gcp(path, dict(urllib.parse.parse_qsl(query)))
                else:
                    self.azure(path)

            def aws(self, path):
                what = {"/latest/meta-data/spot/instance-action": service.notice,
                        "/latest/meta-data/events/recommendations/rebalance": service.hint}[path]
                if self.headers["X-aws-ec2-metadata-token"] != "token-%d" % service.token:
                    service.refused += 1
                    self.answer(401)
                elif what is None:
                    self.answer(404, "<?xml version='1.0'?>")
                else:
                    self.answer(200, json.dumps(what))

            def gcp(self, path, query):
                assert self.headers["Metadata-Flavor"] == "Google"

                def say():
                    return service.preempted if path.endswith("/preempted") else "NONE"
                with service.changed:
                    if query.get("wait_for_change") == "true":
                        service.changed.wait_for(lambda: query["last_etag"] != say(), float(query["timeout_sec"]))
                self.answer(200, say(), ETag=say())

            def azure(self, path):
                assert self.headers["Metadata"] == "true"
                if path == "/metadata/instance/compute/name":
                    self.answer(200, service.name)
                else:
                    assert path == "/metadata/scheduledevents"
                    self.answer(200, json.dumps({"DocumentIncarnation": len(service.events), "Events": service.events}))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server.server_port

    # ---- what happens ----

    def terminate(self, seconds):
        """EC2: it ends in so many seconds."""
        self.notice = {"action": "terminate", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}

    def preempt(self):
        """Compute Engine: now."""
        with self.changed:
            self.preempted = "TRUE"
            self.changed.notify_all()

    def schedule(self, event_id, kind, seconds, *resources):
        """Azure: in so many seconds."""
        before = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
        self.events.append({"EventId": event_id, "EventType": kind, "ResourceType": "VirtualMachine", "Resources": list(resources),
                            "EventStatus": "Scheduled", "NotBefore": before, "Description": "", "EventSource": "Platform",
                            "DurationInSeconds": -1})

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.preempt()  # whoever waits for it
        self.server.shutdown()
        self.server.server_close()
