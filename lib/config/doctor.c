/* What is wrong with the files that tend reads: who may write the configuration, who may read a secret. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/internal.h"

/* The value as it stands in the file: one that is open to others never becomes a setting. */
static void gather_secrets(
	const struct config_section *section, const char *home, struct doctor_ground *ground) {
	for (size_t i = 0; i < section->value_count; i++) {
		const struct config_value *value = &section->values[i];
		struct err err;
		if (!value->key || value->key->type != CONFIG_SECRET) continue;
		if (str_starts(value->text, "credential:")) continue;
		char *path = config_expand(value->text, home, &err);
		if (!path) continue;
		doctor_add_secret(ground,
			xasprintf("[%s%s%s] %s", section->table->kind, *section->name ? " " : "",
				section->name, value->name),
			path);
	}
}

void config_doctor_ground(
	const struct config *config, const char *home, struct doctor_ground *ground) {
	ground->file = xstrdup(config->path);
	ground->files = strv_dup(config->files);
	list_each(&config->sections, link)
		gather_secrets(list_entry(link, const struct config_section, link), home, ground);
}

/* ---- the checks ---- */

/* As root the same rule as at the start; else a file of somebody's own is his affair, unless all may write it. */
static int check_file(const struct doctor_ground *ground, const char *path, struct err *err) {
	struct stat st;
	err_clear(err);
	if (stat(path, &st) != 0) return err_sys(err, errno, "cannot look at '%s'", path);
	if (ground->system && st.st_uid != 0)
		return err_set(err, ERR_DENIED, "'%s' is not root's: chown root %s", path, path);
	if (st.st_mode & (ground->system ? 022 : 02))
		return err_set(err, ERR_DENIED, "'%s' can be written by others: chmod go-w %s",
			path, path);
	return 0;
}

/* "cause: cure" of an error apart. */
static void add_refusal(struct findings *findings, const struct err *err) {
	const char *colon = strrchr(err->text, ':');
	if (err->kind == ERR_DENIED && colon)
		finding_add(findings, FINDING_PERSON, xstrdup(colon + 2), "%.*s",
			(int)(colon - err->text), err->text);
	else
		finding_add(findings, FINDING_PERSON,
			xstrdup("let tendd's user read it, or take it out of 'include'"), "%s",
			err->text);
}

static void look_at_files(const struct doctor_ground *ground, struct findings *findings) {
	size_t good = 0;
	if (!ground->file) {
		finding_add(findings, FINDING_PERSON, xstrdup("tend init"),
			"there is no configuration yet");
		return;
	}
	for (size_t i = 0; ground->files && ground->files[i]; i++) {
		struct err err;
		if (check_file(ground, ground->files[i], &err) == 0)
			good++;
		else
			add_refusal(findings, &err);
	}
	if (good == strv_count(ground->files))
		finding_add(findings, FINDING_GOOD, NULL, "'%s' is written by its owner alone",
			ground->file);
}

static void look_at_secret(const struct doctor_path *secret, struct findings *findings) {
	struct stat st;
	if (stat(secret->path, &st) != 0) {
		int errnum = errno;
		char *cure =
			errnum == ENOENT
				? xasprintf("write it there, then: chmod 600 %s", secret->path)
				: xasprintf("run 'tend doctor' as the user that tendd runs as");
		finding_add(findings, errnum == ENOENT ? FINDING_PERSON : FINDING_ADVICE, cure,
			"%s: cannot look at '%s': %s", secret->name, secret->path,
			strerror(errnum));
	} else if (st.st_mode & 077) {
		finding_add(findings, FINDING_PERSON, xasprintf("chmod 600 %s", secret->path),
			"%s: '%s' can be read by others (mode %04o)", secret->name, secret->path,
			(unsigned)st.st_mode & 07777);
	} else {
		finding_add(findings, FINDING_GOOD, NULL, "%s: '%s' is closed to others",
			secret->name, secret->path);
	}
}

static void look_at_secrets(const struct doctor_ground *ground, struct findings *findings) {
	for (size_t i = 0; i < ground->secret_count; i++)
		look_at_secret(&ground->secrets[i], findings);
	if (!ground->system) return;
	char *folder = doctor_path(ground, "/etc/tend/secrets");
	struct stat st;
	if (stat(folder, &st) == 0 && (st.st_mode & 077))
		finding_add(findings, FINDING_PERSON, xstrdup("chmod 700 /etc/tend/secrets"),
			"'/etc/tend/secrets' is open to others");
	free(folder);
}

const struct doctor_check config_doctor[] = {
	{ "configuration", look_at_files },
	{ "secrets", look_at_secrets },
	{ 0 },
};
