/* tend init: three questions, and a configuration that works. What stands there already is never written over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "tend/init.h"
#include "tend/source.h"

static const struct command_option init_options[] = {
	{ "yes", 'y', NULL, "ask nothing: take the defaults" },
	{ 0 },
};

/* ---- asking ---- */

/* One line; what stands in brackets when it is empty. NULL: nobody answers any more. The caller's. */
static char *ask_line(struct call *call, const char *question, const char *preset) {
	char line[4096];

	if (call_option(call, "yes")) return xstrdup(preset);
	printf("%s [%s] ", question, preset);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin)) return NULL;
	if (!isatty(STDIN_FILENO)) putchar('\n'); /* nobody typed one */
	str_trim(line);
	return xstrdup(*line ? line : preset);
}

/* Asked again on a terminal until it makes sense. */
static int ask_remote(struct call *call, struct init_answers *answers, struct err *err) {
	for (;;) {
		free(answers->where);
		answers->where = ask_line(call,
			"Where to? directory:PATH, s3:BUCKET, gdrive, sftp:USER@HOST:PATH, "
			"webdav:URL or azure:ACCOUNT/CONTAINER",
			"directory:~/tend-cloud");
		if (!answers->where)
			return err_set(err, ERR_INVALID,
				"there was no answer: say --yes to take "
				"what stands in brackets");
		if (init_remote_check(answers->where, err) == 0) return 0;
		if (call_option(call, "yes") || !isatty(STDIN_FILENO)) return -1;
		say("%s", err->text);
	}
}

static int ask_all(struct call *call, struct init_answers *answers, struct err *err) {
	answers->folder = ask_line(call, "Which folder is to be in the cloud?", "~/Documents");
	if (answers->folder && ask_remote(call, answers, err) != 0) return -1;
	if (answers->folder)
		answers->command =
			ask_line(call, "Which command is to be kept running? Enter: none", "none");
	if (!answers->command)
		return err_set(err, ERR_INVALID,
			"there was no answer: say --yes to take what stands in brackets");
	return 0;
}

/* ---- the file ---- */

/* The one that a package brings holds comments alone: they stay, above what is written. */
static bool only_comments(const char *text) {
	for (const char *line = text; *line;) {
		line += strspn(line, " \t\r\n");
		if (*line && *line != ';' && *line != '#') return false;
		line += strcspn(line, "\n");
	}
	return true;
}

static int make_folder(const char *path, struct err *err) {
	char *above = path_parent(path);
	int result = 0;

	if (strlen(above) > 1 && access(above, F_OK) != 0) result = make_folder(above, err);
	free(above);
	if (result == 0 && mkdir(path, geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST)
		return err_sys(err, errno, "cannot make '%s'", path);
	return result;
}

/* A folder at home that is to play the cloud is made; one elsewhere may be a disk that is not mounted now. */
static int make_remote(const struct init_answers *answers, struct err *err) {
	if (!str_starts(answers->where, "directory:~/")) return 0;
	char *path = config_expand(answers->where + strlen("directory:"), getenv("HOME"), err);
	int result = path ? make_folder(path, err) : -1;

	free(path);
	return result;
}

static int make_secrets(const char *folder, struct err *err) {
	char *secrets = path_join(folder, "secrets");
	int result = mkdir(secrets, 0700) != 0 && errno != EEXIST
			     ? err_sys(err, errno, "cannot make '%s'", secrets)
			     : 0;

	free(secrets);
	return result;
}

static int write_text(int fd, const char *before, const char *text, struct err *err) {
	FILE *out = fdopen(fd, "w");
	bool good = out && fprintf(out, "%s%s%s", before, *before ? "\n" : "", text) >= 0;

	if (out && fclose(out) != 0) good = false;
	return good ? 0 : err_set(err, ERR_FULL, "cannot write it: is the disk full?");
}

/* Made beside its place, looked at by tendd, then put there. */
static int put_file(const char *file, const char *before, const char *text, struct err *err) {
	char *beside = NULL, **lines = NULL;
	struct stat st;
	bool there = stat(file, &st) == 0;
	int fd = ini_beside(file, there ? &st : NULL, geteuid() == 0 ? 0644 : 0600, &beside, err);
	int result = fd < 0 ? -1 : write_text(fd, before, text, err);

	if (result == 0) result = check_file(beside, &lines, err);
	if (result == 0 && lines) {
		const char *reason = strstr(lines[0], ": ");
		result = err_set(
			err, ERR_INVALID, "that would not do: %s", reason ? reason + 2 : lines[0]);
	}
	if (result == 0) result = ini_put(beside, file, err);
	if (result != 0 && beside) (void)unlink(beside);
	strv_free(lines);
	free(beside);
	return result;
}

/* Text of what stands there, "" when nothing does. NULL with err: it is somebody's work. The caller's. */
static char *standing_text(const char *file, struct err *err) {
	char *text = ini_read(file, err);

	if (!text && err->kind == ERR_NOT_FOUND) return xstrdup("");
	if (text && !only_comments(text)) {
		err_set(err, ERR_INVALID,
			"'%s' is there already: 'tend edit' changes it, and -c FILE names another",
			file);
		free(text);
		return NULL;
	}
	return text;
}

static void print_next(const char *file, const struct init_answers *answers, struct call *call) {
	struct err ignored;

	printf("wrote %s\n", file);
	init_remote_next(answers->where, stdout);
	if (call_option(call, "config"))
		printf("then start it: tendd -c %s\n", file);
	else if (client_probe(&call->client, &ignored) == 0)
		puts("then let tendd read it: tend reload");
	else
		printf("then start it: systemctl %senable --now tend-services tend\n",
			geteuid() == 0 ? "" : "--user ");
	puts("and look: tend doctor, tend status");
}

static int write_it(struct call *call, const char *file, struct err *err) {
	struct init_answers answers = { 0 };
	char *before = standing_text(file, err), *folder = path_parent(file);
	int result = before ? ask_all(call, &answers, err) : -1;

	if (result == 0 && *folder) result = make_folder(folder, err);
	if (result == 0) result = make_secrets(*folder ? folder : ".", err);
	if (result == 0) result = make_remote(&answers, err);
	if (result == 0) {
		char *text = init_text(&answers, *folder ? folder : ".");
		result = put_file(file, before, text, err);
		free(text);
	}
	if (result == 0) print_next(file, &answers, call);
	free(answers.folder);
	free(answers.where);
	free(answers.command);
	free(before);
	free(folder);
	return result;
}

static int init_run(struct call *call) {
	struct err err;
	char *file = direct_file(call, &err);
	int result = file ? write_it(call, file, &err) : -1;

	free(file);
	if (result == 0) return EXIT_DONE;
	say("%s", err.text);
	return err.kind == ERR_INVALID || err.kind == ERR_OFFLINE ? EXIT_USAGE : EXIT_FAILED;
}

const struct command command_init = {
	.name = "init",
	.usage = "[--yes]",
	.help = "asks three questions and writes a configuration that works",
	.options = init_options,
	.fileless = true,
	.run = init_run,
};
