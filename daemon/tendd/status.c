/* Fields are only ever added: tests/data/api_fields.json has those that stay. */
#include "tendd/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tendd/power.h"
#include "tendd/preempt.h"
#include "tendd/progress.h"
#include "tendd/state.h"
#include "tendd/usage.h"
#include "tendd/web.h"

enum { DELETIONS_MAX = 1000 }; /* paths in one answer; their number is told in any case */

/* "network, folder:data" as a list. */
static json_t *waits_for(const struct unit *unit) {
	json_t *list = json_array();
	struct buf text;
	buf_init(&text, 16 << 10);
	unit_waits_for(unit, &text);
	for (char *at = text.at; *at;) {
		size_t len = strcspn(at, ",");
		json_array_append_new(list, json_stringn(at, len));
		at += len + strspn(at + len, ", ");
	}
	buf_release(&text);
	return list;
}

/* ---- folders ---- */

/* Paths, one by one: only where a single folder is asked about, since there may be many. */
static json_t *trouble_list(struct folder *folder, size_t limit) {
	json_t *list = json_array();
	struct folder_trouble *troubles = NULL;
	size_t count = folder_troubles(folder, limit, &troubles);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list,
			json_pack("{s:o, s:s?, s:o, s:o}", "path", answer_text(troubles[i].path),
				"why", troubles[i].why, "reason", answer_text(troubles[i].reason),
				"next_try", answer_moment(troubles[i].next_try_ns)));
	}
	folder_troubles_free(troubles, count);
	return list;
}

static json_t *count_or_null(int64_t count) {
	return count < 0 ? json_null() : json_integer((json_int_t)count);
}

static json_t *flight_list(struct folder *folder, size_t limit) {
	json_t *list = json_array();
	struct folder_flight *flights = NULL;
	size_t count = folder_flights(folder, limit, &flights);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o, s:s}", "path", answer_text(flights[i].path),
				"size_bytes", count_or_null(flights[i].size_bytes), "done_bytes",
				count_or_null(flights[i].done_bytes), "doing", flights[i].doing));
	}
	folder_flights_free(flights, count);
	return list;
}

static json_t *conflict_list(struct folder *folder, size_t limit) {
	json_t *list = json_array();
	struct folder_conflict *conflicts = NULL;
	size_t count = folder_conflicts(folder, limit, &conflicts);
	for (size_t i = 0; i < count; i++) {
		const char *path = conflicts[i].path, *of = conflicts[i].origin;
		bool theirs = conflicts[i].theirs;
		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", answer_text(path), "of",
				answer_text(of), "mine", answer_text(theirs ? of : path), "theirs",
				answer_text(theirs ? path : of), "time",
				answer_moment(conflicts[i].noted_ns)));
	}
	folder_conflicts_free(conflicts, count);
	return list;
}

static json_t *trouble_of(const struct err *trouble) {
	if (trouble->kind == ERR_NONE) return json_null();
	return json_pack("{s:s, s:o}", "kind", err_kind_name(trouble->kind), "text",
		answer_text(trouble->text));
}

/* Also one that is being closed: it has a state as long as its unit has. */
static struct folder *folder_of(struct house *house, const struct unit *unit) {
	list_each(&house->folders, link) {
		struct folder *folder = list_entry(link, struct house_folder, link)->folder;
		if (folder_unit(folder) == unit) return folder;
	}
	return NULL;
}

static json_t *deletion_list(struct folder_deletion *list, size_t count) {
	json_t *paths = json_array();
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(paths,
			json_pack("{s:o, s:b, s:I}", "path", answer_text(list[i].path), "folder",
				list[i].folder, "size_bytes", (json_int_t)list[i].bytes));
	}
	folder_deletions_free(list, count);
	return paths;
}

/* What waits for `tend approve`; the paths only where a single folder is asked about. */
static json_t *deletions_of(struct folder *folder, const struct folder_status *status, bool paths) {
	if (!status->stopped_deletions) return json_null();
	json_t *part = json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)status->held_files,
		"folders", (json_int_t)status->held_folders, "size_bytes",
		(json_int_t)status->held_bytes, "upto", (json_int_t)status->held_upto);
	if (!paths) return part;
	struct folder_deletion *deletions = NULL;
	int64_t upto = 0;
	size_t count = folder_deletions(folder, DELETIONS_MAX, &deletions, &upto);
	json_object_set_new(part, "upto", json_integer(upto));
	json_object_set_new(part, "paths", deletion_list(deletions, count));
	return part;
}

/* What the rules no longer cover; null: nothing. */
static json_t *forgotten_of(struct folder *folder, const struct folder_status *status, bool paths) {
	if (!status->forgotten_files && !status->forgotten_folders) return json_null();
	json_t *part = json_pack("{s:I, s:I, s:I, s:I, s:I}", "files",
		(json_int_t)status->forgotten_files, "folders",
		(json_int_t)status->forgotten_folders, "size_bytes",
		(json_int_t)status->forgotten_bytes, "upto", (json_int_t)status->forgotten_upto,
		"removing", (json_int_t)status->forgotten_removing);
	struct folder_deletion *list = NULL;
	if (!paths) return part;
	size_t count = folder_forgotten(folder, DELETIONS_MAX, &list);
	json_object_set_new(part, "paths", deletion_list(list, count));
	return part;
}

/* What only the remote has, where a single folder is asked about; null: nothing. */
static json_t *strangers_of(struct folder *folder) {
	struct folder_strangers strangers;
	struct err err;
	if (folder_strangers(folder, DELETIONS_MAX, &strangers, &err)) return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "files", (json_int_t)strangers.files,
		"folders", (json_int_t)strangers.folders, "size_bytes", (json_int_t)strangers.bytes,
		"upto", (json_int_t)strangers.upto, "paths",
		deletion_list(strangers.list, strangers.count));
}

/* What is brought back into a folder that was empty; null: nothing. */
static json_t *restoring_of(const struct folder_status *status) {
	if (!status->restoring) return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "files", (json_int_t)status->restored_files,
		"size_bytes", (json_int_t)status->restored_bytes, "of_files",
		(json_int_t)status->restore_files, "of_size_bytes",
		(json_int_t)status->restore_bytes);
}

/* What is left by its bytes, at the speed of now; and by the pace of a remote that counts things. The longer one holds. */
static void add_progress(json_t *part, struct house *house, struct folder *folder,
	const struct folder_status *status) {
	struct progress_numbers numbers;
	progress_of(house->progress, folder, &numbers);
	json_object_set_new(part, "moved_bytes", json_integer((json_int_t)numbers.moved_bytes));
	json_object_set_new(part, "left_bytes", count_or_null(numbers.left_bytes));
	json_object_set_new(part, "bytes_per_second", json_integer((json_int_t)numbers.per_second));
	int64_t left_s =
		numbers.left_seconds > status->left_s ? numbers.left_seconds : status->left_s;
	json_object_set_new(part, "left_seconds", count_or_null(left_s));
}

static json_t *folder_part(
	struct house *house, struct folder *folder, size_t troubles, bool *needs_person) {
	struct folder_status status;
	folder_status(folder, &status);
	json_t *part = json_pack("{s:o, s:o, s:s?, s:s?, s:b, s:o, s:o, s:s?}", "path",
		answer_text(status.path), "remote", answer_text(status.remote), "mode", status.mode,
		"state", status.state, "paused", status.paused, "trouble",
		trouble_of(&status.trouble), "degraded", answer_text(status.degraded), "watched_by",
		status.watched_by);
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "files", status.files },
		{ "folders", status.folders },
		{ "links", status.links },
		{ "size_bytes", status.size_bytes },
		{ "strangers", status.strangers },
		{ "brought_files", status.brought_files },
		{ "brought_bytes", status.brought_bytes },
		{ "removed_here", status.removed_here },
		{ "pending", status.pending },
		{ "refused", status.refused },
		{ "not_kept", status.not_kept },
		{ "plain_databases", status.plain_databases },
		{ "sent_files", status.sent_files },
		{ "sent_bytes", status.sent_bytes },
		{ "set_only", status.set_only },
		{ "moved", status.moved },
		{ "removed", status.removed },
		{ "conflict_count", status.conflicts },
		{ "scans", status.scans },
		{ "versions", status.versions },
		{ "versions_bytes", status.version_bytes },
	};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_object_set_new(part, numbers[i].name, json_integer(numbers[i].value));
	}
	add_progress(part, house, folder, &status);
	json_object_set_new(part, "conditions",
		status.conditions_known ? json_boolean(status.conditions) : json_null());
	json_object_set_new(part, "forgotten", forgotten_of(folder, &status, troubles > 0));
	json_object_set_new(part, "only_remote",
		status.strangers && troubles > 0 ? strangers_of(folder) : json_null());
	json_object_set_new(part, "verify",
		json_pack("{s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:I}", "running", status.verifying,
			"last", answer_moment(status.verified_ns), "text",
			answer_text(status.verify_text), "trouble",
			answer_text(status.verify_trouble), "compared",
			(json_int_t)status.verify_compared, "read", (json_int_t)status.verify_read,
			"missing", (json_int_t)status.verify_missing, "changed",
			(json_int_t)status.verify_changed));
	json_object_set_new(part, "restoring", restoring_of(&status));
	json_object_set_new(part, "refused_root", answer_text(status.refused_root));
	json_t *away = json_array();
	for (size_t i = 0; status.away && status.away[i]; i++)
		json_array_append_new(away, answer_text(status.away[i]));
	json_object_set_new(part, "away", away);
	json_object_set_new(part, "deletions", deletions_of(folder, &status, troubles > 0));
	json_object_set_new(part, "last_sync", answer_moment(status.last_sync_ns));
	json_object_set_new(part, "pruned", answer_moment(status.pruned_ns));
	json_object_set_new(part, "prune_trouble", answer_text(status.prune_trouble));
	if (troubles > 0) json_object_set_new(part, "troubles", trouble_list(folder, troubles));
	if (troubles > 0) json_object_set_new(part, "in_flight", flight_list(folder, troubles));
	if (troubles > 0) json_object_set_new(part, "conflicts", conflict_list(folder, troubles));
	*needs_person = status.needs_person;
	folder_status_release(&status);
	return part;
}

/* ---- services ---- */

static json_t *exit_of(const struct service_status *status) {
	if (status->exit_class == SERVICE_EXIT_NONE) return json_null();
	return json_pack("{s:s, s:i, s:i, s:o}", "class",
		service_exit_class_name(status->exit_class), "code", status->exit_code, "signal",
		status->exit_signal, "time", answer_moment(status->exit_ns));
}

static json_t *service_part(struct house *house, const char *name, struct service *service) {
	const struct config_section *section = config_find(house->config, "service", name);
	const struct service_settings *settings = section ? section->settings : NULL;
	struct service_status status;
	service_status(service, &status);
	const struct usage_numbers *used =
		usage_of(house->usage, service_unit(service)->id, status.pid);
	return json_pack("{s:s, s:o, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
		"state", status.state_name, "pid",
		status.pid ? json_integer(status.pid) : json_null(), "restarts",
		(json_int_t)status.restarts, "failures", (json_int_t)status.failures, "stopped",
		status.stopped, "exit", exit_of(&status), "next_try",
		answer_moment(status.next_try_ns), "log", answer_text(status.log_path), "command",
		answer_text(settings ? settings->command : NULL), "log_lost_lines",
		(json_int_t)status.log_lost_lines, "degraded", answer_text(status.degraded),
		"memory_bytes", used ? json_integer(used->memory_bytes) : json_null(),
		"cpu_percent",
		used && used->cpu_percent >= 0 ? json_real(used->cpu_percent) : json_null());
}

/* ---- steps ---- */

static json_t *step_part(struct step *step, bool *needs_person) {
	struct step_status status;
	step_status(step, &status);
	*needs_person = status.state == STEP_IS_HELD;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o}", "state",
		step_state_name(status.state), "kind", status.kind, "why", answer_text(status.why),
		"pid", status.pid ? json_integer(status.pid) : json_null(), "done",
		answer_moment(status.done_ns), "tries", (json_int_t)status.tries, "next_try",
		answer_moment(status.next_try_ns), "log", answer_text(status.log_path));
}

/* What a stop of this one takes along; a folder that requires a service is left alone. */
static json_t *dependents_of(const struct unit *unit) {
	json_t *list = json_array();
	char **ids = unit_dependents(unit);
	for (size_t i = 0; ids && ids[i]; i++) {
		if (str_starts(ids[i], "service:"))
			json_array_append_new(list, json_string(ids[i]));
	}
	strv_free(ids);
	return list;
}

json_t *status_unit(struct house *house, struct unit *unit, size_t troubles) {
	bool needs_person = false;
	const char *detail = unit->detail;
	json_t *folder = NULL, *service = NULL, *step = NULL;
	if (unit->kind == UNIT_STEP) {
		struct step *found = step_find(house->steps, unit->name);
		if (found) step = step_part(found, &needs_person);
	} else if (unit->kind == UNIT_FOLDER) {
		struct folder *found = folder_of(house, unit);
		if (found) folder = folder_part(house, found, troubles, &needs_person);
	} else if (unit->kind == UNIT_SERVICE) {
		struct service *found = service_find(house->services, unit->name);
		struct service_status status;
		if (found) {
			service = service_part(house, unit->name, found);
			service_status(found, &status);
			if (!detail) detail = status.detail;
		}
	}
	json_t *whole = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:b, s:o}", "unit",
		unit->id, "kind", unit_kind_name(unit->kind), "name", unit->name, "state",
		unit_state_name(unit->state), "detail", answer_text(detail), "since",
		answer_moment(unit->since_ns), "wanted", unit->wanted, "enabled", unit->enabled,
		"needs_person", needs_person, "waits_for", waits_for(unit));
	if (folder) json_object_set_new(whole, "folder", folder);
	if (step) json_object_set_new(whole, "step", step);
	if (service) {
		json_object_set_new(whole, "service", service);
		json_object_set_new(whole, "dependents", dependents_of(unit));
	}
	return whole;
}

/* ---- all ---- */

json_t *status_units(struct house *house) {
	json_t *list = json_array();
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		json_array_append_new(list, status_unit(house, unit, 0));
	}
	return list;
}

json_t *status_whole(struct house *house) {
	bool stopping = house->state == HOUSE_STOPPING || house->state == HOUSE_CLOSING;
	json_t *configuration =
		json_pack("{s:o, s:o, s:o}", "path", answer_text(house->config->path), "loaded",
			answer_moment(house->loaded_ns), "error", answer_text(house->config_error));
	return json_pack("{s:i, s:s, s:o, s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "api", 1,
		"version", TEND_VERSION, "host", answer_text(loop_host(house->loop)), "pid",
		(int)getpid(), "since", answer_moment(house->since_ns), "state",
		stopping ? "stopping" : "running", "configuration", configuration, "keeper",
		answer_text(house->processes_trouble), "web", web_status(house->web), "units",
		status_units(house), "idle", power_status(house), "preempt", preempt_status(house));
}

/* For who has nothing but the journal. */
static void log_units(struct house *house) {
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		log_info("status: %s is %s%s%s", unit->id, unit_state_name(unit->state),
			unit->detail ? ": " : "", unit->detail ? unit->detail : "");
	}
}

void status_write(struct house *house) {
	char *path = path_join(house->state_dir, "status.json");
	json_t *whole = status_whole(house);
	char *text = json_dumps(whole, JSON_INDENT(2));
	struct err err;
	json_decref(whole);
	if (!text) abort(); /* out of memory, as in base */
	if (state_write_file(path, text, strlen(text), &err)) {
		log_error("cannot write the status: %s", err.text);
	} else {
		log_info("status: written to '%s'", path);
	}
	log_units(house);
	free(text);
	free(path);
}
