/*
 * Start, stop and restart of a service. What requires a service goes before it and comes back after
 * it, unless the order is for it alone; an order may be asked to answer only when the service
 * stands as it should.
 */
#include <stdlib.h>
#include <string.h>

#include "tendd/routes.h"

enum verb { VERB_START, VERB_STOP, VERB_RESTART };

struct order {
	struct list link;
	struct house *house;
	enum verb verb;
	char *id;
	char **first; /* dependents that must be down before a stop */
	bool acted;
	int64_t acted_ns;
	pid_t old_pid;
	struct control_request *request; /* NULL: answered, or nobody waits */
};

static void order_free(struct order *order) {
	list_remove(&order->link);
	strv_free(order->first);
	free(order->id);
	free(order);
}

static pid_t pid_of(struct unit *unit) {
	struct service_status status;
	service_status(service_of(unit), &status);
	return status.pid;
}

/* One that left the configuration meanwhile is down too. */
static bool all_down(struct house *house, char *const *ids) {
	for (size_t i = 0; ids && ids[i]; i++) {
		const struct unit *unit = unit_find(house->graph, ids[i]);
		if (unit && unit->state != UNIT_DOWN) return false;
	}
	return true;
}

static void act(struct order *order, struct unit *unit) {
	struct service *service = service_of(unit);
	order->acted = true;
	order->acted_ns = loop_wall_ns(order->house->loop);
	order->old_pid = pid_of(unit);
	switch (order->verb) {
	case VERB_START: service_start(service); break;
	case VERB_STOP: service_stop(service); break;
	case VERB_RESTART: service_restart(service); break;
	}
}

/* Does it stand as ordered, or can it not? */
static bool is_settled(const struct order *order, struct unit *unit) {
	bool fresh = unit->since_ns >= order->acted_ns;
	switch (unit->state) {
	case UNIT_DOWN: return order->verb == VERB_STOP || fresh;
	case UNIT_READY:
		if (order->verb == VERB_STOP) return false;
		return order->verb == VERB_START || fresh || pid_of(unit) != order->old_pid;
	case UNIT_FAILED: return order->verb != VERB_STOP && fresh;
	default: return false;
	}
}

static void order_step(struct order *order) {
	struct unit *unit = unit_find(order->house->graph, order->id);
	if (!unit) {
		struct err err;
		err_set(&err, ERR_NOT_FOUND, "'%s' is not in the configuration any more",
			order->id);
		if (order->request) control_refuse(order->request, &err, NULL);
		order_free(order);
		return;
	}
	if (!order->acted) {
		if (!all_down(order->house, order->first)) return;
		act(order, unit);
		return; /* the next step comes with what follows from it */
	}
	if (order->request && !is_settled(order, unit)) return;
	if (order->request) route_answer_unit(order->house, order->request, unit);
	order_free(order);
}

void orders_step(struct house *house) {
	list_each(&house->orders, link) order_step(list_entry(link, struct order, link));
}

void orders_close(struct house *house) {
	list_each(&house->orders, link) order_free(list_entry(link, struct order, link));
}

static void asker_gone(void *user) {
	struct order *order = user;
	order->request = NULL; /* the order itself holds */
}

/* Dependents of a service are told with it: stopped before it, or started again after it. */
static void order_dependents(struct order *order, struct unit *unit) {
	char **ids = unit_dependents(unit);
	for (size_t i = 0; ids && ids[i]; i++) {
		struct unit *other = unit_find(order->house->graph, ids[i]);
		if (!other || other->kind != UNIT_SERVICE) continue;
		log_info("%s goes along with %s, which it requires", ids[i], unit->id);
		if (order->verb == VERB_STOP) {
			service_stop(service_of(other));
			strv_add(&order->first, ids[i]);
		} else {
			service_restart(service_of(other));
		}
	}
	strv_free(ids);
}

/* Whoever waits for what an earlier order wanted waits in vain from now on. */
static void overrule(struct house *house, const struct unit *unit, enum verb verb) {
	struct err err;
	list_each(&house->orders, link) {
		struct order *order = list_entry(link, struct order, link);
		bool against = (order->verb == VERB_STOP) != (verb == VERB_STOP);
		if (!against || !str_equal(order->id, unit->id)) continue;
		err_set(&err, ERR_CHANGED, "%s was told to %s meanwhile", unit->id,
			verb == VERB_STOP ? "stop" : "start");
		if (order->request) control_refuse(order->request, &err, NULL);
		order_free(order);
	}
}

static void asked(struct house *house, struct control_request *request, enum verb verb) {
	static const char *const names[] = { "start", "stop", "restart" };
	const json_t *body = control_body(request);
	struct unit *unit = route_unit(house, request);
	struct err err;
	if (!unit) return;
	if (unit->kind == UNIT_SERVICE && !service_find(house->services, unit->name)) {
		err_set(&err, ERR_NOT_FOUND, "'%s' is leaving the configuration", unit->id);
		control_refuse(request, &err, NULL);
		return;
	}
	if (unit->kind != UNIT_SERVICE) {
		err_set(&err, ERR_INVALID, "'%s' is no service", unit->id);
		control_refuse(request, &err,
			unit->kind == UNIT_FOLDER ? "'tend pause' and 'tend resume' are for folders"
						  : NULL);
		return;
	}
	if (house->state != HOUSE_RUNNING) {
		err_set(&err, ERR_BUSY, "tendd is stopping");
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, unit->id, names[verb]);
	overrule(house, unit, verb);
	struct order *order = xcalloc(1, sizeof(*order));
	order->house = house;
	order->verb = verb;
	order->id = xstrdup(unit->id);
	list_add_tail(&house->orders, &order->link);
	bool only = json_is_true(json_object_get(body, "only"));
	if (verb != VERB_START && !only) order_dependents(order, unit);
	if (all_down(house, order->first)) act(order, unit);
	if (json_is_true(json_object_get(body, "wait"))) {
		order->request = request;
		control_on_gone(request, asker_gone, order);
		if (order->acted) order_step(order); /* it may stand as ordered already */
	} else {
		route_answer_unit(house, request, unit);
		if (order->acted) order_free(order);
	}
}

void route_start(void *user, struct control_request *request) {
	asked(user, request, VERB_START);
}

void route_stop_unit(void *user, struct control_request *request) {
	asked(user, request, VERB_STOP);
}

void route_restart(void *user, struct control_request *request) {
	asked(user, request, VERB_RESTART);
}
