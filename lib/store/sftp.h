/*
 * The SFTP store: SFTP 3 through the system's `ssh` as a child (DESIGN.md §2). Private to store.
 *
 * Loop thread only. At most four children (sessions), which operations share; an operation stays in
 * one, since its handles belong to it. An operation is a flow: it asks one or more requests, and
 * when all are answered its step goes on. A flow may call another, which returns to it.
 *
 * Everything new is written below SFTP_TMP and gets its name by one request. What a store promises
 * and the protocol lacks: a version is size and mtime (whole seconds, all that it tells), so a
 * change by somebody else within a second that keeps the size is not seen.
 */
#ifndef STORE_SFTP_H
#define STORE_SFTP_H

#include "crypto/crypto.h"
#include "process/process.h"
#include "store/internal.h"
#include "store/sftp_wire.h"

/* Ours at the root: temporary files, owners' marks, kept versions. */
#define SFTP_OWN        ".tend"
#define SFTP_TMP        ".tend/tmp"
#define SFTP_TMP_PREFIX ".tend-tmp."
#define SFTP_SWAPS      ".tend/swaps" /* what is being replaced (sftp_swap.c) */

/* Nobody over there keeps a hash, so that it is ours to choose. Measured, a processor with
 * instructions for it: 1.8 GB/s, MD5 0.8. */
#define SFTP_DIGEST DIGEST_SHA256

enum {
	SFTP_SESSIONS = 4, /* OpenSSH's MaxStartups begins to refuse at ten, of all clients */
	SFTP_PART_BYTES = STORE_SPAN_MAX,
	SFTP_UNSYNCED_MAX = 4096,    /* files whose bytes may not be on the server's disk yet */
	SFTP_LEFTOVER_S = 24 * 3600, /* what nobody is at work with any more */
};

/* What the server offers beside the draft. */
struct sftp_extensions {
	bool posix_rename, hardlink, fsync, statvfs, lsetstat, copy_data;
};

struct sftp_op;
struct sftp_session;

struct sftp_settings {
	char **ssh; /* the program, with words of its own */
	char *host, *user, *root;
	int port; /* 0: as ssh's configuration says */
	int64_t timeout_ms;
};

struct sftp {
	struct store store;
	struct sftp_settings settings;
	struct process_host *host;
	struct list sessions; /* sftp_sessions, those that are ending too */
	struct list waiting;  /* sftp_ops that have no session yet */
	struct defer dispatch;
	int most; /* sessions; fewer once the server refused one more */
	char *unsynced[SFTP_UNSYNCED_MAX];
	size_t unsynced_count;
	bool cleaned;       /* what crashes left was looked for, once a process */
	int losses, mended; /* connections that ended; so many, when sftp_mend() was through */
	int64_t mended_ms;
};

/* ---- the child (sftp_child.c) ---- */

struct sftp_child {
	struct process process;
	int fd; /* ours, both ways; -1 */
	int message_fd;
	struct poll *message_poll;
	struct buf message;                      /* the last of what ssh said */
	void (*ended)(struct sftp_child *child); /* once: it is gone, or never was */
	bool over;
	struct err failure; /* it could not be started */
};

void sftp_child_start(
	struct sftp_child *child, struct sftp *sftp, void (*ended)(struct sftp_child *child));
void sftp_child_stop(struct sftp_child *child); /* asks it to end; `ended` follows */
void sftp_child_release(struct sftp_child *child);
/* Why it ended, from what it said, with what to do. */
void sftp_child_explain(
	const struct sftp_settings *settings, const char *message, bool connected, struct err *err);

/* ---- a session (sftp_session.c) ---- */

enum sftp_state { SFTP_CONNECTING, SFTP_READY, SFTP_ENDING };

struct sftp_request {
	struct list link;
	uint32_t id;
	enum sftp_type type;
	struct sftp_op *x; /* NULL: given up */
	int slot;
	int64_t offset; /* READ, WRITE */
	uint32_t len;
};

struct sftp_session {
	struct list link;
	struct sftp *sftp;
	struct sftp_child child;
	enum sftp_state state;
	struct sftp_extensions has;
	struct poll *poll;
	struct buf out, in;
	size_t sent;  /* of `out` */
	bool reading; /* what came is being told */
	struct list requests;
	struct list ops;
	int op_count;
	uint32_t next_id;
	struct timer quiet; /* runs while an answer is due; idle: until the child is let go */
	struct err err;     /* why it ends */
};

struct sftp_session *sftp_session_new(struct sftp *sftp);
/* Ends it now; its operations fail with `err`. */
void sftp_session_fail(struct sftp_session *session, const struct err *err);
void sftp_session_free(struct sftp_session *session); /* no operation is in it */
/* Between the two the request is added to session->out. */
struct sftp_request *sftp_request_begin(struct sftp_session *session, enum sftp_type type,
	struct sftp_op *x, int slot, size_t *begun);
void sftp_request_end(struct sftp_session *session, size_t begun);
/* Nobody waits for these answers any more. */
void sftp_session_forget(struct sftp_session *session, const struct sftp_op *x);

/* sftp.c: told by sessions. */
void sftp_session_ready(struct sftp_session *session);
void sftp_session_ended(struct sftp_session *session, bool was_ready);

/* ---- an operation ---- */

enum { SFTP_SLOTS = 32, SFTP_DEPTH = 8, SFTP_HANDLES = 32 };

typedef void sftp_step(struct sftp_op *x);

/* The answer to one of the requests of a batch. */
struct sftp_result {
	uint32_t code;
	struct sftp_attrs attrs;
};

struct sftp_handle {
	bool open;
	uint8_t len;
	char bytes[SFTP_HANDLE_MAX];
};

/* Bytes on their way, many requests at once (sftp_span.c). */
struct sftp_span {
	int handle;
	const char *from; /* writing */
	char *to;         /* reading */
	int64_t offset, len;
	int64_t asked, end; /* reading: `end` is where the file ended */
	int in_flight;
	uint32_t code; /* the first that failed */
	int64_t began_ms;
	struct timer pace;
	bool pacing;
};

/* Something new that waits for its name, and what it must be equal to when that is taken
 * (sftp_place.c). */
struct sftp_made {
	bool lasting;   /* `tmp` stays when the operation fails: an upload in parts */
	char *tmp;      /* key below SFTP_TMP; NULL: none, or it has its name */
	const char *to; /* the name it gets */
	bool link;
	bool absent;      /* only when nothing is at `to` */
	const char *from; /* equal is what equals this; NULL: the operation's body or hash */
	int64_t size;
	int64_t mtime_ns;
	struct sftp_attrs attrs; /* what it looks like */
	struct sftp_attrs attrs_kept;
	bool met; /* an earlier try did it: `attrs` are of that */
	int tries;
	bool parents, swap; /* the folders above were made; without a hard link */
	char *aside;        /* where the old one goes */
	char *record;       /* of that, while it has no name and the new one neither */
};

/* What broke off, one after the other (sftp_swap.c). */
struct sftp_swap {
	char **keys; /* of the records */
	size_t at;
	struct buf record;
	uint64_t size;
	const char *to, *aside, *tmp; /* in it */
	int64_t mtime;
	int losses;
	bool stuck; /* one could not be put back */
};

struct sftp_op {
	struct list link;
	struct sftp *sftp;
	struct sftp_session *session;
	struct store_op *op;
	sftp_step *step;
	int state;
	struct {
		sftp_step *step;
		int state;
	} callers[SFTP_DEPTH];
	int depth;
	int pending; /* requests of this batch that are not answered */
	struct sftp_result results[SFTP_SLOTS];
	struct sftp_handle handles[SFTP_HANDLES];
	/* Sees each answer of a batch; NULL: results[] suffices. */
	void (*take)(
		struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer);
	struct err err;  /* of what a called flow returned */
	bool committing; /* a name is being changed: the truth is waited for */
	bool abandoned;
	struct defer given_up;

	struct sftp_span span;
	struct sftp_made made;
	struct sftp_swap swap;
	struct sftp_attrs present, other; /* what was found at the keys of the flow */
	struct digest digest;             /* sftp_hash() */
	const char *hash_key;
	bool hash_link;
	int64_t hash_at;
	uint8_t hash[DIGEST_MAX], hash_other[DIGEST_MAX];
	char *text;  /* READLINK's answer */
	char *block; /* bytes of a copy or a hash */
	const char *parents_of;
	/* LIST */
	size_t list_limit;
	bool list_more, list_ended;
	/* parts, SYNC */
	char **keys;
	size_t key_at;
	char *session_path;
	int64_t part_size;
};

/* ---- flows (sftp_flow.c) ---- */

void sftp_call(struct sftp_op *x, sftp_step *step);
void sftp_return(struct sftp_op *x); /* with x->err */
int sftp_has_failed(const struct sftp_op *x);
/* Ends the operation with x->err, or with success. */
void sftp_finish(struct sftp_op *x);
void sftp_fail(struct sftp_op *x, enum err_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* results[slot] failed: x->err, with what was being done. */
void sftp_fail_code(struct sftp_op *x, uint32_t code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void sftp_fail_folder(struct sftp_op *x, const char *key);
void sftp_fail_changed(struct sftp_op *x, const char *key);
void sftp_answered(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer);
/* One of the batch, which is no request, has come. */
void sftp_one_less(struct sftp_op *x);
/* Cancelled: true when it ends without its answers. */
bool sftp_abandon(struct sftp_op *x);
void sftp_op_free(struct sftp_op *x); /* closes what is open over there, removes what has no name */

/* Requests; the answer goes to results[slot], handles to handles[slot]. */
void sftp_ask(struct sftp_op *x, int slot, enum sftp_type type, const char *key);
void sftp_ask_two(
	struct sftp_op *x, int slot, enum sftp_type type, const char *from, const char *to);
void sftp_ask_open(struct sftp_op *x, int slot, const char *key, int flags, int mode);
void sftp_ask_mkdir(struct sftp_op *x, int slot, const char *key, int mode);
void sftp_ask_handle(struct sftp_op *x, int slot, enum sftp_type type, int handle);
/* CLOSE, REMOVE, and nobody waits for it. */
void sftp_close(struct sftp_op *x, int handle);
void sftp_drop(struct sftp_op *x, const char *key);
void sftp_ask_set(struct sftp_op *x, int slot, const char *key, const struct sftp_attrs *attrs);
void sftp_ask_set_link(
	struct sftp_op *x, int slot, const char *key, const struct sftp_attrs *attrs);
void sftp_ask_set_open(struct sftp_op *x, int slot, int handle, const struct sftp_attrs *attrs);
void sftp_ask_symlink(struct sftp_op *x, int slot, const char *target, const char *key);
void sftp_ask_rename_over(struct sftp_op *x, int slot, const char *from, const char *to);
void sftp_ask_hardlink(struct sftp_op *x, int slot, const char *from, const char *to);
void sftp_ask_fsync(struct sftp_op *x, int slot, int handle);
void sftp_ask_statvfs(struct sftp_op *x, int slot, const char *key);
void sftp_ask_copy(struct sftp_op *x, int slot, int from, int64_t offset, int64_t len, int to);
void sftp_ask_read(struct sftp_op *x, int handle, int64_t offset, uint32_t len);
void sftp_ask_write(struct sftp_op *x, int handle, int64_t offset, const char *bytes, uint32_t len);

/* The operation's body goes to handle 0, and is hashed on its way; then x->hash, or x->err when it is
 * not what op->hash says (sftp_put.c). */
void sftp_body_begin(struct sftp_op *x, int64_t offset);
void sftp_body_end(struct sftp_op *x);
/* x->span.code failed: x->err, which says whether there was no room (sftp_put.c). */
void sftp_fail_full(struct sftp_op *x);
sftp_step sftp_explain_write;

/* Those of x->parents_of are made. */
sftp_step sftp_parents;

/* ---- what a thing looks like (sftp_look.c) ---- */

enum store_kind sftp_kind(const struct sftp_attrs *attrs);
char *sftp_version(const struct sftp_attrs *attrs); /* NULL: a folder */
bool sftp_is_version(const struct sftp_attrs *attrs, const char *version);
void sftp_entry(struct store_entry *entry, const struct sftp_attrs *attrs);
/* As the server will tell it: whole seconds, from 1970 to 2106. */
uint32_t sftp_seconds(int64_t ns);
/* A new name below SFTP_TMP, with `hint` in it for people. */
char *sftp_tmp_key(struct sftp_op *x, const char *hint);
bool sftp_is_tmp(const char *key); /* one of those */
/* results[slot] of a look: 1, 0: nothing is there, -1 with x->err. */
int sftp_seen(struct sftp_op *x, int slot, const char *key, struct sftp_attrs *attrs);

/* ---- spans (sftp_span.c) ---- */

/* Flows; set x->span's handle, bytes, offset and len first. */
sftp_step sftp_write_span, sftp_read_span;
void sftp_span_init(struct sftp_op *x);
void sftp_span_stop(struct sftp_op *x);
/* Of what is at x->hash_key (x->hash_link: of its target) into x->hash. */
sftp_step sftp_hash;

/* ---- names (sftp_make.c, sftp_place.c, sftp_meet.c) ---- */

/* Opens x->made.tmp as handle 0; makes SFTP_TMP when it has to. */
sftp_step sftp_make_file;
/* Makes x->made.tmp a link to x->text. */
sftp_step sftp_make_link;
/* Writes times and mode of what is open as handle 0, fsync where it matters, closes: made.attrs. */
sftp_step sftp_make_end;
/* The conditions, keep_key, and the name. */
sftp_step sftp_place;
/* Success when what stands at made.to is our own earlier try, else ERR_CHANGED. */
sftp_step sftp_meet_own;
/* x->made.to and keep_key hold the same: success, else ERR_CHANGED. */
sftp_step sftp_meet_kept;
/* op->kept: does anything stand at keep_key? */
sftp_step sftp_kept_before;
/* The answer of a flow that placed something. */
void sftp_answer_made(struct sftp_op *x);
/* What was placed at `key` is not known to be on the server's disk. */
void sftp_note_unsynced(struct sftp *sftp, const char *key);

/* What crashes left in SFTP_TMP goes (sftp_clean.c). */
sftp_step sftp_clean;

/* ---- a name that is absent for a moment (sftp_swap.c) ---- */

/* Writes down that what is at made.to goes to made.aside, for made.tmp. */
sftp_step sftp_swap_note;
void sftp_swap_over(struct sftp_op *x);
/* What broke off is put back; fails when it cannot, and the operation would take it for absent. */
sftp_step sftp_mend;
void sftp_swap_release(struct sftp_op *x);

/* ---- verbs ---- */

sftp_step sftp_list, sftp_stat, sftp_get, sftp_about, sftp_sync;
sftp_step sftp_put, sftp_set, sftp_mkdir, sftp_move, sftp_remove, sftp_copy;
sftp_step sftp_part_begin, sftp_part_put, sftp_part_query, sftp_part_end, sftp_part_abort;

#endif
