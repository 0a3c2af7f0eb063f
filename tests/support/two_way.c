/*
 * Two machines, one remote: random edits on both, lost answers, kills, and in the end both have the same. What an edit wrote is on both
 * then, under whatever name, unless an edit that had it before its eyes replaced or removed it.
 */
#include "support/two_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/contents.h"
#include "support/edits.h"
#include "support/trees.h"

enum { MACHINES = 2, ROUNDS = 40, SPIN_OPS = 120000 };

/* The bytes that edits wrote, by their hash: are they to be there in the end? */
struct written {
	struct map alive; /* to CONTENT_ALIVE or CONTENT_DROPPED */
};
static char alive_word[] = "written", dropped_word[] = "replaced";

struct duel {
	struct ground *machines[MACHINES];
	struct written contents;
	bool open[MACHINES];
	bool blind;       /* the remote keeps no conditions */
	struct map trash; /* by their hash, both machines' */
};

struct hand {
	struct timer timer;
	struct duel *d;
	int machine, left;
	int64_t gap_ms;
};

static bool is_wrong(const struct duel *d) {
	return d->machines[0]->wrong || d->machines[1]->wrong;
}

/* ---- edits ---- */

static struct duel *the_duel; /* whose turn it is: edits come from the disk as well */

static void edited(struct ground *g, void (*edit)(struct ground *g)) {
	struct duel *d = the_duel;
	struct map before, after;
	bool paused = g->paused;
	g->paused = true;
	contents_gather(g, &before);
	edit(g);
	struct disk_stat stat;
	struct err err;
	/* A side that is wholly empty asks a person: that is another story. */
	if (disk_stat(g->disk, "keep", &stat, &err) || stat.kind != DISK_FILE) {
		edit_remove_path(g, "keep");
		edit_put(g, "keep");
	}
	contents_gather(g, &after);
	for (struct map_item *it = NULL; (it = map_next(&after, it));) {
		/* What was out of sight comes back as it was. */
		if (contents_count(&before, map_key(it)) ||
			map_get(&d->contents.alive, map_key(it)))
			continue;
		ground_say(g, "    '%s' holds %s", ((struct contents_holder *)map_value(it))->path,
			map_key(it));
		map_put(&d->contents.alive, map_key(it), alive_word);
	}
	/* Of several names of one content each may go by another hand. */
	for (struct map_item *it = NULL; (it = map_next(&before, it));) {
		const struct contents_holder *holder = map_value(it);
		if (contents_count(&after, map_key(it)) >= holder->count) continue;
		ground_say(g, "    '%s' held %s", holder->path, map_key(it));
		map_put(&d->contents.alive, map_key(it), dropped_word);
	}
	contents_release(&before);
	contents_release(&after);
	g->paused = paused;
}

static void trashed(struct ground *g, const char *path) {
	char *hash = contents_hash(g, path);
	if (hash) {
		ground_say(g, "  trash: '%s' with %s", path, hash);
		map_put(&the_duel->trash, hash, dropped_word);
	}
	free(hash);
}

static void edit_any(struct ground *g) {
	edited(g, edit_random);
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

static void hand_next(struct timer *timer) {
	struct hand *h = container_of(timer, struct hand, timer);
	struct ground *g = h->d->machines[h->machine];
	if (h->left-- <= 0 || is_wrong(h->d)) return;
	edit_any(g);
	timer_start(
		timer, (int64_t)ground_draw(g, ground_draw(g, 12) ? (uint64_t)h->gap_ms : 20000));
}

/* ---- the two trees ---- */

static bool same_thing(struct duel *d, const char *path, const char **why) {
	struct disk_stat stats[MACHINES];
	struct buf targets[MACHINES];
	struct err err;
	bool same = false;
	for (int i = 0; i < MACHINES; i++)
		if (disk_stat(d->machines[i]->disk, path, &stats[i], &err)) {
			*why = "is on one side only";
			return false;
		}
	*why = "is of another kind on the other side";
	if (stats[0].kind != stats[1].kind) return false;
	*why = "is another one on the other side";
	if (stats[0].kind == DISK_FILE) {
		char *one = contents_hash(d->machines[0], path),
		     *two = contents_hash(d->machines[1], path);
		same = one && two && str_equal(one, two);
		free(one);
		free(two);
		if (!same) return false;
		*why = "has another time or mode on the other side";
		return stats[0].mtime_ns == stats[1].mtime_ns &&
		       (stats[0].mode & 0777) == (stats[1].mode & 0777);
	}
	if (stats[0].kind != DISK_LINK) return true;
	for (int i = 0; i < MACHINES; i++) {
		buf_init(&targets[i], 4096);
		disk_read_link(d->machines[i]->disk, path, &targets[i], &err);
	}
	same = targets[0].len == targets[1].len &&
	       memcmp(targets[0].at, targets[1].at, targets[0].len) == 0;
	for (int i = 0; i < MACHINES; i++) buf_release(&targets[i]);
	return same;
}

/* Not kept, or left out: neither is it of the other side's business. */
static bool counts(struct ground *g, const char *path) {
	struct disk_stat stat;
	struct err err;
	if (disk_stat(g->disk, path, &stat, &err) || stat.kind == DISK_OTHER) return false;
	return !story_excludes(path, stat.kind == DISK_FOLDER) && !disk_is_beside(path_name(path));
}

/* A folder that was gone there may stay here for what the rules leave out in it, also when that is gone by now. */
static bool is_hollow(const struct ground *g, const char *path) {
	struct index_entry row;
	struct err err;
	if (!g->folder || index_get(g->index, path, true, &row, &err) != 1) return false;
	bool hollow = (row.flags & INDEX_HOLLOW) != 0;
	index_entry_release(&row);
	return hollow;
}

/* The first difference; the caller's. NULL: none. */
static char *difference(struct duel *d, const char **why) {
	char *found = NULL;
	for (int i = 0; i < MACHINES && !found; i++) {
		char **paths = edit_paths(d->machines[i]);
		for (char **path = paths; path && *path && !found; path++) {
			if (!counts(d->machines[i], *path)) continue;
			/* A socket or a folder that is left out, in its place, says nothing of it. */
			struct disk_stat stat, there;
			struct err err;
			bool here = !disk_stat(d->machines[i]->disk, *path, &stat, &err);
			bool over_there = !disk_stat(d->machines[1 - i]->disk, *path, &there, &err);
			if (!here || (over_there && !counts(d->machines[1 - i], *path))) continue;
			if (same_thing(d, *path, why) || is_hollow(d->machines[i], *path)) continue;
			ground_say(d->machines[i], "'%s', of kind %d here, %s", *path, stat.kind,
				*why);
			found = xstrdup(*path);
		}
		strv_free(paths);
	}
	return found;
}

/* Where the remote keeps no conditions, two that write at one moment do not see each other: what the later one replaced is a kept version,
 * or lies in the trash of the other. */
static void nothing_lost(struct duel *d) {
	struct map found[MACHINES], kept;
	for (int i = 0; i < MACHINES; i++) contents_gather(d->machines[i], &found[i]);
	contents_gather_remote(d->machines[0], &kept);
	for (struct map_item *it = NULL; (it = map_next(&d->contents.alive, it));) {
		if (map_value(it) != alive_word) continue;
		if (map_get(&found[0], map_key(it)) || map_get(&found[1], map_key(it))) continue;
		bool past = map_get(&kept, map_key(it)) || map_get(&d->trash, map_key(it));
		if (d->blind && past) continue;
		ground_wrong(d->machines[0], "what an edit wrote is nowhere", map_key(it));
	}
	for (int i = 0; i < MACHINES; i++) contents_release(&found[i]);
	contents_release(&kept);
}

/* ---- the story ---- */

static void open_one(struct duel *d, int machine) {
	if (d->open[machine]) return;
	ground_open(d->machines[machine]);
	d->open[machine] = true;
}

static void end_one(struct duel *d, int machine) {
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
}

static void run_both(struct duel *d, int64_t ms) {
	struct ground *g = d->machines[0];
	int64_t until_ms = loop_now_ms(g->loop) + ms;
	while (!is_wrong(d) && loop_now_ms(g->loop) < until_ms) {
		ground_run(g, 500);
		for (int i = 0; i < MACHINES; i++) {
			struct ground *one = d->machines[i];
			if (d->open[i] && one->kill_at_op &&
				(int64_t)one->counts.ops >= one->kill_at_op)
				end_one(d, i);
		}
	}
}

static void chapter(struct duel *d, struct hand *hands) {
	struct ground *g = d->machines[0];
	for (int i = 0; i < MACHINES; i++) {
		struct ground *one = d->machines[i];
		bool away = ground_draw(g, 5) == 0;
		if (away)
			end_one(d, i);
		else
			open_one(d, i);
		one->kill_at_op =
			ground_draw(g, 2) ? one->counts.ops + 1 + (int64_t)ground_draw(g, 120) : 0;
		hands[i].left = (int)ground_draw(g, 40);
		hands[i].gap_ms = 1 + (int64_t)ground_draw(g, 3000);
		timer_start(&hands[i].timer, (int64_t)ground_draw(g, 3000));
	}
	run_both(d, (int64_t)ground_draw(g, 60000));
	int which = (int)ground_draw(g, MACHINES);
	struct err err;
	if (!is_wrong(d) && d->open[which] && ground_draw(g, 3) == 0)
		ground_barrier(d->machines[which], &err);
	for (int i = 0; i < MACHINES; i++) timer_cancel(&hands[i].timer);
	for (int i = 0; i < MACHINES; i++)
		if (!is_wrong(d) && ground_draw(g, 2)) end_one(d, i);
}

static void settle(struct duel *d) {
	struct err err = { .kind = ERR_NONE };
	const char *why = "";
	char *path = NULL;
	for (int i = 0; i < MACHINES; i++) {
		struct ground *g = d->machines[i];
		g->odds = (struct ground_odds){ 0 };
		g->kill_at_op = 0;
		g->paused = true;
		edited(g, make_way);
	}
	ground_say(d->machines[0], "quiet");
	edited(d->machines[0], put_last);
	for (int i = 0; i < MACHINES; i++) open_one(d, i);
	for (int round = 0; round < ROUNDS && !is_wrong(d); round++) {
		bool durable = true;
		for (int i = 0; i < MACHINES && !is_wrong(d); i++) {
			/* What came from the other side may be unreadable here too. */
			edited(d->machines[i], make_way);
			durable &= ground_barrier(d->machines[i], &err) == GROUND_DURABLE;
		}
		free(path);
		path = difference(d, &why);
		if (durable && !path) break;
		run_both(d, 30000);
	}
	if (is_wrong(d)) {
		free(path);
		return;
	}
	if (err.kind != ERR_NONE) ground_wrong(d->machines[0], "the last barrier is refused", "");
	if (path) ground_wrong(d->machines[0], why, path);
	free(path);
	if (!is_wrong(d)) nothing_lost(d);
}

static void second_run(struct duel *d) {
	unsigned writes[MACHINES];
	struct err err;
	for (int i = 0; i < MACHINES && !is_wrong(d); i++) {
		ground_stop(d->machines[i]);
		d->open[i] = false;
	}
	if (is_wrong(d)) return;
	ground_say(d->machines[0], "a second run");
	for (int i = 0; i < MACHINES; i++) {
		writes[i] = d->machines[i]->counts.writes;
		open_one(d, i);
	}
	for (int i = 0; i < MACHINES && !is_wrong(d); i++)
		if (ground_barrier(d->machines[i], &err) == GROUND_REFUSED)
			ground_wrong(d->machines[i], "the barrier of a second run is refused", "");
	run_both(d, 60000);
	const char *why = "";
	char *path = difference(d, &why);
	if (path && !is_wrong(d)) ground_wrong(d->machines[0], why, path);
	free(path);
	for (int i = 0; i < MACHINES && !is_wrong(d); i++)
		if (d->machines[i]->counts.writes != writes[i])
			ground_wrong(d->machines[i], "a second run writes", "");
	for (int i = 0; i < MACHINES && !is_wrong(d); i++) {
		ground_stop(d->machines[i]);
		d->open[i] = false;
	}
}

/* ---- a seed ---- */

static void make_machines(struct duel *d, unsigned seed) {
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
	d->blind = options.conditions != STORE_CONDITIONS_KEPT;
	d->machines[0] = ground_new(seed, &options, (bits >> 11) & 1);
	d->machines[0]->name = "A ";
	d->machines[1] = ground_new_beside(d->machines[0], seed + 77777777, (bits >> 13) & 1);
	d->machines[1]->name = "B ";
	store_memory_latency(d->machines[0]->content, (int64_t)(bits >> 14) % 200);
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
	g->fine_clock = true; /* within one tick of the clock two edits of one size look alike */
	g->late_ms = ground_draw(g, 2) ? (int64_t)ground_draw(g, 3000) : 0;
	g->edit = edit_any;
	g->trashed = trashed;
	g->settings = (struct folder_settings){ .enabled = true,
		.path = (char *)"/memory",
		.remote = machine ? first->settings.remote
				  : (char *)(ground_draw(g, 2) ? "cloud:" : "cloud:deep/place"),
		.mode = FOLDER_TWO_WAY,
		.exclude = exclude,
		.max_delete = (char *)"none",
		.settle_ms = (int64_t)ground_draw(g, 2000),
		.max_settle_ms = 2000 + (int64_t)ground_draw(g, 20000),
		.rescan_ms = ground_draw(g, 3) ? 0 : 20000 + (int64_t)ground_draw(g, 100000),
		.poll_ms = 500 + (int64_t)ground_draw(g, 20000),
		.max_transfers = 1 + (int64_t)ground_draw(g, 8) };
}

static void tell_story(struct duel *d, unsigned seed, bool tell) {
	struct hand hands[MACHINES] = { 0 };
	memset(d, 0, sizeof(*d));
	make_machines(d, seed);
	map_init(&d->contents.alive);
	map_init(&d->trash);
	the_duel = d;
	for (int i = 0; i < MACHINES; i++) {
		hands[i].d = d;
		hands[i].machine = i;
		timer_init(&hands[i].timer, d->machines[i]->loop, hand_next);
		d->machines[i]->tell = tell;
		set_machine(d, i);
		for (uint64_t k = ground_draw(d->machines[i], 20); k > 0; k--)
			edit_any(d->machines[i]);
	}
	edit_any(d->machines[0]);
	struct ground *g = d->machines[0];
	for (uint64_t i = 1 + ground_draw(g, 4); i > 0 && !is_wrong(d); i--) chapter(d, hands);
	if (!is_wrong(d)) settle(d);
	if (!is_wrong(d)) second_run(d);
	for (int i = 0; i < MACHINES; i++) {
		timer_cancel(&hands[i].timer);
		if (d->open[i]) ground_close(d->machines[i]);
		if (d->machines[i]->counts.ops > SPIN_OPS)
			ground_wrong(d->machines[i], "asks the store without end", "");
	}
}

static void duel_release(struct duel *d) {
	map_release(&d->contents.alive);
	map_release(&d->trash);
	ground_free(d->machines[1]);
	ground_free(d->machines[0]);
}

/* ---- many seeds ---- */

static bool seed_fails(
	const char *program, unsigned seed, bool tell, bool twice, struct ground_counts *sum) {
	struct duel d;
	uint64_t traces[MACHINES];
	bool failed = false;
	tell_story(&d, seed, tell);
	for (int i = 0; i < MACHINES; i++) {
		struct ground *g = d.machines[i];
		traces[i] = g->trace;
		if (g->wrong)
			printf("seed %u: machine %d: %s: '%s'\n  %s --seed %u --trace\n", seed, i,
				g->wrong, g->wrong_path, program, seed);
		failed |= g->wrong != NULL;
		unsigned *to = (unsigned *)sum, *from = (unsigned *)&g->counts;
		for (size_t k = 0; k < sizeof(*sum) / sizeof(*to); k++) to[k] += from[k];
	}
	duel_release(&d);
	if (failed || !twice) return failed;
	tell_story(&d, seed, false);
	for (int i = 0; i < MACHINES; i++) failed |= d.machines[i]->trace != traces[i];
	if (failed)
		printf("seed %u: a second time it is another trace\n  %s --seed %u --trace\n", seed,
			program, seed);
	duel_release(&d);
	return failed;
}

int two_way_main(int argc, char **argv, unsigned first, unsigned last, const unsigned *kept,
	size_t kept_count) {
	struct ground_counts sum = { 0 };
	bool tell = false;
	unsigned failures = 0;
	for (int i = 1; i < argc; i++) {
		if (str_equal(argv[i], "--trace")) {
			tell = true;
		} else if (str_equal(argv[i], "--seed") && i + 1 < argc) {
			first = last = (unsigned)strtoul(argv[++i], NULL, 10);
			kept_count = 0;
		} else if (str_equal(argv[i], "--seeds") && i + 2 < argc) {
			first = (unsigned)strtoul(argv[++i], NULL, 10);
			last = (unsigned)strtoul(argv[++i], NULL, 10);
			kept_count = 0;
		} else {
			fprintf(stderr, "usage: %s [--seed N | --seeds FIRST LAST] [--trace]\n",
				argv[0]);
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(tell ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_TEXT);
	for (unsigned seed = first; seed <= last && failures < 10; seed++)
		failures += seed_fails(argv[0], seed, tell, seed % 10 == 0 || first == last, &sum);
	for (size_t i = 0; i < kept_count; i++)
		failures += seed_fails(argv[0], kept[i], tell, false, &sum);
	printf("seeds %u to %u: %u edits, %u operations, %u faults, %u overflows, %u kills that "
	       "lost %u commits: %u wrong\n",
		first, last, sum.edits, sum.ops, sum.faults, sum.overflows, sum.kills,
		sum.commits_lost, failures);
	return failures ? 1 : 0;
}
