/* tend status: how everything stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/command.h"
#include "term/term.h"

enum { WATCH_MS = 1000, SCREEN_MAX = 4 << 20 };

static const struct command_option status_options[] = {
	{ "watch", 'w', NULL, "again and again, until interrupted" },
	{ 0 },
};

/* Red is what a person would want to look at, yellow what is on its way. */
static enum term_colour colour_of(const json_t *unit) {
	static const char *const on_the_way[] = { "waiting", "starting", "contact", "scanning",
		"syncing", "stopping", "clearing", "paused", NULL };

	if (unit_verdict(unit) != UNIT_AS_WANTED) return TERM_RED;
	if (!json_flag(unit, "wanted")) return TERM_DIM;
	if (strv_has(on_the_way, unit_word(unit))) return TERM_YELLOW;
	return *json_text(json_object_get(unit, "folder"), "degraded") ? TERM_YELLOW : TERM_GREEN;
}

static int verdict_code(enum unit_verdict verdict) {
	if (verdict == UNIT_NEEDS_PERSON) return EXIT_PERSON;
	return verdict == UNIT_AS_WANTED ? EXIT_DONE : EXIT_FAILED;
}

/* Of all units, the worst: what needs a person does not mend itself. */
static int status_code(const json_t *status) {
	enum unit_verdict worst = UNIT_AS_WANTED;
	size_t i;
	json_t *unit;

	if (*json_text(json_object_get(status, "configuration"), "error") ||
		*json_text(status, "keeper"))
		worst = UNIT_NOT_AS_WANTED;
	const json_t *preempt = json_object_get(status, "preempt");
	if (*json_text(preempt, "trouble") && worst < UNIT_NOT_AS_WANTED)
		worst = UNIT_NOT_AS_WANTED;
	if (*json_text(preempt, "text")) worst = UNIT_NEEDS_PERSON; /* while there is time */
	json_array_foreach(json_object_get(status, "units"), i, unit) {
		enum unit_verdict verdict = unit_verdict(unit);
		if (verdict > worst) worst = verdict;
	}
	return verdict_code(worst);
}

/* ---- the table ---- */

static void add_warning(
	const struct term *term, const char *what, const char *text, struct buf *out) {
	if (!*text) return;
	char *clean = str_printable(text);
	buf_addf(out, "%s%s:%s %s\n", term_paint(term, TERM_RED), what,
		term_unpaint(term, TERM_RED), clean);
	free(clean);
}

/* Where [idle] is: what it waits for, and how long. */
static void add_idle(const json_t *idle, struct buf *out) {
	const json_t *left = json_object_get(idle, "left_seconds");
	if (!json_is_object(idle)) return;
	char *why = str_printable(json_text(idle, "why")),
	     *action = str_printable(json_text(idle, "action"));
	char *span = json_is_integer(left) ? span_text(json_integer_value(left) * 1000) : NULL;
	buf_addf(out, "idle: %s, %s", json_text(idle, "phase"), why);
	if (span)
		buf_addf(out, "; '%s'%s in %s", action,
			json_flag(idle, "dry_run") ? " (dry run)" : "", span);
	buf_adds(out, "\n");
	free(span);
	free(action);
	free(why);
}

static void add_head(
	const json_t *status, const struct term *term, int64_t wall_ns, struct buf *out) {
	const json_t *configuration = json_object_get(status, "configuration");
	int64_t age_ms = json_age_ms(status, "since", wall_ns);
	char *span = span_text(age_ms < 0 ? 0 : age_ms);

	buf_addf(out, "%stendd %s%s on %s, %s for %s, pid %lld, %s\n", term_paint(term, TERM_BOLD),
		json_text(status, "version"), term_unpaint(term, TERM_BOLD),
		json_text(status, "host"), json_text(status, "state"), span,
		(long long)json_number(status, "pid"), json_text(configuration, "path"));
	add_warning(term, "configuration not taken", json_text(configuration, "error"), out);
	add_warning(term, "services cannot be run", json_text(status, "keeper"), out);
	const json_t *preempt = json_object_get(status, "preempt");
	add_warning(term, "preempt", json_text(preempt, "text"), out);
	add_warning(term, "preempt: its notices would not be heard", json_text(preempt, "trouble"),
		out);
	free(span);
	add_idle(json_object_get(status, "idle"), out);
}

static void add_row(struct term_table *table, const json_t *unit, int64_t wall_ns) {
	int64_t age_ms = json_age_ms(unit, "since", wall_ns);
	char *span = age_ms < 0 ? xstrdup("") : span_text(age_ms),
	     *summary = unit_summary(unit, wall_ns);
	const char *cells[] = { json_text(unit, "unit"), unit_word(unit), span, summary };

	term_table_add(table, cells);
	term_table_paint(table, 1, colour_of(unit));
	free(summary);
	free(span);
}

/* The network is looked at in any case. */
static bool is_configured(const json_t *status) {
	size_t i;
	json_t *unit;

	json_array_foreach(json_object_get(status, "units"), i, unit) {
		if (!str_equal(json_text(unit, "kind"), "network")) return true;
	}
	return false;
}

static const char nothing_yet[] =
	"nothing is configured yet: 'tend init' asks three questions, 'tend edit' opens the file\n";

static void print_table(
	const json_t *status, const struct term *term, int64_t wall_ns, struct buf *out) {
	static const struct term_column columns[] = {
		{ .title = "UNIT" },
		{ .title = "STATE" },
		{ .title = "FOR", .right = true },
		{ .title = "DETAIL", .gives = true },
	};
	struct term_table table;
	size_t i;
	json_t *unit;

	add_head(status, term, wall_ns, out);
	term_table_init(&table, columns, ARRAY_LEN(columns));
	json_array_foreach(json_object_get(status, "units"), i, unit)
		add_row(&table, unit, wall_ns);
	(void)term_table_render(&table, term, out);
	if (!is_configured(status)) buf_adds(out, nothing_yet);
	term_table_release(&table);
}

/* ---- watching ---- */

/* Where nobody redraws a screen: a line for each unit that changed. */
static void print_changes(const json_t *status, struct map *last, int64_t wall_ns) {
	char now[TIME_TEXT_SIZE];
	size_t i;
	json_t *unit;

	time_format(wall_ns, now);
	json_array_foreach(json_object_get(status, "units"), i, unit) {
		char *summary = unit_summary(unit, wall_ns);
		char *line =
			xasprintf("%s %s %s", json_text(unit, "unit"), unit_word(unit), summary);
		/* Ages would make a change of every second. */
		char *state = json_dumps(unit, JSON_COMPACT),
		     *before = map_put(last, json_text(unit, "unit"), state);
		if (!before || !str_equal(before, state)) printf("%s %s\n", now, line);
		free(before);
		free(line);
		free(summary);
	}
}

static void forget_changes(struct map *last) {
	for (struct map_item *item = NULL; (item = map_next(last, item));) free(map_value(item));
	map_release(last);
}

static void show(
	const struct call *call, json_t *status, const struct term *term, struct map *last) {
	int64_t wall_ns = loop_wall_ns(call->client.loop);
	struct buf out;

	if (call->json) {
		char *text = json_dumps(status, JSON_COMPACT), *before = map_put(last, "", text);
		if (!before || !str_equal(before, text)) print_json_line(status);
		free(before);
	} else if (!term->is_terminal) {
		print_changes(status, last, wall_ns);
	} else {
		buf_init(&out, SCREEN_MAX);
		buf_adds(&out, "\033[H\033[2J");
		print_table(status, term, wall_ns, &out);
		fputs(out.at, stdout);
		buf_release(&out);
	}
}

/* Leaves only the unit that was asked for. */
static void keep_only(json_t *status, const char *id) {
	json_t *units = json_object_get(status, "units");

	for (size_t i = json_array_size(units); i-- > 0;) {
		if (!str_equal(json_text(json_array_get(units, i), "unit"), id))
			json_array_remove(units, i);
	}
}

/* `id`: NULL for all units. */
static int watch(struct call *call, const char *id) {
	struct term term;
	struct map last;
	bool told = false;

	map_init(&last);
	/* Asked anew each second: counts change without an event, and a daemon that restarts is
	 * found again. */
	while (!ferror(stdout)) {
		struct err err;
		json_t *answer = client_ask(&call->client, "GET", "/v1/status", NULL, &err);
		term_init(&term, STDOUT_FILENO); /* windows are resized */
		if (answer) {
			if (id) keep_only(answer, id);
			show(call, answer, &term, &last);
			told = false;
		} else if (!told) {
			say("%s", err.text);
			told = true;
		}
		json_decref(answer);
		fflush(stdout);
		client_sleep(&call->client, WATCH_MS);
	}
	forget_changes(&last);
	return EXIT_FAILED; /* whoever read us is gone */
}

/* ---- the command ---- */

static int print_all(struct call *call) {
	struct term term;
	struct err err;
	struct buf out;

	json_t *status = client_ask(&call->client, "GET", "/v1/status", NULL, &err);
	if (!status) return say_failure(call, &err);
	if (call->json) {
		print_json(status);
	} else {
		term_init(&term, STDOUT_FILENO);
		buf_init(&out, SCREEN_MAX);
		print_table(status, &term, loop_wall_ns(call->client.loop), &out);
		fputs(out.at, stdout);
		buf_release(&out);
	}
	int code = status_code(status);
	json_decref(status);
	return code;
}

static int print_one(struct call *call, const char *id) {
	char *path = xasprintf("/v1/units/%s", id);
	struct err err;

	json_t *answer = client_ask(&call->client, "GET", path, NULL, &err);
	free(path);
	if (!answer) return say_failure(call, &err);
	const json_t *unit = json_object_get(answer, "unit");
	if (call->json)
		print_json(answer);
	else
		status_unit_print(unit, loop_wall_ns(call->client.loop));
	int code = verdict_code(unit_verdict(unit));
	json_decref(answer);
	return code;
}

/* A name is resolved first; the answer about that unit alone has its troubles too. */
static int status_run(struct call *call) {
	bool watching = call_option(call, "watch") != NULL;
	struct err err;

	if (call->word_count == 0) return watching ? watch(call, NULL) : print_all(call);
	json_t *units = units_load(call, &err);
	const json_t *unit = units ? units_find(units, call->words[0], NULL, &err) : NULL;
	char *id = unit ? xstrdup(json_text(unit, "unit")) : NULL;
	json_decref(units);
	if (!id) return say_failure(call, &err);
	int code = watching ? watch(call, id) : print_one(call, id);
	free(id);
	return code;
}

const struct command command_status = {
	.name = "status",
	.usage = "[UNIT] [--watch]",
	.help = "how everything stands, or one unit; exits 0, 1 something failed, 5 a person is "
		"needed",
	.options = status_options,
	.most = 1,
	.run = status_run,
};
