/* Inside sync: the gathering of past.c, the walk of past_walk.c. */
#ifndef SYNC_PAST_H
#define SYNC_PAST_H

#include "sync/internal.h"
#include "sync/version.h"

/* A row of the scratch index that only old versions speak of: nothing stands there now. Beside the index's own flags. */
enum { PAST_GONE = 1 << 8 };

enum past_state { PAST_CURRENT, PAST_MARKERS, PAST_VERSIONS, PAST_REVISIONS, PAST_READY };

/* The names of what the store keeps by itself: this, "d" where a deletion ended it or "r", ":", and the store's own name. */
#define PAST_REVISION_PREFIX "revision:"

/* One folder of the walk. */
struct past_frame {
	char *folder, *after;
	struct index_rows rows;
	size_t at;
	bool told;  /* it was an answer already, or need not be one */
	bool gone;  /* only old versions lie in it */
	bool empty; /* nothing was met in it */
	bool way; /* on the way to the path that was asked for: what else lies in it is not told */
	int mode;
	int64_t mtime_ns;
};

struct past;
typedef int past_op_done(struct past *past, const struct err *err, struct err *failed);

struct past {
	struct list link; /* in folder->pasts, until it is ready */
	struct loop *loop;
	struct store *store;
	struct folder *folder;
	char *remote_key, *path, *scratch;
	int64_t at_ns;
	bool recursive, way, versions_of, shallow;
	void (*done)(struct past *past, void *user, const struct err *err);
	void *user;

	enum past_state state;
	bool cancelled;
	struct index *work;
	bool borrowed;       /* `work` is the folder's own index */
	struct index *known; /* of options->index_path; NULL: none */
	struct store_op op;
	bool in_flight;
	past_op_done *op_done;
	struct path_stack queue;
	struct path_stack marked;  /* folders whose markers alone tell the mode */
	struct path_stack written; /* where store->revisions_each: files that were written since */
	struct path_stack bereft;  /* there, too: folders that something may have gone from */
	char *at, *token, *key;

	/* The revision before, which is the newer one of the same path. */
	char *newer_path;
	int64_t newer_ns;
	bool newer_gone;

	/* ---- the walk ---- */
	bool walking, path_told;
	struct past_frame *frames;
	size_t depth, room;
	char *item_path, *item_version;
	struct index_entry
		*row; /* of the item that was told last, until the next is; NULL: it has none */
	struct index_versions versions; /* of past_next_version */
	size_t next_version;
};

void past_walk_release(struct past *past);

/* ---- past.c ---- */

void past_finish(struct past *past, const struct err *err);
/* `done` gets the answer: 0 when it has gone on, -1 with `failed`. */
void past_op_start(struct past *past, enum store_verb verb, enum store_kind kind, const char *key,
	past_op_done *done);
/* The folders above, where nobody listed them. */
int past_parents_put(struct past *past, const char *path, unsigned flags, struct err *err);

/* ---- for a pull ---- */

/* What stands there now, by what the index of options->folder was told a moment ago: no list. Of the folders `marked` (taken), the
 * markers are asked for their modes first: `done` comes as of past_start, unless it is ready at once. */
struct past *past_known(const struct past_options *options, struct path_stack *marked,
	void (*done)(struct past *past, void *user, const struct err *err), void *user);
bool past_is_ready(const struct past *past);
/* The row of what past_next told last: the caller's. False: not known. */
bool past_take_row(struct past *past, struct index_entry *row);

/* ---- past_revisions.c ---- */

/* Something may have gone from this folder, which stands there. */
void past_bereft(struct past *p, const char *folder);

void past_revisions_next(
	struct past *past); /* the next page, of the next file; then it has finished */

#endif
