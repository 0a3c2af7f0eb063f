#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* What is many: the names of a folder, and the files whose bytes must reach the server's disk. */

enum { PAGE_ENTRIES = 32768, READ_AHEAD = 4 };

static int compare(const void *left, const void *right) {
	return strcmp(((const struct store_entry *)left)->name,
		((const struct store_entry *)right)->name);
}

/* The first `list_limit` by name stay: a server has no pages, so each reads all of the names, and
 * holds two pages of them at most. */
static void cut(struct sftp_op *x) {
	struct store_op *op = x->op;

	if (op->entry_count <= x->list_limit) return;
	qsort(op->entries, op->entry_count, sizeof(*op->entries), compare);
	for (size_t i = x->list_limit; i < op->entry_count; i++)
		store_entry_release(&op->entries[i]);
	op->entry_count = x->list_limit;
	x->list_more = true;
}

static bool is_dots(const struct sftp_bytes *name) {
	return name->len <= 2 && name->at[0] == '.' && (name->len == 1 || name->at[1] == '.');
}

/* What no file system has: somebody wants us to look elsewhere. */
static bool is_name(const struct sftp_bytes *name) {
	return name->len > 0 && !memchr(name->at, '/', name->len) &&
	       !memchr(name->at, '\0', name->len);
}

static int add(struct sftp_op *x, const struct sftp_bytes *name, const struct sftp_attrs *attrs) {
	struct store_op *op = x->op;
	struct store_entry entry = { .mtime_ns = STORE_MTIME_UNKNOWN, .mode = STORE_MODE_UNKNOWN };

	if (!is_name(name) || !attrs->has_mode || !attrs->has_size || attrs->size > INT64_MAX)
		return -1;
	if (is_dots(name)) return 0;
	char *copy = xstrndup(name->at, name->len);
	if ((*op->key == '\0' && str_equal(copy, SFTP_OWN)) ||
		(op->page_token && strcmp(copy, op->page_token) <= 0)) {
		free(copy);
		return 0;
	}
	/* The sort of cut() counts on it that an entry added later may come anywhere. */
	sftp_entry(&entry, attrs);
	entry.name = copy;
	store_entry_add(op, entry);
	if (op->entry_count >= 2 * x->list_limit) cut(x);
	return 0;
}

static void take_names(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_bytes name;
	struct sftp_attrs attrs;
	int rc;

	if (request->type != SFTP_READDIR) return;
	if (answer->type == SFTP_STATUS) {
		if (answer->code == SFTP_EOF)
			x->list_ended = true;
		else if (!sftp_has_failed(x))
			sftp_fail_code(x, answer->code, "cannot list '%s'", x->op->key);
		return;
	}
	while ((rc = sftp_next_name(answer, &name, &attrs)) > 0)
		if (add(x, &name, &attrs) < 0) break;
	/* With one entry unknown it would be a partial listing. */
	if (rc != 0) sftp_fail(x, ERR_CORRUPT, "the list of '%s' makes no sense", x->op->key);
	if (!x->list_ended && !sftp_has_failed(x)) sftp_ask_handle(x, 1, SFTP_READDIR, 0);
}

void sftp_list(struct sftp_op *x) {
	enum { OPEN, OPENED, READ };
	struct store_op *op = x->op;

	switch (x->state) {
	case OPEN:
		if (op->recursive) {
			sftp_fail(
				x, ERR_INVALID, "a remote of type sftp is listed folder by folder");
			break;
		}
		x->list_limit = op->limit > 0 ? (size_t)op->limit : PAGE_ENTRIES;
		x->state = OPENED;
		/* A link is not followed, which OPENDIR would do. */
		sftp_ask(x, 1, *op->key ? SFTP_LSTAT : SFTP_STAT, op->key);
		sftp_ask(x, 0, SFTP_OPENDIR, op->key);
		return;
	case OPENED: {
		int there = sftp_seen(x, 1, op->key, &x->present);
		if (there == 0 || (there > 0 && sftp_kind(&x->present) != STORE_FOLDER))
			sftp_fail(x, ERR_NOT_FOUND, "the folder '%s' is not there", op->key);
		else if (there > 0 && x->results[0].code != SFTP_OK)
			sftp_fail_code(x, x->results[0].code, "cannot list '%s'", op->key);
		if (sftp_has_failed(x)) break;
		x->state = READ;
		x->take = take_names;
		for (int i = 0; i < READ_AHEAD; i++) sftp_ask_handle(x, 1, SFTP_READDIR, 0);
		return;
	}
	default:
		if (sftp_has_failed(x)) break;
		cut(x);
		if (x->list_more && op->entry_count > 0)
			op->next_token = xstrdup(op->entries[op->entry_count - 1].name);
		op->complete = op->next_token == NULL;
	}
	sftp_finish(x);
}

/* ---- SYNC ---- */

void sftp_note_unsynced(struct sftp *sftp, const char *key) {
	if (sftp->unsynced_count < SFTP_UNSYNCED_MAX)
		sftp->unsynced[sftp->unsynced_count++] = xstrdup(key);
}

/* So many at once as there are handles. */
static size_t batch_of(const struct sftp_op *x) {
	size_t left = strv_count(x->keys) - x->key_at;

	return left < SFTP_HANDLES ? left : SFTP_HANDLES;
}

/* What was not synced stays to be. */
static void give_back(struct sftp_op *x) {
	for (char **key = x->keys; key && *key; key++) sftp_note_unsynced(x->sftp, *key);
}

void sftp_sync(struct sftp_op *x) {
	enum { CLEAN, BEGIN, OPEN, OPENED, SYNCED };
	struct sftp *sftp = x->sftp;
	size_t count;

	switch (x->state) {
	case CLEAN:
		x->state = BEGIN;
		if (!sftp->cleaned) {
			sftp->cleaned = true;
			sftp_call(x, sftp_clean);
			return;
		}
		/* fallthrough */
	case BEGIN:
		err_clear(&x->err); /* what is left over hurts nobody */
		if (!x->session->has.fsync || sftp->unsynced_count == 0) break;
		x->keys = xcalloc(sftp->unsynced_count + 1, sizeof(*x->keys));
		memcpy(x->keys, sftp->unsynced, sftp->unsynced_count * sizeof(*x->keys));
		sftp->unsynced_count = 0;
		/* fallthrough */
	case OPEN:
		count = batch_of(x);
		if (count == 0) break;
		for (size_t i = 0; i < count; i++)
			sftp_ask_open(x, (int)i, x->keys[x->key_at + i], SFTP_FOR_READ, -1);
		x->state = OPENED;
		return;
	case OPENED:
		count = batch_of(x);
		x->state = SYNCED;
		for (size_t i = 0; i < count; i++) {
			/* What is gone since was removed or moved by an operation, or another. */
			if (!x->handles[i].open) continue;
			sftp_ask_fsync(x, (int)i, (int)i);
			sftp_close(x, (int)i);
		}
		if (x->pending > 0) return;
		/* fallthrough */
	default:
		count = batch_of(x);
		for (size_t i = 0; i < count && !sftp_has_failed(x); i++)
			if (x->results[i].code != SFTP_OK &&
				x->results[i].code != SFTP_NO_SUCH_FILE &&
				x->results[i].code != SFTP_PERMISSION_DENIED)
				sftp_fail_code(x, x->results[i].code, "cannot sync '%s'",
					x->keys[x->key_at + i]);
		if (sftp_has_failed(x)) {
			give_back(x);
			break;
		}
		x->key_at += count;
		x->state = OPEN;
		x->step(x);
		return;
	}
	sftp_finish(x);
}
