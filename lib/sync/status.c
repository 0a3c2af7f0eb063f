/* How a folder stands, for `tend status`. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

static int64_t plain_count(struct folder *f) {
	char **paths = NULL;
	int64_t count = 0;
	struct err err;
	if (index_plain(f->index, 0, &count, &paths, &err)) count = 0;
	strv_free(paths);
	return count;
}

/* Folders at work on one remote share what it allows. */
static double share_of(const struct folder *f) {
	int busy = 0;
	list_each(&f->sync->folders, link) {
		const struct folder *other = list_entry(link, struct folder, link);
		busy += other->store == f->store && index_dirty_count(other->index) > 0;
	}
	return f->store->makes_per_second / (busy > 1 ? busy : 1);
}

static int64_t left_s(const struct folder *f, const struct folder_status *status) {
	bool runs = f->phase == PHASE_RUNNING || f->phase == PHASE_FLUSHING;
	int64_t held = status->held_files + status->held_folders;
	if (f->store->makes_per_second <= 0 || !runs || f->held || f->paused) return -1;
	return estimate_left_s(
		&f->estimate, status->pending - held, share_of(f), folder_clock_ms(f));
}

static const char *mode_name(int mode) {
	switch ((enum folder_mode)mode) {
	case FOLDER_MIRROR: return "mirror";
	case FOLDER_TWO_WAY: return "two-way";
	case FOLDER_FETCH: return "fetch";
	case FOLDER_BACKUP: break;
	}
	return "backup";
}

void folder_status(struct folder *f, struct folder_status *status) {
	struct index_totals totals = index_totals(f->index);
	struct err err;
	int64_t pending = 0, refused = 0;
	*status = (struct folder_status){ .state = folder_phase_name(f),
		.path = xstrdup(f->settings.path),
		.remote = xstrdup(f->settings.remote),
		.mode = mode_name(f->settings.mode),
		.paused = f->paused,
		.needs_person = f->needs_person,
		.trouble = f->trouble,
		.degraded = xstrdup(f->degraded),
		.watched_by = f->watch ? watch_way(f->watch) : NULL,
		.files = totals.files,
		.folders = totals.folders,
		.links = totals.links,
		.size_bytes = totals.bytes,
		/* Where they are brought here they are work, not a question to a person. */
		.strangers = folder_brings(f) ? 0 : totals.strangers,
		.not_kept = (int64_t)map_count(&f->not_kept),
		.plain_databases = plain_count(f),
		.sent_files = f->sent_files,
		.sent_bytes = f->sent_bytes,
		.set_only = f->set_only,
		.removed = f->removed,
		.moved = f->moved,
		.brought_files = f->brought_files,
		.brought_bytes = f->brought_bytes,
		.removed_here = f->removed_here,
		.conflicts = folder_brings(f) ? index_conflict_count(f->index) : 0,
		.last_sync_ns = f->last_sync_ns,
		.scans = f->scans,
		.versions = totals.versions,
		.version_bytes = totals.version_bytes,
		.pruned_ns = index_meta_int(f->index, "pruned", 0),
		.prune_trouble = prune_trouble(f) };
	/* Tries may go on for minutes before the folder as a whole gives up: who looks meanwhile is told why nothing moves. */
	if (f->trouble.kind == ERR_NONE && f->in_flight) store_trouble(f->store, &status->trouble);
	if (status->trouble.kind == ERR_NONE) store_ending(f->store, &status->trouble);
	pending = index_dirty_count(f->index);
	if (pending && index_trouble_count(f->index, &refused, &err)) refused = 0;
	const struct index_held_sum *held = &f->brake.sums[INDEX_HELD_STOPPED];
	if (f->brake.stopped) {
		status->stopped_deletions = status->needs_person = true;
		if (f->trouble.kind == ERR_NONE) status->trouble = f->brake.trouble;
		status->held_files = held->files;
		status->held_folders = held->folders;
		status->held_bytes = held->bytes;
		status->held_upto = held->newest;
	}
	forget_status(f, status);
	status->conditions = f->conditions;
	status->conditions_known = f->conditions_known;
	verify_status(f, status);
	status->refused_root = xstrdup(f->root_refused);
	const struct restore_counts *counts = pull_counts(f);
	if (counts) {
		status->restoring = true;
		status->restored_files = counts->files + counts->links + counts->same;
		status->restored_bytes = counts->bytes;
		status->restore_files = f->pull.all.files;
		status->restore_bytes = f->pull.all.bytes;
	}
	status->away = f->away ? mounts_list(f, true) : NULL;
	status->pending = pending - refused;
	status->refused = refused;
	status->left_s = left_s(f, status);
}

void folder_status_release(struct folder_status *status) {
	free(status->path);
	free(status->remote);
	free(status->degraded);
	free(status->refused_root);
	free(status->verify_text);
	strv_free(status->away);
	*status = (struct folder_status){ 0 };
}

static const char *why_name(enum index_why why) {
	switch (why) {
	case INDEX_WHY_RETRY: return "retry";
	case INDEX_WHY_HOT: return "hot";
	default: return "refused";
	}
}

/* They are stored, but not as a person would expect. */
static size_t plain_databases(
	struct folder *f, size_t limit, struct folder_trouble *troubles, size_t at) {
	char **paths = NULL;
	int64_t count = 0;
	struct err err;
	if (index_plain(f->index, limit - at, &count, &paths, &err)) return at;
	for (size_t i = 0; paths && paths[i]; i++)
		troubles[at++] = (struct folder_trouble){ .path = xstrdup(paths[i]),
			.reason = xstrdup("looks like a database, but cannot be read as one: "
					  "sent as a plain file"),
			.why = "plain" };
	strv_free(paths);
	return at;
}

size_t folder_troubles(struct folder *f, size_t limit, struct folder_trouble **troubles) {
	struct index_dirty *rows = NULL;
	size_t count = 0;
	struct err err;
	*troubles = NULL;
	if (index_troubles(f->index, limit, &rows, &count, &err)) return 0;
	*troubles = xcalloc(limit + 1, sizeof(**troubles));
	for (size_t i = 0; i < count; i++) {
		int64_t wait_ms = rows[i].due_ms - folder_clock_ms(f);
		(*troubles)[i] = (struct folder_trouble){ .path = xstrdup(rows[i].path),
			.reason = xstrdup(rows[i].reason),
			.why = why_name(rows[i].why),
			.next_try_ns =
				loop_wall_ns(f->loop) + (wait_ms > 0 ? wait_ms : 0) * NS_PER_MS };
		index_dirty_release(&rows[i]);
	}
	free(rows);
	return plain_databases(f, limit, *troubles, count);
}

void folder_troubles_free(struct folder_trouble *troubles, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(troubles[i].path);
		free(troubles[i].reason);
	}
	free(troubles);
}

size_t folder_conflicts(struct folder *f, size_t limit, struct folder_conflict **conflicts) {
	struct index_conflict *rows = NULL;
	size_t count = 0;
	struct err err;
	*conflicts = NULL;
	if (index_conflicts(f->index, limit, &rows, &count, &err)) return 0;
	*conflicts = xcalloc(count + 1, sizeof(**conflicts));
	for (size_t i = 0; i < count; i++)
		(*conflicts)[i] = (struct folder_conflict){ .path = xstrdup(rows[i].path),
			.origin = xstrdup(rows[i].origin),
			.theirs = conflict_is_theirs(rows[i].path),
			.noted_ns = rows[i].noted_ns };
	index_conflicts_free(rows, count);
	return count;
}

void folder_conflicts_free(struct folder_conflict *conflicts, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(conflicts[i].path);
		free(conflicts[i].origin);
	}
	free(conflicts);
}
