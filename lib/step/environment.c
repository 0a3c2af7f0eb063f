/* From a script to what a process host wants: argv, the whole environment, numeric ids. */
#include "step/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* HOME is set at boot too: without it installers (conda's) and git end in the middle. */
static void put_basics(struct step_work *work) {
	const struct config_user *person = &work->person;
	const char *lang = getenv("LANG"), *zone = getenv("TZ");
	struct buf path;
	config_env_set(&work->env, "HOME", person->home);
	config_env_set(&work->env, "USER", person->name);
	config_env_set(&work->env, "LOGNAME", person->name);
	config_env_set(&work->env, "SHELL", person->shell);
	config_env_set(&work->env, "LANG", lang && *lang ? lang : "C.UTF-8");
	if (zone) config_env_set(&work->env, "TZ", zone);
	buf_init(&path, 1 << 17);
	for (char **folder = work->tend_path; folder && *folder; folder++)
		buf_addf(&path, "%s:", *folder);
	buf_adds(&path, "/usr/local/bin:/usr/bin:/bin");
	if (person->uid == 0) buf_adds(&path, ":/usr/local/sbin:/usr/sbin:/sbin");
	config_env_set(&work->env, "PATH", path.at);
	buf_release(&path);
}

int step_work_command(struct step_work *work, struct err *err) {
	(void)err;
	put_basics(work);
	for (char **item = work->tend_environment; item && *item; item++)
		config_env_put(&work->env, xstrdup(*item));
	for (char **item = work->settings->environment; item && *item; item++)
		config_env_put(&work->env, xstrdup(*item));
	strv_add(&work->argv, "/bin/sh");
	strv_add(&work->argv, "-euc");
	strv_add(&work->argv, work->script);
	strv_add_owned(&work->argv, xasprintf("step:%s", work->name));
	/* Users of the system often have a home that is not there. */
	bool home = work->person.uid != 0 && access(work->person.home, X_OK) == 0;
	work->directory = xstrdup(home ? work->person.home : "/");
	return 0;
}
