/* tend status UNIT: everything there is to say about one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tend/command.h"
#include "term/term.h"

enum { LABEL_WIDTH = 12, TEXT_MAX = 1 << 20 };

struct page {
	struct term term;
	int64_t wall_ns;
};

static void line(const struct page *page, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Nothing where there is nothing to say. */
static void line(const struct page *page, const char *label, const char *format, ...) {
	va_list args;

	va_start(args, format);
	char *raw = xvasprintf(format, args), *text = str_printable(raw);
	va_end(args);
	if (*text) {
		printf("%s%-*s%s %s\n", term_paint(&page->term, TERM_DIM), LABEL_WIDTH, label,
			term_unpaint(&page->term, TERM_DIM), text);
	}
	free(text);
	free(raw);
}

/* A time, or a sentence of tendd's with times in it; names of files stay as they are. */
static void line_time(
	const struct page *page, const char *label, const json_t *object, const char *key) {
	char *local = moments_local(json_text(object, key), page->wall_ns);

	line(page, label, "%s", local);
	free(local);
}

static void line_count(
	const struct page *page, const json_t *object, const char *key, const char *label) {
	if (json_number(object, key) > 0)
		line(page, label, "%lld", (long long)json_number(object, key));
}

/* ---- both ---- */

static void print_names(
	const struct page *page, const json_t *unit, const char *key, const char *label) {
	struct buf names;
	size_t i;
	json_t *name;

	buf_init(&names, TEXT_MAX);
	json_array_foreach(json_object_get(unit, key), i, name) {
		buf_addf(&names, "%s%s", i ? ", " : "", json_string_value(name));
	}
	line(page, label, "%s", names.at);
	buf_release(&names);
}

/* ---- folder ---- */

static void print_troubles(const struct page *page, const json_t *troubles) {
	static const struct term_column columns[] = {
		{ .title = "PATH" },
		{ .title = "REASON", .gives = true },
		{ .title = "NEXT TRY" },
	};
	struct term_table table;
	struct buf out;
	size_t i;
	json_t *trouble;

	if (json_array_size(troubles) == 0) return;
	term_table_init(&table, columns, ARRAY_LEN(columns));
	json_array_foreach(troubles, i, trouble) {
		const char *why = json_text(trouble, "why"), *reason = json_text(trouble, "reason");
		char *both = xasprintf("%s%s%s", why, *why && *reason ? ": " : "", reason);
		char *next = moments_local(json_text(trouble, "next_try"), page->wall_ns);
		const char *cells[] = { json_text(trouble, "path"), both, next };
		term_table_add(&table, cells);
		free(next);
		free(both);
	}
	buf_init(&out, TEXT_MAX);
	(void)term_table_render(&table, &page->term, &out);
	printf("\n%s", out.at);
	buf_release(&out);
	term_table_release(&table);
}

static void print_flights(const struct page *page, const json_t *flights) {
	json_t *flight;
	size_t i;

	json_array_foreach(flights, i, flight) {
		char size[32] = "", done[32] = "";
		if (json_is_integer(json_object_get(flight, "size_bytes")))
			size_format(json_number(flight, "size_bytes"), size, sizeof(size));
		if (*size && json_is_integer(json_object_get(flight, "done_bytes")))
			size_format(json_number(flight, "done_bytes"), done, sizeof(done));
		line(page, "in flight", "%s%s%s%s%s (%s)", json_text(flight, "path"),
			*size ? ", " : "", done, *done ? " of " : "", size,
			json_text(flight, "doing"));
	}
}

static void print_conflicts(const struct page *page, const json_t *conflicts, const char *name) {
	json_t *conflict;
	size_t i;

	json_array_foreach(conflicts, i, conflict) {
		char *since = moments_local(json_text(conflict, "time"), page->wall_ns);
		line(page, "conflict",
			"'%s' is another edit of '%s' (%s): 'tend resolve %s' keeps one of them",
			json_text(conflict, "path"), json_text(conflict, "of"), since, name);
		free(since);
	}
}

/* For eyes alone: a script has the numbers. */
static void print_bar(const struct page *page, int64_t done, int64_t total) {
	const struct term_progress progress = {
		.label = "progress   ", .done = done, .total = total
	};

	if (!page->term.is_terminal || total <= 0) return;
	char *bar = term_progress_line(&progress, page->term.width);
	puts(bar);
	free(bar);
}

/* The first time all of it goes; later on what is left says nothing about the whole. */
static void print_progress(const struct page *page, const json_t *folder) {
	const json_t *restoring = json_object_get(folder, "restoring");
	int64_t files = json_number(folder, "files"),
		left_bytes = json_number(folder, "left_bytes"),
		moved_bytes = json_number(folder, "moved_bytes");

	if (json_is_object(restoring))
		print_bar(page, json_number(restoring, "size_bytes"),
			json_number(restoring, "of_size_bytes"));
	else if (!*json_text(folder, "last_sync") && left_bytes > 0)
		print_bar(page, moved_bytes, moved_bytes + left_bytes);
	else if (!*json_text(folder, "last_sync") && json_number(folder, "pending") > 0)
		print_bar(page, files, files + json_number(folder, "pending"));
}

static void print_to_go(const struct page *page, const json_t *folder) {
	int64_t pending = json_number(folder, "pending");
	char *left = left_text(folder);

	if (pending > 0)
		line(page, "to go", "%lld%s%s", (long long)pending, *left ? ", " : "", left);
	else
		line(page, "to go", "%s", left);
	free(left);
}

static void print_folder(const struct page *page, const json_t *folder, const char *name) {
	char size[32], sent[32], *durable = durable_text(folder, page->wall_ns);

	line(page, "durable", "%s", durable);
	free(durable);
	line(page, "path", "%s", json_text(folder, "path"));
	line(page, "remote", "%s (%s)", json_text(folder, "remote"), json_text(folder, "mode"));
	if (json_is_false(json_object_get(folder, "conditions")))
		line(page, "conditions",
			"the remote keeps none: it is looked at just before each write");
	line(page, "trouble", "%s", json_text(json_object_get(folder, "trouble"), "text"));
	line(page, "watched by", "%s", json_text(folder, "watched_by"));
	line(page, "degraded", "%s", json_text(folder, "degraded"));
	size_format(json_number(folder, "size_bytes"), size, sizeof(size));
	long long files = (long long)json_number(folder, "files"),
		  folders = (long long)json_number(folder, "folders"),
		  links = (long long)json_number(folder, "links");
	line(page, "holds", "%lld file%s, %lld folder%s, %lld link%s, %s", files, str_plural(files),
		folders, str_plural(folders), links, str_plural(links), size);
	const json_t *restoring = json_object_get(folder, "restoring");
	if (json_is_object(restoring)) {
		char of[32];
		size_format(json_number(restoring, "size_bytes"), size, sizeof(size));
		size_format(json_number(restoring, "of_size_bytes"), of, sizeof(of));
		line(page, "restored", "%lld of %lld files, %s of %s",
			(long long)json_number(restoring, "files"),
			(long long)json_number(restoring, "of_files"), size, of);
	}
	print_progress(page, folder);
	print_to_go(page, folder);
	print_flights(page, json_object_get(folder, "in_flight"));
	int64_t waiting = json_number(folder, "pending") -
			  (int64_t)json_array_size(json_object_get(folder, "in_flight"));
	if (waiting > 0) line(page, "waiting", "%lld", (long long)waiting);
	line_count(page, folder, "refused", "refused");
	const json_t *forgotten = json_object_get(folder, "forgotten");
	int64_t removing = json_number(forgotten, "removing"),
		left_out = json_number(forgotten, "files") + json_number(forgotten, "folders") -
			   removing;
	if (left_out > 0)
		line(page, "forgotten",
			"%lld no longer covered; 'tend forget %s --remote' removes them",
			(long long)left_out, name);
	if (removing > 0) line(page, "removing", "%lld at the remote", (long long)removing);
	const json_t *verify = json_object_get(folder, "verify");
	if (json_flag(verify, "running"))
		line(page, "verify", "runs: %lld files compared",
			(long long)json_number(verify, "compared"));
	else if (*json_text(verify, "trouble"))
		line(page, "verify", "put off: %s", json_text(verify, "trouble"));
	else if (*json_text(verify, "text")) {
		char *last = moments_local(json_text(verify, "last"), page->wall_ns);
		line(page, "verify", "%s (%s)", json_text(verify, "text"), last);
		free(last);
	}
	line_count(page, json_object_get(folder, "deletions"), "files", "held back");
	print_names(page, folder, "away", "away");
	line_count(page, folder, "not_kept", "not kept");
	line_count(page, folder, "plain_databases", "plain");
	line_count(page, folder, "strangers", "strangers");
	size_format(json_number(folder, "sent_bytes"), sent, sizeof(sent));
	files = (long long)json_number(folder, "sent_files");
	line(page, "sent",
		"%lld file%s, %s; %lld times only mode or time; %lld renamed; %lld removed", files,
		str_plural(files), sent, (long long)json_number(folder, "set_only"),
		(long long)json_number(folder, "moved"), (long long)json_number(folder, "removed"));
	if (*json_text(folder, "mode") == 't' || *json_text(folder, "mode") == 'f') {
		size_format(json_number(folder, "brought_bytes"), size, sizeof(size));
		files = (long long)json_number(folder, "brought_files");
		line(page, "brought", "%lld file%s, %s; %lld removed here", files,
			str_plural(files), size, (long long)json_number(folder, "removed_here"));
	}
	print_conflicts(page, json_object_get(folder, "conflicts"), name);
	line_time(page, "last sync", folder, "last_sync");
	if (json_number(folder, "versions") > 0) {
		size_format(json_number(folder, "versions_bytes"), size, sizeof(size));
		line(page, "old versions", "%lld, %s", (long long)json_number(folder, "versions"),
			size);
	}
	line_time(page, "pruned", folder, "pruned");
	line(page, "not pruned", "%s", json_text(folder, "prune_trouble"));
	print_troubles(page, json_object_get(folder, "troubles"));
}

/* ---- service ---- */

static void print_service(const struct page *page, const json_t *service) {
	const char *ended = json_text(json_object_get(service, "exit"), "time");
	char *when = moments_local(ended, page->wall_ns), *how = exit_text(service);

	line(page, "command", "%s", json_text(service, "command"));
	line_count(page, service, "pid", "pid");
	line_count(page, service, "restarts", "restarts");
	line_count(page, service, "failures", "failures");
	if (*how) line(page, "last exit", "%s, %s", how, when);
	free(how);
	free(when);
	line(page, "degraded", "%s", json_text(service, "degraded"));
	line_time(page, "next try", service, "next_try");
	line(page, "log", "%s", json_text(service, "log"));
}

/* ---- step ---- */

static void print_a_step(const struct page *page, const json_t *step) {
	line(page, "kind", "%s", json_text(step, "kind"));
	line(page, "why", "%s", json_text(step, "why"));
	line_time(page, "done", step, "done");
	line_count(page, step, "pid", "pid");
	line_count(page, step, "tries", "tries");
	line_time(page, "next try", step, "next_try");
	line(page, "log", "%s", json_text(step, "log"));
}

void status_unit_print(const json_t *unit, int64_t wall_ns) {
	const json_t *folder = json_object_get(unit, "folder"),
		     *service = json_object_get(unit, "service");
	struct page page = { .wall_ns = wall_ns };
	int64_t age_ms = json_age_ms(unit, "since", wall_ns);
	char *span = span_text(age_ms < 0 ? 0 : age_ms);

	term_init(&page.term, STDOUT_FILENO);
	line(&page, "unit", "%s", json_text(unit, "unit"));
	line(&page, "state", "%s for %s%s%s", unit_word(unit), span,
		json_flag(unit, "enabled") ? "" : ", not enabled",
		json_flag(unit, "needs_person") ? ", a person is needed" : "");
	if (json_is_object(folder))
		line(&page, "detail", "%s", json_text(unit, "detail"));
	else
		line_time(&page, "detail", unit, "detail");
	print_names(&page, unit, "waits_for", "waits for");
	print_names(&page, unit, "dependents", "needed by");
	if (json_is_object(folder)) print_folder(&page, folder, json_text(unit, "name"));
	if (json_is_object(service)) print_service(&page, service);
	const json_t *step = json_object_get(unit, "step");
	if (json_is_object(step)) print_a_step(&page, step);
	free(span);
}
