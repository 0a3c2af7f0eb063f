/*
 * What a poll knows of the remote, in the index, so that a start goes on from there: the token of STORE_CHANGES with the ids of the folder
 * and of those it lies in, or the version of the folder where that moves with all below it. A start with nothing changed costs one
 * request then.
 *
 * It is written in one transaction with the last of what it stands for, and never before that: after a kill the same changes are told
 * once more. It is dropped, in one transaction with what makes it too little, before a compare of all begins, and it holds for the rules
 * only under which it was found: what they left out then nobody looked at.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/ignore.h"
#include "sync/polling.h"

/* ---- the rules ---- */

static uint64_t mix(uint64_t hash, const char *text) {
	do {
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	} while (*text++);
	return hash;
}

static uint64_t mix_all(uint64_t hash, char **lines) {
	for (; lines && *lines; lines++) hash = mix(hash, *lines);
	return mix(hash, "");
}

static uint64_t rules_sum(const struct folder *f) {
	const struct folder_settings *s = &f->settings;
	char numbers[48];
	(void)snprintf(numbers, sizeof(numbers), "%d %d %d", (int)s->mode, s->symlinks, s->sqlite);
	uint64_t hash = mix(14695981039346656037ULL, numbers);
	return mix_all(mix_all(hash, s->include), s->exclude) + ignore_files_sum(f->ignore);
}

/* ---- written down ---- */

static int write_down(struct polling *p, const char *text, struct err *err) {
	struct folder *f = p->folder;
	char *before = index_meta_get(f->index, INDEX_META_POLLED);
	bool same = str_equal(before, text);
	free(before);
	if (same) return 0;
	if (index_meta_set(f->index, INDEX_META_POLLED, text, err)) return -1;
	turn_end_want(&f->turn_end);
	return 0;
}

static int drop(struct polling *p, struct err *err) {
	return write_down(p, NULL, err);
}

bool polling_token_drop(struct polling *p) {
	struct err err;
	return polling_good(p->folder, drop(p, &err), &err);
}

int polling_commit(struct folder *f, bool full, struct err *err) {
	struct polling *p = f->polling;
	/* In a mode that does not ask, what changed there is noted by nobody. */
	bool stale = p && (p->whole || !folder_brings(f));
	if (f->index && stale && drop(p, err)) return -1;
	return index_commit(f->index, full, err);
}

static bool by_changes(const struct polling *p) {
	return p->folder->store->changes;
}

/* Lines: sum of the rules, what it is, the token, and the ids from the remote's root downwards. */
bool polling_token_keep(struct polling *p) {
	const char *token = by_changes(p) ? p->changes : p->root_version;
	/* Until they were read once, the rules of the folder's own files are not known. */
	if (!token || !p->folder->scans || strchr(token, '\n')) return polling_token_drop(p);
	char *text = xasprintf("%016" PRIx64 "\n%s\n%s", rules_sum(p->folder),
		by_changes(p) ? "changes" : "version", token);
	for (char **id = p->above; id && *id; id++) {
		char *longer = xasprintf("%s\n%s", text, *id);
		free(text);
		text = longer;
	}
	struct err err;
	int failed = write_down(p, text, &err);
	free(text);
	return polling_good(p->folder, failed, &err);
}

/* ---- and read ---- */

/* The lines of the text; the caller's. */
static char **lines_of(const char *text) {
	char **lines = NULL;
	while (text) {
		size_t len = strcspn(text, "\n");
		strv_add_owned(&lines, xstrndup(text, len));
		text = text[len] ? text + len + 1 : NULL;
	}
	return lines;
}

/* NULL: of another kind of store than it was, or under other rules. */
static const char *token_of(const struct polling *p, char **lines) {
	char sum[20];
	(void)snprintf(sum, sizeof(sum), "%016" PRIx64, rules_sum(p->folder));
	if (strv_count(lines) < 3 || !str_equal(lines[0], sum)) return NULL;
	return str_equal(lines[1], by_changes(p) ? "changes" : "version") ? lines[2] : NULL;
}

bool polling_token_take(struct polling *p) {
	const struct store *store = p->folder->store;
	if (!store->changes && !store->deep_versions) return false;
	char *text = index_meta_get(p->folder->index, INDEX_META_POLLED), **lines = lines_of(text);
	const char *token = token_of(p, lines);
	if (token) {
		polling_forget(p);
		*(by_changes(p) ? &p->changes : &p->root_version) = xstrdup(token);
		for (char **id = lines + 3; *id; id++) strv_add(&p->above, *id);
	}
	strv_free(lines);
	free(text);
	return token != NULL;
}

bool polling_token_waits(const struct polling *p) {
	char *text = index_meta_get(p->folder->index, INDEX_META_POLLED);
	bool waits = text && !p->folder->scans;
	free(text);
	return waits;
}
