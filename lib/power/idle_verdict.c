/*
 * Is nobody here? All signals idle over the whole window, which was seen often enough and without a gap; and what no setting
 * may switch off: steps, restores, dpkg, min_uptime, a person at a tty, `tend awake`. Whatever is not known counts as active.
 */
#include <stdlib.h>

#include "power/power.h"

/* Behind a jump of the wall clock against the monotonic one stands a suspend or somebody who set it. */
enum { JUMP_MS = 5000, GAP = 3, GAP_MIN_MS = 5000 };

void idle_window_restart(struct idle_window *window) {
	*window = (struct idle_window){ 0 };
}

static void take(struct idle_window *window, int64_t now_ms, int64_t wall_ns) {
	window->taken[window->next] = now_ms;
	window->next = (window->next + 1) % IDLE_SAMPLES;
	if (window->count < IDLE_SAMPLES) window->count++;
	window->last_ms = now_ms;
	window->last_wall_ns = wall_ns;
}

bool idle_window_sample(struct idle_window *window, int64_t now_ms, int64_t wall_ns,
	int64_t every_ms, const char **why) {
	*why = NULL;
	if (window->begun) {
		int64_t passed_ms = now_ms - window->last_ms;
		int64_t jump_ms = (wall_ns - window->last_wall_ns) / NS_PER_MS - passed_ms;
		if (passed_ms > GAP * every_ms && passed_ms > GAP_MIN_MS)
			*why = "nothing was looked at for a while";
		else if (jump_ms > JUMP_MS || jump_ms < -JUMP_MS)
			*why = "the machine slept, or its clock was set";
	}
	bool anew = !window->begun || *why;
	if (anew) {
		idle_window_restart(window);
		window->begun = true;
		window->start_ms = now_ms;
	}
	take(window, now_ms, wall_ns);
	return anew;
}

static enum idle_reason blocked(enum idle_reason reason, int64_t *left_ms, int64_t left) {
	*left_ms = left;
	return reason;
}

/* What no setting switches off and no max_uptime overrides. */
static enum idle_reason guards(const struct idle_facts *facts, int64_t *left_ms) {
	if (facts->step_busy) return blocked(IDLE_BY_STEP, left_ms, -1);
	if (facts->restoring) return blocked(IDLE_BY_RESTORE, left_ms, -1);
	if (facts->starting) return blocked(IDLE_BY_STARTING, left_ms, -1);
	if (facts->dpkg != IDLE_IDLE) return blocked(IDLE_BY_DPKG, left_ms, -1);
	if (facts->awake_until_ms == INT64_MAX) return blocked(IDLE_BY_AWAKE, left_ms, -1);
	if (facts->awake_until_ms > facts->now_ms)
		return blocked(IDLE_BY_AWAKE, left_ms, facts->awake_until_ms - facts->now_ms);
	if (facts->uptime_ms < 0) return blocked(IDLE_BY_UPTIME, left_ms, -1);
	if (facts->uptime_ms < facts->min_uptime_ms)
		return blocked(IDLE_BY_UPTIME, left_ms, facts->min_uptime_ms - facts->uptime_ms);
	if (facts->step_ended_ms >= 0 &&
		facts->now_ms - facts->step_ended_ms < facts->min_uptime_ms)
		return blocked(IDLE_BY_STEP_ENDED, left_ms,
			facts->step_ended_ms + facts->min_uptime_ms - facts->now_ms);
	return IDLE_BY_NOTHING;
}

/* Since when everything has been idle, and seen: 0 signals leave the window alone. */
static int64_t quiet_since(const struct idle_facts *facts) {
	int64_t since_ms = facts->window->start_ms;
	for (size_t i = 0; i < facts->signals; i++)
		if (facts->active_ms[i] > since_ms) since_ms = facts->active_ms[i];
	return since_ms;
}

static enum idle_reason over_window(const struct idle_facts *facts, int64_t *left_ms) {
	const struct idle_window *window = facts->window;
	if (!window->begun) return blocked(IDLE_BY_WINDOW, left_ms, facts->after_ms);
	int64_t since_ms = quiet_since(facts);
	if (facts->now_ms - since_ms < facts->after_ms)
		return blocked(IDLE_BY_WINDOW, left_ms, since_ms + facts->after_ms - facts->now_ms);
	if (window->count < IDLE_SAMPLES || window->taken[window->next] < since_ms)
		return blocked(IDLE_BY_SAMPLES, left_ms, -1);
	return IDLE_BY_NOTHING;
}

enum idle_reason idle_verdict(const struct idle_facts *facts, size_t *which, int64_t *left_ms) {
	*which = 0;
	*left_ms = 0;
	enum idle_reason reason = guards(facts, left_ms);
	if (reason != IDLE_BY_NOTHING) return reason;
	/* Too old a machine goes whatever it does; the person is told before, and may answer with `tend awake`. */
	if (facts->max_uptime_ms > 0 && facts->uptime_ms >= facts->max_uptime_ms)
		return IDLE_BY_NOTHING;
	if (facts->person != IDLE_IDLE) return blocked(IDLE_BY_PERSON, left_ms, -1);
	for (size_t i = 0; i < facts->signals; i++) {
		if (facts->words[i] == IDLE_IDLE) continue;
		*which = i;
		return blocked(facts->words[i] == IDLE_ACTIVE ? IDLE_BY_SIGNAL : IDLE_BY_UNKNOWN,
			left_ms, -1);
	}
	return over_window(facts, left_ms);
}

enum idle_reason idle_verdict_late(
	const struct idle_facts *facts, const bool *late, size_t *which) {
	int64_t left_ms;
	*which = 0;
	enum idle_reason reason = guards(facts, &left_ms);
	if (reason != IDLE_BY_NOTHING) return reason;
	if (facts->max_uptime_ms > 0 && facts->uptime_ms >= facts->max_uptime_ms)
		return IDLE_BY_NOTHING;
	if (facts->person != IDLE_IDLE) return IDLE_BY_PERSON;
	for (size_t i = 0; i < facts->signals; i++) {
		if (!late[i] || facts->words[i] == IDLE_IDLE) continue;
		*which = i;
		return facts->words[i] == IDLE_ACTIVE ? IDLE_BY_SIGNAL : IDLE_BY_UNKNOWN;
	}
	return IDLE_BY_NOTHING;
}

const char *idle_reason_text(enum idle_reason reason) {
	static const char *const texts[] = {
		[IDLE_BY_NOTHING] = "nobody uses it",
		[IDLE_BY_STEP] = "a step is at work, or will be",
		[IDLE_BY_RESTORE] = "a folder is being brought back",
		[IDLE_BY_STARTING] = "something is starting",
		[IDLE_BY_DPKG] = "packages are being installed",
		[IDLE_BY_AWAKE] = "tend awake",
		[IDLE_BY_UPTIME] = "min_uptime since the boot has not passed",
		[IDLE_BY_STEP_ENDED] = "min_uptime since the last step has not passed",
		[IDLE_BY_PERSON] = "a person at a terminal",
		[IDLE_BY_SIGNAL] = "in use",
		[IDLE_BY_UNKNOWN] = "cannot be told, which counts as in use",
		[IDLE_BY_WINDOW] = "idle, not yet for long enough",
		[IDLE_BY_SAMPLES] = "idle, not yet seen often enough",
	};
	return texts[reason];
}
