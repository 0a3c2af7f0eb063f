#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto/crypto.h"
#include "store/memory.h"

/*
 * A whole store in memory, for tests: every verb, no disk, no network. Under the simulated loop it
 * is deterministic: an operation takes effect at one moment and is answered at another, both drawn
 * from the loop.
 */

/* ---- what stands there ---- */

struct memory_item *memory_at(const struct memory *memory, const char *key, bool folder) {
	if (memory->options.keys_only) return memory_find_kind(&memory->tree, key, folder);
	return memory_find(&memory->tree, key);
}

bool memory_has_below(const struct memory *memory, const char *folder) {
	size_t at = memory_behind(&memory->tree, folder, NULL);

	return at < memory->tree.count && path_is_within(memory->tree.items[at]->key, folder) &&
	       !str_equal(memory->tree.items[at]->key, folder);
}

static bool is_folder(const struct memory *memory, const char *key) {
	if (!*key || memory->options.keys_only) return true;
	const struct memory_item *item = memory_find(&memory->tree, key);
	return item && item->kind == STORE_FOLDER;
}

static char *version_text(const struct memory *memory, const struct memory_item *item) {
	if (item->kind == STORE_FOLDER && !memory->options.deep_versions) return NULL;
	return xasprintf("v%llu", (unsigned long long)item->version);
}

struct store_entry memory_entry(const struct memory *memory, const struct memory_item *item) {
	struct store_entry entry = {
		.kind = item->kind,
		.size = (int64_t)item->len,
		.mtime_ns = item->mtime_ns,
		.mode = item->mode,
		.version = version_text(memory, item),
		.marker = memory->options.keys_only && item->kind == STORE_FOLDER,
	};

	if (!memory->options.hashless) entry.hash = item->hash;
	if (memory->store.changes) entry.id = xasprintf("i%llu", (unsigned long long)item->id);
	return entry;
}

static struct store_hash hash_of(const struct memory *memory, const void *bytes, size_t len) {
	uint8_t hash[DIGEST_MAX];

	digest_of(memory->store.digest, bytes, len, hash);
	return store_hash_from(&memory->store, hash);
}

bool memory_fits(const struct store_hash *hash, const void *bytes, size_t len) {
	bool sha256 = hash->kind == STORE_HASH_SHA256;
	uint8_t real[DIGEST_MAX];

	if (!sha256 && hash->kind != STORE_HASH_MD5) return true;
	size_t hash_len = digest_of(sha256 ? DIGEST_SHA256 : DIGEST_MD5, bytes, len, real);
	return memcmp(hash->bytes, real, hash_len) == 0;
}

/* `hash`: of these bytes; NULL: not known yet. */
static struct memory_item *item_new(struct memory *memory, const char *key, enum store_kind kind,
	const void *bytes, size_t len, const struct store_hash *hash) {
	struct memory_item *item = xcalloc(1, sizeof(*item));

	item->key = xstrdup(key);
	item->kind = kind;
	item->bytes = xmemdup(bytes ? bytes : "", len + !len);
	item->len = len;
	item->mtime_ns = STORE_MTIME_UNKNOWN;
	item->mode = STORE_MODE_UNKNOWN;
	item->version = ++memory->last_version;
	item->id = ++memory->last_id;
	memory_changed(memory, item);
	if (kind != STORE_FOLDER) item->hash = hash ? *hash : hash_of(memory, item->bytes, len);
	return item;
}

struct memory_item *memory_item_new(struct memory *memory, const char *key, enum store_kind kind,
	const void *bytes, size_t len) {
	return item_new(memory, key, kind, bytes, len, NULL);
}

/* As memory_fits, of what is known already. */
static bool item_fits(const struct memory_item *item, const struct store_hash *hash) {
	size_t len = digest_len(hash->kind == STORE_HASH_SHA256 ? DIGEST_SHA256 : DIGEST_MD5);

	if (hash->kind != item->hash.kind) return memory_fits(hash, item->bytes, item->len);
	return memcmp(hash->bytes, item->hash.bytes, len) == 0;
}

void memory_rehash(struct memory *memory) {
	for (size_t i = 0; i < memory->tree.count; i++) {
		struct memory_item *item = memory->tree.items[i];
		if (item->kind != STORE_FOLDER)
			item->hash = hash_of(memory, item->bytes, item->len);
	}
}

static void drop(struct memory *memory, struct memory_item *item) {
	memory_gone(memory, item);
	memory_take(&memory->tree, item);
	memory_item_free(item);
}

static void make_parents(struct memory *memory, const char *key) {
	char *parent = path_parent(key);

	if (!is_folder(memory, parent)) { /* where folders are things of their own */
		make_parents(memory, parent);
		memory_insert(
			&memory->tree, memory_item_new(memory, parent, STORE_FOLDER, NULL, 0));
	}
	free(parent);
}

static int need_parent(const struct memory *memory, const char *key, struct err *err) {
	char *parent = path_parent(key);
	bool there = is_folder(memory, parent);

	free(parent);
	return there ? 0 : err_set(err, ERR_NOT_FOUND, "the folder of '%s' is not there", key);
}

static bool is_version(
	const struct memory *memory, const struct memory_item *item, const char *version) {
	char *text = version_text(memory, item);
	bool same = text && strcmp(text, version) == 0;

	free(text);
	return same;
}

int memory_check(const struct store_op *op, const struct memory *memory,
	const struct memory_item *item, struct err *err) {
	if (op->if_absent && item)
		return err_set(err, ERR_CHANGED, "'%s' is there already", op->key);
	if (op->if_version && !(item && is_version(memory, item, op->if_version))) {
		return err_set(
			err, ERR_CHANGED, "'%s' is not the version that was expected", op->key);
	}
	return 0;
}

/* PUT, PART_END, SET, REMOVE: at the moment at which they take effect. */
static int check(const struct memory *memory, const struct store_op *op,
	const struct memory_item *item, struct err *err) {
	if (memory->options.conditions != STORE_CONDITIONS_KEPT) return 0;
	return memory_check(op, memory, item, err);
}

static struct memory_item *copy_item(
	struct memory *memory, const struct memory_item *item, const char *to) {
	struct memory_item *copy =
		item_new(memory, to, item->kind, item->bytes, item->len, &item->hash);

	copy->mtime_ns = item->mtime_ns;
	copy->mode = item->mode;
	return copy;
}

static int keep(struct memory *memory, struct store_op *op, const struct memory_item *item,
	struct err *err) {
	if (!op->keep_key) return 0;
	const struct memory_item *kept = memory_at(memory, op->keep_key, false);

	if (!item) {
		op->kept = kept != NULL;
		return 0;
	}
	if (kept && !store_hash_equal(&kept->hash, &item->hash)) {
		return err_set(err, ERR_CHANGED, "'%s' holds another version", op->keep_key);
	}
	if (!kept) {
		make_parents(memory, op->keep_key);
		memory_insert(&memory->tree, copy_item(memory, item, op->keep_key));
	}
	op->kept = true;
	return 0;
}

/* ---- the verbs ---- */

int memory_place(struct memory *memory, struct store_op *op, const void *bytes, size_t len,
	struct err *err) {
	struct memory_item *item = memory_at(memory, op->key, false);
	struct memory_item *put = memory_item_new(memory, op->key, op->kind, bytes, len);

	put->mtime_ns = op->mtime_ns;
	put->mode = op->mode;
	if (!item_fits(put, &op->hash)) {
		err_set(err, ERR_CHANGED, "'%s' is not what its hash says", op->key);
		goto free_put;
	}
	if (need_parent(memory, op->key, err)) goto free_put;
	if (item && item->kind == STORE_FOLDER) {
		err_set(err, ERR_INVALID, "'%s' is a folder", op->key);
		goto free_put;
	}
	/* Our own, whose answer was lost: it was kept, and put, by the try before. */
	bool ours = item && item->kind == put->kind && item->mtime_ns == put->mtime_ns &&
		    store_hash_equal(&item->hash, &put->hash);
	if (!ours && (check(memory, op, item, err) || keep(memory, op, item, err))) goto free_put;
	if (ours) op->kept = op->keep_key && memory_find(&memory->tree, op->keep_key);
	if (ours) put->version = item->version;
	op->existed = ours;
	if (item) put->id = item->id;
	if (item) drop(memory, item);
	memory_insert(&memory->tree, put);
	op->entry = memory_entry(memory, put);
	return 0;

free_put:
	memory_item_free(put);
	return -1;
}

static int put(struct memory *memory, struct store_op *op, struct err *err) {
	return memory_place(memory, op, op->body, op->body_len, err);
}

static struct memory_item *need(
	struct memory *memory, const char *key, bool folder, struct err *err) {
	struct memory_item *item = memory_at(memory, key, folder);

	if (!item) err_set(err, ERR_NOT_FOUND, "'%s' is not there", key);
	return item;
}

static int get(struct memory *memory, struct store_op *op, struct err *err) {
	const struct memory_item *item = need(memory, op->key, false, err);

	if (!item) return -1;
	if (item->kind == STORE_FOLDER)
		return err_set(err, ERR_INVALID, "'%s' is a folder", op->key);
	if (check(memory, op, item, err)) return -1;
	size_t from = (size_t)op->offset < item->len ? (size_t)op->offset : item->len;
	size_t len = item->len - from;
	if (op->length > 0 && (size_t)op->length < len) len = (size_t)op->length;
	if (buf_add(&op->answer_body, item->bytes + from, len)) {
		return err_set(err, ERR_INVALID, "a span of '%s' is too long", op->key);
	}
	op->entry = memory_entry(memory, item);
	return 0;
}

static int set(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_item *item = need(memory, op->key, op->kind == STORE_FOLDER, err);

	if (!item || check(memory, op, item, err)) return -1;
	if (op->mtime_ns != STORE_MTIME_UNKNOWN) item->mtime_ns = op->mtime_ns;
	if (op->mode != STORE_MODE_UNKNOWN) item->mode = op->mode;
	if (memory->options.times_in_version) item->version = ++memory->last_version;
	memory_changed(memory, item);
	op->entry = memory_entry(memory, item);
	return 0;
}

static int make_folder(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_item *item = memory_at(memory, op->key, true);

	if (!*op->key) return 0;
	if (item && item->kind != STORE_FOLDER) {
		return err_set(err, ERR_CHANGED, "'%s' is there and no folder", op->key);
	}
	if (need_parent(memory, op->key, err)) return -1;
	op->existed = item != NULL;
	if (!item) {
		item = memory_item_new(memory, op->key, STORE_FOLDER, NULL, 0);
		memory_insert(&memory->tree, item);
	}
	if (op->mode != STORE_MODE_UNKNOWN) item->mode = op->mode;
	if (op->mtime_ns != STORE_MTIME_UNKNOWN) item->mtime_ns = op->mtime_ns;
	memory_changed(memory, item);
	op->entry = memory_entry(memory, item);
	return 0;
}

int memory_check_source(const struct store_op *op, const struct memory *memory,
	const struct memory_item *item, struct err *err) {
	if (!item || !op->if_version || is_version(memory, item, op->if_version)) return 0;
	return err_set(err, ERR_CHANGED, "'%s' is not the version that was expected", op->key);
}

/* COPY and MOVE: what stands at to_key may be our own earlier try. */
static int check_target(struct memory *memory, struct store_op *op, const struct memory_item *item,
	struct err *err) {
	struct memory_item *there = memory_find(&memory->tree, op->to_key);
	bool kept = memory->options.conditions == STORE_CONDITIONS_KEPT;

	if (kept && memory_check_source(op, memory, item, err)) return -1;
	if (need_parent(memory, op->to_key, err)) return -1;
	if (!there) return 0;
	if (there->kind == STORE_FOLDER || item->kind == STORE_FOLDER) {
		return err_set(err, ERR_CHANGED, "'%s' is there already", op->to_key);
	}
	if (op->if_absent && !store_hash_equal(&there->hash, &item->hash)) {
		return err_set(err, ERR_CHANGED, "'%s' is there already", op->to_key);
	}
	drop(memory, there);
	return 0;
}

static int copy(struct memory *memory, struct store_op *op, struct err *err) {
	struct memory_item *item = need(memory, op->key, false, err);

	if (!item) return -1;
	if (item->kind == STORE_FOLDER)
		return err_set(err, ERR_INVALID, "'%s' is a folder", op->key);
	if (strcmp(op->key, op->to_key) == 0) {
		op->entry = memory_entry(memory, item);
		return 0;
	}
	if (check_target(memory, op, item, err)) return -1;
	struct memory_item *made = copy_item(memory, item, op->to_key);
	memory_insert(&memory->tree, made);
	op->entry = memory_entry(memory, made);
	return 0;
}

static void rekey(
	struct memory *memory, struct memory_item *item, const char *from, const char *to) {
	char *key = xasprintf("%s%s", to, item->key + strlen(from));

	memory_take(&memory->tree, item);
	free(item->key);
	item->key = key;
	memory_insert(&memory->tree, item);
}

static int move(struct memory *memory, struct store_op *op, struct err *err) {
	bool folder = op->kind == STORE_FOLDER;
	struct memory_item *item = memory_find_kind(&memory->tree, op->key, folder);
	struct memory_item *there = memory_find_kind(&memory->tree, op->to_key, folder);

	if (!item) {
		if (!there) return err_set(err, ERR_NOT_FOUND, "'%s' is not there", op->key);
		op->entry = memory_entry(memory, there); /* moved by the try before */
		return 0;
	}
	if (strcmp(op->key, op->to_key) == 0) {
		op->entry = memory_entry(memory, item);
		return 0;
	}
	if (path_is_within(op->to_key, op->key)) {
		return err_set(err, ERR_INVALID, "'%s' is inside of '%s'", op->to_key, op->key);
	}
	if (check_target(memory, op, item, err)) return -1;
	for (;;) { /* children first, so that the folder is found until the end */
		size_t at = memory_behind(&memory->tree, op->key, NULL);
		if (item->kind != STORE_FOLDER || at >= memory->tree.count) break;
		if (!path_is_within(memory->tree.items[at]->key, op->key)) break;
		rekey(memory, memory->tree.items[at], op->key, op->to_key);
	}
	memory_changed(memory, item); /* of what it left, and of where it comes */
	rekey(memory, item, op->key, op->to_key);
	memory_changed(memory, item);
	op->entry = memory_entry(memory, item);
	return 0;
}

static int remove_item(struct memory *memory, struct store_op *op, struct err *err) {
	bool folder = op->kind == STORE_FOLDER;
	struct memory_item *item = memory_at(memory, op->key, folder);

	if (item && (item->kind == STORE_FOLDER) != folder) {
		return err_set(err, ERR_INVALID, "'%s' is of another kind", op->key);
	}
	if (folder && memory_has_below(memory, op->key)) {
		err_set(err, ERR_BUSY, "the folder '%s' is not empty", op->key);
		err->sys = ENOTEMPTY;
		return -1;
	}
	if (!item) return folder ? 0 : keep(memory, op, NULL, err);
	if (!folder && (check(memory, op, item, err) || keep(memory, op, item, err))) return -1;
	drop(memory, item);
	return 0;
}

/* ---- the rest ---- */

static int sync_all(struct memory *memory, struct store_op *op, struct err *err) {
	return 0;
}

static int about(struct memory *memory, struct store_op *op, struct err *err) {
	op->about.free_bytes = -1;
	op->about.server_ns = loop_wall_ns(memory->store.loop);
	op->about.conditions_known = true;
	op->about.conditions = memory->options.conditions == STORE_CONDITIONS_KEPT;
	return 0;
}

static int (*const verbs[])(struct memory *memory, struct store_op *op, struct err *err) = {
	[STORE_LIST] = memory_list,
	[STORE_STAT] = memory_stat_item,
	[STORE_GET] = get,
	[STORE_PUT] = put,
	[STORE_SET] = set,
	[STORE_MKDIR] = make_folder,
	[STORE_COPY] = copy,
	[STORE_MOVE] = move,
	[STORE_REMOVE] = remove_item,
	[STORE_PART_BEGIN] = memory_part_begin,
	[STORE_PART_PUT] = memory_part_put,
	[STORE_PART_COPY] = memory_part_copy,
	[STORE_PART_QUERY] = memory_part_query,
	[STORE_PART_END] = memory_part_end,
	[STORE_PART_ABORT] = memory_part_abort,
	[STORE_SYNC] = sync_all,
	[STORE_ABOUT] = about,
	[STORE_CHANGES] = memory_changes,
};

/* Under which name does that stand there, by a disk that does not tell upper from lower case? The caller's. */
static char *folded(const struct memory *memory, const char *key) {
	char *own = xstrdup(key);

	for (size_t len = 0; own[len]; len += own[len] == '/') {
		len += strcspn(own + len, "/");
		for (size_t i = 0; i < memory->tree.count; i++) {
			const char *there = memory->tree.items[i]->key;
			if (strlen(there) != len || strncasecmp(there, own, len) != 0) continue;
			memcpy(own, there, len);
			break;
		}
	}
	return own;
}

static int do_folded(struct memory *memory, struct store_op *op, struct err *err) {
	const char *key = op->key, *to_key = op->to_key;
	char *own = folded(memory, key), *to_own = to_key ? folded(memory, to_key) : NULL;

	op->key = own;
	op->to_key = to_own && strcasecmp(own, to_own) == 0 ? to_key : to_own;
	int rc = verbs[op->verb](memory, op, err);
	op->key = key;
	op->to_key = to_key;
	free(own);
	free(to_own);
	return rc;
}

int memory_do(struct memory *memory, struct store_op *op, struct err *err) {
	if (memory->options.folds) return do_folded(memory, op, err);
	return verbs[op->verb](memory, op, err);
}
