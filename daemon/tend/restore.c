/*
 * tend restore: files and whole folders, as they were at a time, from the folder's remote; with tendd and without. The command writes
 * them itself, as whoever runs it.
 */
#include "tend/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 << 10, PLACES_MAX = 1000 };

static const struct command_option restore_options[] = {
	{ "at", 0, "TIME", "as it was then: '2026-11-22 14:03', '14:00', '2h ago'" },
	{ "to", 0, "DIR", "where to; without it into a new folder here" },
	{ "overwrite", 0, NULL, "replace what stands there" },
	{ 0 },
};

/* ---- what there is to bring back: its list goes to a file, it may be long ---- */

static int entry_came(void *user, json_t *entry) {
	struct restore *r = user;
	char *text = json_dumps(entry, JSON_COMPACT);
	r->wanted++;
	int rc = text && fprintf(r->spool, "%s\n", text) > 0 ? 0 : -1;
	free(text);
	return rc;
}

static int gather(struct restore *r, const char *word, int64_t at_ns, struct err *err) {
	char *path = source_path(&r->source, word, err);
	size_t before = r->wanted;
	if (!path) return -1;
	int rc = source_tree(&r->source, path, at_ns, true, entry_came, r, err);
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

static int place_new(struct restore *r, struct err *err) {
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

static int place_named(struct restore *r, const char *to, struct err *err) {
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

static void show(struct restore *r) {
	if (!r->term.is_terminal || r->call->json) return;
	size_t done = r->files + r->links + r->folders;
	struct term_progress progress = {
		.label = "restoring", .done = (int64_t)done, .total = (int64_t)r->wanted
	};
	term_progress_show(&r->term, &progress);
}

static json_t *line_next(struct restore *r) {
	char *line = NULL;
	size_t room = 0;
	ssize_t len = getline(&line, &room, r->spool);
	json_t *entry = len > 0 ? json_loadb(line, (size_t)len, 0, NULL) : NULL;
	free(line);
	return entry;
}

void restore_step(struct restore *r) {
	for (int i = 0; i < RESTORE_SLOTS && !r->started_all; i++) {
		while (!r->slots[i].busy) {
			json_t *entry = line_next(r);
			if (!entry) {
				r->started_all = true;
				break;
			}
			restore_entry(r, &r->slots[i], entry);
		}
	}
	show(r);
	if (r->started_all && !r->busy) r->finished = true;
}

static int told(struct restore *r, int64_t at_ns) {
	size_t left = json_array_size(r->left), failed = json_array_size(r->failed);
	char at[TIME_TEXT_SIZE] = "", size[32];
	if (r->call->json) {
		if (at_ns != PAST_NOW) time_format(at_ns, at);
		json_t *answer = json_pack("{s:i, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:O, s:O}",
			"api", 1, "folder", r->source.folder, "to", r->to, "at", *at ? at : NULL,
			"files", (json_int_t)r->files, "links", (json_int_t)r->links, "folders",
			(json_int_t)r->folders, "bytes", (json_int_t)r->bytes, "left", r->left,
			"failed", r->failed);
		print_json(answer);
		json_decref(answer);
	} else {
		size_format(r->bytes, size, sizeof(size));
		printf("restored %zu files, %zu links, %s to %s\n", r->files, r->links, size,
			r->to);
	}
	if (left) say("%zu were there already and left as they are", left);
	if (failed) say("%zu could not be restored", failed);
	return left || failed ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct restore *r, int64_t at_ns) {
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
	restore_step(r);
	if (!r->finished) loop_run_until(call->client.loop, &r->finished);
	restore_place_laters(r);
	term_progress_clear(&r->term);
	disk_close(r->disk);
	return told(r, at_ns);
}

static int restore_run(struct call *call) {
	struct restore *r;
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
