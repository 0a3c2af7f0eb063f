/* tend edit: the configuration in an editor, as a copy that takes its place when tendd finds nothing wrong, and is taken up. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tend/source.h"

struct edit {
	struct call *call;
	char *file;          /* links in it followed */
	char *copy;          /* beside it */
	char *before;        /* what stood there */
	struct stat as_read; /* another hand's edit is seen by it */
	bool keep;           /* the copy is what a person wrote: it stays */
};

static const char *editor(void) {
	const char *visual = getenv("VISUAL"), *plain = getenv("EDITOR");

	if (visual && *visual) return visual;
	return plain && *plain ? plain : "vi";
}

/* The variable holds words for a shell ("code --wait"). */
static int run_editor(const struct edit *edit, struct err *err) {
	char *line = xasprintf("exec %s \"$1\"", editor());
	int status = 0;

	/* Ctrl-C in the editor is the editor's. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", line, "sh", edit->copy, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	free(line);
	if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
	return err_set(err, ERR_SYSTEM,
		"the editor '%s' did not end well: nothing was changed; set VISUAL to another one",
		editor());
}

/* A person thinks of the file, not of the copy: so do the messages. */
static char *in_words_of_file(const struct edit *edit, const char *line) {
	const char *at = strstr(line, edit->copy);

	return at ? xasprintf(
			    "%.*s%s%s", (int)(at - line), line, edit->file, at + strlen(edit->copy))
		  : xstrdup(line);
}

static bool wants_again(void) {
	char answer[16];

	if (!isatty(STDIN_FILENO)) return false;
	printf("edit it again? [Y/n] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && answer[0] != 'n' && answer[0] != 'N';
}

static int begin(struct edit *edit, struct err *err) {
	char *named = direct_file(edit->call, err);
	edit->file = named ? realpath(named, NULL) : NULL;
	if (named && !edit->file)
		err_set(err, ERR_NOT_FOUND, "there is no '%s': 'tend init' writes one", named);
	free(named);
	if (!edit->file) return -1;
	edit->before = ini_read(edit->file, err);
	if (!edit->before) return -1;
	if (stat(edit->file, &edit->as_read) != 0)
		return err_sys(err, errno, "cannot look at '%s'", edit->file);
	int fd = ini_beside(edit->file, &edit->as_read, 0, &edit->copy, err);
	if (fd < 0) return -1;
	FILE *out = fdopen(fd, "w");
	bool written = out && fputs(edit->before, out) >= 0;
	if (out && fclose(out) != 0) written = false;
	return written ? 0
		       : err_set(err, ERR_FULL, "cannot write '%s': is the disk full?", edit->copy);
}

/* Until it is good: 0, or a person gives up: an exit code. *changed: it is another text than before. */
static int edit_until_good(struct edit *edit, bool *changed) {
	struct err err;
	char **lines = NULL;

	do {
		strv_free(lines);
		lines = NULL;
		char *text = run_editor(edit, &err) == 0 ? ini_read(edit->copy, &err) : NULL;
		if (!text) {
			say("%s", err.text);
			return EXIT_FAILED;
		}
		*changed = !str_equal(text, edit->before);
		free(text);
		if (!*changed) return EXIT_DONE;
		edit->keep = true;
		if (check_file(edit->copy, &lines, &err) != 0) {
			say("%s", err.text);
			return EXIT_FAILED;
		}
		for (size_t i = 0; lines && lines[i]; i++) {
			char *line = in_words_of_file(edit, lines[i]);
			say("%s", line);
			free(line);
		}
	} while (lines && wants_again());
	bool bad = lines != NULL;
	strv_free(lines);
	return bad ? EXIT_USAGE : EXIT_DONE;
}

static int put_back(struct edit *edit) {
	struct stat now;
	struct err err;

	if (stat(edit->file, &now) != 0 || now.st_ino != edit->as_read.st_ino ||
		now.st_size != edit->as_read.st_size || now.st_mtime != edit->as_read.st_mtime) {
		say("'%s' was changed by somebody else meanwhile: nothing was replaced",
			edit->file);
		return EXIT_FAILED;
	}
	/* An editor that writes anew gives the copy rights of its own. */
	if (chmod(edit->copy, edit->as_read.st_mode & 07777) != 0 ||
		ini_put(edit->copy, edit->file, &err) != 0) {
		say("cannot replace '%s': %s", edit->file, strerror(errno));
		return EXIT_FAILED;
	}
	edit->keep = true; /* it is the file now */
	if (client_probe(&edit->call->client, &err) != 0) {
		printf("'%s' is good; tendd takes it up when it is started\n", edit->file);
		return EXIT_DONE;
	}
	return command_reload.run(edit->call);
}

static int edit_run(struct call *call) {
	struct edit edit = { .call = call };
	struct err err;
	bool changed = false;
	int code;

	if (begin(&edit, &err) != 0) {
		say("%s", err.text);
		code = err.kind == ERR_NOT_FOUND ? EXIT_USAGE : EXIT_FAILED;
	} else {
		code = edit_until_good(&edit, &changed);
		if (code == EXIT_DONE && changed)
			code = put_back(&edit);
		else if (code == EXIT_DONE)
			puts("nothing was changed");
		if (code != EXIT_DONE && edit.keep && access(edit.copy, F_OK) == 0)
			say("what you wrote is kept in '%s'", edit.copy);
	}
	if (edit.copy && !edit.keep) (void)unlink(edit.copy);
	free(edit.before);
	free(edit.copy);
	free(edit.file);
	return code;
}

const struct command command_edit = {
	.name = "edit",
	.usage = "",
	.help = "edit the configuration; it is checked before it takes its place, then reloaded",
	.run = edit_run,
};
