/*
 * The gdrive driver's own: Google Drive v3. There the identity of a thing is its id: names need not
 * be unique, and lists and queries may lag behind by minutes, while a look at an id never does. So
 * the driver keeps the ids of what it has seen and made by path (gdrive_path.c), makes everything
 * with an id that was asked for before, and meets a lost answer's work by that id.
 *
 * One struct an operation, one flow a verb. A flow calls parts of flows (find a path, take an id,
 * copy) that call back when they are done. Source of the protocol: the v3 reference's discovery
 * document, Google's guides "Upload file data" and "Resolve errors".
 */
#ifndef STORE_GDRIVE_H
#define STORE_GDRIVE_H

#include <jansson.h>

#include "crypto/crypto.h"
#include "http/http.h"
#include "store/gdrive_error.h"
#include "store/gdrive_login.h"
#include "store/internal.h"

#define GDRIVE_FOLDER "application/vnd.google-apps.folder"
/* What an entry needs: also the answer of whatever makes or changes a file. */
#define GDRIVE_FIELDS                                                                 \
	"id,name,mimeType,parents,trashed,createdTime,modifiedTime,size,md5Checksum," \
	"headRevisionId,appProperties"
/* Before the id of a file in the trash, as a revision's name: those of Drive do not begin so. */
#define GDRIVE_TRASHED '~'
#define GDRIVE_UPLOADS ".tend/uploads" /* where a large file lies until it is whole and wanted */

struct gdrive_op;
struct gdrive_trash;

/* One operation holds it, the others wait; whoever waits looks again for itself. */
struct gdrive_lock {
	struct gdrive_op *owner;
	struct list waiting; /* gdrive_op.wait_link */
};

/* What is known of a path. Folders have a '/' behind their path. */
struct gdrive_node {
	struct gdrive_lock lock;
	char *id;
	bool pending; /* the id was given to a create whose answer never came */
	/* A folder that we made: until then, what we have not put there is not there. Lists could
	 * not tell yet, and nobody else knows of it. 0: any other. */
	int64_t fresh_until_ms;
};

struct gdrive {
	struct store store;
	struct http *http;
	struct gdrive_login *login;
	char *endpoint; /* of a proxy in Google's place; NULL: Google's own */
	char *ca_file;
	char *prefix;  /* "" or "a/b": the folder that is the root, below the base */
	char *base_id; /* of My Drive, of the shared drive, or of the folder named by id */
	char *drive_id, *drive_name; /* shared drive: its id once it is known */
	int64_t timeout_ms;
	struct map nodes; /* path -> gdrive_node */
	int64_t forgets;  /* of folders, so far */
	char **ids;       /* that were asked for and are free */
	size_t id_count;
	struct gdrive_lock ids_lock, base_lock, login_lock;
	struct map
		held; /* id of an unfinished large file -> bytes that the server holds, as text */
	/* Uploads were refused since then and none went well: 0, not refused. */
	int64_t refused_ms;
	int64_t paused_until_ms; /* the day's amount is used up */
};

/* A file or folder as the server tells it. */
struct gdrive_file {
	struct store_entry entry;
	char *name, *parent; /* as they are there; parent NULL: not told */
	char *created;
	bool trashed;
	bool ours; /* carries our properties */
};

/* A path, and what was found there. */
struct gdrive_place {
	char *path;      /* with the prefix; "" is the base */
	bool folder;     /* a folder is looked for; else anything but a folder */
	bool either;     /* if that is not there, take the other */
	bool make;       /* parents that are missing are made */
	bool written;    /* by us and nobody else: a fresh folder need not be asked */
	char *parent_id; /* NULL: there is no such folder */
	bool parent_fresh;
	bool looked, there;
	struct gdrive_file file;
	char *twin; /* another one of ours with this name, its id */
};

struct gdrive_call {
	const char *method;
	char *url;       /* taken */
	json_t *json;    /* the body; taken. NULL: `raw` or none */
	const void *raw; /* borrowed until the answer */
	size_t raw_len;
	const char *type;    /* of raw */
	const char *range;   /* a whole header line; copied */
	size_t answer_max;   /* of bytes instead of JSON; 0: JSON */
	bool upload;         /* content goes up: its refusals are counted */
	bool session;        /* its address is the key; answers are not all JSON */
	int64_t upload_size; /* of the file, where an upload in parts begins; else 0 */
};

struct gdrive_op {
	struct gdrive *gd;
	struct store_op *op;
	/* Called with the answer of each call: err.kind is ERR_NONE for 2xx, and for 308. */
	void (*step)(struct gdrive_op *x);
	int state; /* the flow's own enum */
	struct err err, saved;
	bool starting; /* inside start */

	/* ---- waiting ---- */
	struct list wait_link;
	void (*resume)(struct gdrive_op *x);
	struct gdrive_lock *owned[4];
	struct defer cancelled;

	/* ---- the request on its way ---- */
	struct http_request request;
	struct gdrive_call call;
	char range[112]; /* of `call` */
	int64_t forgets; /* when it was sent */
	struct buf body;
	char *headers[8];
	char *content_type;
	json_t *answer;         /* its JSON; NULL: none */
	bool renewed;           /* the token was refused once */
	struct gdrive_ask *ask; /* for a token, which this operation asks for everybody */
	struct job job;
	void (*hashed)(struct gdrive_op *x);

	/* ---- parts of flows ---- */
	struct {
		char *path, *at;
		bool make;
		int mode; /* of the last folder */
		struct gdrive_node *node;
		char *parent;
		bool parent_fresh;
		void (*then)(struct gdrive_op *x, const char *id, bool fresh);
		int state;
		struct gdrive_file made; /* the last folder that was made */
	} walk;
	struct {
		struct gdrive_place *place;
		const char *hint;
		void (*then)(struct gdrive_op *x);
		int state;
	} find;
	struct {
		const char *path; /* the operation's own; NULL: of no path */
		bool folder;
		void (*then)(struct gdrive_op *x);
	} take;
	void (*base_known)(struct gdrive_op *x);
	char *new_id;

	/* ---- what flows need ---- */
	struct gdrive_place at, to; /* of op->key; of op->to_key or op->keep_key */
	struct gdrive_file staged;  /* PART_END: the whole large file */
	char *file_id, *session_url;
	struct gdrive_trash *trash; /* gdrive_trash.c; NULL: none */
	int64_t size, held;
	int tries;
	int64_t sent_from; /* the last try */
	bool settled;
};

/* ---- gdrive.c ---- */

/* Answers the operation and frees `x`; err NULL is success. Harmless inside start. */
void gdrive_finish(struct gdrive_op *x, const struct err *err);
void gdrive_fail(struct gdrive_op *x); /* with x->err */
/* With x->err or, when that is none, well. */
void gdrive_end(struct gdrive_op *x);
/* True: it is ours now. False: `resume` is called when it may be. */
bool gdrive_lock_take(
	struct gdrive_op *x, struct gdrive_lock *lock, void (*resume)(struct gdrive_op *x));
void gdrive_lock_release(struct gdrive_op *x, struct gdrive_lock *lock);
void gdrive_lock_init(struct gdrive_lock *lock);

/* ---- gdrive_request.c ---- */

/* "/drive/v3/..." as a URL with what every request of files carries. `query` is encoded, NULL or
 * "a=b&c=d". The caller's. */
char *gdrive_url(const struct gdrive_op *x, const char *path, const char *query);
char *gdrive_file_url(const struct gdrive_op *x, const char *id, const char *query);
/* Of one revision, or NULL: of their list; encoded by us. */
char *gdrive_revision_url(
	const struct gdrive_op *x, const char *id, const char *revision, const char *query);
/* Of files.list: all that matches `q`, in the shared drive where there is one. `token`: of a page. */
char *gdrive_query_url(
	const struct gdrive_op *x, const char *q, int size, const char *fields, const char *token);
/* Gets a token where there is none, sends; the answer comes to x->step. The last thing a step
 * does. */
void gdrive_send(struct gdrive_op *x, const struct gdrive_call *call);
void gdrive_send_again(struct gdrive_op *x); /* the call before */
/* Checks op->body against op->hash on a worker; then calls `then`, or fails. */
void gdrive_check_body(struct gdrive_op *x, void (*then)(struct gdrive_op *x));
void gdrive_request_cancel(struct gdrive_op *x);
void gdrive_request_release(struct gdrive_op *x);
int64_t gdrive_server_ns(const struct gdrive_op *x);

/* ---- gdrive_name.c ---- */

/* A name as it is there: bytes that are no UTF-8 are written as rclone writes them. The
 * caller's. */
char *gdrive_name_encode(const char *name, size_t len);
void gdrive_name_decode(char *name);        /* in place */
bool gdrive_name_is_path(const char *name); /* decoded: it can be one of a path here */
char *gdrive_quote(const char *text);       /* for a query: 'text' */
const char *gdrive_type_of(const char *name);
int gdrive_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err);

/* ---- gdrive_file.c ---- */

/* false: it is no description of a file. */
bool gdrive_file_read(const json_t *json, struct gdrive_file *file);
/* Is it what stands at this path? `parent_id` NULL: not known. */
bool gdrive_file_is_at(
	const struct gdrive_file *file, const char *path, const char *parent_id, bool folder);
/* As an entry is called: a link's without its suffix. The caller's. */
char *gdrive_file_name(const struct gdrive_file *file);
void gdrive_file_release(struct gdrive_file *file);
/* {modifiedTime, appProperties} of such a content. */
json_t *gdrive_metadata(enum store_kind kind, int64_t mtime_ns, int mode);
/* When it was put into the trash; 0: nobody says. */
int64_t gdrive_trashed_ns(const json_t *json);
/* {trashed, appProperties}: put there now. */
json_t *gdrive_trashed(int64_t now_ns);
/* Adds {name, parents}. */
void gdrive_metadata_place(json_t *json, const struct gdrive_place *place);

/* ---- gdrive_ids.c ---- */

/* x->new_id is for what is made at this path next: that of a try before, else one that nothing has
 * yet. `then` comes when whoever asked for the operation keeps it. `path` NULL: of no path, and kept
 * by nobody. */
void gdrive_take_id(
	struct gdrive_op *x, const char *path, bool folder, void (*then)(struct gdrive_op *x));

/* ---- gdrive_path.c, gdrive_walk.c ---- */

char *gdrive_path(const struct gdrive *gd, const char *key);
struct gdrive_node *gdrive_node(struct gdrive *gd, const char *path, bool folder); /* makes it */
const struct gdrive_node *gdrive_node_known(struct gdrive *gd, const char *path, bool folder);
void gdrive_node_set(struct gdrive *gd, const char *path, bool folder, const char *id);
/* What somebody keeps of a path, unless more is known of it. */
void gdrive_node_told(struct gdrive *gd, const char *path, bool folder, const char *id);
/* What stands there may have this id: a place is a path, that of a folder with a '/' behind it. */
void gdrive_remember(struct store *store, const char *place, const char *id);
/* Forgets what is known of a path, and for a folder of all below. */
void gdrive_node_forget(struct gdrive *gd, const char *path, bool folder);
/* A folder was forgotten while the request was on its way, since we moved it perhaps: the answer may be of
 * before, and what it tells of folders is not kept. */
bool gdrive_is_late(const struct gdrive_op *x);
bool gdrive_node_has_children(struct gdrive *gd, const char *path);
/* What is known of paths, after CHANGES told these: what is not where it was is forgotten, and a
 * folder in which others put something is not fresh any more. Each has an id. */
void gdrive_nodes_changed(struct gdrive *gd, const struct gdrive_file *files, size_t count);
void gdrive_nodes_release(struct gdrive *gd);

/* The id of the folder at `path`; NULL: there is none, and none was to be made. On errors `x`
 * fails. */
void gdrive_walk(struct gdrive_op *x, const char *path, bool make,
	void (*then)(struct gdrive_op *x, const char *id, bool fresh));
/* The id of the base; x fails where it cannot be had. */
void gdrive_base(struct gdrive_op *x, void (*then)(struct gdrive_op *x));
/* What stands at `place`; `hint`: an id that it may have. On errors `x` fails. */
void gdrive_find(struct gdrive_op *x, struct gdrive_place *place, const char *hint,
	void (*then)(struct gdrive_op *x));
void gdrive_place_set(
	struct gdrive_op *x, struct gdrive_place *place, const char *key, enum store_kind kind);
void gdrive_place_release(struct gdrive_place *place);

/* ---- flows ---- */

void gdrive_list(struct gdrive_op *x);
void gdrive_changes(struct gdrive_op *x);
void gdrive_revisions(struct gdrive_op *x);
void gdrive_trash(struct gdrive_op *x); /* REVISIONS of a folder */
void gdrive_trash_release(struct gdrive_trash *trash);
void gdrive_stat(struct gdrive_op *x);
void gdrive_get(struct gdrive_op *x);
void gdrive_set(struct gdrive_op *x);
void gdrive_about(struct gdrive_op *x);
void gdrive_put(struct gdrive_op *x); /* also REMOVE of what is no folder */
void gdrive_copy_or_move(struct gdrive_op *x);
void gdrive_make_folder(struct gdrive_op *x);
void gdrive_remove_folder(struct gdrive_op *x);
void gdrive_part_begin(struct gdrive_op *x);
void gdrive_part_put(struct gdrive_op *x); /* also PART_QUERY */
void gdrive_part_abort(struct gdrive_op *x);
void gdrive_part_end(struct gdrive_op *x);
int gdrive_session_open(struct gdrive_op *x); /* sets file_id, size, session_url; -1 with x->err */

/* ---- gdrive_change.c: single requests that flows share; x->step gets their answer ---- */

/* A copy of `from` at `to`, with the id x->new_id, which was taken for it. */
void gdrive_copy_send(
	struct gdrive_op *x, const struct gdrive_file *from, const struct gdrive_place *to);
/* Puts the file at `to`, out of its folder. */
void gdrive_move_send(
	struct gdrive_op *x, const char *id, const char *parent, const struct gdrive_place *to);
void gdrive_trash_send(struct gdrive_op *x, const char *id);
void gdrive_look_send(struct gdrive_op *x, const char *id);
bool gdrive_same_content(const struct store_entry *left, const struct store_entry *right);
bool gdrive_is_rival(const struct store_op *op, const struct gdrive_place *at);
/* -1 with x->err: it is another version than the one that is asked for. */
int gdrive_expect_version(struct gdrive_op *x, const struct store_entry *entry);
int gdrive_changed(struct gdrive_op *x); /* x->err: not what was expected there */

#endif
