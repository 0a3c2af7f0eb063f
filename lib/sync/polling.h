/* Inside sync: a poll; its walk of polling.c, what spares it of polling_ask.c, what outlives it of polling_token.c, what a list tells of polling_told.c. */
#ifndef SYNC_POLLING_H
#define SYNC_POLLING_H

#include "sync/internal.h"

enum polling_state {
	POLLING_REST,
	POLLING_ASKING, /* polling_ask.c: has anything changed at all? */
	POLLING_LISTING,
	POLLING_ROWS,      /* what did no list tell? */
	POLLING_STRANGERS, /* first contact: all that only the remote has is to be brought */
};

/* The version of a folder when all below it was compared, by hashes. */
struct polling_known {
	uint64_t path, version;
};
struct polling_versions {
	struct polling_known *at;
	size_t count, cap;
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
	char **moved;       /* folders that we moved meanwhile, both names: the same of all below */
	char *after;
	struct index_rows rows;
	size_t next;
	struct index_strangers strangers;
	int64_t found;

	/* ---- polling_ask.c ---- */
	bool whole, whole_now; /* the next one, or this one, goes by nothing that is known */
	bool again;            /* something was left out: the next one compares all */
	int64_t gone;          /* so many files were told to be */
	char *changes;         /* where CHANGES goes on from; NULL: all is to be compared */
	char *changes_next;    /* the same, when this walk is through */
	char *root_version; /* of the folder itself, when all below it was compared; NULL: not known */
	char *root_next;    /* the same, when this walk is through */
	char **above;       /* ids: of the remote's root, and so on down to the folder itself */
	struct polling_versions known, fresh; /* known: sorted by path */
	struct map skipped; /* folders that this walk did not go into: nothing moved below them */
};

/* polling.c */
bool polling_may_go_on(const struct folder *folder);
void polling_rest(struct polling *polling, int64_t wait_ms); /* it is broken off */
void polling_ended(struct polling *polling);
void polling_list(struct polling *polling); /* all there is */
/* What is agreed, or known, is not there any more, it seems. False: as below. */
bool polling_missing(struct polling *polling, const char *path, const struct index_entry *row);

/* polling_ask.c */
void polling_ask(struct polling *polling); /* goes on to polling_list, or is all of the poll */
/* A folder as it is listed: it will be gone into. */
void polling_note(struct polling *polling, const char *path, const char *version);
/* Nothing moved below it since that was compared. */
bool polling_knows(const struct polling *polling, const char *path, const char *version);
/* All of it went well. False: the index failed. */
bool polling_remember(struct polling *polling);
void polling_forget(struct polling *polling); /* whatever is known over more than one */
void polling_ask_release(struct polling *polling);

/* polling_token.c. False: the index failed. */
bool polling_token_keep(struct polling *polling);
bool polling_token_drop(struct polling *polling); /* the next start compares all */
/* Goes on from what an earlier one knew. False: from nothing. */
bool polling_token_take(struct polling *polling);
/* For the rules to be read, before which nobody knows whether it holds. */
bool polling_token_waits(const struct polling *polling);

/* polling_told.c. False: the index failed, and all is over. */
bool polling_good(struct folder *folder, int failed, const struct err *err);
bool polling_mark(struct polling *polling, const char *path, bool folder, int64_t size);
bool polling_told(struct polling *polling, const char *path, const struct store_entry *entry);
bool polling_listed(struct polling *polling, const struct store_entry *entry);
void polling_seen_all(struct polling *polling);
bool polling_was_seen(const struct polling *polling, const char *path, bool folder);
bool polling_is_ours_now(const struct polling *polling, const char *path);

#endif
