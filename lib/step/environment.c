/* From a script to what a process host wants: argv, the whole environment, numeric ids. */
#include "step/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a shell could set as well. */
bool step_env_valid(const char *item) {
	if (!isalpha((unsigned char)*item) && *item != '_') return false;
	while (isalnum((unsigned char)*item) || *item == '_') item++;
	return *item == '=';
}

/* The last one said wins, in the place of the first. */
static void env_put(char ***env, char *item) {
	size_t len = strcspn(item, "=") + 1;
	for (char **at = *env; at && *at; at++) {
		if (strncmp(*at, item, len) != 0) continue;
		free(*at);
		*at = item;
		return;
	}
	strv_add_owned(env, item);
}

static void env_set(char ***env, const char *name, const char *value) {
	env_put(env, xasprintf("%s=%s", name, value));
}

/* HOME is set at boot too: without it installers (conda's) and git end in the middle. */
static void put_basics(struct step_work *work) {
	const struct config_user *person = &work->person;
	const char *lang = getenv("LANG"), *zone = getenv("TZ");
	struct buf path;
	env_set(&work->env, "HOME", person->home);
	env_set(&work->env, "USER", person->name);
	env_set(&work->env, "LOGNAME", person->name);
	env_set(&work->env, "SHELL", person->shell);
	env_set(&work->env, "LANG", lang && *lang ? lang : "C.UTF-8");
	if (zone) env_set(&work->env, "TZ", zone);
	buf_init(&path, 1 << 17);
	for (char **folder = work->tend_path; folder && *folder; folder++)
		buf_addf(&path, "%s:", *folder);
	buf_adds(&path, "/usr/local/bin:/usr/bin:/bin");
	if (person->uid == 0) buf_adds(&path, ":/usr/local/sbin:/usr/sbin:/sbin");
	env_set(&work->env, "PATH", path.at);
	buf_release(&path);
}

int step_work_command(struct step_work *work, struct err *err) {
	(void)err;
	put_basics(work);
	for (char **item = work->tend_environment; item && *item; item++)
		env_put(&work->env, xstrdup(*item));
	for (char **item = work->settings->environment; item && *item; item++)
		env_put(&work->env, xstrdup(*item));
	strv_add(&work->argv, "/bin/sh");
	strv_add(&work->argv, "-euc");
	strv_add(&work->argv, work->script);
	strv_add_owned(&work->argv, xasprintf("step:%s", work->name));
	/* Users of the system often have a home that is not there. */
	bool home = work->person.uid != 0 && access(work->person.home, X_OK) == 0;
	work->directory = xstrdup(home ? work->person.home : "/");
	return 0;
}
