/*
 * Several machines, one remote: random edits on all, lost answers, kills, and in the end they have the same. What an edit wrote is there
 * then, under whatever name, unless an edit that had it before its eyes replaced or removed it. One that only fetches has in the end what
 * the others have, and keeps what was done there until the remote replaces it.
 */
#include "support/two_way.h"

#include <stdlib.h>
#include <string.h>

#include "support/contents.h"
#include "support/duel.h"
#include "support/edits.h"
#include "support/trees.h"
#include "support/troubles.h"

enum { SPIN_OPS = 120000 };

char duel_alive[] = "written", duel_dropped[] = "replaced";

struct hand {
	struct timer timer;
	struct duel *d;
	int machine, left;
	int64_t gap_ms;
};

bool duel_is_wrong(const struct duel *d) {
	for (int i = 0; i < d->count; i++)
		if (d->machines[i]->wrong) return true;
	return false;
}

/* ---- edits ---- */

static struct duel *the_duel; /* whose turn it is: edits come from the disk as well */

/* Those that only fetch tell nobody: of theirs counts what they wrote themselves. */
static void note_contents(
	struct duel *d, struct ground *g, const struct map *before, const struct map *after) {
	bool fetches = g->number >= d->senders;
	struct map *known = fetches ? &d->fetchers : &d->contents;
	for (struct map_item *it = NULL; (it = map_next(after, it));) {
		/* What was out of sight comes back as it was. */
		if (contents_count(before, map_key(it)) || map_get(known, map_key(it)) ||
			(fetches && map_get(&d->contents, map_key(it))))
			continue;
		ground_say(g, "    '%s' holds %s", ((struct contents_holder *)map_value(it))->path,
			map_key(it));
		map_put(known, map_key(it), duel_alive);
	}
	/* Of several names of one content each may go by another hand. */
	for (struct map_item *it = NULL; (it = map_next(before, it));) {
		const struct contents_holder *holder = map_value(it);
		if (contents_count(after, map_key(it)) >= holder->count) continue;
		if (fetches && !map_get(known, map_key(it))) continue;
		ground_say(g, "    '%s' held %s", holder->path, map_key(it));
		map_put(known, map_key(it), duel_dropped);
	}
}

void duel_edit(struct duel *d, int machine, void (*edit)(struct ground *g)) {
	struct ground *g = d->machines[machine];
	struct map before, after;
	bool paused = g->paused, editing = g->editing;
	g->paused = g->editing = true;
	contents_gather(g, &before);
	edit(g);
	struct disk_stat stat;
	struct err err;
	/* A side that is wholly empty asks a person: that is another story. */
	if (!d->bare && (disk_stat(g->disk, "keep", &stat, &err) || stat.kind != DISK_FILE)) {
		edit_remove_path(g, "keep");
		edit_put(g, "keep");
	}
	contents_gather(g, &after);
	note_contents(d, g, &before, &after);
	duel_gone_note(d, g, &before, &after);
	contents_release(&before);
	contents_release(&after);
	g->editing = editing;
	g->paused = paused;
}

static void trashed(struct ground *g, const char *path) {
	char *hash = contents_hash(g, path);
	if (hash) {
		ground_say(g, "  trash: '%s' with %s", path, hash);
		map_put(&the_duel->trash, hash, duel_dropped);
	}
	free(hash);
}

static void random_edit(struct ground *g) {
	duel_edit(the_duel, g->number, edit_random);
}

static void edit_any(struct ground *g) {
	cuts_edit(g, random_edit);
}

static void put_last(struct ground *g) {
	edit_put(g, "last");
}

/* What a person has to see to: what nobody may read, and what stands in the way. */
static void make_way(struct ground *g) {
	char **paths;
	edit_make_readable(g);
	paths = edit_paths(g);
	for (char **path = paths; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		if (disk_stat(g->disk, *path, &stat, &err)) continue;
		bool left_out = stat.kind == DISK_FOLDER && story_excludes(*path, true) &&
				!story_excludes(*path, false);
		if (stat.kind == DISK_OTHER || left_out) edit_remove_path(g, *path);
	}
	strv_free(paths);
}

void duel_make_way(struct duel *d, int machine) {
	duel_edit(d, machine, make_way);
}

/* Every file gets other bytes. */
static void write_all(struct ground *g) {
	char **paths = edit_paths(g);
	for (char **path = paths; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		if (!disk_stat(g->disk, *path, &stat, &err) && stat.kind == DISK_FILE)
			edit_put(g, *path);
	}
	strv_free(paths);
}

static void hand_next(struct timer *timer) {
	struct hand *h = container_of(timer, struct hand, timer);
	struct ground *g = h->d->machines[h->machine];
	if (h->left-- <= 0 || duel_is_wrong(h->d)) return;
	edit_any(g);
	timer_start(
		timer, (int64_t)ground_draw(g, ground_draw(g, 12) ? (uint64_t)h->gap_ms : 20000));
}

/* ---- the story ---- */

void duel_open(struct duel *d, int machine) {
	if (d->open[machine]) return;
	ground_open(d->machines[machine]);
	d->open[machine] = true;
}

/* Nothing is agreed any more, and what was gone on one side only may come back. */
static void lose_index(struct duel *d, struct ground *g) {
	if (!cuts_happens(g, PART_FAULT)) return;
	ground_say(g, "the index is lost");
	index_past_reset(g->past);
	g->counts.commits_lost++;
	duel_agreed_release(d);
}

void duel_end(struct duel *d, int machine) {
	struct ground *g = d->machines[machine];
	if (!d->open[machine]) return;
	g->kill_at_op = 0;
	if (ground_draw(g, 4))
		ground_kill(g, ground_draw(g, 2), ground_draw(g, 7));
	else if (ground_draw(g, 2))
		ground_close(g);
	else
		ground_stop(g);
	d->open[machine] = false;
	if (d->troubles & TROUBLE_INDEX && !ground_fate(g, 3)) lose_index(d, g);
}

void duel_run(struct duel *d, int64_t ms) {
	struct ground *g = d->machines[0];
	int64_t until_ms = loop_now_ms(g->loop) + ms;
	while (!duel_is_wrong(d) && loop_now_ms(g->loop) < until_ms) {
		ground_run(g, 500);
		for (int i = 0; i < d->count; i++) {
			struct ground *one = d->machines[i];
			if (!d->open[i] || !one->kill_at_op ||
				(int64_t)one->counts.ops < one->kill_at_op)
				continue;
			if (cuts_happens(one, PART_KILL))
				duel_end(d, i);
			else
				one->kill_at_op = 0;
		}
	}
}

bool duel_barrier(struct duel *d, int machine) {
	struct err err;
	return ground_barrier(d->machines[machine], &err) == GROUND_DURABLE;
}

static void chapter(struct duel *d, struct hand *hands) {
	struct ground *g = d->machines[0];
	for (int i = 0; i < d->count; i++) {
		struct ground *one = d->machines[i];
		bool away = ground_draw(g, 5) == 0;
		if (away)
			duel_end(d, i);
		else
			duel_open(d, i);
		one->kill_at_op =
			ground_draw(g, 2) ? one->counts.ops + 1 + (int64_t)ground_draw(g, 120) : 0;
		hands[i].left = (int)ground_draw(g, 40);
		hands[i].gap_ms = 1 + (int64_t)ground_draw(g, 3000);
		timer_start(&hands[i].timer, (int64_t)ground_draw(g, 3000));
	}
	int64_t ms = (int64_t)ground_draw(g, 60000);
	duel_run(d, ms);
	int which = (int)ground_draw(g, (uint64_t)d->count);
	struct err err;
	if (!duel_is_wrong(d) && d->open[which] && ground_draw(g, 3) == 0)
		ground_barrier(d->machines[which], &err);
	for (int i = 0; i < d->count; i++) timer_cancel(&hands[i].timer);
	if (d->agrees && !d->plot->brakes) duel_stood_note(d);
	if (d->agrees && !duel_is_wrong(d) && ground_draw(g, 2)) duel_agree(d);
	if (d->plot->brakes && !duel_is_wrong(d)) duel_brake_chapter(d, which);
	for (int i = 0; i < d->count; i++)
		if (!duel_is_wrong(d) && ground_draw(g, 2)) duel_end(d, i);
}

/* What only fetches never removes a folder with things in it for a file: a person does. */
static struct duel *cleared;

static void clear_for_fetched(struct ground *g) {
	struct ground *first = cleared->machines[0];
	char **paths = edit_paths(first);
	for (char **path = paths; path && *path; path++) {
		struct disk_stat theirs, ours;
		struct err err;
		if (!disk_stat(first->disk, *path, &theirs, &err) &&
			!disk_stat(g->disk, *path, &ours, &err) && ours.kind != theirs.kind)
			edit_remove_path(g, *path);
	}
	strv_free(paths);
}

static void clear_fetcher(struct duel *d, int machine) {
	cleared = d;
	duel_edit(d, machine, clear_for_fetched);
}

/* Until all barriers end well and `wants` finds nothing any more. */
static char *settle_until(struct duel *d, struct err *err, const char **why,
	char *(*wants)(struct duel *d, const char **why)) {
	char *path = NULL;
	for (int round = 0; round < ROUNDS && !duel_is_wrong(d); round++) {
		bool durable = true;
		err_clear(err);
		for (int i = 0; i < d->count && !duel_is_wrong(d); i++) {
			struct err own;
			/* What came from the other side may be unreadable here too. */
			duel_make_way(d, i);
			bool stored = ground_barrier(d->machines[i], &own) == GROUND_DURABLE;
			durable &= stored;
			if (stored && round == 0 && i < d->senders) duel_stored(d, i);
			if (own.kind != ERR_NONE) *err = own;
			if (d->plot->brakes && own.kind == ERR_DENIED) duel_person(d, i);
			if (i >= d->senders && own.kind == ERR_INVALID) clear_fetcher(d, i);
		}
		free(path);
		path = wants(d, why);
		if (durable && !path) break;
		duel_run(d, 30000);
	}
	return path;
}

static char *not_fetched(struct duel *d, const char **why) {
	char *path = NULL;
	for (int i = d->senders; i < d->count && !path; i++) path = duel_not_fetched(d, i, why);
	return path;
}

/* What nobody was told of is found by the next scan: by the clock, or at a start. */
static void find_missed(struct duel *d, int machine) {
	struct ground *g = d->machines[machine];
	if (!d->open[machine] || !g->missed) return;
	if (g->settings.rescan_ms && ground_fate(g, 2))
		duel_run(d, g->settings.rescan_ms + 60000);
	else
		duel_end(d, machine);
	g->missed = false;
}

static void settle(struct duel *d) {
	struct err err = { .kind = ERR_NONE };
	const char *why = "";
	for (int i = 0; i < d->count; i++) {
		struct ground *g = d->machines[i];
		troubles_end(g);
		ground_mend_index(g);
		g->kill_at_op = 0;
		g->paused = true;
		duel_make_way(d, i);
	}
	ground_say(d->machines[0], "quiet");
	duel_edit(d, 0, put_last);
	for (int i = 0; i < d->count; i++) find_missed(d, i);
	for (int i = 0; i < d->count; i++) duel_open(d, i);
	char *path = settle_until(d, &err, &why, duel_difference);
	if (!path && d->senders < d->count && !duel_is_wrong(d)) {
		ground_say(d->machines[0], "all files get other bytes");
		duel_edit(d, 0, write_all);
		path = settle_until(d, &err, &why, not_fetched);
	}
	if (!duel_is_wrong(d) && err.kind != ERR_NONE)
		ground_wrong(d->machines[0], "the last barrier is refused", err.text);
	if (!duel_is_wrong(d) && path) ground_wrong(d->machines[0], why, path);
	free(path);
	if (!duel_is_wrong(d)) duel_gone_judge(d);
}

static void stop_all(struct duel *d) {
	for (int i = 0; i < d->count && !duel_is_wrong(d); i++) {
		ground_stop(d->machines[i]);
		d->open[i] = false;
	}
}

/* False: something is written by it. */
static bool run_once_more(struct duel *d) {
	unsigned writes[MACHINES_MAX] = { 0 };
	struct err err;
	bool none = true;
	for (int i = 0; i < d->count; i++) {
		writes[i] = d->machines[i]->counts.writes;
		duel_open(d, i);
	}
	for (int i = 0; i < d->count && !duel_is_wrong(d); i++)
		if (ground_barrier(d->machines[i], &err) == GROUND_REFUSED)
			ground_wrong(
				d->machines[i], "the barrier of a second run is refused", err.text);
	duel_run(d, 60000);
	const char *why = "";
	char *path = duel_difference(d, &why);
	if (!path) path = not_fetched(d, &why);
	if (path && !duel_is_wrong(d)) ground_wrong(d->machines[0], why, path);
	free(path);
	/* Not before: what got the name of a conflict at the remote, when nobody looked there any more, is durable and on no disk. */
	if (!duel_is_wrong(d)) duel_nothing_lost(d);
	if (!duel_is_wrong(d)) duel_remote_judge(d);
	if (!duel_is_wrong(d)) duel_gone_judge(d);
	for (int i = 0; i < d->count; i++) none &= d->machines[i]->counts.writes == writes[i];
	return none;
}

static void second_run(struct duel *d) {
	stop_all(d);
	if (duel_is_wrong(d)) return;
	ground_say(d->machines[0], "a second run");
	bool none = run_once_more(d);
	/* Where nothing tells of bytes, those of what was taken for the same by its size and time are known of neither side. When it is linked,
	 * or another name of it goes, they are sent once more; then they are known. */
	if (!none && d->hashless && !duel_is_wrong(d)) {
		stop_all(d);
		if (duel_is_wrong(d)) return;
		ground_say(d->machines[0], "a third run");
		none = run_once_more(d);
	}
	if (!none && !duel_is_wrong(d)) ground_wrong(d->machines[0], "a second run writes", "");
	stop_all(d);
}

/* ---- a seed ---- */

static void add_machine(
	struct duel *d, struct ground *g, bool breaks, struct cuts *cuts, bool tell) {
	static const char *const names[MACHINES_MAX] = { "A ", "B ", "C " };
	g->number = d->count;
	g->name = names[d->count];
	g->cuts = cuts;
	g->tell = tell;
	d->machines[d->count++] = g;
	g->index_fails = breaks ? 200 : 0;
	g->index_random = (uint64_t)d->count * GROUND_STEP;
}

static void make_machines(struct duel *d, unsigned seed, struct cuts *cuts, bool tell) {
	uint64_t bits = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15);
	bits ^= bits >> 29;
	struct store_memory_options options = {
		.keys_only = bits & 1,
		.times_in_version = (bits >> 4) & 1,
		.list_by_folder = (bits >> 5) & 1,
		.hash_first = (bits >> 6) & 1,
		.hashless = (bits >> 7) % 8 == 0,
		.sha256 = (bits >> 41) & 1,
		.changes = (bits >> 48) % 3 == 0,
		.deep_versions = (bits >> 48) % 3 == 1,
	};
	unsigned conditions = (bits >> 44) % 8;
	options.conditions = conditions == 0   ? STORE_CONDITIONS_REFUSED
			     : conditions == 1 ? STORE_CONDITIONS_IGNORED
					       : STORE_CONDITIONS_KEPT;
	/* Nothing would ever tell that a SET was one of another content of this size; drivers look first. */
	if (options.hashless && options.conditions == STORE_CONDITIONS_IGNORED)
		options.conditions = STORE_CONDITIONS_REFUSED;
	bool breaks = (bits >> 52) % 8 == 0;
	d->hashless = options.hashless;
	d->blind = options.conditions != STORE_CONDITIONS_KEPT;
	add_machine(d, ground_new(seed, &options, (bits >> 11) & 1), breaks, cuts, tell);
	struct ground *first = d->machines[0];
	add_machine(
		d, ground_new_beside(first, seed + 77777777, (bits >> 13) & 1), breaks, cuts, tell);
	/* Half of those that fetch do so from one machine, the others from two. */
	if (d->plot->fetch && ((bits >> 20) & 1))
		add_machine(d, ground_new_beside(first, seed + 177777777, (bits >> 21) & 1), breaks,
			cuts, tell);
	d->senders = d->count - d->plot->fetch;
	store_memory_latency(first->content, (int64_t)(bits >> 14) % 200);
}

static void set_machine(struct duel *d, int machine) {
	static const unsigned often[] = { 0, 2000, 20000, 80000 };
	static char *exclude[] = { (char *)"*.tmp", (char *)"/cache/", NULL };
	struct ground *g = d->machines[machine], *first = d->machines[0];
	g->odds = (struct ground_odds){
		.overflow = often[ground_draw(g, 3)],
		.edit_while_looking = often[ground_draw(g, 3)],
		.lost = often[ground_draw(g, 4)],
		.refused = often[ground_draw(g, 4)],
		.away = often[ground_draw(g, 3)],
		.slow = often[ground_draw(g, 4)],
	};
	/* Kills hit in the middle of a file; one that asks for too many would never end among the faults. */
	g->span_bytes = 4000;
	g->fine_clock = true; /* within one tick of the clock two edits of one size look alike */
	g->late_ms = ground_draw(g, 2) ? (int64_t)ground_draw(g, 3000) : 0;
	g->edit = edit_any;
	g->trashed = trashed;
	g->settings = (struct folder_settings){ .enabled = true,
		.path = (char *)"/memory",
		.remote = machine ? first->settings.remote
				  : (char *)(ground_draw(g, 2) ? "cloud:" : "cloud:deep/place"),
		.mode = machine < d->senders ? FOLDER_TWO_WAY : FOLDER_FETCH,
		.exclude = exclude,
		.max_delete = (char *)"none",
		.settle_ms = (int64_t)ground_draw(g, 2000),
		.max_settle_ms = 2000 + (int64_t)ground_draw(g, 20000),
		.rescan_ms = ground_draw(g, 3) ? 0 : 20000 + (int64_t)ground_draw(g, 100000),
		.poll_ms = 500 + (int64_t)ground_draw(g, 20000),
		.max_transfers = 1 + (int64_t)ground_draw(g, 8) };
	if (d->plot->brakes) duel_brake_set(d, machine);
	troubles_begin(g, d->troubles);
}

static void begin(struct duel *d, struct hand *hands) {
	for (int i = 0; i < d->count; i++) {
		struct ground *g = d->machines[i];
		hands[i].d = d;
		hands[i].machine = i;
		timer_init(&hands[i].timer, g->loop, hand_next);
		set_machine(d, i);
		for (uint64_t k = ground_draw(g, 20); k > 0; k--) edit_any(g);
	}
	edit_any(d->machines[0]);
}

static void end(struct duel *d, struct hand *hands, struct told_story *told) {
	for (int i = 0; i < d->count; i++) {
		struct ground *g = d->machines[i];
		timer_cancel(&hands[i].timer);
		troubles_end(g);
		if (d->open[i]) ground_close(g);
		if (g->counts.ops > SPIN_OPS) ground_wrong(g, "asks the store without end", "");
		told->trace = told->trace * 31 + g->trace;
		if (g->wrong && !told->wrong) {
			told->wrong = g->wrong;
			told->path = xstrdup(g->wrong_path);
			told->machine = i;
		}
		unsigned *to = (unsigned *)&told->counts;
		const unsigned *from = (const unsigned *)&g->counts;
		for (size_t k = 0; k < sizeof(g->counts) / sizeof(*to); k++) to[k] += from[k];
	}
	duel_agreed_release(d);
	map_release(&d->contents);
	map_release(&d->fetchers);
	map_release(&d->trash);
	map_release(&d->stood);
	for (int i = d->count; i-- > 0;) ground_free(d->machines[i]);
}

void two_way_tell(const struct model *model, unsigned seed, struct cuts *cuts, bool tell,
	struct told_story *told) {
	struct hand hands[MACHINES_MAX] = { 0 };
	struct duel d = {
		.plot = model->plot, .agrees = seed % 3 == 0, .troubles = troubles_of(model, seed)
	};
	if (d.plot->brakes)
		d.troubles &= ~(unsigned)(TROUBLE_CLOCK | TROUBLE_MISSING | TROUBLE_INDEX);
	make_machines(&d, seed, cuts, tell);
	map_init(&d.agreed);
	map_init(&d.contents);
	map_init(&d.fetchers);
	map_init(&d.trash);
	map_init(&d.stood);
	the_duel = &d;
	begin(&d, hands);
	struct ground *g = d.machines[0];
	for (uint64_t i = 1 + ground_draw(g, 4); i > 0 && !duel_is_wrong(&d); i--)
		if (cuts_happens(g, PART_CHAPTER)) chapter(&d, hands);
	if (!duel_is_wrong(&d)) settle(&d);
	if (!duel_is_wrong(&d)) second_run(&d);
	end(&d, hands, told);
}
