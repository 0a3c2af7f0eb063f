"""What the machine of test_box.py and test_gpu.py sees of the world: https for the names of which /srv/mirror holds a folder, and on
127.0.0.1:9000 and 9001 the S3 server and the metadata service that the test runs outside, through sockets in the file system (the
machine has no network)."""

import http.server
import os
import socket
import ssl
import sys
import threading


class Mirror(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def translate_path(self, path):
        self.directory = "/srv/mirror/" + os.path.basename(self.headers["Host"])
        return super().translate_path(path)

    def log_message(self, *words):
        with open("/srv/asked", "a", encoding="utf-8") as log:
            log.write("%s%s\n" % (self.headers["Host"], self.path))


def copy(one, other):
    """All that one side says, then its end."""
    try:
        while got := one.recv(1 << 16):
            other.sendall(got)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        one.close()
        other.close()


def line(listener, reach):
    while True:
        one, _ = listener.accept()
        other = reach()
        for pair in ((one, other), (other, one)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


def outside(port, path):
    def reach():
        reached = socket.socket(socket.AF_UNIX)
        reached.connect(path)
        return reached
    threading.Thread(target=line, args=(socket.create_server(("127.0.0.1", port)), reach), daemon=True).start()


def main():
    outside(9000, "/job/s3")
    outside(9001, "/job/notices")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), Mirror)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/srv/tls/server.pem", "/srv/tls/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
