/* What a restore does on the disk, in jobs. Each touches its own slot, the last one what nobody else touches any more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync/internal.h"
#include "sync/restore.h"

enum { NUMBERS_MAX = 1000 };

static const char sqlite_header[16] = "SQLite format 3";

void restore_place_release(struct restore_place *place) {
	free(place->path);
	free(place->beside);
	free(place->aside);
	*place = (struct restore_place){ 0 };
}

/* 1, 0: nothing stands there; -1. */
static int stands(struct disk *disk, const char *path, struct disk_stat *stat, struct err *err) {
	if (disk_stat(disk, path, stat, err) == 0) return 1;
	if (err->kind != ERR_NOT_FOUND) return -1;
	/* The link itself is what a person has there: nothing is written through it. */
	if (err->sys == ELOOP)
		return err_set(err, ERR_INVALID, "a link stands in the place of its folder");
	err_clear(err);
	return 0;
}

/* ---- before ---- */

static int parents_make(struct restore_slot *slot, const char *path, struct err *err);

/* With the mode that is known of it, else that of the folder it lies in; and open to us until all is there. */
static int folder_make(struct restore_slot *slot, const char *path, int mode, struct err *err) {
	struct disk_stat stat;
	int there = stands(slot->disk, path, &stat, err);
	if (there < 0) return -1;
	if (there && stat.kind == DISK_FOLDER) return 0;
	if (!there) {
		char *parent = path_parent(path);
		int rc = parents_make(slot, path, err);
		if (rc == 0 && mode == STORE_MODE_UNKNOWN) {
			rc = disk_stat(slot->disk, parent, &stat, err);
			mode = stat.mode & 0777;
		}
		free(parent);
		if (rc) return -1;
	}
	for (size_t i = 0; i < slot->above_count && !there; i++)
		slot->above[i].made |= str_equal(slot->above[i].path, path);
	return disk_mkdir(slot->disk, path, mode | 0700, err);
}

static int parents_make(struct restore_slot *slot, const char *path, struct err *err) {
	char *parent = path_parent(path);
	int mode = STORE_MODE_UNKNOWN, rc = 0;
	for (size_t i = 0; i < slot->above_count; i++) {
		if (str_equal(slot->above[i].path, parent)) mode = slot->above[i].mode;
	}
	if (*parent) rc = folder_make(slot, parent, mode, err);
	free(parent);
	return rc;
}

/* What an earlier run left of it, if it is that still. */
static bool take_again(struct restore_slot *slot) {
	struct disk_stat stat;
	struct err ignored;
	int fd = disk_beside_again(slot->disk, slot->place.beside, &stat, &ignored);
	if (fd >= 0 && stat.ino == slot->content.ino && stat.size >= slot->content.upto) {
		slot->content.fd = fd;
		return true;
	}
	if (fd >= 0) close(fd);
	disk_remove(slot->disk, slot->place.beside, &ignored);
	free(slot->place.beside);
	slot->place.beside = NULL;
	slot->content.upto = 0;
	return false;
}

int restore_make_work(struct job *job, struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	struct disk *disk = slot->disk;
	const char *path = slot->place.path;
	if (slot->item.kind != PAST_FILE && parents_make(slot, path, err)) return -1;
	if (slot->item.kind == PAST_FOLDER) return folder_make(slot, path, slot->item.mode, err);
	if (slot->item.kind == PAST_LINK) return 0;
	if (slot->place.beside && take_again(slot)) return 0;
	int *fd = &slot->content.fd;
	char *parent = path_parent(path);
	/* Its folder is there for all but the first of many. */
	*fd = disk_create_beside(disk, parent, RESTORE_HINT, &slot->place.beside, err);
	if (*fd < 0 && err->kind == ERR_NOT_FOUND && !parents_make(slot, path, err))
		*fd = disk_create_beside(disk, parent, RESTORE_HINT, &slot->place.beside, err);
	free(parent);
	return *fd < 0 ? -1 : 0;
}

int restore_look_work(struct job *job, struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	const char *away = mount_missing(slot->disk, slot->mounts);
	if (away) return err_set(err, ERR_NOT_FOUND, "nothing is mounted on '%s' any more", away);
	int there = stands(slot->disk, slot->place.path, &slot->place.here, err);
	if (there < 0) return -1;
	slot->there = there == 1;
	if (slot->item.kind != PAST_FOLDER && slot->there) return 0;
	return restore_make_work(job, err);
}

/* ---- its place ---- */

/* What was to be replaced has changed, or what was free is not. */
static int appeared(struct restore_place *place, struct err *err) {
	place->appeared = true;
	return err_set(err, ERR_CHANGED, "was changed meanwhile");
}

static int rename_into(struct disk *disk, struct restore_place *place, struct err *err) {
	struct disk_stat now;
	if (place->replaces) {
		int there = stands(disk, place->path, &now, err);
		if (there < 0) return -1;
		if (there && !disk_stat_same(&now, &place->here)) return appeared(place, err);
	}
	if (disk_rename(disk, place->beside, place->path, place->replaces, err) == 0) {
		free(place->beside);
		place->beside = NULL;
		return 0;
	}
	return err->kind == ERR_CHANGED ? appeared(place, err) : -1;
}

static int place_link(struct restore_slot *slot, struct err *err) {
	struct disk *disk = slot->disk;
	char *parent = path_parent(slot->place.path);
	char *beside = disk_beside_path(parent, RESTORE_HINT);
	free(parent);
	if (disk_symlink(disk, slot->content.target.at, beside, err)) {
		free(beside);
		return -1;
	}
	slot->place.beside = beside;
	if (slot->content.mtime_ns != STORE_MTIME_UNKNOWN &&
		disk_set(disk, beside, slot->content.mtime_ns, -1, err))
		return -1;
	return rename_into(disk, &slot->place, err);
}

static int tail_write(struct restore_content *content, struct err *err) {
	const struct buf *tail = &content->tail;
	if (!tail->len) return 0;
	if (!content->tail_at && ftruncate(content->fd, 0))
		return err_sys(err, errno, "cannot empty it");
	return disk_write_span(content->fd, content->tail_at, tail->at, tail->len, err);
}

/* While the bytes are in memory. */
static int digest_check(struct restore_slot *slot, struct err *err) {
	const struct buf *tail = &slot->content.tail;
	slot->other_bytes = false;
	slot->hashed =
		slot->digests && (tail->len || slot->content.whole) && !slot->content.tail_at;
	if (!slot->hashed) return 0;
	digest_of(slot->digest, tail->at, tail->len, slot->hash);
	slot->other_bytes =
		slot->expects && memcmp(slot->hash, slot->expected, digest_len(slot->digest)) != 0;
	if (!slot->other_bytes) return 0;
	return err_set(
		err, ERR_CORRUPT, "the bytes that came are not those that the remote tells of");
}

static int mode_of(const struct restore_slot *slot) {
	int mode = slot->content.mode;
	if (mode != STORE_MODE_UNKNOWN) return mode;
	return slot->place.replaces ? slot->place.here.mode : slot->mode_unknown;
}

int restore_place_work(struct job *job, struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	int mode = slot->content.mode, fd = slot->content.fd;
	char head[sizeof(sqlite_header)];
	if (slot->item.kind == PAST_LINK) return place_link(slot, err);
	slot->now.kind = DISK_OTHER;
	if (digest_check(slot, err) || tail_write(&slot->content, err)) return -1;
	slot->is_database = pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
			    memcmp(head, sqlite_header, sizeof(head)) == 0;
	if (mode == STORE_MODE_UNKNOWN) mode = mode_of(slot);
	int64_t mtime_ns = slot->content.mtime_ns == STORE_MTIME_UNKNOWN ? DISK_TIME_KEEP
									 : slot->content.mtime_ns;
	if (disk_set_times(fd, mtime_ns, mode, err) || disk_sync_bytes(fd, err)) return -1;
	slot->content.fd = -1;
	if (disk_close_written(fd, err)) return -1;
	if (slot->is_database) return 0;
	if (rename_into(slot->disk, &slot->place, err)) return -1;
	struct err ignored; /* then it is read when it is looked at */
	if (disk_stat(slot->disk, slot->place.path, &slot->now, &ignored))
		slot->now.kind = DISK_OTHER;
	return 0;
}

/* ---- several at once ---- */

static struct disk_make make_of(struct restore_slot *slot) {
	const struct buf *tail = &slot->content.tail;
	slot->is_database = tail->len >= sizeof(sqlite_header) &&
			    memcmp(tail->at, sqlite_header, sizeof(sqlite_header)) == 0;
	return (struct disk_make){ .path = slot->place.path,
		.bytes = tail->at,
		.length = tail->len,
		.mtime_ns = slot->content.mtime_ns == STORE_MTIME_UNKNOWN ? DISK_TIME_KEEP
									  : slot->content.mtime_ns,
		.mode = mode_of(slot),
		.stays = slot->is_database };
}

static void slot_made(struct restore_slot *slot, struct disk_make *file) {
	struct err err;
	/* Its folder is there for all but those that somebody removed meanwhile. */
	if (file->err.kind == ERR_NOT_FOUND && !parents_make(slot, slot->place.path, &err))
		disk_make_files(slot->disk, RESTORE_HINT, file, 1);
	slot->err = file->err;
	slot->place.appeared = file->err.kind == ERR_CHANGED;
	slot->place.beside = file->beside;
	if (file->err.kind == ERR_NONE && !slot->is_database) slot->now = file->stat;
}

void restore_make_slots(struct restore_slot *const *slots, size_t count) {
	struct disk_make files[RESTORE_BATCH];
	struct restore_slot *good[RESTORE_BATCH];
	size_t goods = 0;
	for (size_t i = 0; i < count; i++) {
		err_clear(&slots[i]->err);
		slots[i]->now.kind = DISK_OTHER;
		if (digest_check(slots[i], &slots[i]->err)) continue;
		files[goods] = make_of(slots[i]);
		good[goods++] = slots[i];
	}
	if (goods) disk_make_files(good[0]->disk, RESTORE_HINT, files, goods);
	for (size_t i = 0; i < goods; i++) slot_made(good[i], &files[i]);
}

int restore_clean_work(struct job *job, struct err *err) {
	struct restore_slot *slot = container_of(job, struct restore_slot, job);
	if (slot->content.fd >= 0) close(slot->content.fd);
	slot->content.fd = -1;
	if (slot->keeps) return 0;
	return slot->place.beside ? disk_remove(slot->disk, slot->place.beside, err) : 0;
}

/* ---- when all else is there ---- */

static int place_aside(struct disk *disk, struct restore_place *place, struct err *err) {
	int rc = err_set(err, ERR_CHANGED, "there are too many of its name");
	for (int i = 0; i < NUMBERS_MAX && rc && err->kind == ERR_CHANGED; i++) {
		char *other = i ? xasprintf("%s.restored-%d", place->path, i)
				: xasprintf("%s.restored", place->path);
		rc = disk_rename(disk, place->beside, other, false, err);
		if (rc)
			free(other);
		else
			place->aside = other;
	}
	return rc;
}

static void place_database(struct disk *disk, struct restore_place *place, bool cancelled) {
	struct err *err = &place->err, ignored;
	int rc = -1;
	err_clear(err);
	if (!cancelled)
		rc = database_has_company(disk, place->path) ||
				     (place->replaces && place->here.kind == DISK_FILE &&
					     database_in_use(disk, place->path))
			     ? place_aside(disk, place, err)
			     : rename_into(disk, place, err);
	if (rc)
		disk_remove(disk, place->beside, &ignored);
	else
		err_clear(err); /* of a name that was taken */
}

int restore_last_work(struct job *job, struct err *err) {
	struct restore *r = container_of(job, struct restore, last_job);
	struct disk *disk = r->options.disk;
	(void)err;
	for (size_t i = 0; i < r->database_count; i++)
		place_database(disk, &r->databases[i], r->cancelled);
	/* Children before parents. */
	for (size_t i = r->mode_count; i-- > 0;) {
		struct restore_mode *mode = &r->modes[i];
		err_clear(&mode->err);
		disk_set(disk, mode->path, mode->mtime_ns, mode->mode, &mode->err);
	}
	err_clear(&r->sync_err);
	if (!r->cancelled && disk_sync_all(disk, &r->sync_err))
		err_wrap(&r->sync_err, "not all is on the disk yet");
	return 0;
}
