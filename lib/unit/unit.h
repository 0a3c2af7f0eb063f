/*
 * unit: the graph of folders, steps, services and the network: what waits for what, what state
 * everything is in. It holds no files and starts nothing by itself: it tells an owner when its unit
 * may start and when it must stop.
 *
 * Loop thread only. The owner embeds `struct unit`, reports with unit_report(), and is called back
 * deferred, never inside a call of its own. Times are wall nanoseconds.
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"

enum unit_kind { UNIT_NETWORK, UNIT_FOLDER, UNIT_STEP, UNIT_SERVICE };

/* What others that wait for it need to know. An owner's finer states are its own (`detail`). */
enum unit_state {
	UNIT_DOWN,     /* not started, or stopped and nothing is left of it */
	UNIT_WAITING,  /* wanted; waits for others */
	UNIT_STARTING, /* wanted; works towards ready */
	UNIT_READY,
	UNIT_FAILED, /* its first attempt failed, or it gave up; it may still be trying */
	UNIT_STOPPING,
};

struct unit;

struct unit_calls {
	/* Everything it waits for is there, and its state is STARTING now; once after each
	 * unit_want. */
	void (*may_start)(struct unit *unit);
	/* The graph stops, and nothing that depends on it is left: report UNIT_DOWN when done. */
	void (*must_stop)(struct unit *unit);
};

struct unit_edge;
struct unit_graph;

struct unit {
	struct list link;
	struct unit_graph *graph;
	const struct unit_calls *calls;
	enum unit_kind kind;
	char *id;         /* "service:jupyter", "network" */
	const char *name; /* inside id */
	bool enabled;
	bool wanted;
	enum unit_state state;
	bool attempted;     /* its first attempt since it was wanted has ended, well or badly */
	int64_t since_ns;   /* of `state` */
	char *detail;       /* for people: "next try in 12 s: exit code 3"; NULL: none */
	struct list needs;  /* private: edges to what it waits for */
	struct list needed; /* private: edges from what waits for it */
	struct defer start_defer; /* private */
	struct unit_stop_marks {
		bool told, marked, holds_folder, needs_service;
	} stop; /* private: of the last unit_graph_stop */
};

struct unit_graph *unit_graph_new(struct loop *loop);
void unit_graph_free(struct unit_graph *graph); /* no unit may be left */

/* Adds a unit that stays the owner's. The id is made of kind and name. */
void unit_init(struct unit *unit, struct unit_graph *graph, enum unit_kind kind, const char *name,
	const struct unit_calls *calls);
/* Takes it out of the graph; whoever waited for it waits no longer. */
void unit_release(struct unit *unit);

struct unit *unit_find(const struct unit_graph *graph, const char *id);
/* In order of adding; the first for NULL. */
struct unit *unit_next(const struct unit_graph *graph, const struct unit *unit);

/* `unit` waits for `other`: `requires` however long until ready, else until ready or its first
 * attempt has failed. A unit that nobody wants makes no attempt and is not waited for; what is
 * wanted in one turn is seen together. */
void unit_add_edge(struct unit *unit, struct unit *other, bool requires);
void unit_clear_edges(struct unit *unit); /* those to what it waits for */
/* Instead of the edges it had: to the units of these ids (vectors, NULL: none) that are in the graph, and to the network, for an
 * order only: what is lost later keeps nothing down. */
void unit_link(struct unit *unit, char *const *after, char *const *requires, bool network);

/* -1 with ERR_INVALID naming the circle ("service:a after service:b after service:a"). */
int unit_check_cycles(const struct unit_graph *graph, struct err *err);
/* The same on names alone, before units exist: edges[i] = {from, to}. */
int unit_check_names(const char *const (*edges)[2], size_t count, struct err *err);

/* The order of a start. */
struct unit_place {
	const struct unit *unit;
	size_t wave;   /* 1: waits for nothing; others: one more than the last that it waits for */
	size_t number; /* in order of adding */
};
/* By wave, then by kind, then by number; the graph has no circle. The caller frees. */
struct unit_place *unit_graph_order(const struct unit_graph *graph, size_t *count);
/* Ids of what it requires, or of what it is only after. The caller's vector. */
char **unit_needs(const struct unit *unit, bool requires);

/* DOWN and FAILED become WAITING, and when nothing holds it any more STARTING with may_start. A
 * unit that is still going down has its turn after it reported DOWN. Nothing happens while the
 * graph stops. The network is wanted from the start. */
void unit_want(struct unit *unit);
void unit_unwant(struct unit *unit); /* no may_start comes any more; WAITING becomes DOWN */

/* The owner says how things stand; `detail` may be NULL. Wakes whoever waits for it. */
void unit_report(struct unit *unit, enum unit_state state, const char *detail);

/* What `unit` still waits for, as text for status ("network, folder:data"); empty when nothing. */
void unit_waits_for(const struct unit *unit, struct buf *out);

/* Names of running units that *require* `unit`, directly or not (tend stop takes them along).
 * The caller's vector. */
char **unit_dependents(const struct unit *unit);

/* Stops everything backwards: a unit when nothing that waits for it is left, folders after all
 * services, the network last. `done` once all are DOWN. keep_services: services and steps are left
 * alone. A unit without must_stop is down at its turn. Afterwards units may be wanted again. */
void unit_graph_stop(
	struct unit_graph *graph, bool keep_services, void (*done)(void *user), void *user);

/* The same of services alone, but for those that a folder needs: folders and steps go on, so that it can be taken back. A stop
 * of all may follow before `done`, which then does not come. */
void unit_graph_stop_services(struct unit_graph *graph, void (*done)(void *user), void *user);

/* Called after each report that changed something, for status and events. */
void unit_graph_observe(
	struct unit_graph *graph, void (*changed)(void *user, struct unit *unit), void *user);

const char *unit_state_name(enum unit_state state);
const char *unit_kind_name(enum unit_kind kind);

#endif
