/* One path's way from a mark in the queue to a row in the base. Loop thread only, but for what the jobs fill in; included by internal.h. */
#ifndef SYNC_TRANSFER_H
#define SYNC_TRANSFER_H

#include "sync/folder.h"

enum transfer_state {
	TRANSFER_LOOKING,   /* job: what is there, and its bytes when it is small */
	TRANSFER_PAIRING,   /* job: what stands under the name it may have been renamed from? */
	TRANSFER_PARENT,    /* waits for the folder it lies in */
	TRANSFER_MEMORY,    /* waits for room for the body */
	TRANSFER_READING,   /* job: all of a body that fits memory */
	TRANSFER_HASHING,   /* jobs: a large file, span by span */
	TRANSFER_CAPTURING, /* job: the image of a live database */
	TRANSFER_DATABASE,  /* the image waits for the files it may name */
	TRANSFER_SUBMITTED, /* an operation waits for this turn's commit */
	TRANSFER_OPERATING, /* an operation is at the store */
	TRANSFER_RANGES,    /* spans of a large file come (bring_ranges.c) */
	TRANSFER_PARTS,     /* parts of a large file are read and sent (upload_parts.c) */
};

struct upload;
struct bring;
struct parts_match;

/* `extra` of a database's row begins with it; the hashes of parts follow (delta.c). */
struct database_base {
	struct disk_source source;
	uint8_t content[16]; /* disk_snapshot.content */
};

struct transfer {
	struct list link, wait_link, capture_link;
	struct submit submit; /* of `op` */
	struct list children; /* transfers in TRANSFER_PARENT that wait for this one (wait_link) */
	struct folder *folder;
	enum transfer_state state;
	struct index_dirty row;
	char *path;            /* row.path */
	char *key, *parent_id; /* of its folder, where the store has ids */
	char *keep_key;
	int64_t covered; /* the marks up to here are served by this capture */
	int64_t number;  /* of the folder's transfers: a barrier counts those that began after it */
	bool large;      /* it counts as one in its folder */
	bool slot, lock_inode;
	int64_t work_ms; /* when its bytes were first read or sent; 0: not yet */
	int64_t idle_ms; /* what it waited for others since */
	bool growth;     /* may commit the prefix of a file that only grows */
	bool hot;        /* it did */
	bool theirs_logged, theirs_known, theirs_ours;
	bool ours_were_below; /* something on its way, or to go, when the removal of the folder was sent */
	int64_t theirs_born_ns; /* when it took the place of what was kept, by our own hand; 0: not known */
	struct store_entry
		theirs;      /* what somebody else wrote there, while the owner mark is read */
	bool theirs_by_time; /* size and mtime are all that is known of it, and are ours */
	void (*owner_then)(struct transfer *transfer);
	struct parts_match *parts_match;
	struct clash *clash; /* is it another's name? (clash.c) */
	bool left_there;     /* with `op` on its way: a poll told that it is not there any more */
	bool intent_known;   /* the remote was asked what became of row.sending */
	bool entered_only;   /* a folder that `include` itself does not name */
	int parent_tries, change_tries;

	struct job job;
	bool job_running;
	/* Copies for the jobs, which read nothing of the folder: it keeps the disks until the transfer ended. */
	struct disk *disk, *images;
	struct disk_identity root;
	bool has_file, has_folder;
	struct index_entry file, folder_entry;
	bool base_fresh;   /* they are what the index says, unless parents were lost since */
	int64_t base_lost; /* folder->parents_lost, when they were read */

	/* what the jobs found */
	bool root_gone, root_empty;
	char **mounts;         /* on it or above it */
	const char *away;      /* one of them on which nothing is mounted */
	bool mounted;          /* it is a folder, and something is mounted on it */
	bool let_go, approved; /* this deletion may be done; a person said so */
	struct err look_err;   /* why the path could not be looked at */
	uint64_t ino, dev;     /* the loop's copy, which no job writes */
	uint64_t beside_ino,
		beside_dev; /* of the database that a look without opening found it beside; 0: none */
	bool absent;
	struct disk_stat stat;
	bool have_hash;
	enum digest_kind digest; /* of all its hashes: the store's */
	uint8_t hash[DIGEST_MAX];
	struct buf body;
	int64_t reserved;
	char *target;
	bool stat_only; /* this look opens nothing: a capture runs, and the inode is not known yet */
	bool opens;     /* this job opens a file whose inode the loop does not know */
	bool want_names;
	char **names;        /* of a folder: some of what lies in it ("x/" for a folder) */
	int sqlite;          /* the folder's, for the job */
	bool journal;        /* NAME-journal lies beside the database */
	bool database_known; /* of NAME-wal: NAME is agreed to be a database, no need to open it */
	bool database_plain; /* of NAME-wal: NAME is sent as it lies, and this with it */
	bool plain_copy;     /* no image can be had: it is sent as it lies */
	bool abandoned;      /* its folder gave up: free it when its job or operation ends */
	bool is_database,
		journal_name; /* journal_name: -wal, -shm, -journal of a database: never sent */
	struct disk_source source;
	bool have_source;
	bool image_same; /* the database is the one that is stored: only its source moved */
	bool captured;   /* snapshot holds what the base has to be compared with */
	bool wants_marker;
	struct disk_snapshot snapshot;
	char *image;          /* absolute path of a captured image; NULL */
	int64_t capture_mark; /* the sequence when the capture began */
	int64_t mtime_ns;     /* what the remote shall say */

	/* ---- the agreed path that this one was before (rename.c) ---- */
	bool origin_asked, origin_locked;
	bool origin_reads; /* only its bytes tell whether it is the same */
	char *origin, *origin_key, *origin_parent_id, *origin_version;
	struct index_entry origin_entry;
	enum pair_origin origin_state;
	enum pair_answer pair; /* MOVE or COPY: how the new name is made */

	/* ---- modes that bring things here: what the remote has by now (both.c, bring.c) ---- */
	bool has_news_file, has_news_folder;
	struct index_entry news_file, news_folder;
	bool file_gone, folder_gone; /* it was asked for by its name, and is not there */
	bool file_asked, folder_asked;
	bool conflict;       /* ours gets another name */
	char *aside_key;     /* or theirs does, over there */
	struct bring *bring; /* on its way; NULL */

	struct upload *upload; /* a large file's parts */
	bool upload_sending;   /* in pass 2 */
	bool reads_first;      /* it changed while it was read and sent, and only grew perhaps */
	bool streams;    /* it is read while it is sent: by its size it is none that is known */
	int64_t read_ns; /* when reading began, where it ends much later; 0: it took no time */
	enum plan_action action;
	struct store_op op;
	bool op_ready; /* op was initialised */
	void (*op_done)(struct transfer *transfer, const struct err *err);
};

/* transfer.c */
/* So many more large files may be at work; -1: as many as there are slots. */
int transfer_large_room(const struct folder *folder);
void transfer_large_take(struct transfer *transfer);
bool transfer_large_give(struct transfer *transfer); /* false: it did not count as one */
/* It turned out to be large, and no more may be at work: true, and the transfer is gone, its path comes with other large ones. */
bool transfer_large_waits(struct transfer *transfer);
void transfer_start(struct folder *folder, struct index_dirty *row); /* takes the row */
int64_t transfer_retry_ms(int tries);
void transfer_finish(
	struct transfer *transfer); /* the path is settled: marks served, memory freed */
void transfer_fail(
	struct transfer *transfer, const struct err *err); /* by kind: again, refused or hold */
void transfer_again(
	struct transfer *transfer, enum index_why why, const char *reason, int64_t delay_ms);
void transfer_forget(struct transfer *transfer); /* frees it; its row stays dirty */
void transfer_submit(struct transfer *transfer, bool intent,
	void (*done)(struct transfer *transfer, const struct err *err));
void submit_add(struct folder *folder, struct submit *submit);
void submit_drop(struct folder *folder, struct submit *submit); /* harmless when it is not there */
void transfer_submit_all(struct folder *folder);                /* after the commit */
bool transfer_submits_wait(const struct folder *folder); /* more will share their commit soon */
bool transfer_memory_reserve(
	struct transfer *transfer, int64_t bytes); /* false: waits in TRANSFER_MEMORY */
bool transfer_memory_more(
	struct transfer *transfer, int64_t bytes); /* only when there is plenty: never waits */
void transfer_cancel_all(struct folder *folder);
void transfer_mark_below(struct folder *folder, const char *path);
bool transfer_is_abandoned(const struct transfer *transfer);
int transfer_base_load(struct transfer *transfer, struct err *err);
bool transfer_base_is_fresh(const struct transfer *transfer);

/* decide.c */
void transfer_plan(struct transfer *transfer);
bool transfer_parent_missing(struct transfer *transfer);
/* Another folder stands at its path, `now`, than the one that was agreed, if one was. False: the index failed. */
bool transfer_folder_back(struct transfer *transfer, const struct disk_stat *now);
void upload_or_read(struct transfer *transfer); /* memory was granted: read on */
enum plan_local transfer_local_kind(const struct transfer *transfer);
enum plan_same transfer_compare(const struct transfer *transfer); /* with the base's file */
/* Links are left out, on both sides: `symlinks = skip`. */
bool transfer_skips_links(const struct folder *folder);
bool transfer_excluded(const struct folder *folder, const char *path, bool is_folder);

/* look.c */
void look_start(struct transfer *transfer);
void look_read_start(struct transfer *transfer);
bool look_wants_bytes(const struct transfer *transfer);

/* capture.c: live databases, and the rule that nobody opens an inode under capture */
bool capture_any(const struct sync *sync); /* one runs or wants to */
bool capture_runs(const struct sync *sync);
bool capture_holds(const struct transfer *transfer); /* is this inode under capture by another? */
void capture_wait(struct transfer *transfer);        /* look again when captures moved on */
void capture_moved(struct sync *sync);               /* a job that opened something ended */
bool capture_is_journal(
	const char *path, char **database); /* NAME of NAME-wal, NAME-journal, NAME-shm */
/* Does it lie beside a database that goes as its image? It is not sent itself. */
bool capture_is_side(const struct folder *f, const char *path);
void capture_start(struct transfer *transfer);
/* What the row says of the database; false: nothing, it is no row of one. */
bool capture_base(const struct index_entry *entry, struct database_base *base);
void capture_mark_journals(struct transfer *transfer);
void capture_release(struct transfer *transfer);
void transfer_wake_databases(struct folder *folder);

/* life.c: the index and what stands in it; -1: none is open. */
int folder_index_open(struct folder *folder, struct err *err);

/* kinds.c: what cannot be kept, a FIFO say, as it was seen last */
void kinds_seen(struct folder *folder, const char *path);
void kinds_not_there(
	struct folder *folder, const char *path, bool below); /* no such thing any more */
void kinds_scanned(
	struct folder *folder); /* at the end of a full scan: what it did not see is gone */

/* put.c */
void base_entry_local(
	const struct transfer *transfer, struct index_entry *entry); /* what was seen */
bool base_put(struct transfer *transfer, bool folder, struct index_entry *entry); /* false: gone */
char *base_parent_id(const struct folder *folder, const char *path);
bool base_drop(struct transfer *transfer, bool folder);
bool base_doubt(struct folder *folder, const char *path, const struct index_entry *entry);
enum store_kind base_store_kind(const struct transfer *transfer);
void act_put_start(struct transfer *transfer);
bool act_keep_settle(struct transfer *transfer, bool kept);
int64_t act_keep_born(
	const struct folder *folder, const char *keep_key); /* of what took its place */

/* intent.c */
bool intent_note(struct transfer *transfer, const uint8_t *hash);
bool intent_ask(struct transfer *transfer);
char *intent_elsewhere(const struct transfer *transfer);
/* store_op.making of a transfer's operation; of the folder's own. */
void intent_making(struct store_op *op, const char *place, bool implied, const char *id);
void intent_folder_making(struct store_op *op, const char *place, bool implied, const char *id);
/* Anybody's: `submit` starts when the id is in the index. */
void intent_making_note(struct folder *folder, const char *path, const char *place, const char *id,
	struct submit *submit);
int intent_remember(struct folder *folder, struct err *err); /* after its index was opened */

/* abandoned.c */
void abandoned_step(struct folder *folder);
bool abandoned_is_gone(const struct err *err);
void abandoned_op(struct store_op *op, const struct index_session *session, const char *text);

/* weigh.c */
int64_t flight_moved(const struct transfer *transfer); /* bytes at the remote, or from there */
void weigh_release(struct folder *folder);
/* A scan is asked for: `whole`, of all that there is, and none was under way. */
void weigh_scanned(struct folder *folder, bool whole);
/* What it found is to go, and so large. */
void weigh_told(struct folder *folder, int64_t bytes);

/* pace.c */
void pace_begin(struct transfer *transfer);
int64_t pace_after(const struct transfer *transfer);
int64_t pace_left_ms(const struct folder *folder, const char *path);
void pace_release(struct folder *folder);

/* rename.c */
bool rename_locks(const struct folder *folder, const char *path);
bool rename_moves(const struct folder *folder, const char *path);
void rename_postpone(struct folder *folder, const struct index_dirty *row); /* it is locked */
void rename_wake(struct folder *folder);
/* Is something under way, or marked up to `upto`, that may turn out to be what vanished elsewhere? */
bool rename_pending(const struct folder *folder, int64_t upto, int64_t since_ms);
bool rename_waits(struct transfer *transfer, enum index_why held);
bool rename_ask_unread(struct transfer *transfer);
bool rename_ask(struct transfer *transfer);
void rename_release(struct transfer *transfer);
bool rename_start(struct transfer *transfer); /* rename_move.c */

/* moving.c */
bool moving_step(struct folder *folder); /* in PHASE_SEALING. True: something is asked */
int moving_settle(struct folder *folder, const char *origin, const char *path, const char *version,
	struct err *err);
void moving_release(struct folder *folder);

/* act.c */
/* The last thing in the folder of `path` went, perhaps. */
void act_emptied(struct transfer *transfer, const char *path);
/* A folder that is to go, here or at the remote, waits until what lies in it is gone. */
void act_wait_for_below(struct transfer *transfer);
/* What was in the way of such a folder went, perhaps: by then that waits for longer and longer. */
void act_parent_hurry(struct transfer *transfer);
/* A folder that is agreed on and gone: what is agreed below it is looked at first. */
void act_empty_folder(struct transfer *transfer);
void act_start(struct transfer *transfer); /* transfer->action, as planned */
/* What is agreed as a file is removed, with a version kept where that is wanted; `done` as of transfer_submit. */
void act_remove_start(
	struct transfer *transfer, void (*done)(struct transfer *transfer, const struct err *err));

/* parts.c */
/* True: what stands there as "md5-N" is compared with the file, and `then` tells whether they are equal. */
bool parts_match_start(struct transfer *transfer, const struct store_entry *theirs,
	void (*then)(struct transfer *transfer, bool equal));
void parts_release(struct transfer *transfer);

/* clash.c */
/* Something stands at the remote where nothing was known to: what `op` answered of it. True: it is in `theirs` now, and the folder is
 * listed; `then`, or the name is another's: `otherwise`, NULL: it is refused. */
bool clash_ask(struct transfer *transfer, void (*then)(struct transfer *transfer),
	void (*otherwise)(struct transfer *transfer));
void clash_release(struct transfer *transfer);
/* May the remote take one of these for the other? A guess that says yes too often. */
bool clash_may_be(const struct folder *folder, const char *left, const char *right);

/* delta.c: parts of large files that need not be sent again */
/* The hashes of the parts of what `entry` says go into it: `before` is the row before, where that may know them. */
void delta_note(const struct transfer *transfer, struct index_entry *entry,
	const struct index_entry *before);
int64_t delta_copied(const struct transfer *transfer); /* bytes that were not sent */

/* urgent.c */
/* The machine may go at any moment, and smaller files are waiting: true, and the transfer is gone, its path comes after them. */
bool urgent_gives_way(struct transfer *transfer);

/* upload.c, upload_hash.c, upload_stream.c, upload_parts.c */
void upload_start(struct transfer *transfer);
void upload_release(struct transfer *transfer);
void upload_memory_granted(struct transfer *transfer);
void upload_yield(
	struct transfer *transfer); /* its parts are given up for now; what was sent stays */
bool upload_parts_cancel(struct transfer *transfer); /* false: none is on its way */
void upload_hash_start(
	struct transfer *transfer); /* pass 1 of a large file; comes back through transfer_plan */
/* Need its hash not be known before it is sent? */
bool upload_may_stream(const struct transfer *transfer);
bool upload_is_large(const struct transfer *transfer, int64_t size);
void act_put_answered(struct transfer *transfer); /* a PUT or PART_END went well */
void act_put_conditions(struct transfer *transfer);
void act_parents_lost(struct transfer *transfer);
bool act_keep_intend(struct transfer *transfer); /* false: the index failed, the transfer is gone */
void act_op_init(struct transfer *transfer, enum store_verb verb, enum store_kind kind);
/* Are the bytes at the remote to be asked for before a PUT? */
bool act_wants_theirs(const struct transfer *transfer);
void act_look_at_theirs(struct transfer *transfer);
void act_changed(struct transfer *transfer); /* the store said ERR_CHANGED: look at theirs */

#endif
