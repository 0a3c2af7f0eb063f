/* The end of an idle machine on a virtual clock: no way leads from a failed flush, a person, a suspend or an unknown signal to the
 * act. The house is played: what it is asked for is noted, and answered as a scene says. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "power/idle.h"

enum { M = 60 * 1000 };

static char root[] = "/tmp/tend-flow-XXXXXX";

/* What happens when the house is asked for it the first time. */
enum trouble {
	NO_TROUBLE,
	FIRST_FLUSH_FAILS,
	LAST_FLUSH_FAILS,
	STOP_FAILS,
	SLEEPS_IN_FIRST_FLUSH,
	SLEEPS_IN_LAST_FLUSH,
	PERSON_IN_FIRST_FLUSH,
	PERSON_WHILE_STOPPING,
	PERSON_IN_LAST_FLUSH,
	AWAKE_AFTER_WARNING,
	AWAKE_WHILE_STOPPING,
	STEP_IN_LAST_FLUSH,
	BLIND,
};

struct scene {
	const char *name;
	enum trouble trouble;
	bool force;
	const char *
		asked; /* w warned, f flush, F the last, s stop, b begin again, a act, x called off, B blind */
};

static const struct scene scenes[] = {
	{ "nobody", NO_TROUBLE, false, "wfsFa" },
	{ "the first flush fails", FIRST_FLUSH_FAILS, false, "wfx" },
	{ "the first flush fails, force", FIRST_FLUSH_FAILS, true, "wfsFa" },
	{ "the last flush fails", LAST_FLUSH_FAILS, false, "wfsFxb" },
	{ "the last flush fails, force", LAST_FLUSH_FAILS, true, "wfsFa" },
	{ "a stop fails", STOP_FAILS, false, "wfsxb" },
	{ "it sleeps in the first flush", SLEEPS_IN_FIRST_FLUSH, true, "wfx" },
	{ "it sleeps in the last flush", SLEEPS_IN_LAST_FLUSH, true, "wfsFxb" },
	{ "a person in the first flush", PERSON_IN_FIRST_FLUSH, true, "wfx" },
	{ "a person while services stop", PERSON_WHILE_STOPPING, true, "wfsFxb" },
	{ "a person in the last flush", PERSON_IN_LAST_FLUSH, true, "wfsFxb" },
	{ "awake after the warning", AWAKE_AFTER_WARNING, true, "wx" },
	{ "awake while services stop", AWAKE_WHILE_STOPPING, true, "wfsxb" },
	{ "what cannot be told is told after six hours", BLIND, true, "B" },
	{ "a step in the last flush", STEP_IN_LAST_FLUSH, true, "wfsFxb" },
};

struct play {
	const struct scene *scene;
	struct loop *loop;
	struct idle *idle;
	struct buf asked;
	struct timer answer;
	bool fails, step, over, closed;
};

static struct play play;

static void person_types(void) {
	char *path = path_join(root, "dev/pts/1");
	const time_t now = (time_t)(loop_wall_ns(play.loop) / NS_PER_S);
	const struct timespec times[2] = { { now, 0 }, { now, 0 } };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
}

static void answered(struct timer *timer) {
	struct err err;
	(void)timer;
	err_set(&err, ERR_OFFLINE, "nobody answers");
	bool fails = play.fails;
	play.fails = false; /* what follows may ask again */
	idle_done(play.idle, fails ? &err : NULL);
}

/* Long enough for some looks in between. */
static void answer_later(bool fails) {
	play.fails = fails;
	timer_start(&play.answer, 5 * M);
}

static bool is_trouble(enum trouble trouble) {
	return play.scene->trouble == trouble;
}

static void house_look(void *user, struct idle_house *house) {
	(void)user;
	house->step_busy = play.step;
	house->sync = (struct idle_answer){ .word = IDLE_IDLE, .age_ms = -1 };
}

static void house_service(void *user, const char *name, struct idle_answer *answer) {
	(void)user;
	(void)name;
	idle_say(answer, is_trouble(BLIND) ? IDLE_UNKNOWN : IDLE_IDLE, -1, "down");
}

static void house_flush(void *user, bool services_stopped) {
	(void)user;
	buf_addc(&play.asked, services_stopped ? 'F' : 'f');
	if (is_trouble(services_stopped ? SLEEPS_IN_LAST_FLUSH : SLEEPS_IN_FIRST_FLUSH))
		loop_skew_wall(play.loop, 3600 * NS_PER_S);
	if (is_trouble(services_stopped ? PERSON_IN_LAST_FLUSH : PERSON_IN_FIRST_FLUSH))
		person_types();
	if (services_stopped && is_trouble(STEP_IN_LAST_FLUSH)) play.step = true;
	answer_later(is_trouble(services_stopped ? LAST_FLUSH_FAILS : FIRST_FLUSH_FAILS));
}

static void house_flush_off(void *user) {
	(void)user;
	timer_cancel(&play.answer);
}

static void house_stop(void *user) {
	(void)user;
	buf_addc(&play.asked, 's');
	if (is_trouble(PERSON_WHILE_STOPPING)) person_types();
	if (is_trouble(AWAKE_WHILE_STOPPING))
		idle_awake(play.idle, loop_wall_ns(play.loop) + 3600 * NS_PER_S, false);
	answer_later(is_trouble(STOP_FAILS));
}

static void house_start(void *user) {
	(void)user;
	buf_addc(&play.asked, 'b');
	play.over = true;
}

static void house_told(void *user, const char *event, const char *text) {
	(void)user;
	if (str_equal(event, "idle.blind")) {
		assert_true(loop_now_ms(play.loop) >= 6LL * 3600 * 1000);
		buf_addc(&play.asked, 'B');
		play.over = true;
		return;
	}
	assert_string_equal(event, "idle");
	bool goes = strstr(text, "it goes now"), off = str_starts(text, "called off");
	buf_addc(&play.asked, goes ? 'a' : off ? 'x' : 'w');
	/* Called off before services were stopped there is no more to come. */
	play.over = play.over || goes || (off && !strchr(play.asked.at, 's'));
	if (!goes && !off && is_trouble(AWAKE_AFTER_WARNING))
		idle_awake(play.idle, loop_wall_ns(play.loop) + 24 * 3600 * NS_PER_S, true);
}

static void house_awake(void *user, int64_t until_ns) {
	(void)user;
	assert_true(until_ns > 0);
}

static const struct idle_calls calls = { house_look, house_service, house_flush, house_flush_off,
	house_stop, house_start, house_told, house_awake };

static void put(const char *path, const char *text) {
	char *whole = path_join(root, path), *parent = path_parent(whole),
	     *command = xasprintf("mkdir -p '%s'", parent);
	assert_int_equal(system(command), 0);
	FILE *file = fopen(whole, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	free(command);
	free(parent);
	free(whole);
}

static void closed(void *user) {
	(void)user;
	play.closed = true;
}

static void run(const struct scene *scene, uint64_t seed) {
	char *active[] = { "sync service:a tty", NULL };
	const struct idle_settings settings = { .after_ms = 30 * M,
		.every_ms = M / 2,
		.active = active,
		.action = "true",
		.warn_ms = 5 * M,
		.force = scene->force };
	put("proc/uptime", "4000.50 100.00\n");
	put("dev/pts/1", "");
	char *terminal = path_join(root, "dev/pts/1");
	const struct timespec long_ago[2] = { { 1000, 0 }, { 1000, 0 } };
	assert_int_equal(utimensat(AT_FDCWD, terminal, long_ago, 0), 0);
	assert_int_equal(chmod(terminal, 0600), 0); /* nobody is told: that would be output */
	free(terminal);
	play = (struct play){ .scene = scene, .loop = loop_new_simulated(seed) };
	buf_init(&play.asked, 100);
	timer_init(&play.answer, play.loop, answered);
	struct process_host *host = process_host_new_direct(play.loop);
	const struct idle_options options = {
		.loop = play.loop, .host = host, .root = root, .calls = &calls
	};
	play.idle = idle_new(&options);
	idle_configure(play.idle, &settings);
	loop_run_until(play.loop, &play.over);
	timer_cancel(&play.answer);
	idle_close(play.idle, closed, NULL);
	loop_run_until(play.loop, &play.closed);
	if (!str_equal(play.asked.at, scene->asked))
		fail_msg("%s, seed %d: '%s', not '%s'", scene->name, (int)seed, play.asked.at,
			scene->asked);
	idle_free(play.idle);
	process_host_free(host);
	buf_release(&play.asked);
	loop_free(play.loop);
}

static void test_scenes(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		for (uint64_t seed = 1; seed <= 5; seed++) run(&scenes[i], seed);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scenes) };
	if (!mkdtemp(root)) return 1;
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	char *command = xasprintf("rm -rf '%s'", root);
	if (system(command) != 0) rc = 1;
	free(command);
	return rc;
}
