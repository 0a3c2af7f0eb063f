#include "tendd/usage.h"

#include <stdlib.h>
#include <string.h>

#include "tendd/news.h"

/* Who asks once is likely to ask again: Prometheus once a minute, say. */
enum { LOOK_MS = 5000, FIRST_MS = 1000, WANTED_MS = 5 * 60000 };

/* A service at its last look. */
struct used_unit {
	char *id;
	pid_t pid;
	struct usage_numbers numbers;
};

struct usage {
	struct house *house;
	struct timer timer;
	struct job job;
	bool in_flight, closing;
	int64_t asked_ms;        /* when somebody wanted to know last */
	struct used_unit *units; /* of the last look */
	size_t count;
	int64_t at_ms;
	/* Of the look under way; the worker has `sessions` alone. */
	struct used_unit *fresh;
	struct process_used *sessions;
	size_t fresh_count;
};

static void units_free(struct used_unit *units, size_t count) {
	for (size_t i = 0; i < count; i++) free(units[i].id);
	free(units);
}

static bool somebody_reads(const struct usage *usage) {
	return control_event_readers(usage->house->control) > 0;
}

/* Where nobody asks nothing is looked at: a machine at rest has no timer that ticks for this. */
static void want(struct usage *usage) {
	if (!settings_web(house_settings(usage->house)) && !somebody_reads(usage)) return;
	usage->asked_ms = loop_now_ms(usage->house->loop);
	if (!usage->in_flight && !usage->closing && !timer_running(&usage->timer))
		timer_start(&usage->timer, FIRST_MS);
}

static const struct used_unit *find(const struct usage *usage, const char *unit, pid_t pid) {
	for (size_t i = 0; pid && i < usage->count; i++)
		if (usage->units[i].pid == pid && str_equal(usage->units[i].id, unit))
			return &usage->units[i];
	return NULL;
}

const struct usage_numbers *usage_of(struct usage *usage, const char *unit, pid_t pid) {
	if (!usage) return NULL;
	want(usage);
	const struct used_unit *used = find(usage, unit, pid);
	return used ? &used->numbers : NULL;
}

static void usage_free(struct usage *usage) {
	timer_cancel(&usage->timer);
	units_free(usage->units, usage->count);
	units_free(usage->fresh, usage->fresh_count);
	free(usage->sessions);
	free(usage);
}

/* ---- a look ---- */

static int look(struct job *job, struct err *err) {
	struct usage *usage = container_of(job, struct usage, job);

	(void)err;
	process_used_read(usage->sessions, usage->fresh_count);
	return 0;
}

/* One event for all of them: the last events are kept for readers that were cut off. */
static void tell(struct usage *usage) {
	json_t *list = json_array();

	for (size_t i = 0; i < usage->count; i++) {
		const struct used_unit *unit = &usage->units[i];
		json_array_append_new(
			list, json_pack("{s:s, s:I, s:o}", "unit", unit->id, "memory_bytes",
				      (json_int_t)unit->numbers.memory_bytes, "cpu_percent",
				      unit->numbers.cpu_percent < 0
					      ? json_null()
					      : json_real(unit->numbers.cpu_percent)));
	}
	json_t *body = json_pack("{s:o}", "services", list);
	control_event(usage->house->control, "used", body);
	json_decref(body);
}

static void looked(struct job *job, const struct err *err) {
	struct usage *usage = container_of(job, struct usage, job);
	struct house *house = usage->house;
	int64_t now_ms = loop_now_ms(house->loop), passed_ms = now_ms - usage->at_ms;

	usage->in_flight = false;
	if (usage->closing) {
		usage_free(usage);
		house->closing--;
		house_close_step(house);
		return;
	}
	for (size_t i = 0; !err && i < usage->fresh_count; i++) {
		struct used_unit *unit = &usage->fresh[i];
		const struct used_unit *before = find(usage, unit->id, unit->pid);
		unit->numbers.memory_bytes = usage->sessions[i].memory_bytes;
		unit->numbers.cpu_ms = usage->sessions[i].cpu_ms;
		unit->numbers.cpu_percent =
			before && passed_ms > 0 && unit->numbers.cpu_ms >= before->numbers.cpu_ms
				? 100.0 * (double)(unit->numbers.cpu_ms - before->numbers.cpu_ms) /
					  (double)passed_ms
				: -1;
	}
	units_free(usage->units, usage->count);
	usage->units = usage->fresh;
	usage->count = usage->fresh_count;
	usage->at_ms = now_ms;
	usage->fresh = NULL;
	usage->fresh_count = 0;
	if (usage->count > 0 && somebody_reads(usage)) tell(usage);
	timer_start(&usage->timer, LOOK_MS);
}

static void gather(struct usage *usage) {
	struct unit_graph *graph = usage->house->graph;
	struct service_status status;
	size_t most = 0;

	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit))
		most++;
	usage->fresh = xcalloc(most + 1, sizeof(*usage->fresh));
	free(usage->sessions);
	usage->sessions = xcalloc(most + 1, sizeof(*usage->sessions));
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		if (unit->kind != UNIT_SERVICE) continue;
		service_status(service_of(unit), &status);
		if (!status.pid) continue;
		usage->fresh[usage->fresh_count].id = xstrdup(unit->id);
		usage->fresh[usage->fresh_count].pid = status.pid;
		usage->sessions[usage->fresh_count++].session = status.pid;
	}
}

static void timer_fired(struct timer *timer) {
	struct usage *usage = container_of(timer, struct usage, timer);
	struct house *house = usage->house;

	if (somebody_reads(usage))
		news_machine(house->news);
	else if (loop_now_ms(house->loop) - usage->asked_ms > WANTED_MS)
		return;
	gather(usage);
	usage->in_flight = true;
	job_start(house->loop, &usage->job);
}

struct usage *usage_new(struct house *house) {
	struct usage *usage = xcalloc(1, sizeof(*usage));

	usage->house = house;
	usage->job.work = look;
	usage->job.done = looked;
	timer_init(&usage->timer, house->loop, timer_fired);
	return usage;
}

void usage_close(struct usage *usage) {
	if (!usage) return;
	if (!usage->in_flight) {
		usage_free(usage);
		return;
	}
	usage->closing = true;
	usage->house->closing++;
}
