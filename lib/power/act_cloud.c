/* Whose machine is this, by what its firmware says, and does power-off end the bill there? */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { DMI_MAX = 256 };

static const struct idle_cloud of_provider[] = {
	[POWER_PROVIDER_AWS] = { "ec2", false,
		"on EC2 a power-off stops or terminates the instance; which of them cannot be seen "
		"from "
		"inside: look at InstanceInitiatedShutdownBehavior, since what is terminated loses "
		"its "
		"disk" },
	[POWER_PROVIDER_GCP] = { "gcp", false, NULL },
	[POWER_PROVIDER_AZURE] = { "azure", true,
		"Azure goes on billing a machine that is only powered off: it is deallocated, "
		"which needs "
		"a managed identity that may do so" },
};

/* Those that give no notice. */
static const struct cloud_row {
	const char *file, *begins;
	struct idle_cloud cloud;
} rows[] = {
	{ "product_name", "OpenStack",
		{ "openstack", false,
			"OpenStack clouds mostly bill a machine that is shut off as one that runs: "
			"shelve it by an 'action' of yours" } },
	{ "sys_vendor", "DigitalOcean",
		{ "digitalocean", false,
			"DigitalOcean bills a droplet that is powered off: delete it by an "
			"'action' of yours" } },
	{ "sys_vendor", "Hetzner",
		{ "hetzner", false,
			"Hetzner bills a server that is powered off: delete it by an 'action' of "
			"yours" } },
	{ "sys_vendor", "Vultr",
		{ "vultr", false,
			"Vultr bills an instance that is powered off: delete it by an 'action' of "
			"yours" } },
};

static const struct idle_cloud unknown = { "", false,
	"it cannot be told from inside whether a power-off ends the bill of this virtual machine: "
	"see what its provider says" };
static const struct idle_cloud own = { "", false, NULL };

static char *dmi(const char *root, const char *name) {
	char *path = path_join("sys/class/dmi/id", name), *text = idle_file(root, path, DMI_MAX);
	free(path);
	if (text) str_trim(text);
	return text;
}

/* The processor says when something pretends to be one; on bare metal the bill is no affair of ours. */
static bool is_virtual(const char *root) {
	char *text = idle_file(root, "proc/cpuinfo", 64 << 10);
	bool found = text && strstr(text, " hypervisor");
	free(text);
	return found;
}

const struct idle_cloud *idle_cloud_find(const char *root) {
	char *place = xasprintf("%s/sys/class/dmi/id", root);
	enum power_provider provider = power_provider_detect(place);
	free(place);
	if (provider != POWER_PROVIDER_NONE) return &of_provider[provider];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = dmi(root, rows[i].file);
		bool found = text && str_starts(text, rows[i].begins);
		free(text);
		if (found) return &rows[i].cloud;
	}
	return is_virtual(root) ? &unknown : &own;
}
