/* One file gets its place: written beside, on the disk, with its time and mode, then renamed. Never over what is there, unless told. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tend/restore.h"

enum { TRIES_MAX = 3, TARGET_MAX_BYTES = 4096, NUMBERS_MAX = 1000 };

static const char sqlite_header[16] = "SQLite format 3";

static void later_add(struct restore_laters *laters, const struct restore_later *later) {
	laters->at = xrealloc(laters->at, (laters->count + 1) * sizeof(*laters->at));
	laters->at[laters->count++] = *later;
}

void restore_failed(struct restore *r, const char *path, const struct err *err) {
	char *clean = str_printable(path);
	say("cannot restore '%s': %s", path, err->text);
	json_array_append_new(r->failed, json_string(clean));
	free(clean);
}

static bool stands(struct restore *r, const char *path) {
	struct disk_stat stat;
	struct err err;
	return disk_stat(r->disk, path, &stat, &err) == 0;
}

/* ---- the end of one ---- */

static void slot_free(struct restore_slot *slot) {
	struct err ignored;
	if (slot->fd >= 0) close(slot->fd);
	if (slot->beside) disk_remove(slot->restore->disk, slot->beside, &ignored);
	free(slot->beside);
	free(slot->path);
	json_decref(slot->entry);
	buf_release(&slot->target);
	slot->beside = slot->path = NULL;
	slot->entry = NULL;
	slot->fd = -1;
	slot->busy = false;
	slot->restore->busy--;
}

static int place_link(struct restore_slot *slot, struct err *err) {
	struct restore *r = slot->restore;
	char *parent = path_parent(slot->path);
	slot->beside = disk_beside_path(parent, "link");
	free(parent);
	if (disk_symlink(r->disk, slot->target.at, slot->beside, err)) return -1;
	if (slot->fetch.mtime_ns != STORE_MTIME_UNKNOWN &&
		disk_set(r->disk, slot->beside, slot->fetch.mtime_ns, -1, err))
		return -1;
	return disk_rename(r->disk, slot->beside, slot->path, r->overwrite, err);
}

static int place_file(struct restore_slot *slot, struct err *err) {
	struct restore *r = slot->restore;
	int mode = slot->fetch.mode;
	if (mode == STORE_MODE_UNKNOWN) {
		mode_t mask = umask(0);
		umask(mask);
		mode = 0666 & ~(int)mask;
	}
	int64_t mtime_ns =
		slot->fetch.mtime_ns == STORE_MTIME_UNKNOWN ? DISK_TIME_KEEP : slot->fetch.mtime_ns;
	int fd = slot->fd;
	if (disk_set_times(fd, mtime_ns, mode, err) || disk_sync_bytes(fd, err)) return -1;
	slot->fd = -1;
	if (disk_close_written(fd, err)) return -1;
	if (!slot->is_database)
		return disk_rename(r->disk, slot->beside, slot->path, r->overwrite, err);
	/* Last of all: what it names is there before it. */
	later_add(&r->databases,
		&(struct restore_later){ .path = xstrdup(slot->path), .beside = slot->beside });
	slot->beside = NULL;
	return 0;
}

static void fetch_begin(struct restore_slot *slot);

static void slot_ended(struct defer *defer) {
	struct restore_slot *slot = container_of(defer, struct restore_slot, ended);
	struct restore *r = slot->restore;
	struct err *err = &slot->err;
	bool link = str_equal(json_text(slot->entry, "kind"), "link");
	source_fetch_release(&slot->fetch);
	if (err->kind == ERR_CHANGED && ++slot->tries < TRIES_MAX) {
		fetch_begin(slot);
		return;
	}
	if (err->kind == ERR_NONE && (link ? place_link(slot, err) : place_file(slot, err)) == 0) {
		free(slot->beside);
		slot->beside = NULL;
		r->files += !link;
		r->links += link;
		r->bytes += slot->written;
	} else {
		restore_failed(r, slot->path, err);
	}
	slot_free(slot);
	restore_step(r);
}

static void fetch_done(struct source_fetch *fetch, const struct err *err) {
	struct restore_slot *slot = container_of(fetch, struct restore_slot, fetch);
	err_clear(&slot->err);
	if (err) slot->err = *err;
	defer_start(slot->restore->call->client.loop, &slot->ended);
}

static int bytes_came(struct source_fetch *fetch, const void *bytes, size_t len, struct err *err) {
	struct restore_slot *slot = container_of(fetch, struct restore_slot, fetch);
	if (slot->fd < 0)
		return buf_add(&slot->target, bytes, len)
			       ? err_set(err, ERR_INVALID, "its target is too long")
			       : 0;
	if (!slot->written && len >= sizeof(sqlite_header))
		slot->is_database = memcmp(bytes, sqlite_header, sizeof(sqlite_header)) == 0;
	if (disk_write_span(slot->fd, slot->written, bytes, len, err)) return -1;
	slot->written += (int64_t)len;
	return 0;
}

static void fetch_begin(struct restore_slot *slot) {
	slot->written = 0;
	slot->is_database = false;
	buf_clear(&slot->target);
	if (slot->fd >= 0 && ftruncate(slot->fd, 0)) { /* what was longer is written over */
		log_debug("cannot cut '%s'", slot->beside);
	}
	slot->fetch.bytes = bytes_came;
	slot->fetch.done = fetch_done;
	source_fetch_start(&slot->fetch, &slot->restore->source, slot->entry);
}

/* ---- its beginning ---- */

static void folder_make(struct restore *r, const char *path, const json_t *entry) {
	int64_t mode = 0;
	struct restore_later later = { .mode = -1, .mtime_ns = DISK_TIME_KEEP };
	struct err err;
	const char *text = json_text(entry, "mode");
	bool there = stands(r, path);
	if (disk_mkdir_parents(r->disk, path, &err) || disk_mkdir(r->disk, path, 0755, &err)) {
		restore_failed(r, path, &err);
		return;
	}
	r->folders++;
	for (; *text >= '0' && *text <= '7'; text++) mode = mode * 8 + (*text - '0');
	if (!there && mode) later.mode = (int)mode;
	if (!there) time_parse(json_text(entry, "mtime"), &later.mtime_ns);
	if (later.mode < 0 && later.mtime_ns == DISK_TIME_KEEP) return;
	later.path = xstrdup(path);
	later_add(&r->modes, &later);
}

/* What a person has there now is worth more than what is brought back. */
static bool is_left(struct restore *r, const char *path) {
	if (r->overwrite || !stands(r, path)) return false;
	char *clean = str_printable(path);
	say("'%s' is there already: left as it is (--overwrite replaces it)", path);
	json_array_append_new(r->left, json_string(clean));
	free(clean);
	return true;
}

void restore_entry(struct restore *r, struct restore_slot *slot, json_t *entry) {
	char *path = entry_path(entry), *parent = path_parent(path);
	bool link = str_equal(json_text(entry, "kind"), "link");
	struct err err;
	if (!path_is_plain(path)) {
		say("an answer with the path '%s': left out", path);
	} else if (str_equal(json_text(entry, "kind"), "folder")) {
		folder_make(r, path, entry);
	} else if (!is_left(r, path)) {
		*slot = (struct restore_slot){ .restore = r, .busy = true, .path = path, .fd = -1 };
		slot->entry = json_incref(entry);
		buf_init(&slot->target, TARGET_MAX_BYTES);
		defer_init(&slot->ended, slot_ended);
		r->busy++;
		path = NULL;
		bool failed = disk_mkdir_parents(r->disk, slot->path, &err) != 0;
		if (!failed && !link) {
			slot->fd = disk_create_beside(
				r->disk, parent, path_name(slot->path), &slot->beside, &err);
			failed = slot->fd < 0;
		}
		if (failed) {
			restore_failed(r, slot->path, &err);
			slot_free(slot);
		} else {
			fetch_begin(slot);
		}
	}
	free(path);
	free(parent);
	json_decref(entry);
}

/* ---- when all else is there ---- */

/* An old -wal beside it would be taken for its own, and a living database must not change under its users. */
static bool has_company(struct restore *r, const char *path) {
	static const char *const sides[] = { "-wal", "-shm", "-journal" };
	bool found = false;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		char *side = xasprintf("%s%s", path, sides[i]);
		found |= stands(r, side);
		free(side);
	}
	return found;
}

static void place_database(struct restore *r, struct restore_later *later) {
	struct err err;
	int rc = -1;
	if (!has_company(r, later->path)) {
		rc = disk_rename(r->disk, later->beside, later->path, r->overwrite, &err);
	} else {
		err_set(&err, ERR_CHANGED, "there are too many of them");
		for (int i = 0; i < NUMBERS_MAX && rc && err.kind == ERR_CHANGED; i++) {
			char *other = i ? xasprintf("%s.restored-%d", later->path, i)
					: xasprintf("%s.restored", later->path);
			rc = disk_rename(r->disk, later->beside, other, false, &err);
			if (!rc)
				say("'%s' has a -wal, -shm or -journal beside it: restored as '%s'",
					later->path, other);
			free(other);
		}
	}
	if (!rc) return;
	restore_failed(r, later->path, &err);
	r->files--;
	disk_remove(r->disk, later->beside, &err);
}

void restore_place_laters(struct restore *r) {
	struct err err;
	for (size_t i = 0; i < r->databases.count; i++) {
		place_database(r, &r->databases.at[i]);
		free(r->databases.at[i].path);
		free(r->databases.at[i].beside);
	}
	/* Children before parents. */
	for (size_t i = r->modes.count; i-- > 0;) {
		struct restore_later *later = &r->modes.at[i];
		if (disk_set(r->disk, later->path, later->mtime_ns, later->mode, &err))
			restore_failed(r, later->path, &err);
		free(later->path);
	}
	free(r->databases.at);
	free(r->modes.at);
	if (disk_sync_all(r->disk, &err)) say("not all is on the disk yet: %s", err.text);
}
