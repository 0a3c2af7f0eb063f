/*
 * What must delete nothing, or not much: a root whose files are all gone at once, a remote that lies about what it has, and more deletions
 * than max_delete lets go before a person was asked.
 */
#include <stdlib.h>
#include <string.h>

#include "support/duel.h"
#include "support/edits.h"
#include "support/trees.h"

void duel_brake_set(struct duel *d, int machine) {
	static const char *const most[] = { "1", "3", "6", "none" };
	static const int64_t numbers[] = { 1, 3, 6, 0 };
	struct ground *g = d->machines[machine];
	uint64_t which = ground_draw(g, ARRAY_LEN(most));
	g->settings.max_delete = (char *)(uintptr_t)most[which];
	g->most_deletions = numbers[which];
}

/* ---- people ---- */

static char **the_held;

/* It was not meant: what is gone here is put there again, and what is gone at the remote is written anew here. */
static void put_back(struct ground *g) {
	for (char **path = the_held; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		bool here = !disk_stat(g->disk, *path, &stat, &err);
		if (!here || stat.kind == DISK_FILE) edit_put(g, *path);
	}
}

void duel_person(struct duel *d, int machine) {
	struct ground *g = d->machines[machine];
	if (ground_draw(g, 3)) {
		strv_free(ground_approve(g));
		return;
	}
	the_held = ground_held(g);
	if (the_held) ground_say(g, "a person puts back what was deleted");
	g->counts.asked++;
	duel_edit(d, machine, put_back);
	strv_free(the_held);
	the_held = NULL;
}

/* ---- all of a root at once ---- */

static void empty_root(struct ground *g) {
	edit_make_readable(g);
	edit_remove_tree(g, "");
}

static void put_one_back(struct ground *g) {
	edit_put(g, "keep");
}

static void emptied(struct duel *d, int machine) {
	struct ground *g = d->machines[machine];
	struct err err;
	unsigned deletions = g->counts.deletions;
	bool files = edit_any_files(g);
	ground_say(g, "all that is in the root goes");
	d->bare = true;
	duel_edit(d, machine, empty_root);
	d->bare = false;
	bool empty = disk_is_empty(g->disk, "", &err) == 1;
	duel_run(d, 90000);
	if (files && empty && disk_is_empty(g->disk, "", &err) == 1 &&
		g->counts.deletions != deletions)
		ground_wrong(g, "an emptied root was taken for deletions", "");
	duel_edit(d, machine, put_one_back);
}

/* ---- a remote that lies ---- */

static void lied_to(struct duel *d, int machine) {
	static const char *const words[LIES] = { "", "lists are cut", "lists are empty",
		"there is nothing to list", "it is an empty bucket",
		"it is somebody else's bucket" };
	struct ground *g = d->machines[machine];
	unsigned here = g->counts.removed_here, there = g->counts.deletions;
	g->lie = (enum lie)(1 + ground_draw(g, LIES - 1));
	ground_say(g, "the remote lies: %s", words[g->lie]);
	/* It may as well be so when it comes back. A list that is half of one bucket and half of another tells of what is gone, one by one. */
	if (ground_draw(g, 2) || g->lie >= LIE_BUCKET) {
		duel_end(d, machine);
		duel_open(d, machine);
	}
	duel_run(d, 20000 + (int64_t)ground_draw(g, 200000));
	/* Of those that say that all but something of theirs is gone the brake alone knows that this is much. */
	bool bounded = g->lie == LIE_FOREIGN;
	if (!bounded && g->counts.removed_here != here)
		ground_wrong(g, "removed here, for the remote lied", words[g->lie]);
	if (g->counts.deletions != there)
		ground_wrong(g, "removed at the remote that lied", words[g->lie]);
	g->lie = LIE_NONE;
	ground_say(g, "the remote lies no more");
}

/* Nobody edits, and the other machines are away: whatever goes, the engine took. */
void duel_brake_chapter(struct duel *d, int machine) {
	struct ground *g = d->machines[machine];
	bool paused[MACHINES_MAX];
	uint64_t what = ground_draw(g, 3);
	if (what == 0) return;
	for (int i = 0; i < d->count; i++) {
		paused[i] = d->machines[i]->paused;
		d->machines[i]->paused = true;
		d->machines[i]->kill_at_op = 0;
		if (i != machine) duel_end(d, i);
	}
	duel_open(d, machine);
	if (duel_barrier(d, machine) && !duel_is_wrong(d)) {
		if (what == 1)
			emptied(d, machine);
		else
			lied_to(d, machine);
	}
	for (int i = 0; i < d->count; i++) d->machines[i]->paused = paused[i];
}
