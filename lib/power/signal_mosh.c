/*
 * A mosh-server waits for its client for ever, so that it is there says nothing. An attached client acknowledges at least every
 * three seconds, which wakes the server; one that was left goes quiet. Attached, it counts as an ssh login does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

/* Twenty acknowledgements a minute; half of them is enough. A shorter look is no look. */
enum { SWITCHES_A_MINUTE = 10, LOOK_MS = 6000, SERVERS_MAX = 256 };

static int64_t switches_a_minute(const struct idle_sample *sample, const struct idle_proc *proc) {
	const struct idle_past *past = idle_past_find(sample->memory, proc);
	int64_t now = idle_proc_switches(sample->root, proc->pid);
	if (!past || past->switches < 0 || now < past->switches || sample->elapsed_ms < LOOK_MS)
		return -1;
	return (now - past->switches) * 60000 / sample->elapsed_ms;
}

void signal_mosh_read(struct idle_sample *sample) {
	struct idle_mosh *servers = xcalloc(SERVERS_MAX, sizeof(*servers));
	size_t count = 0;
	for (size_t i = 0; i < sample->procs.count && count < SERVERS_MAX; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		if (!str_equal(proc->name, "mosh-server")) continue;
		struct idle_mosh *server = &servers[count++];
		server->pid = proc->pid;
		server->switches_a_minute = switches_a_minute(sample, proc);
		idle_user_name(sample->root, proc->uid, server->session.user,
			sizeof(server->session.user));
		uint64_t tty = 0;
		for (size_t j = 0; j < sample->procs.count; j++)
			if (sample->procs.at[j].parent == proc->pid && sample->procs.at[j].tty)
				tty = sample->procs.at[j].tty;
		signal_ssh_terminal(sample, &server->session, tty);
	}
	signal_mosh(servers, count, sample->after_ms, &sample->answers[SIGNAL_MOSH]);
	free(servers);
}

void signal_mosh(const struct idle_mosh *servers, size_t count, int64_t after_ms,
	struct idle_answer *answer) {
	idle_say(answer, IDLE_IDLE, -1, "no mosh");
	for (size_t i = 0; i < count; i++) {
		struct idle_answer one;
		struct idle_sessions attached = { .at = { servers[i].session }, .count = 1 };
		if (servers[i].switches_a_minute < 0)
			idle_say(&one, IDLE_UNKNOWN, 0,
				"mosh-server %d: not known before the next look",
				(int)servers[i].pid);
		else if (servers[i].switches_a_minute < SWITCHES_A_MINUTE)
			idle_say(&one, IDLE_IDLE, -1, "mosh-server %d has nobody at its other end",
				(int)servers[i].pid);
		else
			signal_ssh(&attached, after_ms, &one);
		idle_worse(answer, &one);
	}
}
