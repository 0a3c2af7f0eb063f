#include "support/troubles.h"

enum { STEPS_MAX = 6, STEP_GAP_MS = 40000, STEP_HOURS = 6 };

unsigned troubles_of(const struct model *model, unsigned seed) {
	static const unsigned one_in[] = { 8, 8, 8, 8, 8, 4 };
	unsigned troubles = 0;
	if (model->plain) return 0;
	for (size_t i = 0; i < model->kept_count; i++)
		if (model->kept[i] == seed) return 0;
	uint64_t bits = (seed + UINT64_C(0x51ed27)) * UINT64_C(0xbf58476d1ce4e5b9);
	bits ^= bits >> 31;
	for (size_t i = 0; i < ARRAY_LEN(one_in); i++, bits >>= 8)
		if ((bits & 0xff) % one_in[i] == 0) troubles |= 1U << i;
	return troubles;
}

/* ---- the clock ---- */

static void clock_steps(struct timer *timer) {
	struct ground *g = container_of(timer, struct ground, clock);
	int64_t most = (int64_t)STEP_HOURS * 3600 * NS_PER_S;
	int64_t far =
		(int64_t)ground_fate(g, ground_fate(g, 2) ? (uint64_t)most : (uint64_t)most / 60);
	bool back = ground_fate(g, 2);
	g->clock_left--;
	if (!cuts_happens(g, PART_FAULT)) return;
	ground_say(g, "the clock steps %lld s %s", (long long)(far / NS_PER_S),
		back ? "back" : "forwards");
	loop_skew_wall(g->loop, back ? -far : far);
}

void troubles_run(struct ground *g) {
	if (g->clock_left && !timer_running(&g->clock))
		timer_start(&g->clock, (int64_t)ground_fate(g, STEP_GAP_MS));
}

/* ---- all of them ---- */

void troubles_begin(struct ground *g, unsigned troubles) {
	static const unsigned often[] = { 2000, 20000 };
	timer_init(&g->clock, g->loop, clock_steps);
	/* A brake's hour is told by that clock. */
	if ((troubles & TROUBLE_CLOCK) && !g->beside && !g->most_deletions)
		g->clock_left = 1 + (unsigned)ground_fate(g, STEPS_MAX);
	if (troubles & TROUBLE_ODD) g->odds.odd = often[ground_fate(g, ARRAY_LEN(often))];
	if (troubles & TROUBLE_DISK) {
		g->odds.full = ground_fate(g, 2) ? often[ground_fate(g, ARRAY_LEN(often))] : 0;
		g->odds.broken = ground_fate(g, 2) ? often[ground_fate(g, ARRAY_LEN(often))] : 0;
	}
	if (troubles & TROUBLE_MISSING) g->odds.missing = ground_fate(g, 2) ? 20000 : 200000;
}

void troubles_end(struct ground *g) {
	g->odds = (struct ground_odds){ 0 };
	g->clock_left = 0;
	timer_cancel(&g->clock);
}
