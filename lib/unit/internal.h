/* What the files of `unit` share: the graph, its edges, and the one way in which a state
 * changes. */
#ifndef UNIT_INTERNAL_H
#define UNIT_INTERNAL_H

#include "unit/unit.h"

struct unit_edge {
	struct list needs_link;  /* in from->needs */
	struct list needed_link; /* in to->needed */
	struct unit *from;       /* waits for */
	struct unit *to;
	bool requires;
};

struct unit_graph {
	struct loop *loop;
	struct list units;
	struct map ids; /* id -> struct unit */
	void (*changed)(void *user, struct unit *unit);
	void *changed_user;

	/* A stop under way (stop.c). */
	bool stopping;
	bool keep_services;
	bool services_only; /* the rest goes on, and what folders need */
	struct defer stop_defer;
	void (*stop_done)(void *user);
	void *stop_user;
};

/* Sets state and detail; tells the observer and wakes whoever waits, when something changed. */
void unit_set_state(struct unit *unit, enum unit_state state, const char *detail);

/* Something changed that `unit` may have waited for: looks again in the next turn. */
void unit_look_again(struct unit *unit);

/* A state changed or a unit went: goes on with a stop that is under way. */
void unit_stop_step(struct unit_graph *graph);
void unit_stop_init(struct unit_graph *graph);

#endif
