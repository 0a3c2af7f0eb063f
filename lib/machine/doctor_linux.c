/* systemd: is the unit there, is it enabled, does it outlive the last session? By its files, which answer without a bus. */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "machine/internal.h"

/* systemd.unit(5), the load path in order. A person's own folder comes before these. */
static const char *const system_places[] = { "/etc/systemd/system", "/run/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", NULL };
static const char *const user_places[] = { "/etc/systemd/user", "/run/systemd/user",
	"/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/lib/systemd/user", NULL };

static bool is_there(const struct doctor_ground *ground, const char *folder, const char *name) {
	char *path = path_join(folder, name), *whole = doctor_path(ground, path);
	struct stat st;
	bool found = lstat(whole, &st) == 0; /* what enables a unit is a link, perhaps to nowhere */

	free(path);
	free(whole);
	return found;
}

static char *own_folder(const struct doctor_ground *ground) {
	return ground->home ? path_join(ground->home, ".config/systemd/user") : NULL;
}

static bool has_unit(const struct doctor_ground *ground) {
	char *own = ground->system ? NULL : own_folder(ground);
	bool found = own && is_there(ground, own, "tend.service");
	const char *const *place = ground->system ? system_places : user_places;

	for (; !found && *place; place++) found = is_there(ground, *place, "tend.service");
	free(own);
	return found;
}

static bool is_enabled(const struct doctor_ground *ground) {
	static const char link[] = "default.target.wants/tend.service";
	char *own = ground->system ? NULL : own_folder(ground);
	bool found = ground->system
			     ? is_there(ground, "/etc/systemd/system/multi-user.target.wants",
				       "tend.service")
			     : is_there(ground, "/etc/systemd/user", link) ||
				       (own && is_there(ground, own, link));

	free(own);
	return found;
}

static void look_at_linger(const struct doctor_ground *ground, struct findings *findings) {
	if (ground->system || !ground->user) return;
	if (is_there(ground, "/var/lib/systemd/linger", ground->user))
		finding_add(findings, FINDING_GOOD, NULL,
			"'%s' lingers: tendd outlives the session", ground->user);
	else
		finding_add(findings, FINDING_WRONG,
			xasprintf("loginctl enable-linger %s", ground->user),
			"tendd ends when '%s' logs out, and is not started at boot", ground->user);
}

void machine_look_at_start(const struct doctor_ground *ground, struct findings *findings) {
	const char *word = ground->system ? "" : "--user ";

	if (!is_there(ground, "/run/systemd", "system")) {
		finding_add(findings, FINDING_ADVICE,
			xstrdup("start tendd from whatever starts programs here"),
			"this machine was not booted by systemd: nothing starts tendd at boot");
	} else if (!has_unit(ground)) {
		finding_add(findings, FINDING_ADVICE,
			xstrdup("install the package, or as root: cmake --install build/release"),
			"there is no unit tend.service: nothing starts tendd at boot");
	} else if (!is_enabled(ground)) {
		finding_add(findings, FINDING_ADVICE,
			xasprintf("systemctl %senable --now tend tend-services", word),
			"tend.service is not enabled: tendd is not started at boot");
	} else {
		finding_add(findings, FINDING_GOOD, NULL, "tend.service is enabled");
		look_at_linger(ground, findings);
	}
}

/* adjtimex(2) tells the kernel's own flag, whichever program keeps the clock. */
void machine_look_at_clock(const struct doctor_ground *ground, struct findings *findings) {
	struct timex clock = { 0 };

	if (ground->root && *ground->root) return; /* it is of this kernel, not of that tree */
	if (adjtimex(&clock) < 0) return;
	if (clock.status & STA_UNSYNC)
		finding_add(findings, FINDING_ADVICE, xstrdup("timedatectl set-ntp true"),
			"nothing keeps this machine's clock: remotes refuse one that is far off");
	else
		finding_add(findings, FINDING_GOOD, NULL, "the clock is kept by a time server");
}
