/*
 * What the API answers. Names that stand in the ini are all that a caller can say: no path, no
 * command, no user (SERVICES.md §6), so that who may ask need not be root.
 */
#include "tendd/routes.h"

#include <stdlib.h>
#include <string.h>

#include "tendd/metrics.h"
#include "tendd/reload.h"
#include "tendd/status.h"
#include "tendd/stop.h"
#include "tendd/web.h"

enum { TROUBLES_MAX = 100, STATUS_UNPROCESSABLE = 422, STATUS_ACCEPTED = 202 };

/* ---- words of the routes ---- */

struct unit *route_unit(struct house *house, struct control_request *request) {
	const char *id = control_parameter(request, "id");
	struct unit *unit = unit_find(house->graph, id);
	struct err err;
	if (!unit) {
		err_set(&err, ERR_NOT_FOUND, "no unit '%s'", id);
		control_refuse(request, &err, "'tend status' lists them");
	}
	return unit;
}

struct folder *route_folder(struct house *house, struct control_request *request) {
	struct unit *unit = route_unit(house, request);
	struct house_folder *folder =
		unit && unit->kind == UNIT_FOLDER ? house_folder_find(house, unit->name) : NULL;
	struct err err;
	if (unit && !folder) {
		err_set(&err, ERR_INVALID, "'%s' is no folder", unit->id);
		control_refuse(request, &err, NULL);
	}
	return folder ? folder->folder : NULL;
}

void route_answer_unit(struct house *house, struct control_request *request, struct unit *unit) {
	control_answer(
		request, 200, json_pack("{s:o}", "unit", status_unit(house, unit, TROUBLES_MAX)));
}

/* ---- looking ---- */

static void asked_status(void *user, struct control_request *request) {
	control_answer(request, 200, status_whole(user));
}

static void asked_units(void *user, struct control_request *request) {
	control_answer(request, 200, json_pack("{s:o}", "units", status_units(user)));
}

static void asked_unit(void *user, struct control_request *request) {
	struct unit *unit = route_unit(user, request);
	if (unit) route_answer_unit(user, request, unit);
}

/* A newcomer to the events is told of every unit first, so that it need not ask and then miss
 * something. */
static void greet(void *user, struct control_stream *stream) {
	struct house *house = user;
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		json_t *body = status_unit(house, unit, 0);
		control_event_send(stream, "unit", body);
		json_decref(body);
	}
}

static void asked_events(void *user, struct control_request *request) {
	control_events_join(request, greet, user);
}

/* ---- folders ---- */

/* The answer shows how it stands now: what was asked for has only begun. */
static void asked_folder(void *user, struct control_request *request, const char *order,
	void (*act)(struct folder *folder)) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	if (!folder) return;
	route_ordered(house, request, folder_unit(folder)->id, order);
	act(folder);
	route_answer_unit(house, request, folder_unit(folder));
}

static void asked_sync(void *user, struct control_request *request) {
	asked_folder(user, request, "sync", folder_sync);
}

static void asked_pause(void *user, struct control_request *request) {
	asked_folder(user, request, "pause", folder_pause);
}

static void asked_resume(void *user, struct control_request *request) {
	asked_folder(user, request, "resume", folder_resume);
}

/* `upto` names the list that a person saw: what came after it is not covered. */
static void asked_approve(void *user, struct control_request *request) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	const json_t *upto = json_object_get(control_body(request), "upto");
	struct err err;
	if (!folder) return;
	const char *root = json_string_value(json_object_get(control_body(request), "root"));
	if (root) {
		if (folder_approve_root(folder, root, &err)) {
			control_refuse(request, &err, NULL);
			return;
		}
		route_ordered(
			house, request, folder_unit(folder)->id, "approval of the folder itself");
		route_answer_unit(house, request, folder_unit(folder));
		return;
	}
	const json_t *strangers = json_object_get(control_body(request), "strangers");
	if (json_is_integer(strangers)) {
		if (folder_remove_strangers(folder, json_integer_value(strangers), &err)) {
			control_refuse(request, &err, NULL);
			return;
		}
		route_ordered(house, request, folder_unit(folder)->id,
			"removal of what only the remote has");
		route_answer_unit(house, request, folder_unit(folder));
		return;
	}
	if (!json_is_integer(upto)) {
		err_set(&err, ERR_INVALID,
			"'upto' is the number that came with the list of deletions");
		control_refuse(request, &err, "'tend approve' shows it first");
		return;
	}
	if (folder_approve(folder, json_integer_value(upto), &err)) {
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, folder_unit(folder)->id, "approval of deletions");
	route_answer_unit(house, request, folder_unit(folder));
}

static void asked_forget(void *user, struct control_request *request) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	const json_t *upto = json_object_get(control_body(request), "upto");
	bool remote = json_is_true(json_object_get(control_body(request), "remote"));
	struct err err;
	if (!folder) return;
	if (!json_is_integer(upto)) {
		err_set(&err, ERR_INVALID, "'upto' is the number that came with what is forgotten");
		control_refuse(request, &err, "'tend forget' shows it first");
		return;
	}
	if (folder_forget(folder, json_integer_value(upto), remote, &err)) {
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, folder_unit(folder)->id,
		remote ? "removal at the remote" : "forgetting");
	route_answer_unit(house, request, folder_unit(folder));
}

static void asked_verify(void *user, struct control_request *request) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	bool read = json_is_true(json_object_get(control_body(request), "read"));
	struct err err;
	if (!folder) return;
	if (folder_verify(folder, read, &err)) {
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, folder_unit(folder)->id, "verify");
	route_answer_unit(house, request, folder_unit(folder));
}

/* All names are looked at before any folder is: a wrong one changes nothing. */
static void asked_sync_all(void *user, struct control_request *request) {
	struct house *house = user;
	const json_t *names = json_object_get(control_body(request), "folders");
	json_t *synced = json_array(), *name;
	struct err err;
	size_t i;
	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);
		if (text && house_folder_find(house, text)) continue;
		err_set(&err, ERR_NOT_FOUND, "no folder '%s'", text ? text : "");
		control_refuse(request, &err, "'tend status' lists them");
		json_decref(synced);
		return;
	}
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		bool asked = json_array_size(names) == 0;
		json_array_foreach(names, i, name) {
			asked = asked || str_equal(json_string_value(name), folder->name);
		}
		if (folder->closing || !asked) continue;
		route_ordered(house, request, folder_unit(folder->folder)->id, "sync");
		folder_sync(folder->folder);
		json_array_append_new(synced, json_string(folder->name));
	}
	control_answer(request, 200, json_pack("{s:o}", "folders", synced));
}

/* ---- the daemon ---- */

static void reload_ended(void *user, const struct reload_result *result) {
	struct control_request *request = user;
	json_t *lines = json_array();
	struct err err;
	for (size_t i = 0; result->lines && result->lines[i]; i++) {
		json_array_append_new(lines, answer_text(result->lines[i]));
	}
	if (result->good) {
		control_answer(request, 200, json_pack("{s:o}", "changes", lines));
		return;
	}
	err_set(&err, ERR_INVALID, "%s",
		result->lines ? result->lines[0] : "the configuration is bad");
	control_refuse_with(request, STATUS_UNPROCESSABLE, &err,
		"the configuration before it stays", json_pack("{s:o}", "lines", lines));
}

/* The reload itself goes on. */
static void reload_gone(void *user) {
	reload_forget(user);
}

static void asked_reload(void *user, struct control_request *request) {
	struct house *house = user;
	bool dry_run = json_is_true(json_object_get(control_body(request), "dry_run"));
	struct err err;
	if (reload_start(house, dry_run, reload_ended, request, &err)) {
		control_refuse(request, &err, "try again in a moment");
		return;
	}
	if (!dry_run) route_ordered(house, request, "tendd", "reload");
	control_on_gone(request, reload_gone, house);
}

static void asked_stop(void *user, struct control_request *request) {
	struct house *house = user;
	const char *services =
		json_string_value(json_object_get(control_body(request), "services"));
	struct err err;
	if (services && !str_equal(services, "stop") && !str_equal(services, "keep")) {
		err_set(&err, ERR_INVALID, "'services' is 'stop' or 'keep', not '%s'", services);
		control_refuse(request, &err, NULL);
		return;
	}
	/* Answered first: the socket goes when the stop is through. */
	route_ordered(house, request, "tendd", "stop");
	control_answer(request, STATUS_ACCEPTED, json_pack("{s:s}", "state", "stopping"));
	stop_start(house, !services                     ? STOP_AS_CONFIGURED
			  : str_equal(services, "keep") ? STOP_KEEP_SERVICES
							: STOP_ALL);
}

const struct control_route tendd_routes[] = {
	{ "GET", "/v1/status", asked_status },
	{ "GET", "/v1/units", asked_units },
	{ "GET", "/v1/units/:id", asked_unit },
	{ "POST", "/v1/units/:id/sync", asked_sync },
	{ "POST", "/v1/units/:id/pause", asked_pause },
	{ "POST", "/v1/units/:id/resume", asked_resume },
	{ "POST", "/v1/units/:id/approve", asked_approve },
	{ "POST", "/v1/units/:id/verify", asked_verify },
	{ "POST", "/v1/units/:id/forget", asked_forget },
	{ "POST", "/v1/units/:id/start", route_start },
	{ "POST", "/v1/units/:id/stop", route_stop_unit },
	{ "POST", "/v1/units/:id/restart", route_restart },
	{ "GET", "/v1/units/:id/log", route_log },
	{ "GET", "/v1/events", asked_events },
	{ "POST", "/v1/sync", asked_sync_all },
	{ "POST", "/v1/wait", route_wait },
	{ "POST", "/v1/reload", asked_reload },
	{ "POST", "/v1/stop", asked_stop },
	{ "POST", "/v1/units/:id/restore", route_restore },
	{ "POST", "/v1/units/:id/resolve", route_resolve },
	{ "POST", "/v1/units/:id/run", route_run },
	{ "GET", "/v1/units/:id/tree", route_tree },
	{ "GET", "/v1/units/:id/versions", route_versions },
	{ "GET", "/v1/units/:id/content", route_content },
	{ "POST", "/v1/upgrade", route_upgrade },
	{ "POST", "/v1/awake", route_awake },
	{ "GET", "/v1/awake", route_why_awake },
	{ "GET", "/v1/plan", route_plan },
	{ "GET", "/v1/history", route_history },
	{ "GET", "/v1/doctor", route_doctor },
	{ "POST", "/v1/web/login", route_web_login },
	{ "GET", "/metrics", route_metrics },
};
const size_t tendd_route_count = ARRAY_LEN(tendd_routes);

void routes_close(struct house *house) {
	orders_close(house);
	barriers_close(house);
	logs_close(house);
	pasts_close(house);
	contents_close(house);
	restores_close(house);
	resolves_close(house);
	plans_close(house);
	doctors_close(house);
}
