/*
 * Uploads that were begun by a folder which the configuration names no longer, or names with another path or remote: nobody goes on with
 * them, and their parts would lie at the remote, and be billed, for ever. The indexes that such folders left tell of them, and of large files that were on their
 * way here.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum { AGAIN_MS = 600000 }; /* a remote that does not answer is asked again so much later */

struct orphans {
	struct sync *sync;
	struct sync_orphans_calls calls;
	char **files; /* indexes still to be looked at, the last first */
	struct index *index;
	char *name;         /* of the folder that left it */
	char *remote, *key; /* where it kept its files: for people, and for the store */
	struct store *store;
	struct store_op op;
	bool op_in_flight;
	bool asked;   /* the remote answers */
	bool patient; /* one did not */
	char *path, *session;
	struct defer step;
	struct timer timer;
	void (*stopped)(void *user);
	void *stopped_user;
};

static void go_on(struct orphans *o) {
	defer_start(o->sync->loop, &o->step);
}

static void index_leave(struct orphans *o) {
	struct err err;
	if (o->index && index_commit(o->index, false, &err))
		log_debug("the index of '%s', which is no folder now: %s", o->name, err.text);
	index_close(o->index);
	o->index = NULL;
	free(o->name);
	free(o->remote);
	free(o->key);
	o->name = o->remote = o->key = NULL;
	o->store = NULL;
	o->asked = false;
}

static void postpone(struct orphans *o, const struct err *err) {
	log_debug("uploads that the folder '%s' began stay at '%s': %s", o->name, o->remote,
		err->text);
	o->patient = true;
	index_leave(o);
	go_on(o);
}

/* ---- at the remote ---- */

static void answered(struct store_op *op, const struct err *err) {
	struct orphans *o = container_of(op, struct orphans, op);
	struct err failed;
	bool abort = op->verb == STORE_PART_ABORT;
	o->op_in_flight = false;
	if (err && !(abort && abandoned_is_gone(err))) {
		postpone(o, err);
		return;
	}
	o->asked = true;
	if (abort) {
		log_info("folder '%s' is none now: what was sent of '%s' to '%s' is given up",
			o->name, o->path, o->remote);
		if (index_session_drop(o->index, o->path, &failed)) {
			postpone(o, &failed);
			return;
		}
	}
	go_on(o);
}

static void ask(struct orphans *o, const struct index_session *session) {
	store_op_release(&o->op);
	if (!o->asked) { /* or a disk that is not mounted would know of no upload */
		store_op_init(&o->op, STORE_ABOUT, o->key);
	} else {
		free(o->session);
		o->session = xstrdup(session->session);
		store_op_init(&o->op, STORE_PART_ABORT, o->key);
		abandoned_op(&o->op, session, o->session);
	}
	o->op.done = answered;
	o->op_in_flight = true;
	store_start(o->store, &o->op);
}

/* ---- the indexes ---- */

/* Said once, and remembered in the index. */
static void say_stays(struct orphans *o) {
	struct err err;
	if (index_meta_int(o->index, "orphans_told", 0)) return;
	log_warn("folder '%s' is none now, and '%s', to which it began to send '%s', is no remote "
		 "of "
		 "the configuration: what was sent of it stays there",
		o->name, o->remote, o->path);
	if (index_meta_set(o->index, "orphans_told", "1", &err)) log_debug("%s", err.text);
}

/* The name of the folder whose index this was; NULL: of none that is gone. The caller's. */
static char *orphan_name(const struct orphans *o, const char *file) {
	const char *const suffixes[] = { ".db", ".db" FOLDER_INDEX_BEFORE };
	for (size_t i = 0; i < 2; i++) {
		if (!str_ends(file, suffixes[i])) continue;
		char *name = xstrndup(file, strlen(file) - strlen(suffixes[i]));
		if (i == 1 || !o->calls.is_folder(o->calls.user, name)) return name;
		free(name);
	}
	return NULL;
}

/* Where its files went, by what folder_place() wrote; false: it does not say. */
static bool place_read(struct orphans *o) {
	char *place = index_meta_get(o->index, "place");
	char *label = place ? strchr(place, '\n') : NULL;
	char *key = label ? strrchr(label + 1, '\n') : NULL;
	if (key) {
		*key = 0;
		o->key = xstrdup(key + 1);
		o->remote = index_meta_get(o->index, "remote");
		o->store = o->calls.store(o->calls.user, o->remote, label + 1);
		if (!o->remote) o->remote = xstrdup(label + 1);
	}
	free(place);
	return key != NULL;
}

static void index_look(struct orphans *o, const char *file) {
	struct err err;
	char *path;
	o->name = orphan_name(o, file);
	if (!o->name) return;
	path = xasprintf("%s/folders/%s", o->sync->state_dir, file);
	o->index = index_open(path, &err);
	free(path);
	if (o->index) bring_resume_clear(o->index);
	if (!o->index || !place_read(o)) index_leave(o);
}

static void orphans_end(struct orphans *o) {
	void (*stopped)(void *) = o->stopped;
	void *user = o->stopped_user;
	index_leave(o);
	store_op_release(&o->op);
	defer_cancel(&o->step);
	timer_cancel(&o->timer);
	strv_free(o->files);
	free(o->path);
	free(o->session);
	o->sync->orphans = NULL;
	free(o);
	if (stopped) stopped(user);
}

/* One upload, or one index, a turn. */
static void orphans_step(struct defer *defer) {
	struct orphans *o = container_of(defer, struct orphans, step);
	struct index_session session;
	struct err err;
	if (o->op_in_flight) return;
	if (o->stopped) {
		orphans_end(o);
		return;
	}
	size_t left = strv_count(o->files);
	if (!o->index && !left) {
		if (o->patient) timer_start(&o->timer, AGAIN_MS);
		return;
	}
	if (!o->index) {
		char *file = o->files[left - 1];
		o->files[left - 1] = NULL;
		index_look(o, file);
		free(file);
		go_on(o);
		return;
	}
	free(o->path);
	o->path = NULL;
	int found = index_session_any(o->index, &o->path, &session, &err);
	if (found == 1 && o->store)
		ask(o, &session);
	else if (found == 1)
		say_stays(o);
	if (found == 1) index_session_release(&session);
	if (o->op_in_flight) return;
	index_leave(o);
	go_on(o);
}

/* ---- the whole ---- */

static void look(struct orphans *o) {
	struct sync *sync = o->sync;
	struct disk_list list;
	struct err err;
	struct disk *state = disk_open(sync->state_dir, &err);
	o->patient = false;
	if (!state || disk_list(state, "folders", &list, &err)) {
		log_debug("'%s/folders': %s", sync->state_dir, err.text);
	} else {
		for (size_t i = 0; i < list.count; i++) strv_add(&o->files, list.items[i].name);
		disk_list_release(&list);
		go_on(o);
	}
	disk_close(state);
}

static void again(struct timer *timer) {
	struct orphans *o = container_of(timer, struct orphans, timer);
	look(o); /* none is left of before */
}

void sync_orphans_start(struct sync *sync, const struct sync_orphans_calls *calls) {
	assert(!sync->orphans);
	struct orphans *o = xcalloc(1, sizeof(*o));
	sync->orphans = o;
	o->sync = sync;
	o->calls = *calls;
	defer_init(&o->step, orphans_step);
	timer_init(&o->timer, sync->loop, again);
	look(o);
}

bool sync_orphans_stop(struct sync *sync, void (*stopped)(void *user), void *user) {
	struct orphans *o = sync->orphans;
	if (!o) return false;
	if (!o->op_in_flight) {
		orphans_end(o);
		return false;
	}
	o->stopped = stopped;
	o->stopped_user = user;
	store_cancel(o->store, &o->op);
	return true;
}
