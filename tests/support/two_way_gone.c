/*
 * What was agreed on all sides, and what one of them alone then took away or gave another name: that stays so. It is judged by contents,
 * each of which has one name on each side when all are found to agree. Not judged is what anybody else touched since, at its name or in a
 * folder above: an edit beats a deletion; nor what another one copied since: of that copy the deletion says nothing; nor a remote without
 * conditions, where one that writes may not see another. Who only fetches is not asked. Brakes are a story of their own
 * (two_way_brake.c).
 */
#include <stdlib.h>
#include <string.h>

#include "support/contents.h"
#include "support/duel.h"
#include "support/edits.h"
#include "support/troubles.h"

enum { AGREED, GONE, MOVED };
enum { AGREE_ROUNDS = 6 };

/* Of one content, by its hash. */
struct agreed {
	char *path; /* when it was agreed */
	int what, machine;
	unsigned named; /* a bit for each machine on which a person gave it another name */
};

void duel_agreed_release(struct duel *d) {
	for (struct map_item *it = NULL; (it = map_next(&d->agreed, it));) {
		struct agreed *a = map_value(it);
		free(a->path);
		free(a);
	}
	map_release(&d->agreed);
	map_init(&d->agreed);
	for (int i = 0; i < d->count; i++) {
		strv_free(d->machines[i]->touched);
		d->machines[i]->touched = NULL;
		d->machines[i]->notes_touched = false;
	}
}

static bool is_touched(const struct duel *d, int by, const char *path) {
	for (int i = 0; i < d->senders; i++) {
		char **touched = d->machines[i]->touched;
		if (i != by && (ground_covers(touched, path) || ground_any_below(touched, path)))
			return true;
	}
	return false;
}

/* It is not out of sight only. */
static bool is_away(struct ground *g, const char *path, const char *hash) {
	struct disk_stat stat;
	struct err err;
	if (disk_stat(g->disk, path, &stat, &err)) return err.kind == ERR_NOT_FOUND;
	char *now = stat.kind == DISK_FILE ? contents_hash(g, path) : NULL;
	bool away = stat.kind != DISK_FILE || (now && !str_equal(now, hash));
	free(now);
	return away;
}

/* It gave it a name, beside the one it had or in its place. */
static bool is_named(const struct map *before, const struct map *after, const char *hash) {
	const struct contents_holder *then = map_get(before, hash), *now = map_get(after, hash);
	if (!now) return false;
	return !then || now->count > then->count || !str_equal(now->path, then->path);
}

/* Around an edit. What is done where nothing is sent is nobody else's business. */
void duel_gone_note(
	struct duel *d, struct ground *g, const struct map *before, const struct map *after) {
	if (g->number >= d->senders) return;
	for (struct map_item *it = NULL; (it = map_next(&d->agreed, it));) {
		struct agreed *a = map_value(it);
		const struct contents_holder *holder = map_get(after, map_key(it));
		if (is_named(before, after, map_key(it))) a->named |= 1U << g->number;
		/* Here it is as the engine has it by now. */
		if (a->what != AGREED && a->machine != g->number) continue;
		a->machine = g->number;
		if (holder && holder->count == 1)
			a->what = str_equal(holder->path, a->path) ? AGREED : MOVED;
		else if (holder)
			a->what = AGREED;
		else if (a->what == AGREED && is_away(g, a->path, map_key(it)))
			a->what = GONE; /* also where it had another name meanwhile */
	}
}

static void judge(struct duel *d, const char *hash, const struct agreed *a, struct map *found) {
	/* A copy that another one made meanwhile is there for good. */
	bool copied = (a->named & ~(1U << a->machine)) != 0;
	if (a->what == AGREED || copied || is_touched(d, a->machine, a->path)) return;
	for (int i = 0; i < d->senders; i++) {
		const struct contents_holder *holder = map_get(&found[i], hash);
		if (!holder) continue;
		if (a->what == GONE)
			ground_wrong(d->machines[i], "what one side took away is back", a->path);
		else if (holder->count > 1 && !is_touched(d, a->machine, holder->path))
			ground_wrong(
				d->machines[i], "what one side renamed has two names", a->path);
	}
}

void duel_gone_judge(struct duel *d) {
	struct map found[MACHINES_MAX];
	for (int i = 0; i < d->senders; i++) contents_gather(d->machines[i], &found[i]);
	for (struct map_item *it = NULL; (it = map_next(&d->agreed, it));)
		judge(d, map_key(it), map_value(it), found);
	for (int i = 0; i < d->senders; i++) contents_release(&found[i]);
}

static void agree(struct duel *d, struct map *found) {
	for (struct map_item *it = NULL; (it = map_next(&found[0], it));) {
		const struct contents_holder *holder = map_value(it);
		bool all = holder->count == 1;
		for (int i = 1; i < d->senders && all; i++) {
			const struct contents_holder *other = map_get(&found[i], map_key(it));
			all = other && other->count == 1 && str_equal(other->path, holder->path);
		}
		if (!all) continue;
		struct agreed *a = xcalloc(1, sizeof(*a));
		a->path = xstrdup(holder->path);
		map_put(&d->agreed, map_key(it), a);
	}
}

/* Nobody edits. What came while another one was asked is found by asking all again. */
static bool all_durable(struct duel *d) {
	int well = 0;
	for (int i = 0; i < d->count; i++) duel_open(d, i);
	for (int round = 0; round < AGREE_ROUNDS && well < 2 && !duel_is_wrong(d); round++) {
		well++;
		for (int i = 0; i < d->senders && !duel_is_wrong(d); i++) {
			duel_make_way(d, i);
			if (!duel_barrier(d, i)) well = 0;
		}
	}
	return well == 2 && !duel_is_wrong(d);
}

/* What was agreed before is judged. False: they do not agree now. */
static bool agree_all(struct duel *d) {
	struct map found[MACHINES_MAX];
	if (!all_durable(d)) return false;
	duel_gone_judge(d);
	duel_agreed_release(d);
	for (int i = 0; i < d->senders; i++) contents_gather(d->machines[i], &found[i]);
	agree(d, found);
	ground_say(d->machines[0], "%zu contents are agreed", map_count(&d->agreed));
	for (int i = 0; i < d->senders; i++) contents_release(&found[i]);
	for (int i = 0; i < d->count; i++) d->machines[i]->notes_touched = true;
	return true;
}

/* By one, while others look on or are away. */
static int take_away(struct duel *d) {
	struct ground *g = d->machines[0];
	int who = (int)ground_draw(g, (uint64_t)d->senders);
	ground_say(d->machines[who], "takes away");
	for (int i = 0; i < d->count; i++)
		if (ground_draw(g, 3) == 0) duel_end(d, i);
	for (uint64_t left = 1 + ground_draw(g, 4); left > 0 && !duel_is_wrong(d); left--) {
		duel_edit(d, who, edit_take_away);
		duel_run(d, (int64_t)ground_draw(g, 3000));
	}
	duel_run(d, (int64_t)ground_draw(g, 20000));
	return who;
}

static unsigned commits_lost(const struct duel *d) {
	unsigned lost = 0;
	for (int i = 0; i < d->count; i++) lost += d->machines[i]->counts.commits_lost;
	return lost;
}

/* Nobody else edited since all agreed: what one wrote stays as it is, under its own name, and comes to be so everywhere. Where it took the
 * place of a folder that stays on another side, for what is not synced in it, it gets another name there. */
static void write_alone(struct duel *d, int who, unsigned lost) {
	struct ground *g = d->machines[who];
	struct map left, now;
	char **kept = NULL;
	ground_say(g, "writes alone");
	for (int i = 0; i < d->senders; i++)
		if (i != who) contents_folders_kept(d->machines[i], &kept);
	for (uint64_t i = 1 + ground_fate(g, 6); i > 0 && !duel_is_wrong(d); i--) {
		duel_edit(d, who, edit_random);
		duel_run(d, (int64_t)ground_fate(g, 3000));
	}
	contents_paths(g, &left);
	if (all_durable(d) && commits_lost(d) == lost) {
		contents_paths(g, &now);
		const char *path = contents_differ(&left, &now, kept);
		if (path) ground_wrong(g, "what one side wrote alone is another one", path);
		contents_paths_release(&now);
	}
	contents_paths_release(&left);
	strv_free(kept);
}

void duel_agree(struct duel *d) {
	bool paused[MACHINES_MAX] = { false };
	bool judged = !d->blind && !d->plot->brakes && d->senders > 1;
	/* What nobody is told of is not taken away yet. */
	if (d->troubles & TROUBLE_MISSING) return;
	if (!judged) return;
	for (int i = 0; i < d->count; i++) {
		paused[i] = d->machines[i]->paused;
		d->machines[i]->paused = true;
	}
	unsigned lost = commits_lost(d);
	if (agree_all(d)) {
		int who = take_away(d);
		if (!duel_is_wrong(d) && (d->troubles & TROUBLE_ALONE)) write_alone(d, who, lost);
		if (!duel_is_wrong(d)) agree_all(d);
	}
	for (int i = 0; i < d->count; i++) d->machines[i]->paused = paused[i];
}
