/* What happened, and who ordered it: GET /v1/history, and the rows that orders leave in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tendd/routes.h"
#include "tendd/status.h"

enum { EVENTS_USUAL = 100, EVENTS_MAX = 1000 };

/* By the number alone: names may be far away, and are not looked up on the loop. */
char *route_who(const struct control_request *request) {
	uid_t uid = control_uid(request);
	if (control_from_web(request)) return xstrdup("the web");
	return uid == (uid_t)-1 ? xstrdup("somebody") : xasprintf("uid %lu", (unsigned long)uid);
}

void route_ordered(
	struct house *house, struct control_request *request, const char *unit, const char *order) {
	struct err err;
	char *who = route_who(request);
	char *text = xasprintf("%s by %s", order, who);
	log_info("%s of %s asked by %s", order, unit, who);
	if (ledger_history_add(
		    house->ledger, loop_wall_ns(house->loop), unit, "ordered", text, &err))
		log_warn("history of '%s': %s", unit, err.text);
	free(text);
	free(who);
}

/* Services and steps tell their own story; what a folder cannot do, and can again, is told here. */
void history_folder(struct house *house, const struct unit *unit) {
	struct house_folder *folder = house_folder_find(house, unit->name);
	bool failed = unit->state == UNIT_FAILED;
	struct err err;
	if (!folder || failed == folder->failed || (!failed && unit->state != UNIT_READY)) return;
	folder->failed = failed;
	if (ledger_history_add(house->ledger, loop_wall_ns(house->loop), unit->id,
		    failed ? "failed" : "recovered", failed ? unit->detail : NULL, &err))
		log_warn("history of '%s': %s", unit->id, err.text);
}

static void event_came(void *user, const struct ledger_event *event) {
	json_array_append_new(
		user, json_pack("{s:I, s:o, s:o, s:s, s:o}", "id", (json_int_t)event->id, "time",
			      answer_moment(event->at_ns), "unit", answer_text(event->unit),
			      "event", event->event, "text", answer_text(event->text)));
}

void route_history(void *user, struct control_request *request) {
	struct house *house = user;
	const char *unit = control_query(request, "unit"), *most = control_query(request, "limit");
	const char *since = control_query(request, "since");
	int64_t limit = EVENTS_USUAL, since_ns = 0;
	struct err err;
	if (most && *most && str_to_int(most, 1, EVENTS_MAX, &limit)) {
		err_set(&err, ERR_INVALID, "'limit' is a number from 1 to %d, not '%s'", EVENTS_MAX,
			most);
		control_refuse(request, &err, NULL);
		return;
	}
	if (since && *since && time_parse(since, &since_ns)) {
		err_set(&err, ERR_INVALID, "'%s' is no time: write 2026-11-22T14:03:07Z", since);
		control_refuse(request, &err, NULL);
		return;
	}
	json_t *events = json_array();
	if (ledger_history_read(house->ledger, unit && *unit ? unit : NULL, since_ns, (size_t)limit,
		    event_came, events, &err)) {
		json_decref(events);
		control_refuse(request, &err, NULL);
		return;
	}
	control_answer(request, 200, json_pack("{s:o}", "events", events));
}
