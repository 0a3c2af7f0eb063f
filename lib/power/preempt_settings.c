#include "power/preempt.h"

static const char *const providers[] = { "auto", "aws", "gcp", "azure", "off", NULL };

#define FIELD(member) offsetof(struct power_preempt_settings, member)

static const struct config_key keys[] = {
	{ .name = "provider",
		.type = CONFIG_ENUM,
		.offset = FIELD(provider),
		.preset = "auto",
		.names = providers,
		.help = "whose notices are listened to; auto: by what the firmware says" },
	{ .name = "endpoint",
		.type = CONFIG_TEXT,
		.offset = FIELD(endpoint),
		.help = "another metadata service than the provider's own, for tests: http://..." },
	{ .name = "budget",
		.type = CONFIG_DURATION,
		.offset = FIELD(budget_ms),
		.min = 1000,
		.max = 24LL * 3600 * 1000,
		.help = "how long a notice leaves; else until the deadline that it names" },
};

static int check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct power_preempt_settings *preempt = settings;
	(void)name;
	*key = "endpoint";
	if (preempt->endpoint && !str_starts(preempt->endpoint, "http://") &&
		!str_starts(preempt->endpoint, "https://"))
		return err_set(err, ERR_INVALID, "'%s' is no URL: it begins with http://",
			preempt->endpoint);
	if (preempt->endpoint && preempt->provider == POWER_PREEMPT_AUTO)
		return err_set(
			err, ERR_INVALID, "'endpoint' needs a `provider`: aws, gcp or azure");
	return 0;
}

const struct config_table power_preempt_table = {
	.kind = "preempt",
	.size = sizeof(struct power_preempt_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = check,
	.help = "when the machine is taken away",
};
