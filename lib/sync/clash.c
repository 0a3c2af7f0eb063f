/*
 * Names that the remote takes for one (SYNC.md §9): a disk or server that does not tell upper from lower case, or one form of an accented
 * letter from another. Who was there first stays; the other is refused, never put in its place.
 *
 * Nobody says of a store that it folds names, or by which rule. What is found under a name that no list of its folder holds is another's,
 * whatever the rule; so the folder is listed, where something stood at a name of which nothing was known. That is seldom.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sync/internal.h"

struct clash {
	bool listed; /* under its very name */
	char *key;   /* of the folder it lies in */
	char *token;
	char *twin; /* whose name that is; NULL: none was recognised */
	void (*then)(struct transfer *t);
	void (*otherwise)(struct transfer *t);
};

void clash_release(struct transfer *t) {
	struct clash *clash = t->clash;
	if (!clash) return;
	free(clash->key);
	free(clash->token);
	free(clash->twin);
	free(clash);
	t->clash = NULL;
}

static bool is_twin(const struct transfer *t, const struct store_entry *entry) {
	if (strcasecmp(entry->name, path_name(t->path)) == 0) return true;
	return t->theirs.version && str_equal(entry->version, t->theirs.version);
}

/* Is the other one on its way out? Then its name is free soon. */
static bool twin_goes(const struct transfer *t) {
	struct index_dirty row;
	struct err err;
	if (!t->clash->twin) return false;
	char *parent = path_parent(t->path), *path = path_join(parent, t->clash->twin);
	int found = index_dirty_get(t->folder->index, path, &row, &err);
	if (found == 1) index_dirty_release(&row);
	free(path);
	free(parent);
	return found == 1;
}

static void refuse(struct transfer *t) {
	const char *twin = t->clash->twin;
	struct err why;
	if (twin_goes(t)) { /* as a deletion, so that that one does not wait for this one in turn */
		transfer_again(t, INDEX_WHY_DELETE, NULL, brake_poll_ms(t->folder));
		return;
	}
	err_set(&why, ERR_INVALID,
		"clash: the remote takes its name for that of %s%s%s, which is there: rename one "
		"of them",
		twin ? "'" : "", twin ? twin : "another one", twin ? "'" : "");
	transfer_fail(t, &why);
}

/* No list holds it, nor one that looks like it: it may have gone while the list was asked for. */
static void stands_yet(struct transfer *t, const struct err *err) {
	if (err && err->kind == ERR_NOT_FOUND)
		transfer_again(t, INDEX_WHY_CHANGE, NULL, 0);
	else if (err)
		transfer_fail(t, err);
	else
		refuse(t);
}

static void page_ask(struct transfer *t);

static void page_came(struct transfer *t, const struct err *err) {
	struct clash *clash = t->clash;
	if (err) {
		if (err->kind == ERR_NOT_FOUND)
			act_parents_lost(t);
		else
			transfer_fail(t, err);
		return;
	}
	for (size_t i = 0; i < t->op.entry_count && !clash->listed; i++) {
		const struct store_entry *entry = &t->op.entries[i];
		if (!entry->name) continue;
		clash->listed = str_equal(entry->name, path_name(t->path));
		if (!clash->twin && is_twin(t, entry)) clash->twin = xstrdup(entry->name);
	}
	free(clash->token);
	clash->token = clash->listed || !t->op.next_token ? NULL : xstrdup(t->op.next_token);
	if (clash->token) {
		page_ask(t);
		return;
	}
	void (*then)(struct transfer *) = clash->listed ? clash->then : clash->otherwise;
	if (then) {
		clash_release(t);
		then(t);
	} else if (clash->twin) {
		refuse(t);
	} else {
		act_op_init(t, STORE_STAT, t->theirs.kind);
		transfer_submit(t, false, stands_yet);
	}
}

static void page_ask(struct transfer *t) {
	act_op_init(t, STORE_LIST, STORE_FOLDER);
	t->op.key = t->clash->key;
	t->op.page_token = t->clash->token;
	t->op.id = NULL;
	transfer_submit(t, false, page_came);
}

/* Letters beyond ASCII, with what an accent of their own stands on, count for nothing, and case does not. The next that counts. */
static const char *next_letter(const char *at) {
	for (; *at; at++) {
		unsigned char here = (unsigned char)at[0], next = (unsigned char)at[1];
		bool carries =
			next == 0xcc || next == 0xcd; /* U+0300 to U+036F: combining accents */
		if (here < 0x80 && !carries) break;
	}
	return at;
}

bool clash_may_be(const struct folder *f, const char *left, const char *right) {
	if (!f->store->may_fold) return false;
	for (;; left++, right++) {
		left = next_letter(left);
		right = next_letter(right);
		if (tolower((unsigned char)*left) != tolower((unsigned char)*right)) return false;
		if (!*left) return true;
	}
}

static bool is_known(const struct transfer *t) {
	return t->has_file || t->has_folder || t->has_news_file || t->has_news_folder;
}

bool clash_ask(struct transfer *t, void (*then)(struct transfer *t),
	void (*otherwise)(struct transfer *t)) {
	if (is_known(t) || !t->folder->store->may_fold) return false;
	store_entry_release(&t->theirs);
	t->theirs = store_op_take_entry(&t->op);
	clash_release(t);
	char *parent = path_parent(t->path);
	t->clash = xcalloc(1, sizeof(*t->clash));
	t->clash->key = folder_key(t->folder, parent);
	t->clash->then = then;
	t->clash->otherwise = otherwise;
	free(parent);
	page_ask(t);
	return true;
}
