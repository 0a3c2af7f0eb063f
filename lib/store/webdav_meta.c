#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_xml.h"
#include "store/webdav.h"

/*
 * Times, modes and hashes. Our property {urn:tend}stat is "MTIME MODE HASH ETAG": nanoseconds, octal,
 * hex, each "-" where unknown. It counts only while the file has that ETag: whoever writes the file
 * without us makes it void, and what is known of the content is what the server says. A hash of
 * another length than the store's, by an older version of ours, tells nothing.
 */

static bool is_tag_of_time(const struct webdav_item *item) {
	return !item->etag;
}

/* The identity of a content: the ETag, or where a listing has none the time and size that such
 * servers make theirs of. */
static char *version_of(const struct webdav_item *item) {
	if (!is_tag_of_time(item)) return rest_etag(item->etag);
	return xasprintf(
		"t%lld-%lld", (long long)(item->modified_ns / NS_PER_S), (long long)item->size);
}

static void read_meta(const struct store *store, struct store_entry *entry, const char *meta) {
	char mtime[24], mode[12], hex[2 * DIGEST_MAX + 1];
	int from = 0;
	int64_t value;
	uint8_t hash[DIGEST_MAX];

	if (sscanf(meta, "%23s %11s %64s %n", mtime, mode, hex, &from) != 3) return;
	if (entry->kind != STORE_FOLDER && !str_equal(meta + from, entry->version)) return;
	if (!str_to_int(mtime, INT64_MIN + 1, INT64_MAX, &value)) entry->mtime_ns = value;
	if (strspn(mode, "01234567") == strlen(mode))
		entry->mode = (int)strtol(mode, NULL, 8) & 07777;
	if (hex_decode(hex, hash, sizeof(hash)) == (long)digest_len(store->digest))
		entry->hash = store_hash_from(store, hash);
}

/* "SHA1:... MD5:... ADLER32:..." */
static void read_checksums(struct store_entry *entry, const char *text) {
	const char *md5 = strstr(text, "MD5:");
	char hex[33];

	if (!md5 || strlen(md5) < 4 + 32) return;
	memcpy(hex, md5 + 4, 32);
	hex[32] = '\0';
	if (hex_decode(hex, entry->hash.bytes, 16) == 16) entry->hash.kind = STORE_HASH_MD5;
}

struct store_entry webdav_entry(
	struct webdav *dav, const struct webdav_item *item, enum store_kind kind) {
	/* Servers tell of a file also by a folder's address. */
	enum store_kind other = kind == STORE_FOLDER ? STORE_FILE : kind;
	struct store_entry entry = { .kind = item->is_folder ? STORE_FOLDER : other,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN };

	if (entry.kind == STORE_FOLDER) {
		/* Nextcloud's changes with anything below. */
		if (dav->uploads && item->etag) entry.version = rest_etag(item->etag);
	} else {
		entry.size = item->size < 0 ? 0 : item->size;
		entry.version = version_of(item);
		dav->no_etags = is_tag_of_time(item);
	}
	if (dav->uploads && entry.kind != STORE_FOLDER) {
		entry.mtime_ns = item->modified_ns;
		if (item->checksums) read_checksums(&entry, item->checksums);
	}
	if (item->meta) read_meta(&dav->store, &entry, item->meta);
	if (entry.kind == STORE_LINK) entry.mode = STORE_MODE_UNKNOWN;
	return entry;
}

void webdav_oc_headers(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	char hex[2 * 16 + 1];

	if (!x->dav->uploads) return;
	/* Of whole seconds, and none before 1970. */
	if (op->mtime_ns != STORE_MTIME_UNKNOWN && op->mtime_ns >= 0)
		rest_header(&x->rest, "X-OC-Mtime: %lld", (long long)(op->mtime_ns / NS_PER_S));
	if (op->hash.kind == STORE_HASH_MD5) {
		hex_encode(op->hash.bytes, 16, hex);
		rest_header(&x->rest, "OC-Checksum: MD5:%s", hex);
	}
}

/* ---- writing ---- */

/* What the server would not keep is not said to be there. */
static void forget(struct webdav_op *x) {
	if (!x->dav->uploads || x->meta.kind == STORE_FOLDER) {
		x->meta.mtime_ns = STORE_MTIME_UNKNOWN;
	} else if (x->meta.mtime_ns != STORE_MTIME_UNKNOWN) {
		x->meta.mtime_ns -= x->meta.mtime_ns % NS_PER_S;
	}
	x->meta.mode = STORE_MODE_UNKNOWN;
}

static void property_answered(struct webdav_op *x, const struct webdav_item *item) {
	if (item->failed > x->member_status) x->member_status = item->failed;
	if (item->status > x->member_status) x->member_status = item->status;
}

static void meta_answered(struct webdav_op *x) {
	struct webdav *dav = x->dav;
	enum err_kind kind = x->flow.err.kind;
	bool trouble = kind == ERR_OFFLINE || kind == ERR_CANCELLED || kind == ERR_FULL ||
		       x->status == 503 || x->status == 429 || x->status == 401;
	void (*then)(struct webdav_op * x) = x->then;

	if (kind == ERR_NONE) { /* lighttpd says 204 for it */
		dav->keeps_properties = WEBDAV_YES;
	} else if (!trouble) {
		/* A single file that has none, its name being too long for the server's own file of them, say, is no reason to
		 * ask no more. */
		if (dav->keeps_properties == WEBDAV_UNKNOWN &&
			(x->status == 405 || x->status == 501 || x->status == 403)) {
			dav->keeps_properties = WEBDAV_NO;
			log_debug(
				"%s: keeps no properties, so no times and modes", dav->store.label);
		}
		if (kind != ERR_NOT_FOUND) err_clear(&x->flow.err);
		forget(x);
	}
	then(x);
}

void webdav_meta_put(struct webdav_op *x, const char *path, void (*then)(struct webdav_op *x)) {
	static const char head[] =
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propertyupdate xmlns:D=\"DAV:\" "
		"xmlns:T=\"" WEBDAV_NAMESPACE "\"><D:set><D:prop><T:stat>";
	static const char tail[] = "</T:stat></D:prop></D:set></D:propertyupdate>\n";
	const struct store_entry *meta = &x->meta;
	char hex[2 * DIGEST_MAX + 1] = "-";
	enum digest_kind kind;

	if (x->dav->keeps_properties == WEBDAV_NO) {
		forget(x);
		then(x);
		return;
	}
	if (store_hash_digest(&meta->hash, &kind))
		hex_encode(meta->hash.bytes, digest_len(kind), hex);
	buf_clear(&x->text);
	buf_adds(&x->text, head);
	if (meta->mtime_ns == STORE_MTIME_UNKNOWN) {
		buf_adds(&x->text, "-");
	} else {
		buf_addf(&x->text, "%lld", (long long)meta->mtime_ns);
	}
	if (meta->mode == STORE_MODE_UNKNOWN) {
		buf_addf(&x->text, " - %s ", hex);
	} else {
		buf_addf(&x->text, " %04o %s ", (unsigned)meta->mode, hex);
	}
	s3_xml_escape(&x->text, meta->version && meta->kind != STORE_FOLDER ? meta->version : "-");
	buf_adds(&x->text, tail);
	x->then = then;
	x->item_came = property_answered;
	rest_header(&x->rest, "Content-Type: application/xml; charset=utf-8");
	webdav_send(x,
		&(struct webdav_call){ .method = "PROPPATCH",
			.path = path,
			.body = x->text.at,
			.body_len = x->text.len,
			.multistatus = true },
		meta_answered);
}

/* ---- SET, and the times of what an earlier try has written ---- */

static void times_done(struct webdav_op *x) {
	x->timed->mtime_ns = x->meta.mtime_ns;
	x->timed->mode = x->meta.mode;
	flow_next(&x->flow);
}

void webdav_times(struct flow *flow, const char *key, struct store_entry *entry) {
	struct webdav_op *x = webdav_op_of(flow);

	free(x->path);
	x->path = webdav_path(x->dav, key, entry->kind);
	store_entry_release(&x->meta);
	x->meta = *entry;
	x->meta.name = x->meta.id = x->meta.target = x->meta.revision = NULL;
	x->meta.version = xstrdup(entry->version);
	x->timed = entry;
	webdav_meta_put(x, x->path, times_done);
}

void webdav_set(struct flow *flow) {
	webdav_times(flow, flow->op->key, &flow->present);
}
