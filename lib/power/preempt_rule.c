/* What is done when, as a table and two sums. */
#include "power/preempt.h"

enum {
	AWS_MS = 110000,  /* of its two minutes, where the reply names no time */
	SHORT_MS = 25000, /* GCP and Azure: 30 s at best */
	MARGIN_MOST_MS = 10000,
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MOST_MS = 60000,
	BUDGET_LEAST_MS = 1000,
};

/* Whatever comes after the first word of the end tells nobody again, and starts nothing anew: what folders send goes on. */
struct preempt_step preempt_next(enum preempt_state state, enum preempt_event event) {
	static const struct preempt_step table[PREEMPT_STATES][PREEMPT_EVENTS] = {
		[PREEMPT_WATCHING] = {
			[PREEMPT_HINTED] = { PREEMPT_WATCHING, PREEMPT_FLUSH },
			[PREEMPT_NOTICED] = { PREEMPT_TOLD, PREEMPT_FLUSH | PREEMPT_TELL },
			[PREEMPT_RESUMED] = { PREEMPT_TOLD, PREEMPT_FLUSH | PREEMPT_GO_ON },
			[PREEMPT_KNOWN] = { PREEMPT_WATCHING, 0 },
			[PREEMPT_TERM] = { PREEMPT_LEAVING, PREEMPT_FLUSH },
			[PREEMPT_NEAR] = { PREEMPT_WATCHING, 0 },
			[PREEMPT_STAYED] = { PREEMPT_WATCHING, 0 },
		},
		[PREEMPT_TOLD] = {
			[PREEMPT_HINTED] = { PREEMPT_TOLD, 0 },
			[PREEMPT_NOTICED] = { PREEMPT_TOLD, 0 },
			[PREEMPT_RESUMED] = { PREEMPT_TOLD, 0 },
			[PREEMPT_KNOWN] = { PREEMPT_TOLD, 0 },
			[PREEMPT_TERM] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_NEAR] = { PREEMPT_STOPPED, PREEMPT_STOP | PREEMPT_FLUSH },
			[PREEMPT_STAYED] = { PREEMPT_WATCHING, PREEMPT_UP },
		},
		[PREEMPT_STOPPED] = {
			[PREEMPT_HINTED] = { PREEMPT_STOPPED, 0 },
			[PREEMPT_NOTICED] = { PREEMPT_STOPPED, 0 },
			[PREEMPT_RESUMED] = { PREEMPT_STOPPED, 0 },
			[PREEMPT_KNOWN] = { PREEMPT_STOPPED, 0 },
			[PREEMPT_TERM] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_NEAR] = { PREEMPT_STOPPED, 0 },
			[PREEMPT_STAYED] = { PREEMPT_WATCHING, PREEMPT_UP },
		},
		/* The stop has its own order, in which services hear of it by their signal. */
		[PREEMPT_LEAVING] = {
			[PREEMPT_HINTED] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_NOTICED] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_RESUMED] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_KNOWN] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_TERM] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_NEAR] = { PREEMPT_LEAVING, 0 },
			[PREEMPT_STAYED] = { PREEMPT_LEAVING, 0 },
		},
	};
	return table[state][event];
}

/* A deadline that is past is none: such were seen, and the notice itself says that there is time. */
struct preempt_times preempt_times(const struct preempt_question *question) {
	int64_t left_ms = (question->deadline_ns - question->now_ns) / NS_PER_MS;
	int64_t end_ms = question->provider == POWER_PROVIDER_AWS ? AWS_MS : SHORT_MS;

	if (question->budget_ms > 0) end_ms = question->budget_ms;
	if (question->deadline_ns > 0 && left_ms > 0 &&
		(left_ms < end_ms || question->budget_ms == 0))
		end_ms = left_ms;
	if (end_ms < BUDGET_LEAST_MS) end_ms = BUDGET_LEAST_MS;
	int64_t margin_ms = end_ms / 5;
	if (margin_ms > MARGIN_MOST_MS) margin_ms = MARGIN_MOST_MS;
	return (struct preempt_times){ end_ms - margin_ms, end_ms };
}

int64_t preempt_backoff_ms(int64_t every_ms, int failures) {
	int64_t wait_ms = every_ms > BACKOFF_FIRST_MS ? every_ms : BACKOFF_FIRST_MS;

	for (int i = 1; i < failures && wait_ms < BACKOFF_MOST_MS; i++) wait_ms *= 2;
	return wait_ms < BACKOFF_MOST_MS ? wait_ms : BACKOFF_MOST_MS;
}
