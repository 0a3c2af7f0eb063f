/*
 * Compute Engine: questions that hang until something changes. `preempted` turns TRUE with the power button, 30 seconds before the end
 * at best, or 120 where the instance was made so. Google Cloud, "Spot VMs" and "Get live migration notices".
 */
#include <string.h>

#include "power/preempt.h"

/* One word, and perhaps a line's end. */
static bool says(const char *text, size_t len, const char *word) {
	while (len && strchr("\r\n \t", text[len - 1])) len--;
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

static int read_preempted(
	struct preempt_found *found, const char *text, size_t len, struct err *err) {
	/* It has no id; it is the last word in the life of this boot. */
	const struct power_notice notice = { .id = "gcp:preempted", .what = "preempt" };

	if (says(text, len, "FALSE")) return 0;
	if (!says(text, len, "TRUE"))
		return err_set(
			err, ERR_INVALID, "no answer of Compute Engine's about a preemption");
	found->notice(found, &notice);
	return 0;
}

/* A machine that migrates goes on; one with a GPU cannot, and is told up to an hour before. Then it is preempted, or shut down. */
static int read_maintenance(
	struct preempt_found *found, const char *text, size_t len, struct err *err) {
	const struct power_notice notice = {
		.id = "gcp:maintenance", .what = "maintenance", .hint = true
	};

	if (says(text, len, "NONE") || says(text, len, "MIGRATE_ON_HOST_MAINTENANCE")) return 0;
	if (!says(text, len, "TERMINATE_ON_HOST_MAINTENANCE"))
		return err_set(err, ERR_INVALID, "no answer of Compute Engine's about maintenance");
	found->notice(found, &notice);
	return 0;
}

static const struct preempt_row rows[] = {
	{ "/computeMetadata/v1/instance/preempted", 0, false, read_preempted },
	{ "/computeMetadata/v1/instance/maintenance-event", 0, false, read_maintenance },
};

/* By its address: a name would need a resolver that may go before we do. */
const struct preempt_driver preempt_gcp = {
	.provider = POWER_PROVIDER_GCP,
	.endpoint = "http://169.254.169.254",
	.header = "Metadata-Flavor: Google",
	.rows = rows,
	.row_count = ARRAY_LEN(rows),
};
