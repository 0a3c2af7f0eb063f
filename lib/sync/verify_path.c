/*
 * One path of a compare: it is asked for by its name, or its bytes are read back. What is missing or another one at the remote becomes a
 * path to look at, and is sent again.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/verify.h"

void verify_path_end(struct verify *v) {
	index_entry_release(&v->row);
	digest_release(&v->digest);
	free(v->path);
	v->path = NULL;
}

/* ---- mending ---- */

bool verify_is_under_way(struct folder *f, const char *path) {
	struct index_dirty row;
	struct err err;
	int found = index_dirty_get(f->index, path, &row, &err);
	if (found == 1) index_dirty_release(&row);
	return found != 0 || map_get(&f->by_path, path);
}

bool verify_index_good(struct verify *v, int failed, const struct err *err) {
	if (!failed) return true;
	folder_index_failed(v->folder, err);
	return false;
}

static void is_missing(struct verify *v) {
	struct folder *f = v->folder;
	struct err err;
	if (!verify_index_good(v, index_drop(f->index, v->path, v->is_folder, &err), &err)) return;
	log_warn("folder '%s': verify: '%s' is missing at the remote: it is sent again", f->name,
		v->path);
	v->missing++;
	folder_mark_path(f, v->path, v->is_folder ? PRIO_FOLDER : PRIO_SMALL, 0);
}

/* Theirs is known of from now on, as nobody's: it is compared byte by byte, and kept as a version before ours goes in. */
static void is_changed(struct verify *v, const struct store_entry *theirs) {
	struct folder *f = v->folder;
	struct err err;
	struct index_entry entry = { .kind = theirs->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE,
		.flags = INDEX_STRANGER,
		.size = theirs->size,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = theirs->mode,
		.version = theirs->version,
		.id = theirs->id };
	hash_put_told(f->store, &entry, &theirs->hash);
	if (!verify_index_good(v, index_put(f->index, v->path, &entry, &err), &err)) return;
	log_warn("folder '%s': verify: '%s' is not at the remote as it was stored: it is sent "
		 "again%s",
		f->name, v->path,
		f->settings.mode == FOLDER_BACKUP ? ", what is there is kept as a version" : "");
	v->changed++;
	folder_mark_path(f, v->path, PRIO_SMALL, 0);
}

/* What stands there has these bytes: ours are read, and sent when they are others. */
static void read_here(struct verify *v, const uint8_t *hash) {
	struct folder *f = v->folder;
	struct err err;
	if (!v->row.hash_len) hash_put(f->store, &v->row, hash);
	memcpy(v->row.hash, hash, v->row.hash_len);
	v->row.flags |= INDEX_RACY;
	if (!verify_index_good(v, index_put(f->index, v->path, &v->row, &err), &err)) return;
	folder_mark_path(f, v->path, PRIO_SMALL, 0);
	turn_end_want(&f->turn_end);
}

/* The bytes are not those that were stored, though nobody wrote there: ours are sent again, if they are what was. */
static void has_rotted(struct verify *v, const uint8_t *hash) {
	struct folder *f = v->folder;
	bool fetch = f->settings.mode == FOLDER_FETCH;
	v->changed++;
	log_warn("folder '%s': verify: the bytes of '%s' at the remote are not those that were "
		 "stored%s",
		f->name, v->path, fetch ? "" : ": they are sent again");
	if (fetch) return;
	read_here(v, hash);
}

/* ---- asking for one path by its name ---- */

static void asked(struct verify *v, const struct err *err) {
	struct folder *f = v->folder;
	const struct store_entry *there = &v->op.entry;
	struct err failed;
	if (err && err->kind != ERR_NOT_FOUND) {
		verify_give_up(v, err);
		return;
	}
	/* The base may have moved on meanwhile. */
	index_entry_release(&v->row);
	int found = index_get(f->index, v->path, v->is_folder, &v->row, &failed);
	if (!verify_index_good(v, found < 0, &failed)) return;
	bool ours =
		found == 1 && !(v->row.flags & INDEX_STRANGER) && !verify_is_under_way(f, v->path);
	if (ours && err) {
		is_missing(v);
	} else if (ours && !v->is_folder) {
		bool hashed = store_hash_tells(f->store, &there->hash);
		bool same = hashed && hash_known(f->store, &v->row)
				    ? hash_same(f->store, &v->row, there->hash.bytes)
			    : there->version && v->row.version
				    ? str_equal(there->version, v->row.version)
				    : there->size == v->row.size;
		if (!same) {
			is_changed(v, there);
		} else if (there->version && !str_equal(there->version, v->row.version)) {
			/* The same bytes under another version: the next write expects this one. */
			free(v->row.version);
			v->row.version = xstrdup(there->version);
			if (!verify_index_good(
				    v, index_put(f->index, v->path, &v->row, &failed), &failed))
				return;
		}
	}
	if (v->state == VERIFY_REST) return; /* the index failed */
	turn_end_want(&f->turn_end);
	verify_path_end(v);
	verify_go_on(v);
}

static void ask_now(struct verify *v) {
	enum store_kind kind = v->is_folder ? STORE_FOLDER : v->is_link ? STORE_LINK : STORE_FILE;
	v->state = VERIFY_ASKING;
	verify_op_init(v, STORE_STAT, kind, v->path, asked);
	v->op.want_hash = true;
	store_start(v->folder->store, &v->op);
}

void verify_ask(struct verify *v, char *path, bool is_folder, enum index_kind kind) {
	verify_path_end(v);
	v->path = path;
	v->is_folder = is_folder;
	v->is_link = kind == INDEX_LINK;
	verify_owner(v, ask_now);
}

/* ---- reading back ---- */

static void read_on(struct verify *v);

static void span_read(struct verify *v, const struct err *err) {
	struct folder *f = v->folder;
	if (err && err->kind != ERR_NOT_FOUND && err->kind != ERR_CHANGED) {
		verify_give_up(v, err);
		return;
	}
	bool another = err || (!v->op.answer_body.len && v->offset < v->row.size);
	if (another && folder_brings(f)) { /* the next poll tells of it */
		polling_request_whole(f);
		verify_path_end(v);
		verify_go_on(v);
		return;
	}
	if (another) {
		verify_ask(v, xstrdup(v->path), false,
			INDEX_FILE); /* gone or changed since it was listed */
		return;
	}
	digest_add(&v->digest, v->op.answer_body.at, v->op.answer_body.len);
	v->offset += (int64_t)v->op.answer_body.len;
	if (v->offset < v->row.size) {
		read_on(v);
		return;
	}
	uint8_t hash[DIGEST_MAX];
	digest_end(&v->digest, hash);
	v->read++;
	bool same = v->row.hash_len && memcmp(hash, v->row.hash, v->row.hash_len) == 0;
	bool under_way = verify_is_under_way(f, v->path);
	if (!same && !under_way && !v->row.hash_len) {
		v->unread++;
		read_here(v, hash);
		if (v->state == VERIFY_REST) return;
	} else if (!same && !under_way && folder_brings(f)) {
		has_rotted(v, hash);
		if (v->state == VERIFY_REST) return;
	} else if (!same && !under_way) {
		struct store_entry theirs = { .kind = STORE_FILE,
			.size = v->row.size,
			.mode = v->row.mode,
			.version = v->row.version,
			.id = v->row.id };
		if (hash_known(f->store, &v->row)) theirs.hash = store_hash_from(f->store, hash);
		is_changed(v, &theirs);
		if (v->state == VERIFY_REST) return;
		turn_end_want(&f->turn_end);
	}
	verify_path_end(v);
	verify_go_on(v);
}

static void read_on(struct verify *v) {
	int64_t left = v->row.size - v->offset;
	verify_op_init(v, STORE_GET, STORE_FILE, v->path, span_read);
	v->op.offset = v->offset;
	v->op.length = left < STORE_SPAN_MAX ? left : STORE_SPAN_MAX;
	v->op.if_version = v->row.version;
	store_start(v->folder->store, &v->op);
}

void verify_read(struct verify *v, char *path, struct index_row *row) {
	verify_path_end(v);
	v->path = path;
	v->is_folder = false;
	v->row = row->entry;
	memset(&row->entry, 0, sizeof(row->entry));
	v->offset = 0;
	enum digest_kind kind = v->folder->store->digest;
	(void)hash_row_digest(&v->row, &kind);
	digest_init(&v->digest, kind);
	v->state = VERIFY_READING;
	read_on(v);
}
