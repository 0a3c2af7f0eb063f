/*
 * Which cloud this is, by the words its firmware leaves in sysfs (those that cloud-init's ds-identify looks at). The metadata address
 * answers on other clouds and in company networks too, so it is not asked before that is known.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/preempt.h"

enum { WORD_MAX = 128 };

/* The tag is Azure's alone; "Microsoft Corporation" is Hyper-V on any desk, and "Google" a Chromebook too. */
static const struct mark {
	const char *file, *begins;
	enum power_provider provider;
} marks[] = {
	{ "sys_vendor", "Amazon EC2", POWER_PROVIDER_AWS },
	{ "bios_vendor", "Amazon EC2", POWER_PROVIDER_AWS },
	{ "bios_version", "amazon", POWER_PROVIDER_AWS }, /* "4.11.amazon": Xen */
	{ "product_name", "Google Compute Engine", POWER_PROVIDER_GCP },
	{ "chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", POWER_PROVIDER_AZURE },
};

/* "": it cannot be read. */
static void read_word(const char *root, const char *name, char word[WORD_MAX]) {
	char *path = path_join(root, name);
	FILE *file = fopen(path, "re");

	word[0] = '\0';
	if (file && !fgets(word, WORD_MAX, file)) word[0] = '\0';
	if (file) fclose(file);
	free(path);
	str_trim(word);
}

static bool says(const struct mark *mark, const char *word) {
	/* Xen's stands behind the version of the hypervisor. */
	if (str_equal(mark->file, "bios_version")) return strstr(word, mark->begins) != NULL;
	return str_starts(word, mark->begins);
}

enum power_provider power_provider_detect(const char *root) {
	char word[WORD_MAX];

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		read_word(root ? root : "/sys/class/dmi/id", marks[i].file, word);
		if (says(&marks[i], word)) return marks[i].provider;
	}
	return POWER_PROVIDER_NONE;
}

const char *power_provider_name(enum power_provider provider) {
	static const char *const names[] = { "none", "aws", "gcp", "azure" };

	return names[provider];
}

const struct preempt_driver *preempt_driver_of(enum power_provider provider) {
	static const struct preempt_driver *const drivers[] = { NULL, &preempt_aws, &preempt_gcp,
		&preempt_azure };

	return drivers[provider];
}
