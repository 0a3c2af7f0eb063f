#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/* The driver: settings to a store, an operation to its flow, waiting, and the end of every flow. */

enum {
	PART_SIZE = STORE_SPAN_MAX, /* a multiple of 256 KiB */
	PART_FROM = 4 << 20,        /* one request takes 5 MB, all in all */
	PART_MAX = 1 << 20,
	TIMEOUT_MS = 30000,
};

/* ---- operations ---- */

static void release(struct gdrive_op *x) {
	gdrive_request_release(x);
	list_remove(&x->wait_link);
	defer_cancel(&x->cancelled);
	gdrive_place_release(&x->at);
	gdrive_place_release(&x->to);
	gdrive_file_release(&x->staged);
	gdrive_file_release(&x->walk.made);
	free(x->walk.path);
	free(x->walk.at);
	free(x->walk.parent);
	free(x->new_id);
	free(x->content_type);
	free(x->file_id);
	free(x->session_url);
	gdrive_trash_release(x->trash);
	for (size_t i = 0; i < ARRAY_LEN(x->owned); i++) {
		if (x->owned[i]) gdrive_lock_release(x, x->owned[i]);
	}
	free(x);
}

void gdrive_finish(struct gdrive_op *x, const struct err *err) {
	struct store *store = &x->gd->store;
	struct store_op *op = x->op;
	bool starting = x->starting;
	struct err copy;

	if (err) copy = *err; /* it may stand in `x` */
	op->impl = NULL;
	release(x);
	if (starting) {
		store_done_later(store, op, err ? &copy : NULL);
	} else {
		op->done(op, err ? &copy : NULL);
	}
}

void gdrive_fail(struct gdrive_op *x) {
	assert(x->err.kind != ERR_NONE);
	gdrive_finish(x, &x->err);
}

void gdrive_end(struct gdrive_op *x) {
	gdrive_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
}

/* ---- waiting for another operation ---- */

void gdrive_lock_init(struct gdrive_lock *lock) {
	lock->owner = NULL;
	list_init(&lock->waiting);
}

bool gdrive_lock_take(
	struct gdrive_op *x, struct gdrive_lock *lock, void (*resume)(struct gdrive_op *x)) {
	if (lock->owner && lock->owner != x) {
		x->resume = resume;
		list_add_tail(&lock->waiting, &x->wait_link);
		return false;
	}
	size_t slot = 0;
	while (x->owned[slot] && x->owned[slot] != lock) slot++;
	assert(slot < ARRAY_LEN(x->owned));
	x->owned[slot] = lock;
	lock->owner = x;
	return true;
}

void gdrive_lock_release(struct gdrive_op *x, struct gdrive_lock *lock) {
	struct list waiting;

	for (size_t i = 0; i < ARRAY_LEN(x->owned); i++) {
		if (x->owned[i] == lock) x->owned[i] = NULL;
	}
	lock->owner = NULL;
	list_init(&waiting);
	list_take_all(&waiting, &lock->waiting);
	while (!list_empty(&waiting)) {
		struct gdrive_op *next = list_entry(waiting.next, struct gdrive_op, wait_link);
		list_remove(&next->wait_link);
		next->starting = false;
		next->resume(next);
	}
}

static void cancelled_later(struct defer *defer) {
	struct gdrive_op *x = container_of(defer, struct gdrive_op, cancelled);

	err_set(&x->err, ERR_CANCELLED, "cancelled");
	gdrive_fail(x);
}

static void gdrive_cancel(struct store *store, struct store_op *op) {
	struct gdrive_op *x = op->impl;

	if (!x) return; /* its end is on the way */
	if (list_empty(&x->wait_link) && !op->go_on) {
		gdrive_request_cancel(x);
		return;
	}
	op->go_on = NULL;
	list_remove(&x->wait_link);
	defer_start(store->loop, &x->cancelled);
}

/* ---- flows ---- */

static void start_remove(struct gdrive_op *x) {
	(x->op->kind == STORE_FOLDER ? gdrive_remove_folder : gdrive_put)(x);
}

static void (*const flows[])(struct gdrive_op *x) = {
	[STORE_LIST] = gdrive_list,
	[STORE_STAT] = gdrive_stat,
	[STORE_GET] = gdrive_get,
	[STORE_PUT] = gdrive_put,
	[STORE_SET] = gdrive_set,
	[STORE_MKDIR] = gdrive_make_folder,
	[STORE_COPY] = gdrive_copy_or_move,
	[STORE_MOVE] = gdrive_copy_or_move,
	[STORE_REMOVE] = start_remove,
	[STORE_PART_BEGIN] = gdrive_part_begin,
	[STORE_PART_PUT] = gdrive_part_put,
	[STORE_PART_QUERY] = gdrive_part_put,
	[STORE_PART_END] = gdrive_part_end,
	[STORE_PART_ABORT] = gdrive_part_abort,
	[STORE_ABOUT] = gdrive_about,
	[STORE_REVISIONS] = gdrive_revisions,
	[STORE_CHANGES] = gdrive_changes,
};

/* The folders that the caller knows. One that has gone says so when it is used. */
static void told(struct gdrive *gd, const struct store_op *op) {
	const struct {
		const char *key, *id;
		bool itself;
	} folders[] = {
		{ op->key, op->parent_id, false },
		{ op->to_key, op->to_parent_id, false },
		{ op->key, op->kind == STORE_FOLDER ? op->id : NULL, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (!folders[i].key || !folders[i].id) continue;
		char *path = gdrive_path(gd, folders[i].key);
		char *folder = folders[i].itself ? xstrdup(path) : path_parent(path);
		gdrive_node_told(gd, folder, true, folders[i].id);
		free(folder);
		free(path);
	}
}

static void gdrive_start(struct store *store, struct store_op *op) {
	struct gdrive *gd = container_of(store, struct gdrive, store);

	if (store_answer_known(store, op)) return;
	told(gd, op);
	struct gdrive_op *x = xcalloc(1, sizeof(*x));
	x->gd = gd;
	x->op = op;
	op->impl = x;
	list_init(&x->wait_link);
	defer_init(&x->cancelled, cancelled_later);
	http_request_init(&x->request, "GET", "");
	buf_init(&x->body, STORE_SPAN_MAX + (64 << 10));
	x->starting = true;
	flows[op->verb](x);
	if (op->impl == x) x->starting = false;
}

/* ---- the store ---- */

static void gdrive_free(struct store *store) {
	struct gdrive *gd = container_of(store, struct gdrive, store);
	struct map_item *item = NULL;

	gdrive_nodes_release(gd);
	while ((item = map_next(&gd->held, item))) free(map_value(item));
	map_release(&gd->held);
	while (gd->id_count) free(gd->ids[--gd->id_count]);
	free(gd->ids);
	gdrive_login_free(gd->login);
	char *const texts[] = { gd->endpoint, gd->ca_file, gd->prefix, gd->base_id, gd->drive_id,
		gd->drive_name };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
	free(gd);
}

static void gdrive_renew(struct store *store) {
	gdrive_login_renew(container_of(store, struct gdrive, store)->login);
}

static const struct store_driver gdrive_driver = {
	.scheme = "gdrive",
	.start = gdrive_start,
	.cancel = gdrive_cancel,
	.free = gdrive_free,
	.refuse = gdrive_refuse,
	.renew = gdrive_renew,
	.remember = gdrive_remember,
};

struct store *store_gdrive_new(struct loop *loop, struct http *http, const char *name,
	const struct remote_settings *settings, struct err *err) {
	struct gdrive_login *login = gdrive_login_new(name, settings, err);
	const char *folder = settings->folder ? settings->folder : "";

	if (!login) return NULL;
	struct gdrive *gd = xcalloc(1, sizeof(*gd));
	gd->http = http;
	gd->login = login;
	gd->endpoint = xstrdup(login->endpoint);
	gd->ca_file = xstrdup(settings->ca_file);
	gd->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_MS;
	gd->drive_name = xstrdup(settings->shared_drive);
	bool by_id = str_starts(folder, "id:");
	gd->base_id = by_id ? xstrdup(folder + 3) : NULL;
	gd->prefix = by_id ? xstrdup("") : path_clean(folder);
	map_init(&gd->nodes);
	map_init(&gd->held);
	gdrive_lock_init(&gd->ids_lock);
	gdrive_lock_init(&gd->base_lock);
	gdrive_lock_init(&gd->login_lock);
	gd->store = (struct store){
		.driver = &gdrive_driver,
		.loop = loop,
		.caps = STORE_CAP_FOLDERS | STORE_CAP_LIST_MTIME | STORE_CAP_HASH_FIRST |
			STORE_CAP_MOVE | STORE_CAP_REVISIONS | STORE_CAP_PARTS_IN_ORDER,
		.revisions_each = true,
		/* Two or three a second a user, whatever is tried: rclone's manual of drive. */
		.makes_per_second = 2.5,
		.ids = true,
		.changes = true,
		.part_size = PART_SIZE,
		.part_from = PART_FROM,
		.part_max = PART_MAX,
		.part_hash = STORE_HASH_SEAL, /* what comes is compared as a whole, parts by us */
		.label = xasprintf("gdrive:%s", folder),
	};
	return &gd->store;
}
