/*
 * verify: does the remote still hold what the base says? A full compare by listings, folder by
 * folder, one operation at a time, in the background. It deletes nothing: what it finds missing or
 * changed becomes a path to look at, and is sent again, after it was asked for by name. Memory holds
 * eight bytes for each name of the folder that is being listed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/verify.h"

enum {
	AGAIN_MS = 600000, /* after an error, or while the folder is in trouble */
	YOUNG_MS = 60000,  /* not in the first minute of a run */
	PAGE = 256,
	OWNER_FRESH_MS = 2000,
};

static void list_next(struct verify *v);
static void begin(struct verify *v);

static void at_end(struct verify *v) {
	free(v->at);
	free(v->token);
	free(v->after);
	free(v->seen);
	v->at = v->token = v->after = NULL;
	v->seen = NULL;
	v->seen_count = v->seen_cap = 0;
	index_rows_release(&v->rows);
	v->next = 0;
	path_stack_release(&v->suspects);
}

static void rest(struct verify *v, int64_t wait_ms) {
	v->state = VERIFY_REST;
	v->read_all = false;
	verify_path_end(v);
	at_end(v);
	path_stack_release(&v->queue);
	timer_start(&v->timer, wait_ms);
}

static bool may_go_on(const struct folder *f) {
	return f->phase == PHASE_RUNNING && !f->held && !f->paused && !f->judging;
}

void verify_give_up(struct verify *v, const struct err *err) {
	v->trouble = *err;
	log_info("folder '%s': verify is put off: %s", v->folder->name, err->text);
	rest(v, AGAIN_MS);
	folder_changed(v->folder);
}

/* ---- operations ---- */

static void op_ended(struct store_op *op, const struct err *err) {
	struct verify *v = container_of(op, struct verify, op);
	v->in_flight = false;
	folder_wake(v->folder);
	if (v->state == VERIFY_REST) return; /* the folder gave it up meanwhile */
	v->op_done(v, err);
}

void verify_op_init(struct verify *v, enum store_verb verb, enum store_kind kind, const char *path,
	void (*done)(struct verify *v, const struct err *err)) {
	store_op_release(&v->op);
	free(v->key);
	v->key = folder_key(v->folder, path);
	store_op_init(&v->op, verb, v->key);
	v->op.kind = kind;
	v->op.done = op_ended;
	v->op_done = done;
	v->in_flight = true;
}

static bool wants_read(const struct verify *v, const struct index_entry *row) {
	enum digest_kind digest;
	uint32_t random;
	bool known = hash_row_digest(row, &digest), database = (row->flags & INDEX_DATABASE) != 0;
	if (row->kind != INDEX_FILE || (!known && database) || row->size == 0) return false;
	if (v->read_all) return true;
	if (v->folder->settings.verify_read <= 0) return false;
	loop_random(v->folder->loop, &random, sizeof(random));
	return random % 100 < (uint64_t)v->folder->settings.verify_read;
}

/* ---- the rows of the folder that was listed ---- */

/* FNV-1a; two names of one hash in one folder hide that one of them is missing until the next run. */
static uint64_t name_hash(const char *name, bool folder) {
	uint64_t hash = 14695981039346656037ULL;
	for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 1099511628211ULL;
	return folder ? (hash ^ '/') * 1099511628211ULL : hash;
}

static int compare_hashes(const void *left, const void *right) {
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

static bool was_seen(const struct verify *v, const char *name, bool folder) {
	uint64_t hash = name_hash(name, folder);
	return v->seen_count &&
	       bsearch(&hash, v->seen, v->seen_count, sizeof(hash), compare_hashes) != NULL;
}

/* Where folders are no things of their own, one without a marker is there by what lies in it. */
static bool stands_alone(const struct folder *f, const struct index_entry *row) {
	return row->kind != INDEX_FOLDER || (f->store->caps & STORE_CAP_FOLDERS) ||
	       (row->flags & INDEX_MARKER);
}

/* True: an operation is on its way. */
static bool row_compare(struct verify *v, struct index_row *row) {
	struct folder *f = v->folder;
	bool folder = row->entry.kind == INDEX_FOLDER;
	if (row->entry.flags & INDEX_STRANGER) return false;
	char *path = path_join(v->at, row->name);
	if (folder) path_stack_push(&v->queue, xstrdup(path));
	v->compared += !folder;
	if (!folder_brings(f) && !was_seen(v, row->name, folder) && stands_alone(f, &row->entry) &&
		!verify_is_under_way(f, path)) {
		verify_ask(v, path, folder, row->entry.kind);
		return true;
	}
	if (folder || !wants_read(v, &row->entry) || verify_is_under_way(f, path)) {
		free(path);
		return false;
	}
	verify_read(v, path, row);
	return true;
}

/* The caller's. */
static char *counted(const struct verify *v) {
	if (v->news || (v->changed && folder_brings(v->folder)))
		return xasprintf("%lld files compared: %lld are others at the remote, and taken "
				 "over; %lld were not as they were stored, %s",
			(long long)v->compared, (long long)v->news, (long long)v->changed,
			v->folder->settings.mode == FOLDER_FETCH
				? "and fetch sends nothing: mend them there"
				: "sent again");
	if (!v->missing && !v->changed)
		return xasprintf(
			"%lld files compared, all as they were stored", (long long)v->compared);
	return xasprintf("%lld files compared: %lld were missing at the remote and %lld were not "
			 "as they were stored, sent again",
		(long long)v->compared, (long long)v->missing, (long long)v->changed);
}

/* The caller's. */
static char *outcome(const struct verify *v) {
	char *text = counted(v);
	if (!v->unread) return text;
	char *more =
		xasprintf("%s; %lld had been adopted by size and time: they are read here now, and "
			  "sent where they differ",
			text, (long long)v->unread);
	free(text);
	return more;
}

static void ended(struct verify *v) {
	struct folder *f = v->folder;
	struct err err;
	char now[32];
	char *text = outcome(v);
	if (!v->missing && !v->changed)
		log_info("folder '%s': verify: %s", f->name, text);
	else
		log_warn("folder '%s': verify: %s", f->name, text);
	snprintf(now, sizeof(now), "%lld", (long long)loop_wall_ns(f->loop));
	int failed = index_meta_set(f->index, "verified", now, &err) ||
		     index_meta_set(f->index, "verify_text", text, &err);
	free(text);
	if (!verify_index_good(v, failed, &err)) return;
	turn_end_want(&f->turn_end);
	err_clear(&v->trouble);
	rest(v, 0);
	timer_cancel(&v->timer); /* verify_step sets the next */
	folder_changed(f);
}

void verify_go_on(struct verify *v) {
	struct folder *f = v->folder;
	struct err err;
	if (!may_go_on(f)) {
		err_set(&err, ERR_BUSY, "the folder itself is in trouble, paused or stopping");
		verify_give_up(v, &err);
		return;
	}
	v->state = VERIFY_ASKING;
	char *suspect = path_stack_pop(&v->suspects);
	if (suspect) {
		verify_ask(v, suspect, false, INDEX_FILE);
		return;
	}
	v->state = VERIFY_ROWS;
	while (v->next < v->rows.count)
		if (row_compare(v, &v->rows.rows[v->next++])) return;
	if (v->rows.count) {
		const struct index_row *last = &v->rows.rows[v->rows.count - 1];
		bool folder = last->entry.kind == INDEX_FOLDER;
		free(v->after);
		v->after = xasprintf("%s%s", last->name, folder ? "/" : "");
	}
	index_rows_release(&v->rows);
	v->next = 0;
	if (!verify_index_good(
		    v, index_list(f->index, v->at, v->after, PAGE, &v->rows, &err), &err))
		return;
	if (v->rows.count) {
		timer_start(&v->timer, 0); /* others have their turn */
		return;
	}
	at_end(v);
	list_next(v);
}

/* ---- listing ---- */

void remote_is_empty(struct folder *f) {
	struct verify *v = f->verify;
	struct err err;
	err_set(&err, ERR_DENIED,
		"the remote '%s' is wholly empty, but %lld files were stored there: is its disk "
		"mounted, is it "
		"the right bucket? Nothing is sent. To begin anew stop tendd and remove '%s'",
		f->settings.remote, (long long)index_totals(f->index).files,
		f->index_path ? f->index_path : "the index");
	v->trouble = err;
	f->remote_empty = true;
	rest(v, AGAIN_MS);
	folder_stop_for_person(f, &err);
}

static bool agreed_anything(const struct folder *f) {
	struct index_totals totals = index_totals(f->index);
	return totals.files + totals.links + totals.folders > 0;
}

static void entry_listed(struct verify *v, const struct store_entry *entry) {
	struct folder *f = v->folder;
	struct index_entry row;
	struct err err;
	bool folder = entry->kind == STORE_FOLDER;
	if (!entry->name || !path_is_plain(entry->name)) return;
	if (!*v->at && str_equal(entry->name, ".tend")) return;
	v->any = true;
	if (v->seen_count == v->seen_cap) {
		v->seen_cap = v->seen_cap ? v->seen_cap * 2 : 256;
		v->seen = xrealloc(v->seen, v->seen_cap * sizeof(*v->seen));
	}
	v->seen[v->seen_count++] = name_hash(entry->name, folder);
	if (folder) return;
	char *path = path_join(v->at, entry->name);
	if (index_get(f->index, path, false, &row, &err) == 1) {
		bool link = row.kind == INDEX_LINK;
		bool same = link == (entry->kind == STORE_LINK) &&
			    (entry->version && row.version ? str_equal(entry->version, row.version)
							   : entry->size == row.size);
		if (!same && !(row.flags & INDEX_STRANGER) && !verify_is_under_way(f, path))
			path_stack_push(&v->suspects, xstrdup(path));
		index_entry_release(&row);
	}
	free(path);
}

static void page_listed(struct verify *v, const struct err *err) {
	struct folder *f = v->folder;
	if (err && err->kind != ERR_NOT_FOUND) {
		verify_give_up(v, err); /* a cut listing is no listing */
		return;
	}
	for (size_t i = 0; !err && i < v->op.entry_count; i++) entry_listed(v, &v->op.entries[i]);
	free(v->token);
	v->token = !err && v->op.next_token ? xstrdup(v->op.next_token) : NULL;
	if (v->token) {
		list_next(v);
		return;
	}
	if (!*v->at && !v->any && agreed_anything(f)) {
		if (v->writes == f->writes) {
			remote_is_empty(f);
		} else {
			at_end(v); /* it may be of before */
			begin(v);
		}
		return;
	}
	if (v->seen_count) qsort(v->seen, v->seen_count, sizeof(*v->seen), compare_hashes);
	verify_go_on(v);
}

static void list_next(struct verify *v) {
	struct folder *f = v->folder;
	if (!v->at) v->at = path_stack_pop(&v->queue);
	if (!v->at) {
		ended(v);
		return;
	}
	if (folder_brings(f)) { /* the poll has listed it all */
		verify_go_on(v);
		return;
	}
	v->state = VERIFY_LISTING;
	verify_op_init(v, STORE_LIST, STORE_FOLDER, v->at, page_listed);
	v->op.page_token = v->token;
	store_start(f->store, &v->op);
}

static void owner_read(struct verify *v, const struct err *err) {
	if (err && err->kind != ERR_NOT_FOUND) {
		verify_give_up(v, err);
		return;
	}
	if (owner_is_another(v->folder, err ? NULL : v->op.answer_body.at)) return;
	v->owner_ms = folder_clock_ms(v->folder);
	v->owner_then(v);
}

/* What another owner made of it since is no damage to mend (SYNC.md §7). */
void verify_owner(struct verify *v, void (*then)(struct verify *v)) {
	struct folder *f = v->folder;
	if (v->owner_ms && folder_clock_ms(f) - v->owner_ms < OWNER_FRESH_MS) {
		then(v);
		return;
	}
	v->owner_then = then;
	v->state = VERIFY_OWNER;
	verify_op_init(v, STORE_GET, STORE_FILE, "", owner_read);
	v->op.key = f->owner_key;
	v->op.length = OWNER_MARK_MAX;
	store_start(f->store, &v->op);
}

static void begin(struct verify *v) {
	v->compared = v->read = v->missing = v->changed = v->news = v->unread = 0;
	v->any = false;
	v->writes = v->folder->writes;
	timer_cancel(&v->timer);
	path_stack_push(&v->queue, xstrdup(""));
	v->owner_ms = 0;
	if (folder_brings(v->folder)) {
		v->state = VERIFY_POLLING;
		v->poll = polling_request_whole(v->folder);
	} else {
		verify_owner(v, list_next);
	}
	folder_changed(v->folder);
}

static void poll_wait(struct verify *v) {
	struct folder *f = v->folder;
	struct err err = f->trouble;
	if (!may_go_on(f)) {
		if (err.kind == ERR_NONE)
			err_set(&err, ERR_BUSY, "the folder is in trouble, paused or stopping");
		verify_give_up(v, &err);
	} else if (polling_passed(f, v->poll)) {
		v->news = polling_found(f);
		list_next(v);
	}
}

/* ---- for the folder ---- */

static void verify_due(struct timer *timer) {
	struct verify *v = container_of(timer, struct verify, timer);
	if (v->in_flight) return;
	if (v->state == VERIFY_ROWS)
		verify_go_on(v);
	else if (v->state == VERIFY_REST && may_go_on(v->folder))
		begin(v);
	else
		timer_start(timer, AGAIN_MS);
}

/* From folder_step, while it runs: when is the next one due? */
void verify_step(struct folder *f) {
	struct verify *v = f->verify;
	struct err err;
	char text[32];
	if (v->state == VERIFY_POLLING) poll_wait(v);
	/* Where things come here each poll compares all of it, but for the bytes. */
	if (v->state != VERIFY_REST || v->in_flight || timer_running(&v->timer) ||
		f->settings.verify_ms <= 0 || (folder_brings(f) && f->settings.verify_read <= 0))
		return;
	int64_t now = loop_wall_ns(f->loop), last = index_meta_int(f->index, "verified", 0);
	if (!last || last > now) { /* the first contact has just listed it all */
		last = now;
		snprintf(text, sizeof(text), "%lld", (long long)now);
		if (!verify_index_good(v, index_meta_set(f->index, "verified", text, &err), &err))
			return;
		turn_end_want(&f->turn_end);
	}
	int64_t wait_ms = f->settings.verify_ms - (now - last) / NS_PER_MS;
	timer_start(&v->timer, wait_ms > YOUNG_MS ? wait_ms : YOUNG_MS);
}

/* `verify` is another one. */
void verify_again(struct folder *f) {
	if (f->verify->state == VERIFY_REST) timer_cancel(&f->verify->timer);
	folder_wake(f);
}

int folder_verify(struct folder *f, bool read, struct err *err) {
	struct verify *v = f->verify;
	if (!may_go_on(f))
		return err_set(err, ERR_BUSY, "folder '%s' is %s: nothing can be compared now",
			f->name, folder_phase_name(f));
	if (v->in_flight && v->state == VERIFY_REST)
		return err_set(
			err, ERR_BUSY, "folder '%s' is giving up an earlier compare", f->name);
	v->read_all |= read; /* of what is still to come, where one runs already */
	err_clear(&v->trouble);
	if (v->state == VERIFY_REST) begin(v);
	return 0;
}

void verify_status(struct folder *f, struct folder_status *status) {
	const struct verify *v = f->verify;
	status->verifying = v->state != VERIFY_REST;
	status->verify_trouble = v->trouble.kind == ERR_NONE ? NULL : v->trouble.text;
	status->verify_text = index_meta_get(f->index, "verify_text");
	status->verified_ns = status->verify_text ? index_meta_int(f->index, "verified", 0) : 0;
	status->verify_compared = v->compared;
	status->verify_read = v->read;
	status->verify_missing = v->missing;
	status->verify_changed = v->changed;
}

/* The remote was found wholly empty: has it anything again? */
static void probed(struct folder *f, const struct err *err) {
	struct err why = f->trouble;
	bool any = false;
	for (size_t i = 0; !err && i < f->op.entry_count; i++)
		any |= f->op.entries[i].name &&
		       (*f->remote_key || !str_equal(f->op.entries[i].name, ".tend"));
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
	} else if (!any) {
		folder_stop_for_person(f, &why);
	} else {
		f->remote_empty = false;
		folder_trouble_clear(f);
	}
}

void verify_probe(struct folder *f) {
	folder_op_start(f, STORE_LIST, f->remote_key, probed);
	f->op.kind = STORE_FOLDER;
	f->op.limit = 10;
	folder_op_go(f);
}

void verify_stop(struct folder *f) {
	struct verify *v = f->verify;
	rest(v, 0);
	timer_cancel(&v->timer);
	if (v->in_flight) store_cancel(f->store, &v->op);
}

bool verify_is_busy(const struct folder *f) {
	return f->verify->in_flight;
}

void verify_new(struct folder *f) {
	struct verify *v = xcalloc(1, sizeof(*v));
	v->folder = f;
	f->verify = v;
	timer_init(&v->timer, f->loop, verify_due);
	store_op_init(&v->op, STORE_ABOUT, "");
}

void verify_free(struct folder *f) {
	struct verify *v = f->verify;
	if (!v) return;
	timer_cancel(&v->timer);
	verify_path_end(v);
	at_end(v);
	path_stack_release(&v->queue);
	store_op_release(&v->op);
	free(v->key);
	free(v);
	f->verify = NULL;
}
