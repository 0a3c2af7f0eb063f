#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "store/directory.h"

enum { PAGE_ENTRIES = 8192, TARGET_MAX_BYTES = 4096 };

char *directory_version(const struct disk_stat *stat) {
	if (stat->kind == DISK_FOLDER) return NULL;
	/* ctime, which nobody can set back, tells a change that kept size and mtime. */
	const int64_t parts[] = { (int64_t)stat->ino, stat->size, stat->mtime_ns, stat->ctime_ns };
	char text[sizeof(parts) / sizeof(*parts) * 21], *to = text;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (i > 0) *to++ = '-';
		to = str_put_int(to, parts[i]);
	}
	return xstrndup(text, (size_t)(to - text));
}

void directory_entry(struct store_entry *entry, const struct disk_stat *stat) {
	static const enum store_kind kinds[] = {
		[DISK_FILE] = STORE_FILE,
		[DISK_FOLDER] = STORE_FOLDER,
		[DISK_LINK] = STORE_LINK,
		[DISK_OTHER] = STORE_OTHER,
	};

	store_entry_release(entry);
	entry->kind = kinds[stat->kind];
	entry->size = stat->kind == DISK_FOLDER ? 0 : stat->size;
	entry->mtime_ns = stat->mtime_ns;
	/* A link's own bits mean nothing. */
	if (stat->kind != DISK_LINK) entry->mode = stat->mode & 0777;
	entry->version = directory_version(stat);
}

int directory_look(
	struct directory_op *work, const char *key, struct disk_stat *stat, struct err *err) {
	struct err why = { 0 };

	if (disk_stat(work->disk, key, stat, &why) == 0) return 1;
	if (why.kind == ERR_NOT_FOUND && why.sys != ELOOP) return 0;
	*err = why;
	return -1;
}

int directory_answer(struct directory_op *work, const char *path, struct err *err) {
	struct disk_stat stat;

	if (disk_stat(work->disk, path, &stat, err) < 0) return -1;
	work->dev = stat.dev;
	directory_entry(&work->op->entry, &stat);
	return 0;
}

int directory_fail_folder(const char *key, struct err *err) {
	return err_set(err, ERR_INVALID, "a folder stands at '%s' in the remote folder", key);
}

int directory_fail_changed(const char *key, struct err *err) {
	return err_set(
		err, ERR_CHANGED, "'%s' in the remote folder was changed by somebody else", key);
}

static int hash_file(
	struct directory_op *work, const char *path, struct store_hash *hash, struct err *err) {
	struct digest digest;
	struct disk_stat stat;
	int64_t done;

	int fd = disk_open_file(work->disk, path, &stat, err);
	if (fd < 0) return -1;
	digest_init(&digest, DIRECTORY_DIGEST);
	int rc = disk_hash_span(work->disk, fd, 0, INT64_MAX, &digest, NULL, &done, err);
	if (rc == 0) digest_end(&digest, hash->bytes);
	digest_release(&digest);
	close(fd);
	return rc;
}

int directory_hash(struct directory_op *work, const char *path, const struct disk_stat *stat,
	struct err *err) {
	struct store_hash *hash = &work->op->entry.hash;
	struct buf target;
	int rc = 0;

	if (stat->kind == DISK_FILE) {
		rc = hash_file(work, path, hash, err);
	} else if (stat->kind == DISK_LINK) {
		buf_init(&target, TARGET_MAX_BYTES);
		rc = disk_read_link(work->disk, path, &target, err);
		digest_of(DIRECTORY_DIGEST, target.at, target.len, hash->bytes);
		buf_release(&target);
	} else {
		return 0;
	}
	if (rc == 0) hash->kind = STORE_HASH_SHA256;
	return rc;
}

/* ---- the verbs ---- */

static bool is_ours(const struct directory_op *work, const struct disk_item *item) {
	if (disk_is_beside(item->name)) return true;
	return *work->op->key == '\0' && str_equal(item->name, DIRECTORY_OWN);
}

int directory_list(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	size_t limit = op->limit > 0 ? (size_t)op->limit : PAGE_ENTRIES;
	struct disk_list list;
	int rc = -1;

	if (op->recursive)
		return err_set(err, ERR_INVALID, "a directory store lists folder by folder");
	if (disk_list_after(work->disk, op->key, op->page_token, limit, &list, err) < 0) return -1;
	for (size_t i = 0; i < list.count; i++) {
		const struct disk_item *item = &list.items[i];
		struct store_entry entry = { 0 };
		if (is_ours(work, item)) continue;
		if (item->err.kind != ERR_NONE) {
			/* With one entry unknown it would be a partial listing. */
			*err = item->err;
			goto release;
		}
		directory_entry(&entry, &item->stat);
		entry.name = xstrdup(item->name);
		store_entry_add(op, entry);
	}
	if (list.more && list.count > 0) {
		const struct disk_item *last = &list.items[list.count - 1];
		op->next_token =
			xasprintf("%s%s", last->name, last->stat.kind == DISK_FOLDER ? "/" : "");
	}
	op->complete = op->next_token == NULL;
	rc = 0;
release:
	disk_list_release(&list);
	return rc;
}

static int answer_target(struct directory_op *work, struct err *err) {
	struct buf target;

	buf_init(&target, TARGET_MAX_BYTES);
	int rc = disk_read_link(work->disk, work->op->key, &target, err);
	if (rc == 0) work->op->entry.target = buf_steal(&target);
	buf_release(&target);
	return rc;
}

int directory_stat(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;

	if (disk_stat(work->disk, op->key, &stat, err) < 0) return -1;
	directory_entry(&op->entry, &stat);
	if (stat.kind == DISK_LINK && answer_target(work, err) < 0) return -1;
	return op->want_hash ? directory_hash(work, op->key, &stat, err) : 0;
}

static int get_link(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;

	if (disk_stat(work->disk, op->key, &stat, err) < 0) return -1;
	if (op->if_version && !directory_is_version(work, &stat))
		return directory_fail_changed(op->key, err);
	if (disk_read_link(work->disk, op->key, &op->answer_body, err) < 0) return -1;
	directory_entry(&op->entry, &stat);
	return 0;
}

static int read_span(struct directory_op *work, int fd, int64_t size, struct err *err) {
	struct store_op *op = work->op;
	int64_t from = op->offset < size ? op->offset : size, length = size - from;

	if (op->length > 0 && op->length < length) length = op->length;
	if (length > STORE_SPAN_MAX)
		return err_set(err, ERR_INVALID, "a span of '%s' is too long", op->key);
	char *bytes = xmalloc((size_t)length + 1);
	int rc = disk_read_span(work->disk, fd, from, (size_t)length, bytes, err);
	if (rc == 0) buf_add(&op->answer_body, bytes, (size_t)length);
	free(bytes);
	return rc;
}

int directory_get(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat, after;
	int rc = -1;

	if (op->kind == STORE_LINK) return get_link(work, err);
	/* Open, so that a replacement by rename does not mix two contents. */
	int fd = disk_open_file(work->disk, op->key, &stat, err);
	if (fd < 0) return -1;
	if (op->if_version && !directory_is_version(work, &stat)) {
		directory_fail_changed(op->key, err);
	} else if (read_span(work, fd, stat.size, err) == 0 &&
		   disk_stat_open(fd, &after, err) == 0) {
		directory_entry(&op->entry, &stat);
		/* ctime may move: PUT links what it replaces. */
		rc = after.mtime_ns == stat.mtime_ns && after.size == stat.size
			     ? 0
			     : directory_fail_changed(op->key, err);
	}
	close(fd);
	return rc;
}

/* The time of whoever keeps the files, which on a network's disk is another machine: that of a file
 * just written. Where nothing of ours stands yet, nothing is written only to ask. */
static int64_t server_time(struct directory_op *work) {
	struct directory_made made;
	struct disk_stat stat;
	struct err ignored;
	int64_t now_ns = 0;

	if (disk_stat(work->disk, DIRECTORY_OWN, &stat, &ignored) < 0) return 0;
	directory_made_init(&made);
	if (directory_make_file(work, "clock", &made, &ignored) == 0 &&
		disk_write_span(made.fd, 0, "", 1, &ignored) == 0 &&
		disk_stat_open(made.fd, &stat, &ignored) == 0)
		now_ns = stat.mtime_ns;
	directory_made_release(work, &made);
	return now_ns;
}

int directory_about(struct directory_op *work, struct err *err) {
	struct store_about *about = &work->op->about;

	if (disk_check_writable(work->disk, err) < 0) return -1;
	about->conditions = about->conditions_known = true;
	about->server_ns = server_time(work);
	return disk_free_bytes(work->disk, &about->free_bytes, err);
}
