/*
 * Whose remote path is it? `.tend/owner/KEY` names the machine and the local folder that write there (SYNC.md §7). A folder that finds
 * another owner at its first contact judges: when all proves equal it takes over, else it stops for a person. One that was the owner
 * itself stops at once: by its base all would look equal, whatever the other one wrote since.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

#define OWNER_FOLDER ".tend/owner"

enum { TAKING_MS = 100 }; /* what changes while our mark is on its way looks again so soon */

static void owner_list_start(struct folder *f);
static void owner_read_marks(struct folder *f);

/* False: the index failed, and the folder starts over. */
static bool note(struct folder *f, const char *key, const char *value) {
	struct err err;
	if (index_meta_set(f->index, key, value, &err)) {
		folder_index_failed(f, &err);
		return false;
	}
	turn_end_want(&f->turn_end);
	return true;
}

/* ---- folders of the store that must be there before something is written ---- */

static void make_next(struct folder *f);

static void make_done(struct folder *f, const struct err *err) {
	if (err) {
		f->taking = false;
		folder_hold(f, err);
		return;
	}
	make_next(f);
}

/* The next component of f->make_path that was not made yet. */
static void make_next(struct folder *f) {
	char *slash = strchr(f->make_path + f->make_done, '/');
	size_t len = slash ? (size_t)(slash - f->make_path) : strlen(f->make_path);
	if (f->make_done >= strlen(f->make_path)) {
		f->make_then(f, NULL);
		return;
	}
	free(f->make_part);
	f->make_part = xstrndup(f->make_path, len);
	f->make_done = len + (slash != NULL);
	folder_op_start(f, STORE_MKDIR, f->make_part, make_done);
	f->op.kind = STORE_FOLDER;
	f->op.mode = 0755;
	folder_op_go(f);
}

void owner_make_folders(struct folder *f, const char *path,
	void (*then)(struct folder *folder, const struct err *err)) {
	free(f->make_path);
	f->make_path = xstrdup(f->store->caps & STORE_CAP_FOLDERS ? path : "");
	f->make_done = 0;
	f->make_then = then;
	make_next(f);
}

/* ---- taking it ---- */

static void taken(struct folder *f, const struct err *err) {
	bool running = f->phase >= PHASE_RUNNING;
	f->taking = false;
	f->owner_stands = err && err->kind == ERR_CHANGED;
	if (f->owner_stands) { /* somebody was faster: read whose it is */
		f->judging |= running;
		if (running)
			owner_read_marks(f);
		else
			folder_phase_set(f, PHASE_OWNER);
		return;
	}
	if (err) {
		folder_hold(f, err);
		return;
	}
	/* While it was judged the remote was only looked at: from here on it is agreed. */
	if (!note(f, "owned", "1") || (running && !note(f, "contacted", "1"))) return;
	f->judging = false;
	f->intents = true;
	folder_wrote(f);
	if (f->phase == PHASE_OWNER) folder_phase_set(f, PHASE_LISTING);
	folder_wake(f);
}

static void take_put(struct folder *f, const struct err *err) {
	char since[TIME_TEXT_SIZE];
	(void)err;
	time_format(loop_wall_ns(f->loop), since);
	free(f->owner_text);
	f->owner_text = xasprintf("machine: %s\nhost: %s\npath: %s\nsince: %s\n",
		f->sync->machine_id, loop_host(f->loop), f->settings.path, since);
	folder_op_start(f, STORE_PUT, f->owner_key, taken);
	f->op.kind = STORE_FILE;
	f->op.body = f->owner_text;
	f->op.body_len = strlen(f->owner_text);
	f->op.size = (int64_t)f->op.body_len;
	f->op.mtime_ns = loop_wall_ns(f->loop);
	f->op.mode = 0644;
	uint8_t hash[DIGEST_MAX];
	digest_of(f->store->digest, f->owner_text, f->op.body_len, hash);
	f->op.hash = store_hash_from(f->store, hash);
	f->op.if_absent = !f->judging;
	folder_op_go(f);
}

void owner_take(struct folder *f) {
	owner_make_folders(f, OWNER_FOLDER, take_put);
}

/* ---- reading marks ---- */

static char *owner_field(const char *text, const char *name) {
	size_t len = strlen(name);
	for (const char *line = text; line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, name, len) != 0 || line[len] != ':') continue;
		const char *value = line + len + 1;
		while (*value == ' ') value++;
		return xstrndup(value, strcspn(value, "\n"));
	}
	return xstrdup("");
}

static void other_forget(struct folder *f) {
	free(f->other_owner);
	free(f->other_key);
	free(f->other_since);
	f->other_owner = f->other_key = f->other_since = NULL;
}

/* One mark's text: ours, or another owner's; of those above and below the newest is remembered. */
static void mark_judge(struct folder *f, const char *key, const char *text) {
	char *machine = owner_field(text, "machine");
	char *host = owner_field(text, "host");
	char *path = owner_field(text, "path");
	char *since = owner_field(text, "since");
	bool same_machine = str_equal(machine, f->sync->machine_id);
	bool exact = str_equal(key, f->owner_key);
	bool exact_known = f->other_key && str_equal(f->other_key, f->owner_key);
	if (exact && same_machine && str_equal(path, f->settings.path)) {
		free(f->owned_since);
		f->owned_since = xstrdup(since);
	} else if (exact || (!same_machine && !exact_known &&
				    (!f->other_since || strcmp(since, f->other_since) > 0))) {
		/* A mark above or below ours of this very machine is left from another configuration. */
		other_forget(f);
		f->other_owner = xasprintf("%s on host '%s'", path, host);
		f->other_key = xstrdup(key);
		f->other_since = xstrdup(since);
	}
	free(machine);
	free(host);
	free(path);
	free(since);
}

static void mark_next(struct folder *f);

static void mark_read(struct folder *f, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
		return;
	}
	if (!err) mark_judge(f, f->op.key, f->op.answer_body.at);
	mark_next(f);
}

/* ---- what follows from them ---- */

/* Another one took over what was ours: nothing of what is in flight may be written. */
static void displaced(struct folder *f) {
	struct err err;
	if (!f->displaced && !note(f, "displaced", "1")) return;
	f->displaced = f->intents = true;
	err_set(&err, ERR_DENIED,
		"the remote '%s' was taken over by %s: nothing is sent. Stop the other one and "
		"remove '%s' at the remote to take it back, or choose another path",
		f->settings.remote, f->other_owner, f->other_key);
	if (f->phase >= PHASE_RUNNING)
		folder_open_anew(f, &err);
	else
		folder_hold(f, &err);
}

/* What was agreed before somebody else wrote there says nothing: first contact again. */
static bool agreed_forget(struct folder *f) {
	struct err err;
	if (!index_disagree(f->index, &err)) return note(f, "contacted", NULL);
	folder_index_failed(f, &err);
	return false;
}
/* Our mark is gone, though we have a base: an empty mount point looks like this. Only what still has something in it is marked anew. */
static void lost_listed(struct folder *f, const struct err *err) {
	struct err why;
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
		return;
	}
	if (!err && f->op.entry_count) {
		owner_take(f);
		return;
	}
	err_set(&why, ERR_DENIED,
		"the remote '%s' is empty, but %lld files were stored there: is its disk mounted? "
		"To begin "
		"anew stop tendd and remove '%s'",
		f->settings.remote, (long long)index_totals(f->index).files,
		f->index_path ? f->index_path : "the index");
	folder_stop_for_person(f, &why);
}

static void lost_check(struct folder *f) {
	folder_op_start(f, STORE_LIST, f->remote_key, lost_listed);
	f->op.kind = STORE_FOLDER;
	f->op.limit = 10;
	folder_op_go(f);
}

static void another_owns(struct folder *f) {
	if (index_meta_int(f->index, "owned", 0)) {
		displaced(f);
	} else if (f->phase >= PHASE_RUNNING) {
		folder_probe_passed(f); /* judged on: what differed may be equal by now */
	} else if (agreed_forget(f)) {
		f->judging = true;
		log_warn("folder '%s': the remote '%s' was written by %s: nothing is sent unless "
			 "all proves equal",
			f->name, f->settings.remote, f->other_owner);
		folder_phase_set(f, PHASE_LISTING);
	}
}

/* All marks were read. */
/* Where both sides write nobody owns it: our own mark of another mode goes, another one's is a person's business. */
static void unmarked(struct folder *f, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
		return;
	}
	if (!note(f, "owned", NULL) || !note(f, "displaced", NULL)) return;
	f->displaced = false;
	folder_phase_set(f, PHASE_LISTING);
}

static void shared_known(struct folder *f) {
	struct err err;
	if (f->other_owner && f->settings.mode == FOLDER_TWO_WAY) {
		err_set(&err, ERR_DENIED,
			"the remote '%s' is kept one-way by %s, which would undo what is changed "
			"from here: nothing is sent. Give that one 'mode = two-way' too, or stop "
			"it and remove '%s' at the remote",
			f->settings.remote, f->other_owner, f->other_key);
		folder_stop_for_person(f, &err);
		return;
	}
	if (!f->owned_since || f->settings.mode == FOLDER_FETCH) {
		unmarked(f, NULL);
		return;
	}
	folder_op_start(f, STORE_REMOVE, f->owner_key, unmarked);
	f->op.kind = STORE_FILE;
	folder_op_go(f);
}

static void owner_known(struct folder *f) {
	if (folder_brings(f)) {
		f->judging = false;
		shared_known(f);
		return;
	}
	bool exact = f->other_key && str_equal(f->other_key, f->owner_key);
	/* One above or below that is older than ours is the one we took over from. */
	if (f->owned_since && f->other_key && !exact && strcmp(f->other_since, f->owned_since) < 0)
		other_forget(f);
	if (f->other_owner) {
		another_owns(f);
		return;
	}
	bool was_judging = f->judging;
	f->judging = false;
	if (f->displaced) {
		if (!agreed_forget(f) || !note(f, "displaced", NULL)) return;
		f->displaced = false;
	}
	if (f->owned_since) {
		if (!note(f, "owned", "1")) return;
		if (f->phase == PHASE_OWNER) folder_phase_set(f, PHASE_LISTING);
		folder_trouble_clear(f);
	} else if (!was_judging && index_meta_int(f->index, "contacted", 0) &&
		   index_totals(f->index).files) {
		lost_check(f);
	} else {
		owner_take(f);
	}
}

static void mark_next(struct folder *f) {
	char *key = f->owner_marks ? f->owner_marks[f->owner_at] : NULL;
	if (key) {
		f->owner_at++;
		folder_op_start(f, STORE_GET, key, mark_read);
		f->op.kind = STORE_FILE;
		f->op.length = OWNER_MARK_MAX;
		folder_op_go(f);
		return;
	}
	owner_known(f);
}

static bool is_listed(const struct folder *f) {
	for (char **mark = f->owner_marks; mark && *mark; mark++) {
		if (str_equal(*mark, f->owner_key)) return true;
	}
	return false;
}

/* Ours, and those of a path above or below it. */
static void listed(struct folder *f, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
		return;
	}
	for (size_t i = 0; !err && i < f->op.entry_count; i++) {
		const struct store_entry *entry = &f->op.entries[i];
		char *path = xstrdup(entry->name);
		/* "%" alone is the root. */
		if (str_equal(path, "%") || str_percent_decode(path) < 0) path[0] = 0;
		if (entry->kind == STORE_FILE && (path_is_within(path, f->remote_key) ||
							 path_is_within(f->remote_key, path)))
			strv_add_owned(&f->owner_marks, path_join(OWNER_FOLDER, entry->name));
		free(path);
	}
	if (!err && !f->op.complete && f->op.next_token) {
		free(f->list_token);
		f->list_token = xstrdup(f->op.next_token);
		owner_list_start(f);
		return;
	}
	free(f->list_token);
	f->list_token = NULL;
	f->owner_at = 0;
	/* It stands there, or did: a list may lag behind. */
	bool stands = f->owner_stands || index_meta_int(f->index, "owned", 0);
	if (stands && !is_listed(f)) strv_add(&f->owner_marks, f->owner_key);
	mark_next(f);
}

static void owner_list_start(struct folder *f) {
	folder_op_start(f, STORE_LIST, OWNER_FOLDER, listed);
	f->op.kind = STORE_FOLDER;
	f->op.page_token = f->list_token;
	folder_op_go(f);
}

static void about_done(struct folder *f, const struct err *err) {
	if (err) {
		folder_hold(f, err);
		return;
	}
	folder_about_told(f);
	/* That it was taken over stands until the marks say otherwise. */
	if (f->trouble.kind != ERR_NONE && !f->displaced) folder_trouble_clear(f);
	folder_phase_set(f, PHASE_OWNER);
}

static void owner_read_marks(struct folder *f) {
	strv_free(f->owner_marks);
	f->owner_marks = NULL;
	free(f->owned_since);
	f->owned_since = NULL;
	free(f->list_token);
	f->list_token = NULL;
	other_forget(f);
	owner_list_start(f);
}

void owner_check_start(struct folder *f) {
	if (f->phase == PHASE_ABOUT) {
		folder_about_start(f, about_done);
		return;
	}
	f->judging = f->taking = false;
	owner_read_marks(f);
}

/* While it judges: was the other one's mark removed? */
void owner_check_again(struct folder *f) {
	owner_read_marks(f);
}

/* ---- judging ---- */

/* All that is here is there and equal: the remote is ours from now on. */
void owner_judge(struct folder *f) {
	struct err err;
	if (f->held || f->op_in_flight || f->in_flight || !scan_is_idle(f)) return;
	if (index_dirty_count(f->index)) return;
	int64_t strangers = index_totals(f->index).strangers;
	if (!strangers) {
		log_info("folder '%s': all is equal: takes the remote over from %s", f->name,
			f->other_owner);
		f->taking = true;
		owner_take(f);
		return;
	}
	err_set(&err, ERR_DENIED,
		"the remote '%s' is kept by %s and has %lld files and folders that are not here: "
		"nothing is sent. Stop the other one and remove '%s' at the remote to take over, "
		"or choose another path",
		f->settings.remote, f->other_owner, (long long)strangers, f->other_key);
	folder_stop_for_person(f, &err);
}

/* All that the other one left was brought back here: a machine that took its place (SYNC.md §7). */
void owner_restored(struct folder *f) {
	if (f->taking || f->op_in_flight) return;
	log_info("folder '%s': all was brought back: takes the remote over from %s", f->name,
		f->other_owner);
	f->taking = true;
	owner_take(f);
}

bool owner_forbids(struct transfer *t) {
	struct folder *f = t->folder;
	struct err err;
	switch (t->action) {
	case PLAN_NOTHING:
	case PLAN_RECORD:
	case PLAN_ADOPT:
	case PLAN_FORGET:
	case PLAN_REFUSE_KIND: return false;
	default: break;
	}
	/* It was equal when that was asked: what changed since waits until the mark stands. */
	if (f->taking) {
		transfer_again(t, INDEX_WHY_CHANGE, NULL, TAKING_MS);
		return true;
	}
	err_set(&err, ERR_DENIED,
		"the remote '%s' is kept by %s and differs ('%s'): nothing is sent. Stop the other "
		"one and remove "
		"'%s' at the remote to take over, or choose another path",
		f->settings.remote, f->other_owner, t->path, f->other_key);
	folder_stop_for_person(f, &err);
	transfer_again(t, INDEX_WHY_CHANGE, NULL, 0);
	return true;
}

/* ---- somebody else wrote there: is it still ours? ---- */

bool owner_is_another(struct folder *f, const char *mark) {
	other_forget(f);
	if (mark) mark_judge(f, f->owner_key, mark);
	if (!f->other_owner) return false;
	displaced(f);
	return true;
}

static void looked(struct transfer *t, const struct err *err) {
	struct folder *f = t->folder;
	if (err && err->kind != ERR_NOT_FOUND) {
		transfer_fail(t, err);
		return;
	}
	/* If so, every transfer was ended, this one too. */
	if (owner_is_another(f, err ? NULL : t->op.answer_body.at)) return;
	t->owner_then(t);
}

void owner_look(struct transfer *t, void (*then)(struct transfer *transfer)) {
	t->owner_then = then;
	act_op_init(t, STORE_GET, STORE_FILE);
	t->op.key = t->folder->owner_key;
	t->op.length = OWNER_MARK_MAX;
	transfer_submit(t, false, looked);
}
