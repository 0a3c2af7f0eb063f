/* tend awake, tend why-awake: keep the machine up, and what does. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tend/command.h"
#include "term/term.h"

static void print_until(const json_t *answer) {
	char at[TIME_TEXT_SIZE];
	int64_t until_ns;
	if (time_parse(json_text(answer, "awake_until"), &until_ns) != 0) {
		puts("it may go off when nobody uses it");
		return;
	}
	time_format_local(until_ns, at);
	printf("stays up until %s\n", at);
}

static int awake_run(struct call *call) {
	const char *word = call->words[0];
	int64_t ms = 0;
	struct err err;
	bool off = str_equal(word, "off");
	if (word && !off && (duration_parse(word, &ms) != 0 || ms <= 0)) {
		err_set(&err, ERR_INVALID, "bad duration '%s': write 30m, 2h or off", word);
		return say_usage(call, &err);
	}
	json_t *body = json_object();
	if (off) json_object_set_new(body, "off", json_true());
	if (ms) json_object_set_new(body, "duration_seconds", json_integer((ms + 999) / 1000));
	json_t *answer = client_ask(&call->client, "POST", "/v1/awake", body, &err);
	if (!answer) return say_failure(call, &err);
	if (call->json)
		print_json(answer);
	else
		print_until(answer);
	if (!call->json && !json_is_object(json_object_get(answer, "idle")))
		say("there is no [idle] in the configuration: it does not go off by itself");
	json_decref(answer);
	return EXIT_DONE;
}

static void print_head(const json_t *idle) {
	char *why = str_printable(json_text(idle, "why")),
	     *action = str_printable(json_text(idle, "action"));
	char *warning = str_printable(json_text(idle, "warning"));
	const json_t *left = json_object_get(idle, "left_seconds");
	printf("%s: %s\n", json_text(idle, "phase"), why);
	if (json_is_integer(left)) {
		char *span = span_text(json_integer_value(left) * 1000);
		printf("'%s'%s in %s, when nothing changes\n", action,
			json_flag(idle, "dry_run") ? " (dry run)" : "", span);
		free(span);
	}
	if (json_flag(idle, "awake")) print_until(idle);
	if (*warning) printf("note: %s\n", warning);
	free(warning);
	free(action);
	free(why);
}

static void print_signals(const json_t *signals, int64_t wall_ns) {
	static const struct term_column columns[] = { { .title = "SIGNAL" }, { .title = "STATE" },
		{ .title = "ACTIVE", .right = true }, { .title = "DETAIL", .gives = true } };
	struct term_table table;
	size_t i;
	json_t *signal;
	term_table_init(&table, columns, ARRAY_LEN(columns));
	json_array_foreach(signals, i, signal) {
		int64_t age_ms = json_age_ms(signal, "active", wall_ns);
		char *span = age_ms < 0 ? xstrdup("") : span_text(age_ms);
		char *name = str_printable(json_text(signal, "signal")),
		     *text = str_printable(json_text(signal, "text"));
		const char *cells[] = { name, json_text(signal, "state"), span, text };
		term_table_add(&table, cells);
		free(text);
		free(name);
		free(span);
	}
	if (table.row_count) say_table(&table);
	term_table_release(&table);
}

static int why_awake_run(struct call *call) {
	struct err err;
	json_t *answer = client_ask(&call->client, "GET", "/v1/awake", NULL, &err);
	if (!answer) return say_failure(call, &err);
	const json_t *idle = json_object_get(answer, "idle");
	if (call->json) {
		print_json(answer);
	} else if (!json_is_object(idle)) {
		puts("there is no [idle] in the configuration: it does not go off by itself");
	} else {
		print_head(idle);
		print_signals(json_object_get(answer, "signals"), loop_wall_ns(call->client.loop));
	}
	json_decref(answer);
	return EXIT_DONE;
}

const struct command command_awake = {
	.name = "awake",
	.usage = "[DURATION|off]",
	.help = "keep this machine up for so long (2h), whatever [idle] says",
	.most = 1,
	.run = awake_run,
};

const struct command command_why_awake = {
	.name = "why-awake",
	.usage = "",
	.help = "what keeps this machine up, signal by signal",
	.run = why_awake_run,
};
