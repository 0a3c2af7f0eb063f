"""Content: simple, multipart and resumable uploads."""
import json
import re
import time

from . import errors, fields, files
from .model import new_id, now

MULTIPLE = 256 << 10
SMALL_MAX = 5 << 20  # of simple and multipart uploads
RANGE = re.compile(r"^bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)$")


class Session:
    def __init__(self, login, given, body, file_id, mime, total):
        self.id, self.login, self.given, self.body, self.file_id = new_id("A"), login, given, body, file_id
        self.mime, self.total = mime, total
        self.held = bytearray()
        self.done = None  # the file it became
        self.begun = time.monotonic()


def parse_json(text):
    try:
        body = json.loads(text) if text.strip() else {}
    except ValueError:
        raise errors.api(400, "parseError", "Parse Error") from None
    if not isinstance(body, dict):
        raise errors.api(400, "parseError", "Parse Error")
    return body


def split_multipart(content_type, raw):
    """The metadata and the content of a multipart/related body: RFC 2387."""
    match = re.search(r'boundary="?([^";]+)"?', content_type)
    if not content_type.startswith("multipart/related") or not match:
        raise errors.api(400, "badContent", "Bad content: multipart/related expected")
    mark = b"--" + match.group(1).encode()
    pieces = (b"\r\n" + raw).split(b"\r\n" + mark)
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        raise errors.api(400, "badContent", "Malformed multipart body.")
    parts = []
    for piece in pieces[1:3]:
        head, found, content = piece.lstrip(b" \t").partition(b"\r\n\r\n")
        if not found:
            raise errors.api(400, "badContent", "Malformed multipart body.")
        kind = re.search(rb"(?im)^content-type:\s*([^\r\n]+)", head)
        parts.append((kind.group(1).decode().strip() if kind else "", content))
    if not parts[0][0].lower().startswith("application/json"):
        raise errors.api(400, "badContent", "Media type is not supported: the first part is JSON.")
    return parse_json(parts[0][1].decode()), parts[1][0], parts[1][1]


def store(seen, given, body, file_id, mime, content):
    """A new file with content, or new content of one that is there."""
    content_mime = {} if body.get("mimeType") or not mime else {"mimeType": mime}
    if file_id is None:
        made = files.new_file(seen, given, {**body, **content_mime})
        if seen.drive.limits.get(made.owner) == 0:
            raise errors.limit("storageQuotaExceeded")
        seen.check_room(made.owner, len(content))
        made.set_content(content)
        files.enter(seen, made)
        return made
    file = seen.find(file_id, files.all_drives(given))
    if file.content is None:
        raise errors.api(403, "fileNotDownloadable", "The content of this file cannot be replaced.")
    seen.check_room(file.owner, len(content) - len(file.content))
    # Metadata of the same request stands; without a time the content's is now.
    files.update_metadata(seen, given, file, body)
    if "modifiedTime" not in body:
        file.modified = now()
    file.set_content(content)
    seen.drive.changed(file)
    return file


def answer(seen, given, file):
    return fields.answer("file", seen.show(file), given.get("fields"))


def small(server, seen, given, file_id, headers, raw):
    """uploadType=media and multipart."""
    files.check_parameters(given, files.ALL, files.SCOPED, {"addParents", "removeParents"})
    if len(raw) > SMALL_MAX + (64 << 10):
        raise errors.api(413, "uploadTooLarge", "Request Too Large: use a resumable upload.")
    content_type = headers.get("Content-Type", "")
    if given["uploadType"] == "media":
        return answer(seen, given, store(seen, given, {}, file_id, content_type, raw))
    body, mime, content = split_multipart(content_type, raw)
    return answer(seen, given, store(seen, given, body, file_id, mime, content))


def begin(server, seen, given, file_id, headers, raw):
    """uploadType=resumable: a session. What is wrong with the metadata is told now."""
    files.check_parameters(given, files.ALL, files.SCOPED, {"addParents", "removeParents"})
    body = parse_json(raw.decode())
    length = headers.get("X-Upload-Content-Length")
    if length is not None and not length.isdigit():
        raise errors.invalid("Invalid X-Upload-Content-Length")
    size = int(length) if length is not None else None
    if file_id is None:
        made = files.new_file(seen, given, body)
        if seen.drive.limits.get(made.owner) == 0:
            raise errors.limit("storageQuotaExceeded")
        seen.check_room(made.owner, size or 0)
    else:
        seen.find(file_id, files.all_drives(given))
    session = Session(seen.login, given, body, file_id, headers.get("X-Upload-Content-Type"), size)
    server.sessions[session.id] = session
    return session


def held_range(session):
    # No Range header: nothing is held.
    return {"Range": f"bytes=0-{len(session.held) - 1}"} if session.held else {}


class Incomplete(Exception):
    """308: go on."""

    def __init__(self, session):
        super().__init__()
        self.headers = held_range(session)


def put(server, session_id, headers, raw):
    """One PUT to a session: bytes, or the question where it stands. It needs no token: the address is the key."""
    session = server.sessions.get(session_id)
    if session and server.session_seconds is not None and time.monotonic() - session.begun > server.session_seconds:
        del server.sessions[session_id]
        session = None
    if not session:
        raise errors.api(404, "notFound", "The upload session is not known.")
    seen = server.seen(session.login)
    if session.done:
        return answer(seen, session.given, session.done)
    spoken = headers.get("Content-Range")
    if spoken is None:
        spoken = f"bytes 0-{len(raw) - 1}/{len(raw)}" if raw else "bytes */0"
    match = RANGE.match(spoken)
    if not match:
        raise errors.api(400, "badRequest", f"Invalid Content-Range: {spoken}")
    first, last, total = match.groups()
    if total != "*":
        if session.total is not None and session.total != int(total):
            raise errors.api(400, "badRequest", "The total size is not that of the session.")
        session.total = int(total)
    if first is None:
        if raw:
            raise errors.api(400, "badRequest", "A query of the status has no content.")
    else:
        take(server, session, int(first), int(last), raw)
    if session.total is None or len(session.held) < session.total:
        raise Incomplete(session)
    session.done = store(seen, session.given, session.body, session.file_id, session.mime, bytes(session.held))
    return answer(seen, session.given, session.done)


def take(server, session, first, last, raw):
    if last - first + 1 != len(raw) or (session.total is not None and last >= session.total):
        raise errors.api(400, "badRequest", "Content-Range and content do not fit.")
    final = session.total is not None and last + 1 == session.total
    if not final and len(raw) % MULTIPLE:
        raise errors.api(400, "badRequest", "The number of bytes uploaded is required to be equal or greater than 262144, except "
                         "for the final request (it's recommended to be the exact multiple of 262144).")
    if first > len(session.held):
        raise errors.api(400, "badRequest", f"The chunk begins at {first}, {len(session.held)} bytes are held.")
    fresh = raw[len(session.held) - first:]
    # It may keep less than was sent; what it keeps ends on a multiple.
    if server.short_take and len(fresh) > MULTIPLE:
        fresh = fresh[:(len(fresh) - 1) // MULTIPLE * MULTIPLE]
    session.held += fresh


def cancel(server, session_id):
    """DELETE of a session: 499, as Google answers it."""
    server.sessions.pop(session_id, None)
    raise errors.Refused(499, {})
