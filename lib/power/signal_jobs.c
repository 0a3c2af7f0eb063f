/* A person's process that works and that tend did not start: plain `nohup python`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

/* Login daemons, editors' servers and prompts use a little all the time. */
enum { PERCENT10 = 20, UID_FIRST = 1000, UID_NOBODY = 65534, JOBS_MAX = 256 };

/* On rented machines everybody is root: then the audit mark tells who logged in from what the system started. */
static bool is_persons(const struct idle_proc *proc) {
	return (proc->uid >= UID_FIRST && proc->uid != UID_NOBODY) || proc->login;
}

void signal_jobs_read(struct idle_sample *sample) {
	struct idle_job *jobs = xcalloc(JOBS_MAX, sizeof(*jobs));
	size_t count = 0;
	for (size_t i = 0; i < sample->procs.count && count < JOBS_MAX; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		const struct idle_past *past = idle_past_find(sample->memory, proc);
		int64_t percent10 = -1;
		if (!is_persons(proc)) continue;
		if (sample->elapsed_ms > 0) {
			uint64_t ticks = proc->ticks - (past ? past->ticks : 0);
			percent10 = (int64_t)ticks * 1000 * 1000 / IDLE_TICKS / sample->elapsed_ms;
		}
		/* Only of what could matter is more asked. */
		if (percent10 >= 0 && percent10 <= PERCENT10) continue;
		if (idle_proc_is_ours(sample->root, proc)) continue;
		jobs[count] = (struct idle_job){ .pid = proc->pid, .percent10 = percent10 };
		memcpy(jobs[count++].name, proc->name, sizeof(proc->name));
	}
	signal_jobs(jobs, count, &sample->answers[SIGNAL_JOBS]);
	free(jobs);
}

void signal_jobs(const struct idle_job *jobs, size_t count, struct idle_answer *answer) {
	idle_say(answer, IDLE_IDLE, -1, "no process of a person works");
	for (size_t i = 0; i < count; i++) {
		struct idle_answer one;
		if (jobs[i].percent10 < 0)
			idle_say(&one, IDLE_UNKNOWN, 0, "not known before the next look");
		else if (jobs[i].percent10 > PERCENT10)
			idle_say(&one, IDLE_ACTIVE, 0,
				"'%s' (%d) uses %" PRId64 "%% of a processor", jobs[i].name,
				(int)jobs[i].pid, jobs[i].percent10 / 10);
		else
			continue;
		idle_worse(answer, &one);
	}
}
