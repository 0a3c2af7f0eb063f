/*
 * A large PUT is written in place into one temporary file, so that its end is a rename. Which parts
 * are there stands in a second file beside it, a line a part, added when the part's bytes are on
 * the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "store/directory.h"

enum {
	RECORD_MAX_BYTES = 16 << 20,
	HASH_LEN = 32,
	RECEIPT_LEN = 2 * HASH_LEN, /* the part's hash in hex */
};

/* "PART_SIZE:PATH of the temporary file" */
struct session {
	int64_t part_size;
	const char *path; /* in op->session */
	char *record;
};

static int session_read(struct directory_op *work, struct session *session, struct err *err) {
	const char *text = work->op->session;
	const char *colon = strchr(text, ':');
	char *number = xstrndup(text, colon ? (size_t)(colon - text) : 0);

	memset(session, 0, sizeof(*session));
	int rc = str_to_int(number, 1, INT64_MAX / 2, &session->part_size);
	free(number);
	if (rc == 0) session->path = colon + 1;
	/* Only what we would have made: a session is read back from outside. */
	if (rc < 0 || !path_is_plain(session->path) || !disk_is_beside(path_name(session->path)))
		return err_set(err, ERR_INVALID, "not a session of this store");
	session->record = xasprintf("%s.done", session->path);
	return 0;
}

static void session_release(struct session *session) {
	free(session->record);
}

int directory_part_begin(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct directory_made made;
	struct disk_stat stat;
	int64_t room = 0;

	char *parent = path_parent(op->key);
	int rc = disk_stat(work->disk, parent, &stat, err);
	free(parent);
	if (rc < 0 || disk_free_bytes(work->disk, &room, err) < 0) return -1;
	/* Better now than after hours, on a disk that is full for everybody by then. */
	if (op->size > room)
		return err_set(err, ERR_FULL,
			"no room for '%s': %lld bytes are free; make room on this disk", op->key,
			(long long)room);
	directory_made_init(&made);
	if (directory_make_file(work, "parts", &made, err) < 0) return -1;
	int64_t part_size = op->part_size > 0 ? op->part_size : DIRECTORY_PART_BYTES;
	op->answer_session = xasprintf("%lld:%s", (long long)part_size, made.path);
	close(made.fd);
	free(made.path);
	return 0;
}

static int write_part(struct directory_op *work, int fd, const struct session *session,
	uint8_t *hash, struct err *err) {
	const struct store_op *op = work->op;
	int64_t to = (int64_t)(op->part_number - 1) * session->part_size;
	struct digest digest;

	if (op->fd < 0) {
		digest_of(DIRECTORY_DIGEST, op->body, op->body_len, hash);
		return disk_write_span(fd, to, op->body, op->body_len, err);
	}
	digest_init(&digest, DIRECTORY_DIGEST);
	int rc = disk_copy_hash_span(op->fd, op->offset, fd, to, op->length, &digest, err);
	if (rc == 0) digest_end(&digest, hash);
	digest_release(&digest);
	return rc;
}

int directory_part_put(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	int64_t length = op->fd < 0 ? (int64_t)op->body_len : op->length;
	struct session session;
	uint8_t hash[DIGEST_MAX];
	char receipt[RECEIPT_LEN + 1], line[128];
	int rc = -1;

	if (session_read(work, &session, err) < 0) return -1;
	if (op->part_number < 1 || length > session.part_size) {
		session_release(&session);
		return err_set(err, ERR_INVALID, "part %d does not fit", op->part_number);
	}
	int fd = disk_open_write(work->disk, session.path, err);
	if (fd < 0) goto release;
	if (write_part(work, fd, &session, hash, err) < 0) goto close;
	if (op->hash.kind == STORE_HASH_SHA256 && memcmp(hash, op->hash.bytes, HASH_LEN) != 0) {
		err_set(err, ERR_CHANGED, "part %d is not what its hash says", op->part_number);
		goto close;
	}
	/* Before the line that says it is there: a power cut must not leave the line alone. */
	if (disk_sync_bytes(fd, err) < 0) goto close;
	hex_encode(hash, HASH_LEN, receipt);
	snprintf(line, sizeof(line), "%d %lld %s\n", op->part_number, (long long)length, receipt);
	rc = disk_append(work->disk, session.record, line, err);
	if (rc == 0) op->receipt = xstrdup(receipt);
close:
	close(fd);
release:
	session_release(&session);
	return rc;
}

static void add_part(struct store_op *op, char *line) {
	char *rest, *words[3];
	int64_t number, size;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		words[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (!words[i]) return; /* the last line may be half of one */
	}
	const char *receipt = words[2];
	if (str_to_int(words[0], 1, INT32_MAX, &number) < 0) return;
	if (str_to_int(words[1], 0, INT64_MAX, &size) < 0) return;
	if (strlen(receipt) != RECEIPT_LEN || strspn(receipt, "0123456789abcdef") != RECEIPT_LEN)
		return;
	for (size_t i = 0; i < op->answer_part_count; i++) {
		struct store_part *part = &op->answer_parts[i];
		if (part->number != number) continue;
		/* Sent again: the later one counts. */
		free(part->receipt);
		part->receipt = xstrdup(receipt);
		part->size = size;
		return;
	}
	store_part_add(op, (int)number, size, receipt);
}

/* Into op->answer_parts. */
static int read_record(struct directory_op *work, const struct session *session, struct err *err) {
	struct disk_stat stat;
	struct buf record;
	char *rest, *line, *at;

	if (disk_stat(work->disk, session->path, &stat, err) < 0) return -1;
	buf_init(&record, 0);
	int rc = disk_read(work->disk, session->record, RECORD_MAX_BYTES, &record, DIRECTORY_DIGEST,
		NULL, &stat, err);
	if (rc < 0 && err->kind == ERR_NOT_FOUND) rc = 0; /* none yet */
	for (at = record.at; rc == 0 && record.len > 0; at = NULL) {
		line = strtok_r(at, "\n", &rest);
		if (!line) break;
		add_part(work->op, line);
	}
	buf_release(&record);
	return rc;
}

int directory_part_query(struct directory_op *work, struct err *err) {
	struct session session;

	if (session_read(work, &session, err) < 0) return -1;
	int rc = read_record(work, &session, err);
	session_release(&session);
	return rc;
}

static const struct store_part *find_part(const struct store_op *op, int number) {
	for (size_t i = 0; i < op->answer_part_count; i++)
		if (op->answer_parts[i].number == number) return &op->answer_parts[i];
	return NULL;
}

/* Are the parts that the caller counts on those that are there, without a hole? */
static int check_parts(
	struct directory_op *work, const struct session *session, int64_t *size, struct err *err) {
	const struct store_op *op = work->op;

	*size = 0;
	for (size_t i = 0; i < op->part_count; i++) {
		const struct store_part *asked = &op->parts[i];
		const struct store_part *there = find_part(op, asked->number);
		bool last = i + 1 == op->part_count;
		if (asked->number != (int)i + 1 || !there ||
			!str_equal(asked->receipt, there->receipt) ||
			(!last && there->size != session->part_size))
			return err_set(err, ERR_INVALID, "part %d of '%s' is not there", (int)i + 1,
				op->key);
		*size += there->size;
	}
	return 0;
}

static void forget(struct directory_op *work, const struct session *session) {
	struct err ignored;

	disk_remove(work->disk, session->path, &ignored);
	disk_remove(work->disk, session->record, &ignored);
}

/* The session is gone: by the end that an earlier try made of it? */
static int meet_own_end(struct directory_op *work, struct err *err) {
	struct store_op *op = work->op;
	struct disk_stat stat;

	int there = directory_look(work, op->key, &stat, err);
	if (there < 0) return -1;
	if (!there || stat.kind != DISK_FILE || stat.size != op->size ||
		(op->mtime_ns != STORE_MTIME_UNKNOWN && op->mtime_ns != stat.mtime_ns) ||
		op->hash.kind != STORE_HASH_SHA256)
		return err_set(err, ERR_NOT_FOUND, "the upload of '%s' is not known", op->key);
	directory_entry(&op->entry, &stat);
	if (directory_hash(work, op->key, &stat, err) < 0) return -1;
	if (!store_hash_equal(&op->hash, &op->entry.hash))
		return err_set(err, ERR_NOT_FOUND, "the upload of '%s' is not known", op->key);
	directory_kept_before(work);
	return 0;
}

static int end_upload(struct directory_op *work, const struct session *session, struct err *err) {
	struct store_op *op = work->op;
	struct directory_made made;
	struct disk_stat stat;
	int64_t size;
	int mode = op->mode == STORE_MODE_UNKNOWN ? 0644 : op->mode & 0777;

	if (check_parts(work, session, &size, err) < 0) return -1;
	made.fd = disk_open_write(work->disk, session->path, err);
	if (made.fd < 0) return -1;
	made.path = xstrdup(session->path);
	int rc = disk_stat_open(made.fd, &stat, err);
	if (rc == 0 && (stat.size != size || (op->size > 0 && op->size != size)))
		rc = err_set(err, ERR_CHANGED, "the parts of '%s' are %lld bytes in all", op->key,
			(long long)size);
	if (rc == 0) rc = disk_set_times(made.fd, op->mtime_ns, mode, err);
	if (rc == 0) rc = directory_place(work, &made, err);
	/* After an error the session stands: its parts can still be asked for, and ended. */
	close(made.fd);
	free(made.path);
	if (rc < 0) return -1;
	if (op->hash.kind == STORE_HASH_SHA256) op->entry.hash = op->hash;
	forget(work, session);
	return 0;
}

int directory_part_end(struct directory_op *work, struct err *err) {
	struct session session;

	if (session_read(work, &session, err) < 0) return -1;
	int rc = read_record(work, &session, err);
	if (rc < 0 && err->kind == ERR_NOT_FOUND) {
		rc = meet_own_end(work, err);
	} else if (rc == 0) {
		rc = end_upload(work, &session, err);
	}
	session_release(&session);
	return rc;
}

int directory_part_abort(struct directory_op *work, struct err *err) {
	struct session session;

	if (session_read(work, &session, err) < 0) return -1;
	forget(work, &session);
	session_release(&session);
	return 0;
}
