/* What each signal of [idle] makes of what it sees: a table for each. What reads the system is power_system.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "power/idle.h"

enum { S = 1000, M = 60 * S, AFTER = 30 * M };

static const int64_t wall_ns = 1767225600 * NS_PER_S; /* 2026-01-01T00:00:00Z */

static void check(const char *name, const struct idle_answer *answer, enum idle_word word,
	int64_t age_ms, const char *text) {
	if (answer->word != word || answer->age_ms != age_ms || !strstr(answer->text, text))
		fail_msg("%s: word %d, age %lld, '%s'", name, (int)answer->word,
			(long long)answer->age_ms, answer->text);
}

/* ---- several things at once ---- */

static void test_the_worse_counts(void **state) {
	/* word, age; in order of growing weight */
	static const struct {
		enum idle_word word;
		int64_t age_ms;
	} order[] = { { IDLE_IDLE, -1 }, { IDLE_IDLE, 9 }, { IDLE_IDLE, 5 }, { IDLE_UNKNOWN, 0 },
		{ IDLE_ACTIVE, 7 }, { IDLE_ACTIVE, 0 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		for (size_t j = 0; j < ARRAY_LEN(order); j++) {
			struct idle_answer left, right;
			size_t larger = i > j ? i : j;
			idle_say(&left, order[i].word, order[i].age_ms, "left");
			idle_say(&right, order[j].word, order[j].age_ms, "right");
			idle_worse(&left, &right);
			check("worse", &left, order[larger].word, order[larger].age_ms,
				i > j ? "left" : "right");
		}
	}
}

/* ---- cpu ---- */

static const struct {
	const char *before, *now;
	int64_t threshold;
	enum idle_word word;
	const char *text;
} cpus[] = {
	{ "cpu  10 0 10 1000 0 0 0 0 0 0\ncpu0 1\n", "cpu  20 0 10 1090 0 0 0 0 0 0\ncpu0 1\n", 10,
		IDLE_IDLE, "10.0%" },
	{ "cpu  10 0 10 1000 0 0 0 0 0 0\ncpu0 1\n", "cpu  111 0 10 1899 0 0 0 0 0 0\ncpu0 1\n", 10,
		IDLE_ACTIVE, "10.1%" },
	{ "cpu  10 0 10 1000 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n",
		"cpu  20 0 10 1090 0 0 0 0 0 0\ncpu0 1\ncpu1 1\n", 10, IDLE_ACTIVE, "20.0%" },
	/* One thread of many processors. */
	{ "cpu  0 0 0 0 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n",
		"cpu  100 0 0 300 0 0 0 0\ncpu0 1\ncpu1 1\ncpu2 1\ncpu3 1\n", 99, IDLE_ACTIVE,
		"100.0%" },
	/* Waiting for a disk is idle, interrupts are not. */
	{ "cpu  0 0 0 0 0 0 0 0\ncpu0 1\n", "cpu  0 0 0 10 90 0 0 0\ncpu0 1\n", 10, IDLE_IDLE,
		"0.0%" },
	{ "cpu  0 0 0 0 0 0 0 0\ncpu0 1\n", "cpu  0 1 2 85 0 3 4 5\ncpu0 1\n", 10, IDLE_ACTIVE,
		"15.0%" },
	{ "", "cpu  0 0 0 0 0 0 0 0\ncpu0 1\n", 10, IDLE_UNKNOWN, "next look" },
	{ "cpu  5 0 0 5 0 0 0 0\ncpu0 1\n", "", 10, IDLE_UNKNOWN, "cannot be read" },
	{ "cpu  5 0 0 5 0 0 0 0\ncpu0 1\n", "cpu  5 0 0 5 0 0 0 0\ncpu0 1\n", 10, IDLE_UNKNOWN,
		"next look" },
	{ "cpu  5 0 0 5 0 0 0 0\ncpu0 1\n", "cpu  4 0 0 9 0 0 0 0\ncpu0 1\n", 10, IDLE_UNKNOWN,
		"next look" },
	{ "cpu  5 0 0 5 0 0 0 0\ncpu0 1\n", "cpu  5 0 0 6 0 0 0 0\ncpu0 1\n", 10, IDLE_IDLE,
		"0.0%" },
	{ "cpu  5 0 0 5 0 0 0 0\n", "cpu  5 0 0 6 0 0 0 0\n", 10, IDLE_UNKNOWN, "" },
	{ "cpu  5 0 x\ncpu0 1\n", "cpu  5 0 0 6 0 0 0 0\ncpu0 1\n", 10, IDLE_UNKNOWN, "" },
};

static void test_cpu(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
		struct idle_cpu before, now;
		struct idle_answer answer;
		signal_cpu_parse(cpus[i].before, &before);
		signal_cpu_parse(cpus[i].now, &now);
		signal_cpu(&before, &now, cpus[i].threshold, &answer);
		check(cpus[i].now, &answer, cpus[i].word, cpus[i].word == IDLE_IDLE ? -1 : 0,
			cpus[i].text);
	}
	struct idle_cpu cpu;
	assert_int_equal(signal_cpu_parse(NULL, &cpu), -1);
	assert_int_equal(signal_cpu_parse("intr 1\n", &cpu), -1);
}

/* ---- net ---- */

static const char net_head[] =
	"Inter-|   Receive                    |  Transmit\n face |bytes packets errs drop\n";

static void test_net(void **state) {
	static const struct {
		const char *lines;
		int rc;
		uint64_t bytes;
	} files[] = {
		{ "  eth0: 100 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\n", 0, 123 },
		{ "    lo: 100 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\n  eth0: 1 1 0 0 0 0 0 0 2 1 0 0 0 0 "
		  "0 0\n",
			0, 3 },
		{ "longlink:5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\n", 0, 11 },
		{ "docker0: 100 1 0 0 0 0 0 0 23 1 0 0 0 0 0 0\nveth1: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 "
		  "0 0\n",
			0, 0 },
		{ "", 0, 0 },
		{ "  eth0: 100 1 0\n", -1, 0 },
		{ "  eth0 100\n", -1, 0 },
	};
	static const struct {
		int64_t bytes, elapsed_ms;
		enum idle_word word;
	} speeds[] = {
		{ 1000, 1000, IDLE_IDLE },
		{ 1001, 1000, IDLE_ACTIVE },
		{ 0, 1, IDLE_IDLE },
		{ 30000, 30000, IDLE_IDLE },
		{ -1, 1000, IDLE_UNKNOWN },
		{ 5, 0, IDLE_UNKNOWN },
		{ 5, -1, IDLE_UNKNOWN },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *text = xconcat(net_head, files[i].lines);
		uint64_t bytes;
		assert_int_equal(signal_net_parse(text, &bytes), files[i].rc);
		if (files[i].rc == 0) assert_int_equal(bytes, files[i].bytes);
		free(text);
	}
	for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
		struct idle_answer answer;
		signal_net(speeds[i].bytes, speeds[i].elapsed_ms, 1000, &answer);
		check("net", &answer, speeds[i].word, speeds[i].word == IDLE_IDLE ? -1 : 0, "");
	}
	uint64_t bytes;
	assert_int_equal(signal_net_parse(NULL, &bytes), -1);
	assert_int_equal(signal_net_parse("one line", &bytes), -1);
}

/* ---- tty ---- */

static void test_tty(void **state) {
	struct idle_terminal at[] = { { "pts/0", 0, 50 * M, 0 }, { "pts/1", 0, AFTER, 0 } };
	struct idle_terminals terminals = { at, 2, false };
	struct idle_answer answer;
	(void)state;
	signal_tty(&terminals, AFTER, &answer);
	check("old", &answer, IDLE_IDLE, AFTER, "pts/1");
	at[1].input_age_ms = AFTER - 1;
	signal_tty(&terminals, AFTER, &answer);
	check("young", &answer, IDLE_ACTIVE, AFTER - 1, "pts/1");
	terminals.count = 0;
	signal_tty(&terminals, AFTER, &answer);
	check("none", &answer, IDLE_IDLE, -1, "nobody");
	terminals.failed = true;
	signal_tty(&terminals, AFTER, &answer);
	check("failed", &answer, IDLE_UNKNOWN, 0, "cannot");
}

/* The kernel's times lag by eight seconds; what we wrote ourselves is nobody's output. */
static void test_output_age(void **state) {
	const int64_t s_ns = NS_PER_S;
	(void)state;
	assert_int_equal(signal_tty_output_age(wall_ns - 60 * s_ns, wall_ns, 0), 52 * S);
	assert_int_equal(signal_tty_output_age(wall_ns - 3 * s_ns, wall_ns, 0), 0);
	assert_int_equal(signal_tty_output_age(wall_ns + s_ns, wall_ns, 0), 0);
	assert_int_equal(
		signal_tty_output_age(wall_ns - 60 * s_ns, wall_ns, wall_ns - 60 * s_ns), -1);
	assert_int_equal(
		signal_tty_output_age(wall_ns - 68 * s_ns, wall_ns, wall_ns - 60 * s_ns), -1);
	assert_int_equal(
		signal_tty_output_age(wall_ns - 68 * s_ns - 1, wall_ns, wall_ns - 60 * s_ns),
		60 * S);
	assert_int_equal(
		signal_tty_output_age(wall_ns - 58 * s_ns, wall_ns, wall_ns - 60 * s_ns), -1);
	assert_int_equal(signal_tty_output_age(
				 wall_ns - 58 * s_ns + NS_PER_MS, wall_ns, wall_ns - 60 * s_ns),
		50 * S - 1);
}

/* ---- ssh, mosh ---- */

static const struct {
	const char *name;
	struct idle_session session;
	enum idle_word word;
	int64_t age_ms;
	const char *text;
} sessions[] = {
	{ "typed lately", { "soph", "pts/3", 1, "", AFTER - 1, 2 * AFTER, -1 }, IDLE_ACTIVE,
		AFTER - 1, "soph at pts/3" },
	{ "typed long ago", { "soph", "pts/3", 1, "", AFTER, 2 * AFTER, -1 }, IDLE_IDLE, AFTER,
		"30m" },
	{ "shown lately", { "soph", "pts/3", 1, "", 2 * AFTER, M, -1 }, IDLE_ACTIVE, M, "1m" },
	{ "shown never", { "soph", "pts/3", 1, "", 2 * AFTER, -1, -1 }, IDLE_IDLE, 2 * AFTER,
		"1h" },
	{ "shown just now", { "soph", "pts/3", 1, "", 2 * AFTER, 0, -1 }, IDLE_ACTIVE, 0, "" },
	{ "typed just now", { "soph", "pts/3", 1, "", 0, 2 * AFTER, -1 }, IDLE_ACTIVE, 0, "" },
	{ "only shown", { "soph", "pts/3", 1, "", -1, 2 * AFTER, -1 }, IDLE_IDLE, 2 * AFTER, "" },
	{ "a job in front", { "soph", "pts/3", 1, "vim", 2 * AFTER, 2 * AFTER, -1 }, IDLE_ACTIVE, 0,
		"runs 'vim'" },
	{ "ages unknown", { "soph", "pts/3", 1, "", -1, -1, -1 }, IDLE_UNKNOWN, 0, "not known" },
	{ "no terminal, moves", { "soph", "", 1, "", -1, -1, 201 }, IDLE_ACTIVE, 0, "moves bytes" },
	{ "no terminal, keeps alive", { "soph", "", 1, "", -1, -1, 200 }, IDLE_IDLE, -1,
		"moves nothing" },
	{ "no terminal, still", { "soph", "", 1, "", -1, -1, 0 }, IDLE_IDLE, -1, "moves nothing" },
	{ "no terminal, unknown", { "soph", "", 1, "", -1, -1, -1 }, IDLE_UNKNOWN, 0, "not known" },
};

static void test_ssh(void **state) {
	struct idle_sessions all = { .count = 0 };
	struct idle_answer answer;
	(void)state;
	signal_ssh(&all, AFTER, &answer);
	check("nobody", &answer, IDLE_IDLE, -1, "no login");
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		all.at[0] = sessions[i].session;
		all.count = 1;
		signal_ssh(&all, AFTER, &answer);
		check(sessions[i].name, &answer, sessions[i].word, sessions[i].age_ms,
			sessions[i].text);
	}
	all.failed = true;
	signal_ssh(&all, AFTER, &answer);
	check("failed", &answer, IDLE_UNKNOWN, 0, "cannot be listed");
}

static void test_mosh(void **state) {
	struct idle_mosh server = { 7, 10, sessions[0].session };
	struct idle_answer answer;
	(void)state;
	signal_mosh(&server, 0, AFTER, &answer);
	check("none", &answer, IDLE_IDLE, -1, "no mosh");
	signal_mosh(&server, 1, AFTER, &answer);
	check("attached", &answer, IDLE_ACTIVE, AFTER - 1, "soph");
	server.switches_a_minute = 9;
	signal_mosh(&server, 1, AFTER, &answer);
	check("left", &answer, IDLE_IDLE, -1, "nobody at its other end");
	server.switches_a_minute = 0;
	signal_mosh(&server, 1, AFTER, &answer);
	check("long left", &answer, IDLE_IDLE, -1, "nobody at its other end");
	server.switches_a_minute = -1;
	signal_mosh(&server, 1, AFTER, &answer);
	check("first look", &answer, IDLE_UNKNOWN, 0, "next look");
	server = (struct idle_mosh){ 7, 20, sessions[1].session };
	signal_mosh(&server, 1, AFTER, &answer);
	check("attached, nobody types", &answer, IDLE_IDLE, AFTER, "soph");
}

/* ---- tmux, jobs, command ---- */

static void test_tmux(void **state) {
	struct idle_pane panes[] = { { "", 50 }, { "less", 0 }, { "python", 1 } };
	struct idle_answer answer;
	(void)state;
	signal_tmux(panes, 0, &answer);
	check("none", &answer, IDLE_IDLE, -1, "no tmux");
	signal_tmux(panes, 1, &answer);
	check("a shell", &answer, IDLE_IDLE, -1, "no pane is busy");
	signal_tmux(panes, 2, &answer);
	check("waits", &answer, IDLE_IDLE, -1, "");
	signal_tmux(panes, 3, &answer);
	check("works", &answer, IDLE_ACTIVE, 0, "'python'");
	panes[2].ticks = -1;
	signal_tmux(panes, 3, &answer);
	check("first look", &answer, IDLE_UNKNOWN, 0, "next look");
}

static void test_jobs(void **state) {
	struct idle_job jobs[] = { { "bash", 5, 20 }, { "python", 6, 21 } };
	struct idle_answer answer;
	(void)state;
	signal_jobs(jobs, 0, &answer);
	check("none", &answer, IDLE_IDLE, -1, "no process");
	signal_jobs(jobs, 1, &answer);
	check("little", &answer, IDLE_IDLE, -1, "no process");
	signal_jobs(jobs, 2, &answer);
	check("works", &answer, IDLE_ACTIVE, 0, "'python' (6) uses 2%");
	jobs[0].percent10 = -1;
	signal_jobs(jobs, 1, &answer);
	check("first look", &answer, IDLE_UNKNOWN, 0, "next look");
	jobs[0].percent10 = 0;
	signal_jobs(jobs, 1, &answer);
	check("nothing", &answer, IDLE_IDLE, -1, "no process");
}

static void test_command(void **state) {
	struct idle_answer answer;
	(void)state;
	signal_command(true, 0, 0, "", &answer);
	check("0", &answer, IDLE_ACTIVE, 0, "in use");
	signal_command(true, 1, 0, "", &answer);
	check("1", &answer, IDLE_IDLE, -1, "not in use");
	signal_command(true, 2, 0, "", &answer);
	check("2", &answer, IDLE_UNKNOWN, 0, "exit code 2");
	signal_command(true, 1, 9, "", &answer);
	check("killed", &answer, IDLE_UNKNOWN, 0, "signal 9");
	signal_command(false, 1, 0, "no such program", &answer);
	check("not run", &answer, IDLE_UNKNOWN, 0, "no such program");
}

/* ---- jupyter ---- */

#define KERNEL(state, time)                                                                  \
	"[{\"name\":\"python3\",\"last_activity\":\"" time "\",\"execution_state\":\"" state \
	"\",\"connections\":1}]"

static const struct {
	const char *json;
	enum idle_word word;
	int64_t age_ms;
	const char *text;
} kernels[] = {
	{ "[]", IDLE_IDLE, -1, "no kernel" },
	{ KERNEL("busy", "2020-01-01T00:00:00.000000Z"), IDLE_ACTIVE, 0, "busy" },
	{ KERNEL("starting", "2020-01-01T00:00:00.000000Z"), IDLE_ACTIVE, 0, "starting" },
	{ KERNEL("restarting", "2020-01-01T00:00:00.000000Z"), IDLE_ACTIVE, 0, "restarting" },
	{ KERNEL("autorestarting", "2020-01-01T00:00:00.000000Z"), IDLE_ACTIVE, 0,
		"autorestarting" },
	{ KERNEL("dead", "2025-12-31T23:59:59Z"), IDLE_IDLE, -1, "" },
	{ KERNEL("strange", "2020-01-01T00:00:00Z"), IDLE_UNKNOWN, 0, "strange" },
	{ KERNEL("idle", "2025-12-31T23:00:00.123456Z"), IDLE_IDLE, 60 * M, "1h" },
	{ KERNEL("idle", "2025-12-31T23:00:01.000000Z"), IDLE_ACTIVE, 60 * M - S, "59m59s" },
	{ KERNEL("idle", "2026-01-01T00:00:05Z"), IDLE_ACTIVE, 0, "" },
	{ KERNEL("idle", "2025-12-31T23:59:59Z"), IDLE_ACTIVE, S, "" },
	{ KERNEL("idle", "2026-01-01T00:00:00Z"), IDLE_ACTIVE, 0, "" },
	{ KERNEL("idle", "yesterday"), IDLE_UNKNOWN, 0, "does not tell" },
	{ "[{\"execution_state\":\"idle\"}]", IDLE_UNKNOWN, 0, "does not tell" },
	{ "[{}]", IDLE_UNKNOWN, 0, "no state" },
	{ "{\"message\":\"Forbidden\"}", IDLE_UNKNOWN, 0, "does not list" },
	{ "<html>", IDLE_UNKNOWN, 0, "does not list" },
	{ "", IDLE_UNKNOWN, 0, "does not list" },
};

static void test_jupyter(void **state) {
	struct idle_answer answer;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
		signal_jupyter_kernels(kernels[i].json, wall_ns, 60 * M, &answer);
		check(kernels[i].json, &answer, kernels[i].word, kernels[i].age_ms,
			kernels[i].text);
	}
	signal_jupyter_terminals("[{\"name\":\"1\",\"last_activity\":\"2025-12-31T23:30:00Z\"}]",
		wall_ns, AFTER, &answer);
	check("terminal, old", &answer, IDLE_IDLE, AFTER, "terminal 1");
	signal_jupyter_terminals("[{\"name\":\"1\",\"last_activity\":\"2025-12-31T23:30:01Z\"}]",
		wall_ns, AFTER, &answer);
	check("terminal", &answer, IDLE_ACTIVE, AFTER - S, "terminal 1");
	signal_jupyter_terminals("[{\"name\":\"1\"}]", wall_ns, AFTER, &answer);
	check("terminal of an old server", &answer, IDLE_IDLE, -1, "no terminal");
	signal_jupyter_terminals("null", wall_ns, AFTER, &answer);
	check("no list", &answer, IDLE_UNKNOWN, 0, "does not list");
}

/* ---- gpu: the verdict ---- */

static const struct {
	const char *name;
	struct idle_gpu gpus[2];
	size_t count;
	enum idle_word word;
	const char *text;
} gpus[] = {
	{ "idle", { { 5, 1 } }, 1, IDLE_IDLE, "GPU 0 at 5%" },
	{ "zero", { { 0, 1 } }, 1, IDLE_IDLE, "GPU 0 at 0%" },
	{ "busy", { { 6, 0 } }, 1, IDLE_ACTIVE, "GPU 0 at 6%" },
	{ "second busy", { { 0, 0 }, { 99, 1 } }, 2, IDLE_ACTIVE, "GPU 1 at 99%" },
	{ "MIG, none", { { -1, 0 } }, 1, IDLE_IDLE, "no process" },
	{ "MIG, some", { { -1, 1 } }, 1, IDLE_UNKNOWN, "1 processes" },
	{ "tells nothing", { { -1, -1 } }, 1, IDLE_UNKNOWN, "how busy" },
	{ "one tells nothing", { { 0, 0 }, { -1, -1 } }, 2, IDLE_UNKNOWN, "GPU 1" },
	{ "none", { { 0, 0 } }, 0, IDLE_IDLE, "no GPU" },
};

static void test_gpu(void **state) {
	struct idle_answer answer;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(gpus); i++) {
		struct idle_gpu_look look = { .found = IDLE_GPUS_FOUND, .count = gpus[i].count };
		memcpy(look.at, gpus[i].gpus, sizeof(gpus[i].gpus));
		signal_gpu(&look, 5, &answer);
		check(gpus[i].name, &answer, gpus[i].word, gpus[i].word == IDLE_IDLE ? -1 : 0,
			gpus[i].text);
	}
	const struct idle_gpu_look trouble = { .found = IDLE_GPUS_TROUBLE, .trouble = "no driver" };
	signal_gpu(&trouble, 5, &answer);
	check("trouble", &answer, IDLE_UNKNOWN, 0, "no driver");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_worse_counts),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_output_age),
		cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_mosh),
		cmocka_unit_test(test_tmux),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_jupyter),
		cmocka_unit_test(test_gpu),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
