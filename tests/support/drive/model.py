"""What the server holds: files by id, shared drives, changes; and what one user with one app may see of it."""
import base64
import datetime
import hashlib
import os
import re
import time

from . import errors

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
DOCUMENT = "application/vnd.google-apps.document"
PROPERTY_BYTES = 124
REVISIONS_MAX = 100  # more than that are not kept
TIME = re.compile(r"^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


def now():
    return stamp(time.time())


def stamp(seconds):
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def clean_time(text, name):
    """RFC 3339 as it is kept: UTC, milliseconds (what is finer is cut off)."""
    match = TIME.match(text) if isinstance(text, str) else None
    if not match:
        raise errors.invalid(f"Invalid value for: Invalid format: \"{text}\"", name)
    parts = [int(match.group(i)) for i in range(1, 7)]
    zone = match.group(8).upper()
    try:
        when = datetime.datetime(*parts)
        if zone != "Z":
            sign = 1 if zone[0] == "+" else -1
            when -= sign * datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    except (ValueError, OverflowError):
        raise errors.invalid(f"Invalid value for: Invalid format: \"{text}\"", name) from None
    return when.strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0") + ((match.group(7) or ".")[1:4]).ljust(3, "0") + "Z"


def new_id(first="1"):
    return first + base64.urlsafe_b64encode(os.urandom(24)).decode()


class File:
    def __init__(self, file_id, name, mime, parent, owner, app):
        self.id, self.name, self.mime, self.parent, self.owner, self.app = file_id, name, mime, parent, owner, app
        self.drive = None
        self.trashed = False
        self.trashed_at = None
        self.created = self.modified = now()
        self.properties = {}
        self.private = {}  # of each app
        self.content = None  # None: has no bytes
        self.revision = None
        self.revisions = []  # oldest first, with what stands there now
        self.hashes = ()
        self.version = 1
        self.target = None
        self.description = None
        self.born = 0  # counted in lists, for lists that lag

    def set_content(self, content):
        self.content = bytes(content)
        self.hashes = tuple(hashlib.new(kind, self.content).hexdigest() for kind in ("md5", "sha1", "sha256"))
        self.revision = new_id("0B")
        one = {"kind": "drive#revision", "id": self.revision, "mimeType": self.mime, "keepForever": False, "published": False,
               "size": str(len(self.content)), "md5Checksum": self.hashes[0], "originalFilename": self.name}
        # Its time: Google does not say whether it is that of the bytes, which the client gave, or of their coming.
        self.revisions = [*self.revisions, (one, self.content, {"given": self.modified, "came": now()})][-REVISIONS_MAX:]


class Drive:
    """All of it. One lock around every request, so nothing here waits."""

    def __init__(self):
        self.files, self.roots, self.drives = {}, {}, {}
        self.handed = {}  # ids of generateIds, and who got them
        self.changes = []  # (number, file id)
        self.limits = {}  # bytes of a user's storage
        self.members = {}  # of a shared drive
        self.lists = 0
        self.revision_time = "came"  # or "given"
        self.revision_page = 1000  # a page may hold fewer than were asked for
        self.list_lag = 0  # a new file comes up in lists after so many of them

    # ---- places ----

    def root(self, user):
        if user not in self.roots:
            root = File("0A" + new_id("")[:15] + "Uk9PVA", "My Drive", FOLDER, None, user, None)
            self.roots[user] = root.id
            self.files[root.id] = root
        return self.files[self.roots[user]]

    def add_shared_drive(self, name, users):
        drive_id = "0A" + new_id("")[:15] + "Uk9PVA"
        top = File(drive_id, "Drive", FOLDER, None, None, None)
        top.drive = drive_id
        self.files[drive_id] = top
        self.drives[drive_id] = name
        self.members[drive_id] = set(users)
        return drive_id

    def changed(self, file):
        file.version += 1
        self.changes.append((len(self.changes) + 1, file.id))

    def usage(self, user):
        return sum(len(f.content) for f in self.files.values() if f.content and f.owner == user)

    def children(self, folder_id):
        return [f for f in self.files.values() if f.parent == folder_id]

    def is_trashed(self, file):
        while file:
            if file.trashed:
                return True
            file = self.files.get(file.parent)
        return False

    def depth(self, file):
        levels = 0
        while file and file.parent:
            file = self.files.get(file.parent)
            levels += 1
        return levels

    def drop(self, file):
        """For good, with all below."""
        for child in self.children(file.id):
            self.drop(child)
        del self.files[file.id]
        self.changes.append((len(self.changes) + 1, file.id))


class Seen:
    """The drive as one login sees it."""

    def __init__(self, drive, login):
        self.drive, self.login = drive, login

    def may_see(self, file):
        if file.drive:
            if self.login.user not in self.drive.members[file.drive]:
                return False
        elif file.owner != self.login.user:
            return False
        # drive.file: what this app has made, and nothing else.
        return self.login.full or file.app == self.login.client

    def find(self, file_id, all_drives):
        alias = file_id == "root"
        file = self.drive.root(self.login.user) if alias else self.drive.files.get(file_id)
        if not file or (not self.may_see(file)) or (file.drive and not all_drives):
            raise errors.not_found("." if alias else file_id)
        return file

    def parent(self, parent_id, all_drives):
        """Where something is to be put: an app that sees only its own may still use the root."""
        root = self.drive.root(self.login.user)
        if parent_id in ("root", root.id):
            return root
        if parent_id in self.drive.drives and all_drives and self.login.user in self.drive.members[parent_id]:
            return self.drive.files[parent_id]
        folder = self.find(parent_id, all_drives)
        if folder.mime != FOLDER:
            raise errors.api(403, "parentNotAFolder", "The specified parent is not a folder.")
        return folder

    def all(self):
        return [View(self, f) for f in self.drive.files.values() if self.may_see(f)]

    def show(self, file):
        app = self.login.client
        out = {"kind": "drive#file", "id": file.id, "name": file.name, "mimeType": file.mime, "starred": False,
               "trashed": self.drive.is_trashed(file), "explicitlyTrashed": file.trashed, "version": str(file.version),
               "createdTime": file.created, "modifiedTime": file.modified, "spaces": ["drive"],
               "ownedByMe": file.owner == self.login.user, "shared": file.drive is not None,
               "capabilities": {"canAddChildren": file.mime == FOLDER, "canEdit": True, "canTrash": True,
                                "canDelete": file.drive is None, "canCopy": file.mime != FOLDER},
               "webViewLink": f"https://drive.google.com/file/d/{file.id}/view"}
        if file.parent and (self.login.full or file.drive or self.may_see_parent(file)):
            out["parents"] = [file.parent]
        if file.drive:
            out["driveId"] = out["teamDriveId"] = file.drive
            if file.trashed:
                out["trashedTime"] = file.trashed_at  # told in shared drives alone
        elif file.owner:
            out["owners"] = [{"kind": "drive#user", "displayName": file.owner, "me": file.owner == self.login.user,
                              "emailAddress": file.owner}]
        if file.description is not None:
            out["description"] = file.description
        if file.properties:
            out["properties"] = dict(file.properties)
        if file.private.get(app):
            out["appProperties"] = dict(file.private[app])
        if file.content is not None:
            # int64 travels as text.
            out["size"] = out["quotaBytesUsed"] = str(len(file.content))
            out["md5Checksum"], out["sha1Checksum"], out["sha256Checksum"] = file.hashes
            out["headRevisionId"] = file.revision
            out["originalFilename"] = file.name
            out["webContentLink"] = f"https://drive.google.com/uc?id={file.id}&export=download"
        elif file.mime == DOCUMENT:
            out["size"] = out["quotaBytesUsed"] = "1024"
            out["exportLinks"] = {"text/plain": f"https://docs.google.com/export?id={file.id}"}
        else:
            out["quotaBytesUsed"] = "0"
        if file.target:
            target = self.drive.files.get(file.target)
            out["shortcutDetails"] = {"targetId": file.target, "targetMimeType": target.mime if target else ""}
        return out

    def may_see_parent(self, file):
        parent = self.drive.files.get(file.parent)
        return parent is not None and (self.may_see(parent) or parent.owner == self.login.user)

    # ---- changes of one file ----

    def set_properties(self, file, body, key):
        table = file.properties if key == "properties" else file.private.setdefault(self.login.client, {})
        given = body.get(key)
        if given is None:
            return
        if not isinstance(given, dict):
            raise errors.invalid("Invalid value for properties", key)
        for name, value in given.items():
            if value is None:
                table.pop(name, None)
                continue
            if not isinstance(value, str) or len(name.encode()) + len(value.encode()) > PROPERTY_BYTES:
                raise errors.api(400, "invalid", "Property key and value together exceed the limit of 124 bytes.")
            table[name] = value
        if len(table) > 30:
            raise errors.api(400, "tooManyProperties", "The number of properties exceeds the limit of 30.")

    def set_metadata(self, file, body):
        unknown = set(body) - {"id", "name", "mimeType", "description", "starred", "trashed", "parents", "properties",
                               "appProperties", "createdTime", "modifiedTime", "viewedByMeTime", "originalFilename",
                               "copyRequiresWriterPermission", "writersCanShare", "shortcutDetails", "kind", "folderColorRgb",
                               "contentHints"}
        if unknown:
            raise errors.invalid(f"Invalid JSON payload received. Unknown name \"{sorted(unknown)[0]}\"")
        if "name" in body:
            if not isinstance(body["name"], str) or not body["name"]:
                raise errors.invalid("Invalid value for name", "name")
            file.name = body["name"]
        if body.get("mimeType"):
            file.mime = body["mimeType"]
        file.description = body.get("description", file.description)
        for key in ("properties", "appProperties"):
            self.set_properties(file, body, key)
        file.modified = clean_time(body["modifiedTime"], "modifiedTime") if "modifiedTime" in body else file.modified

    def check_room(self, owner, size):
        limit = self.drive.limits.get(owner)
        if limit is not None and self.drive.usage(owner) + size > limit:
            raise errors.limit("storageQuotaExceeded")


class View:
    """A file as a query looks at it."""

    def __init__(self, seen, file):
        self.seen, self.file = seen, file
        self.name, self.mime, self.owner = file.name, file.mime, file.owner
        self.created, self.modified, self.properties = file.created, file.modified, file.properties
        self.app_properties = file.private.get(seen.login.client, {})

    def is_trashed(self):
        return self.seen.drive.is_trashed(self.file)

    def has_parent(self, parent_id):
        if parent_id == "root":
            parent_id = self.seen.drive.root(self.seen.login.user).id
        return self.file.parent == parent_id
