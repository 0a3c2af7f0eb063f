#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* The store: which operation goes into which session, when one more is begun, the driver's face. */

enum {
	CROWDED = 4,          /* operations a session has before another one is begun */
	MENDED_FOR_MS = 1000, /* of the lists of one round few ask */
	NAME_MAX_BYTES = 255,
	PATH_MAX_BYTES = 4095,
	PATH_MARGIN_BYTES = 128, /* for `.tend/versions/`, `/END~BEGIN` */
};

static struct sftp *sftp_of(struct store *store) {
	return container_of(store, struct sftp, store);
}

static sftp_step *const verbs[] = {
	[STORE_LIST] = sftp_list,
	[STORE_STAT] = sftp_stat,
	[STORE_GET] = sftp_get,
	[STORE_PUT] = sftp_put,
	[STORE_SET] = sftp_set,
	[STORE_MKDIR] = sftp_mkdir,
	[STORE_COPY] = sftp_copy,
	[STORE_MOVE] = sftp_move,
	[STORE_REMOVE] = sftp_remove,
	[STORE_PART_BEGIN] = sftp_part_begin,
	[STORE_PART_PUT] = sftp_part_put,
	[STORE_PART_QUERY] = sftp_part_query,
	[STORE_PART_END] = sftp_part_end,
	[STORE_PART_ABORT] = sftp_part_abort,
	[STORE_SYNC] = sftp_sync,
	[STORE_ABOUT] = sftp_about,
};

/* ---- sessions ---- */

static struct sftp_session *least_busy(struct sftp *sftp) {
	struct sftp_session *best = NULL;

	list_each(&sftp->sessions, link) {
		struct sftp_session *session = list_entry(link, struct sftp_session, link);
		if (session->state != SFTP_READY) continue;
		if (!best || session->op_count < best->op_count) best = session;
	}
	return best;
}

static int count(struct sftp *sftp, enum sftp_state state) {
	int found = 0;

	list_each(&sftp->sessions, link)
		found += list_entry(link, struct sftp_session, link)->state == state;
	return found;
}

/* What broke off with a connection of ours, or before there was one. What broke off elsewhere since,
 * a list would lack too: what it lacks is asked for one by one, but nobody asks when all is gone. */
static bool is_to_mend(const struct sftp_op *x) {
	const struct sftp *sftp = x->sftp;

	return sftp->mended != sftp->losses ||
	       (x->op->verb == STORE_LIST &&
		       loop_now_ms(sftp->store.loop) - sftp->mended_ms >= MENDED_FOR_MS);
}

static void first(struct sftp_op *x) {
	enum { MEND, MENDED };

	if (x->state == MEND && is_to_mend(x)) {
		x->state = MENDED;
		sftp_call(x, sftp_mend);
		return;
	}
	if (sftp_has_failed(x)) {
		sftp_finish(x);
		return;
	}
	x->step = verbs[x->op->verb];
	x->state = 0;
	x->step(x);
}

static void begin(struct sftp_op *x, struct sftp_session *session) {
	list_remove(&x->link);
	list_add_tail(&session->ops, &x->link);
	x->session = session;
	session->op_count++;
	x->step = first;
	x->step(x);
}

static void dispatch(struct defer *defer) {
	struct sftp *sftp = container_of(defer, struct sftp, dispatch);

	while (!list_empty(&sftp->waiting)) {
		struct sftp_session *session = least_busy(sftp);
		int connecting = count(sftp, SFTP_CONNECTING);
		bool room = count(sftp, SFTP_READY) + connecting < sftp->most;
		/* One by one: a server that takes no more says so to one, not to three. */
		if ((!session || session->op_count >= CROWDED) && room && connecting == 0)
			sftp_session_new(sftp);
		if (!session) return;
		begin(list_entry(sftp->waiting.next, struct sftp_op, link), session);
	}
}

void sftp_session_ready(struct sftp_session *session) {
	defer_start(session->sftp->store.loop, &session->sftp->dispatch);
}

void sftp_session_ended(struct sftp_session *session, bool was_ready) {
	struct sftp *sftp = session->sftp;

	if (was_ready) sftp->losses++;
	if (!was_ready && least_busy(sftp)) {
		/* One more than the server takes. */
		sftp->most = count(sftp, SFTP_READY);
	} else if (!was_ready) {
		sftp->most = SFTP_SESSIONS;
		struct list failed;
		list_init(&failed);
		list_take_all(&failed, &sftp->waiting);
		while (!list_empty(&failed)) {
			struct sftp_op *x = list_entry(failed.next, struct sftp_op, link);
			x->err = session->err;
			sftp_finish(x);
		}
	} else if (!least_busy(sftp)) {
		sftp->most = SFTP_SESSIONS;
	}
	defer_start(sftp->store.loop, &sftp->dispatch);
}

/* ---- the driver ---- */

static void start(struct store *store, struct store_op *op) {
	struct sftp *sftp = sftp_of(store);
	struct sftp_op *x = xcalloc(1, sizeof(*x));

	x->sftp = sftp;
	x->op = op;
	list_init(&x->link);
	sftp_span_init(x);
	op->impl = x;
	list_add_tail(&sftp->waiting, &x->link);
	defer_start(store->loop, &sftp->dispatch);
}

static void cancel(struct store *store, struct store_op *op) {
	(void)store;
	if (op->impl) sftp_abandon(op->impl);
}

static void release(struct store *store) {
	struct sftp *sftp = sftp_of(store);

	assert(list_empty(&sftp->waiting));
	defer_cancel(&sftp->dispatch);
	list_each(&sftp->sessions, link) {
		struct sftp_session *session = list_entry(link, struct sftp_session, link);
		list_remove(link);
		sftp_session_free(session);
	}
	process_host_free(sftp->host);
	while (sftp->unsynced_count > 0) free(sftp->unsynced[--sftp->unsynced_count]);
	strv_free(sftp->settings.ssh);
	free(sftp->settings.host);
	free(sftp->settings.user);
	free(sftp->settings.root);
	free(sftp);
}

static int refuse(struct store *store, const char *key, enum store_kind kind, struct err *err) {
	size_t room = PATH_MAX_BYTES - PATH_MARGIN_BYTES;

	if (kind == STORE_OTHER) return err_set(err, ERR_INVALID, "no file, folder or link");
	if (*key && !path_is_plain(key)) return err_set(err, ERR_INVALID, "no plain path");
	if (strlen(sftp_of(store)->settings.root) + 1 + strlen(key) > room)
		return err_set(err, ERR_INVALID, "path longer than %zu bytes", room);
	for (const char *at = key; *at;) {
		size_t len = strcspn(at, "/");
		if (len > NAME_MAX_BYTES)
			return err_set(
				err, ERR_INVALID, "name longer than %d bytes", NAME_MAX_BYTES);
		at += len + (at[len] == '/');
	}
	return 0;
}

static const struct store_driver sftp_driver = {
	.scheme = "sftp",
	.start = start,
	.cancel = cancel,
	.free = release,
	.refuse = refuse,
};

struct store *store_sftp_new(
	struct loop *loop, const struct remote_settings *settings, struct err *err) {
	const char *root = settings->remote_path ? settings->remote_path : ".";
	char **ssh = config_split_command(settings->ssh ? settings->ssh : "ssh", err);

	if (!ssh) return NULL;
	struct sftp *sftp = xcalloc(1, sizeof(*sftp));
	sftp->store = (struct store){
		.driver = &sftp_driver,
		.loop = loop,
		.may_fold = true,
		.caps = STORE_CAP_FOLDERS | STORE_CAP_LIST_MTIME | STORE_CAP_MOVE,
		.part_size = SFTP_PART_BYTES,
		.part_from = SFTP_PART_BYTES,
		.part_max = 100000,
		.part_lanes = SFTP_SESSIONS,
		.digest = SFTP_DIGEST,
		.part_hash = STORE_HASH_SEAL, /* the server compares nothing, we do */
		.time_grain_ns = NS_PER_S,
		.label = xasprintf("sftp://%s/%s", settings->host, root),
	};
	sftp->settings = (struct sftp_settings){
		.ssh = ssh,
		.host = xstrdup(settings->host),
		.user = xstrdup(settings->user),
		.root = str_equal(root, ".") ? xstrdup(root) : path_clean(root),
		.port = (int)settings->port,
		.timeout_ms = settings->timeout_ms,
	};
	sftp->host = process_host_new_direct(loop);
	sftp->most = SFTP_SESSIONS;
	sftp->losses = 1; /* of a process before this one */
	list_init(&sftp->sessions);
	list_init(&sftp->waiting);
	defer_init(&sftp->dispatch, dispatch);
	return &sftp->store;
}
