#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "store/directory.h"

enum { PLACE_TRIES = 8, TARGET_MAX_BYTES = 4096, DEFAULT_MODE = 0644 };

/* A condition failed. Is what stands there our own earlier try, whose answer was lost? */
static int meet_own_work(
	struct directory_op *work, const struct directory_made *made, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;

	int there = directory_look(work, op->key, &stat, err);
	if (there < 0) return -1;
	if (there && stat.kind == DISK_FOLDER) return directory_fail_folder(op->key, err);
	if (!there || (op->mtime_ns != STORE_MTIME_UNKNOWN && op->mtime_ns != stat.mtime_ns))
		return directory_fail_changed(op->key, err);
	int same = disk_compare(work->disk, made->path, op->key, err);
	if (same < 0) return -1;
	if (!same) return directory_fail_changed(op->key, err);
	directory_kept_before(work);
	op->existed = true;
	return 0;
}

/* 1: placed; 0: somebody came between, look again; -1. */
static int place_once(struct directory_op *work, struct directory_made *made, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;
	int there = 0;

	if (!op->if_absent) there = directory_look(work, op->key, &stat, err);
	if (there < 0) return -1;
	if (there && stat.kind == DISK_FOLDER) return directory_fail_folder(op->key, err);
	if (op->if_version && !(there && directory_is_version(work, &stat)))
		return meet_own_work(work, made, err) < 0 ? -1 : 1;
	if (there) {
		/* The old version must not go before the new one is on the disk. */
		if (made->fd >= 0 && disk_sync_bytes(made->fd, err) < 0) return -1;
		if (op->keep_key && directory_keep(work, &stat, false, err) < 0) {
			if (err->kind == ERR_NOT_FOUND && err->sys == ENOENT) return 0;
			if (err->kind != ERR_CHANGED) return -1;
			return meet_own_work(work, made, err) < 0 ? -1 : 1;
		}
	}
	/* Where nothing stood nothing is replaced either: what appeared meanwhile was not kept. */
	if (directory_made_place(work, made, op->key, there > 0, err) == 0) return 1;
	if (err->kind != ERR_CHANGED) return -1;
	if (!op->if_absent) return 0;
	return meet_own_work(work, made, err) < 0 ? -1 : 1;
}

int directory_place(struct directory_op *work, struct directory_made *made, struct err *err) {
	struct disk_stat stat;
	int rc = 0;

	for (int tries = 0; rc == 0 && tries < PLACE_TRIES; tries++)
		rc = place_once(work, made, err);
	if (rc == 0) return directory_fail_changed(work->op->key, err);
	if (rc < 0) return -1;
	/* Only now: the rename moved its ctime. By the descriptor it is what we wrote, whatever has
	 * been put there since; across file systems it was a copy that got the name. */
	if (made->path || made->fd < 0) return directory_answer(work, work->op->key, err);
	if (disk_stat_open(made->fd, &stat, err) < 0) return -1;
	if (stat.nlink == 0) return directory_answer(work, work->op->key, err);
	work->dev = stat.dev;
	directory_entry(&work->op->entry, &stat);
	return 0;
}

static int fail_hash(const char *key, struct err *err) {
	return err_set(err, ERR_CHANGED, "'%s' is not what its hash says", key);
}

/* Writes the content and checks it against op->hash. `hash` is told when that is known. */
static int write_body(struct directory_op *work, const struct directory_made *made,
	struct store_hash *hash, struct err *err) {
	const struct store_op *op = work->op;
	bool check = op->hash.kind == STORE_HASH_SHA256, want = check || op->want_hash;
	struct digest digest = { 0 };
	int rc;

	if (op->fd < 0) {
		if (want) digest_of(DIRECTORY_DIGEST, op->body, op->body_len, hash->bytes);
		rc = disk_write_span(made->fd, 0, op->body, op->body_len, err);
	} else if (want) {
		digest_init(&digest, DIRECTORY_DIGEST);
		rc = disk_copy_hash_span(op->fd, op->offset, made->fd, 0, op->length, &digest, err);
		if (rc == 0) digest_end(&digest, hash->bytes);
		digest_release(&digest);
	} else {
		rc = disk_copy_span(op->fd, op->offset, made->fd, 0, op->length, err);
	}
	if (rc < 0) return -1;
	if (want) hash->kind = STORE_HASH_SHA256;
	if (check && !store_hash_equal(hash, &op->hash)) return fail_hash(op->key, err);
	return 0;
}

static int put_file(struct directory_op *work, struct store_hash *hash, struct err *err) {
	const struct store_op *op = work->op;
	struct directory_made made;
	int mode = op->mode == STORE_MODE_UNKNOWN ? DEFAULT_MODE : op->mode & 0777;

	directory_made_init(&made);
	int rc = directory_make_file(work, "put", &made, err);
	if (rc == 0) rc = write_body(work, &made, hash, err);
	if (rc == 0) rc = disk_set_times(made.fd, op->mtime_ns, mode, err);
	if (rc == 0) rc = directory_place(work, &made, err);
	directory_made_release(work, &made);
	return rc;
}

static int put_link(struct directory_op *work, struct store_hash *hash, struct err *err) {
	const struct store_op *op = work->op;
	struct directory_made made;
	char target[TARGET_MAX_BYTES];

	if (op->body_len == 0 || op->body_len >= sizeof(target) ||
		memchr(op->body, '\0', op->body_len))
		return err_set(
			err, ERR_INVALID, "the target of link '%s' cannot be stored", op->key);
	memcpy(target, op->body, op->body_len);
	target[op->body_len] = '\0';
	digest_of(DIRECTORY_DIGEST, op->body, op->body_len, hash->bytes);
	hash->kind = STORE_HASH_SHA256;
	if (op->hash.kind == STORE_HASH_SHA256 && !store_hash_equal(hash, &op->hash))
		return fail_hash(op->key, err);
	directory_made_init(&made);
	int rc = directory_make_link(work, target, op->mtime_ns, &made, err);
	if (rc == 0) rc = directory_place(work, &made, err);
	directory_made_release(work, &made);
	return rc;
}

int directory_put(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct store_hash hash = { .kind = STORE_HASH_NONE };

	int rc = op->kind == STORE_LINK ? put_link(work, &hash, err) : put_file(work, &hash, err);
	if (rc < 0) return err_wrap(err, "cannot put '%s'", op->key);
	op->entry.hash = hash;
	return 0;
}
