/*
 * How busy processors were since the sample before, in per cent of one of them: on 64 of them a training that has only one thread
 * is no more than 1.5 % of all, and would be taken for nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { FIELDS = 8, FIELD_IDLE = 3, FIELD_IOWAIT = 4 };

/* proc(5): "cpu  user nice system idle iowait irq softirq steal ..."; guests stand in user already. A processor that waits for a
 * disk is idle. Then a line for each processor. */
int signal_cpu_parse(const char *text, struct idle_cpu *cpu) {
	*cpu = (struct idle_cpu){ 0 };
	if (!text || !str_starts(text, "cpu ")) return -1;
	char *at = (char *)(uintptr_t)text + 4;
	for (int i = 0; i < FIELDS; i++) {
		char *end;
		uint64_t value = strtoull(at, &end, 10);
		if (end == at) return -1;
		cpu->all += value;
		if (i != FIELD_IDLE && i != FIELD_IOWAIT) cpu->busy += value;
		at = end;
	}
	for (const char *line = strchr(text, '\n'); line && str_starts(line, "\ncpu");
		line = strchr(line + 1, '\n'))
		cpu->processors++;
	cpu->known = cpu->processors > 0;
	return cpu->known ? 0 : -1;
}

void signal_cpu(const struct idle_cpu *before, const struct idle_cpu *now, int64_t threshold,
	struct idle_answer *answer) {
	/* Counters of a machine that was moved to another host may go backwards. */
	if (!now->known || !before->known || now->all <= before->all || now->busy < before->busy) {
		idle_say(answer, IDLE_UNKNOWN, 0,
			now->known ? "not known before the next look"
				   : "what processors did cannot be read");
		return;
	}
	uint64_t percent10 =
		(now->busy - before->busy) * 1000 * now->processors / (now->all - before->all);
	bool active = percent10 > (uint64_t)threshold * 10;
	idle_say(answer, active ? IDLE_ACTIVE : IDLE_IDLE, active ? 0 : -1,
		"%" PRIu64 ".%" PRIu64 "%% of a processor, the bound is %" PRId64 "%%",
		percent10 / 10, percent10 % 10, threshold);
}

void signal_cpu_read(struct idle_sample *sample) {
	struct idle_cpu now;
	signal_cpu_now(sample->root, &now);
	signal_cpu(&sample->memory->cpu, &now, sample->threshold[SIGNAL_CPU],
		&sample->answers[SIGNAL_CPU]);
	sample->memory->cpu = now;
}
