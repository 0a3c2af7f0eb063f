#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/directory.h"

enum {
	IDLE_MS = 2000,     /* then the root is let go, so that its disk can be unmounted */
	FREE_OPS_MAX = 256, /* more than ever are in flight */
	BRIEF_BYTES = 64 << 10,
	NAME_MAX_BYTES = 255,  /* of one component, on every file system of note */
	PATH_MAX_BYTES = 4095, /* of a whole path, as system calls take it */
	PATH_MARGIN_BYTES =
		128, /* for the way to a kept version: `.tend/versions/`, `/END~BEGIN` */
	LEFTOVER_MS = 24 * 3600 * 1000,          /* a temporary file that no crash explains */
	LEFTOVER_PARTS_MS = 7 * 24 * 3600 * 1000 /* a large upload may rest so long */
};

struct directory {
	struct store store;
	char *path;
	struct directory_root *root; /* NULL: not open */
	struct list waiting;         /* directory_ops, while it is being opened */
	struct list free;            /* directory_ops */
	size_t free_count;
	struct timer idle;
	struct directory_unsynced unsynced;

	/* ---- opening: the job's until it is done ---- */
	struct job open;
	bool opening;
	bool cleaned; /* once a process */
	int64_t now_ns;
	struct disk *opened;
	bool opened_own, had_own; /* does DIRECTORY_OWN stand there? did it ever? */
	bool known;
	struct disk_identity opened_identity, identity;
};

static struct directory *directory_of(struct store *store) {
	return container_of(store, struct directory, store);
}

/* ---- the root ---- */

static void root_free(struct directory_root *root) {
	if (!root) return;
	for (size_t i = 0; i < ARRAY_LEN(root->recent); i++)
		directory_recent_close(atomic_load(&root->recent[i]));
	disk_close(root->disk);
	free(root);
}

static void root_drop(struct directory *directory) {
	struct directory_root *root = directory->root;

	directory->root = NULL;
	if (root && root->users == 0) root_free(root);
}

static void idle_too_long(struct timer *timer) {
	struct directory *directory = container_of(timer, struct directory, idle);

	if (directory->root && directory->root->users == 0) root_drop(directory);
}

/* What crashes left in DIRECTORY_TMP. Younger files may be the work of another machine. */
static void clean(struct disk *disk, int64_t now_ns) {
	struct disk_list list;
	struct err err;

	if (disk_list(disk, DIRECTORY_TMP, &list, &err) < 0) return;
	for (size_t i = 0; i < list.count; i++) {
		const struct disk_item *item = &list.items[i];
		bool parts = strstr(item->name, ".parts") != NULL;
		int64_t age_ms = (now_ns - item->stat.ctime_ns) / NS_PER_MS;
		if (!disk_is_beside(item->name) || item->stat.kind == DISK_FOLDER) continue;
		if (age_ms < (parts ? LEFTOVER_PARTS_MS : LEFTOVER_MS)) continue;
		char *path = path_join(DIRECTORY_TMP, item->name);
		disk_remove(disk, path, &err); /* else it stays, and is hidden */
		free(path);
	}
	disk_list_release(&list);
}

static int open_work(struct job *job, struct err *err) {
	struct directory *directory = container_of(job, struct directory, open);
	struct disk_stat stat;
	struct err ignored;

	directory->opened = disk_open(directory->path, err);
	if (!directory->opened) {
		if (err->kind != ERR_NOT_FOUND) return -1;
		if (err->sys == ENOTDIR)
			return err_set(err, ERR_INVALID,
				"the remote folder '%s' is no folder: move it out of the way, or "
				"correct `path`",
				directory->path);
		/* Never made here: on an unmounted disk's mount point everything would go to the
		 * wrong one. */
		return err_set(err, ERR_OFFLINE,
			"the remote folder '%s' does not exist: create it, or mount its disk",
			directory->path);
	}
	if (disk_identity(directory->path, &directory->opened_identity, err) < 0) return -1;
	directory->opened_own = disk_stat(directory->opened, DIRECTORY_OWN, &stat, &ignored) == 0;
	if (!directory->cleaned && directory->opened_own)
		clean(directory->opened, directory->now_ns);
	return 0;
}

static bool is_other_disk(const struct directory *directory) {
	const struct disk_identity *now = &directory->opened_identity, *was = &directory->identity;

	return directory->known && directory->had_own && !directory->opened_own &&
	       (now->fsid != was->fsid || now->ino != was->ino);
}

static void op_begin(struct directory_op *work);
static void op_finish(struct directory_op *work, const struct err *err);

static void open_done(struct job *job, const struct err *err) {
	struct directory *directory = container_of(job, struct directory, open);
	struct list ready;
	struct err why;

	directory->opening = false;
	if (!err && is_other_disk(directory)) {
		err_set(&why, ERR_OFFLINE,
			"the disk of remote folder '%s' is not mounted any more: mount it",
			directory->path);
		err = &why;
	}
	if (err) {
		disk_close(directory->opened);
	} else {
		directory->cleaned = directory->known = true;
		directory->identity = directory->opened_identity;
		directory->had_own = directory->had_own || directory->opened_own;
		directory->root = xcalloc(1, sizeof(*directory->root));
		directory->root->disk = directory->opened;
		timer_start(&directory->idle, IDLE_MS);
	}
	directory->opened = NULL;
	list_init(&ready);
	list_take_all(&ready, &directory->waiting);
	list_each(&ready, link) {
		struct directory_op *work = list_entry(link, struct directory_op, link);
		list_remove(link);
		if (!err && !work->op->cancelled) {
			op_begin(work);
			continue;
		}
		if (!err) err_set(&why, ERR_CANCELLED, "cancelled");
		op_finish(work, err ? err : &why);
	}
}

/* ---- an operation ---- */

static directory_verb *const verbs[] = {
	[STORE_LIST] = directory_list,
	[STORE_STAT] = directory_stat,
	[STORE_GET] = directory_get,
	[STORE_PUT] = directory_put,
	[STORE_SET] = directory_set,
	[STORE_MKDIR] = directory_mkdir,
	[STORE_COPY] = directory_copy,
	[STORE_MOVE] = directory_move,
	[STORE_REMOVE] = directory_remove,
	[STORE_PART_BEGIN] = directory_part_begin,
	[STORE_PART_PUT] = directory_part_put,
	[STORE_PART_QUERY] = directory_part_query,
	[STORE_PART_END] = directory_part_end,
	[STORE_PART_ABORT] = directory_part_abort,
	[STORE_SYNC] = directory_sync,
	[STORE_ABOUT] = directory_about,
};

/* It may go at any time, also between this look and what follows: small new files that were begun together go by one look. SYNC,
 * without which none of them is believed, looks for itself. */
static bool root_is_there(const struct directory_op *work) {
	struct directory_root *root = work->root;
	bool brief = work->job.brief;

	if (brief && atomic_load_explicit(&root->seen_turn, memory_order_relaxed) == work->turn)
		return true;
	if (!disk_is_there(work->disk)) return false;
	if (brief) atomic_store_explicit(&root->seen_turn, work->turn, memory_order_relaxed);
	return true;
}

static int op_work(struct job *job, struct err *err) {
	struct directory_op *work = container_of(job, struct directory_op, job);

	if (!root_is_there(work)) {
		work->lost = true;
		return err_set(err, ERR_OFFLINE, "the remote folder '%s' was moved or unmounted",
			disk_path(work->disk));
	}
	int rc = verbs[work->op->verb](work, err);
	/* Somebody put a link where our folder was: it is not followed, and no MKDIR cures it. */
	if (rc < 0 && err->sys == ELOOP && work->op->verb >= STORE_PUT) err->kind = ERR_INVALID;
	return rc;
}

static struct directory_op *op_new(struct directory *directory, struct store_op *op) {
	struct directory_op *work;

	if (list_empty(&directory->free)) {
		work = xmalloc(sizeof(*work));
	} else {
		work = list_entry(directory->free.next, struct directory_op, link);
		list_remove(&work->link);
		directory->free_count--;
	}
	*work = (struct directory_op){ .directory = directory, .op = op };
	list_init(&work->link);
	return work;
}

static void op_finish(struct directory_op *work, const struct err *err) {
	struct directory *directory = work->directory;
	struct store_op *op = work->op;

	op->impl = NULL;
	if (directory->free_count < FREE_OPS_MAX) {
		list_add_tail(&directory->free, &work->link);
		directory->free_count++;
	} else {
		free(work);
	}
	op->done(op, err);
}

static void op_done(struct job *job, const struct err *err) {
	struct directory_op *work = container_of(job, struct directory_op, job);
	struct directory *directory = work->directory;
	struct directory_root *root = work->root;

	if (err && work->op->verb == STORE_SYNC) directory_unsynced_all(&directory->unsynced);
	directory_unsynced_release(&work->unsynced);
	/* Also after an error: it may have come behind the change. */
	if (work->wrote) directory_unsynced_note(&directory->unsynced, work);
	if (work->made_own) directory->had_own = true;
	if (work->lost && directory->root == root) directory->root = NULL;
	if (--root->users == 0) {
		if (directory->root != root) {
			root_free(root);
		} else if (!timer_running(&directory->idle)) {
			timer_start(&directory->idle, IDLE_MS);
		}
	}
	op_finish(work, err);
}

/* What replaces something waits for the medium. */
static bool is_brief(const struct store_op *op) {
	return op->verb == STORE_SET || op->verb == STORE_MKDIR ||
	       (op->verb == STORE_PUT && op->if_absent && op->fd < 0 &&
		       op->body_len <= BRIEF_BYTES);
}

static void op_begin(struct directory_op *work) {
	struct directory *directory = work->directory;

	if (work->op->verb == STORE_SYNC) {
		work->unsynced = directory->unsynced;
		directory->unsynced = (struct directory_unsynced){ 0 };
	}
	work->root = directory->root;
	work->root->users++;
	work->disk = work->root->disk;
	work->job.work = op_work;
	work->job.done = op_done;
	work->job.brief = is_brief(work->op);
	work->turn = loop_counts(directory->store.loop).turns + 1; /* 0: nobody looked yet */
	job_start(directory->store.loop, &work->job);
}

static void directory_start(struct store *store, struct store_op *op) {
	struct directory *directory = directory_of(store);
	struct directory_op *work = op_new(directory, op);

	op->impl = work;
	if (directory->root) {
		op_begin(work);
		return;
	}
	list_add_tail(&directory->waiting, &work->link);
	if (directory->opening) return;
	directory->opening = true;
	directory->now_ns = loop_wall_ns(store->loop);
	directory->open.work = open_work;
	directory->open.done = open_done;
	job_start(store->loop, &directory->open);
}

static void directory_cancel(struct store *store, struct store_op *op) {
	struct directory_op *work = op->impl;

	/* While it waits for the root, op->cancelled says it all. */
	if (work && work->root) job_cancel(&work->job);
}

/* ---- the store ---- */

static int directory_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	size_t room = PATH_MAX_BYTES - PATH_MARGIN_BYTES;

	if (kind == STORE_OTHER) return err_set(err, ERR_INVALID, "no file, folder or link");
	if (*key && !path_is_plain(key)) return err_set(err, ERR_INVALID, "no plain path");
	if (strlen(directory_of(store)->path) + 1 + strlen(key) > room)
		return err_set(err, ERR_INVALID, "path longer than %zu bytes", room);
	for (const char *at = key; *at;) {
		size_t len = strcspn(at, "/");
		if (len > NAME_MAX_BYTES)
			return err_set(
				err, ERR_INVALID, "name longer than %d bytes", NAME_MAX_BYTES);
		if (disk_is_beside(at))
			return err_set(err, ERR_INVALID,
				"names that begin with '" DISK_BESIDE_PREFIX "' are tend's own");
		at += len + (at[len] == '/');
	}
	return 0;
}

static void directory_free(struct store *store) {
	struct directory *directory = directory_of(store);

	assert(!directory->opening && (!directory->root || directory->root->users == 0));
	timer_cancel(&directory->idle);
	root_drop(directory);
	list_each(&directory->free, link) free(list_entry(link, struct directory_op, link));
	directory_unsynced_release(&directory->unsynced);
	free(directory->path);
	free(directory);
}

static const struct store_driver directory_driver = {
	.scheme = "directory",
	.start = directory_start,
	.cancel = directory_cancel,
	.free = directory_free,
	.refuse = directory_refuse,
};

struct store *store_directory_new(struct loop *loop, const char *path) {
	struct directory *directory = xcalloc(1, sizeof(*directory));

	directory->store = (struct store){
		.driver = &directory_driver,
		.loop = loop,
		.may_fold = true,
		.caps = STORE_CAP_FOLDERS | STORE_CAP_LIST_MTIME | STORE_CAP_FD_BODY |
			STORE_CAP_MOVE,
		.part_size = DIRECTORY_PART_BYTES,
		.part_from = DIRECTORY_PART_BYTES,
		.part_max = 10000,
		.digest = DIRECTORY_DIGEST,
		.part_hash = STORE_HASH_SHA256,
		.label = xasprintf("directory:%s", path),
	};
	directory->path = xstrdup(path);
	list_init(&directory->waiting);
	list_init(&directory->free);
	timer_init(&directory->idle, loop, idle_too_long);
	return &directory->store;
}
