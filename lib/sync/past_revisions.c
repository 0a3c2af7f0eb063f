/* What the store keeps by itself of what it replaced, beside our own copies. */
#include <stdlib.h>

#include "sync/past.h"

/*
 * Ours is there, too: the copy was made when this was replaced. One that is told by the time of its bytes, which is before they
 * came, has the middle of ours in it at least.
 */
static int is_known(
	struct past *p, const char *path, const struct index_version *revision, struct err *err) {
	struct index_versions versions;
	int known = 0;
	if (index_versions(p->work, path, &versions, err)) return -1;
	for (size_t i = 0; i < versions.count; i++) {
		const struct index_version *ours = &versions.rows[i];
		int64_t seen_ns = p->store->revisions_each
					  ? ours->born_ns + (ours->ended_ns - ours->born_ns) / 2
					  : ours->ended_ns;
		known |= !str_starts(ours->key, PAST_REVISION_PREFIX) &&
			 ours->bytes == revision->bytes && seen_ns >= revision->born_ns &&
			 seen_ns <= revision->ended_ns + NS_PER_S;
	}
	index_versions_release(&versions);
	return known;
}

static int revision_put(
	struct past *p, const char *path, const struct store_entry *entry, struct err *err) {
	struct index_entry ghost = { .kind = entry->kind == STORE_LINK ? INDEX_LINK : INDEX_FILE,
		.flags = PAST_GONE },
			   old;
	struct index_version version = { .born_ns = entry->since_ns,
		.ended_ns = p->newer_ns,
		.bytes = entry->size,
		.kind = (int)entry->kind };
	int found = index_get(p->work, path, false, &old, err),
	    known = found < 0 ? -1 : is_known(p, path, &version, err);
	if (found == 1) index_entry_release(&old);
	if (known) return known < 0 ? -1 : 0;
	if (!found && (past_parents_put(p, path, PAST_GONE, err) ||
			      index_put(p->work, path, &ghost, err)))
		return -1;
	version.key = xasprintf(
		"%s%c:%s", PAST_REVISION_PREFIX, p->newer_gone ? 'd' : 'r', entry->revision);
	int rc = index_version_found(p->work, path, &version, err);
	free(version.key);
	return rc;
}

void past_bereft(struct past *p, const char *folder) {
	bool asked = p->at_ns != PAST_NOW || p->versions_of;
	if (p->store->revisions_each && asked) path_stack_push(&p->bereft, xstrdup(folder));
}

/* What is asked for lies in a folder that went itself: it is found from the one that did not. */
static void above_next(struct past *p, const struct err *err) {
	bool folder = err && err->kind == ERR_NOT_FOUND && p->op.kind == STORE_FOLDER;
	if (!folder || !*p->at || !path_is_within(p->path, p->at) || str_equal(p->path, p->at))
		return;
	char *parent = path_parent(p->at);
	past_bereft(p, parent);
	free(parent);
}

/* Each ended when the newer one began; the newest stands there now, or is a deletion. */
static int revisions_listed(struct past *p, const struct err *err, struct err *failed) {
	if (err &&
		(err->kind == ERR_OFFLINE || err->kind == ERR_BUSY || err->kind == ERR_CANCELLED)) {
		*failed = *err;
		return -1;
	}
	/* It has none to tell, or may not. */
	if (err)
		log_debug("the versions that '%s' keeps are not told: %s", p->store->label,
			err->text);
	if (p->store->revisions_each) above_next(p, err);
	for (size_t i = 0; i < p->op.entry_count; i++) {
		const struct store_entry *entry = &p->op.entries[i];
		char *path = path_join(p->at ? p->at : p->path, entry->name),
		     *same = xasprintf("%d:%s", entry->kind, path);
		bool newest = !str_equal(same, p->newer_path),
		     own = !*path || (path_is_within(path, ".tend") && !*p->remote_key) ||
			   !path_is_within(path, p->path);
		int rc = newest || own || entry->gone ? 0 : revision_put(p, path, entry, failed);
		free(p->newer_path);
		p->newer_path = same;
		p->newer_ns = entry->since_ns;
		p->newer_gone = entry->gone;
		free(path);
		if (rc) return -1;
	}
	if (index_commit(p->work, false, failed)) return -1;
	free(p->token);
	p->token = p->op.next_token ? xstrdup(p->op.next_token) : NULL;
	if (!p->token && p->store->revisions_each) {
		free(p->at);
		p->at = NULL;
	}
	if (p->token || p->store->revisions_each)
		past_revisions_next(p);
	else
		past_finish(p, NULL);
	return 0;
}

void past_revisions_next(struct past *p) {
	enum store_kind kind = STORE_FILE;
	if (p->store->revisions_each && !p->at) p->at = path_stack_pop(&p->written);
	if (p->store->revisions_each && !p->at) {
		p->at = path_stack_pop(&p->bereft);
		kind = STORE_FOLDER;
	}
	if (p->store->revisions_each && !p->at) {
		past_finish(p, NULL);
		return;
	}
	char *key = path_join(p->remote_key, p->at ? p->at : p->path);
	past_op_start(p, STORE_REVISIONS, kind, key, revisions_listed);
	free(key);
	p->op.page_token = p->token;
	store_start(p->store, &p->op);
}
