/* Units and their states: who is wanted, who may start, and who is told. */
#include "unit/unit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "unit/internal.h"

static const char *const state_names[] = { "down", "waiting", "starting", "ready", "failed",
	"stopping" };
static const char *const kind_names[] = { "network", "folder", "step", "service" };

const char *unit_state_name(enum unit_state state) {
	return state_names[state];
}

const char *unit_kind_name(enum unit_kind kind) {
	return kind_names[kind];
}

static struct unit *unit_of(struct list *link) {
	return list_entry(link, struct unit, link);
}

struct unit_graph *unit_graph_new(struct loop *loop) {
	struct unit_graph *graph = xcalloc(1, sizeof(*graph));
	graph->loop = loop;
	list_init(&graph->units);
	map_init(&graph->ids);
	unit_stop_init(graph);
	return graph;
}

void unit_graph_free(struct unit_graph *graph) {
	if (!graph) return;
	assert(list_empty(&graph->units));
	defer_cancel(&graph->stop_defer);
	map_release(&graph->ids);
	free(graph);
}

void unit_graph_observe(
	struct unit_graph *graph, void (*changed)(void *user, struct unit *unit), void *user) {
	graph->changed = changed;
	graph->changed_user = user;
}

struct unit *unit_find(const struct unit_graph *graph, const char *id) {
	return map_get(&graph->ids, id);
}

struct unit *unit_next(const struct unit_graph *graph, const struct unit *unit) {
	struct list *link = unit ? unit->link.next : graph->units.next;
	return link == &graph->units ? NULL : unit_of(link);
}

/* ---- who waits for what ---- */

static bool edge_holds(const struct unit_edge *edge) {
	const struct unit *other = edge->to;
	if (other->state == UNIT_READY) return false;
	if (edge->requires) return true;
	if (other->attempted) return false;
	/* `after` is an order among what runs: a unit that is disabled or was stopped by hand
	 * makes no attempt that could end. */
	return other->wanted || (other->state != UNIT_DOWN && other->state != UNIT_FAILED);
}

static bool must_wait(const struct unit *unit) {
	list_each(&unit->needs, link) {
		if (edge_holds(list_entry(link, struct unit_edge, needs_link))) return true;
	}
	return false;
}

void unit_waits_for(const struct unit *unit, struct buf *out) {
	const char *comma = "";
	list_each(&unit->needs, link) {
		const struct unit_edge *edge = list_entry(link, struct unit_edge, needs_link);
		if (!edge_holds(edge)) continue;
		buf_addf(out, "%s%s", comma, edge->to->id);
		comma = ", ";
	}
}

static void start_looked_at(struct defer *defer) {
	struct unit *unit = container_of(defer, struct unit, start_defer);
	/* A service that is kept: what it waits for goes down now, which is no reason to begin. */
	if (unit->graph->stopping) return;
	if (!unit->wanted || unit->state != UNIT_WAITING || must_wait(unit)) return;
	unit_set_state(unit, UNIT_STARTING, NULL);
	if (unit->calls && unit->calls->may_start) unit->calls->may_start(unit);
}

void unit_look_again(struct unit *unit) {
	if (unit->wanted && unit->state == UNIT_WAITING && !unit->graph->stopping)
		defer_start(unit->graph->loop, &unit->start_defer);
}

static void wake_waiting(struct unit *unit) {
	list_each(&unit->needed, link)
		unit_look_again(list_entry(link, struct unit_edge, needed_link)->from);
	if (unit->graph->stopping) unit_stop_step(unit->graph);
}

/* ---- a unit's life ---- */

void unit_init(struct unit *unit, struct unit_graph *graph, enum unit_kind kind, const char *name,
	const struct unit_calls *calls) {
	*unit = (struct unit){ .graph = graph, .calls = calls, .kind = kind, .enabled = true };
	unit->id = kind == UNIT_NETWORK ? xstrdup(name)
					: xasprintf("%s:%s", unit_kind_name(kind), name);
	unit->name = kind == UNIT_NETWORK ? unit->id : unit->id + strlen(unit_kind_name(kind)) + 1;
	/* Nobody asks for the network or sends it away: who waits for it waits from the first
	 * turn. */
	unit->wanted = kind == UNIT_NETWORK;
	unit->since_ns = loop_wall_ns(graph->loop);
	list_init(&unit->needs);
	list_init(&unit->needed);
	defer_init(&unit->start_defer, start_looked_at);
	void *twin = map_put(&graph->ids, unit->id, unit);
	assert(!twin);
	(void)twin;
	list_add_tail(&graph->units, &unit->link);
}

static void edge_free(struct unit_edge *edge) {
	list_remove(&edge->needs_link);
	list_remove(&edge->needed_link);
	free(edge);
}

void unit_release(struct unit *unit) {
	struct unit_graph *graph = unit->graph;
	list_each(&unit->needs, link) edge_free(list_entry(link, struct unit_edge, needs_link));
	list_each(&unit->needed, link) {
		struct unit_edge *edge = list_entry(link, struct unit_edge, needed_link);
		struct unit *from = edge->from;
		edge_free(edge);
		unit_look_again(from);
	}
	defer_cancel(&unit->start_defer);
	map_take(&graph->ids, unit->id);
	list_remove(&unit->link);
	free(unit->id);
	free(unit->detail);
	unit->id = unit->detail = NULL;
	if (graph->stopping) unit_stop_step(graph);
}

void unit_add_edge(struct unit *unit, struct unit *other, bool requires) {
	assert(unit->graph == other->graph);
	list_each(&unit->needs, link) {
		struct unit_edge *edge = list_entry(link, struct unit_edge, needs_link);
		if (edge->to != other) continue;
		edge->requires = edge->requires || requires;
		return;
	}
	struct unit_edge *edge = xcalloc(1, sizeof(*edge));
	edge->from = unit;
	edge->to = other;
	edge->requires = requires;
	list_add_tail(&unit->needs, &edge->needs_link);
	list_add_tail(&other->needed, &edge->needed_link);
}

void unit_clear_edges(struct unit *unit) {
	list_each(&unit->needs, link) edge_free(list_entry(link, struct unit_edge, needs_link));
	unit_look_again(unit);
}

static void link_all(struct unit *unit, char *const *ids, bool requires) {
	for (; ids && *ids; ids++) {
		struct unit *other = unit_find(unit->graph, *ids);
		if (other && other != unit) unit_add_edge(unit, other, requires);
	}
}

void unit_link(struct unit *unit, char *const *after, char *const *requires, bool network) {
	struct unit *net = network ? unit_find(unit->graph, "network") : NULL;
	unit_clear_edges(unit);
	link_all(unit, after, false);
	link_all(unit, requires, true);
	if (net) unit_add_edge(unit, net, false);
}

void unit_set_state(struct unit *unit, enum unit_state state, const char *detail) {
	bool moved = unit->state != state;
	if (!moved && str_equal(unit->detail, detail)) return;
	if (moved) unit->since_ns = loop_wall_ns(unit->graph->loop);
	unit->state = state;
	char *copy = xstrdup(detail); /* `detail` may be the old one itself */
	free(unit->detail);
	unit->detail = copy;
	if (moved) {
		unit_look_again(unit);
		wake_waiting(unit);
	}
	if (unit->graph->changed) unit->graph->changed(unit->graph->changed_user, unit);
}

void unit_want(struct unit *unit) {
	/* A stop is under way: an owner's timer that fires now must not bring its unit back. */
	if (unit->graph->stopping) return;
	if (!unit->wanted) unit->attempted = false;
	unit->wanted = true;
	if (unit->state == UNIT_DOWN || unit->state == UNIT_FAILED)
		unit_set_state(unit, UNIT_WAITING, NULL);
}

void unit_unwant(struct unit *unit) {
	if (!unit->wanted) return;
	unit->wanted = false;
	if (unit->state == UNIT_WAITING) {
		unit_set_state(unit, UNIT_DOWN, NULL);
	} else {
		wake_waiting(unit);
	}
}

void unit_report(struct unit *unit, enum unit_state state, const char *detail) {
	if (state == UNIT_READY || state == UNIT_FAILED ||
		(state == UNIT_DOWN && unit->state == UNIT_STARTING)) {
		unit->attempted = true;
	}
	/* Wanted again while it was still going down: it has its turn now. The network is always
	 * wanted and never starts. */
	if (state == UNIT_DOWN && unit->wanted && unit->kind != UNIT_NETWORK) state = UNIT_WAITING;
	unit_set_state(unit, state, detail);
}
