/*
 * 10,000 graphs by chance on the simulated loop, each started, shaken and stopped: nobody starts before what it waits for, whoever can
 * be up gets up (no wake-up is lost), trouble of a folder stops no service, a stop goes backwards and always ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/unit.h"

enum { GRAPHS = 10000, UNITS_MAX = 24, SHAKES = 6, DELAY_MS = 50 };

struct player {
	struct unit unit;
	struct timer timer;
	enum unit_state next; /* what it reports when the timer fires */
	bool hopeless;        /* its attempts fail */
	bool told;            /* to stop, in this stop */
	bool needs[UNITS_MAX], requires[UNITS_MAX];
};

static uint64_t chance, seed;
static struct loop *loop;
static struct unit_graph *graph;
static struct player players[UNITS_MAX];
static size_t count;
static bool stopping, stopped, keep;

/* Of its own, so that a seed is a graph wherever it runs. */
static unsigned roll(unsigned below) {
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(chance >> 33) % below;
}

#define CHECK(holds, ...)                                                          \
	do {                                                                       \
		if (!(holds)) {                                                    \
			char text[200];                                            \
			snprintf(text, sizeof(text), __VA_ARGS__);                 \
			fail_msg("seed %llu: %s", (unsigned long long)seed, text); \
		}                                                                  \
	} while (0)

static struct player *player_of(struct unit *unit) {
	return container_of(unit, struct player, unit);
}

static bool holds(const struct player *player, size_t i) {
	const struct unit *other = &players[i].unit;
	if (!player->needs[i] || other->state == UNIT_READY) return false;
	if (player->requires[i]) return true;
	return !other->attempted &&
	       (other->wanted || (other->state != UNIT_DOWN && other->state != UNIT_FAILED));
}

static void later(struct player *player, enum unit_state next) {
	player->next = next;
	timer_start(&player->timer, 1 + roll(DELAY_MS));
}

static void may_start(struct unit *unit) {
	struct player *player = player_of(unit);
	CHECK(!stopping, "%s starts while the graph stops", unit->id);
	CHECK(unit->wanted, "%s starts and nobody wants it", unit->id);
	for (size_t i = 0; i < count; i++)
		CHECK(!holds(player, i), "%s starts before %s", unit->id, players[i].unit.id);
	later(player, player->hopeless ? UNIT_FAILED : UNIT_READY);
}

/* A stop of the daemon that keeps services leaves the commands of steps alone too. */
static bool is_kept(const struct unit *unit) {
	return keep && (unit->kind == UNIT_SERVICE || unit->kind == UNIT_STEP);
}

static bool left(const struct player *player) {
	const struct unit *unit = &player->unit;
	return unit->state != UNIT_DOWN && !is_kept(unit);
}

static void must_stop(struct unit *unit) {
	struct player *player = player_of(unit);
	size_t self = (size_t)(player - players);
	CHECK(stopping, "%s is told to stop and nobody asked", unit->id);
	CHECK(!player->told, "%s is told to stop twice", unit->id);
	CHECK(!is_kept(unit), "%s was to be kept", unit->id);
	player->told = true;
	for (size_t i = 0; i < count; i++)
		CHECK(!(players[i].needs[self] && left(&players[i])),
			"%s goes before %s, which waits for it", unit->id, players[i].unit.id);
	/* Some are gone at once, inside the call. */
	timer_cancel(&player->timer);
	if (roll(4) == 0) {
		unit_report(unit, UNIT_DOWN, NULL);
		return;
	}
	unit_report(unit, UNIT_STOPPING, NULL);
	later(player, UNIT_DOWN);
}

static const struct unit_calls calls = { may_start, must_stop };

static void fired(struct timer *timer) {
	struct player *player = container_of(timer, struct player, timer);
	unit_report(&player->unit, player->next, NULL);
	/* As a service does: tried again after a while. */
	if (player->next == UNIT_FAILED && player->unit.wanted && !stopping && roll(3) == 0)
		unit_want(&player->unit);
}

static void all_stopped(void *user) {
	(void)user;
	stopped = true;
	stopping = false; /* whoever was kept and waited may go on */
}

/* ---- one graph ---- */

static void make(void) {
	count = 2 + roll(UNITS_MAX - 1);
	for (size_t i = 0; i < count; i++) {
		struct player *player = &players[i];
		char name[24];
		*player = (struct player){ .hopeless = roll(6) == 0 };
		snprintf(name, sizeof(name), "%zu", i);
		unit_init(&player->unit, graph, (enum unit_kind)(UNIT_FOLDER + roll(3)), name,
			&calls);
		timer_init(&player->timer, loop, fired);
		/* Only to earlier ones: no circle. */
		for (size_t j = 0; j < i; j++) {
			if (roll(4) != 0) continue;
			player->needs[j] = true;
			player->requires[j] = roll(2) == 0;
			unit_add_edge(&player->unit, &players[j].unit, player->requires[j]);
		}
	}
}

/* Whoever is wanted and waits must have somebody to wait for: else a wake-up was lost. */
static void check_settled(void) {
	for (size_t i = 0; i < count; i++) {
		struct player *player = &players[i];
		const struct unit *unit = &player->unit;
		bool held = false;
		for (size_t j = 0; j < count; j++) held |= holds(player, j);
		CHECK(unit->state != UNIT_STARTING, "%s starts for ever", unit->id);
		CHECK(unit->state != UNIT_WAITING || held, "%s waits for nobody", unit->id);
		CHECK(!unit->wanted || unit->state != UNIT_DOWN, "%s is wanted and down", unit->id);
		if (unit->wanted && !held && !player->hopeless)
			CHECK(unit->state == UNIT_READY, "%s is %s and could be ready", unit->id,
				unit_state_name(unit->state));
	}
}

static void shake(void) {
	struct player *player = &players[roll((unsigned)count)];
	struct unit *unit = &player->unit;
	bool was_up[UNITS_MAX];
	for (size_t i = 0; i < count; i++) was_up[i] = players[i].unit.state == UNIT_READY;
	switch (roll(3)) {
	case 0: /* later trouble of it */
		if (unit->state != UNIT_READY) return;
		unit_report(unit, UNIT_FAILED, NULL);
		later(player, UNIT_READY);
		break;
	case 1: /* nobody wants it any more: its owner ends it */
		unit_unwant(unit);
		if (unit->state == UNIT_DOWN) break;
		timer_cancel(&player->timer);
		unit_report(unit, UNIT_STOPPING, NULL);
		later(player, UNIT_DOWN);
		break;
	default: unit_want(unit); break;
	}
	loop_run(loop);
	for (size_t i = 0; i < count; i++)
		CHECK(!was_up[i] || &players[i] == player || players[i].unit.state == UNIT_READY,
			"%s went since %s did", players[i].unit.id, unit->id);
}

static void play(void) {
	chance = seed;
	loop = loop_new_simulated(seed);
	graph = unit_graph_new(loop);
	stopping = stopped = false;
	make();
	struct err err;
	assert_int_equal(unit_check_cycles(graph, &err), 0);
	for (size_t i = 0; i < count; i++)
		if (roll(8) != 0) unit_want(&players[i].unit);
	/* Some are stopped in the midst of it. */
	if (roll(4) != 0) {
		loop_run(loop);
		check_settled();
		for (size_t i = 0; i < SHAKES; i++) {
			shake();
			check_settled();
		}
	}
	keep = roll(3) == 0;
	stopping = true;
	unit_graph_stop(graph, keep, all_stopped, NULL);
	loop_run(loop);
	CHECK(stopped, "the stop does not end");
	for (size_t i = 0; i < count; i++) {
		CHECK(!left(&players[i]), "%s is left after the stop", players[i].unit.id);
		timer_cancel(&players[i].timer);
		unit_release(&players[i].unit);
	}
	unit_graph_free(graph);
	loop_free(loop);
}

static void graphs_by_chance(void **state) {
	(void)state;
	for (seed = 1; seed <= GRAPHS; seed++) play();
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(graphs_by_chance) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
