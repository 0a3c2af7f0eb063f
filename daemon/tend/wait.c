/* tend wait: the barrier. The mark is what counts: once we have it, a daemon that restarts only
 * takes longer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tend/command.h"
#include "term/term.h"

enum {
	TICK_MS = 1000,
	RETRY_MS = 250,
	ABSENCE_MAX_MS = 60000, /* a daemon that restarts is back long before */
	MARK_MS = 60000,
};

static const struct command_option wait_options[] = {
	{ "timeout", 't', "DURATION", "give up after that, with exit code 4" },
	{ 0 },
};

struct barrier {
	struct call *call;
	const json_t *folders;
	json_t *marks;
	int64_t deadline_ms;     /* 0: none */
	int64_t absent_since_ms; /* 0: tendd is there */
	int64_t most_pending;
	struct term term;
};

static int64_t time_left_ms(const struct barrier *barrier, int64_t most_ms) {
	int64_t now_ms = loop_now_ms(barrier->call->client.loop);

	if (barrier->deadline_ms == 0 || barrier->deadline_ms - now_ms > most_ms) return most_ms;
	return barrier->deadline_ms > now_ms ? barrier->deadline_ms - now_ms : 0;
}

/* ---- progress ---- */

static bool is_waited_for(const struct barrier *barrier, const char *name) {
	return json_object_get(barrier->marks, name) != NULL;
}

/* Only on a terminal; the long poll goes on meanwhile. */
static void show_progress(struct barrier *barrier) {
	struct err err;
	int64_t pending = 0;
	size_t i;
	json_t *unit;

	if (!barrier->term.is_terminal || barrier->call->json) return;
	json_t *answer = units_load(barrier->call, &err);
	json_array_foreach(json_object_get(answer, "units"), i, unit) {
		const json_t *folder = json_object_get(unit, "folder");
		if (folder && is_waited_for(barrier, json_text(unit, "name"))) {
			pending += json_number(folder, "pending");
		}
	}
	json_decref(answer);
	if (pending > barrier->most_pending) barrier->most_pending = pending;
	char *note = answer ? xasprintf("%lld to go", (long long)pending) : xstrdup(err.text);
	struct term_progress progress = {
		.label = "waiting",
		.done = barrier->most_pending - pending,
		.total = barrier->most_pending,
		.note = note,
	};
	term_progress_show(&barrier->term, &progress);
	free(note);
}

/* ---- what came out ---- */

/* Whose bytes are missing is asked next. */
static int timed_out(const struct barrier *barrier) {
	struct buf names;
	const char *name;
	json_t *mark;

	buf_init(&names, 64 << 10);
	json_object_foreach(barrier->marks, name, mark) {
		buf_addf(&names, "%s%s", names.len ? ", " : "", name);
	}
	say("timed out: not all of '%s' is in the cloud yet", names.at);
	buf_release(&names);
	return EXIT_TIMED_OUT;
}

/* Where no retry is due: waiting longer would not help, a person or a reload may. */
static int held_up(const struct barrier *barrier, const json_t *answer) {
	const char *name;
	json_t *folder, *path;
	size_t i;

	if (barrier->call->json) print_json(answer);
	json_object_foreach(json_object_get(answer, "folders"), name, folder) {
		say("folder:%s: %s", name, json_text(folder, "text"));
		json_array_foreach(json_object_get(folder, "paths"), i, path) {
			say("  %s", json_string_value(path));
		}
	}
	return json_flag(answer, "needs_person") ? EXIT_PERSON : EXIT_FAILED;
}

/* An exit code, or -1: ask again. */
static int look_at(struct barrier *barrier, const struct ask *ask) {
	if (ask->err.kind == ERR_NONE) {
		barrier->absent_since_ms = 0;
		if (json_flag(ask->answer, "done")) {
			if (barrier->call->json) print_json(ask->answer);
			return EXIT_DONE;
		}
		/* Without a list it only says that it still works on it. */
		if (json_object_size(json_object_get(ask->answer, "folders")) == 0) return -1;
		return held_up(barrier, ask->answer);
	}
	/* Busy: it is on its way down, or too slow to answer. */
	if (ask->err.kind != ERR_OFFLINE && ask->err.kind != ERR_BUSY)
		return say_failure(barrier->call, &ask->err);

	int64_t now_ms = loop_now_ms(barrier->call->client.loop);
	if (barrier->absent_since_ms == 0) barrier->absent_since_ms = now_ms;
	if (now_ms - barrier->absent_since_ms > ABSENCE_MAX_MS)
		return say_failure(barrier->call, &ask->err);
	client_sleep(&barrier->call->client, time_left_ms(barrier, RETRY_MS));
	return -1;
}

/* ---- the flow ---- */

/* One long poll. An exit code, or -1: ask again. */
static int poll_once(struct barrier *barrier) {
	struct ask ask;
	int code = -1;

	ask_init(&ask, &barrier->call->client, "POST", "/v1/wait",
		json_pack("{sO}", "marks", barrier->marks));
	ask_start(&ask, 0);
	while (!ask_wait(&ask, time_left_ms(barrier, TICK_MS)) &&
		time_left_ms(barrier, TICK_MS) > 0) {
		show_progress(barrier);
	}
	if (ask.ended) code = look_at(barrier, &ask);
	ask_cancel(&ask);
	ask_release(&ask);
	return code;
}

/* From here on the question is fixed: what is written after this is not waited for. */
static int take_marks(struct barrier *barrier, json_t *folders) {
	struct ask ask;
	struct err err;
	int64_t patience_ms = time_left_ms(barrier, MARK_MS);

	ask_init(&ask, &barrier->call->client, "POST", "/v1/wait",
		json_pack("{sO}", "folders", folders));
	int rc = ask_run(&ask, patience_ms > 0 ? patience_ms : 1, &err);
	if (rc == 0) barrier->marks = json_incref(json_object_get(ask.answer, "marks"));
	ask_release(&ask);
	if (rc != 0 && err.kind == ERR_BUSY && barrier->deadline_ms > 0 &&
		time_left_ms(barrier, 1) == 0) {
		say("timed out: tendd did not answer in time");
		return EXIT_TIMED_OUT;
	}
	if (rc != 0) return say_failure(barrier->call, &err);
	if (json_is_object(barrier->marks)) return EXIT_DONE;
	say("tendd answered without marks: it is of another version");
	return EXIT_FAILED;
}

int barrier_run(struct call *call, json_t *folders, int64_t timeout_ms) {
	struct barrier barrier = { .call = call, .folders = folders };

	term_init(&barrier.term, STDERR_FILENO);
	if (timeout_ms > 0) barrier.deadline_ms = loop_now_ms(call->client.loop) + timeout_ms;
	int code = take_marks(&barrier, folders);
	if (code == EXIT_DONE) {
		do code = poll_once(&barrier);
		while (code < 0 && (barrier.deadline_ms == 0 || time_left_ms(&barrier, 1) > 0));
		term_progress_clear(&barrier.term);
		if (code < 0) code = timed_out(&barrier);
	}
	json_decref(barrier.marks);
	return code;
}

static int wait_run(struct call *call) {
	const char *timeout = call_option(call, "timeout");
	int64_t timeout_ms = 0;
	struct err err;

	if (timeout && (duration_parse(timeout, &timeout_ms) != 0 || timeout_ms <= 0)) {
		(void)err_set(
			&err, ERR_INVALID, "bad duration '%s': write 30s, 10m or 1h", timeout);
		return say_usage(call, &err);
	}
	json_t *folders = units_folders(call, &err);
	if (!folders) return say_failure(call, &err);
	int code = barrier_run(call, folders, timeout_ms);
	json_decref(folders);
	return code;
}

const struct command command_wait = {
	.name = "wait",
	.usage = "[FOLDER...] [--timeout DURATION]",
	.help = "returns when all that was written before is durable in the cloud",
	.options = wait_options,
	.most = SIZE_MAX,
	.run = wait_run,
};
