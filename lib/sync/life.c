/* A folder's birth and end, and the orders that people give it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sync/internal.h"

/* Keeps the index aside under another name and begins a new one: that costs an adoption, never data. */
static struct index *index_begin_anew(struct folder *f, const char *suffix, struct err *err) {
	char *aside = xasprintf("%s%s", f->index_path, suffix);
	int failed = rename(f->index_path, aside);
	free(aside);
	for (int i = 0; i < 2 && !failed; i++) {
		char *side = xasprintf("%s%s", f->index_path, i ? "-shm" : "-wal");
		unlink(side);
		free(side);
	}
	if (failed) {
		err_sys(err, errno, "cannot move '%s' aside", f->index_path);
		return NULL;
	}
	return index_open(f->index_path, err);
}

static struct index *index_renew(struct folder *f, struct err *err) {
	log_warn("folder '%s': its index is damaged (%s): kept as '%s.damaged', a new one begins "
		 "and "
		 "what both sides have is compared",
		f->name, err->text, f->index_path);
	return index_begin_anew(f, ".damaged", err);
}

char *folder_place(
	const struct folder_settings *settings, const struct store *store, const char *remote_key) {
	return xasprintf("%s\n%s\n%s", settings->path, store->label, remote_key);
}

/* What was agreed between other places says nothing about these: by it a new folder would look like one from which everything
 * was deleted (SERVICES.md §3: rebuild). */
static int index_check_place(struct folder *f, struct err *err) {
	char *place = folder_place(&f->settings, f->store, f->remote_key);
	char *before = index_meta_get(f->index, "place");
	int result = 0;
	if (before && !str_equal(before, place) && f->index_path) {
		int64_t paused = index_meta_int(f->index, "paused", 0);
		log_info("folder '%s': another path or remote than before: its index is kept as "
			 "'%s.before', a new one begins and what both sides have is compared",
			f->name, f->index_path);
		index_close(f->index);
		f->index = index_begin_anew(f, FOLDER_INDEX_BEFORE, err);
		if (!f->index || (paused && index_meta_set(f->index, "paused", "1", err)))
			result = -1;
	}
	char *remote = f->index ? index_meta_get(f->index, "remote") : NULL;
	if (result == 0 && !(str_equal(before, place) && str_equal(remote, f->settings.remote))) {
		result = index_meta_set(f->index, "place", place, err) ||
			 index_meta_set(f->index, "remote", f->settings.remote, err) ||
			 index_commit(f->index, false, err);
		if (result) result = -1;
	}
	free(remote);
	free(before);
	free(place);
	return result;
}

int folder_index_open(struct folder *f, struct err *err) {
	const struct sync_ground *ground = f->sync->ground;
	f->index = ground ? ground->index_open(ground->user, f->name, err)
			  : index_open(f->index_path, err);
	if (!f->index && f->index_path && err->kind == ERR_CORRUPT) f->index = index_renew(f, err);
	if (!f->index || index_check_place(f, err) || brake_load(f, err) || mounts_load(f, err) ||
		intent_remember(f, err) || bring_resume_load(f, err)) {
		index_close(f->index);
		f->index = NULL;
		return err_wrap(err, "cannot open the index of folder '%s'", f->name);
	}
	f->paused = index_meta_int(f->index, "paused", 0) != 0;
	f->displaced = index_meta_int(f->index, "displaced", 0) != 0;
	f->epoch = index_meta_int(f->index, "sealed", 0) + 1;
	restore_load(f);
	return 0;
}

struct folder *folder_new(struct sync *sync, const char *name,
	const struct folder_settings *settings, struct store *store, struct err *err) {
	struct folder *f = xcalloc(1, sizeof(*f));
	char *remote = NULL, *flat = NULL;
	f->sync = sync;
	f->loop = sync->loop;
	f->name = xstrdup(name);
	f->store = store;
	config_settings_copy(&sync_folder_table, &f->settings, settings);
	list_init(&f->transfers);
	list_init(&f->submits);
	list_init(&f->op_submit.link);
	list_init(&f->pasts);
	list_init(&f->fetches);
	list_init(&f->restores);
	list_init(&f->waits);
	list_init(&f->pair_waiters);
	list_init(&f->link);
	map_init(&f->by_path);
	map_init(&f->wanted);
	map_init(&f->unlisted);
	mounts_init(f);
	map_init(&f->not_kept);
	map_init(&f->paces);
	if (folder_remote_split(settings->remote, &remote, &f->remote_key, err)) goto fail;
	flat = path_flatten(f->remote_key);
	f->owner_key = xasprintf(".tend/owner/%s", flat);
	if (sync->state_dir) f->index_path = xasprintf("%s/folders/%s.db", sync->state_dir, name);
	/* A disk that is full or broken is this folder's trouble: it opens its index again and again, the rest of the house lives. */
	if (folder_index_open(f, err)) {
		f->index = index_open(NULL, err);
		if (!f->index || !f->index_path) goto fail;
		f->index_broken = true;
	}
	f->ignore = ignore_new();
	timer_init(&f->due_timer, f->loop, folder_due_passed);
	timer_init(&f->hold_timer, f->loop, folder_hold_passed);
	timer_init(&f->sync_timer, f->loop, durable_quiet);
	timer_init(&f->rescan_timer, f->loop, folder_rescan_passed);
	timer_init(&f->attempt_timer, f->loop, folder_attempt_passed);
	timer_init(&f->commit_timer, f->loop, folder_commit_passed);
	brake_init(f);
	defer_init(&f->step_defer, folder_step);
	prune_new(f);
	verify_new(f);
	polling_new(f);
	forget_new(f);
	turn_end_add(f->loop, &f->turn_end, folder_turn_ended);
	unit_init(&f->unit, sync->graph, UNIT_FOLDER, name, &folder_unit_calls);
	list_add_tail(&sync->folders, &f->link);
	free(remote);
	free(flat);
	return f;
fail:
	free(remote);
	free(flat);
	index_close(f->index);
	mounts_release(f);
	config_settings_release(&sync_folder_table, &f->settings);
	free(f->owner_key);
	free(f->remote_key);
	free(f->index_path);
	free(f->name);
	free(f);
	return NULL;
}

void folder_free(struct folder *f) {
	void (*closed)(void *) = f->closed;
	void *user = f->closed_user;
	struct err err;
	if (polling_commit(f, true, &err))
		log_warn("folder '%s': cannot write its index: %s", f->name, err.text);
	index_close(f->index);
	prune_free(f);
	verify_free(f);
	polling_free(f);
	forget_free(f);
	strangers_release(f);
	store_op_release(&f->op);
	turn_end_remove(&f->turn_end);
	unit_release(&f->unit);
	list_remove(&f->link);
	map_release(&f->by_path);
	map_release(&f->wanted);
	map_release(&f->unlisted);
	mounts_release(f);
	free(f->root_refused);
	free(f->open.known);
	strv_free(f->open.samples);
	map_release(&f->not_kept);
	pace_release(f);
	weigh_release(f);
	moving_release(f);
	free(f->pull.text);
	path_stack_release(&f->pull.marked);
	free(f->abandoned_path);
	free(f->abandoned_session);
	ignore_free(f->ignore);
	config_settings_release(&sync_folder_table, &f->settings);
	path_stack_release(&f->list_queue);
	free(f->list_folder);
	free(f->list_token);
	free(f->list_key);
	free(f->owned_since);
	free(f->other_owner);
	free(f->other_key);
	free(f->other_since);
	free(f->owner_text);
	strv_free(f->owner_marks);
	free(f->make_path);
	free(f->make_part);
	free(f->unsealed_cursor);
	free(f->degraded);
	free(f->server_known);
	free(f->owner_key);
	free(f->remote_key);
	free(f->index_path);
	free(f->name);
	free(f);
	if (closed) closed(user);
}

int folder_apply(struct folder *f, const struct folder_settings *settings, struct err *err) {
	bool rules = !strv_equal(f->settings.include, settings->include) ||
		     !strv_equal(f->settings.exclude, settings->exclude) ||
		     f->settings.symlinks != settings->symlinks;
	bool rescan = f->settings.rescan_ms != settings->rescan_ms;
	bool verify = f->settings.verify_ms != settings->verify_ms;
	bool poll = f->settings.poll_ms != settings->poll_ms;
	struct folder_settings old = f->settings;
	(void)err;
	config_settings_copy(&sync_folder_table, &f->settings, settings);
	config_settings_release(&sync_folder_table, &old);
	if (folder_sqlite_changed(f)) rules = true;
	if (rules) {
		folder_load_rules(f);
		scan_rules_changed(f);
	}
	if (rescan && f->phase >= PHASE_RUNNING) {
		timer_cancel(&f->rescan_timer);
		if (f->settings.rescan_ms > 0) timer_start(&f->rescan_timer, f->settings.rescan_ms);
	}
	prune_again(f);
	if (verify) verify_again(f);
	if (poll) polling_again(f);
	folder_wake(f);
	return 0;
}

/* The keys alone: what is known of .tendignore files holds until a scan reads them anew. */
void folder_load_rules(struct folder *f) {
	ignore_clear_keys(f->ignore);
	for (size_t i = 0; f->settings.exclude && f->settings.exclude[i]; i++)
		ignore_add_exclude(f->ignore, f->settings.exclude[i]);
	for (size_t i = 0; f->settings.include && f->settings.include[i]; i++)
		ignore_add_include(f->ignore, f->settings.include[i]);
}

void folder_sync(struct folder *f) {
	struct err err;
	if (f->phase != PHASE_RUNNING) {
		if (f->held) timer_start(&f->hold_timer, 0);
		return;
	}
	if (index_hurry(f->index, INT64_MAX, folder_clock_ms(f), &err)) {
		folder_index_failed(f, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	if (f->held) timer_start(&f->hold_timer, 0);
	polling_request(f);
	scan_request(f, "");
}

static void pause_set(struct folder *f, bool paused) {
	struct err err;
	if (f->paused == paused) return;
	f->paused = paused;
	if (index_meta_set(f->index, "paused", paused ? "1" : NULL, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	turn_end_want(&f->turn_end);
	log_info("folder '%s': %s", f->name, paused ? "paused" : "goes on after a pause");
	folder_changed(f);
	folder_wake(f);
}

void folder_pause(struct folder *f) {
	pause_set(f, true);
}

void folder_resume(struct folder *f) {
	pause_set(f, false);
}

struct unit *folder_unit(struct folder *f) {
	return &f->unit;
}

const char *folder_name(const struct folder *f) {
	return f->name;
}
