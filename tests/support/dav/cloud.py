#!/usr/bin/python3
"""Plays those parts of Nextcloud that plain WebDAV does not have, in memory: X-OC-Mtime, OC-Checksum, ETags of folders that change with
anything below, chunked uploads v2. usage: cloud.py PORT USER PASSWORD

As strict as the manual of its developers says: chunks are 1 to 10000, of 5 MiB at least but the last, need their Destination, and are
assembled by a MOVE of .file whose OC-Total-Length must be right. A body that is not what its OC-Checksum says is refused.
"""

import base64
import email.utils
import hashlib
import http.server
import os
import sys
import threading
import time
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

FILES, UPLOADS = "/remote.php/dav/files/", "/remote.php/dav/uploads/"
DIGESTS = {"MD5": "md5", "SHA1": "sha1", "SHA256": "sha256"}
LIVE = {"{DAV:}resourcetype", "{DAV:}getcontentlength", "{DAV:}getlastmodified", "{DAV:}getetag", "{DAV:}quota-available-bytes",
        "{http://owncloud.org/ns}checksums"}


class Node:
    def __init__(self, data=None):
        self.data = data  # None: a folder
        self.children = {}
        self.mtime = int(time.time())
        self.checksum = ""
        self.properties = {}
        self.touch()

    def touch(self):
        self.etag = os.urandom(7).hex()

    def copy(self):
        other = Node(self.data)
        other.mtime, other.checksum, other.properties = self.mtime, self.checksum, dict(self.properties)
        other.children = {name: child.copy() for name, child in self.children.items()}
        return other


class Refused(Exception):
    pass


class Cloud(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.RLock()
    roots = {}
    login = ""

    def log_message(self, *_):
        pass

    # ---- places ----

    def parts(self, address):
        path = unquote(urlsplit(address).path)
        for prefix in (FILES, UPLOADS):
            if path.startswith(prefix):
                user, *names = [name for name in path[len(prefix):].split("/") if name]
                return prefix + user, names
        raise Refused(404)

    def find(self, address, wanted=True):
        """The folders on the way and the node; without `wanted` it may be None, its folder never."""
        root, names = self.parts(address)
        chain = [self.roots[root]]
        for name in names[:-1]:
            below = chain[-1].children.get(name)
            if below is None or below.data is not None:
                raise Refused(404 if wanted else 409)
            chain.append(below)
        node = chain[-1].children.get(names[-1]) if names else chain.pop()
        if wanted and node is None:
            raise Refused(404)
        return chain, names[-1] if names else "", node

    def changed(self, chain):
        for node in chain:
            node.touch()

    def conditions(self, node):
        wants = self.headers.get("If-Match")
        if wants and (node is None or wants not in ("*", '"%s"' % node.etag)):
            raise Refused(412)
        if self.headers.get("If-None-Match") == "*" and node is not None:
            raise Refused(412)

    # ---- answers ----

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def run(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/status.php":
            return self.answer(200, b'{"installed":true}')
        if self.headers.get("Authorization") != self.login:
            return self.answer(401, WWW_Authenticate='Basic realm="cloud", charset="UTF-8"')
        with self.lock:
            try:
                getattr(self, "on_" + self.command.lower())(body)
            except Refused as refused:
                self.answer(refused.args[0])

    do_GET = do_HEAD = do_PUT = do_DELETE = do_MKCOL = do_COPY = do_MOVE = do_PROPFIND = do_PROPPATCH = run

    def on_get(self, _):
        node = self.find(self.path)[2]
        if node.data is None:
            raise Refused(405)
        told = {"ETag": '"%s"' % node.etag, "OC_ETag": '"%s"' % node.etag}
        wanted = self.headers.get("Range")
        if not wanted:
            return self.answer(200, node.data, **told)
        first, last = wanted[len("bytes="):].split("-")
        first, last = int(first), min(int(last), len(node.data) - 1)
        if first > last:
            raise Refused(416)
        self.answer(206, node.data[first:last + 1], **told,
                    Content_Range="bytes %d-%d/%d" % (first, last, len(node.data)))

    on_head = on_get

    def on_mkcol(self, _):
        chain, name, node = self.find(self.path, wanted=False)
        if node is not None:
            raise Refused(405)
        chain[-1].children[name] = node = Node()
        if self.parts(self.path)[0].startswith(UPLOADS):
            node.destination = self.headers.get("Destination")
        self.changed(chain)
        self.answer(201)

    def store(self, address, data):
        """What PUT and the MOVE of an upload have in common."""
        chain, name, node = self.find(address, wanted=False)
        if node is not None and node.data is None:
            raise Refused(409)
        kind, _, wanted = self.headers.get("OC-Checksum", "").partition(":")
        if kind and (kind not in DIGESTS or hashlib.new(DIGESTS[kind], data).hexdigest() != wanted):
            raise Refused(400)
        told = {}
        status = 204 if node else 201
        properties = node.properties if node else {}  # they stay with the path, as in its database
        chain[-1].children[name] = node = Node(data)
        node.properties = properties
        if self.headers.get("X-OC-Mtime"):
            node.mtime = int(self.headers["X-OC-Mtime"])
            told["X_OC_Mtime"] = "accepted"
        node.checksum = self.headers.get("OC-Checksum", "")
        self.changed(chain)
        self.answer(status, ETag='"%s"' % node.etag, OC_ETag='"%s"' % node.etag, **told)

    def on_put(self, body):
        chain, name, node = self.find(self.path, wanted=False)
        if self.headers.get("Content-Range"):
            raise Refused(400)
        if self.parts(self.path)[0].startswith(FILES):
            self.conditions(node)
            return self.store(self.path, body)
        upload = chain[-1]
        if not name.isdigit() or not 1 <= int(name) <= 10000 or self.headers.get("Destination") != upload.destination:
            raise Refused(400)
        upload.children[name] = Node(body)
        self.answer(204 if node else 201)

    def on_delete(self, _):
        chain, name, node = self.find(self.path)
        self.conditions(node)
        del chain[-1].children[name]
        self.changed(chain)
        self.answer(204)

    def on_move(self, _):
        destination = self.headers["Destination"]
        if self.parts(self.path)[0].startswith(UPLOADS):
            return self.assemble(destination)
        self.transfer(destination, move=True)

    def on_copy(self, _):
        self.transfer(self.headers["Destination"], move=False)

    def may_replace(self, address):
        node = self.find(address, wanted=False)[2]
        if node is not None and self.headers.get("Overwrite", "T") == "F":
            raise Refused(412)
        return node

    def transfer(self, destination, move):
        chain, name, node = self.find(self.path)
        there = self.may_replace(destination)
        to_chain, to_name, _ = self.find(destination, wanted=False)
        if move:
            del chain[-1].children[name]
            self.changed(chain)
        to_chain[-1].children[to_name] = node if move else node.copy()
        self.changed(to_chain)
        self.answer(204 if there else 201)

    def assemble(self, destination):
        chain = self.find(self.path, wanted=False)[0]
        upload = chain[-1]
        if not self.path.endswith("/.file"):
            raise Refused(400)
        self.may_replace(destination)
        chunks = [upload.children[name].data for name in sorted(upload.children, key=int)]
        data = b"".join(chunks)
        if any(len(chunk) < 5 << 20 for chunk in chunks[:-1]) or self.headers.get("OC-Total-Length") != str(len(data)):
            raise Refused(400)
        self.store(destination, data)
        del chain[-2].children[self.parts(self.path)[1][-2]]

    # ---- properties ----

    def live(self, node, name):
        if name == "{DAV:}resourcetype":
            return "<d:collection/>" if node.data is None else ""
        if name == "{DAV:}getetag":
            return "&quot;%s&quot;" % node.etag
        if name == "{DAV:}getlastmodified":
            return email.utils.formatdate(node.mtime, usegmt=True)
        if name == "{DAV:}getcontentlength" and node.data is not None:
            return str(len(node.data))
        if name == "{DAV:}quota-available-bytes" and node.data is None:
            return "-3"  # unlimited
        if name == "{http://owncloud.org/ns}checksums" and node.checksum:
            return '<o:checksum xmlns:o="http://owncloud.org/ns">%s</o:checksum>' % escape(node.checksum)
        return None

    def row(self, address, node, names):
        found, missing = "", ""
        for name in names:
            space, _, local = name[1:].partition("}")
            value = self.live(node, name) if name in LIVE else node.properties.get(name)
            tag = 'x:%s xmlns:x="%s"' % (local, escape(space))
            if value is None:
                missing += "<%s/>" % tag
            else:
                found += "<%s>%s</x:%s>" % (tag, value, local)
        text = "<d:response><d:href>%s</d:href>" % quote(address)
        text += "<d:propstat><d:prop>%s</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>" % found
        if missing:
            text += "<d:propstat><d:prop>%s</d:prop><d:status>HTTP/1.1 404 Not Found</d:status></d:propstat>" % missing
        return text + "</d:response>"

    def multistatus(self, rows):
        text = '<?xml version="1.0"?>\n<d:multistatus xmlns:d="DAV:">%s</d:multistatus>' % "".join(rows)
        self.answer(207, text.encode(), Content_Type="application/xml; charset=utf-8",
                    DAV="1, 3, extended-mkcol, oc-resource-sharing, nextcloud-checksum-update")

    def on_propfind(self, body):
        depth = self.headers.get("Depth")
        if depth not in ("0", "1"):
            raise Refused(400)
        asked = ElementTree.fromstring(body).find("{DAV:}prop") if body else None
        names = sorted(LIVE) if asked is None else [part.tag for part in asked]
        node = self.find(self.path)[2]
        here = "/" + unquote(self.path).strip("/")
        rows = [self.row(here + ("/" if node.data is None else ""), node, names)]
        for name, child in node.children.items() if depth == "1" else ():
            rows.append(self.row(here + "/" + name + ("/" if child.data is None else ""), child, names))
        self.multistatus(rows)

    def on_proppatch(self, body):
        node = self.find(self.path)[2]
        names = []
        for prop in ElementTree.fromstring(body).iter("{DAV:}prop"):
            for part in prop:
                names.append(part.tag)
                node.properties[part.tag] = escape(part.text or "")
        self.multistatus([self.row("/" + unquote(self.path).strip("/"), node, names)])


def main():
    port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    Cloud.login = "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    Cloud.roots = {FILES + user: Node(), UPLOADS + user: Node()}
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Cloud).serve_forever()


main()
