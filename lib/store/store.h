/*
 * store: what every cloud storage can do, as operations that are data: they can be queued, retried,
 * limited, faked, logged.
 *
 * Loop thread only. An operation is one step of the remote and one bounded span of memory, and
 * doing it twice is harmless (SYNC.md §1). A driver builds requests, reads answers and classifies
 * errors; store_retry decides; whoever gives up logs.
 *
 * Keys are paths relative to the remote's root: clean, '/' between components, no leading slash; ""
 * is the root itself. Names are bytes. Sizes and offsets are bytes, times nanoseconds since 1970
 * UTC.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "config/config.h"
#include "crypto/crypto.h"
#include "loop/loop.h"

enum store_verb {
	/* key: a folder; recursive where STORE_CAP_FLAT_LIST; page_token, limit -> page */
	STORE_LIST,
	/* key, kind (a hint: FILE, FOLDER or LINK) -> entry; want_hash: also read what must be read
	 * for it */
	STORE_STAT,
	/* key, kind, offset, length (<= STORE_SPAN_MAX) -> answer_body, entry; version checked with
	 * if_version */
	STORE_GET,
	/* key, kind FILE or LINK, size, mtime_ns, mode, hash, body or fd -> entry; parent folders
	 * are there */
	STORE_PUT,
	STORE_SET,   /* key, kind, mtime_ns, mode (of the same content) -> entry */
	STORE_MKDIR, /* key, mode -> entry; an existing folder is success */
	/* key -> to_key, on the server; the copy keeps size, mtime, mode, hash -> entry */
	STORE_COPY,
	/* key, kind -> to_key -> entry; the key gone and the target there is success. A folder stands for
	 * no file: ERR_NOT_FOUND; nor a file for a folder: ERR_NOT_FOUND, or as the server says it */
	STORE_MOVE,
	/* key, kind; a folder only when it is empty (ERR_BUSY: not empty); absent is success */
	STORE_REMOVE,
	/* a large PUT: key, size, mtime_ns, mode, part_size, hash where begin_wants_hash -> session */
	STORE_PART_BEGIN,
	/* session, part_number (from 1), offset, body or fd, hash of the part (ERR_CHANGED: the bytes
	 * are others; NONE: whoever put them into memory knows them) -> receipt */
	STORE_PART_PUT,
	/* The same without a body: the part is these bytes of what stands at `key`: session,
	 * part_number, offset, length, if_version, hash of the part -> receipt. Other bytes there:
	 * ERR_CHANGED; of the version the bytes are proof enough. Only where part_copy_size is not
	 * 0; a server may refuse it all the same (ERR_INVALID). */
	STORE_PART_COPY,
	STORE_PART_QUERY, /* session -> parts that the server holds */
	STORE_PART_END, /* key, session, parts, hash, and PUT's conditions and keep_key -> entry */
	STORE_PART_ABORT, /* session; unknown to the server is success */
	STORE_SYNC,       /* everything answered before this is on the disk of the store after it */
	STORE_ABOUT,      /* is the remote reachable and ours to write? -> about */
	/* key ("": all), page_token -> page: what the store keeps by itself of `key` (name "")
	 * and below it, of each name newest first, what stands there now and deletions
	 * included. Only where STORE_CAP_REVISIONS. Where revisions_each, of one file; of a folder
	 * (kind) what went from there and can still be had, without what lies in folders below it
	 * that are still there. */
	STORE_REVISIONS,
	/* page_token -> page: what has changed anywhere since this token was given, each thing once,
	 * as it is now, with id and parent_id. NULL: no page, but a token: taken before the first
	 * LIST, nothing is missed. Only where store->changes. */
	STORE_CHANGES,
};

enum store_kind { STORE_FILE, STORE_FOLDER, STORE_LINK, STORE_OTHER };

/*
 * What makes doing it twice harmless, in every driver:
 *
 * PUT, PART_END, COPY, SET whose condition fails because the very same content with the same
 * mtime_ns stands there already: success. A keep_key that holds what is to be kept already is left
 * as it is, and `kept` is true; one that holds something else is ERR_CHANGED. REMOVE of what is
 * gone: success, and `kept` tells whether keep_key is there.
 *
 * A folder that is not empty is ERR_BUSY with sys = ENOTEMPTY: nobody retries that. LIST and STAT
 * of a folder that is not there: ERR_NOT_FOUND; the root "" is always there. LIST promises no
 * order, and in a recursive one folders without a marker of their own may be missing.
 *
 * CHANGES: a token that the store knows no more is ERR_NOT_FOUND: list everything anew. Things
 * outside of the remote come too, and what we did ourselves: by its id and version the caller knows
 * it. Of a folder that came from elsewhere nothing is told of what lies in it. Some that are told
 * have not changed.
 */

/* At most eight. Capabilities differ, behaviour does not. */
enum {
	STORE_CAP_FOLDERS =
		1, /* folders exist by themselves; else an empty one needs a marker object */
	STORE_CAP_FLAT_LIST = 2,   /* one LIST may walk a whole tree */
	STORE_CAP_LIST_MTIME = 4,  /* LIST tells our mtime and mode; else STAT does */
	STORE_CAP_FD_BODY = 8,     /* reads bodies from a descriptor by itself, in its jobs */
	STORE_CAP_HASH_FIRST = 16, /* wants the hash before PUT */
	STORE_CAP_MOVE = 32,       /* MOVE of a folder is one request */
	STORE_CAP_REVISIONS = 64,  /* may keep what is replaced by itself */
	/* the parts of one upload go one after the other, the first first */
	STORE_CAP_PARTS_IN_ORDER = 128,
};

#define STORE_SPAN_MAX \
	(8 << 20) /* bytes: the largest body of one operation that travels in memory */
#define STORE_MTIME_UNKNOWN INT64_MIN
#define STORE_MODE_UNKNOWN  (-1)

struct store_hash {
	enum {
		STORE_HASH_NONE,
		STORE_HASH_MD5,
		STORE_HASH_MD5_PARTS,
		STORE_HASH_SHA256,
		STORE_HASH_SEAL, /* of a part on its way: DIGEST_SEAL */
	} kind;
	uint8_t bytes[32];
	int parts; /* MD5_PARTS: md5 of the parts' md5s, with their count (S3's "md5-N") */
};

struct store_entry {
	/* LIST: relative to the listed key. CHANGES: in the folder that it lies in. Else NULL. A link's
	 * without a suffix */
	char *name;
	enum store_kind kind;
	int64_t size;
	int64_t mtime_ns; /* ours, as it was given; STORE_MTIME_UNKNOWN */
	int mode;         /* permission bits; STORE_MODE_UNKNOWN */
	struct store_hash hash;
	char *id; /* opaque; NULL where the key is the identity */
	/* opaque: equal versions hold equal bytes; NULL where the store has none. A folder's, where
	 * store->deep_versions: equal ones have the same below them. */
	char *version;
	char *target; /* a link's text, where it came with the answer */
	/* STAT, SET, MKDIR and a recursive LIST, without STORE_CAP_FOLDERS: an object of its own stands for
	 * this folder; else it is there by what lies in it. */
	bool marker;
	char *parent_id; /* CHANGES: of the folder that it lies in; NULL: not told */
	/* REVISIONS: its opaque name, since when it stood there, and was it a deletion? */
	char *revision;
	int64_t since_ns;
	bool gone; /* CHANGES: it is not there any more; then perhaps without a name */
};

struct store_part {
	int number;
	int64_t size;
	char *receipt; /* what PART_END needs, opaque */
};

struct store_about {
	int64_t free_bytes;    /* -1 unknown */
	int64_t server_ns;     /* the clock of whoever keeps the files, 0 unknown */
	bool conditions;       /* if_absent and if_version are honoured by the server itself */
	bool conditions_known; /* false: it was not found out yet */
};

struct store_op {
	/* ---- the question: borrowed until `done` ---- */
	enum store_verb verb;
	const char *key;
	const char *to_key;
	const char *id;
	/* Of the folders that `key` and `to_key` lie in, as an answer told it; NULL: not known. */
	const char *parent_id, *to_parent_id;
	const char *revision; /* GET: of REVISIONS; NULL: what stands there now */
	/* PUT, SET, REMOVE, PART_END, GET, COPY and MOVE of a file: only when this is the present version
	 * of `key`, else ERR_CHANGED */
	const char *if_version;
	bool if_absent; /* PUT, PART_END, COPY, MOVE: only when nothing is there, or ERR_CHANGED */
	/* PUT, PART_END, REMOVE: what stands at `key` is kept at this key first, so that `key`
	 * is never absent meanwhile (SYNC.md §3, §8). Parents of keep_key are made by the
	 * driver. Absent `key`: nothing to keep. */
	const char *keep_key;
	/* Nothing can stand at keep_key: it was made up for this very try. store_retry takes it back. */
	bool keep_fresh;
	/* COPY, MOVE and keep_key: how many bytes the server copies by itself; -1: nobody knows. It is
	 * given time for them. */
	int64_t copied_size;
	enum store_kind kind;
	int64_t size;
	int64_t mtime_ns;
	int mode;
	struct store_hash hash;
	const void *body; /* or fd, where STORE_CAP_FD_BODY */
	size_t body_len;
	int fd; /* -1: none. Read from `offset`, `length` bytes; stays the caller's */
	int64_t offset;
	int64_t length;
	const char *session;
	int part_number;
	int64_t part_size;
	const struct store_part *parts;
	size_t part_count;
	bool recursive;
	bool want_hash;
	const char *page_token; /* NULL: the first page */
	const char *known;      /* ABOUT: what `learned` said in an earlier run; NULL: nothing */
	/* PUT, PART_PUT, GET: how fast the body may go, set by store_throttle; 0: as it can */
	int64_t bytes_per_second;
	int limit; /* LIST, CHANGES: at most so many entries; 0: the provider's own */
	/* On the loop, exactly once, never inside store_start; err NULL on success. */
	void (*done)(struct store_op *op, const struct err *err);
	/* What is about to be made at `place` gets this id: once that is kept where it outlives us,
	 * store_go_on(); until then nothing is asked for. A later life tells it with
	 * store_remember(), so that what is there by a lost answer is not made twice. `implied`: a
	 * folder that nobody asked for by itself. Perhaps inside store_start, and more than once.
	 * NULL: nobody cares. */
	void (*making)(struct store_op *op, const char *place, bool implied, const char *id);

	/* ---- the answer: the op's, until store_op_release or the next start ---- */
	struct store_entry entry;
	struct store_entry *entries; /* LIST, CHANGES */
	size_t entry_count;
	char *next_token; /* CHANGES: always, also to begin the next time with */
	bool complete;    /* LIST: no error, and no next token. CHANGES: no more for now */
	struct store_part *answer_parts; /* PART_QUERY */
	size_t answer_part_count;
	char *answer_session; /* PART_BEGIN: opaque, <= 4 KiB, a secret */
	char *receipt;
	struct buf answer_body; /* GET */
	struct store_about about;
	char *learned; /* ABOUT: what need not be found out again, one opaque line; NULL: nothing */
	bool kept;     /* something stood at `key` and is at keep_key now */
	/* MKDIR; PUT and PART_END with if_absent: it stood there already, and is taken for what an earlier try made. Not of stores that tell
	 * names apart by their bytes. */
	bool existed;
	int64_t moved_bytes; /* of a large body, while it is on its way: for eyes alone */

	/* ---- the drivers' and wrappers' own ---- */
	struct store *owner;
	void *frame;
	void *impl;
	bool cancelled;
	void (*go_on)(struct store_op *op); /* only while `making` is not answered */
};

/* Zeroes, fd = -1, mtime, mode and copied_size unknown. */
void store_op_init(struct store_op *op, enum store_verb verb, const char *key);
/* Frees the answer. Harmless twice. Not while it is in flight. */
void store_op_release(struct store_op *op);
void store_entry_release(struct store_entry *entry);
/* Moves the answer's entry out. */
struct store_entry store_op_take_entry(struct store_op *op);

struct store;

struct store_driver {
	const char *scheme;
	void (*start)(struct store *store, struct store_op *op);
	void (*cancel)(struct store *store,
		struct store_op *op);      /* `done` still comes, with ERR_CANCELLED or the truth */
	void (*free)(struct store *store); /* no operation in flight */
	/* Why this name can never be stored ("name longer than 1024 bytes"): 0, or -1 with
	 * ERR_INVALID. May be NULL. */
	int (*refuse)(struct store *store, const char *key, enum store_kind kind, struct err *err);
	/* A secret or a credential may have changed on disk. May be NULL. */
	void (*renew)(struct store *store);
	/* See store_remember(). May be NULL. */
	void (*remember)(struct store *store, const char *place, const char *id);
	/* See store_trouble(). May be NULL. */
	bool (*trouble)(const struct store *store, struct err *err);
	/* See store_ending(). May be NULL; wrappers ask what they wrap. */
	bool (*ending)(const struct store *store, struct err *err);
};

/* Drivers and wrappers embed this as their first member. */
struct store {
	const struct store_driver *driver;
	struct loop *loop;
	unsigned caps;
	int64_t part_size; /* wished-for bytes of a part of a large PUT; 0: no parts */
	int64_t part_from; /* from this size on a PUT goes in parts */
	int part_max;      /* most parts of one upload */
	int part_lanes;    /* so many of one upload are gladly taken at once, in any order; 0: 1 */
	/* So many things at most are made in a second, however many are asked for at once; 0: no
	 * limit is known. */
	double makes_per_second;
	bool ids;     /* the identity is an id: one that is handed in spares it a search */
	bool changes; /* tells by CHANGES what others did: one request where that is nothing */
	/* REVISIONS tells of one file, or of what went from one folder, not of all that lies below. */
	bool revisions_each;
	/* A folder's version moves with all that moves below it: a walk goes down only where one is
	 * another than before. */
	bool deep_versions;
	/* It stands on a disk or server that may take two names for one, as those that do not tell upper from lower case. */
	bool may_fold;
	/* Of whole contents, in what is asked and answered: MD5 or SHA-256. A hash of another kind
	 * is compared with nothing. */
	enum digest_kind digest;
	/* PART_PUT's hash is best of this kind; 0: the MD5. SEAL: it may be left out. */
	int part_hash;
	bool begin_wants_hash; /* PART_BEGIN does; else the whole's is early enough at PART_END */
	char *label;           /* "s3://bucket/prefix": for messages, no secrets */
	/* Wished-for bytes of a part of what comes again with few changes: the smaller, the less is
	 * sent for one; 0: no PART_COPY. */
	int64_t part_copy_size;
	int64_t time_grain_ns; /* mtimes come back cut to a multiple of it; 0: as they were given */
};

void store_start(struct store *store, struct store_op *op);
void store_cancel(struct store *store, struct store_op *op);
/* The answer to op->making. Harmless when the operation was cancelled meanwhile. */
void store_go_on(struct store_op *op);
/* What an earlier life was told by `making`, and may have made. Before the first operation. */
void store_remember(struct store *store, const char *place, const char *id);
int store_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err);
/* Does an operation wait for another try, and not for the first time? With the error of the last that failed. */
bool store_trouble(const struct store *store, struct err *err);
/* Does a credential end within days, so that a person must act before anything fails? */
bool store_ending(const struct store *store, struct err *err);
/* Secrets and credentials are read anew: after a refusal that a person may have cured meanwhile. */
void store_renew(struct store *store);
/* A whole content's hash, from what its digest gave. */
struct store_hash store_hash_from(const struct store *store, const uint8_t *bytes);
/* Is it of the kind that store_hash_from() gives? */
bool store_hash_tells(const struct store *store, const struct store_hash *hash);
/* Are two mtimes the same, as far as this store can tell? */
bool store_time_same(const struct store *store, int64_t left_ns, int64_t right_ns);
/* Also what it wraps; NULL is fine. Not within `done` of one of its operations: the driver is still in the middle of that one. */
void store_free(struct store *store);

/* ---- wrappers: stores themselves ---- */

/* What happens after an error, as a pure function: the wait in ms, or -1: give up. Truncated
 * exponential with jitter (`random` in [0,1)), Retry-After honoured. */
int64_t store_retry_wait(const struct err *err, enum store_verb verb, int tries, double random);
struct store *store_retry(struct store *inner, int max_tries);

struct store_limits {
	int max_in_flight; /* 0: none */
	double requests_per_second;
};
/* One limiter a remote: also slows down for all when the server answers BUSY, and recovers. */
struct store *store_limit(struct store *inner, struct store_limits limits);

/*
 * Bytes a second, by the local time of day: "1MiB", "none", "08:00-18:00 1MiB, else none". The first rule that holds counts; without
 * `else` there is no limit at other times. Many stores may share one; whoever asks first is served first.
 */
struct bandwidth;
struct bandwidth *bandwidth_new(struct loop *loop); /* without a limit */
/* Holds at once. NULL: none. -1 with ERR_INVALID, and nothing changed. */
int bandwidth_set(struct bandwidth *bandwidth, const char *text, struct err *err);
int bandwidth_check(const char *text, struct err *err); /* 0, or -1 as bandwidth_set() */
void bandwidth_free(struct bandwidth *bandwidth);       /* no store uses it; NULL is fine */

/* What all remotes share; either may be NULL. */
struct store_line {
	struct bandwidth *up, *down;
};
/* Takes both of `own`, the remote's. `line` is copied; its bandwidths outlive the store. NULL: no limit. */
struct store *store_throttle(
	struct store *inner, const struct store_line *own, const struct store_line *line);

/* For tests: decides per operation. `after`: the operation takes effect, then its answer is
 * lost. */
struct store_fault_plan {
	void *user;
	/* ERR_NONE: pass. `*after` true: do it, then fail. `*delay_ms`: hold the answer so long. */
	struct err (*decide)(void *user, const struct store_op *op, bool *after, int64_t *delay_ms);
};
struct store *store_fault(struct store *inner, struct store_fault_plan plan);

/* ---- remotes ---- */

/* [remote NAME] */
struct remote_settings {
	int type; /* enum of store_types */
	int64_t max_in_flight;
	int64_t requests_per_second;
	char *upload_limit, *download_limit;
	char *ca_file;
	int64_t timeout_ms;
	char *path; /* directory */
	char *bucket, *prefix, *region, *endpoint, *storage_class, *sse, *profile;
	char *access_key_id, *secret_access_key_file;
	int addressing; /* auto, path, virtual */
	/* gdrive */
	char *client_id, *client_secret_file, *token_file, *folder, *shared_drive;
	char *service_account_file, *impersonate;
	int scope;  /* drive.file, drive */
	char *user; /* webdav, sftp */
	/* webdav */
	char *url, *password_file;
	int vendor; /* auto, nextcloud, plain */
	/* azure */
	char *account, *container, *key_file, *sas_file;
	/* sftp */
	char *host, *remote_path, *ssh;
	int64_t port; /* 0: as ssh knows it */
};
enum { REMOTE_DIRECTORY, REMOTE_S3, REMOTE_GDRIVE, REMOTE_WEBDAV, REMOTE_AZURE, REMOTE_SFTP };

extern const struct config_table store_remote_table;

struct http;

/* The driver for `settings` in its wrappers (retry over throttle over limit). Contacts nobody. `settings` is borrowed for the call.
 * `line`: as in store_throttle(); NULL: no limit. NULL with err: a secret that cannot be read, say. */
struct store *store_open(struct loop *loop, struct http *http, const char *name,
	const struct remote_settings *settings, const struct store_line *line, struct err *err);

/*
 * Signing in to Google Drive: an authorization code by the browser with PKCE (RFC 8252, RFC 7636), a
 * device code (RFC 8628), or a token made elsewhere. The protocol; the dialogue is `tend auth`.
 */
struct gdrive_auth;

/* NULL with err: its secret cannot be read, or it is a service account, which needs no person. */
struct gdrive_auth *gdrive_auth_new(struct loop *loop, struct http *http, const char *remote,
	const struct remote_settings *settings, struct err *err);
void gdrive_auth_free(struct gdrive_auth *auth); /* nothing on its way; NULL is fine */

const char *gdrive_auth_file(const struct gdrive_auth *auth); /* where the token is kept */

/* The page to open; the browser comes back to http://127.0.0.1:PORT/. The caller's. */
char *gdrive_auth_page(struct gdrive_auth *auth, int port);
/* The code out of "/?code=...&state=...", or of the whole address. NULL with err: the person said no, or it
 * is the answer to another question. The caller's, a secret. */
char *gdrive_auth_code(const struct gdrive_auth *auth, const char *address, struct err *err);

/* Each of these asks Google once; `done` comes with NULL when it went well. The token is kept then. */
typedef void gdrive_auth_done(void *user, const struct err *err);
void gdrive_auth_exchange(
	struct gdrive_auth *auth, const char *code, gdrive_auth_done *done, void *user);
void gdrive_auth_device(struct gdrive_auth *auth, gdrive_auth_done *done, void *user);
/* ERR_BUSY: the person has not answered yet; ask again after gdrive_auth_interval_ms(). */
void gdrive_auth_poll(struct gdrive_auth *auth, gdrive_auth_done *done, void *user);

/* After gdrive_auth_device(): where to go, and what to type there. Borrowed. */
const char *gdrive_auth_device_page(const struct gdrive_auth *auth);
const char *gdrive_auth_device_code(const struct gdrive_auth *auth);
int64_t gdrive_auth_interval_ms(const struct gdrive_auth *auth);

/* Keeps a token that was made elsewhere: the JSON of rclone's, or Google's own. */
int gdrive_auth_paste(struct gdrive_auth *auth, const char *json, struct err *err);

struct store *store_directory_new(struct loop *loop, const char *path);
struct store *store_memory_new(struct loop *loop);
/* What a memory store is like. Zeroes: it has folders, keeps conditions, tells MD5s. Before its
 * first use. */
struct store_memory_options {
	bool keys_only; /* no folders: an empty one is a marker of its own, as in S3 */
	enum {
		STORE_CONDITIONS_KEPT,
		STORE_CONDITIONS_REFUSED, /* looked up just before: what comes between is missed */
		STORE_CONDITIONS_IGNORED,
	} conditions;
	bool hashless;         /* tells no hash of what it holds */
	bool sha256;           /* tells SHA-256s; may be set between two uses */
	bool times_in_version; /* SET moves a version */
	bool list_by_folder;   /* a LIST walks no tree */
	bool hash_first;
	bool changes;       /* tells them, and has ids; where there are folders */
	bool deep_versions; /* of folders, where there are any */
	bool folds; /* names: upper and lower case are one. Where there are folders, and no ids */
	int64_t part_from, part_size; /* 0: as usual */
	bool no_part_copy;            /* refuses it, though it says that it can */
	bool sends_parts;             /* and this one says so */
	/* What is cancelled takes effect all the same, as what a server has begun does. */
	bool deaf;
};
void store_memory_set(struct store *store, const struct store_memory_options *options);
/* One operation on a memory store, at once: the answer is in `op`, `done` is not called. */
int store_memory_now(struct store *store, struct store_op *op, struct err *err);
/* An operation on a memory store takes effect after up to `max_ms`, and answers after up to as
 * much again, both by the loop's randomness. Before this is called: the next turn. */
void store_memory_latency(struct store *store, int64_t max_ms);

/* ---- do the remotes answer? For `tend doctor`; loop thread ---- */

struct store_doctor;

struct store_doctor *store_doctor_new(struct loop *loop, struct http *http);
void store_doctor_free(struct store_doctor *doctor); /* never started, or after `done` */
/* A store of its own for [remote `name`]; `settings` is borrowed for the call. One that cannot be opened is a finding. */
void store_doctor_add(
	struct store_doctor *doctor, const char *name, const struct remote_settings *settings);
/* Asks all of them at once; `done` comes exactly once, never inside. */
void store_doctor_start(struct store_doctor *doctor,
	void (*done)(struct store_doctor *doctor, void *user), void *user);
void store_doctor_cancel(struct store_doctor *doctor); /* `done` comes soon */
void store_doctor_tell(
	const struct store_doctor *doctor, struct findings *findings); /* after done */
/* What the clock of a remote (0: not known) says about ours; nothing when they agree. */
void store_doctor_skew(
	const char *name, int64_t server_ns, int64_t wall_ns, struct findings *findings);

#endif
