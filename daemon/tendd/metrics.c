/*
 * A row is a metric: its name ends in its unit (_bytes, _seconds) and, where it only grows, in
 * _total, which begins anew with each start of tendd. All samples of one name stand together, as
 * the format wants it, so units are looked at once and kept until all is written.
 */
#include "tendd/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tendd/usage.h"

enum { TEXT_MAX = 64 << 20 };

enum how { NUMBER, FLAG, WORD, MOMENT }; /* int64_t, bool, char * that is there or not, ns */

struct metric {
	const char *name, *type, *help;
	enum how how;
	size_t offset;
};

static const char gauge[] = "gauge", counter[] = "counter";

#define FOLDER(member) offsetof(struct folder_status, member)
static const struct metric folder_metrics[] = {
	{ "tend_folder_files", gauge, "Files that are agreed on with the remote.", NUMBER,
		FOLDER(files) },
	{ "tend_folder_size_bytes", gauge, "Their size.", NUMBER, FOLDER(size_bytes) },
	{ "tend_folder_pending_files", gauge, "Changes that are not durable yet.", NUMBER,
		FOLDER(pending) },
	{ "tend_folder_refused_files", gauge, "Paths that cannot be stored as they are.", NUMBER,
		FOLDER(refused) },
	{ "tend_folder_last_sync_timestamp_seconds", gauge,
		"When nothing was pending last; 0: not since the start.", MOMENT,
		FOLDER(last_sync_ns) },
	{ "tend_folder_sent_files_total", counter, "Files sent.", NUMBER, FOLDER(sent_files) },
	{ "tend_folder_sent_bytes_total", counter, "Bytes sent.", NUMBER, FOLDER(sent_bytes) },
	{ "tend_folder_brought_files_total", counter, "Files brought from the remote.", NUMBER,
		FOLDER(brought_files) },
	{ "tend_folder_brought_bytes_total", counter, "Bytes brought from the remote.", NUMBER,
		FOLDER(brought_bytes) },
	{ "tend_folder_removed_files_total", counter, "Files removed at the remote.", NUMBER,
		FOLDER(removed) },
	{ "tend_folder_scans_total", counter, "Full scans of the local tree.", NUMBER,
		FOLDER(scans) },
	{ "tend_folder_versions", gauge, "Old versions kept at the remote.", NUMBER,
		FOLDER(versions) },
	{ "tend_folder_versions_bytes", gauge, "Their size.", NUMBER, FOLDER(version_bytes) },
	{ "tend_folder_held_deletions", gauge, "Deletions that wait for an approval.", NUMBER,
		FOLDER(held_files) },
	{ "tend_folder_paused", gauge, "1: a person paused it.", FLAG, FOLDER(paused) },
	{ "tend_folder_needs_person", gauge, "1: it does not go on without a person.", FLAG,
		FOLDER(needs_person) },
	{ "tend_folder_degraded", gauge, "1: changes may be noticed late.", WORD,
		FOLDER(degraded) },
	{ "tend_folder_verified_timestamp_seconds", gauge,
		"When the last full compare with the remote ended; 0: never.", MOMENT,
		FOLDER(verified_ns) },
};

#define SERVICE(member) offsetof(struct service_status, member)
static const struct metric service_metrics[] = {
	{ "tend_service_restarts_total", counter, "Starts after the first.", NUMBER,
		SERVICE(restarts) },
	{ "tend_service_failures", gauge, "Failures in a row.", NUMBER, SERVICE(failures) },
	{ "tend_service_stopped", gauge, "1: a person stopped it.", FLAG, SERVICE(stopped) },
	{ "tend_service_degraded", gauge, "1: some of its settings do not hold here.", WORD,
		SERVICE(degraded) },
	{ "tend_service_log_lost_lines_total", counter, "Lines of its log that were not written.",
		NUMBER, SERVICE(log_lost_lines) },
};

#define STEP(member) offsetof(struct step_status, member)
static const struct metric step_metrics[] = {
	{ "tend_step_tries", gauge, "Tries of what it is at.", NUMBER, STEP(tries) },
	{ "tend_step_done_timestamp_seconds", gauge, "When it last did something; 0: never.",
		MOMENT, STEP(done_ns) },
};

static void put_head(struct buf *text, const char *name, const char *type, const char *help) {
	buf_addf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Names of units need no escapes: they have letters, digits, '-', '_' and '.' only. */
static void put_sample(struct buf *text, const struct metric *metric, const char *label,
	const char *name, const void *status) {
	const void *at = (const char *)status + metric->offset;

	buf_addf(text, "%s{%s=\"%s\"} ", metric->name, label, name);
	switch (metric->how) {
	case NUMBER: buf_addf(text, "%" PRId64 "\n", *(const int64_t *)at); break;
	case FLAG: buf_addf(text, "%d\n", *(const bool *)at); break;
	case WORD: buf_addf(text, "%d\n", *(char *const *)at != NULL); break;
	case MOMENT: buf_addf(text, "%.3f\n", (double)*(const int64_t *)at / 1e9); break;
	}
}

/* `statuses`: `count` of `size` bytes each. */
static void put_all(struct buf *text, const struct metric *metrics, size_t metric_count,
	const char *label, const char *const *names, const void *statuses, size_t size,
	size_t count) {
	for (size_t i = 0; count > 0 && i < metric_count; i++) {
		put_head(text, metrics[i].name, metrics[i].type, metrics[i].help);
		for (size_t k = 0; k < count; k++)
			put_sample(text, &metrics[i], label, names[k],
				(const char *)statuses + k * size);
	}
}

static void put_folders(struct buf *text, struct house *house) {
	size_t count = 0, filled = 0;

	list_each(&house->folders, link) count++;
	struct folder_status *statuses = xcalloc(count + 1, sizeof(*statuses));
	const char **names = xcalloc(count + 1, sizeof(*names));
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (folder->closing) continue;
		names[filled] = folder->name;
		folder_status(folder->folder, &statuses[filled++]);
	}
	put_all(text, folder_metrics, ARRAY_LEN(folder_metrics), "folder", names, statuses,
		sizeof(*statuses), filled);
	for (size_t i = 0; i < filled; i++) folder_status_release(&statuses[i]);
	free(statuses);
	free(names);
}

static void put_services(struct buf *text, struct house *house) {
	size_t count = 0, filled = 0;

	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit))
		count += unit->kind == UNIT_SERVICE;
	struct service_status *statuses = xcalloc(count + 1, sizeof(*statuses));
	const char **names = xcalloc(count + 1, sizeof(*names));
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		if (unit->kind != UNIT_SERVICE) continue;
		names[filled] = unit->name;
		service_status(service_of(unit), &statuses[filled++]);
	}
	put_all(text, service_metrics, ARRAY_LEN(service_metrics), "service", names, statuses,
		sizeof(*statuses), filled);
	free(statuses);
	free(names);
}

/* Of those that run and were looked at. */
static void put_used(struct buf *text, struct house *house) {
	static const char *const heads[][3] = {
		{ "tend_service_memory_bytes", gauge, "Resident memory of its processes." },
		{ "tend_service_cpu_seconds_total", counter, "Processor time of its processes." },
	};
	struct service_status status;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		bool headed = false;
		for (struct unit *unit = unit_next(house->graph, NULL); unit;
			unit = unit_next(house->graph, unit)) {
			if (unit->kind != UNIT_SERVICE) continue;
			service_status(service_of(unit), &status);
			const struct usage_numbers *used =
				usage_of(house->usage, unit->id, status.pid);
			if (!used) continue;
			if (!headed) put_head(text, heads[i][0], heads[i][1], heads[i][2]);
			headed = true;
			buf_addf(text, "%s{service=\"%s\"} ", heads[i][0], unit->name);
			if (i == 0)
				buf_addf(text, "%" PRId64 "\n", used->memory_bytes);
			else
				buf_addf(text, "%.3f\n", (double)used->cpu_ms / 1000);
		}
	}
}

static void put_steps(struct buf *text, struct house *house) {
	struct step *step = NULL;
	size_t count = 0, filled = 0;

	while ((step = step_each(house->steps, step))) count++;
	struct step_status *statuses = xcalloc(count + 1, sizeof(*statuses));
	const char **names = xcalloc(count + 1, sizeof(*names));
	while ((step = step_each(house->steps, step))) {
		names[filled] = step_unit(step)->name;
		step_status(step, &statuses[filled++]);
	}
	put_all(text, step_metrics, ARRAY_LEN(step_metrics), "step", names, statuses,
		sizeof(*statuses), filled);
	free(statuses);
	free(names);
}

/* ---- what all units have ---- */

static bool is_ready(const struct unit *unit) {
	return unit->state == UNIT_READY;
}

static bool is_failed(const struct unit *unit) {
	return unit->state == UNIT_FAILED;
}

static bool is_wanted(const struct unit *unit) {
	return unit->wanted;
}

static void put_units(struct buf *text, struct house *house) {
	static const struct {
		const char *name, *help;
		bool (*is)(const struct unit *unit);
	} flags[] = {
		{ "tend_unit_ready", "1: it stands as it should.", is_ready },
		{ "tend_unit_failed", "1: it failed; it may still be trying.", is_failed },
		{ "tend_unit_wanted", "1: it is to be up.", is_wanted },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		put_head(text, flags[i].name, gauge, flags[i].help);
		for (struct unit *unit = unit_next(house->graph, NULL); unit;
			unit = unit_next(house->graph, unit))
			buf_addf(text, "%s{unit=\"%s\",kind=\"%s\"} %d\n", flags[i].name, unit->id,
				unit_kind_name(unit->kind), flags[i].is(unit));
	}
}

/* ---- tendd itself ---- */

static void put_tendd(struct buf *text, const struct house *house) {
	struct rusage used;

	put_head(text, "tend_build_info", gauge, "1; the version is in the label.");
	buf_addf(text, "tend_build_info{version=\"%s\"} 1\n", TEND_VERSION);
	put_head(text, "tend_start_time_seconds", gauge, "When this tendd began.");
	buf_addf(text, "tend_start_time_seconds %.3f\n", (double)house->since_ns / 1e9);
	put_head(text, "tend_config_loaded_timestamp_seconds", gauge,
		"When the configuration that holds was read.");
	buf_addf(text, "tend_config_loaded_timestamp_seconds %.3f\n",
		(double)house->loaded_ns / 1e9);
	put_head(text, "tend_config_good", gauge, "0: the file as it stands now was refused.");
	buf_addf(text, "tend_config_good %d\n", house->config_error == NULL);
	put_head(text, "tend_event_readers", gauge, "Dashboards and commands that follow events.");
	buf_addf(text, "tend_event_readers %zu\n", control_event_readers(house->control));
	getrusage(RUSAGE_SELF, &used);
	put_head(text, "process_cpu_seconds_total", counter, "Processor time of tendd.");
	buf_addf(text, "process_cpu_seconds_total %.3f\n",
		(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
			(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

void route_metrics(void *user, struct control_request *request) {
	struct house *house = user;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	put_tendd(&text, house);
	put_units(&text, house);
	put_folders(&text, house);
	put_services(&text, house);
	put_used(&text, house);
	put_steps(&text, house);
	control_answer_text(
		request, 200, "text/plain; version=0.0.4; charset=utf-8", text.at, text.len);
	buf_release(&text);
}
