/* run: a command, once for each definition. What it did cannot be seen, so its definition is remembered. */
#include "step/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int run_check(const struct step_settings *settings, const char **key, struct err *err) {
	(void)key;
	if (settings->run[strspn(settings->run, " \t\n")]) return 0;
	return err_set(err, ERR_INVALID, "run is empty");
}

/* Whether `unless` holds only its command can tell, and a plan runs nothing. */
static void say_unless(struct step_work *work) {
	char *why = xasprintf("%s; not if '%s' exits 0", work->finding.why, work->settings->unless);
	free(work->finding.why);
	work->finding.why = why;
}

/* On lines of their own: either may end in a comment. */
static char *make_script(const struct step_settings *settings, bool forced) {
	if (!settings->unless || forced) return xstrdup(settings->run);
	return xasprintf("if (\n%s\n) >/dev/null 2>&1\nthen\n"
			 "echo 'tend: unless holds: already so'\nexit 0\nfi\n%s",
		settings->unless, settings->run);
}

static int run_look(struct step_work *work, struct err *err) {
	const struct step_settings *settings = work->settings;
	struct stat st;
	bool there = false;
	if (settings->creates) {
		char *path = step_work_expand(work, settings->creates, err);
		if (!path) return -1;
		there = lstat(path, &st) == 0;
		free(path);
	}
	step_work_due(work, there);
	if (work->finding.verdict != STEP_TODO) return 0;
	if (settings->unless && !work->forced) say_unless(work);
	if (!work->dry) work->script = make_script(settings, work->forced);
	return 0;
}

const struct step_kind step_kind_run = {
	.name = "run", .network = true, .check = run_check, .look = run_look
};
