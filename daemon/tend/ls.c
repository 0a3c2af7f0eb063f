/* tend ls and tend versions: what stands and stood in a folder's remote. They work without tendd too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/source.h"
#include "term/term.h"

enum { OUTPUT_MAX = 64 << 20 };

static const struct command_option ls_options[] = {
	{ "at", 0, "TIME", "as it was then: '2026-11-22 14:03', '14:00', '2h ago'" },
	{ "recursive", 'r', NULL, "all that lies below" },
	{ 0 },
};

struct listing {
	struct term_table table;
	json_t *entries; /* NULL: no JSON is wanted */
	size_t skip;     /* bytes of each path that were asked for */
	size_t count;
};

static void cell_time(const json_t *entry, const char *key, char *out) {
	int64_t wall_ns;
	*out = 0;
	if (time_parse(json_text(entry, key), &wall_ns) == 0) time_format_local(wall_ns, out);
}

static int entry_came(void *user, json_t *entry) {
	struct listing *listing = user;
	const char *kind = json_text(entry, "kind"), *path = json_text(entry, "path");
	char size[32] = "", mtime[TIME_TEXT_SIZE];
	listing->count++;
	if (listing->entries) {
		json_array_append(listing->entries, entry);
		return 0;
	}
	bool folder = str_equal(kind, "folder");
	if (!folder) size_format(json_number(entry, "size_bytes"), size, sizeof(size));
	cell_time(entry, "mtime", mtime);
	char *name = xasprintf("%s%s",
		strlen(path) > listing->skip ? path + listing->skip : path_name(path),
		folder                    ? "/"
		: str_equal(kind, "link") ? "@"
					  : "");
	const char *cells[] = { size, mtime, name };
	term_table_add(&listing->table, cells);
	free(name);
	return 0;
}

void say_table(const struct term_table *table) {
	struct term term;
	struct buf out;
	term_init(&term, STDOUT_FILENO);
	buf_init(&out, OUTPUT_MAX);
	if (term_table_render(table, &term, &out)) say("too much to show: use --json");
	fputs(out.at, stdout);
	buf_release(&out);
}

static void print_entries(
	struct source *source, const char *path, int64_t at_ns, struct listing *listing) {
	char at[TIME_TEXT_SIZE] = "";
	if (!listing->entries) {
		say_table(&listing->table);
		return;
	}
	if (at_ns != PAST_NOW) time_format(at_ns, at);
	json_t *answer = json_pack("{s:i, s:s, s:s, s:s?, s:O}", "api", 1, "folder", source->folder,
		"path", path, "at", *at ? at : NULL, "entries", listing->entries);
	print_json(answer);
	json_decref(answer);
}

static int list_folder(struct source *source, const char *path, int64_t at_ns) {
	static const struct term_column columns[] = { { .title = "SIZE", .right = true },
		{ .title = "CHANGED" }, { .title = "NAME", .gives = true } };
	enum past_reach reach = call_option(source->call, "recursive") ? REACH_BELOW : REACH_LEVEL;
	struct listing listing = { .entries = source->call->json ? json_array() : NULL,
		.skip = strlen(path) + (*path != 0) };
	struct err err;
	int code = EXIT_DONE;
	term_table_init(&listing.table, columns, ARRAY_LEN(columns));
	if (source_tree(source, path, at_ns, reach, entry_came, &listing, &err)) {
		code = source_failure(source, &err);
	} else if (!listing.count && *path) {
		say("nothing %s at '%s'", at_ns == PAST_NOW ? "stands" : "stood", path);
		code = EXIT_FAILED;
	} else {
		print_entries(source, path, at_ns, &listing);
	}
	json_decref(listing.entries);
	term_table_release(&listing.table);
	return code;
}

static int ls_run(struct call *call) {
	struct source source;
	struct err err;
	int64_t at_ns;
	if (source_at(call, &at_ns, &err)) return say_usage(call, &err);
	if (source_open(&source, call, call->words[0], &err)) {
		source_close(&source);
		return say_failure(call, &err);
	}
	char *path = source_path(&source, call->word_count > 1 ? call->words[1] : "", &err);
	int code = path ? list_folder(&source, path, at_ns) : say_usage(call, &err);
	free(path);
	source_close(&source);
	return code;
}

const struct command command_ls = {
	.name = "ls",
	.usage = "FOLDER [PATH] [--at TIME]",
	.help = "what lies in a folder's remote, now or at a time",
	.options = ls_options,
	.least = 1,
	.most = 2,
	.run = ls_run,
};

/* ---- versions ---- */

static void print_versions(const json_t *versions) {
	static const struct term_column columns[] = { { .title = "FROM" }, { .title = "TO" },
		{ .title = "SIZE", .right = true }, { .title = "KEPT AS", .gives = true } };
	struct term_table table;
	size_t i;
	json_t *version;
	term_table_init(&table, columns, ARRAY_LEN(columns));
	json_array_foreach(versions, i, version) {
		char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], size[32];
		const char *name = json_text(version, "version");
		cell_time(version, "from", from);
		cell_time(version, "to", to);
		size_format(json_number(version, "size_bytes"), size, sizeof(size));
		const char *cells[] = { *from ? from : "?", *to ? to : "now", size,
			*name ? name : "the file itself" };
		term_table_add(&table, cells);
	}
	say_table(&table);
	term_table_release(&table);
}

static int versions_run(struct call *call) {
	struct source source;
	struct err err;
	if (source_open(&source, call, call->words[0], &err)) {
		source_close(&source);
		return say_failure(call, &err);
	}
	char *path = source_path(&source, call->words[1], &err);
	json_t *answer = path ? source_versions(&source, path, &err) : NULL;
	int code = answer ? EXIT_DONE
		   : path ? source_failure(&source, &err)
			  : say_usage(call, &err);
	if (answer && call->json)
		print_json(answer);
	else if (answer)
		print_versions(json_object_get(answer, "versions"));
	json_decref(answer);
	free(path);
	source_close(&source);
	return code;
}

const struct command command_versions = {
	.name = "versions",
	.usage = "FOLDER PATH",
	.help = "every content of a file that can be had back",
	.least = 2,
	.most = 2,
	.run = versions_run,
};
