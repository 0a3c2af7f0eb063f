/* The plan without tendd: steps are looked at here, and the order of a start comes of the configuration alone. */
#include <stdlib.h>
#include <unistd.h>

#include "answers/answers.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "service/service.h"
#include "step/step.h"
#include "tend/source.h"

/* Without it nothing is known to be done. Only its owner can open it, and it is never made here. NULL: none. */
static struct ledger *open_ledger(const struct config *config) {
	struct err err;
	char *state = direct_state_dir(config),
	     *path = state ? path_join(state, "ledger.db") : NULL;
	struct ledger *ledger = path && access(path, W_OK) == 0 ? ledger_open(path, &err) : NULL;
	free(path);
	free(state);
	return ledger;
}

static json_t *plan_one(struct ledger *ledger, const struct config_section *section) {
	struct ledger_step record = { 0 };
	struct step_finding finding = { 0 };
	struct err err;
	char *unit = xasprintf("step:%s", section->name);
	int result = ledger ? ledger_step_read(ledger, unit, &record, &err) : 0;
	if (result == 0)
		result = step_look(section->name, section->settings, &record, NULL, &finding, &err);
	json_t *step = answer_plan(section->name, &finding, result == 0 ? NULL : &err);
	step_finding_release(&finding);
	free(unit);
	return step;
}

/* ---- the order ---- */

static const char *const kinds[] = { "folder", "step", "service" };
static const enum unit_kind unit_kinds[] = { UNIT_FOLDER, UNIT_STEP, UNIT_SERVICE };

struct wants {
	bool enabled, network;
	char *const *after, *const *requires;
};

static struct wants wants_of(enum unit_kind kind, const void *settings) {
	const struct folder_settings *folder = settings;
	const struct step_settings *step = settings;
	const struct service_settings *service = settings;
	switch (kind) {
	case UNIT_FOLDER:
		return (struct wants){ folder->enabled, false, folder->after, folder->requires };
	case UNIT_STEP:
		return (struct wants){ step->enabled, step_needs_network(step), step->after,
			step->requires };
	default:
		return (struct wants){ service->enabled, service->network, service->after,
			service->requires };
	}
}

static size_t count_units(const struct config *config) {
	size_t count = 0;
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		const struct config_section *section = NULL;
		while ((section = config_next(config, kinds[kind], section))) count++;
	}
	return count;
}

/* Units as tendd would make them, which nobody starts. */
static json_t *order_of(struct loop *loop, const struct config *config) {
	struct unit_graph *graph = unit_graph_new(loop);
	struct unit *units = xcalloc(count_units(config) + 1, sizeof(*units));
	const void **settings = xcalloc(count_units(config) + 1, sizeof(*settings));
	size_t count = 1;
	unit_init(&units[0], graph, UNIT_NETWORK, "network", NULL);
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		const struct config_section *section = NULL;
		for (; (section = config_next(config, kinds[kind], section)); count++) {
			settings[count] = section->settings;
			unit_init(&units[count], graph, unit_kinds[kind], section->name, NULL);
		}
	}
	for (size_t i = 1; i < count; i++) {
		struct wants wants = wants_of(units[i].kind, settings[i]);
		units[i].enabled = wants.enabled;
		unit_link(&units[i], wants.after, wants.requires, wants.network);
	}
	json_t *order = answer_order(graph);
	for (size_t i = 0; i < count; i++) unit_release(&units[i]);
	unit_graph_free(graph);
	free(settings);
	free(units);
	return order;
}

json_t *direct_plan(struct call *call, struct err *err) {
	char *file = direct_file(call, err);
	struct config *config = file ? direct_config(file, err) : NULL;
	const struct config_section *section = NULL;
	free(file);
	if (!config) return NULL;
	struct ledger *ledger = open_ledger(config);
	json_t *steps = json_array();
	while ((section = config_next(config, "step", section)))
		json_array_append_new(steps, plan_one(ledger, section));
	json_t *order = order_of(call->client.loop, config);
	ledger_close(ledger);
	config_free(config);
	return json_pack("{s:o, s:o}", "steps", steps, "order", order);
}
