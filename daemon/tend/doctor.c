/* tend doctor: what is wrong and what to do. tendd looks, who has the rights that count; without it, this command does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "tend/source.h"
#include "term/term.h"

enum { PATIENCE_MS = 180000 }; /* remotes that do not answer are waited for */

/* ---- without tendd ---- */

static void add_folders(const struct config *config, struct doctor_ground *ground) {
	const struct config_section *section = NULL;

	while ((section = config_next(config, "folder", section))) {
		const struct folder_settings *settings = section->settings;
		if (settings->path) doctor_add_folder(ground, section->name, settings->path, -1);
	}
}

/* "cause: what to do" of an error apart. */
static void add_error(struct findings *findings, const struct err *err) {
	const char *colon = strstr(err->text, ": ");
	bool person = err->kind == ERR_DENIED || err->kind == ERR_INVALID;

	finding_add(findings, person ? FINDING_PERSON : FINDING_WRONG,
		xstrdup(colon ? colon + 2 : "try again"), "%.*s",
		colon ? (int)(colon - err->text) : (int)strlen(err->text), err->text);
}

static void add_check(const char *file, struct findings *findings) {
	char **lines = NULL;
	struct err err;

	findings->check = "configuration";
	if (check_file(file, &lines, &err) != 0) {
		add_error(findings, &err);
		return;
	}
	for (size_t i = 0; lines && lines[i]; i++)
		finding_add(findings, FINDING_PERSON, xstrdup("tend edit"), "%s", lines[i]);
	strv_free(lines);
}

static void asked_all(struct store_doctor *doctor, void *user) {
	(void)doctor;
	*(bool *)user = true;
}

static void ask_remotes(struct call *call, const struct config *config, struct findings *findings) {
	struct store_doctor *doctor = store_doctor_new(call->client.loop, call->client.http);
	const struct config_section *section = NULL;
	bool over = false;

	/* What is wrong with the others was told with the configuration. */
	while ((section = config_next(config, "remote", section))) {
		if (!section->trouble) store_doctor_add(doctor, section->name, section->settings);
	}
	store_doctor_start(doctor, asked_all, &over);
	loop_run_until(call->client.loop, &over);
	store_doctor_tell(doctor, findings);
	store_doctor_free(doctor);
}

static void look_here(struct call *call, struct findings *findings) {
	struct doctor_ground ground = { .root = xstrdup(""), .home = xstrdup(getenv("HOME")) };
	struct config_user user;
	struct err err;
	char *file = direct_file(call, &err);
	struct config *config = file && access(file, F_OK) == 0 ? direct_config(file, &err) : NULL;

	ground.system = geteuid() == 0 && !call_option(call, "user");
	if (config_user_find(NULL, &user, &err) == 0) {
		ground.user = xstrdup(user.name);
		config_user_release(&user);
	}
	if (config) {
		config_doctor_ground(config, ground.home, &ground);
		ground.state_dir = direct_state_dir(config);
		add_folders(config, &ground);
		add_check(file, findings);
	}
	doctor_look(&ground, findings);
	if (config) ask_remotes(call, config, findings);
	config_free(config);
	free(file);
	doctor_ground_release(&ground);
}

/* ---- saying it ---- */

static enum term_colour colour_of(const char *level) {
	if (str_equal(level, "good")) return TERM_GREEN;
	return str_equal(level, "advice") ? TERM_YELLOW : TERM_RED;
}

/* The cure is the last word: on a terminal in a line of its own, ready to be copied. */
static void print_finding(const struct term *term, const json_t *finding) {
	const char *level = json_text(finding, "level");
	char *text = str_printable(json_text(finding, "text")),
	     *cure = str_printable(json_text(finding, "cure"));

	printf("%s%-7s%s %-14s %s%s%s\n", term_paint(term, colour_of(level)), level,
		term_unpaint(term, colour_of(level)), json_text(finding, "check"), text,
		*cure ? (term->is_terminal ? ":\n                         " : ": ") : "", cure);
	free(text);
	free(cure);
}

static int count(const json_t *findings, const char *level) {
	int found = 0;
	size_t i;
	json_t *finding;

	json_array_foreach(findings, i, finding) {
		if (str_equal(json_text(finding, "level"), level)) found++;
	}
	return found;
}

static void print_answer(const json_t *answer) {
	const json_t *findings = json_object_get(answer, "findings");
	int wrong = count(findings, "wrong"), person = count(findings, "person"),
	    advice = count(findings, "advice");
	struct term term;
	size_t i;
	json_t *finding;

	term_init(&term, STDOUT_FILENO);
	json_array_foreach(findings, i, finding) print_finding(&term, finding);
	if (wrong + person + advice == 0)
		puts("\nnothing is wrong");
	else
		printf("\n%d wrong, %d that wait for a person, %d that could be better\n", wrong,
			person, advice);
}

static int code_of(const json_t *answer) {
	const char *worst = json_text(answer, "worst");

	if (str_equal(worst, "person")) return EXIT_PERSON;
	return str_equal(worst, "wrong") ? EXIT_FAILED : EXIT_DONE;
}

static int doctor_run(struct call *call) {
	struct findings findings;
	struct ask ask;
	struct err err;
	json_t *answer;

	findings_init(&findings);
	ask_init(&ask, &call->client, "GET", "/v1/doctor", NULL);
	if (ask_run(&ask, PATIENCE_MS, &err) == 0) {
		answer = json_incref(ask.answer);
	} else {
		findings.check = "tendd";
		add_error(&findings, &err);
		look_here(call, &findings);
		answer = answer_findings(&findings);
	}
	ask_release(&ask);
	if (call->json)
		print_json(answer);
	else
		print_answer(answer);
	int code = code_of(answer);
	json_decref(answer);
	findings_release(&findings);
	return code;
}

const struct command command_doctor = {
	.name = "doctor",
	.usage = "",
	.help = "what is wrong with this machine, its limits and remotes, and what to do; exits 0, "
		"1, "
		"or 5: a person is needed",
	.fileless = true,
	.run = doctor_run,
};
