/* What the files of sync share. Nobody outside lib/sync includes this. */
#ifndef SYNC_INTERNAL_H
#define SYNC_INTERNAL_H

#include "disk/disk.h"
#include "index/index.h"
#include "sync/brake_rule.h"
#include "sync/ignore.h"
#include "sync/pace.h"
#include "sync/pair.h"
#include "sync/plan.h"
#include "sync/sync.h"
#include "watch/watch.h"

enum {
	INLINE_MAX = 64 << 10,  /* bytes: read in the same job that looks */
	DELETE_QUIET_MS = 2000, /* SYNC.md §8: deletions wait, so that renames can pair */
	DELETE_PATIENCE_MS = 30000,
	SYNC_QUIET_MS = 5000, /* SYNC.md §3: the store's SYNC after the last write */
	HOLD_FIRST_MS = 2000, /* a store that refuses: first wait, doubled up to HOLD_MAX_MS */
	HOLD_MAX_MS = 60000,
	HOLD_ASKED_MAX_MS = 600000, /* what a server may ask for beyond that */
	REFUSED_FIRST_MS = 2000,    /* a path that cannot be stored or read: back-off to an hour */
	REFUSED_MAX_MS = 3600000,
	DATABASE_PATIENCE_MS =
		600000, /* a database waits so long for the files it names (SYNC.md §6) */
	RACY_NS = 2000000000,
	FIRST_ATTEMPT_MS =
		60000, /* a folder that reaches nothing for so long counts as failed (SERVICES.md §3) */
	WAL_CHECKPOINT_BYTES = 8 << 20,
	REASONS_MAX = 100,
	DOUBT_EVERY_MS = 10000,
	COMMIT_MS = 50,
	PRUNE_AFTER_MS = 600000, /* SYNC.md §8: never in the first ten minutes of a run */
	PRUNE_EVERY_MS = 3600000,
	COMPANY_MS = 5, /* what costs a commit waits so long for others to share it */
	PAIR_WAIT_MS = 1000,
	EMPTIED_POLL_MS =
		200, /* a folder that goes looks so often whether what lay in it is gone */
};

/* The epoch of a row that an earlier run could not seal: the remote is asked before it is believed. */
#define EPOCH_ASK INT64_MAX

/* Priorities of marks: folders before what lies in them, small files before large ones. */
enum { PRIO_FOLDER, PRIO_SMALL, PRIO_LARGE };

/* ---- what all folders share ---- */

struct sync {
	struct loop *loop;
	const struct sync_ground *ground; /* NULL: the system's */
	struct unit_graph *graph;
	char *state_dir;
	char *machine_id;
	int max_transfers;
	int in_flight;
	int64_t buffer_limit, buffer_used;
	struct list folders;
	struct list memory_waiters; /* struct transfer.wait_link */
	struct list
		captures; /* struct transfer.capture_link: inodes that nobody else may open (trap 4) */
	struct list
		capture_waiters; /* transfers that want to capture, or to open what is captured */
	uint64_t next_image;
	int64_t prune_after_ms, prune_every_ms;
	void (*changed)(void *user, struct folder *folder);
	void *changed_user;
	struct disk *images;
};

/* Paths still to be visited, last in first out. */
struct path_stack {
	char **at;
	size_t count, cap;
};
void path_stack_push(struct path_stack *stack, char *path); /* takes it */
char *path_stack_pop(struct path_stack *stack);             /* the caller's; NULL: empty */
void path_stack_release(struct path_stack *stack);

/* ---- one folder ---- */

/* In the order they happen. */
enum folder_phase {
	PHASE_DOWN,
	PHASE_OPENING, /* the root is opened in a job; watching begins */
	PHASE_ABOUT,   /* is the remote reachable and ours to write? */
	PHASE_OWNER,   /* whose is it? (owner.c) */
	PHASE_LISTING, /* first contact: what the remote has becomes strangers (contact.c) */
	PHASE_EMPTY,   /* an empty folder before a remote that is not: wait */
	PHASE_SEALING, /* rows that no SYNC sealed are asked for again */
	PHASE_RUNNING,
	PHASE_FLUSHING, /* the graph stops us: everything out, then SYNC */
	PHASE_CLOSING,
};

struct look; /* transfer.c's envelope */

/* A job that opens the root; see open.c. */
struct open_job {
	struct job job;
	struct folder *folder;
	const struct sync_ground *ground;
	char *path;
	struct disk *disk;
	struct disk_identity identity;
	bool running;
	/* Is it the root that was synced? (root.c) */
	char *known, **samples;
	bool differs;
	size_t present;
};

struct scan_job;
struct prune;
struct verify;
struct forget;

struct scan {
	struct path_stack queue; /* folders to list, last in first out */
	struct scan_job *job;    /* NULL: none in flight */
	bool full;      /* the root was asked for: when it ends the whole tree has been seen */
	bool again;     /* asked for once more while it ran */
	bool tell_same; /* the rules changed: what is as agreed is looked at too */
	bool rules_changed;
	struct index_reader *reader;
	bool failed;  /* something could not be listed */
	int64_t seen; /* entries the rules include */
};

/* A folder's move whose answer is not known; see moving.c. */
struct moving {
	char *path, *origin;
	char *key, *origin_key, *version;
};

/* Deletions held back; see brake.c. */
struct brake {
	struct timer timer;        /* until they are counted */
	int64_t first_ms, last_ms; /* of those that wait for that: noticed first, happened last */
	int64_t last_seq;          /* the mark of the one that was noticed last */
	bool waiting;              /* there are any */
	bool stopped;              /* some are held for a person */
	bool empty;                /* because the whole root is empty */
	bool root_empty;           /* as it was seen last */
	bool any;                  /* something may be held, in whatever state */
	bool stale;                /* something left the list */
	struct index_held_sum sums[INDEX_HELD_STATES];
	struct brake_window window;
	bool window_changed;
	struct err trouble; /* what people are told while `stopped` */
};

struct folder {
	struct list link; /* in sync->folders */
	struct sync *sync;
	struct loop *loop;
	struct unit unit;
	char *name;
	struct folder_settings settings;
	struct store *store;
	char *remote_key; /* the folder's own key at the remote; "" is the root */
	char *owner_key;  /* ".tend/owner/KEY" */

	enum folder_phase phase;
	struct index *index;
	char *index_path;
	struct disk *disk;
	struct disk_identity identity;
	struct watch *watch;
	struct ignore *ignore;
	char *degraded;

	struct open_job open;
	struct scan scan;
	struct prune *prune;
	struct list pasts,
		fetches; /* whoever looks at our remote, and must be gone before we are */
	unsigned next_past;
	struct verify *verify;
	struct forget *forget;
	bool conditions,
		conditions_known; /* does the remote itself keep them? What ABOUT said last */
	bool remote_empty;        /* verify found nothing at the remote: a person is asked */
	struct store_op
		op; /* of the phases before RUNNING, of ABOUT probes and SYNC: one at a time */
	bool op_in_flight;
	void (*op_done)(struct folder *folder, const struct err *err);

	struct list transfers; /* struct transfer.link */
	struct map by_path;    /* transfers by path: one lock a path */
	int in_flight;         /* transfers that hold a slot */
	int64_t started;       /* transfers, since this start of the daemon */
	int64_t parents_lost;  /* rows of folders dropped by the transfers of what lies in them */
	int64_t scanned_seq;   /* of the last mark when a scan ended */
	bool sessions_none;    /* no upload is begun (abandoned.c) */
	int64_t sessions_ms;   /* not looked for before */
	char *abandoned_path, *abandoned_session;
	struct list pair_waiters; /* struct transfer.wait_link: somebody works on their origin */
	int renaming;             /* transfers that hold the name they move from */
	struct list
		submits; /* struct transfer.submit_link: operations that start after this turn's commit */
	int64_t claimed_ms;      /* when rows were claimed last */
	int submit_count, looks; /* operations in `submits`; transfers whose first look runs */
	bool intents;            /* this turn's commit goes to the disk before they start */

	struct turn_end turn_end;
	struct timer due_timer; /* the next due row */
	struct timer
		hold_timer; /* after a refusal of the store as a whole, or a root that is gone */
	struct timer sync_timer; /* SYNC_QUIET_MS after the last write */
	struct timer rescan_timer;
	struct timer attempt_timer;
	struct timer commit_timer; /* facts are committed COMMIT_MS after the first at the latest */
	bool commit_now;
	struct defer step_defer;
	int64_t hold_ms; /* the present back-off; 0: none */
	bool held;       /* no claims until the hold timer's probe went well */
	struct err trouble;
	bool needs_person;
	bool cured_here;    /* by what a person does in the folder: the next event tries again */
	bool trouble_stays; /* until a write went well, or nothing is left to do */
	bool index_trouble; /* it could not be written, and nothing was sent since */
	bool index_broken;  /* to be opened anew from what was committed */
	struct map paces;   /* path to struct pace: not sent again before */
	size_t paces_sweep;
	struct map wanted; /* folders that `include` does not name, but something below needs */
	bool paused;
	const char *said; /* the word of state that observers know */
	bool unit_stopping;
	bool judging; /* another owner's mark stands there: nothing may be written until all proved equal */

	int64_t epoch; /* of rows written now */
	bool unsynced; /* the store has answers that no SYNC covered */
	bool syncing;
	int64_t sync_epoch;
	struct list waits; /* struct folder_wait.link */

	bool displaced;    /* another one took over what was ours */
	char *owned_since; /* what our mark at the remote says; NULL: it does not stand there */
	char *other_owner; /* "PATH on host 'HOST'" */
	char *other_key, *other_since; /* where its mark stands, and what it says */
	char *owner_text;
	char **owner_marks;
	size_t owner_at;
	char *make_path, *make_part; /* folders of the store being made, component by component */
	size_t make_done;
	void (*make_then)(struct folder *folder, const struct err *err);
	bool remote_listed;
	bool events; /* something happened while the folder was empty */
	char *unsealed_cursor;
	int64_t doubt_ms; /* when the store was last asked whether it is the path or all of it */
	char *list_key;
	struct path_stack list_queue; /* first contact: remote folders still to be listed */
	char *list_folder;
	char *list_token;

	struct job checkpoint_job;
	char *checkpoint_path;
	bool checkpointing;
	int64_t checkpointed_bytes; /* how long the log was at the last checkpoint */
	bool log_to_end;            /* the rest of it is to be copied after a commit */

	struct moving moving;
	struct brake brake;
	char *root_refused; /* the identity of a root that a person has to approve */
	struct map mounts;  /* path to struct mount: folders that something was mounted on */
	int away;           /* so many of them have nothing mounted on them now */
	struct timer away_timer;
	bool away_looking;

	int64_t started_ms;
	int64_t progress_bytes; /* of large uploads that are not through yet */
	bool remote_made;       /* the folder's own key stands at the remote */
	int64_t sent_files, sent_bytes, set_only, moved, removed, scans, last_sync_ns;
	struct map
		not_kept; /* kinds.c: paths of sockets, FIFOs, devices to the scan that saw them */
	bool refused_logged;

	void (*closed)(void *user);
	void *closed_user;
};

/* folder.c */
void folder_wake(struct folder *folder); /* folder_step in the next turn */
void folder_phase_set(struct folder *folder, enum folder_phase phase);
void folder_changed(struct folder *folder); /* status changed: observers */
/* The folder as a whole cannot go on: said once, tried again by itself with back-off. */
void folder_hold(struct folder *folder, const struct err *err);
void folder_trouble_clear(struct folder *folder);
void folder_probe_passed(struct folder *folder); /* the store answers again */
/* Stops until a person acts. */
void folder_stop_for_person(struct folder *folder, const struct err *err);
/* The index itself failed: everything in flight ends, and the folder opens anew from what was committed. */
void folder_index_failed(struct folder *folder, const struct err *err);
/* Everything in flight ends, and the folder is opened as after a restart, as soon as the back-off lets it. */
void folder_open_anew(struct folder *folder, const struct err *err);
void folder_root_away(struct folder *folder); /* the same, with the words for it */
/* The key of a path inside the folder. The caller's. */
char *folder_key(const struct folder *folder, const char *path);
/* Runs folder->op; `done` is called with the folder. */
void folder_op_start(struct folder *folder, enum store_verb verb, const char *key,
	void (*done)(struct folder *folder, const struct err *err));
void folder_op_go(struct folder *folder);
void folder_doubt(struct folder *folder); /* is it the path, or the store as a whole? ask it */
void folder_wrote(
	struct folder *folder); /* the store answered a write: SYNC follows when it is quiet */
void folder_mark_path(struct folder *folder, const char *path, int prio, int64_t settle_ms);
bool folder_is_busy(const struct folder *folder);
const char *folder_phase_name(const struct folder *folder);
void folder_step(struct defer *defer);
void folder_turn_ended(struct turn_end *end);
void folder_turn(struct folder *folder);
void folder_due_passed(struct timer *timer);
void folder_rescan_passed(struct timer *timer);
void folder_hold_passed(struct timer *timer);
void folder_attempt_passed(struct timer *timer);
void folder_commit_passed(struct timer *timer);
extern const struct unit_calls folder_unit_calls;
int64_t folder_clock_ms(const struct folder *folder);

/* life.c */
void folder_load_rules(struct folder *folder);
/* Between which places an index agrees. The caller's. */
char *folder_place(
	const struct folder_settings *settings, const struct store *store, const char *remote_key);
void folder_free(struct folder *folder); /* phase DOWN; calls closed */

/* open.c */
void folder_open_start(struct folder *folder);
bool folder_sqlite_changed(struct folder *folder);
void folder_watch_happened(void *user, const struct watch_event *event);

/* owner.c */
void owner_check_start(struct folder *folder);
void owner_check_again(struct folder *folder); /* judging: after a probe that went well */
void owner_judge(struct folder *folder);
struct transfer;
/* Another one wrote at this path. When its mark stands there too, the folder stops; else `then` follows. */
void owner_look(struct transfer *transfer, void (*then)(struct transfer *transfer));
bool owner_forbids(
	struct transfer *transfer); /* judging: something would have to be written; says so */
void owner_take(struct folder *folder);
void owner_make_folders(struct folder *folder, const char *path,
	void (*then)(struct folder *folder, const struct err *err));

/* contact.c */
void contact_start(struct folder *folder);
void contact_empty_check(struct folder *folder);
void contact_make_remote(struct folder *folder);

/* scan.c */
void scan_request(struct folder *folder, const char *path);
void scan_step(struct folder *folder);
bool scan_is_idle(const struct folder *folder);
void scan_release(struct folder *folder);
void scan_rules_changed(struct folder *folder);

/* forget.c: what the rules leave out since it was stored. False: the index failed. */
void forget_new(struct folder *folder);
void forget_free(struct folder *folder); /* not busy */
void forget_step(struct folder *folder); /* while it runs */
void forget_stop(struct folder *folder);
bool forget_is_busy(const struct folder *folder);
bool forget_note(struct folder *folder, const char *path, const struct index_entry *entry);
bool forget_agreed(struct folder *folder, const char *path); /* it is not, or no longer */
void forget_status(struct folder *folder, struct folder_status *status);

/* verify.c: does the remote still hold what the base says? */
void verify_new(struct folder *folder);
void verify_free(struct folder *folder);  /* not busy */
void verify_step(struct folder *folder);  /* while it runs */
void verify_again(struct folder *folder); /* other settings */
void verify_stop(struct folder *folder);
bool verify_is_busy(const struct folder *folder);
void verify_probe(struct folder *folder); /* of a remote that was found empty */
void verify_status(struct folder *folder, struct folder_status *status);

/* prune.c: old versions go */
void prune_new(struct folder *folder);
void prune_free(struct folder *folder);  /* not busy */
void prune_step(struct folder *folder);  /* while it runs */
void prune_again(struct folder *folder); /* other settings */
void prune_stop(struct folder *folder);
bool prune_is_busy(const struct folder *folder);
const char *prune_trouble(const struct folder *folder);

/* past.c, past_fetch.c */
void past_folder_closes(struct folder *folder);
void past_fetches_end(struct folder *folder);
bool past_is_busy(const struct folder *folder);

/* durable.c */
void durable_start(struct folder *folder); /* SYNC now */
void durable_unsealed(struct folder *folder);
void durable_quiet(struct timer *timer); /* folder->sync_timer */

/* brake.c */
void brake_init(struct folder *folder);
int brake_load(struct folder *folder, struct err *err);
int brake_save(struct folder *folder, struct err *err);
void brake_step(struct folder *folder);
struct transfer;
/* Before a planned deletion of what is gone is done. True: it is held, the transfer is gone. */
bool brake_holds(struct transfer *transfer);
/* It is to be deleted no longer, if it was. False: the index failed, the transfer is gone. */
bool brake_came_back(struct transfer *transfer);
/* A path (`tree`: with all below) is another one now, at the remote too: no deletion. False: the
 * index failed. */
bool brake_moved(struct folder *folder, const char *path, bool tree);
void brake_gone(struct transfer *transfer, bool folder);         /* deleted at the remote */
bool brake_finished(struct transfer *transfer, struct err *err); /* false: the index failed */
int64_t brake_poll_ms(
	const struct folder *folder); /* a folder that goes looks after what lies in it */
/* Rows of the queue with since <= upto that are held. */
int64_t brake_pending(struct folder *folder, int64_t upto);

/* log.c */
void log_step(struct folder *folder);
void log_committed(struct folder *folder);

/* root.c */
enum root_verdict { ROOT_SAME, ROOT_RENEWED, ROOT_OTHER };
enum root_verdict root_judge(bool differs, size_t sampled, size_t present);
char *root_name(const struct disk_identity *identity); /* the caller's */
int root_ask(struct folder *folder, struct open_job *open, struct err *err);
void root_look(struct open_job *open);
bool root_accept(struct folder *folder, const struct open_job *open);

/* mount.c */
void mounts_init(struct folder *folder);
int mounts_load(struct folder *folder, struct err *err);
void mounts_release(struct folder *folder);
/* Those on or above a path, outermost first; those that are away, or are not. The caller's. */
char **mounts_above(const struct folder *folder, const char *path);
char **mounts_list(const struct folder *folder, bool away);
bool mount_away_below(const struct folder *folder, const char *path);
void mount_add(struct folder *folder, const char *path);
void mount_forget(struct folder *folder, const char *path);
void mount_gone(struct folder *folder, const char *path); /* nothing is mounted there any more */
/* In jobs: is something mounted on this folder? The first of `mounts` on which nothing is; NULL. */
bool mount_look(struct disk *disk, const char *path);
const char *mount_missing(struct disk *disk, char *const *mounts);

/* barrier.c */
bool barrier_wants_anew(const struct transfer *transfer);
void barrier_owe(const struct transfer *transfer);
void barrier_rescan(struct folder *folder);
void barrier_step(struct folder *folder);
void barrier_synced(struct folder *folder);
void barrier_end_all(struct folder *folder, const struct err *err);

/* ---- one path's way ---- */

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
};

struct upload;
struct parts_match;
struct transfer;

/* `extra` of a database's row. */
struct database_base {
	struct disk_source source;
	uint8_t content[16]; /* disk_snapshot.content */
};

struct transfer {
	struct list link, submit_link, wait_link, capture_link;
	struct list children; /* transfers in TRANSFER_PARENT that wait for this one (wait_link) */
	struct folder *folder;
	enum transfer_state state;
	struct index_dirty row;
	char *path; /* row.path */
	char *key;
	char *keep_key;
	int64_t covered; /* the marks up to here are served by this capture */
	int64_t number;  /* of the folder's transfers: a barrier counts those that began after it */
	bool slot, lock_inode;
	int64_t work_ms; /* when its bytes were first read or sent; 0: not yet */
	int64_t idle_ms; /* what it waited for others since */
	bool growth;     /* may commit the prefix of a file that only grows */
	bool hot;        /* it did */
	bool theirs_logged, theirs_known, theirs_ours;
	int64_t theirs_born_ns; /* when it took the place of what was kept, by our own hand; 0: not known */
	struct store_entry
		theirs;      /* what somebody else wrote there, while the owner mark is read */
	bool theirs_by_time; /* size and mtime are all that is known of it, and are ours */
	void (*owner_then)(struct transfer *transfer);
	struct parts_match *parts_match;
	bool intent_known; /* the remote was asked what became of row.sending */
	bool entered_only; /* a folder that `include` itself does not name */
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
	bool absent;
	struct disk_stat stat;
	bool have_hash;
	uint8_t hash[32];
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
	char *origin, *origin_key, *origin_version;
	struct index_entry origin_entry;
	enum pair_origin origin_state;
	enum pair_answer pair; /* MOVE or COPY: how the new name is made */

	struct upload *upload; /* a large file's parts */
	bool upload_sending;   /* in pass 2 */
	enum plan_action action;
	struct store_op op;
	bool op_ready; /* op was initialised */
	void (*op_done)(struct transfer *transfer, const struct err *err);
};

/* transfer.c */
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
void transfer_submit_all(struct folder *folder);         /* after the commit */
bool transfer_submits_wait(const struct folder *folder); /* more will share their commit soon */
bool transfer_memory_reserve(
	struct transfer *transfer, int64_t bytes); /* false: waits in TRANSFER_MEMORY */
void transfer_cancel_all(struct folder *folder);
void transfer_mark_below(struct folder *folder, const char *path);
bool transfer_is_abandoned(const struct transfer *transfer);
int transfer_base_load(struct transfer *transfer, struct err *err);
bool transfer_base_is_fresh(const struct transfer *transfer);

/* decide.c */
void transfer_plan(struct transfer *transfer);
bool transfer_parent_missing(struct transfer *transfer);
void upload_or_read(struct transfer *transfer); /* memory was granted: read on */
bool transfer_excluded(const struct folder *folder, const char *path, bool is_folder);

/* look.c */
void look_start(struct transfer *transfer);
void look_read_start(struct transfer *transfer);
bool look_wants_bytes(const struct transfer *transfer);

/* capture.c: live databases, and the rule that nobody opens an inode under capture */
bool capture_any(const struct sync *sync);           /* one runs or wants to */
bool capture_holds(const struct transfer *transfer); /* is this inode under capture by another? */
void capture_wait(struct transfer *transfer);        /* look again when captures moved on */
void capture_moved(struct sync *sync);               /* a job that opened something ended */
bool capture_is_journal(
	const char *path, char **database); /* NAME of NAME-wal, NAME-journal, NAME-shm */
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
bool base_drop(struct transfer *transfer, bool folder);
enum store_kind base_store_kind(const struct transfer *transfer);
void act_put_start(struct transfer *transfer);
bool act_keep_settle(struct transfer *transfer, bool kept);
int64_t act_keep_born(
	const struct folder *folder, const char *keep_key); /* of what took its place */

/* intent.c */
bool intent_note(struct transfer *transfer, const uint8_t *hash);
bool intent_ask(struct transfer *transfer);

/* abandoned.c */
void abandoned_step(struct folder *folder);

/* pace.c */
void pace_begin(struct transfer *transfer);
int64_t pace_after(const struct transfer *transfer);
int64_t pace_left_ms(const struct folder *folder, const char *path);
void pace_release(struct folder *folder);

/* rename.c */
bool rename_locks(const struct folder *folder, const char *path);
void rename_postpone(struct folder *folder, const struct index_dirty *row); /* it is locked */
void rename_wake(struct folder *folder);
/* Is something under way, or marked up to `upto`, that may turn out to be what vanished elsewhere? */
bool rename_pending(const struct folder *folder, int64_t upto);
bool rename_waits(struct transfer *transfer, enum index_why held);
bool rename_ask_unread(struct transfer *transfer);
bool rename_ask(struct transfer *transfer);
bool rename_start(struct transfer *transfer);
void rename_release(struct transfer *transfer);

/* moving.c */
bool moving_step(struct folder *folder); /* in PHASE_SEALING. True: something is asked */
int moving_settle(struct folder *folder, const char *origin, const char *path, const char *version,
	struct err *err);
void moving_release(struct folder *folder);

/* act.c */
/* The last thing in the folder of `path` went, perhaps. */
void act_emptied(struct transfer *transfer, const char *path);
void act_start(struct transfer *transfer); /* transfer->action, as planned */

/* parts.c */
/* True: what stands there as "md5-N" is compared with the file, and `then` tells whether they are equal. */
bool parts_match_start(struct transfer *transfer, const struct store_entry *theirs,
	void (*then)(struct transfer *transfer, bool equal));
void parts_release(struct transfer *transfer);

/* upload.c */
void upload_start(struct transfer *transfer);
void upload_release(struct transfer *transfer);
void upload_part_read(struct transfer *transfer);
void upload_hash_start(
	struct transfer *transfer); /* pass 1 of a large file; comes back through transfer_plan */
bool upload_is_large(const struct transfer *transfer, int64_t size);
void act_put_recorded(struct transfer *transfer, struct store_entry *entry,
	bool kept); /* a PUT or PART_END went well */
void act_put_conditions(struct transfer *transfer);
void act_parents_lost(struct transfer *transfer);
bool act_keep_intend(struct transfer *transfer); /* false: the index failed, the transfer is gone */
void act_op_init(struct transfer *transfer, enum store_verb verb, enum store_kind kind);
/* Are the bytes at the remote to be asked for before a PUT? */
bool act_wants_theirs(const struct transfer *transfer);
void act_look_at_theirs(struct transfer *transfer);
void act_changed(struct transfer *transfer); /* the store said ERR_CHANGED: look at theirs */

#endif
