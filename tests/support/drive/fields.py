"""The `fields` parameter: only what was asked for is answered; what does not exist is refused."""
from . import errors

FILE = {"kind", "id", "name", "mimeType", "description", "starred", "trashed", "explicitlyTrashed", "parents", "properties",
        "appProperties", "spaces", "version", "webViewLink", "createdTime", "modifiedTime", "viewedByMeTime", "owners", "driveId",
        "teamDriveId", "shared", "ownedByMe", "capabilities", "md5Checksum", "sha1Checksum", "sha256Checksum", "size",
        "quotaBytesUsed", "headRevisionId", "originalFilename", "fileExtension", "fullFileExtension", "shortcutDetails",
        "trashedTime", "permissions", "exportLinks", "resourceKey", "webContentLink", "sharedWithMeTime", "modifiedByMeTime",
        "modifiedByMe", "permissionIds", "writersCanShare", "thumbnailLink", "iconLink", "lastModifyingUser"}
KINDS = {
    "file": dict.fromkeys(FILE) | {"shortcutDetails": dict.fromkeys(["targetId", "targetMimeType", "targetResourceKey"]),
                                   "capabilities": {}, "owners": {}, "permissions": {}, "properties": {}, "appProperties": {},
                                   "lastModifyingUser": {}, "exportLinks": {}},
    "ids": dict.fromkeys(["kind", "space", "ids"]),
    "token": dict.fromkeys(["kind", "startPageToken"]),
    "about": {"kind": None, "user": {}, "maxUploadSize": None, "importFormats": {}, "exportFormats": {},
              "storageQuota": dict.fromkeys(["limit", "usage", "usageInDrive", "usageInDriveTrash"])},
    "drive": dict.fromkeys(["kind", "id", "name", "createdTime", "hidden"]) | {"capabilities": {}},
}
KINDS["revision"] = dict.fromkeys(["kind", "id", "mimeType", "modifiedTime", "keepForever", "published", "size", "md5Checksum",
                                   "originalFilename", "exportLinks", "publishedLink", "publishAuto", "publishedOutsideDomain"]
                                  ) | {"lastModifyingUser": {}}
KINDS["revisions"] = {"kind": None, "nextPageToken": None, "revisions": KINDS["revision"]}
KINDS["files"] = {"kind": None, "nextPageToken": None, "incompleteSearch": None, "files": KINDS["file"]}
KINDS["drives"] = {"kind": None, "nextPageToken": None, "drives": KINDS["drive"]}
KINDS["changes"] = {"kind": None, "nextPageToken": None, "newStartPageToken": None,
                    "changes": dict.fromkeys(["kind", "changeType", "time", "removed", "fileId", "driveId", "teamDriveId"])
                    | {"file": KINDS["file"], "drive": KINDS["drive"]}}
# What comes without `fields`.
DEFAULTS = {
    "file": "kind,id,name,mimeType", "files": "kind,incompleteSearch,nextPageToken,files(kind,id,name,mimeType)",
    "changes": "kind,nextPageToken,newStartPageToken,changes(kind,removed,changeType,fileId,time,file(kind,id,name,mimeType))",
    "revision": "kind,id,mimeType,modifiedTime", "revisions": "kind,nextPageToken,revisions(kind,id,mimeType,modifiedTime)",
    "ids": "*", "token": "*", "drive": "kind,id,name", "drives": "kind,nextPageToken,drives(kind,id,name)",
}


def parse(text):
    """"a,b(c,d/e)" to {"a": None, "b": {"c": None, "d": {"e": None}}}."""
    at = 0

    def listing(depth):
        nonlocal at
        wanted = {}
        while True:
            name = ""
            while at < len(text) and (text[at].isalnum() or text[at] in "*_"):
                name += text[at]
                at += 1
            if not name:
                raise errors.invalid(f"Invalid field selection {text}", "fields")
            below = wanted
            if at < len(text) and text[at] == "/":
                at += 1
                below[name] = listing_one(depth)
            elif at < len(text) and text[at] == "(":
                at += 1
                below[name] = listing(depth + 1)
                if at >= len(text) or text[at] != ")":
                    raise errors.invalid(f"Invalid field selection {text}", "fields")
                at += 1
            else:
                below[name] = None
            if at < len(text) and text[at] == ",":
                at += 1
                while at < len(text) and text[at] == " ":
                    at += 1
                continue
            return wanted

    def listing_one(depth):
        """What stands behind a slash: one name, perhaps with more behind it."""
        nonlocal at
        name = ""
        while at < len(text) and (text[at].isalnum() or text[at] in "*_"):
            name += text[at]
            at += 1
        if not name:
            raise errors.invalid(f"Invalid field selection {text}", "fields")
        if at < len(text) and text[at] == "/":
            at += 1
            return {name: listing_one(depth)}
        if at < len(text) and text[at] == "(":
            at += 1
            inner = listing(depth + 1)
            at += 1
            return {name: inner}
        return {name: None}

    wanted = listing(0)
    if at != len(text):
        raise errors.invalid(f"Invalid field selection {text}", "fields")
    return wanted


def check(wanted, known):
    for name, below in wanted.items():
        if name == "*":
            continue
        if known and name not in known:
            raise errors.invalid(f"Invalid field selection {name}", "fields")
        if below:
            inner = known.get(name) if known else {}
            if inner is None:
                raise errors.invalid(f"Invalid field selection {name}", "fields")
            check(below, inner)


def cut(value, wanted):
    if isinstance(value, list):
        return [cut(one, wanted) for one in value]
    if not isinstance(value, dict) or wanted is None or "*" in wanted:
        return value
    return {name: cut(value[name], below) for name, below in wanted.items() if name in value}


def answer(kind, value, text):
    """`value`, whole, cut to what `fields` asks for."""
    wanted = parse(text if text else DEFAULTS[kind])
    check(wanted, KINDS[kind])
    return cut(value, wanted)
