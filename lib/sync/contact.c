/*
 * First contact: what the remote already has becomes strangers of the index, page by page; the scan that follows adopts what is equal.
 * Without a base nothing is ever deleted, on either side (SYNC.md §7).
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

static void list_next(struct folder *f);

static void made(struct folder *f, const struct err *err) {
	(void)err;
	f->remote_made = true;
	folder_wake(f);
}

int contact_stranger_put(
	struct folder *f, const char *path, const struct store_entry *remote, struct err *err) {
	struct index_entry entry = { .flags = INDEX_STRANGER };
	struct index_entry old;
	bool folder = remote->kind == STORE_FOLDER;
	entry.kind = folder ? INDEX_FOLDER : remote->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE;
	entry.size = remote->size;
	entry.mtime_ns = remote->mtime_ns;
	entry.mode = remote->mode;
	entry.version = remote->version;
	entry.id = remote->id;
	if (remote->marker) entry.flags |= INDEX_MARKER;
	hash_put_told(f->store, &entry, &remote->hash);
	/* Most are new. */
	int added = index_add(f->index, path, &entry, err);
	if (added) return added < 0 ? -1 : 0;
	if (index_get(f->index, path, folder, &old, err) < 0) return -1;
	bool agreed = !(old.flags & INDEX_STRANGER);
	index_entry_release(&old);
	return agreed ? 0 : index_put_again(f->index, path, &entry, err);
}

/* Where folders are no things of their own, those above an object exist by it. */
static int parents_put(struct folder *f, const char *path, struct err *err) {
	struct store_entry folder = {
		.kind = STORE_FOLDER, .mode = STORE_MODE_UNKNOWN, .mtime_ns = STORE_MTIME_UNKNOWN
	};
	char *parent = path_parent(path);
	int result = 0;
	if (*parent) {
		int found = index_has_folder(f->index, parent, err);
		if (found < 0 || (!found && (parents_put(f, parent, err) ||
						    contact_stranger_put(f, parent, &folder, err))))
			result = -1;
	}
	free(parent);
	return result;
}

static int page_put(struct folder *f, struct err *err) {
	for (size_t i = 0; i < f->op.entry_count; i++) {
		const struct store_entry *entry = &f->op.entries[i];
		bool skipped = entry->kind == STORE_LINK && transfer_skips_links(f);
		if (entry->kind == STORE_OTHER || skipped || !entry->name ||
			!path_is_plain(entry->name))
			continue;
		char *path = path_join(f->list_folder, entry->name);
		int failed = 0;
		/* Tend's own, of all folders: nobody's files. */
		if (!*f->remote_key && path_is_within(path, ".tend")) {
			free(path);
			continue;
		}
		if (f->store->caps & STORE_CAP_FLAT_LIST)
			failed = parents_put(f, path, err);
		else if (entry->kind == STORE_FOLDER)
			path_stack_push(&f->list_queue, xstrdup(path));
		failed = failed || contact_stranger_put(f, path, entry, err);
		if (!failed) pull_listed(f, path, entry);
		free(path);
		if (failed) return -1;
	}
	return 0;
}

static void list_done(struct folder *f, const struct err *err) {
	struct err failed;
	/* Where each tenth question fails, a listing of many folders that begins anew each time would never come to its end. */
	if (err && (err->kind == ERR_OFFLINE || err->kind == ERR_BUSY)) {
		f->list_waits = true;
		folder_hold(f, err);
		return;
	}
	if (err && err->kind != ERR_NOT_FOUND) {
		/* A cut listing is no listing: from the start again. */
		path_stack_release(&f->list_queue);
		free(f->list_folder);
		f->list_folder = NULL;
		folder_hold(f, err);
		return;
	}
	if (!err && page_put(f, &failed)) {
		folder_index_failed(f, &failed);
		return;
	}
	turn_end_want(&f->turn_end);
	free(f->list_token);
	f->list_token = !err && f->op.next_token ? xstrdup(f->op.next_token) : NULL;
	if (!f->list_token) {
		free(f->list_folder);
		f->list_folder = NULL;
	}
	list_next(f);
}

static void listed_all(struct folder *f) {
	path_stack_release(&f->list_queue);
	f->remote_listed = true;
	f->pull.listed_ms = folder_clock_ms(f);
	scan_request(f, "");
	folder_phase_set(f, PHASE_EMPTY);
}

static void list_next(struct folder *f) {
	if (!f->list_folder) f->list_folder = path_stack_pop(&f->list_queue);
	if (!f->list_folder) {
		listed_all(f);
		return;
	}
	free(f->list_key);
	f->list_key = folder_key(f, f->list_folder);
	folder_op_start(f, STORE_LIST, f->list_key, list_done);
	f->op.kind = STORE_FOLDER;
	f->op.recursive = (f->store->caps & STORE_CAP_FLAT_LIST) != 0;
	f->op.page_token = f->list_token;
	folder_op_go(f);
}

void contact_make_remote(struct folder *f) {
	owner_make_folders(f, f->remote_key, made);
}

void contact_start(struct folder *f) {
	if (f->settings.mode == FOLDER_FETCH) f->remote_made = true; /* nothing is made there */
	if (!f->remote_made) {
		contact_make_remote(f);
		return;
	}
	if (index_meta_int(f->index, "contacted", 0)) {
		scan_request(f, "");
		folder_phase_set(f, PHASE_SEALING);
		return;
	}
	if (f->list_waits) {
		f->list_waits = false;
		list_next(f);
		return;
	}
	if (!pull_disagree(f)) return;
	path_stack_release(&f->list_queue);
	path_stack_release(&f->pull.marked);
	free(f->list_token);
	f->list_token = NULL;
	free(f->list_folder);
	f->list_folder = xstrdup("");
	list_next(f);
}

/* PHASE_EMPTY: an empty folder before a remote that is not waits; nothing is sent or deleted. */
void contact_empty_check(struct folder *f) {
	struct err err;
	if (!scan_is_idle(f)) return;
	struct index_totals totals = index_totals(f->index);
	bool remote_empty = totals.strangers == 0;
	if (f->held) return;
	if (!remote_empty && pull_wants(f)) {
		pull_start(f);
		return;
	}
	if (!remote_empty && !f->scan.seen && !f->pull.through && !folder_brings(f)) {
		if (f->events) {
			f->events = false;
			scan_request(f, "");
			return;
		}
		if (f->trouble.kind != ERR_NONE) return;
		err_set(&f->trouble, ERR_BUSY,
			"the folder '%s' is empty, but the remote '%s' holds %lld files and "
			"folders: it waits, nothing is sent or deleted. Copy them back, or put the "
			"first file in it",
			f->settings.path, f->settings.remote, (long long)totals.strangers);
		f->needs_person = true;
		log_warn("folder '%s': %s", f->name, f->trouble.text);
		folder_phase_set(f, PHASE_EMPTY);
		barrier_step(f);
		return;
	}
	if (f->judging && f->pull.through) {
		owner_restored(f);
		return;
	}
	err_clear(&f->trouble);
	f->needs_person = false;
	/* While another one's mark stands there, what is found equal is only looked at: a restart looks anew. */
	if ((!f->judging && index_meta_set(f->index, "contacted", "1", &err)) ||
		index_meta_set(f->index, "pulling", NULL, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	f->intents = true;
	turn_end_want(&f->turn_end);
	folder_phase_set(f, PHASE_SEALING);
}
