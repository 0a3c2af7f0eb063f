/*
 * EC2: spot/instance-action (404 until there is one; two minutes' notice, best effort) and the rebalance recommendation, which may come
 * much earlier, with it, or for nothing. AWS EC2 User Guide, "Spot Instance interruption notices" and "EC2 instance rebalance
 * recommendations". termination-time is not asked: it may hold what is past, or no time at all.
 */
#include <jansson.h>
#include <stdlib.h>

#include "power/preempt.h"

static const char *text_of(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* {"action": "terminate", "time": "2026-11-27T08:22:00Z"}; it has no id, but a reclaimed instance has one such reply. */
static int read_action(struct preempt_found *found, const char *text, size_t len, struct err *err) {
	json_t *reply = json_loadb(text, len, 0, NULL);
	const char *action = text_of(reply, "action"), *time = text_of(reply, "time");
	bool known = str_equal(action, "terminate") || str_equal(action, "stop") ||
		     str_equal(action, "hibernate");
	int64_t deadline_ns = 0;

	if (known) {
		if (time_parse(time, &deadline_ns)) deadline_ns = 0;
		char *id = xasprintf("aws:%s:%.40s", action, time);
		const struct power_notice notice = {
			.id = id, .what = action, .deadline_ns = deadline_ns
		};
		found->notice(found, &notice);
		free(id);
	} else {
		err_set(err, ERR_INVALID, "no answer of EC2's about an interruption");
	}
	json_decref(reply);
	return known ? 0 : -1;
}

/* {"noticeTime": "2026-11-27T08:22:00Z"} */
static int read_rebalance(
	struct preempt_found *found, const char *text, size_t len, struct err *err) {
	json_t *reply = json_loadb(text, len, 0, NULL);
	const char *time = text_of(reply, "noticeTime");
	bool known = *time;

	if (known) {
		char *id = xasprintf("aws:rebalance:%.40s", time);
		const struct power_notice notice = { .id = id, .what = "rebalance", .hint = true };
		found->notice(found, &notice);
		free(id);
	} else {
		err_set(err, ERR_INVALID, "no answer of EC2's about a rebalance");
	}
	json_decref(reply);
	return known ? 0 : -1;
}

/* "We recommend that you check every 5 seconds"; the hint is in no hurry. */
static const struct preempt_row rows[] = {
	{ "/latest/meta-data/spot/instance-action", 5000, true, read_action },
	{ "/latest/meta-data/events/recommendations/rebalance", 10000, true, read_rebalance },
};

const struct preempt_driver preempt_aws = {
	.provider = POWER_PROVIDER_AWS,
	.endpoint = "http://169.254.169.254",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
	.token_path = "/latest/api/token",
};
