/* A pane whose foreground job works, whether somebody is attached or not; a shell that waits in one is nobody's work. Read from the
 * process table, so that no tmux of another user is run as root; screen is told alike. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { PANES_MAX = 1024 };

static bool is_server(const struct idle_proc *proc) {
	return str_starts(proc->name, "tmux: server") || str_equal(proc->name, "SCREEN") ||
	       str_equal(proc->name, "screen");
}

/* What the whole foreground group used since the sample before; what is new in it used all it has. */
static int64_t ticks_of(const struct idle_sample *sample, const struct idle_proc *job) {
	int64_t ticks = 0;
	if (!sample->elapsed_ms) return -1;
	for (size_t i = 0; i < sample->procs.count; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		if (proc->tty != job->tty || proc->group != job->group) continue;
		const struct idle_past *past = idle_past_find(sample->memory, proc);
		ticks += (int64_t)(proc->ticks - (past ? past->ticks : 0));
	}
	return ticks;
}

void signal_tmux_read(struct idle_sample *sample) {
	struct idle_pane *panes = xcalloc(PANES_MAX, sizeof(*panes));
	size_t count = 0;
	for (size_t i = 0; i < sample->procs.count && count < PANES_MAX; i++) {
		const struct idle_proc *shell = &sample->procs.at[i];
		const struct idle_proc *server = idle_procs_find(&sample->procs, shell->parent);
		if (!server || !is_server(server) || shell->session != shell->pid) continue;
		struct idle_pane *pane = &panes[count++];
		const struct idle_proc *job = idle_foreground(&sample->procs, shell->tty);
		if (!job) continue;
		memcpy(pane->job, job->name, sizeof(pane->job));
		pane->ticks = ticks_of(sample, job);
	}
	signal_tmux(panes, count, &sample->answers[SIGNAL_TMUX]);
	free(panes);
}

void signal_tmux(const struct idle_pane *panes, size_t count, struct idle_answer *answer) {
	idle_say(answer, IDLE_IDLE, -1, count ? "no pane is busy" : "no tmux");
	for (size_t i = 0; i < count; i++) {
		struct idle_answer one;
		if (!panes[i].job[0]) continue;
		if (panes[i].ticks < 0)
			idle_say(&one, IDLE_UNKNOWN, 0,
				"'%s' in a pane: not known before the next look", panes[i].job);
		else if (panes[i].ticks > 0)
			idle_say(&one, IDLE_ACTIVE, 0, "'%s' works in a pane", panes[i].job);
		else
			idle_say(&one, IDLE_IDLE, -1, "'%s' in a pane does nothing", panes[i].job);
		idle_worse(answer, &one);
	}
}
