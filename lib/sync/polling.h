/* Inside sync: a poll; its walk of polling.c, what a list tells of polling_told.c. */
#ifndef SYNC_POLLING_H
#define SYNC_POLLING_H

#include "sync/internal.h"

enum polling_state {
	POLLING_REST,
	POLLING_LISTING,
	POLLING_ROWS,      /* what did no list tell? */
	POLLING_STRANGERS, /* first contact: all that only the remote has is to be brought */
};

struct polling {
	struct folder *folder;
	enum polling_state state;
	struct store_op op;
	bool in_flight;
	struct timer timer; /* the next one; or the next page of rows */
	bool due;           /* asked for, and not begun yet */
	bool waits;         /* the next page, until the folder is well again */
	int64_t begun, ended;
	int64_t writes; /* the folder's when it began */
	struct path_stack queue;
	char *at, *token, *key;
	uint64_t *seen; /* hashes of all that was listed */
	size_t count, cap;
	char *parent; /* of what was listed last: its folders are in `seen` */
	bool any, any_news;
	struct map touched; /* what we wrote there meanwhile: a list may be of before */
	char *after;
	struct index_rows rows;
	size_t next;
	struct index_strangers strangers;
	int64_t found;
};

/* polling_told.c. False: the index failed, and all is over. */
bool polling_good(struct folder *folder, int failed, const struct err *err);
bool polling_mark(struct polling *polling, const char *path, bool folder, int64_t size);
bool polling_listed(struct polling *polling, const struct store_entry *entry);
void polling_seen_all(struct polling *polling);
bool polling_was_seen(const struct polling *polling, const char *path, bool folder);
bool polling_is_ours_now(const struct polling *polling, const char *path);

#endif
