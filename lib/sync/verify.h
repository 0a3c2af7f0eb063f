/* Inside sync: a full compare of the remote with the base; the walk of verify.c, one path of verify_path.c. */
#ifndef SYNC_VERIFY_H
#define SYNC_VERIFY_H

#include "sync/internal.h"

enum verify_state {
	VERIFY_REST,
	VERIFY_POLLING, /* where things come here: a poll compares the lists */
	VERIFY_OWNER,
	VERIFY_LISTING,
	VERIFY_ASKING,
	VERIFY_ROWS,
	VERIFY_READING
};

struct verify {
	struct folder *folder;
	enum verify_state state;
	struct store_op op;
	bool in_flight;
	void (*op_done)(struct verify *v, const struct err *err);
	struct timer timer;
	char *key;
	bool read_all;

	/* the folder that is being compared */
	struct path_stack queue;
	char *at, *token;
	uint64_t *seen; /* hashes of what was listed in it, sorted when it is through */
	size_t seen_count, seen_cap;
	bool any;       /* something is at the remote at all */
	int64_t writes; /* the folder's when it began */
	struct path_stack suspects;
	char *after; /* the place in the base's rows of it */
	struct index_rows rows;
	size_t next;

	/* one path that is asked for, or read */
	char *path;
	bool is_folder, is_link;
	struct index_entry row;
	struct digest digest;
	int64_t offset;

	int64_t owner_ms; /* when the owner's mark was read last */
	void (*owner_then)(struct verify *v);

	int64_t poll; /* its number */

	int64_t compared, read, missing, changed;
	int64_t news;       /* found by the poll */
	int64_t unread;     /* whose bytes nobody here had read before */
	struct err trouble; /* why the last run did not come to its end */
};

/* ---- verify.c ---- */

/* The next thing to compare. Every completion comes back to here. */
void verify_go_on(struct verify *v);
void verify_give_up(struct verify *v, const struct err *err); /* for now */
/* An operation on `path`, for store_start. */
void verify_op_init(struct verify *v, enum store_verb verb, enum store_kind kind, const char *path,
	void (*done)(struct verify *v, const struct err *err));

/* Is the remote still ours? `then` follows if it is, at once when that was asked a moment ago; else
 * the folder stops. */
void verify_owner(struct verify *v, void (*then)(struct verify *v));

/* ---- verify_path.c ---- */

/* It is on its way anyway: what stands at the remote is about to change. */
bool verify_is_under_way(struct folder *f, const char *path);
bool verify_index_good(struct verify *v, int failed, const struct err *err);
/* Is it missing, or another than was stored? Takes the path. */
void verify_ask(struct verify *v, char *path, bool is_folder, enum index_kind kind);
/* Reads back a file; takes path and row. */
void verify_read(struct verify *v, char *path, struct index_row *row);
void verify_path_end(struct verify *v);

#endif
