/*
 * tend restore: files and whole folders, as they were at a time, from the folder's remote; with tendd and without. The command writes
 * them itself, as whoever runs it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answers/answers.h"
#include "disk/disk.h"
#include "tend/source.h"
#include "term/term.h"

enum { SLOTS = 16, PLACES_MAX = 1000 };

static const struct command_option restore_options[] = {
	{ "at", 0, "TIME", "as it was then: '2026-11-22 14:03', '14:00', '2h ago'" },
	{ "to", 0, "DIR", "where to; without it into a new folder here" },
	{ "overwrite", 0, NULL, "replace what stands there" },
	{ 0 },
};

struct restoring {
	struct call *call;
	struct source source;
	struct restore *restore;
	struct disk *disk; /* where it goes */
	char *to;
	bool overwrite, finished;
	FILE *spool; /* entries, one a line */
	size_t wanted;
	json_t *entry; /* the one at hand, and its path */
	char *path;
	json_t *left, *failed; /* paths */
	struct err err;
	struct term term;
};

/* ---- what there is to bring back: its list goes to a file, it may be long ---- */

static int entry_came(void *user, json_t *entry) {
	struct restoring *r = user;
	char *text = json_dumps(entry, JSON_COMPACT);
	r->wanted++;
	int rc = text && fprintf(r->spool, "%s\n", text) > 0 ? 0 : -1;
	free(text);
	return rc;
}

static int gather(struct restoring *r, const char *word, int64_t at_ns, struct err *err) {
	char *path = source_path(&r->source, word, err);
	size_t before = r->wanted;
	if (!path) return -1;
	int rc = source_tree(&r->source, path, at_ns, REACH_WAY, entry_came, r, err);
	if (rc == 0 && ferror(r->spool)) {
		rc = err_set(err, ERR_FULL, "cannot write a temporary file: is the disk full?");
	} else if (rc == 0 && r->wanted == before) {
		rc = err_set(err, ERR_SYSTEM, "nothing %s at '%s'",
			at_ns == PAST_NOW ? "stands" : "stood", *path ? path : r->source.folder);
	}
	free(path);
	return rc;
}

/* ---- where it goes ---- */

static int place_new(struct restoring *r, struct err *err) {
	char *now = xmalloc(TIME_TEXT_SIZE), *cwd = getcwd(NULL, 0);
	time_format_local(loop_wall_ns(r->call->client.loop), now);
	for (char *at = now; *at; at++) {
		if (*at == ' ' || *at == ':') *at = '-';
	}
	int rc = -1;
	for (int i = 0; i < PLACES_MAX && rc; i++) {
		char number[16] = "";
		if (i) snprintf(number, sizeof(number), ".%d", i);
		free(r->to);
		r->to = xasprintf(
			"%s/%s-restored-%s%s", cwd ? cwd : ".", r->source.folder, now, number);
		rc = mkdir(r->to, 0755);
		if (rc && errno != EEXIST) break;
	}
	if (rc) err_sys(err, errno, "cannot make the folder '%s'", r->to);
	free(now);
	free(cwd);
	return rc;
}

static int place_named(struct restoring *r, const char *to, struct err *err) {
	struct disk *root;
	char *clean = path_clean(to), *cwd = getcwd(NULL, 0);
	r->to = *clean == '/' ? xstrdup(clean) : path_join(cwd ? cwd : ".", clean);
	free(clean);
	free(cwd);
	if (mkdir(r->to, 0755) == 0 || errno == EEXIST) return 0;
	if (errno != ENOENT) return err_sys(err, errno, "cannot make the folder '%s'", r->to);
	/* Those above it, too. */
	root = disk_open("/", err);
	int rc = root ? disk_mkdir_parents(root, r->to + 1, err) : -1;
	disk_close(root);
	if (rc == 0 && mkdir(r->to, 0755) && errno != EEXIST)
		rc = err_sys(err, errno, "cannot make the folder '%s'", r->to);
	return rc;
}

/* ---- the flow ---- */

static json_t *line_next(struct restoring *r) {
	char *line = NULL;
	size_t room = 0;
	ssize_t len = getline(&line, &room, r->spool);
	json_t *entry = len > 0 ? json_loadb(line, (size_t)len, 0, NULL) : NULL;
	free(line);
	return entry;
}

static int next(void *user, struct past_item *item, struct err *err) {
	struct restoring *r = user;
	json_decref(r->entry);
	free(r->path);
	r->entry = line_next(r);
	r->path = r->entry ? entry_path(r->entry) : NULL;
	(void)err;
	if (!r->entry) return 0;
	const char *kind = json_text(r->entry, "kind"), *mode = json_text(r->entry, "mode");
	*item = (struct past_item){ .path = r->path,
		.kind = str_equal(kind, "link")     ? PAST_LINK
			: str_equal(kind, "folder") ? PAST_FOLDER
						    : PAST_FILE,
		.size = (int64_t)json_number(r->entry, "size_bytes"),
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = *mode ? (int)strtol(mode, NULL, 8) : STORE_MODE_UNKNOWN,
		.version = json_string_value(json_object_get(r->entry, "version")) };
	time_parse(json_text(r->entry, "mtime"), &item->mtime_ns);
	return 1;
}

static void fetch(void *user, struct restore_content *content) {
	struct restoring *r = user;
	source_content_fetch(&r->source, content);
}

static void fetch_cancel(void *user, struct restore_content *content) {
	struct restoring *r = user;
	source_content_cancel(&r->source, content);
}

static void fetch_release(void *user, struct restore_content *content) {
	struct restoring *r = user;
	source_content_release(&r->source, content);
}

static void told(void *user, enum restore_news news, const char *path, const char *text) {
	struct restoring *r = user;
	char *clean = str_printable(path);
	switch (news) {
	case RESTORE_LEFT:
		say("'%s' %s: left as it is", path, text);
		json_array_append_new(r->left, json_string(clean));
		break;
	case RESTORE_FAILED:
		say("cannot restore '%s': %s", path, text);
		json_array_append_new(r->failed, json_string(clean));
		break;
	case RESTORE_ASIDE:
		say("'%s' is in use, or has a -wal, -shm or -journal beside it: restored as '%s'",
			path, text);
		break;
	}
	free(clean);
}

static void went_on(void *user) {
	struct restoring *r = user;
	if (!r->term.is_terminal || r->call->json) return;
	const struct restore_counts *counts = restore_counts(r->restore);
	struct term_progress progress = { .label = "restoring",
		.done = counts->files + counts->links + counts->folders + counts->same +
			counts->left + counts->failed,
		.total = (int64_t)r->wanted };
	term_progress_show(&r->term, &progress);
}

static void done(void *user, const struct err *err) {
	struct restoring *r = user;
	r->finished = true;
	err_clear(&r->err);
	if (err) r->err = *err;
}

static int summary(struct restoring *r, int64_t at_ns) {
	const struct restore_counts *counts = restore_counts(r->restore);
	char size[32];
	if (r->call->json) {
		json_t *answer = answer_restore(r->source.folder, at_ns, counts,
			json_incref(r->left), json_incref(r->failed));
		json_object_set_new(answer, "api", json_integer(1));
		json_object_set_new(answer, "to", json_string(r->to));
		print_json(answer);
		json_decref(answer);
	} else {
		size_format(counts->bytes, size, sizeof(size));
		printf("restored %lld file%s, %lld link%s, %s to %s\n", (long long)counts->files,
			str_plural(counts->files), (long long)counts->links,
			str_plural(counts->links), size, r->to);
		if (counts->same)
			printf("%lld were there already, as they are wanted\n",
				(long long)counts->same);
	}
	if (counts->left)
		say("%lld were there already and left as they are%s", (long long)counts->left,
			r->overwrite ? "" : " (--overwrite replaces files)");
	if (counts->failed) say("%lld could not be restored", (long long)counts->failed);
	if (r->err.kind != ERR_NONE) say("%s", r->err.text);
	return counts->left || counts->failed || r->err.kind != ERR_NONE ? EXIT_FAILED : EXIT_DONE;
}

static void bring_back(struct restoring *r) {
	static const struct restore_calls calls = { told, went_on, done };
	mode_t mask = umask(0);
	umask(mask);
	const struct restore_options options = { .loop = r->call->client.loop,
		.disk = r->disk,
		.overwrite = r->overwrite,
		.slots = SLOTS,
		.mode_unknown = 0666 & ~(int)mask,
		.source = { r, next, fetch, fetch_cancel, fetch_release } };
	r->restore = restore_start(&options, &calls, r);
	loop_run_until(r->call->client.loop, &r->finished);
	term_progress_clear(&r->term);
}

static int run(struct restoring *r, int64_t at_ns) {
	struct call *call = r->call;
	const char *to = call_option(call, "to");
	struct err err;
	if (call->word_count == 1 && gather(r, "", at_ns, &err))
		return source_failure(&r->source, &err);
	for (size_t i = 1; i < call->word_count; i++) {
		if (gather(r, call->words[i], at_ns, &err)) return source_failure(&r->source, &err);
	}
	rewind(r->spool);
	if (to ? place_named(r, to, &err) : place_new(r, &err)) {
		say("%s", err.text);
		return EXIT_FAILED;
	}
	r->disk = disk_open(r->to, &err);
	if (!r->disk) {
		say("%s", err.text);
		return EXIT_FAILED;
	}
	bring_back(r);
	return summary(r, at_ns);
}

static int restore_run(struct call *call) {
	struct restoring *r;
	struct err err;
	int64_t at_ns;
	int code;
	if (source_at(call, &at_ns, &err)) return say_usage(call, &err);
	r = xcalloc(1, sizeof(*r));
	r->call = call;
	r->overwrite = call_option(call, "overwrite") != NULL;
	r->left = json_array();
	r->failed = json_array();
	r->spool = tmpfile();
	term_init(&r->term, STDERR_FILENO);
	if (!r->spool) {
		say("cannot make a temporary file: is the disk full?");
		code = EXIT_FAILED;
	} else if (source_open(&r->source, call, call->words[0], &err)) {
		code = say_failure(call, &err);
	} else {
		code = run(r, at_ns);
	}
	source_close(&r->source);
	if (r->spool) fclose(r->spool);
	json_decref(r->left);
	json_decref(r->failed);
	restore_free(r->restore);
	disk_close(r->disk);
	json_decref(r->entry);
	free(r->path);
	free(r->to);
	free(r);
	return code;
}

const struct command command_restore = {
	.name = "restore",
	.usage = "FOLDER [PATH...] [--at TIME] [--to DIR]",
	.help = "bring files back, as they are in the remote or were at a time",
	.options = restore_options,
	.least = 1,
	.most = SIZE_MAX,
	.run = restore_run,
};
