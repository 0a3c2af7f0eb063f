"""The HTTP side: routes, logins, faults on demand, TLS by CONNECT for clients that only know Google's own names."""
import json
import re
import ssl
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import errors, files, oauth, uploads
from .model import DOCUMENT, FOLDER, SHORTCUT, Drive, File, Seen, new_id

ROUTES = [  # method, path, function of (seen, given, body, *ids), does it write?
    ("GET", r"/drive/v3/about", files.about, False),
    ("GET", r"/drive/v3/files/generateIds", files.generate_ids, False),
    ("GET", r"/drive/v3/files", files.list_files, False),
    ("GET", r"/drive/v3/changes/startPageToken", files.start_token, False),
    ("GET", r"/drive/v3/changes", files.list_changes, False),
    ("GET", r"/drive/v3/drives", files.list_drives, False),
    ("GET", r"/drive/v3/drives/([^/]+)", lambda s, g, b, i: files.get_drive(s, g, i), False),
    ("POST", r"/drive/v3/files", files.create, True),
    ("PATCH", r"/drive/v3/files/([^/]+)", files.update, True),
    ("POST", r"/drive/v3/files/([^/]+)/copy", files.copy, True),
    ("GET", r"/drive/v3/files/([^/]+)/revisions", lambda s, g, b, i: files.list_revisions(s, g, i), False),
    ("GET", r"/drive/v3/files/([^/]+)/revisions/([^/]+)", lambda s, g, b, i, r: files.get_revision(s, g, i, r), False),
    ("GET", r"/drive/v3/files/([^/]+)", lambda s, g, b, i: files.get(s, g, i), False),
]
UPLOAD = re.compile(r"/(?:resumable/)?upload/drive/v3/files(?:/([^/]+))?$")


class Server:
    """State and switches; `serve` runs it on a thread of its own."""

    def __init__(self, port=0, tls=None):
        self.drive, self.oauth, self.sessions = Drive(), oauth.OAuth(), {}
        self.lock = threading.RLock()
        self.user = "user@example.org"
        self.short_take, self.session_seconds = False, None
        # {"match": regex of "METHOD path?query", "body": text in it, "reason" or "drop", "count", "skip", "after"; "deaf": from then on
        # nothing is answered}
        self.faults = []
        self.log = []
        self.delay_ms = 0
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        server = self

        class Handler(Talk):
            drive_server = server

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.http.daemon_threads = True
        self.http.request_queue_size = 128
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"

    def start(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    # ---- what a test sets up ----

    def add_client(self, client_id="tend-tests.apps.googleusercontent.com", secret="GOCSPX-not-so-secret"):
        self.oauth.clients[client_id] = oauth.Client(client_id, secret)
        return client_id, secret

    def sign_in(self, client_id, scope="drive"):
        """Tokens as a person would get them."""
        return self.oauth.grant(oauth.Login(self.user, client_id, oauth.SCOPE + scope))

    def add_service_account(self, email, public_pem, may_be=()):
        audience = {"https://oauth2.googleapis.com/token", self.address + "/token"}
        self.oauth.accounts[email] = {"key": public_pem, "may_be": set(may_be), "audience": audience}
        self.drive.limits[email] = 0

    def seen(self, login):
        return Seen(self.drive, login)

    def strange(self, kind, name, parent, target=None):
        """Something that another program or a person has put there: "file", "folder", "document", "shortcut"."""
        mime = {"file": "text/plain", "folder": FOLDER, "document": DOCUMENT, "shortcut": SHORTCUT}[kind]
        file = File(new_id(), name, mime, parent, self.user, "another-app")
        if kind == "file":
            file.set_content(b"strange")
        file.target = target
        self.drive.files[file.id] = file
        self.drive.changed(file)
        return file.id

    def fault(self, line, raw):
        for one in self.faults:
            if one.get("count", 1) <= 0 or not re.search(one["match"], line) or one.get("body", "").encode() not in raw:
                continue
            if one.get("skip", 0) > 0:
                one["skip"] -= 1
                continue
            one["count"] = one.get("count", 1) - 1
            return one
        return None


class Drop(Exception):
    """The connection is cut without a word."""


class Talk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ESF"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    drive_server = None

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (Drop, ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True

    # ---- bytes in and out ----

    def handle_expect_100(self):
        went = super().handle_expect_100()
        self.wfile.flush()
        return went

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            out = bytearray()
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                out += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return bytes(out)
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if len(body) < length:
            raise Drop
        return body

    def answer(self, status, body=b"", headers=None, kind="application/json; charset=UTF-8"):
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(time.time(), usegmt=True))
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if status != 204:
            self.wfile.write(body)
        self.wfile.flush()

    # ---- one request ----

    def talk(self):
        server = self.drive_server
        where = urllib.parse.urlsplit(self.path)
        given = dict(urllib.parse.parse_qsl(where.query, keep_blank_values=True))
        raw = self.read_body()
        line = f"{self.command} {self.path}"
        if server.delay_ms:
            time.sleep(server.delay_ms / 1000)
        try:
            with server.lock:
                server.log.append(line)
                fault = server.fault(line, raw)
            if fault and not fault.get("after"):
                self.fail(fault)
            with server.lock:
                reply = self.route(where.path, given, raw)
                if fault and fault.get("deaf"):
                    server.faults.insert(0, {"match": "", "drop": True, "count": 1000000})
            if fault:
                self.fail(fault)
            self.answer(*reply)
        except errors.Refused as refused:
            self.answer(refused.status, refused.body, refused.headers)
        except uploads.Incomplete as more:
            self.answer(308, b"", more.headers, "text/plain")

    def fail(self, fault):
        if fault.get("drop"):
            raise Drop
        raise errors.limit(fault["reason"], fault.get("headers"))

    def route(self, path, given, raw):
        server = self.drive_server
        if path.startswith("/test/"):
            return self.test(path, given, raw)
        if path == "/token":
            return 200, server.oauth.token(self.form(raw))
        if path == "/device/code":
            return 200, server.oauth.device(self.form(raw))
        if path == "/o/oauth2/v2/auth":
            return 302, b"", {"Location": server.oauth.authorize(given, server.user)}
        upload = UPLOAD.match(path)
        if upload:
            return self.upload(given, raw, upload.group(1))
        login = server.oauth.login(self.headers.get("Authorization"), given)
        seen = server.seen(login)
        if self.command == "DELETE" and re.match(r"/drive/v3/files/[^/]+$", path):
            files.delete(seen, given, path.rsplit("/", 1)[1])
            return (204,)
        for method, pattern, function, writes in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == self.command:
                if writes and not login.may_write:
                    raise errors.no_scope()
                if given.get("alt") == "media" and match.groups():
                    if match.re.groups == 2:
                        row = files.find_revision(seen, given, *match.groups())
                        return self.media(row[1], row[0]["mimeType"])
                    file = files.media(seen, given, match.group(1))
                    return self.media(file.content, file.mime)
                body = uploads.parse_json(raw.decode()) if raw else {}
                return 200, function(seen, given, body, *match.groups())
        raise errors.Refused(404, {"error": {"code": 404, "message": "Not Found", "errors": []}})

    def form(self, raw):
        if self.command != "POST" or "application/x-www-form-urlencoded" not in self.headers.get("Content-Type", ""):
            raise errors.oauth("invalid_request", "POST a form.")
        return dict(urllib.parse.parse_qsl(raw.decode()))

    def upload(self, given, raw, file_id):
        server = self.drive_server
        if "upload_id" in given:
            if self.command == "DELETE":
                uploads.cancel(server, given["upload_id"])
            # The guide says PUT; rclone and Google's own Go client POST, and the real server takes both.
            if self.command not in ("PUT", "POST"):
                raise errors.api(400, "badRequest", "A session takes PUT.")
            return 200, uploads.put(server, given["upload_id"], self.headers, raw)
        login = server.oauth.login(self.headers.get("Authorization"), given)
        if not login.may_write:
            raise errors.no_scope()
        if self.command != ("PATCH" if file_id else "POST"):
            raise errors.Refused(404, {"error": {"code": 404, "message": "Not Found", "errors": []}})
        kind, seen = given.get("uploadType"), server.seen(login)
        if kind in ("media", "multipart"):
            return 200, uploads.small(server, seen, given, file_id, self.headers, raw)
        if kind != "resumable":
            raise errors.invalid("Invalid upload type", "uploadType")
        session = uploads.begin(server, seen, given, file_id, self.headers, raw)
        host = self.headers.get("Host", "www.googleapis.com")
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        where = f"{scheme}://{host}{urllib.parse.urlsplit(self.path).path}?uploadType=resumable&upload_id={session.id}"
        return 200, b"", {"Location": where, "X-GUploader-UploadID": session.id}

    def media(self, content, mime):
        spoken = self.headers.get("Range")
        if not spoken:
            return 200, content, {}, mime
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", spoken)
        if not match or int(match.group(1)) >= len(content):
            raise errors.api(416, "requestedRangeNotSatisfiable", "Request range not satisfiable", location="Range",
                             locationType="header")
        first = int(match.group(1))
        last = min(int(match.group(2) or len(content)), len(content) - 1)
        where = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return 206, content[first:last + 1], where, mime

    # ---- a test's own ----

    def test(self, path, given, raw):
        """Switches and looks from another process: not Google's."""
        server = self.drive_server
        body = json.loads(raw) if raw else {}
        if path == "/test/set":
            for name, value in body.items():
                setattr(server.drive if hasattr(server.drive, name) else server.oauth if hasattr(server.oauth, name) else server,
                        name, value)
            return 200, {}
        if path == "/test/forget-tokens":
            server.oauth.access.clear()
            if body.get("refresh"):
                server.oauth.refresh.clear()
            return 200, {}
        if path == "/test/log":
            log, server.log = server.log, []
            return 200, log[:-1]
        if path == "/test/strange":
            return 200, {"id": server.strange(**body)}
        if path == "/test/device":
            for device in server.oauth.devices.values():
                device["state"] = body["state"]
            return 200, {}
        if path == "/test/files":
            return 200, [{"id": f.id, "name": f.name, "mime": f.mime, "parent": f.parent, "trashed": server.drive.is_trashed(f),
                          "size": len(f.content or b""), "md5": f.hashes[0] if f.hashes else None}
                         for f in server.drive.files.values()]
        raise errors.Refused(404, {})

    # ---- TLS for clients that cannot be told another address: they come as to a proxy ----

    def do_CONNECT(self):
        self.send_response_only(200, "Connection established")
        self.end_headers()
        self.wfile.flush()
        self.connection = self.drive_server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", self.wbufsize)
        self.close_connection = False
        self.request = self.connection

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = talk
