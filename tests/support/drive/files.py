"""files, changes, drives and about: everything but the sending of bytes."""
import json

from . import errors, fields, query
from .model import DOCUMENT, FOLDER, SHORTCUT, File, clean_time, new_id, now

DEPTH_MAX = 100
ALL = {"supportsAllDrives", "supportsTeamDrives"}
COMMON = {"fields", "alt", "key", "prettyPrint", "quotaUser", "uploadType", "access_token", "oauth_token", "userIp"}
SCOPED = {"acknowledgeAbuse", "enforceSingleParent", "useContentAsIndexableText", "keepRevisionForever", "ocrLanguage",
          "ignoreDefaultVisibility", "includePermissionsForView", "includeLabels"}


def check_parameters(given, *known):
    for name in given:
        if name not in COMMON.union(*known):
            raise errors.unknown_parameter(name)


def flag(given, name, default=False):
    value = given.get(name)
    if value not in (None, "true", "false"):
        raise errors.invalid("Invalid value", name)
    return default if value is None else value == "true"


def all_drives(given):
    return flag(given, "supportsAllDrives") or flag(given, "supportsTeamDrives")


def number(given, name, default, least, most):
    text = given.get(name, str(default))
    if not text.isdigit() or not least <= int(text) <= most:
        raise errors.invalid(f"Invalid value '{text}'. Values must be within the range: [{least}, {most}]", name)
    return int(text)


# ---- one file ----

def generate_ids(seen, given, _body):
    check_parameters(given, {"count", "space", "type"})
    if given.get("space", "drive") not in ("drive", "appDataFolder") or given.get("type", "files") not in ("files", "shortcuts"):
        raise errors.invalid("Invalid value", "space")
    ids = [new_id() for _ in range(number(given, "count", 10, 1, 1000))]
    for one in ids:
        seen.drive.handed[one] = seen.login.client
    return fields.answer("ids", {"kind": "drive#generatedIds", "space": "drive", "ids": ids}, given.get("fields"))


def new_file(seen, given, body):
    """A file that is not in the drive yet; `given` and `body` are checked."""
    parents = body.get("parents") or ["root"]
    if not isinstance(parents, list) or len(parents) != 1:
        raise errors.api(400, "invalid", "A file can only have a single parent.")
    folder = seen.parent(parents[0], all_drives(given))
    if seen.drive.is_trashed(folder):
        raise errors.not_found(folder.id)
    if seen.drive.depth(folder) + 1 > DEPTH_MAX:
        raise errors.api(403, "myDriveHierarchyDepthLimitExceeded", "The limit of nesting depth has been reached.")
    file_id = body.get("id")
    if file_id is not None:
        if seen.drive.handed.get(file_id) != seen.login.client or body.get("mimeType") == DOCUMENT:
            raise errors.invalid("The provided file ID is not usable.", "id")
        if file_id in seen.drive.files:
            raise errors.api(409, "fileIdInUse", "A file already exists with the provided ID.")
    file = File(file_id or new_id(), "Untitled", "application/octet-stream", folder.id,
                None if folder.drive else seen.login.user, seen.login.client)
    file.drive = folder.drive
    seen.set_metadata(file, body)
    if "createdTime" in body:
        file.created = clean_time(body["createdTime"], "createdTime")
    if "modifiedTime" not in body:
        file.modified = now()
    return file


def enter(seen, file):
    file.born = seen.drive.lists
    seen.drive.files[file.id] = file
    seen.drive.changed(file)


def create(seen, given, body):
    check_parameters(given, ALL, SCOPED)
    file = new_file(seen, given, body)
    if file.mime == SHORTCUT:
        file.target = (body.get("shortcutDetails") or {}).get("targetId")
        if not file.target:
            raise errors.invalid("The shortcut target is missing.", "shortcutDetails.targetId")
    elif file.mime not in (FOLDER, DOCUMENT):
        seen.check_room(file.owner, 0)
        # A service account owns no storage, not even for an empty file.
        if seen.drive.limits.get(file.owner) == 0:
            raise errors.limit("storageQuotaExceeded")
        file.set_content(b"")
    enter(seen, file)
    return fields.answer("file", seen.show(file), given.get("fields"))


def get(seen, given, file_id):
    check_parameters(given, ALL, SCOPED)
    return fields.answer("file", seen.show(seen.find(file_id, all_drives(given))), given.get("fields"))


def media(seen, given, file_id):
    """The bytes of alt=media."""
    check_parameters(given, ALL, SCOPED)
    file = seen.find(file_id, all_drives(given))
    if file.content is None:
        raise errors.api(403, "fileNotDownloadable", "Only files with binary content can be downloaded. "
                         "Use Export with Docs Editors files.", location="alt", locationType="parameter")
    return file


def update_metadata(seen, given, file, body):
    """What PATCH does without content; moves too."""
    if file.parent is None:
        raise errors.no_right(file.id)
    if "parents" in body:
        raise errors.api(403, "fieldNotWritable", "The parents field is not directly writable in update requests. "
                         "Use the addParents and removeParents parameters instead.")
    if "id" in body and body["id"] != file.id:
        raise errors.api(403, "fieldNotWritable", "The resource body includes fields which are not directly writable.")
    add, remove = given.get("addParents"), given.get("removeParents")
    if add:
        folder = seen.parent(add, all_drives(given))
        if remove and file.parent not in (remove, seen.parent(remove, all_drives(given)).id):
            raise errors.api(404, "notFound", f"The file is not in the folder {remove}.")
        above = folder
        while above:
            if above.id == file.id:
                raise errors.api(403, "cyclicParents", "A folder cannot be its own ancestor.")
            above = seen.drive.files.get(above.parent)
        file.parent = folder.id
        if file.drive != folder.drive:
            file.drive, file.owner = folder.drive, None if folder.drive else seen.login.user
    seen.set_metadata(file, body)
    if "trashed" in body:
        if not isinstance(body["trashed"], bool):
            raise errors.invalid("Invalid value", "trashed")
        file.trashed, file.trashed_at = body["trashed"], now()


def update(seen, given, body, file_id):
    check_parameters(given, ALL, SCOPED, {"addParents", "removeParents"})
    file = seen.find(file_id, all_drives(given))
    update_metadata(seen, given, file, body)
    seen.drive.changed(file)
    return fields.answer("file", seen.show(file), given.get("fields"))


def copy(seen, given, body, file_id):
    check_parameters(given, ALL, SCOPED)
    source = seen.find(file_id, all_drives(given))
    if source.mime == FOLDER or source.content is None:
        raise errors.api(403, "cannotCopyFile", "This file cannot be copied by the user.")
    body = dict(body)
    body.setdefault("name", f"Copy of {source.name}")
    body.setdefault("mimeType", source.mime)
    body.setdefault("parents", [source.parent])
    seen.check_room(seen.login.user, len(source.content))
    file = new_file(seen, given, body)
    file.properties = {**source.properties, **file.properties}
    mine = {**source.private.get(seen.login.client, {}), **file.private.get(seen.login.client, {})}
    file.private = {seen.login.client: mine}
    file.set_content(source.content)
    enter(seen, file)
    return fields.answer("file", seen.show(file), given.get("fields"))


def delete(seen, given, file_id):
    check_parameters(given, ALL, {"enforceSingleParent"})
    file = seen.find(file_id, all_drives(given))
    if file.parent is None:
        raise errors.no_right(file.id)
    seen.drive.drop(file)


# ---- revisions: neither takes the parameters of shared drives ----

def with_revisions(seen, file_id):
    file = seen.find(file_id, True)
    if file.content is None:
        raise errors.api(403, "revisionsNotSupported", "The file does not support revisions.")
    return file


def show_revision(seen, row):
    return {**row[0], "modifiedTime": row[2][seen.drive.revision_time]}


def list_revisions(seen, given, file_id):
    check_parameters(given, {"pageSize", "pageToken"})
    size = number(given, "pageSize", 200, 1, 1000)
    file = with_revisions(seen, file_id)
    page, token = page_of(file.revisions, given, min(size, seen.drive.revision_page), "revisions of " + file.id)
    out = {"kind": "drive#revisionList", "revisions": [show_revision(seen, row) for row in page]}
    if token:
        out["nextPageToken"] = token
    return fields.answer("revisions", out, given.get("fields"))


def find_revision(seen, given, file_id, revision_id):
    check_parameters(given, {"acknowledgeAbuse"})
    for row in with_revisions(seen, file_id).revisions:
        if row[0]["id"] == revision_id:
            return row
    raise errors.api(404, "notFound", f"Revision not found: {revision_id}.")


def get_revision(seen, given, file_id, revision_id):
    return fields.answer("revision", show_revision(seen, find_revision(seen, given, file_id, revision_id)), given.get("fields"))


# ---- lists ----

def page_of(items, given, size, token_kind):
    """One page and the token of the next: opaque, of this query only."""
    token, at = given.get("pageToken"), 0
    mark = json.dumps([token_kind, given.get("q"), given.get("orderBy"), given.get("driveId")])
    if token:
        head, _, tail = token.partition("~!!~")
        if tail != f"{abs(hash(mark)):x}" or not head.isdigit():
            raise errors.invalid("Invalid Value", "pageToken")
        at = int(head)
    page, more = items[at:at + size], at + size < len(items)
    return page, f"{at + size}~!!~{abs(hash(mark)):x}" if more else None


def ordered(found, order):
    keys = {"name": lambda v: (v.name.lower(), v.name), "name_natural": lambda v: v.name, "folder": lambda v: v.mime != FOLDER,
            "createdTime": lambda v: v.created, "modifiedTime": lambda v: v.modified, "recency": lambda v: v.modified}
    for one in reversed(order.split(",")):
        name, _, direction = one.strip().partition(" ")
        if name not in keys or direction not in ("", "desc"):
            raise errors.invalid("Invalid Value", "orderBy")
        found.sort(key=keys[name], reverse=direction == "desc")


def list_files(seen, given, _body):
    check_parameters(given, ALL, {"q", "pageSize", "pageToken", "orderBy", "spaces", "corpora", "corpus", "driveId", "teamDriveId",
                                  "includeItemsFromAllDrives", "includeTeamDriveItems", "includePermissionsForView",
                                  "includeLabels"})
    size = number(given, "pageSize", 100, 1, 1000)
    if given.get("spaces", "drive") != "drive":
        raise errors.invalid("Invalid Value", "spaces")
    drive_id, corpora = given.get("driveId"), given.get("corpora", "user")
    include = flag(given, "includeItemsFromAllDrives")
    if corpora not in ("user", "drive", "allDrives", "domain"):
        raise errors.invalid("Invalid Value", "corpora")
    if (corpora == "drive") != (drive_id is not None):
        raise errors.api(400, "invalid", "The driveId and corpora=drive must be used together.")
    if include and not all_drives(given):
        raise errors.api(400, "invalid", "supportsAllDrives must be true to include items from all drives.")
    if drive_id:
        if not include:
            raise errors.api(403, "teamDrivesParentLimit", "includeItemsFromAllDrives must be true with driveId.")
        if drive_id not in seen.drive.drives or seen.login.user not in seen.drive.members[drive_id]:
            raise errors.api(404, "notFound", f"Shared drive not found: {drive_id}")
    test = query.parse(given["q"]) if given.get("q") else lambda view: True
    seen.drive.lists += 1
    found = [view for view in seen.all() if view.file.parent and test(view)
             and (view.file.drive == drive_id if drive_id else (include or view.file.drive is None))
             and seen.drive.lists - view.file.born > seen.drive.list_lag]
    if given.get("orderBy"):
        ordered(found, given["orderBy"])
    page, token = page_of(found, given, size, "files")
    out = {"kind": "drive#fileList", "incompleteSearch": False, "files": [seen.show(view.file) for view in page]}
    if token:
        out["nextPageToken"] = token
    return fields.answer("files", out, given.get("fields"))


def start_token(seen, given, _body):
    check_parameters(given, ALL, {"driveId", "teamDriveId"})
    return fields.answer("token", {"kind": "drive#startPageToken", "startPageToken": str(len(seen.drive.changes) + 1)},
                         given.get("fields"))


def list_changes(seen, given, _body):
    check_parameters(given, ALL, {"pageToken", "pageSize", "driveId", "teamDriveId", "includeRemoved", "spaces", "restrictToMyDrive",
                                  "includeItemsFromAllDrives", "includeTeamDriveItems", "includeCorpusRemovals"})
    if "pageToken" not in given:
        raise errors.required("pageToken")
    size = number(given, "pageSize", 100, 1, 1000)
    if not given["pageToken"].isdigit() or int(given["pageToken"]) > len(seen.drive.changes) + 1:
        raise errors.invalid("Invalid Value", "pageToken")
    first, drive_id = int(given["pageToken"]), given.get("driveId")
    # The present state of each, once, where its last change stands.
    last = {file_id: at for at, file_id in seen.drive.changes}
    entries = [(at, one) for at, one in seen.drive.changes if at >= first and last[one] == at]
    shown, past = [], len(seen.drive.changes)
    for at, file_id in entries[:size]:
        file = seen.drive.files.get(file_id)
        one = {"kind": "drive#change", "changeType": "file", "time": now(), "fileId": file_id, "removed": file is None}
        elsewhere = file and file.drive != drive_id and (drive_id or not flag(given, "includeItemsFromAllDrives"))
        if file and (not seen.may_see(file) or elsewhere):
            continue
        if file:
            one["file"] = seen.show(file)
        elif not flag(given, "includeRemoved", True):
            continue
        shown.append(one)
    out = {"kind": "drive#changeList", "changes": shown}
    if len(entries) > size:
        out["nextPageToken"] = str(entries[size][0])
    else:
        out["newStartPageToken"] = str(past + 1)
    return fields.answer("changes", out, given.get("fields"))


# ---- the rest ----

def about(seen, given, _body):
    check_parameters(given)
    if not given.get("fields"):
        raise errors.required("fields")
    user = seen.login.user
    quota = {"usage": str(seen.drive.usage(user)), "usageInDrive": str(seen.drive.usage(user)), "usageInDriveTrash": "0"}
    if seen.drive.limits.get(user) is not None:
        quota["limit"] = str(seen.drive.limits[user])
    return fields.answer("about", {"kind": "drive#about", "user": {"kind": "drive#user", "emailAddress": user, "me": True},
                                   "storageQuota": quota, "maxUploadSize": "5497558138880"}, given["fields"])


def show_drive(drive, drive_id):
    return {"kind": "drive#drive", "id": drive_id, "name": drive.drives[drive_id]}


def get_drive(seen, given, drive_id):
    check_parameters(given, {"useDomainAdminAccess"})
    if drive_id not in seen.drive.drives or seen.login.user not in seen.drive.members[drive_id]:
        raise errors.api(404, "notFound", f"Shared drive not found: {drive_id}")
    return fields.answer("drive", show_drive(seen.drive, drive_id), given.get("fields"))


def list_drives(seen, given, _body):
    check_parameters(given, {"q", "pageSize", "pageToken", "useDomainAdminAccess"})
    if not seen.login.full:
        raise errors.no_scope()
    mine = [one for one in seen.drive.drives if seen.login.user in seen.drive.members[one]]
    out = {"kind": "drive#driveList", "drives": [show_drive(seen.drive, one) for one in mine]}
    return fields.answer("drives", out, given.get("fields"))
