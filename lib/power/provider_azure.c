/*
 * Azure's scheduled events: a list for all machines of a set, so that only those that name this one count. NotBefore is empty once an
 * event has started. An acknowledged event goes on at once, for all machines that it names: only one that is ours alone may be.
 * Azure documentation, "Scheduled Events for Linux VMs" (api-version 2020-07-01).
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "power/preempt.h"

/* What ends this machine, or its local disks; a reboot is a stop like any other, a freeze goes by. */
static const struct kind {
	const char *type, *what;
	bool hint;
} kinds[] = {
	{ "Preempt", "preempt", false },
	{ "Terminate", "terminate", false },
	{ "Redeploy", "redeploy", false },
	{ "Reboot", "reboot", true },
};

static const char *text_of(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool names(const json_t *event, const char *own) {
	const json_t *resources = json_object_get(event, "Resources");

	for (size_t i = 0; i < json_array_size(resources); i++)
		if (str_equal(json_string_value(json_array_get(resources, i)), own)) return true;
	return false;
}

static void found_one(struct preempt_found *found, const struct kind *kind, const json_t *event) {
	const char *event_id = text_of(event, "EventId");
	bool alone = json_array_size(json_object_get(event, "Resources")) == 1;
	bool started = str_equal(text_of(event, "EventStatus"), "Started");
	int64_t deadline_ns = 0;

	if (time_parse_http(text_of(event, "NotBefore"), &deadline_ns)) deadline_ns = 0;
	char *id = xasprintf("azure:%.100s", event_id);
	const struct power_notice notice = {
		.id = id,
		.what = kind->what,
		.deadline_ns = deadline_ns,
		.hint = kind->hint,
		.ack = alone && !started && !kind->hint ? event_id : NULL,
	};
	found->notice(found, &notice);
	free(id);
}

static int read_events(struct preempt_found *found, const char *text, size_t len, struct err *err) {
	json_t *reply = json_loadb(text, len, 0, NULL);
	const json_t *events = json_object_get(reply, "Events");
	int rc = json_is_array(events) ? 0 : -1;

	for (size_t i = 0; i < json_array_size(events); i++) {
		const json_t *event = json_array_get(events, i);
		if (!*text_of(event, "EventId") || !names(event, found->own_name)) continue;
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			if (str_equal(text_of(event, "EventType"), kinds[k].type))
				found_one(found, &kinds[k], event);
	}
	json_decref(reply);
	if (rc) err_set(err, ERR_INVALID, "no answer of Azure's about scheduled events");
	return rc;
}

/* Azure says every second, for at least 30 seconds' notice; a wake-up every other one is enough. */
static const struct preempt_row rows[] = {
	{ "/metadata/scheduledevents?api-version=2020-07-01", 2000, false, read_events },
};

const struct preempt_driver preempt_azure = {
	.provider = POWER_PROVIDER_AZURE,
	.endpoint = "http://169.254.169.254",
	.header = "Metadata: true",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.name_path = "/metadata/instance/compute/name?api-version=2021-02-01&format=text",
	.ack_path = "/metadata/scheduledevents?api-version=2020-07-01",
};
