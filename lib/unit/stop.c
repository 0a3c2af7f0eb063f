/*
 * The walk backwards. A unit is told to stop when nothing that waits for it is left. Folders come
 * after the services, so that the final flush sees what those wrote when they stopped.
 *
 * A folder may itself wait for a service (a tunnel to its remote), which must then outlive it; two
 * such folders would wait for each other's service for ever. So a folder that needs a service waits
 * only for the services that no folder needs; any other folder waits for all of them.
 */
#include <assert.h>

#include "unit/internal.h"

/* The command of a step goes on as services do. */
static bool left_alone(const struct unit *unit) {
	if (unit->graph->services_only)
		return unit->kind != UNIT_SERVICE || unit->stop.holds_folder;
	return unit->graph->keep_services &&
	       (unit->kind == UNIT_SERVICE || unit->kind == UNIT_STEP);
}

static bool is_left(const struct unit *unit) {
	return unit->state != UNIT_DOWN && !left_alone(unit);
}

/* Marks all that `unit` (a folder, or needed by one) waits for, directly or not. The graph has
 * no circle (unit_check_cycles), so this ends. */
static void mark_needs(struct unit *unit) {
	if (unit->stop.marked) return;
	unit->stop.marked = true;
	list_each(&unit->needs, link) {
		struct unit *other = list_entry(link, struct unit_edge, needs_link)->to;
		other->stop.holds_folder = true;
		mark_needs(other);
		if (other->kind == UNIT_SERVICE || other->stop.needs_service)
			unit->stop.needs_service = true;
	}
}

static bool folder_waits_for(const struct unit *folder, const struct unit *other) {
	if (other->kind != UNIT_SERVICE && other->kind != UNIT_STEP) return false;
	if (!other->stop.holds_folder) return true;
	return other->kind == UNIT_SERVICE && !folder->stop.needs_service;
}

/* Nothing is left that needs `unit` to stay? */
static bool may_stop(const struct unit *unit) {
	list_each(&unit->needed, link) {
		if (is_left(list_entry(link, struct unit_edge, needed_link)->from)) return false;
	}
	for (struct unit *other = unit_next(unit->graph, NULL); other;
		other = unit_next(unit->graph, other)) {
		if (!is_left(other)) continue;
		/* Even a folder without an edge to it flushes through the network. */
		if (unit->kind == UNIT_NETWORK && other->kind != UNIT_NETWORK) return false;
		if (unit->kind == UNIT_FOLDER && folder_waits_for(unit, other)) return false;
	}
	return true;
}

static struct unit *next_to_tell(struct unit_graph *graph) {
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		if (is_left(unit) && !unit->stop.told && may_stop(unit)) return unit;
	}
	return NULL;
}

static void stop_looked_at(struct defer *defer) {
	struct unit_graph *graph = container_of(defer, struct unit_graph, stop_defer);
	struct unit *unit;
	/* From the front again after each call: an owner may report or release anything in it. */
	while ((unit = next_to_tell(graph))) {
		unit->stop.told = true;
		if (unit->calls && unit->calls->must_stop) {
			unit->calls->must_stop(unit);
		} else {
			unit_set_state(unit, UNIT_DOWN, NULL);
		}
	}
	for (unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		if (is_left(unit)) return;
	}
	defer_cancel(&graph->stop_defer);
	graph->stopping = false;
	for (unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit))
		unit_look_again(unit);
	void (*done)(void *user) = graph->stop_done;
	done(graph->stop_user); /* may free the graph */
}

void unit_stop_init(struct unit_graph *graph) {
	defer_init(&graph->stop_defer, stop_looked_at);
}

void unit_stop_step(struct unit_graph *graph) {
	defer_start(graph->loop, &graph->stop_defer);
}

static void stop(struct unit_graph *graph, void (*done)(void *user), void *user) {
	graph->stopping = true;
	graph->stop_done = done;
	graph->stop_user = user;
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		unit->stop = (struct unit_stop_marks){ 0 };
	}
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		if (unit->kind == UNIT_FOLDER) mark_needs(unit);
	}
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		/* A kept service that waits for its next try goes on doing so in the hands of
		 * the next daemon. */
		if (!left_alone(unit) && unit->kind != UNIT_NETWORK) unit_unwant(unit);
	}
	unit_stop_step(graph);
}

void unit_graph_stop(
	struct unit_graph *graph, bool keep_services, void (*done)(void *user), void *user) {
	assert(!graph->stopping || graph->services_only);
	graph->keep_services = keep_services;
	graph->services_only = false;
	stop(graph, done, user);
}

void unit_graph_stop_services(struct unit_graph *graph, void (*done)(void *user), void *user) {
	assert(!graph->stopping);
	graph->keep_services = false;
	graph->services_only = true;
	stop(graph, done, user);
}
