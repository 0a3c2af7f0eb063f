/* The order of the end, as a table: what each phase makes of what happens. Cells that are not named mean nothing. */
#include "power/power.h"

#define TO(phase, act) \
	{ IDLE_##phase, IDLE_DO_##act, true }

static const struct cell {
	enum idle_phase next;
	enum idle_do act;
	bool means;
} cells[IDLE_PHASES][IDLE_EVENTS] = {
	[IDLE_WATCHING] = { [IDLE_EV_IDLE] = TO(WARNED, WARN) },
	[IDLE_WARNED] = {
		[IDLE_EV_ACTIVE] = TO(WATCHING, CALL_OFF),
		[IDLE_EV_DONE] = TO(FLUSHING, FLUSH),
		[IDLE_EV_CANCEL] = TO(WATCHING, CALL_OFF),
	},
	[IDLE_FLUSHING] = {
		[IDLE_EV_ACTIVE] = TO(WATCHING, CALL_OFF),
		[IDLE_EV_DONE] = TO(STOPPING, STOP),
		[IDLE_EV_FAILED] = TO(WATCHING, CALL_OFF),
		[IDLE_EV_CANCEL] = TO(WATCHING, CALL_OFF),
	},
	/* Half of them are down: they begin again when all are. */
	[IDLE_STOPPING] = {
		[IDLE_EV_ACTIVE] = TO(STOPPING, NOTE),
		[IDLE_EV_DONE] = TO(RESTING, FLUSH_REST),
		[IDLE_EV_FAILED] = TO(WATCHING, START),
		[IDLE_EV_CANCEL] = TO(STOPPING, NOTE),
	},
	[IDLE_RESTING] = {
		[IDLE_EV_ACTIVE] = TO(WATCHING, START),
		[IDLE_EV_DONE] = TO(JUDGING, JUDGE),
		[IDLE_EV_FAILED] = TO(WATCHING, START),
		[IDLE_EV_CANCEL] = TO(WATCHING, START),
	},
	[IDLE_JUDGING] = {
		[IDLE_EV_IDLE] = TO(ACTING, ACT),
		[IDLE_EV_ACTIVE] = TO(WATCHING, START),
		[IDLE_EV_CANCEL] = TO(WATCHING, START),
	},
	/* A command that failed once would stop all services for nothing again and again. Cancelled: a cloud that did not
	 * answer, before anything was asked of it. */
	[IDLE_ACTING] = {
		[IDLE_EV_DONE] = TO(AFTER, WAIT),
		[IDLE_EV_FAILED] = TO(SPENT, GIVE_UP),
		[IDLE_EV_CANCEL] = TO(WATCHING, START),
	},
	[IDLE_AFTER] = {
		[IDLE_EV_FAILED] = TO(SPENT, GIVE_UP),
		[IDLE_EV_RESUMED] = TO(WATCHING, START),
	},
	[IDLE_SPENT] = { [IDLE_EV_CANCEL] = TO(WATCHING, CALL_OFF) },
};

struct idle_turn idle_next(enum idle_phase phase, enum idle_event event, bool force) {
	bool before_act = phase == IDLE_FLUSHING || phase == IDLE_STOPPING || phase == IDLE_RESTING;
	if (force && before_act && event == IDLE_EV_FAILED) event = IDLE_EV_DONE;
	const struct cell *cell = &cells[phase][event];
	if (!cell->means) return (struct idle_turn){ phase, IDLE_DO_NOTHING };
	return (struct idle_turn){ cell->next, cell->act };
}

const char *idle_phase_name(enum idle_phase phase) {
	static const char *const names[] = {
		[IDLE_WATCHING] = "watching",
		[IDLE_WARNED] = "warned",
		[IDLE_FLUSHING] = "flushing",
		[IDLE_STOPPING] = "stopping services",
		[IDLE_RESTING] = "flushing the rest",
		[IDLE_JUDGING] = "looking once more",
		[IDLE_ACTING] = "acting",
		[IDLE_AFTER] = "going",
		[IDLE_SPENT] = "gave up",
	};
	return names[phase];
}
