/* What steps would do, looked at by workers all at once; and a step that a person wants run. */
#include <stdlib.h>

#include "answers/answers.h"
#include "tendd/routes.h"

struct plan;

struct plan_item {
	struct step_planning planning;
	struct plan *plan;
};

struct plan {
	struct list link;
	struct house *house;
	struct control_request *request; /* NULL: nobody waits any more */
	struct plan_item *items;
	size_t count, left;
};

static void plan_free(struct plan *plan) {
	for (size_t i = 0; i < plan->count; i++) step_plan_release(&plan->items[i].planning);
	list_remove(&plan->link);
	free(plan->items);
	free(plan);
}

static void plan_step(struct plan *plan) {
	if (plan->left > 0) return;
	json_t *steps = json_array();
	for (size_t i = 0; i < plan->count; i++) {
		const struct step_planning *planning = &plan->items[i].planning;
		const struct err *err = planning->err.kind == ERR_NONE ? NULL : &planning->err;
		json_array_append_new(steps, answer_plan(planning->name, &planning->finding, err));
	}
	if (plan->request)
		control_answer(plan->request, 200,
			json_pack("{s:o, s:o}", "steps", steps, "order",
				answer_order(plan->house->graph)));
	else
		json_decref(steps);
	plan_free(plan);
}

static void looked(struct step_planning *planning) {
	struct plan *plan = container_of(planning, struct plan_item, planning)->plan;
	plan->left--;
	plan_step(plan);
}

static void asker_gone(void *user) {
	struct plan *plan = user;
	plan->request = NULL;
}

void route_plan(void *user, struct control_request *request) {
	struct house *house = user;
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct step *step = NULL;
	plan->house = house;
	plan->request = request;
	list_add_tail(&house->plans, &plan->link);
	while ((step = step_each(house->steps, step))) plan->count++;
	plan->items = xcalloc(plan->count + 1, sizeof(*plan->items));
	control_on_gone(request, asker_gone, plan);
	while ((step = step_each(house->steps, step))) {
		struct plan_item *item = &plan->items[plan->left++];
		item->plan = plan;
		item->planning.done = looked;
		step_plan_start(step, &item->planning);
	}
	plan_step(plan);
}

/* Jobs that are under way end with the loop, and need their plan until then. */
void plans_close(struct house *house) {
	list_each(&house->plans, link) {
		struct plan *plan = list_entry(link, struct plan, link);
		plan->request = NULL; /* control refuses it */
		list_remove(&plan->link);
	}
}

void route_run(void *user, struct control_request *request) {
	struct house *house = user;
	bool follow = json_is_true(json_object_get(control_body(request), "follow"));
	struct unit *unit = route_unit(house, request);
	struct err err;
	if (!unit) return;
	struct step *step = unit->kind == UNIT_STEP ? step_find(house->steps, unit->name) : NULL;
	if (!step) {
		err_set(&err, ERR_INVALID, "'%s' is no step", unit->id);
		control_refuse(request, &err, NULL);
		return;
	}
	if (house->state != HOUSE_RUNNING) {
		err_set(&err, ERR_BUSY, "tendd is stopping");
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, unit->id, "run");
	/* Whoever follows hears it from its first line. */
	if (follow) log_of_run(house, request, step);
	step_run(step);
	if (!follow) route_answer_unit(house, request, unit);
}
