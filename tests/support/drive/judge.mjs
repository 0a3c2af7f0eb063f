// The official client for Node against the server at the address given: node judge.mjs ADDRESS CREDENTIALS-JSON
// Nobody here wrote the client; what it says of an answer is what a real client would make of it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(process.env.NODE_PACKAGES + "/");
const { drive, auth } = require("@googleapis/drive");
const [address, given] = [process.argv[2] + "/", JSON.parse(process.argv[3])];
const login = new auth.OAuth2(given.client_id, given.client_secret);
login.setCredentials({ access_token: given.token.access_token });
const to = { rootUrl: address };
const api = drive({ version: "v3", auth: login, ...to, retry: false });
const md5 = (bytes) => createHash("md5").update(bytes).digest("hex");

async function refused(promise, status, reason) {
	const err = await promise.then(() => assert.fail("not refused"), (e) => e);
	assert.equal(err.response?.status, status, err.message);
	if (reason) assert.equal(err.response.data.error.errors[0].reason, reason);
}

const about = (await api.about.get({ fields: "user,storageQuota" })).data;
assert.equal(about.user.emailAddress, given.user);
assert.equal(typeof about.storageQuota.usage, "string");
await refused(api.about.get({}), 400, "required");

// Only what was asked for, and the defaults.
const folder = (await api.files.create({ requestBody: { name: "a / b", mimeType: "application/vnd.google-apps.folder" } })).data;
assert.deepEqual(Object.keys(folder).sort(), ["id", "kind", "mimeType", "name"]);
await refused(api.files.get({ fileId: folder.id, fields: "id,nonsense" }), 400, "invalid");
await refused(api.files.get({ fileId: "no-such-id" }), 404, "notFound");

// Ids before the create; the second create with one is 409.
const ids = (await api.files.generateIds({ count: 3, space: "drive" })).data.ids;
assert.equal(new Set(ids).size, 3);
const fields = "id,name,size,md5Checksum,sha256Checksum,modifiedTime,parents,appProperties,headRevisionId,trashed,version";
const make = (id, body) => api.files.create({
	fields,
	requestBody: { id, name: "é.txt", parents: [folder.id], modifiedTime: "2001-02-03T04:05:06.789Z", appProperties: { "tend-mode": "640" } },
	media: { mimeType: "text/plain", body: Readable.from([body]) },
}, to);
const made = (await make(ids[0], "hello")).data;
assert.equal(made.id, ids[0]);
assert.equal(made.size, "5");
assert.equal(made.md5Checksum, md5("hello"));
assert.equal(made.modifiedTime, "2001-02-03T04:05:06.789Z");
assert.deepEqual(made.parents, [folder.id]);
assert.deepEqual(made.appProperties, { "tend-mode": "640" });
await refused(make(ids[0], "again"), 409);
await refused(make("made-up", "x"), 400);
await refused(api.files.create({ requestBody: { name: "x", appProperties: { k: "v".repeat(124) } } }), 400);

// New content in place: another revision, the same id.
const put = (await api.files.update({ fileId: ids[0], fields, media: { mimeType: "text/plain", body: "other" } }, to)).data;
assert.equal(put.md5Checksum, md5("other"));
assert.notEqual(put.headRevisionId, made.headRevisionId);
const text = await api.files.get({ fileId: ids[0], alt: "media" }, { responseType: "text", headers: { Range: "bytes=1-3" } });
assert.equal(text.data, "the");
assert.equal(text.status, 206);

// Its revisions, oldest first, by pages, with their bytes.
const revisions = (await api.revisions.list({ fileId: ids[0], fields: "revisions(id,size,md5Checksum,modifiedTime)" })).data.revisions;
assert.deepEqual(revisions.map((r) => r.id), [made.headRevisionId, put.headRevisionId]);
assert.equal(revisions[0].size, "5");
assert.equal(revisions[0].md5Checksum, md5("hello"));
const one = (await api.revisions.list({ fileId: ids[0], pageSize: 1 })).data;
assert.deepEqual(Object.keys(one.revisions[0]).sort(), ["id", "kind", "mimeType", "modifiedTime"]);
const next = (await api.revisions.list({ fileId: ids[0], pageSize: 1, pageToken: one.nextPageToken })).data;
assert.equal(next.revisions[0].id, put.headRevisionId);
assert.equal(next.nextPageToken, undefined);
const revision = { fileId: ids[0], revisionId: made.headRevisionId };
assert.equal((await api.revisions.get({ ...revision, fields: "id" })).data.id, made.headRevisionId);
const before = await api.revisions.get({ ...revision, alt: "media" }, { responseType: "text", headers: { Range: "bytes=1-3" } });
assert.equal(before.data, "ell");
await refused(api.revisions.get({ fileId: ids[0], revisionId: "no-such" }), 404, "notFound");
await refused(api.revisions.list({ fileId: folder.id }), 403);

// Names are not unique; queries.
await make(ids[1], "twin");
const q = `'${folder.id}' in parents and name = 'É.txt' and trashed = false`;
const twins = (await api.files.list({ q, fields: "files(id,name),incompleteSearch" })).data;
assert.deepEqual(twins.files.map((f) => f.id).sort(), [ids[0], ids[1]].sort());
assert.equal(twins.incompleteSearch, false);
await refused(api.files.list({ q: "title = 'x'" }), 400, "invalid");
await refused(api.files.list({ q: "name = x" }), 400, "invalid");
await refused(api.files.list({ pageSize: 2000 }), 400);

// Pages: each file once.
let token, seen = [], pages = 0;
do {
	const page = (await api.files.list({ q: `'${folder.id}' in parents`, pageSize: 1, pageToken: token, fields: "nextPageToken,files/id" })).data;
	seen = seen.concat(page.files.map((f) => f.id));
	token = page.nextPageToken;
	pages++;
} while (token);
assert.equal(pages, 2);
assert.deepEqual(seen.sort(), [ids[0], ids[1]].sort());

// Changes: the present state of each, once.
const start = (await api.changes.getStartPageToken({})).data.startPageToken;
await api.files.update({ fileId: ids[0], requestBody: { name: "renamed" } });
await api.files.update({ fileId: ids[0], addParents: "root", removeParents: folder.id, requestBody: {} });
await api.files.update({ fileId: ids[1], requestBody: { trashed: true } });
const changes = (await api.changes.list({ pageToken: start, fields: "newStartPageToken,changes(fileId,removed,file(name,trashed))" })).data;
assert.equal(changes.changes.length, 2);
assert.deepEqual(changes.changes[0], { fileId: ids[0], removed: false, file: { name: "renamed", trashed: false } });
assert.equal(changes.changes[1].file.trashed, true);
assert.ok(Number(changes.newStartPageToken) > Number(start));
await refused(api.files.update({ fileId: ids[0], requestBody: { parents: [folder.id] } }), 403, "fieldNotWritable");

// What lies in the trash is listed, with properties that were given together with the removal, and can be had.
await api.files.update({ fileId: ids[1], requestBody: { trashed: true, appProperties: { "tend-trashed": "1" } } });
const trash = (await api.files.list({ q: `'${folder.id}' in parents and trashed = true`, fields: "files(id,trashed,trashedTime,appProperties)" })).data;
assert.equal(trash.files.length, 1);
assert.equal(trash.files[0].id, ids[1]);
assert.equal(trash.files[0].appProperties["tend-trashed"], "1");
assert.equal(trash.files[0].trashedTime, undefined);
assert.equal((await api.files.get({ fileId: ids[1], alt: "media" }, { responseType: "text" })).status, 200);

// Copies, deletions with all below.
const copy = (await api.files.copy({ fileId: ids[0], requestBody: { id: ids[2], name: "copy", parents: [folder.id] }, fields })).data;
assert.equal(copy.id, ids[2]);
assert.equal(copy.md5Checksum, md5("other"));
assert.deepEqual(copy.appProperties, { "tend-mode": "640" });
await api.files.delete({ fileId: folder.id });
await refused(api.files.get({ fileId: ids[2] }), 404, "notFound");
await refused(api.files.get({ fileId: folder.id, fields: "id", nonsense: "1" }), 400, "invalidParameter").catch((e) => { if (!/400|404/.test(e.message)) throw e; });

// A login that is none, and one that may do less.
const stranger = new auth.OAuth2();
stranger.setCredentials({ access_token: "nobody's" });
await refused(drive({ version: "v3", auth: stranger, ...to }).files.list({}), 401, "authError");
console.log("judged");
