/* Decisions without a loop and without a clock: SERVICES.md §3 as a constant table, and where to go
 * when all is gone. */
#include "service/internal.h"

#include <stdlib.h>

#define ROW(a, b, c, d, e, f, g, h) \
	{ a, b, c, d, e, f, g, h }
#define STAY(state) \
	{ SERVICE_##state, SERVICE_NOTHING }
#define NOTE(state) \
	{ SERVICE_##state, SERVICE_NOTE }
#define GO(state, action) \
	{ SERVICE_##state, SERVICE_##action }

/* Columns: want_up, want_down, deps_ready, ready, timer, main_exited, all_gone, check_failed. */
static const struct service_step steps[SERVICE_STATES][SERVICE_EVENTS] = {
	[SERVICE_DOWN] = ROW(GO(WAITING, WAIT), STAY(DOWN), STAY(DOWN), STAY(DOWN), STAY(DOWN),
		STAY(DOWN), STAY(DOWN), STAY(DOWN)),
	[SERVICE_WAITING] = ROW(STAY(WAITING), GO(DOWN, LEAVE), GO(STARTING, SPAWN), STAY(WAITING),
		STAY(WAITING), STAY(WAITING), STAY(WAITING), STAY(WAITING)),
	[SERVICE_STARTING] =
		ROW(NOTE(STARTING), GO(STOPPING, SIGNAL), STAY(STARTING), GO(UP, GREET),
			GO(STOPPING, FAIL), GO(CLEARING, CLEAR), STAY(STARTING), STAY(STARTING)),
	[SERVICE_UP] = ROW(NOTE(UP), GO(STOPPING, SIGNAL), STAY(UP), STAY(UP), GO(UP, FORGIVE),
		GO(CLEARING, CLEAR), STAY(UP), GO(STOPPING, FAIL)),
	[SERVICE_STOPPING] = ROW(NOTE(STOPPING), NOTE(STOPPING), STAY(STOPPING), STAY(STOPPING),
		GO(KILLING, KILL), GO(CLEARING, CLEAR), STAY(STOPPING), STAY(STOPPING)),
	/* The last process may be gone after the main one was, so that all_gone is met here too. */
	[SERVICE_KILLING] = ROW(NOTE(KILLING), NOTE(KILLING), STAY(KILLING), STAY(KILLING),
		GO(KILLING, KILL_AGAIN), GO(CLEARING, CLEAR), GO(CLEARING, SETTLE), STAY(KILLING)),
	[SERVICE_CLEARING] = ROW(NOTE(CLEARING), NOTE(CLEARING), STAY(CLEARING), STAY(CLEARING),
		GO(KILLING, KILL), STAY(CLEARING), GO(CLEARING, SETTLE), STAY(CLEARING)),
	[SERVICE_DELAYED] = ROW(GO(WAITING, WAIT), GO(DOWN, LEAVE), STAY(DELAYED), STAY(DELAYED),
		GO(WAITING, WAIT), STAY(DELAYED), STAY(DELAYED), STAY(DELAYED)),
	[SERVICE_DONE] = ROW(GO(WAITING, WAIT_ANEW), GO(DOWN, LEAVE), STAY(DONE), STAY(DONE),
		STAY(DONE), STAY(DONE), STAY(DONE), STAY(DONE)),
	[SERVICE_FAILED] = ROW(GO(WAITING, WAIT_ANEW), GO(DOWN, LEAVE), STAY(FAILED), STAY(FAILED),
		STAY(FAILED), STAY(FAILED), STAY(FAILED), STAY(FAILED)),
};

static const char *const state_names[] = { "down", "waiting", "starting", "up", "stopping",
	"killing", "clearing", "delayed", "done", "failed" };
static const char *const class_names[] = { "none", "ok", "bad", "exec_error", "signal", "oom",
	"unknown" };

struct service_step service_next(enum service_state state, enum service_event event) {
	return steps[state][event];
}

const char *service_state_name(enum service_state state) {
	return state_names[state];
}

const char *service_exit_class_name(enum service_exit_class class) {
	return class_names[class];
}

bool service_code_in(char *const *codes, int code) {
	int64_t value;
	for (; codes && *codes; codes++)
		if (str_to_int(*codes, 0, 255, &value) == 0 && value == code) return true;
	return false;
}

enum service_exit_class service_classify(const struct process_exit *exit, char *const *ok_exit) {
	if (exit->oom) return SERVICE_EXIT_OOM;
	if (exit->signal) return SERVICE_EXIT_SIGNAL;
	return service_code_in(ok_exit, exit->code) ? SERVICE_EXIT_OK : SERVICE_EXIT_BAD;
}

enum service_state service_verdict(const struct service_question *question) {
	bool good = question->class == SERVICE_EXIT_OK;
	if (!question->wanted) return SERVICE_DOWN;
	if (question->asked) return SERVICE_WAITING;
	if (question->no_restart) return good ? SERVICE_DONE : SERVICE_FAILED;
	if (good && question->policy != SERVICE_RESTART_ALWAYS) return SERVICE_DONE;
	if (question->policy == SERVICE_RESTART_NEVER) return SERVICE_FAILED;
	if (!good && question->give_up_after > 0 && question->failures >= question->give_up_after)
		return SERVICE_FAILED;
	return SERVICE_DELAYED;
}

int64_t service_delay_ms(int64_t delay_ms, int64_t max_ms, int64_t step) {
	for (; step > 0 && delay_ms > 0 && delay_ms < max_ms; step--) delay_ms = 2 * delay_ms;
	return delay_ms < max_ms ? delay_ms : max_ms;
}
