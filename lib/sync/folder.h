/* One folder: its phases, what is known of it, and what each file does with it as a whole. Loop thread only; included by internal.h. */
#ifndef SYNC_FOLDER_H
#define SYNC_FOLDER_H

#include "sync/estimate.h"
#include "sync/shared.h"
#include "sync/weigh.h"

struct transfer;

/* In the order they happen. */
enum folder_phase {
	PHASE_DOWN,
	PHASE_OPENING, /* the root is opened in a job; watching begins */
	PHASE_ABOUT,   /* is the remote reachable and ours to write? */
	PHASE_OWNER,   /* whose is it? (owner.c) */
	PHASE_LISTING, /* first contact: what the remote has becomes strangers (contact.c) */
	PHASE_EMPTY,   /* an empty folder before a remote that is not: brought back, or it waits */
	PHASE_PULLING, /* it is brought back (pull.c) */
	PHASE_SEALING, /* rows that no SYNC sealed are asked for again */
	PHASE_RUNNING,
	PHASE_FLUSHING, /* the graph stops us: everything out, then SYNC */
	PHASE_CLOSING,
};

struct look; /* transfer.c's envelope */

/* What starts, or goes on, after this turn's commit. */
struct submit {
	struct list link; /* in folder->submits */
	void (*start)(struct submit *submit);
};

/* A job that opens the root; see open.c. */
struct open_job {
	struct job job;
	struct folder *folder;
	const struct sync_ground *ground;
	char *path, *user;
	struct disk *disk;
	struct disk_identity identity;
	bool running;
	bool reads; /* it is opened when what is in it can be read */
	/* Is it the root that was synced? (root.c) */
	char *known, **samples;
	bool differs;
	size_t present;
};

struct scan_job;
struct prune;
struct verify;
struct polling;
struct forget;
struct resolve;

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

/* Bringing back what the remote has into an empty folder; see pull.c. */
struct pull {
	struct restore *restore; /* NULL: none runs */
	bool through;            /* in this run: whatever is not here now could not be had */
	struct index_strangers_sum all;
	int64_t listed_ms;        /* when the remote was listed last; 0: not in this run */
	struct path_stack marked; /* folders of that list of which a marker alone tells the mode */
	bool rules_came;          /* by them what came may be no business of ours */
	bool agrees; /* rows are agreed that were not when the folder was opened: no SYNC is missed by them */
	int64_t told, told_ms;
	char *text; /* how far it is; NULL */

	bool making; /* the root, in a job */
	struct job job;
	char *path, *user; /* the job's */
};

/* A stop; see flush.c. */
struct flush {
	bool bounded;       /* it is known which marks were there before: those up to `upto` */
	bool all_out;       /* they are seen to, and what follows from them: marks up to `owed` */
	int64_t upto, owed; /* owed: 0, nothing */
	int64_t counted_ms;
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

	bool urgent; /* the machine may go at any moment */
	struct open_job open;
	struct scan scan;
	struct prune *prune;
	struct list pasts,
		fetches;      /* whoever looks at our remote, and must be gone before we are */
	struct list restores; /* struct restore_home.link: none or one */
	int64_t leftovers_ns; /* a restore before then was broken off: the scan removes what it left; 0: none was */
	int64_t brought_before_ns; /* the same of what came when the program, or the power, went (bring_resume.c) */
	unsigned next_past;
	struct verify *verify;
	struct forget *forget;
	struct polling *polling;
	struct resolve *resolve; /* one at a time; NULL: none */
	bool trash_runs;         /* its old days are being removed */
	int64_t trash_ms;
	int64_t pulled_bytes; /* of restores that ended */
	int64_t brought_files, brought_bytes, brought_set, removed_here,
		conflicts;      /* since this start */
	int64_t strangers_upto; /* the list of strangers that a person approved; 0: none */
	struct index_strangers strangers; /* where that stands */
	bool conditions,
		conditions_known; /* does the remote itself keep them? What ABOUT said last */
	char *server_known;       /* what the store learned of its server, from the index; NULL */
	bool remote_empty;        /* verify found nothing at the remote: a person is asked */
	struct store_op
		op; /* of the phases before RUNNING, of ABOUT probes and SYNC: one at a time */
	bool op_in_flight, op_given_up;
	struct submit op_submit; /* of an id that `op` makes something with */
	void (*op_done)(struct folder *folder, const struct err *err);

	struct list transfers; /* struct transfer.link */
	struct map by_path;    /* transfers by path: one lock a path */
	int in_flight;         /* transfers that hold a slot */
	int large;             /* of those, large files: they leave a slot to others */
	int resting; /* of those, databases that wait for what they may name: their slots are lent */
	int64_t started;      /* transfers, since this start of the daemon */
	int64_t parents_lost; /* rows of folders dropped by the transfers of what lies in them */
	int64_t scanned_seq;  /* of the last mark when a scan ended */
	bool copy_none;       /* the remote copies no parts of a file (delta.c) */
	bool sessions_none;   /* no upload is begun (abandoned.c) */
	int64_t sessions_ms;  /* not looked for before */
	char *abandoned_path, *abandoned_session;
	struct list pair_waiters; /* struct transfer.wait_link: somebody works on their origin */
	int renaming;             /* transfers that hold the name they move from */
	struct list
		submits;    /* struct submit.link: operations that start after this turn's commit */
	int64_t claimed_ms; /* when rows were claimed last */
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
	bool hold_noted; /* in the index: it outlives us */
	bool held;       /* no claims until the hold timer's probe went well */
	struct err trouble;
	bool needs_person;
	bool cured_here;    /* by what a person does in the folder: the next event tries again */
	bool trouble_stays; /* until a write went well, or nothing is left to do */
	bool index_trouble; /* it could not be written, and nothing was sent since */
	bool index_broken;  /* to be opened anew from what was committed */
	bool index_fails;   /* in this turn, by index_err: nothing more is begun in it */
	struct err index_err;
	struct map paces; /* path to struct pace: not sent again before */
	size_t paces_sweep;
	struct map wanted; /* folders that `include` does not name, but something below needs */
	struct map
		unlisted; /* folders that no scan could list: they are listed once they can be read */
	bool paused;
	const char *said; /* the word of state that observers know */
	bool unit_stopping;
	struct flush flush;
	bool taking; /* all proved equal: our mark is on its way */
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
	bool owner_stands;             /* something at owner_key was in the way of ours */
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
	bool list_waits; /* for the remote to answer: it goes on with this page */

	struct job checkpoint_job;
	char *checkpoint_path;
	bool checkpointing;
	int64_t checkpointed_bytes; /* how long the log was at the last checkpoint */
	bool log_to_end;            /* the rest of it is to be copied after a commit */

	struct moving moving;
	struct brake brake;
	struct pull pull;
	bool root_unread;   /* a scan could not list it */
	char *root_refused; /* the identity of a root that a person has to approve */
	struct map mounts;  /* path to struct mount: folders that something was mounted on */
	int away;           /* so many of them have nothing mounted on them now */
	struct timer away_timer;
	bool away_looking;

	struct weigh weigh;
	struct estimate estimate;
	int64_t started_ms;
	bool remote_made; /* the folder's own key stands at the remote */
	int64_t writes; /* answered by the store: a list that was asked for before may lack them */
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
/* The index itself failed: at the end of this turn, so that nobody holds a transfer that is gone, everything in flight ends, and the
 * folder opens anew from what was committed. */
void folder_index_failed(struct folder *folder, const struct err *err);
/* Everything in flight ends, and the folder is opened as after a restart, as soon as the back-off lets it. */
void folder_open_anew(struct folder *folder, const struct err *err);
void folder_root_away(struct folder *folder); /* the same, with the words for it */
/* The key of a path inside the folder. The caller's. */
char *folder_key(const struct folder *folder, const char *path);
bool folder_keeps(const struct folder *folder); /* versions of what is replaced at the remote */
/* Runs folder->op; `done` is called with the folder. */
/* ABOUT, with what an earlier run learned of the server; folder_about_told() when it ended well. */
void folder_about_start(
	struct folder *folder, void (*done)(struct folder *folder, const struct err *err));
void folder_about_told(struct folder *folder);
void folder_op_start(struct folder *folder, enum store_verb verb, const char *key,
	void (*done)(struct folder *folder, const struct err *err));
void folder_op_go(struct folder *folder);
void folder_wrote(
	struct folder *folder); /* the store answered a write: SYNC follows when it is quiet */
void folder_mark_path(struct folder *folder, const char *path, int prio, int64_t settle_ms);
/* The same, of a scan that told its size (weigh_told). */
void folder_mark_told(struct folder *folder, const char *path, int prio, int64_t settle_ms);
bool folder_is_busy(const struct folder *folder);
/* Something still uses its disk, its index or its store; its end wakes the folder. */
bool folder_has_work(const struct folder *folder);
void folder_step(struct defer *defer);
void folder_turn_ended(struct turn_end *end);
void folder_turn(struct folder *folder);
void folder_due_passed(struct timer *timer);
void folder_rescan_passed(struct timer *timer);
void folder_commit_passed(struct timer *timer);
extern const struct unit_calls folder_unit_calls;
int64_t folder_clock_ms(const struct folder *folder);

/* trouble.c */
const char *folder_phase_name(const struct folder *folder);
void folder_report(struct folder *folder); /* to the unit graph, and to observers when it is news */
/* The folder as a whole cannot go on: said once, tried again by itself with back-off. */
void folder_hold(struct folder *folder, const struct err *err);
void folder_hold_again(struct folder *folder); /* what an earlier run was told for hours */
void folder_trouble_clear(struct folder *folder);
void folder_probe_passed(struct folder *folder); /* the store answers again */
/* Stops until a person acts. */
void folder_stop_for_person(struct folder *folder, const struct err *err);
void folder_doubt(struct folder *folder); /* is it the path, or the store as a whole? ask it */
void folder_hold_passed(struct timer *timer);
void folder_attempt_passed(struct timer *timer);

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
/* Another one wrote at this path. When its mark stands there too, the folder stops; else `then` follows. */
void owner_look(struct transfer *transfer, void (*then)(struct transfer *transfer));
/* What stands at owner_key, NULL: nothing. True: another one took over, and the folder stops. */
bool owner_is_another(struct folder *folder, const char *mark);
enum { OWNER_MARK_MAX = 4096 };             /* bytes */
void owner_restored(struct folder *folder); /* judging, and the pull is through */
bool owner_forbids(
	struct transfer *transfer); /* judging: something would have to be written; says so */
void owner_take(struct folder *folder);
void owner_make_folders(struct folder *folder, const char *path,
	void (*then)(struct folder *folder, const struct err *err));

/* contact.c */
void contact_start(struct folder *folder);
void contact_empty_check(struct folder *folder);
void contact_make_remote(struct folder *folder);
/* Nothing was agreed on it: from now on it is known of. */
int contact_stranger_put(
	struct folder *folder, const char *path, const struct store_entry *remote, struct err *err);

/* pull.c */
void pull_root_missing(
	struct folder *folder); /* PHASE_OPENING: made where it is wanted, else said */
bool pull_wants(
	const struct folder *folder); /* the tree was scanned, and the remote has something */
void pull_start(struct folder *folder);
void pull_stop(struct folder *folder); /* its end wakes the folder */
bool pull_is_busy(const struct folder *folder);
/* Of the first contact's list. */
void pull_listed(struct folder *folder, const char *path, const struct store_entry *entry);
/* As long as a pull goes on, nothing outlives it that was agreed (also a power cut). False: the index failed. */
bool pull_disagree(struct folder *folder);
const struct restore_counts *pull_counts(const struct folder *folder); /* NULL: none runs */

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
/* A row that is to be removed at the remote: the base has it no longer. */
bool forget_remove(struct folder *folder, const char *path, const struct index_entry *entry);
bool forget_agreed(struct folder *folder, const char *path); /* it is not, or no longer */
void forget_status(struct folder *folder, struct folder_status *status);

/* stranger.c: of what only the remote has, when a person approved that it goes. False: the index failed. */
bool strangers_step(struct folder *folder);
void strangers_release(struct folder *folder);

/* verify.c, verify_path.c: does the remote still hold what the base says? */
void verify_new(struct folder *folder);
void verify_free(struct folder *folder);  /* not busy */
void verify_step(struct folder *folder);  /* while it runs */
void verify_again(struct folder *folder); /* other settings */
void verify_stop(struct folder *folder);
bool verify_is_busy(const struct folder *folder);
void verify_probe(struct folder *folder);    /* of a remote that was found empty */
void remote_is_empty(struct folder *folder); /* though things were agreed: a person is asked */
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

/* restore_folder.c: into the folder's own place */
void restore_load(struct folder *folder);    /* the index was opened */
void restore_scanned(struct folder *folder); /* all of the tree */
void restore_folder_stops(struct folder *folder);
void restore_homes_wake(struct sync *sync); /* a capture ended */
bool restore_is_leftover(const struct disk_item *item, int64_t before_ns);

/* resolve.c: of two edits that were both kept one goes */
void resolve_go(struct folder *folder);    /* a capture ended */
void resolve_stops(struct folder *folder); /* given up, where it has not begun */
bool resolve_is_busy(const struct folder *folder);

/* durable.c */
void durable_start(struct folder *folder); /* SYNC now */
void durable_unsealed(struct folder *folder);
void durable_quiet(struct timer *timer); /* folder->sync_timer */

/* brake.c */
/* Do only shares of what is agreed count, and no number of its own? */
bool brake_is_wide(const struct folder_settings *settings);
void brake_init(struct folder *folder);
int brake_load(struct folder *folder, struct err *err);
int brake_save(struct folder *folder, struct err *err);
void brake_step(struct folder *folder);
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
void log_committed(struct folder *folder);
bool log_holds(const struct folder *folder); /* nothing that writes is to be begun */

/* root.c */
enum root_verdict { ROOT_SAME, ROOT_RENEWED, ROOT_OTHER };
enum root_verdict root_judge(bool differs, size_t sampled, size_t present);
char *root_name(const struct disk_identity *identity); /* the caller's */
int root_ask(struct folder *folder, struct open_job *open, struct err *err);
void root_look(struct open_job *open);
bool root_accept(struct folder *folder, const struct open_job *open);

/* user.c: whose rights a folder's file access has; NULL: ours */
int user_check(const char *user, struct err *err);
struct disk *user_disk_open(
	const char *path, const char *user, struct err *err); /* looks the user up */

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

#endif
