/* Who typed when: a terminal's access time is its last input, its modification time the last output. */
#include <stdlib.h>

#include "power/idle.h"

/* The kernel moves these times once in eight seconds, so that nobody can read a password's rhythm (tty_update_time). */
enum { GRAIN_MS = 8000 };

int64_t signal_tty_age(int64_t time_ns, int64_t wall_ns) {
	int64_t age_ms = (wall_ns - time_ns) / NS_PER_MS - GRAIN_MS;
	return age_ms > 0 ? age_ms : 0;
}

int64_t signal_tty_output_age(int64_t mtime_ns, int64_t wall_ns, int64_t warned_ns) {
	bool ours = warned_ns && mtime_ns >= warned_ns - (int64_t)GRAIN_MS * NS_PER_MS &&
		    mtime_ns <= warned_ns + 2 * NS_PER_S;
	return ours ? -1 : signal_tty_age(mtime_ns, wall_ns);
}

const struct idle_terminal *signal_tty_find(
	const struct idle_terminals *terminals, uint64_t number, const char *name) {
	for (size_t i = 0; i < terminals->count; i++) {
		const struct idle_terminal *terminal = &terminals->at[i];
		if (name ? str_equal(terminal->name, name) : number && terminal->number == number)
			return terminal;
	}
	return NULL;
}

void signal_tty_read(struct idle_sample *sample) {
	signal_tty_list(sample);
	signal_tty(&sample->terminals, sample->after_ms, &sample->person);
	sample->answers[SIGNAL_TTY] = sample->person;
}

void signal_tty(
	const struct idle_terminals *terminals, int64_t after_ms, struct idle_answer *answer) {
	char age[32];
	if (terminals->failed) {
		idle_say(answer, IDLE_UNKNOWN, 0, "terminals cannot be listed");
		return;
	}
	idle_say(answer, IDLE_IDLE, -1, "nobody at a terminal");
	for (size_t i = 0; i < terminals->count; i++) {
		const struct idle_terminal *terminal = &terminals->at[i];
		bool active = terminal->input_age_ms < after_ms;
		struct idle_answer one;
		duration_format(terminal->input_age_ms / 1000 * 1000, age, sizeof(age));
		idle_say(&one, active ? IDLE_ACTIVE : IDLE_IDLE, terminal->input_age_ms,
			"input at %s %s ago", terminal->name, age);
		idle_worse(answer, &one);
	}
}
