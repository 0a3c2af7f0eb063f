/* What waits for what, as tables: each step does something to units and names the calls that
 * must follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/unit.h"

enum { UNITS_MAX = 16, STEPS_MAX = 24 };

struct step {
	/* want unwant starting ready failed stopping down release clear stop keep-stop services */
	const char *verb;
	const char *units;  /* several: in one turn */
	const char *expect; /* +id: may_start, -id: must_stop, done; NULL: nothing */
};

struct scene {
	const char *name;
	const char *units;
	const char *edges; /* "a>b": a after b; "a=b": a requires b */
	struct step steps[STEPS_MAX];
};

static struct buf seen;
static struct loop *loop;
static struct unit_graph *graph;
static struct unit units[UNITS_MAX];
static size_t unit_count;

static void note(const char *what, const char *id) {
	buf_addf(&seen, "%s%s%s", seen.len ? " " : "", what, id);
}

static void may_start(struct unit *unit) {
	assert_int_equal(unit->state, UNIT_STARTING);
	note("+", unit->id);
}

static void must_stop(struct unit *unit) {
	assert_int_not_equal(unit->state, UNIT_DOWN);
	note("-", unit->id);
}

static void stopped(void *user) {
	assert_ptr_equal(user, units);
	note("done", "");
}

static const struct unit_calls calls = { may_start, must_stop };

static enum unit_kind kind_of(const char *id, const char **name) {
	const char *colon = strchr(id, ':');
	*name = colon ? colon + 1 : id;
	for (enum unit_kind kind = UNIT_NETWORK; kind < UNIT_SERVICE; kind++) {
		if (str_starts(id, unit_kind_name(kind))) return kind;
	}
	return UNIT_SERVICE;
}

static void add_unit(const char *id) {
	const char *name;
	enum unit_kind kind = kind_of(id, &name);
	unit_init(&units[unit_count], graph, kind, name, &calls);
	assert_string_equal(units[unit_count].id, id);
	assert_string_equal(units[unit_count].name, name);
	unit_count++;
}

static void add_edge(char *edge) {
	char *sign = strpbrk(edge, ">=");
	bool requires = *sign == '=';
	*sign = '\0';
	unit_add_edge(unit_find(graph, edge), unit_find(graph, sign + 1), requires);
}

/* Calls `each` with every word of `text`. */
static void words(const char *text, void (*each)(char *word)) {
	char *copy = xstrdup(text ? text : "");
	char *rest = copy;
	for (char *word; (word = strtok_r(rest, " ", &rest));) each(word);
	free(copy);
}

static void add_unit_word(char *word) {
	add_unit(word);
}

static const char *verb;

static void act(char *id) {
	struct unit *unit = unit_find(graph, id);
	assert_non_null(unit);
	for (enum unit_state state = UNIT_DOWN; state <= UNIT_STOPPING; state++) {
		if (str_equal(verb, unit_state_name(state))) {
			unit_report(unit, state, NULL);
			return;
		}
	}
	if (str_equal(verb, "want")) {
		unit_want(unit);
	} else if (str_equal(verb, "unwant")) {
		unit_unwant(unit);
	} else if (str_equal(verb, "release")) {
		unit_release(unit);
	} else if (str_equal(verb, "clear")) {
		unit_clear_edges(unit);
	} else {
		fail_msg("no verb '%s'", verb);
	}
}

static void play(const struct scene *scene) {
	graph = unit_graph_new(loop);
	unit_count = 0;
	words(scene->units, add_unit_word);
	words(scene->edges, add_edge);
	for (const struct step *step = scene->steps; step->verb; step++) {
		buf_clear(&seen);
		verb = step->verb;
		if (str_equal(verb, "services")) {
			unit_graph_stop_services(graph, stopped, units);
		} else if (str_ends(verb, "stop")) {
			unit_graph_stop(graph, str_starts(verb, "keep"), stopped, units);
		} else {
			words(step->units, act);
		}
		/* Never inside the call. */
		assert_int_equal(seen.len, 0);
		loop_run(loop);
		if (!str_equal(seen.at, step->expect ? step->expect : "")) {
			fail_msg("%s, step %d (%s %s): got '%s', not '%s'", scene->name,
				(int)(step - scene->steps) + 1, step->verb,
				step->units ? step->units : "", seen.at,
				step->expect ? step->expect : "");
		}
	}
	for (struct unit *unit; (unit = unit_next(graph, NULL));) unit_release(unit);
	unit_graph_free(graph);
}

static const struct scene scenes[] = {
	{ "alone", "service:a", NULL,
		{ { "want", "service:a", "+service:a" }, { "want", "service:a", NULL },
			{ "ready", "service:a", NULL }, { "want", "service:a", NULL },
			{ "failed", "service:a", NULL }, { "want", "service:a", "+service:a" } } },
	{ "what is wanted in one turn is seen together, whatever the order",
		"service:a service:b service:c", "service:a>service:b service:b>service:c",
		{ { "want", "service:a service:b service:c", "+service:c" },
			{ "ready", "service:c", "+service:b" },
			{ "ready", "service:b", "+service:a" } } },
	{ "after: a failed first attempt is enough", "service:a folder:data",
		"service:a>folder:data",
		{ { "want", "service:a folder:data", "+folder:data" },
			{ "starting", "folder:data", NULL },
			{ "failed", "folder:data", "+service:a" } } },
	{ "after: tries on, still counted", "service:a folder:data", "service:a>folder:data",
		{ { "want", "folder:data", "+folder:data" }, { "failed", "folder:data", NULL },
			{ "starting", "folder:data", NULL },
			{ "want", "service:a", "+service:a" } } },
	{ "requires: however long", "service:a folder:data", "service:a=folder:data",
		{ { "want", "service:a folder:data", "+folder:data" },
			{ "failed", "folder:data", NULL }, { "starting", "folder:data", NULL },
			{ "failed", "folder:data", NULL },
			{ "ready", "folder:data", "+service:a" } } },
	{ "requires what nobody wants", "service:a service:b", "service:a=service:b",
		{ { "want", "service:a", NULL }, { "want", "service:b", "+service:b" },
			{ "ready", "service:b", "+service:a" } } },
	{ "after and requires of the same unit is requires", "service:a service:b",
		"service:a=service:b service:a>service:b",
		{ { "want", "service:a service:b", "+service:b" }, { "failed", "service:b", NULL },
			{ "ready", "service:b", "+service:a" } } },
	{ "after what nobody wants", "service:a service:b", "service:a>service:b",
		{ { "want", "service:a", "+service:a" } } },
	{ "after what is sent away while others wait", "service:a service:b", "service:a>service:b",
		{ { "want", "service:a service:b", "+service:b" }, { "unwant", "service:b", NULL },
			{ "stopping", "service:b", NULL },
			{ "down", "service:b", "+service:a" } } },
	{ "after what is sent away before it could start", "network service:a service:b",
		"service:a>service:b service:b>network",
		{ { "want", "service:a service:b", NULL }, { "unwant", "service:b", "+service:a" },
			{ "ready", "network", NULL } } },
	{ "the network is waited for from the first turn", "network service:a", "service:a>network",
		{ { "want", "service:a", NULL }, { "ready", "network", "+service:a" } } },
	{ "no network is a failed attempt", "network service:a", "service:a>network",
		{ { "want", "service:a", NULL }, { "failed", "network", "+service:a" } } },
	{ "later trouble of another stops nobody and starts nobody", "service:a service:b",
		"service:a=service:b",
		{ { "want", "service:a service:b", "+service:b" },
			{ "ready", "service:b", "+service:a" }, { "failed", "service:b", NULL },
			{ "ready", "service:b", NULL }, { "ready", "service:a", NULL } } },
	{ "a next try waits again for what it requires", "service:a service:b",
		"service:a=service:b",
		{ { "want", "service:a service:b", "+service:b" },
			{ "ready", "service:b", "+service:a" }, { "failed", "service:b", NULL },
			{ "failed", "service:a", NULL }, { "want", "service:a", NULL },
			{ "ready", "service:b", "+service:a" } } },
	{ "wanted again while still stopping", "service:a", NULL,
		{ { "want", "service:a", "+service:a" }, { "ready", "service:a", NULL },
			{ "unwant", "service:a", NULL }, { "stopping", "service:a", NULL },
			{ "want", "service:a", NULL }, { "down", "service:a", "+service:a" } } },
	{ "no longer wanted in the same turn", "service:a", NULL,
		{ { "want", "service:a", "+service:a" }, { "down", "service:a", "+service:a" },
			{ "unwant", "service:a", NULL }, { "down", "service:a", NULL } } },
	{ "an adopted unit is not started", "service:a folder:data", "service:a>folder:data",
		{ { "want", "service:a folder:data", "+folder:data" },
			{ "ready", "service:a", NULL }, { "ready", "folder:data", NULL } } },
	{ "removed while others wait", "service:a service:b folder:data",
		"service:a=folder:data service:b>folder:data",
		{ { "want", "service:a service:b folder:data", "+folder:data" },
			{ "release", "folder:data", "+service:a +service:b" } } },
	{ "edges cleared while it waits", "service:a folder:data", "service:a=folder:data",
		{ { "want", "service:a", NULL }, { "clear", "service:a", "+service:a" } } },
	{ "stop: backwards, folders after all services, network last",
		"network folder:data service:a service:b service:c",
		"folder:data>network service:a>folder:data service:b=service:a",
		{ { "ready", "network", NULL },
			{ "want", "folder:data service:a service:b service:c",
				"+folder:data +service:c" },
			{ "ready", "folder:data service:c", "+service:a" },
			{ "ready", "service:a", "+service:b" }, { "ready", "service:b", NULL },
			{ "stop", NULL, "-service:b -service:c" },
			{ "stopping", "service:b", NULL }, { "want", "service:c", NULL },
			{ "down", "service:b", "-service:a" }, { "down", "service:a", NULL },
			{ "down", "service:c", "-folder:data" },
			{ "stopping", "folder:data", NULL }, { "down", "folder:data", "-network" },
			{ "down", "network", "done" }, { "want", "service:c", "+service:c" } } },
	{ "stop of nothing", "service:a folder:data", NULL, { { "stop", NULL, "done" } } },
	{ "stop of what waits only", "service:a folder:data", "service:a=folder:data",
		{ { "want", "service:a", NULL }, { "stop", NULL, "done" } } },
	{ "stop: what failed may still be trying", "service:a", NULL,
		{ { "want", "service:a", "+service:a" }, { "failed", "service:a", NULL },
			{ "stop", NULL, "-service:a" }, { "down", "service:a", "done" } } },
	{ "stop: services kept", "folder:data service:a service:b", "service:a>folder:data",
		{ { "want", "folder:data service:b", "+folder:data +service:b" },
			{ "ready", "folder:data service:b", NULL },
			{ "want", "service:a", "+service:a" },
			{ "keep-stop", NULL, "-folder:data" },
			{ "down", "folder:data", "done" } } },
	{ "services: backwards, the rest goes on", "network folder:data step:s service:a service:b",
		"service:a>folder:data service:b>service:a service:a>step:s",
		{ { "want", "network folder:data step:s", "+network +folder:data +step:s" },
			{ "ready", "network folder:data step:s", NULL },
			{ "want", "service:a service:b", "+service:a" },
			{ "ready", "service:a", "+service:b" }, { "ready", "service:b", NULL },
			{ "services", NULL, "-service:b" },
			{ "want", "service:b", NULL }, /* nothing begins meanwhile */
			{ "down", "service:b", "-service:a" }, { "down", "service:a", "done" },
			{ "want", "service:a service:b", "+service:a" } } },
	{ "services: what a folder needs stays", "service:tunnel service:a folder:data",
		"folder:data=service:tunnel",
		{ { "want", "service:tunnel service:a folder:data", "+service:tunnel +service:a" },
			{ "ready", "service:tunnel service:a", "+folder:data" },
			{ "ready", "folder:data", NULL }, { "services", NULL, "-service:a" },
			{ "down", "service:a", "done" } } },
	{ "services: none runs", "folder:data", NULL,
		{ { "want", "folder:data", "+folder:data" }, { "services", NULL, "done" } } },
	{ "services: a stop of all goes before", "folder:data service:a", NULL,
		{ { "want", "folder:data service:a", "+folder:data +service:a" },
			{ "services", NULL, "-service:a" }, { "stop", NULL, "-service:a" },
			{ "down", "service:a", "-folder:data" },
			{ "down", "folder:data", "done" } } },
	{ "stop: a unit goes away meanwhile", "folder:data service:a", NULL,
		{ { "want", "folder:data service:a", "+folder:data +service:a" },
			{ "stop", NULL, "-service:a" }, { "release", "service:a", "-folder:data" },
			{ "down", "folder:data", "done" } } },
	{ "stop: a tunnel outlives its folder, which others outlive not",
		"service:vpn folder:data service:a", "folder:data=service:vpn",
		{ { "want", "service:vpn service:a", "+service:vpn +service:a" },
			{ "ready", "service:vpn service:a", NULL },
			{ "want", "folder:data", "+folder:data" }, { "ready", "folder:data", NULL },
			{ "stop", NULL, "-service:a" }, { "down", "service:a", "-folder:data" },
			{ "down", "folder:data", "-service:vpn" },
			{ "down", "service:vpn", "done" } } },
	{ "stop: two folders with a tunnel each, and one with none",
		"service:v1 service:v2 folder:f1 folder:f2 folder:f3",
		"folder:f1>service:v1 folder:f2>service:v2",
		{ { "want", "service:v1 service:v2 folder:f3",
			  "+service:v1 +service:v2 +folder:f3" },
			{ "ready", "service:v1 service:v2 folder:f3", NULL },
			{ "want", "folder:f1 folder:f2", "+folder:f1 +folder:f2" },
			{ "stop", NULL, "-folder:f1 -folder:f2" },
			{ "down", "folder:f1 folder:f2", "-service:v1 -service:v2" },
			{ "down", "service:v1", NULL }, { "down", "service:v2", "-folder:f3" },
			{ "down", "folder:f3", "done" } } },
	{ "stop: two folders that need a step each", "step:s1 step:s2 folder:f1 folder:f2",
		"folder:f1>step:s1 folder:f2>step:s2",
		{ { "want", "step:s1 step:s2", "+step:s1 +step:s2" },
			{ "ready", "step:s1 step:s2", NULL },
			{ "want", "folder:f1 folder:f2", "+folder:f1 +folder:f2" },
			{ "stop", NULL, "-folder:f1 -folder:f2" },
			{ "down", "folder:f1 folder:f2", "-step:s1 -step:s2" },
			{ "down", "step:s1 step:s2", "done" } } },
};

static void scenes_play(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) play(&scenes[i]);
}

/* ---- circles ---- */

struct circle {
	const char *edges;
	const char *text; /* NULL: none */
};

static const struct circle circles[] = {
	{ "", NULL },
	{ "a>b b>c a>c", NULL },
	{ "a>b c>b d>a d>c b>e", NULL },
	{ "a>a", "'a' waits for itself: a after a" },
	{ "a>b b>a", "'a' waits for itself: a after b after a" },
	{ "x>y y>a a>b b>c c>a z>x", "'a' waits for itself: a after b after c after a" },
	{ "a>b a>c c>d d>a", "'a' waits for itself: a after c after d after a" },
	{ "a>b b>c c>b", "'b' waits for itself: b after c after b" },
};

static const char *names[16][2];
static size_t name_count;

static void add_names(char *edge) {
	char *sign = strchr(edge, '>');
	*sign = '\0';
	names[name_count][0] = xstrdup(edge);
	names[name_count++][1] = xstrdup(sign + 1);
}

static void circles_are_named(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(circles); i++) {
		struct err err = { 0 };
		name_count = 0;
		words(circles[i].edges, add_names);
		int result = unit_check_names((const char *const(*)[2])names, name_count, &err);
		assert_int_equal(result, circles[i].text ? -1 : 0);
		if (circles[i].text) {
			assert_int_equal(err.kind, ERR_INVALID);
			assert_string_equal(err.text, circles[i].text);
		}
		for (size_t n = 0; n < name_count; n++) {
			free((void *)names[n][0]);
			free((void *)names[n][1]);
		}
	}
}

static void long_chains_do_not_need_the_stack(void **state) {
	(void)state;
	enum { COUNT = 100000 };
	static char id[COUNT + 1][16];
	static const char *edges[COUNT + 1][2];
	for (int i = 0; i <= COUNT; i++) snprintf(id[i], sizeof(id[i]), "%06d", i);
	for (int i = 0; i < COUNT; i++) edges[i][0] = id[i], edges[i][1] = id[i + 1];
	struct err err = { 0 };
	assert_int_equal(unit_check_names((const char *const(*)[2])edges, COUNT, &err), 0);
	edges[COUNT][0] = id[COUNT];
	edges[COUNT][1] = id[0];
	assert_int_equal(unit_check_names((const char *const(*)[2])edges, COUNT + 1, &err), -1);
	assert_true(str_starts(err.text, "'000000' waits for itself: 000000 after 000001 after"));
}

static void circle_in_a_graph(void **state) {
	(void)state;
	struct err err = { 0 };
	graph = unit_graph_new(loop);
	unit_count = 0;
	words("network service:a service:b folder:data", add_unit_word);
	words("service:a>network service:a>service:b service:b=folder:data", add_edge);
	assert_int_equal(unit_check_cycles(graph, &err), 0);
	words("folder:data=service:a", add_edge);
	assert_int_equal(unit_check_cycles(graph, &err), -1);
	assert_string_equal(err.text, "'service:a' waits for itself: service:a after service:b "
				      "after folder:data after service:a");
	for (size_t i = 0; i < unit_count; i++) unit_release(&units[i]);
	unit_graph_free(graph);
}

/* ---- what status shows ---- */

static int changes;

static void changed(void *user, struct unit *unit) {
	assert_ptr_equal(user, &changes);
	assert_non_null(unit->id);
	changes++;
}

static void status_is_told(void **state) {
	(void)state;
	struct buf text;
	graph = unit_graph_new(loop);
	unit_count = 0;
	words("network folder:data service:a", add_unit_word);
	words("service:a>network service:a=folder:data", add_edge);
	unit_graph_observe(graph, changed, &changes);
	struct unit *data = unit_find(graph, "folder:data");
	struct unit *service = unit_find(graph, "service:a");
	assert_null(unit_find(graph, "folder:other"));
	assert_true(data->enabled);

	buf_init(&text, 1000);
	unit_want(service);
	loop_run(loop);
	assert_int_equal(changes, 1);
	assert_int_equal(service->state, UNIT_WAITING);
	unit_waits_for(service, &text);
	assert_string_equal(text.at, "network, folder:data");
	unit_report(unit_find(graph, "network"), UNIT_READY, NULL);
	buf_clear(&text);
	unit_waits_for(service, &text);
	assert_string_equal(text.at, "folder:data");

	int before = changes;
	unit_report(data, UNIT_FAILED, "no such bucket");
	assert_int_equal(changes, before + 1);
	int64_t since_ns = data->since_ns;
	loop_skew_wall(loop, NS_PER_S);
	unit_report(data, UNIT_FAILED, "no such bucket");
	assert_int_equal(changes, before + 1);
	unit_report(data, UNIT_FAILED, "next try in 12 s");
	assert_int_equal(changes, before + 2);
	assert_string_equal(data->detail, "next try in 12 s");
	/* Another text, the same state: still since then. */
	assert_true(data->since_ns == since_ns);
	unit_report(data, UNIT_READY, NULL);
	assert_null(data->detail);
	assert_true(data->since_ns >= since_ns + NS_PER_S);
	buf_clear(&text);
	unit_waits_for(service, &text);
	assert_string_equal(text.at, "");
	buf_release(&text);
	for (size_t i = 0; i < unit_count; i++) unit_release(&units[i]);
	unit_graph_free(graph);
}

static void dependents_in_the_order_of_stopping(void **state) {
	(void)state;
	graph = unit_graph_new(loop);
	unit_count = 0;
	words("service:db service:api service:web service:other service:off", add_unit_word);
	words("service:api=service:db service:web=service:api service:web=service:db "
	      "service:other>service:db "
	      "service:off=service:db",
		add_edge);
	assert_int_equal(strv_count(unit_dependents(&units[0])), 0);
	verb = "ready";
	words("service:db service:api service:web service:other", act);
	char **ids = unit_dependents(unit_find(graph, "service:db"));
	assert_int_equal(strv_count(ids), 2);
	assert_string_equal(ids[0], "service:web");
	assert_string_equal(ids[1], "service:api");
	strv_free(ids);
	for (size_t i = 0; i < unit_count; i++) unit_release(&units[i]);
	unit_graph_free(graph);
}

/* As `tend plan` shows it. */
static void the_order_of_a_start(void **state) {
	char *after[] = { "folder:data", "service:gone", NULL };
	char *requires[] = { "service:db", "service:web", NULL };
	size_t count;
	(void)state;
	graph = unit_graph_new(loop);
	unit_count = 0;
	words("service:late service:web service:db network folder:data", add_unit_word);
	words("service:late=service:db service:db>network", add_edge);
	/* Instead of what there was; what is not there and itself are no edges. */
	unit_link(&units[1], after, requires, true);
	unit_add_edge(&units[0], &units[1], false);
	struct unit_place *places = unit_graph_order(graph, &count);
	static const struct {
		const char *id;
		size_t wave;
	} expected[] = { { "network", 1 }, { "folder:data", 1 }, { "service:db", 2 },
		{ "service:web", 3 }, { "service:late", 4 } };
	assert_int_equal(count, ARRAY_LEN(expected));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(places[i].unit->id, expected[i].id);
		assert_int_equal(places[i].wave, expected[i].wave);
	}
	free(places);
	char **needs = unit_needs(&units[1], false);
	assert_int_equal(strv_count(needs), 2);
	assert_string_equal(needs[0], "folder:data");
	assert_string_equal(needs[1], "network");
	strv_free(needs);
	needs = unit_needs(&units[1], true);
	assert_int_equal(strv_count(needs), 1);
	assert_string_equal(needs[0], "service:db");
	strv_free(needs);
	for (size_t i = 0; i < unit_count; i++) unit_release(&units[i]);
	places = unit_graph_order(graph, &count);
	assert_int_equal(count, 0);
	free(places);
	unit_graph_free(graph);
}

static int setup(void **state) {
	(void)state;
	loop = loop_new_simulated(1);
	buf_init(&seen, 4096);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	buf_release(&seen);
	loop_free(loop);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scenes_play),
		cmocka_unit_test(circles_are_named),
		cmocka_unit_test(long_chains_do_not_need_the_stack),
		cmocka_unit_test(circle_in_a_graph),
		cmocka_unit_test(status_is_told),
		cmocka_unit_test(dependents_in_the_order_of_stopping),
		cmocka_unit_test(the_order_of_a_start),
	};
	return cmocka_run_group_tests_name("unit_graph", tests, setup, teardown);
}
