/* tend remote: looks at a remote by the configuration alone, as the caller; tendd is not asked. */
#include "tend/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tend/source.h"
#include "term/term.h"

/* ---- one operation ---- */

static void step_done(struct store_op *op, const struct err *err) {
	struct remote_step *step = container_of(op, struct remote_step, op);
	if (err) step->err = *err;
	step->ended = true;
}

void remote_step_init(struct remote_step *step, enum store_verb verb, const char *key) {
	step->ended = false;
	err_clear(&step->err);
	store_op_init(&step->op, verb, key);
	step->op.done = step_done;
}

int remote_step_run(struct remote_step *step, struct store *store) {
	step->ended = false;
	err_clear(&step->err);
	store_start(store, &step->op);
	loop_run_until(store->loop, &step->ended);
	return step->err.kind == ERR_NONE ? 0 : -1;
}

void remote_step_release(struct remote_step *step) {
	store_op_release(&step->op);
}

int remote_failure(const char *remote, const struct err *err) {
	say("remote '%s': %s", remote, err->text);
	if (err->kind == ERR_INVALID) return EXIT_USAGE;
	return err->kind == ERR_DENIED ? EXIT_PERSON : EXIT_FAILED;
}

/* ---- ls ---- */

struct names {
	struct store_entry *entries;
	size_t count;
};

static int by_name(const void *left, const void *right) {
	const struct store_entry *a = left, *b = right;
	return strcmp(a->name, b->name);
}

static void names_release(struct names *names) {
	for (size_t i = 0; i < names->count; i++) store_entry_release(&names->entries[i]);
	free(names->entries);
}

/* All pages, sorted. */
static int list_all(struct store *store, const char *key, struct names *names, struct err *err) {
	char *token = NULL;
	bool complete = false;
	while (!complete) {
		struct remote_step step;
		remote_step_init(&step, STORE_LIST, key);
		step.op.page_token = token;
		int rc = remote_step_run(&step, store);
		size_t more = rc ? 0 : step.op.entry_count;
		names->entries = xrealloc(
			names->entries, (names->count + more + 1) * sizeof(*names->entries));
		for (size_t i = 0; i < more; i++) {
			names->entries[names->count++] = step.op.entries[i];
			step.op.entries[i] = (struct store_entry){ 0 };
		}
		free(token);
		token = step.op.next_token ? xstrdup(step.op.next_token) : NULL;
		complete = step.op.complete;
		*err = step.err;
		remote_step_release(&step);
		if (rc || (!complete && !token)) {
			free(token);
			return rc ? -1
				  : err_set(err, ERR_CORRUPT, "the listing ended before its end");
		}
	}
	free(token);
	qsort(names->entries, names->count, sizeof(*names->entries), by_name);
	return 0;
}

static const char *kind_word(enum store_kind kind) {
	static const char *const words[] = { "file", "folder", "link", "other" };
	return words[kind];
}

static json_t *entry_json(const struct store_entry *entry) {
	char mtime[TIME_TEXT_SIZE] = "", *name = str_printable(entry->name);
	if (entry->mtime_ns != STORE_MTIME_UNKNOWN) time_format(entry->mtime_ns, mtime);
	json_t *line =
		json_pack("{s:s, s:s, s:I, s:s?}", "name", name, "kind", kind_word(entry->kind),
			"size_bytes", (json_int_t)entry->size, "mtime", *mtime ? mtime : NULL);
	free(name);
	return line;
}

static void print_names(const struct names *names) {
	static const struct term_column columns[] = { { .title = "SIZE", .right = true },
		{ .title = "CHANGED" }, { .title = "NAME", .gives = true } };
	static const char *const marks[] = { "", "/", "@", " (not ours)" };
	struct term_table table;
	term_table_init(&table, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < names->count; i++) {
		const struct store_entry *entry = &names->entries[i];
		char size[32] = "", mtime[TIME_TEXT_SIZE] = "";
		if (entry->kind == STORE_FILE) size_format(entry->size, size, sizeof(size));
		if (entry->mtime_ns != STORE_MTIME_UNKNOWN)
			time_format_local(entry->mtime_ns, mtime);
		char *name = xasprintf("%s%s", entry->name, marks[entry->kind]);
		const char *cells[] = { size, mtime, name };
		term_table_add(&table, cells);
		free(name);
	}
	say_table(&table);
	term_table_release(&table);
}

static void print_names_json(const char *remote, const char *key, const struct names *names) {
	json_t *entries = json_array();
	for (size_t i = 0; i < names->count; i++)
		json_array_append_new(entries, entry_json(&names->entries[i]));
	json_t *answer =
		json_pack("{s:s, s:s, s:o}", "remote", remote, "path", key, "entries", entries);
	print_json(answer);
	json_decref(answer);
}

static int list(struct call *call, struct store *store) {
	struct names names = { 0 };
	struct err err;
	char *key = path_clean(call->word_count > 2 ? call->words[2] : "");
	int code = EXIT_DONE;
	if (str_equal(key, ".")) *key = 0;
	if (*key && !path_is_plain(key)) {
		say("'%s' is no path in a remote: write it as a/b", key);
		code = EXIT_USAGE;
	} else if (list_all(store, key, &names, &err)) {
		code = remote_failure(call->words[1], &err);
	} else if (call->json) {
		print_names_json(call->words[1], key, &names);
	} else {
		print_names(&names);
	}
	names_release(&names);
	free(key);
	return code;
}

/* ---- the command ---- */

static int remote_run(struct call *call) {
	const char *verb = call->words[0];
	struct err err;
	bool checks = str_equal(verb, "check");
	if (!checks && !str_equal(verb, "ls")) {
		err_set(&err, ERR_INVALID, "'%s' is neither ls nor check", verb);
		return say_usage(call, &err);
	}
	if (checks && call->word_count > 2) {
		err_set(&err, ERR_INVALID, "too many words: tend remote check REMOTE");
		return say_usage(call, &err);
	}
	struct store *store = direct_remote(call, call->words[1], &err);
	if (!store) {
		say("%s", err.text);
		return EXIT_USAGE;
	}
	int code = checks ? remote_check(call, store) : list(call, store);
	store_free(store);
	return code;
}

const struct command command_remote = {
	.name = "remote",
	.usage = "ls|check REMOTE [PATH]",
	.help = "what lies in a remote; whether it can be used, and what it can and cannot",
	.least = 2,
	.most = 3,
	.run = remote_run,
};
