/* What bringing something here does on the disk, in jobs. Each touches its own transfer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"
#include "sync/mutant.h"
#include "sync/restore.h"

enum { NUMBERS_MAX = 100, FILE_MODE = 0644, FOLDER_MODE = 0755 };

static const char sqlite_header[16] = "SQLite format 3";

/* ---- its bytes ---- */

int bring_write_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct bring *b = t->bring;
	const struct buf *span = &t->op.answer_body;
	digest_add(&b->digest, span->at, span->len);
	if (b->what == BRING_LINK) {
		if (!buf_add(&b->target, span->at, span->len)) return 0;
		return err_set(err, ERR_INVALID, "its target is too long");
	}
	if (b->fd < 0) {
		char *parent = path_parent(t->path);
		struct disk_stat stat;
		b->made_above = disk_stat(t->disk, parent, &stat, err) != 0;
		int rc = disk_mkdir_parents(t->disk, t->path, err);
		if (!rc) b->fd = disk_beside_open(t->disk, parent, BRING_HINT, &b->beside, err);
		free(parent);
		if (b->fd < 0) return -1;
	}
	return disk_beside_write(t->disk, b->fd, b->offset, span->at, span->len, err);
}

/* ---- is what stands there what was planned for? ---- */

static int check(struct transfer *t, bool *there, struct disk_stat *now, struct err *err) {
	struct bring *b = t->bring;
	*there = !disk_stat(t->disk, t->path, now, err);
	if (!*there && err->kind != ERR_NOT_FOUND) return -1;
	/* The link itself is what a person has there: nothing is written through it. */
	if (!*there && err->sys == ELOOP) {
		err_set(err, ERR_INVALID, "a link stands in the place of its folder");
		err->sys = ELOOP;
		return -1;
	}
	err_clear(err);
	/* A folder's own times tell of what lies in it. */
	bool same = *there && now->kind == DISK_FOLDER
			    ? t->stat.kind == DISK_FOLDER && now->ino == t->stat.ino
			    : *there && now->kind == t->stat.kind && disk_stat_same(now, &t->stat);
	b->changed = !MUTANT(place_without_a_look) && (t->absent ? *there : !same);
	return 0;
}

/* What is replaced goes to the trash; what was changed here as well keeps another name. */
static int make_way(struct transfer *t, const struct disk_stat *now, struct err *err) {
	struct bring *b = t->bring;
	if (!b->aside) return trash_keep(t->disk, t->path, now, b, err);
	int rc = disk_rename(t->disk, t->path, b->aside, false, err);
	for (int i = 2; rc && err->kind == ERR_CHANGED && i < NUMBERS_MAX; i++) {
		char *other = xasprintf("%s-%d", b->aside, i);
		rc = disk_rename(t->disk, t->path, other, false, err);
		if (rc) {
			free(other);
		} else {
			free(b->aside);
			b->aside = other;
		}
	}
	return rc;
}

/* Before the base says that it is here: by a base that outlives it in a power cut it would look deleted. */
static int sync_place(struct transfer *t, const char *path, struct err *err) {
	if (disk_sync_file(t->disk, path, err)) return -1;
	char *above = path_parent(path);
	int rc = 0;
	while (t->bring->made_above && *above && !rc) {
		rc = disk_sync_file(t->disk, above, err);
		char *next = path_parent(above);
		free(above);
		above = next;
	}
	free(above);
	return rc;
}

static int rename_into(struct transfer *t, const char *to, bool replace, struct err *err) {
	struct bring *b = t->bring;
	if (disk_rename(t->disk, b->beside, to, replace, err)) {
		b->changed = err->kind == ERR_CHANGED;
		return -1;
	}
	free(b->beside);
	b->beside = NULL;
	return sync_place(t, to, err);
}

/* ---- one of each kind ---- */

static int finish_file(struct bring *b, const struct transfer *t, struct err *err) {
	char head[sizeof(sqlite_header)];
	int fd = b->fd, mode = b->mode;
	if (mode == STORE_MODE_UNKNOWN)
		mode = t->absent || t->stat.kind != DISK_FILE ? FILE_MODE : t->stat.mode & 0777;
	b->is_database = b->snapshots && b->size >= (int64_t)sizeof(head) &&
			 !disk_read_span(t->disk, fd, 0, sizeof(head), head, err) &&
			 memcmp(head, sqlite_header, sizeof(head)) == 0;
	int64_t mtime = b->mtime_ns == STORE_MTIME_UNKNOWN ? DISK_TIME_KEEP : b->mtime_ns;
	b->fd = -1;
	return disk_beside_end(t->disk, fd, mtime, mode, err);
}

static int place_link(struct transfer *t, struct err *err) {
	struct bring *b = t->bring;
	char *parent = path_parent(t->path);
	char *beside = disk_beside_path(parent, BRING_HINT);
	free(parent);
	if (disk_mkdir_parents(t->disk, t->path, err) ||
		disk_symlink(t->disk, b->target.at, beside, err)) {
		free(beside);
		return -1;
	}
	b->beside = beside;
	return b->mtime_ns == STORE_MTIME_UNKNOWN ? 0
						  : disk_set(t->disk, beside, b->mtime_ns, -1, err);
}

/* 1: a database that a program may have open; 0; -1. Its header is asked, where the disk is one that programs share: a row that was
 * agreed on by size and time does not tell. */
static int is_living(const struct transfer *t, const struct disk_stat *now, struct err *err) {
	const struct bring *b = t->bring;
	if (now->kind != DISK_FILE) return 0;
	if (!b->is_database && !t->is_database) {
		int rc = b->snapshots && disk_is_shared(t->disk)
				 ? disk_is_sqlite(t->disk, t->path, err)
				 : 0;
		if (rc <= 0) return rc;
	}
	return database_has_company(t->disk, t->path) || database_in_use(t->disk, t->path);
}

static int place_content(struct transfer *t, struct err *err) {
	struct bring *b = t->bring;
	struct disk_stat now;
	bool there;
	if (b->what == BRING_LINK ? place_link(t, err) : finish_file(b, t, err)) return -1;
	if (check(t, &there, &now, err)) return -1;
	if (b->changed) return 0;
	int live = there ? is_living(t, &now, err) : 0;
	if (live < 0) return -1;
	/* What an old -wal would be played into, though its database is gone. */
	if (!there && b->is_database) live = database_has_company(t->disk, t->path);
	if (live) {
		b->in_use = true;
		return rename_into(t, b->theirs, false, err);
	}
	struct disk_stat placed;
	if (there && make_way(t, &now, err)) return -1;
	if (disk_stat(t->disk, b->beside, &placed, err)) return -1;
	/* Keeping it may have taken its time. */
	if (there && !b->aside && (check(t, &there, &now, err) || b->changed))
		return b->changed ? 0 : -1;
	bool replace = (there && !b->aside) || MUTANT(newcomer_is_replaced);
	if (rename_into(t, t->path, replace, err)) return b->changed ? 0 : -1;
	if (disk_stat(t->disk, t->path, &b->now, err)) {
		b->raced = err->kind == ERR_NOT_FOUND;
		if (!b->raced) return -1;
		b->now = placed;
	}
	/* A rename moves its ctime alone. */
	b->raced |= b->now.ino != placed.ino || b->now.kind != placed.kind ||
		    b->now.size != placed.size || b->now.mtime_ns != placed.mtime_ns;
	if (b->raced) b->now = placed;
	if (b->is_database) b->have_source = !disk_source(t->disk, t->path, &b->source, NULL, err);
	err_clear(err);
	return 0;
}

/* As it stands now, for the base. Something else may have its name by now, `before` or a folder no more: that was agreed by nobody. */
static int look_again(struct transfer *t, const struct disk_stat *before, struct err *err) {
	struct bring *b = t->bring;
	if (disk_stat(t->disk, t->path, &b->now, err)) return -1;
	b->changed = before ? b->now.kind != before->kind || b->now.ino != before->ino
			    : b->now.kind != DISK_FOLDER;
	return 0;
}

static int place_folder(struct transfer *t, struct err *err) {
	struct bring *b = t->bring;
	struct disk_stat now;
	bool there;
	int mode = b->mode == STORE_MODE_UNKNOWN ? FOLDER_MODE : b->mode;
	if (check(t, &there, &now, err)) return -1;
	if (b->changed) return 0;
	if (there && now.kind != DISK_FOLDER &&
		(make_way(t, &now, err) || (!b->aside && disk_remove(t->disk, t->path, err))))
		return -1;
	if (disk_mkdir_parents(t->disk, t->path, err) || disk_mkdir(t->disk, t->path, mode, err) ||
		disk_set(t->disk, t->path, DISK_TIME_KEEP, mode, err))
		return -1;
	b->made_above = true;
	if (sync_place(t, t->path, err)) return -1;
	return look_again(t, NULL, err);
}

static int place_attributes(struct transfer *t, struct err *err) {
	struct bring *b = t->bring;
	struct disk_stat now;
	bool there;
	if (check(t, &there, &now, err)) return -1;
	if (b->changed) return 0;
	bool time = now.kind != DISK_FOLDER && b->mtime_ns != STORE_MTIME_UNKNOWN;
	int mode = now.kind == DISK_LINK || b->mode == STORE_MODE_UNKNOWN ? -1 : b->mode;
	if (disk_set(t->disk, t->path, time ? b->mtime_ns : DISK_TIME_KEEP, mode, err)) return -1;
	return look_again(t, &now, err);
}

static int names_list(struct transfer *t, struct err *err) {
	struct disk_list list;
	if (disk_list(t->disk, t->path, &list, err)) return -1;
	for (size_t i = 0; i < list.count; i++) {
		bool folder = list.items[i].stat.kind == DISK_FOLDER;
		if (list.items[i].stat.kind == DISK_OTHER) continue;
		strv_add_owned(
			&t->bring->names, xasprintf("%s%s", list.items[i].name, folder ? "/" : ""));
	}
	disk_list_release(&list);
	return 0;
}

static int place_removal(struct transfer *t, struct err *err) {
	struct bring *b = t->bring;
	struct disk_stat now;
	bool there;
	if (check(t, &there, &now, err)) return -1;
	if (b->changed || !there) return 0;
	if (b->what == BRING_REMOVE) {
		int live = is_living(t, &now, err);
		b->in_use = live > 0;
		if (live) return live < 0 ? -1 : 0;
		if (trash_keep(t->disk, t->path, &now, b, err) || check(t, &there, &now, err))
			return -1;
		return b->changed || !there ? 0 : disk_remove(t->disk, t->path, err);
	}
	int rc = disk_rmdir(t->disk, t->path, err);
	b->occupied = rc && err->kind == ERR_BUSY;
	return b->occupied ? names_list(t, err) : rc;
}

int bring_place_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	switch (t->bring->what) {
	case BRING_FILE:
	case BRING_LINK: return place_content(t, err);
	case BRING_FOLDER: return place_folder(t, err);
	case BRING_SET: return place_attributes(t, err);
	case BRING_REMOVE:
	case BRING_RMDIR: break;
	}
	return place_removal(t, err);
}
