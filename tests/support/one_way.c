#include "support/one_way.h"

#include <stdlib.h>
#include <string.h>

#include "support/edits.h"
#include "support/trees.h"
#include "support/troubles.h"

enum { SPIN_OPS = 60000 };

/* ---- edits that come by themselves ---- */

struct writer {
	struct timer timer;
	struct story *s;
	int64_t gap_ms; /* at most, between two */
	int left;
};

static void writer_next(struct timer *timer) {
	struct writer *w = container_of(timer, struct writer, timer);
	struct ground *g = w->s->g;
	if (g->paused || w->left-- <= 0) return;
	if (ground_draw(g, 25) == 0 && w->s->foreign < 6) {
		g->paused = true;
		story_meddle(w->s);
		g->paused = false;
	} else {
		cuts_edit(g, edit_random);
	}
	/* Now and then a long quiet. */
	timer_start(
		timer, (int64_t)ground_draw(g, ground_draw(g, 12) ? (uint64_t)w->gap_ms : 20000));
}

static void barrier_and_compare(struct story *s) {
	struct err err;
	/* What nobody was told of is found by the next scan. */
	bool missed = s->g->missed;
	if (ground_barrier(s->g, &err) != GROUND_DURABLE || missed) return;
	bool paused = s->g->paused;
	s->g->paused = true;
	story_compare(s, s->g->hit);
	story_nothing_lost(s);
	s->g->paused = paused;
}

/* ---- what must stop the engine ---- */

static bool root_is_empty(struct ground *g) {
	struct err err;
	return disk_is_empty(g->disk, "", &err) == 1;
}

/* All goes at once: nothing is deleted over there until somebody says that it was meant. */
static void empty_the_root(struct story *s) {
	struct ground *g = s->g;
	struct err err;
	bool paused = g->paused;
	g->paused = true;
	if (!g->missed && ground_barrier(g, &err) == GROUND_DURABLE && !g->wrong) {
		unsigned deletions = g->counts.deletions;
		bool files = edit_any_files(g);
		ground_say(g, "all that is in the root goes");
		edit_make_readable(g);
		edit_remove_tree(g, "");
		if (root_is_empty(g)) ground_run(g, 90000);
		/* Of folders alone nothing is lost. */
		if (files && root_is_empty(g) && g->counts.deletions != deletions)
			ground_wrong(g, "an emptied root was taken for deletions", "");
		edit_put(g, "back");
	}
	g->paused = paused;
}

static void hide_the_root(struct story *s) {
	struct ground *g = s->g;
	bool paused = g->paused;
	unsigned removes = g->counts.removes;
	g->paused = true;
	ground_say(g, "the root is gone");
	disk_memory_hide_root(g->memory, true);
	if (g->watch && ground_draw(g, 2)) watch_feed(g->watch, WATCH_ROOT_GONE, "", NULL);
	ground_run(g, (int64_t)ground_draw(g, 60000));
	(void)removes;
	disk_memory_hide_root(g->memory, false);
	ground_say(g, "the root is back");
	g->paused = paused;
}

/* ---- one run of the engine ---- */

static void run_once(struct story *s, struct writer *w) {
	struct ground *g = s->g;
	g->paused = false;
	w->left = 5 + (int)ground_draw(g, 60);
	w->gap_ms = 1 + (int64_t)ground_draw(g, 1500);
	g->kill_at_op = ground_draw(g, 2) ? g->counts.ops + 1 + (int64_t)ground_draw(g, 80) : 0;
	ground_open(g);
	if (g->wrong) return;
	timer_start(&w->timer, (int64_t)ground_draw(g, 3000));
	ground_run(g, (int64_t)ground_draw(g, 30000));
	switch (ground_draw(g, 8)) {
	case 0:
	case 1:
	case 2: g->paused = true; /* fall through */
	case 3: barrier_and_compare(s); break;
	case 4: empty_the_root(s); break;
	case 5: hide_the_root(s); break;
	default: break;
	}
	ground_run(g, (int64_t)ground_draw(g, 15000));
	timer_cancel(&w->timer);
	g->kill_at_op = 0;
	if (g->wrong || ground_draw(g, 4))
		ground_kill(g, ground_draw(g, 2), ground_draw(g, 7));
	else if (ground_draw(g, 2))
		ground_close(g);
	else
		ground_stop(g);
	g->paused = false;
	for (uint64_t i = ground_draw(g, 8); i > 0; i--) cuts_edit(g, edit_random);
}

static void approve(struct ground *g) {
	struct folder_deletion *deletions;
	struct err err;
	int64_t upto;
	size_t count = folder_deletions(g->folder, 1000, &deletions, &upto);
	folder_deletions_free(deletions, count);
	if (!count) return;
	ground_say(g, "a person approves %zu deletions", count);
	map_release(&g->removed);
	g->most_deletions = 0;
	if (folder_approve(g->folder, upto, &err)) ground_say(g, "not approved: %s", err.text);
}

/* All is well again: it converges, and there is nothing left to do. */
static void quiet(struct story *s) {
	struct ground *g = s->g;
	struct err err;
	troubles_end(g);
	ground_mend_index(g);
	g->paused = true;
	ground_say(g, "quiet");
	edit_make_readable(g);
	edit_put(g, "last");
	story_make_room(s);
	story_answer_meddling(s);
	ground_open(g);
	/* What a person had to see to may be remembered from before, or show by now only; it is seen to. */
	for (int i = 0; i < 5 && ground_barrier(g, &err) == GROUND_REFUSED; i++) {
		if (err.kind == ERR_DENIED)
			approve(g);
		else
			story_make_room(s);
		ground_run(g, 180000);
	}
	if (err.kind != ERR_NONE) ground_wrong(g, err.text, "the last barrier");
	if (!g->wrong) story_compare(s, NULL);
	if (!g->wrong) story_nothing_lost(s);
	ground_stop(g);
	if (g->wrong) return;
	unsigned writes = g->counts.writes;
	ground_say(g, "a second run");
	ground_open(g);
	if (ground_barrier(g, &err) == GROUND_REFUSED)
		ground_wrong(g, err.text, "the barrier of a second run");
	ground_run(g, 60000);
	if (g->counts.writes != writes) ground_wrong(g, "a second run writes", "");
	if (!g->wrong) story_compare(s, NULL);
	ground_stop(g);
}

/* ---- a seed ---- */

static struct ground *make_ground(unsigned seed) {
	uint64_t bits = (uint64_t)seed * UINT64_C(0x9e3779b97f4a7c15);
	bits ^= bits >> 29;
	bool sends = (bits >> 42) & 1;
	int64_t parts = sends ? 60000 : 5000; /* many are hashed while they are sent */
	struct store_memory_options options = {
		.keys_only = bits & 1,
		.times_in_version = (bits >> 4) & 1,
		.list_by_folder = (bits >> 5) & 1,
		.hash_first = (bits >> 6) & 1,
		.deaf = (bits >> 7) & 1,
		.sha256 = (bits >> 41) & 1,
		.part_from = (bits >> 8) & 1 ? parts : 0,
		.part_size = (bits >> 8) & 1 ? parts * 2 / 5 : 0,
		.sends_parts = sends,
	};
	unsigned conditions = (bits >> 9) % 4;
	options.conditions = conditions == 0   ? STORE_CONDITIONS_REFUSED
			     : conditions == 1 ? STORE_CONDITIONS_IGNORED
					       : STORE_CONDITIONS_KEPT;
	struct ground *g = ground_new(seed, &options, (bits >> 11) & 1);
	g->names = (bits >> 40) & 1;
	g->large = sends;
	g->index_fails = (bits >> 43) % 8 ? 0 : 200;
	g->index_random = bits;
	store_memory_latency(g->content, (int64_t)(bits >> 12) % 200);
	return g;
}

static void set_odds(struct ground *g) {
	static const unsigned often[] = { 0, 2000, 20000, 80000 };
	g->odds = (struct ground_odds){
		.overflow = often[ground_draw(g, 3)],
		.edit_while_looking = often[ground_draw(g, 3)],
		.lost = often[ground_draw(g, 4)],
		.refused = often[ground_draw(g, 4)],
		.away = often[ground_draw(g, 3)],
		.slow = often[ground_draw(g, 4)],
		.odd = often[ground_draw(g, 4) ? 0 : 2],
	};
	g->fine_clock = ground_draw(g, 3);
	g->late_ms = ground_draw(g, 2) ? (int64_t)ground_draw(g, 3000) : 0;
}

static void edit_any(struct ground *g) {
	cuts_edit(g, edit_random);
}

static struct ground *tell_story(unsigned seed, unsigned troubles, struct cuts *cuts, bool tell) {
	static char *exclude[] = { (char *)"*.tmp", (char *)"/cache/", NULL };
	struct ground *g = make_ground(seed);
	struct story s = { .g = g };
	struct writer w = { .s = &s };
	g->tell = tell;
	g->edit = edit_any;
	g->cuts = cuts;
	map_init(&s.durable);
	map_init(&s.theirs);
	map_init(&s.strange);
	timer_init(&w.timer, g->loop, writer_next);
	set_odds(g);
	s.backup = ground_draw(g, 5) > 0;
	struct err err;
	struct store_op probe;
	store_op_init(&probe, STORE_ABOUT, "");
	s.theirs_kept = !store_memory_now(g->content, &probe, &err) && probe.about.conditions;
	store_op_release(&probe);
	g->settings = (struct folder_settings){ .enabled = true,
		.path = (char *)"/memory",
		.remote = (char *)(ground_draw(g, 2) ? "cloud:" : "cloud:deep/place"),
		.mode = s.backup ? FOLDER_BACKUP : FOLDER_MIRROR,
		.exclude = exclude,
		.settle_ms = (int64_t)ground_draw(g, 2000),
		.max_settle_ms = 2000 + (int64_t)ground_draw(g, 20000),
		.rescan_ms = ground_draw(g, 3) ? 0 : 20000 + (int64_t)ground_draw(g, 100000),
		.max_transfers = 1 + (int64_t)ground_draw(g, 8) };
	if (ground_draw(g, 4) == 0) {
		g->most_deletions = 4;
		g->settings.max_delete = (char *)"4";
	}
	/* It has odd answers of its own. */
	troubles_begin(g, troubles & ~(unsigned)TROUBLE_ODD);
	for (uint64_t i = ground_draw(g, 25); i > 0; i--) cuts_edit(g, edit_random);
	edit_put(g, "first");
	if (ground_draw(g, 3) == 0) story_send_some(&s);
	for (uint64_t i = 1 + ground_draw(g, 4); i > 0 && !g->wrong; i--)
		if (cuts_happens(g, PART_CHAPTER)) run_once(&s, &w);
	if (!g->wrong) quiet(&s);
	timer_cancel(&w.timer);
	if (g->counts.ops > SPIN_OPS) ground_wrong(g, "asks the store without end", "");
	troubles_end(g);
	story_release(&s);
	return g;
}

void one_way_tell(const struct model *model, unsigned seed, struct cuts *cuts, bool tell,
	struct told_story *told) {
	struct ground *g = tell_story(seed, troubles_of(model, seed), cuts, tell);
	told->wrong = g->wrong;
	told->path = xstrdup(g->wrong_path);
	told->trace = g->trace;
	told->counts = g->counts;
	ground_free(g);
}

int one_way_main(int argc, char **argv, unsigned first, unsigned last) {
	const struct model model = {
		.about = "one machine that sends, in the modes backup and mirror",
		.tell = one_way_tell,
		.first = first,
		.last = last
	};
	return seeds_main(argc, argv, &model);
}
