/* tend resolve: two edits of one file that were both kept: which ones there are, and which of them stays. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/command.h"
#include "term/term.h"

static void print_conflicts(const json_t *conflicts, const char *name, int64_t wall_ns) {
	static const struct term_column columns[] = {
		{ .title = "MINE" },
		{ .title = "THEIRS" },
		{ .title = "SINCE" },
	};
	struct term_table table;
	size_t i;
	json_t *conflict;

	term_table_init(&table, columns, ARRAY_LEN(columns));
	json_array_foreach(conflicts, i, conflict) {
		char *since = moments_local(json_text(conflict, "time"), wall_ns);
		const char *cells[] = { json_text(conflict, "mine"), json_text(conflict, "theirs"),
			since };
		term_table_add(&table, cells);
		free(since);
	}
	say_table(&table);
	term_table_release(&table);
	printf("\n'tend resolve %s PATH mine|theirs|both' keeps one or both; the other goes to the "
	       "trash\n",
		name);
}

/* By the name of either edit; where the newest of several is meant by the common one, that is said. NULL with err. */
static const json_t *find(const json_t *conflicts, const char *path, struct err *err) {
	const json_t *found = NULL;
	json_t *conflict;
	size_t i, count = 0;

	json_array_foreach(conflicts, i, conflict) {
		if (str_equal(json_text(conflict, "path"), path)) return conflict;
		if (!str_equal(json_text(conflict, "of"), path)) continue;
		found = conflict;
		count++;
	}
	if (count > 1)
		(void)err_set(err, ERR_INVALID,
			"'%s' has %zu other edits: name the one that is meant", path, count);
	else if (!found)
		(void)err_set(err, ERR_NOT_FOUND, "'%s' is in no conflict", path);
	return count == 1 ? found : NULL;
}

static int resolve(struct call *call, const json_t *unit, const json_t *conflict) {
	const char *keep = call->words[2], *of = json_text(conflict, "of");
	bool both = str_equal(keep, "both");
	char *done = both ? xasprintf("'%s' and '%s' both stay, and are in conflict no longer", of,
				    json_text(conflict, "path"))
			  : xasprintf("'%s' is %s now; the other edit is in the trash", of,
				    str_equal(keep, "mine") ? "yours" : "theirs");
	char *said = str_printable(done);
	json_t *body = json_pack("{s:s, s:s}", "path", json_text(conflict, "path"), "keep", keep);
	int code = unit_order(call, unit, "resolve", body, said);

	free(said);
	free(done);
	return code;
}

static int resolve_run(struct call *call) {
	struct err err;

	if (call->word_count == 2 || (call->word_count == 3 && !str_equal(call->words[2], "mine") &&
					     !str_equal(call->words[2], "theirs") &&
					     !str_equal(call->words[2], "both"))) {
		err_set(&err, ERR_INVALID,
			"which one is to stay? 'mine', 'theirs' or 'both' behind the path");
		return say_usage(call, &err);
	}
	json_t *answer = folder_load(call, &err);
	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	const json_t *conflicts = json_object_get(json_object_get(unit, "folder"), "conflicts");
	int code = EXIT_DONE;
	if (call->word_count == 3) {
		const json_t *conflict = find(conflicts, call->words[1], &err);
		code = conflict ? resolve(call, unit, conflict) : say_failure(call, &err);
	} else if (call->json) {
		json_t *list = json_pack("{s:O, s:O}", "folder", json_object_get(unit, "name"),
			"conflicts", conflicts);
		print_json(list);
		json_decref(list);
	} else if (json_array_size(conflicts) == 0) {
		printf("%s has no conflicts\n", json_text(unit, "unit"));
	} else {
		print_conflicts(
			conflicts, json_text(unit, "name"), loop_wall_ns(call->client.loop));
	}
	json_decref(answer);
	return code;
}

const struct command command_resolve = {
	.name = "resolve",
	.usage = "FOLDER [PATH mine|theirs|both]",
	.help = "files that were edited on both sides: list them, or keep one of the two",
	.least = 1,
	.most = 3,
	.run = resolve_run,
};
