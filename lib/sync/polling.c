/*
 * What the remote has by now, in the modes that bring it here: a full compare of its listing with the base, folder by folder or in one
 * walk where the store can, unless the store spares it that (polling_ask.c). It decides nothing: what differs becomes news of the index
 * and a path to look at, and what is missing is asked for by its name before anything is believed to be gone (both.c). A listing that
 * was cut says nothing of what it lacks.
 *
 * Memory: eight bytes for each name at the remote while one runs.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/mutant.h"
#include "sync/polling.h"

enum { PAGE_ROWS = 256, MARKS_A_TURN = 500 };

bool folder_brings(const struct folder *f) {
	return f->settings.mode == FOLDER_TWO_WAY || f->settings.mode == FOLDER_FETCH;
}

/* ---- the end of one ---- */

static void release(struct polling *p) {
	path_stack_release(&p->queue);
	free(p->at);
	free(p->token);
	free(p->parent);
	free(p->after);
	free(p->seen);
	p->at = p->token = p->parent = p->after = NULL;
	p->seen = NULL;
	p->count = p->cap = 0;
	index_rows_release(&p->rows);
	p->next = 0;
	index_strangers_release(&p->strangers);
	map_release(&p->touched);
	map_init(&p->touched);
	strv_free(p->moved);
	p->moved = NULL;
	polling_ask_release(p);
}

void polling_rest(struct polling *p, int64_t wait_ms) {
	p->whole |= p->whole_now;
	p->state = POLLING_REST;
	p->waits = false;
	release(p);
	timer_start(&p->timer, wait_ms);
}

bool polling_may_go_on(const struct folder *f) {
	return f->phase == PHASE_RUNNING && !f->held && !f->paused;
}

void polling_ended(struct polling *p) {
	struct folder *f = p->folder;
	int64_t found = p->found;
	if (!polling_remember(p)) return;
	p->ended = p->begun;
	p->whole_now = false;
	polling_rest(p, f->settings.poll_ms);
	if (f->settings.poll_ms <= 0) timer_cancel(&p->timer);
	if (found)
		log_info("folder '%s': %lld paths are others at the remote", f->name,
			(long long)found);
	/* The remote answers: where there is nothing to send, nothing else ends what was refused on the way to here. */
	if (f->trouble.kind != ERR_NONE && !f->held) folder_probe_passed(f);
	trash_prune(f);
	folder_wake(f);
}

/* ---- what no list told ---- */

bool polling_missing(struct polling *p, const char *path, const struct index_entry *row) {
	struct folder *f = p->folder;
	struct index_entry gone = { .kind = row->kind, .flags = INDEX_GONE }, before;
	struct err err;
	bool folder = row->kind == INDEX_FOLDER;
	if (row->flags & INDEX_STRANGER)
		return polling_good(f, index_drop(f->index, path, folder, &err), &err);
	if (row->flags & INDEX_HOLLOW) return true;
	/* What is on its way into it makes it. */
	int below = folder ? index_dirty_below(f->index, path, &err) : 0;
	int got = index_news_get(f->index, path, folder, &before, &err);
	if (!polling_good(f, below, &err) || !polling_good(f, got, &err)) return false;
	bool known = got == 1 && (before.flags & INDEX_GONE);
	if (got == 1) index_entry_release(&before);
	p->again |= below && !known;
	if (known || below) return true;
	if (!polling_good(f, index_news_put(f->index, path, &gone, &err), &err)) return false;
	return polling_mark(p, path, folder, row->size);
}

static bool row_look(struct polling *p, const struct index_row *row) {
	bool folder = row->entry.kind == INDEX_FOLDER;
	char *path = path_join(p->at, row->name);
	bool went_on = true;
	if (!polling_was_seen(p, path, folder) && !transfer_excluded(p->folder, path, folder)) {
		bool ours = polling_is_ours_now(p, path);
		p->again |= ours;
		if (!ours) went_on = polling_missing(p, path, &row->entry);
	}
	if (folder && went_on && !map_get(&p->skipped, path))
		path_stack_push(&p->queue, path);
	else
		free(path);
	return went_on;
}

static void rows_next(struct polling *p) {
	struct folder *f = p->folder;
	struct err err;
	folder_turn(f);
	for (;;) {
		if (!p->at) p->at = path_stack_pop(&p->queue);
		if (!p->at) {
			polling_ended(p);
			return;
		}
		int failed = index_list(f->index, p->at, p->after, PAGE_ROWS, &p->rows, &err);
		if (!polling_good(f, failed, &err)) return;
		bool more = p->rows.count > 0;
		for (p->next = 0; p->next < p->rows.count; p->next++)
			if (!row_look(p, &p->rows.rows[p->next])) return;
		free(p->after);
		p->after = NULL;
		if (more) {
			const struct index_row *last = &p->rows.rows[p->rows.count - 1];
			p->after = xasprintf(
				"%s%s", last->name, last->entry.kind == INDEX_FOLDER ? "/" : "");
		}
		index_rows_release(&p->rows);
		if (more) {
			timer_start(&p->timer, 0); /* others have their turn */
			return;
		}
		free(p->at);
		p->at = NULL;
	}
}

static void rows_begin(struct polling *p) {
	polling_seen_all(p);
	p->state = POLLING_ROWS;
	path_stack_push(&p->queue, xstrdup(""));
	rows_next(p);
}

/* ---- listing ---- */

static void list_next(struct polling *p);

static void page_listed(struct store_op *op, const struct err *err) {
	struct polling *p = container_of(op, struct polling, op);
	struct folder *f = p->folder;
	static const struct err whole = { .kind = ERR_NOT_FOUND };
	struct index_totals totals;
	p->in_flight = false;
	folder_wake(f);
	if (p->state != POLLING_LISTING) return; /* the folder gave it up meanwhile */
	if (err && MUTANT(failed_list_is_whole)) err = &whole;
	if (err && (err->kind == ERR_OFFLINE || err->kind == ERR_BUSY)) {
		p->waits =
			true; /* it goes on with this page: where each tenth question fails, none would come to its end */
		folder_hold(f, err);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		polling_rest(p, 0);
		p->due = true;
		folder_hold(f, err);
		return;
	}
	folder_turn(f);
	for (size_t i = 0; !err && i < op->entry_count; i++)
		if (!polling_listed(p, &op->entries[i])) return;
	free(p->token);
	p->token = !err && op->next_token ? xstrdup(op->next_token) : NULL;
	if (!p->token) {
		free(p->at);
		p->at = NULL;
	}
	totals = index_totals(f->index);
	if (!p->token && !p->queue.count && !p->any && totals.files + totals.links > 0 &&
		!MUTANT(empty_remote_is_believed)) {
		bool of_before = p->writes != f->writes;
		polling_rest(p, 0);
		p->due = true;
		if (!of_before) remote_is_empty(f);
		return;
	}
	list_next(p);
}

static void list_next(struct polling *p) {
	struct folder *f = p->folder;
	if (!polling_may_go_on(f)) {
		p->waits = true;
		return;
	}
	if (!p->at) p->at = path_stack_pop(&p->queue);
	if (!p->at) {
		rows_begin(p);
		return;
	}
	store_op_release(&p->op);
	free(p->key);
	p->key = folder_key(f, p->at);
	store_op_init(&p->op, STORE_LIST, p->key);
	p->op.kind = STORE_FOLDER;
	p->op.recursive = (f->store->caps & STORE_CAP_FLAT_LIST) != 0;
	p->op.page_token = p->token;
	p->op.done = page_listed;
	p->in_flight = true;
	store_start(f->store, &p->op);
}

void polling_list(struct polling *p) {
	p->state = POLLING_LISTING;
	path_stack_push(&p->queue, xstrdup(""));
	list_next(p);
}

/* ---- first contact ---- */

static void strangers_next(struct polling *p) {
	struct folder *f = p->folder;
	struct err err;
	folder_turn(f);
	if (!polling_good(
		    f, index_strangers_next(f->index, MARKS_A_TURN, &p->strangers, &err), &err))
		return;
	for (size_t i = 0; i < p->strangers.count; i++) {
		const struct index_entry *entry = &p->strangers.entries[i];
		if (!polling_mark(
			    p, p->strangers.paths[i], entry->kind == INDEX_FOLDER, entry->size))
			return;
	}
	if (p->strangers.count) {
		timer_start(&p->timer, 0);
		return;
	}
	if (!polling_good(f, index_meta_set(f->index, "strangers_marked", "1", &err), &err)) return;
	p->found = 0; /* they are counted as what they are */
	polling_ended(p);
}

/* ---- for the folder ---- */

static void begin(struct polling *p) {
	struct folder *f = p->folder;
	struct err err;
	p->due = false;
	timer_cancel(&p->timer);
	release(p);
	p->begun++;
	p->writes = f->writes;
	p->found = 0;
	p->any = false;
	/* They were listed when this folder and its remote met. */
	if (!index_meta_int(f->index, "strangers_marked", 0)) {
		p->state = POLLING_STRANGERS;
		strangers_next(p);
		return;
	}
	int any = index_news_any(f->index, &err);
	if (!polling_good(f, any, &err)) return;
	p->any_news = any == 1;
	bool knows = p->whole || p->changes || p->root_version || polling_token_take(p);
	p->whole_now = p->whole || (p->begun == 1 && !knows);
	p->whole = false;
	polling_ask(p);
}

static void passed(struct timer *timer) {
	struct polling *p = container_of(timer, struct polling, timer);
	if (p->in_flight) return;
	if (p->state == POLLING_ROWS && polling_may_go_on(p->folder)) {
		rows_next(p);
	} else if (p->state == POLLING_STRANGERS && polling_may_go_on(p->folder)) {
		strangers_next(p);
	} else {
		p->state = POLLING_REST;
		p->due = true;
		folder_wake(p->folder);
	}
}

/* From folder_step, while it runs. */
void polling_step(struct folder *f) {
	struct polling *p = f->polling;
	if (!folder_brings(f) || p->in_flight || !polling_may_go_on(f)) return;
	if (p->waits) {
		p->waits = false;
		list_next(p);
		return;
	}
	if (p->state != POLLING_REST || (!p->begun && polling_token_waits(p))) return;
	if (p->due || !p->begun) begin(p);
}

/* One that begins after this call; its number, for polling_passed(). */
int64_t polling_request(struct folder *f) {
	struct polling *p = f->polling;
	if (!folder_brings(f)) return 0;
	p->due = true;
	folder_wake(f);
	return p->begun + 1;
}

void polling_whole_next(struct folder *f) {
	if (!f->polling) return;
	f->polling->whole = true; /* the token goes with what this turn commits */
	turn_end_want(&f->turn_end);
}

void polling_rules_read(struct folder *f) {
	/* Those of a start are compared with those of the token, when all are known. */
	if (f->scans || !polling_token_waits(f->polling)) polling_whole_next(f);
}

int64_t polling_request_whole(struct folder *f) {
	polling_whole_next(f);
	return polling_request(f);
}

bool polling_passed(const struct folder *f, int64_t number) {
	return f->polling->ended >= number;
}

int64_t polling_found(const struct folder *f) {
	return f->polling->found;
}

/* `poll` is another one. */
void polling_again(struct folder *f) {
	struct polling *p = f->polling;
	if (p->state != POLLING_REST || !p->begun) return;
	timer_cancel(&p->timer);
	if (f->settings.poll_ms > 0) timer_start(&p->timer, f->settings.poll_ms);
}

void polling_touched(struct folder *f, const char *path) {
	f->writes++;
	if (f->polling && f->polling->state != POLLING_REST) map_put(&f->polling->touched, path, f);
}

void polling_moved(struct folder *f, const char *from, const char *to) {
	f->writes++;
	if (!f->polling || f->polling->state == POLLING_REST) return;
	strv_add(&f->polling->moved, from);
	strv_add(&f->polling->moved, to);
}

/* A folder that was found to be missing while something is sent into it loses its row, and keeps those of what lies in it. Until it is
 * made again a walk over the rows comes to none of them, and no change tells of what went before that walk: they are compared by one
 * that begins after. */
bool polling_folder_back(struct folder *f, const char *path) {
	struct err err;
	if (!folder_brings(f)) return true;
	int has = index_has_folder(f->index, path, &err);
	int holds = has ? has : index_has_children(f->index, path, true, &err);
	if (!polling_good(f, holds, &err)) return false;
	if (!has && holds) polling_whole_next(f);
	return true;
}

void polling_stop(struct folder *f) {
	struct polling *p = f->polling;
	polling_rest(p, 0);
	polling_forget(p); /* the index may be opened as it was before */
	timer_cancel(&p->timer);
	p->due = true;
	if (p->in_flight) store_cancel(f->store, &p->op);
}

bool polling_is_busy(const struct folder *f) {
	return f->polling->in_flight;
}

void polling_new(struct folder *f) {
	struct polling *p = xcalloc(1, sizeof(*p));
	p->folder = f;
	f->polling = p;
	map_init(&p->touched);
	map_init(&p->skipped);
	timer_init(&p->timer, f->loop, passed);
	store_op_init(&p->op, STORE_ABOUT, "");
}

void polling_free(struct folder *f) {
	struct polling *p = f->polling;
	if (!p) return;
	timer_cancel(&p->timer);
	release(p);
	polling_forget(p);
	map_release(&p->touched);
	map_release(&p->skipped);
	store_op_release(&p->op);
	free(p->key);
	free(p);
	f->polling = NULL;
}
