/* Whose machine is this, by what its firmware says, and does power-off end the bill there? */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { DMI_MAX = 256 };

/* On a local Hyper-V the vendor is the same; this tag is Azure's alone. */
static const char azure_tag[] = "7783-7084-3265-9085-8269-3286-77";

static const struct cloud_row {
	const char *file, *begins;
	struct idle_cloud cloud;
} rows[] = {
	{ "chassis_asset_tag", azure_tag,
		{ "azure", true,
			"Azure goes on billing a machine that is only powered off: it is "
			"deallocated, which needs a managed identity "
			"that may do so" } },
	{ "sys_vendor", "Amazon EC2",
		{ "ec2", false,
			"on EC2 a power-off stops or terminates the instance; which of them cannot "
			"be seen from inside: look at "
			"InstanceInitiatedShutdownBehavior, since what is terminated loses its "
			"disk" } },
	{ "product_name", "Google Compute Engine", { "gcp", false, NULL } },
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
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = dmi(root, rows[i].file);
		bool found = text && str_starts(text, rows[i].begins);
		free(text);
		if (found) return &rows[i].cloud;
	}
	return is_virtual(root) ? &unknown : &own;
}
