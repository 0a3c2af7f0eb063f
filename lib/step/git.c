/* git: a repository in a folder, at a branch, tag or commit. It is cloned once and moved when the definition changes; what
 * somebody works on in it is never overwritten, since git itself refuses that. */
#include "step/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCRIPT_MAX = 64 << 10 };

static int git_check(const struct step_settings *settings, const char **key, struct err *err) {
	if (*settings->git == '-' || !*settings->git)
		return err_set(err, ERR_INVALID, "'%s' is no repository", settings->git);
	*key = "to";
	if (!settings->to) return err_set(err, ERR_INVALID, "git needs the folder it goes `to`");
	*key = "ref";
	if (settings->ref && (*settings->ref == '-' || !*settings->ref))
		return err_set(err, ERR_INVALID, "'%s' is no branch, tag or commit", settings->ref);
	return 0;
}

/* A commit that is named in full is compared: HEAD may have been moved since. */
static bool is_elsewhere(const char *folder, const char *ref) {
	if (!ref || strlen(ref) != 40 || ref[strspn(ref, "0123456789abcdef")]) return false;
	char *path = xasprintf("%s/.git/HEAD", folder);
	char *head = step_read_text(path, 4096);
	str_trim(head);
	bool elsewhere = !str_equal(head, ref);
	free(head);
	free(path);
	return elsewhere;
}

static void add_line(struct buf *script, const char *before, const char *word, const char *after) {
	buf_adds(script, before);
	step_add_word(script, word);
	buf_adds(script, after);
}

/* Cloned beside and moved: a clone that was cut off is begun anew. An empty folder in its place is taken. */
static char *make_script(const struct step_settings *settings, const char *folder) {
	struct buf script;
	char *beside = xasprintf("%s.tend-clone", folder), *above = path_parent(folder);
	buf_init(&script, SCRIPT_MAX);
	buf_adds(&script, "export GIT_TERMINAL_PROMPT=0 "
			  "GIT_SSH_COMMAND=\"${GIT_SSH_COMMAND:-ssh -oBatchMode=yes}\"\n");
	add_line(&script, "if ! [ -e ", folder, "/.git ]; then\n");
	add_line(&script, "mkdir -p -- ", above, "\n");
	add_line(&script, "rm -rf -- ", beside, "\n");
	add_line(&script, "git clone -- ", settings->git, " ");
	add_line(&script, "", beside, "\n");
	add_line(&script, "rmdir -- ", folder, " 2>/dev/null || true\n");
	add_line(&script, "if [ -e ", folder, " ]; then\n");
	add_line(&script, "echo ", folder, " is there and holds something else; exit 1; fi\n");
	add_line(&script, "mv -- ", beside, " ");
	add_line(&script, "", folder, "\nfi\n");
	add_line(&script, "cd -- ", folder, "\n");
	add_line(&script, "git remote set-url origin ", settings->git, "\n");
	if (settings->ref) {
		add_line(&script, "git cat-file -e ", settings->ref,
			"^{commit} 2>/dev/null || git fetch --tags origin\n");
		add_line(&script, "git checkout ", settings->ref, " --\n");
	}
	free(beside);
	free(above);
	return buf_steal(&script);
}

static int git_look(struct step_work *work, struct err *err) {
	const struct step_settings *settings = work->settings;
	struct stat st;
	char *whole = step_work_expand(work, settings->to, err);
	if (!whole) return -1;
	char *folder = path_clean(whole), *inside = xasprintf("%s/.git", folder);
	bool there = stat(inside, &st) == 0;
	free(whole);
	free(inside);
	step_work_due(work, false);
	/* On another machine it is as good, when it is there. */
	bool same = work->verifying || str_equal(work->record.definition, work->definition);
	const char *why = !there                                ? "it is not there"
			  : !same                               ? "its definition has changed"
			  : is_elsewhere(folder, settings->ref) ? "it is at another commit"
			  : work->forced                        ? "asked for by hand"
								: NULL;
	free(work->finding.why);
	work->finding.why = xstrdup(why ? why : "it is there");
	work->finding.verdict = why ? STEP_TODO : STEP_SO;
	if (why && !work->dry) work->script = make_script(settings, folder);
	free(folder);
	return 0;
}

const struct step_kind step_kind_git = {
	.name = "git", .network = true, .verified = true, .check = git_check, .look = git_look
};
