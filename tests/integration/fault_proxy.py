"""A proxy before a real server that does what networks and servers do on bad days.

Each request is read whole and shown to `decide`, which says what becomes of it: None lets it pass. What was asked is kept in
`requests`, so that a test can count; what came of those whose sender went away meanwhile is in `begun`.
"""

import contextlib
import random
import select
import socket
import ssl
import struct
import threading
import time


class Request:
    def __init__(self, head, body=b""):
        self.head = head
        self.body = body
        self.came = 0  # bytes of the body so far
        self.answered = False  # the server has done it, and says so
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self.method, self.target = words[0], words[1]
        self.at = time.monotonic()

    @property
    def is_list(self):
        return self.method == "GET" and "list-type=2" in self.target

    def __repr__(self):
        return "%s %s" % (self.method, self.target)


class Gone(Exception):
    """The connection ended, or is to be ended."""


# ---- what may become of a request: each takes the connection and the request ----

def reset(link, request):
    """A RST in place of an answer; the server hears nothing of it."""
    link.reset()
    raise Gone


def stall(link, request):
    """No answer, ever: until the other side gives up."""
    link.wait_for_end()
    raise Gone


def status(code, text="", headers=()):
    """An answer of its own; the server hears nothing of it."""
    def act(link, request):
        body = b"" if request.method == "HEAD" else text.encode()
        lines = ["HTTP/1.1 %d Fault" % code, "Content-Length: %d" % len(body), "Content-Type: application/xml", *headers]
        link.send(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
    return act


def lost(link, request):
    """The server does its work, its answer never comes."""
    link.ask(request)
    link.reset()
    raise Gone


def cut(at, quiet=False):
    """The connection ends after `at(length)` bytes of an answer's body. Quiet: its head does not tell how long that should be."""
    def act(link, request):
        head, body = link.ask(request)
        if quiet:
            lines = [line for line in head.split(b"\r\n")
                     if not line.lower().startswith((b"content-length:", b"transfer-encoding:", b"connection:"))]
            head = b"\r\n".join(lines[:-2] + [b"Connection: close", b"", b""])
        link.send(head + body[:at(len(body))])
        raise Gone
    return act


def cut_head(link, request):
    """The connection ends in the middle of an answer's head."""
    head, _ = link.ask(request)
    link.send(head[:len(head) // 2])
    raise Gone


def now_and_then(acts, share, seed):
    """A `decide`: this share of the requests, by chance, meets one of `acts`."""
    chance = random.Random(seed)
    lock = threading.Lock()

    def decide(request):
        with lock:
            return chance.choice(acts) if chance.random() < share else None
    return decide


class Link:
    """One connection of a client, and ours to the server."""

    def __init__(self, proxy, sock):
        self.proxy = proxy
        self.client = sock
        self.server = None

    def receive(self, sock, kept, until):
        speed = self.proxy.bytes_per_second
        while not until(kept):
            part = sock.recv(min(65536, max(4096, speed // 256)) if speed else 65536)
            if self.proxy.bytes_per_second:
                time.sleep(len(part) / self.proxy.bytes_per_second)
            if not part:
                raise Gone
            kept += part
        return kept

    def head_and_rest(self, sock, kept=b""):
        kept = self.receive(sock, kept, lambda got: b"\r\n\r\n" in got)
        head, _, rest = kept.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n", rest

    @staticmethod
    def header(head, name):
        for line in head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name:
                return value.strip()
        return None

    def request(self):
        head, body = self.head_and_rest(self.client)
        if self.header(head, b"expect"):
            self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(self.header(head, b"content-length") or 0)
        request = Request(head)

        def whole(got):
            request.came = len(got)
            if got:
                self.proxy.comes(request)
            return len(got) >= length
        with self.proxy.lock:
            self.proxy.begun.append(request)
        request.body = self.receive(self.client, body, whole)
        return request

    def ask(self, request):
        """The server's whole answer: head and body as they came."""
        if self.server and select.select([self.server], [], [], 0)[0]:
            self.server.close()  # it does not keep a connection for ever on which nobody asks
            self.server = None
        if self.server is None:
            self.server = socket.create_connection(self.proxy.target, timeout=60)
        lines = [line for line in request.head.split(b"\r\n") if not line.lower().startswith(b"expect:")]
        self.server.sendall(b"\r\n".join(lines) + request.body)
        head, rest = self.head_and_rest(self.server)
        while head.split(b" ", 2)[1] == b"100":
            head, rest = self.head_and_rest(self.server, rest)
        if request.method == "HEAD" or head.split(b" ", 2)[1] in (b"204", b"304"):
            return head, b""
        if (self.header(head, b"transfer-encoding") or b"").lower() == b"chunked":
            return head, self.receive(self.server, rest, lambda got: got.endswith(b"0\r\n\r\n"))
        length = int(self.header(head, b"content-length") or 0)
        return head, self.receive(self.server, rest, lambda got: len(got) >= length)

    def pass_on(self, request):
        answer = b"".join(self.ask(request))
        request.answered = True
        self.send(answer)

    def send(self, data):
        self.client.sendall(data)

    def reset(self):
        raw = self.client
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def wait_for_end(self):
        self.client.settimeout(None)
        while self.client.recv(65536):
            pass

    def serve(self):
        try:
            while True:
                request = self.request()
                act = self.proxy.seen(request)
                if act:
                    act(self, request)
                else:
                    self.pass_on(request)
        except (Gone, OSError):
            pass
        finally:
            self.close()

    def close(self):
        for sock in (self.client, self.server):
            if sock:
                sock.close()


class Proxy:
    """Listens on a port of its own on 127.0.0.1 (given: that one). `context` (an ssl.SSLContext) makes it a TLS server; it may be
    replaced while it runs."""

    def __init__(self, server, context=None, narrow=False, port=0):
        host = server.partition("//")[2]
        self.target = (host.rpartition(":")[0], int(host.rpartition(":")[2]))
        self.context = context
        self.narrow = narrow
        self.decide = lambda request: None
        self.comes = lambda request: None  # told of every piece of a body
        self.requests = []
        self.begun = []
        self.bytes_per_second = 0  # 0: as fast as it goes; else of what each connection says to us
        self.connections = 0
        self.lock = threading.Lock()
        self.links = set()
        self.listener = None
        self.port = port
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.narrow:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)  # what lies in buffers has not arrived
            self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)  # this machine's own is larger than the buffer
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    @property
    def address(self):
        return "%s://127.0.0.1:%d" % ("https" if self.context else "http", self.port)

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        sock.settimeout(120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        link = Link(self, sock)
        with self.lock:
            self.links.add(link)
        link.serve()
        with self.lock:
            self.links.discard(link)

    def seen(self, request):
        with self.lock:
            self.requests.append(request)
        return self.decide(request)

    def count(self, *methods):
        with self.lock:
            return sum(not methods or request.method in methods for request in self.requests)

    def forget(self):
        with self.lock:
            self.requests.clear()
            self.begun.clear()

    def shut(self):
        """Nobody listens any more, and what is open ends: a server that is down."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            links = list(self.links)
        for link in links:
            try:
                link.client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.shut()


@contextlib.contextmanager
def before(store):
    """A proxy by which tend comes to the store's server; rclone and the tests go there themselves."""
    name = "url" if hasattr(store, "url") else "endpoint"
    address = getattr(store, name)
    server = "/".join(address.split("/")[:3])
    with Proxy(server) as proxy:
        setattr(store, name, address.replace(server, proxy.address))
        yield proxy
