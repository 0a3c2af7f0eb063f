/* A large file that comes in several spans at once, and what a kill, a power cut and other hands at the remote do to it meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cases.h"
#include "support/edits.h"

enum {
	SPAN = 20000,
	SPANS = 12,
	SIZE = SPAN * SPANS - 777,
	LANES = 4,
	LATENCY_MS = 4000,
	NOTED_MS = 350
};

static struct coming {
	int64_t asked, ahead; /* bytes; how far beyond what was all here one was asked for */
	int asked_times;
	int at; /* with this GET on its way `then` is done, once */
	void (*then)(struct ground *g);
	enum err_kind answer; /* of that one; ERR_NONE: as usual */
	bool away;            /* nobody answers who asks for it */
	char *body;
} now;

/* ---- the remote ---- */

static void put(struct ground *g, uint64_t seed) {
	struct store_op op;
	struct err err;
	free(now.body);
	now.body = xmalloc(SIZE);
	for (size_t i = 0; i < SIZE; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		now.body[i] = (char)(seed >> 56);
	}
	store_op_init(&op, STORE_PUT, "large");
	op.kind = STORE_FILE;
	op.body = now.body;
	op.body_len = SIZE;
	op.size = SIZE;
	op.mode = 0600;
	op.mtime_ns = 1700000000 * NS_PER_S;
	if (store_memory_now(g->content, &op, &err)) fail_msg("%s", err.text);
	store_op_release(&op);
}

static void put_other(struct ground *g) {
	put(g, 4711);
}

static void leave(struct ground *g) {
	g->stop = true;
}

static int64_t here_bytes(struct ground *g) {
	struct folder_flight *flights;
	int64_t here = 0;
	size_t count = folder_flights(g->folder, 10, &flights);
	size_t len;
	if (disk_memory_peek(g->memory, "large", &len)) here = SIZE; /* it has its place */
	for (size_t i = 0; i < count; i++)
		if (str_equal(flights[i].path, "large")) here = flights[i].done_bytes;
	folder_flights_free(flights, count);
	return here;
}

static struct err watch(struct ground *g, const struct store_op *op, bool *after) {
	struct err err = { .kind = ERR_NONE };
	(void)after;
	if (op->verb != STORE_GET || !str_equal(op->key, "large")) return err;
	int64_t here = here_bytes(g),
		end = op->offset + op->length < SIZE ? op->offset + op->length : SIZE;
	if (end - here > now.ahead) now.ahead = end - here;
	now.asked += end - op->offset;
	if (now.away) err_set(&err, ERR_OFFLINE, "nobody answers");
	if (++now.asked_times != now.at) return err;
	if (now.then) now.then(g);
	if (now.answer != ERR_NONE) err_set(&err, now.answer, "as the test wants it");
	return err;
}

static struct ground *begin(bool hashless) {
	const struct store_memory_options options = { .hashless = hashless };
	struct ground *g = case_begin(&options);
	struct err err;
	now = (struct coming){ 0 };
	g->settings.mode = FOLDER_FETCH;
	g->settings.poll_ms = 1000;
	g->span_bytes = SPAN;
	g->fault = watch;
	/* A folder that has something at the remote and nothing agreed is compared first. */
	assert_int_equal(disk_remove(g->disk, "first", &err), 0);
	put(g, 1);
	store_memory_latency(g->content, LATENCY_MS);
	return g;
}

/* ---- what is here ---- */

static int besides(struct ground *g) {
	struct disk_list list;
	struct err err;
	int count = 0;
	assert_int_equal(disk_list(g->disk, "", &list, &err), 0);
	for (size_t i = 0; i < list.count; i++) count += disk_is_beside(list.items[i].name);
	disk_list_release(&list);
	return count;
}

static size_t rows(struct ground *g) {
	struct index_bringing *all;
	struct err err;
	size_t count;
	assert_int_equal(index_bringing_list(g->index, &all, &count, &err), 0);
	index_bringing_free(all, count);
	return count;
}

static void end(struct ground *g) {
	size_t len = 0;
	const char *here = disk_memory_peek(g->memory, "large", &len);
	assert_non_null(here);
	assert_int_equal(len, SIZE);
	assert_memory_equal(here, now.body, SIZE);
	assert_int_equal(besides(g), 0);
	assert_int_equal(rows(g), 0);
	case_end(g);
	free(now.body);
}

/* ---- the stories ---- */

static void test_spans_come_at_once(void **state) {
	struct ground *g = begin(false);
	(void)state;
	ground_open(g);
	case_durable(g);
	assert_int_equal(now.asked, SIZE);
	assert_in_range(now.ahead, 2 * SPAN, LANES * SPAN);
	end(g);
}

/* Whatever stands there at the end comes whole. */
static void test_it_changes_between_spans(void **state) {
	(void)state;
	for (int at = 2; at <= SPANS; at++) {
		struct ground *g = begin(at % 2);
		now.at = at;
		now.then = put_other;
		ground_open(g);
		case_durable(g);
		case_durable(g);
		end(g);
	}
}

static void test_one_span_fails(void **state) {
	static const enum err_kind answers[] = { ERR_OFFLINE, ERR_BUSY, ERR_FULL };
	(void)state;
	for (int at = 2; at <= SPANS; at += 3) {
		for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
			struct ground *g = begin(false);
			now.at = at;
			now.answer = answers[i];
			now.then = leave;
			ground_open(g);
			ground_run(g, 3600000);
			assert_true(now.asked_times >= at);
			ground_run(g, 120000); /* until it is tried again */
			case_durable(g);
			/* A disk that is full gets its room back, and all of it comes again. */
			if (answers[i] != ERR_FULL)
				assert_in_range(now.asked, SIZE, SIZE + 2 * LANES * SPAN);
			end(g);
		}
	}
}

/* A kill, a stop or a power cut costs what was on its way, and what came right before it. */
static void test_a_restart_goes_on(void **state) {
	enum { STOPPED, KILLED, POWER, HOWS };
	(void)state;
	for (int at = 1; at <= SPANS; at++) {
		for (int how = 0; how < HOWS; how++) {
			struct ground *g = begin(at % 2);
			now.at = at;
			now.then = leave;
			ground_open(g);
			ground_run(g, 3600000);
			assert_true(now.asked_times >= at);
			/* What was here by now is noted before the end. */
			int64_t here = here_bytes(g);
			ground_run(g, NOTED_MS);
			int64_t asked = now.asked;
			assert_true(asked <= here_bytes(g) + LANES * SPAN);
			if (how == STOPPED)
				ground_close(g);
			else
				ground_kill(g, how == POWER, 0);
			ground_open(g);
			case_durable(g);
			assert_in_range(now.asked, SIZE, asked + SIZE - here);
			end(g);
		}
	}
}

/* What the index said last is lost with the power: less is believed, and never what was not synced. */
static void test_the_power_takes_commits(void **state) {
	(void)state;
	for (int at = 2; at <= SPANS; at++) {
		for (size_t lost = 1; lost <= 6; lost += 2) {
			struct ground *g = begin(true);
			now.at = at;
			now.then = leave;
			ground_open(g);
			ground_run(g, 3600000);
			ground_kill(g, true, lost);
			ground_open(g);
			case_durable(g);
			end(g);
		}
	}
}

static struct ground *killed_halfway(bool hashless) {
	struct ground *g = begin(hashless);
	now.at = SPANS - 2;
	now.then = leave;
	ground_open(g);
	ground_run(g, 3600000);
	ground_kill(g, false, 0);
	assert_int_equal(besides(g), 1);
	return g;
}

static void test_another_version_is_not_gone_on_with(void **state) {
	(void)state;
	for (int how = 0; how < 4; how++) {
		bool late = how % 2;
		struct ground *g = killed_halfway(how / 2);
		put_other(g);
		now.away = late; /* then a poll tells of it before it is asked for */
		ground_open(g);
		ground_run(g, 120000);
		now.away = false;
		now.asked = late ? 0 : now.asked;
		case_durable(g);
		case_durable(g);
		assert_true(now.asked >= SIZE);
		end(g);
	}
}

/* Its bytes were changed by whatever: by the hash that the remote tells that is seen. */
static void test_other_bytes_are_not_placed(void **state) {
	struct ground *g = killed_halfway(false);
	struct disk_list list;
	struct err err;
	(void)state;
	assert_int_equal(disk_list(g->disk, "", &list, &err), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(
		disk_memory_write(g->memory, list.items[0].name, 100, "other", 5, false, &err), 0);
	disk_list_release(&list);
	ground_open(g);
	case_durable(g);
	end(g);
}

/* Cut off, or gone, or another file of its name. */
static void test_what_is_beside_is_looked_at(void **state) {
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct ground *g = killed_halfway(true);
		struct disk_list list;
		struct err err;
		assert_int_equal(disk_list(g->disk, "", &list, &err), 0);
		const char *name = list.items[0].name;
		if (how == 0)
			assert_int_equal(
				disk_memory_write(g->memory, name, 0, "x", 1, true, &err), 0);
		else
			assert_int_equal(disk_remove(g->disk, name, &err), 0);
		if (how == 2) {
			assert_int_equal(disk_mkdir(g->disk, "takes its inode", 0700, &err), 0);
			char *zeros = xcalloc(1, SIZE);
			assert_int_equal(
				disk_memory_write(g->memory, name, 0, zeros, SIZE, false, &err), 0);
			free(zeros);
		}
		disk_list_release(&list);
		ground_open(g);
		case_durable(g);
		end(g);
	}
}

static void test_what_nobody_wants_goes(void **state) {
	struct ground *g = killed_halfway(false);
	(void)state;
	case_remote_do(g, STORE_REMOVE, STORE_FILE, "large");
	case_remote_do(g, STORE_PUT, STORE_FILE, "other");
	ground_open(g);
	case_durable(g);
	ground_run(g, 60000);
	assert_int_equal(besides(g), 0);
	assert_int_equal(rows(g), 0);
	case_end(g);
	free(now.body);
}

/* Of which no row speaks. */
static void test_what_nobody_knows_goes(void **state) {
	struct ground *g = begin(false);
	struct err err;
	(void)state;
	assert_int_equal(
		disk_memory_write(g->memory, ".tend-tmp.77.bring", 0, "x", 1, true, &err), 0);
	ground_run(g, 1000);
	ground_open(g);
	case_durable(g);
	end(g);
}

/* ---- it changes there once more while it comes ---- */

static struct again {
	struct timer timer;
	struct ground *g;
	int64_t after_ms;
	bool asked;
} again;

static void changes_again(struct timer *timer) {
	struct again *a = container_of(timer, struct again, timer);
	case_remote_do(a->g, STORE_PUT, STORE_FILE, "f");
}

static struct err ask_once(struct ground *g, const struct store_op *op, bool *after) {
	(void)g;
	(void)after;
	if (op->verb == STORE_GET && str_equal(op->key, "f") && !again.asked) {
		again.asked = true;
		timer_start(&again.timer, again.after_ms);
	}
	return (struct err){ .kind = ERR_NONE };
}

static void remote_put(struct ground *g, const char *bytes) {
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_PUT, "f");
	op.kind = STORE_FILE;
	op.body = bytes;
	op.body_len = strlen(bytes);
	op.size = (int64_t)op.body_len;
	op.mode = 0755;
	op.mtime_ns = 1600000000 * NS_PER_S;
	if (store_memory_now(g->content, &op, &err)) fail_msg("%s", err.text);
	store_op_release(&op);
}

/* Where nothing tells of it a second time: the first time was before it was here. */
static void test_it_changes_while_it_comes(void **state) {
	(void)state;
	for (int how = 0; how < 8; how++) {
		const struct store_memory_options options = {
			.changes = how % 2, .deep_versions = how % 2 == 0, .list_by_folder = true
		};
		for (int64_t after_ms = 0; after_ms < 4000; after_ms += 100) {
			struct ground *g = case_begin(&options);
			size_t len = 0;
			g->settings.mode = how / 2 % 2 ? FOLDER_FETCH : FOLDER_TWO_WAY;
			g->settings.poll_ms = 100;
			case_remote_do(g, STORE_PUT, STORE_FILE, "other");
			if (how / 4) remote_put(g, "the first");
			ground_open(g);
			case_durable(g);
			again = (struct again){ .g = g, .after_ms = after_ms };
			timer_init(&again.timer, g->loop, changes_again);
			g->fault = ask_once;
			store_memory_latency(g->content, 2000);
			remote_put(g, "was theirs");
			ground_run(g, 20000);
			assert_true(again.asked);
			store_memory_latency(g->content, 0);
			case_durable(g);
			case_durable(g);
			const char *here = disk_memory_peek(g->memory, "f", &len);
			assert_int_equal(len, strlen("theirs"));
			assert_memory_equal(here, "theirs", len);
			timer_cancel(&again.timer);
			case_end(g);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans_come_at_once),
		cmocka_unit_test(test_it_changes_between_spans),
		cmocka_unit_test(test_one_span_fails),
		cmocka_unit_test(test_a_restart_goes_on),
		cmocka_unit_test(test_the_power_takes_commits),
		cmocka_unit_test(test_another_version_is_not_gone_on_with),
		cmocka_unit_test(test_other_bytes_are_not_placed),
		cmocka_unit_test(test_what_is_beside_is_looked_at),
		cmocka_unit_test(test_what_nobody_wants_goes),
		cmocka_unit_test(test_what_nobody_knows_goes),
		cmocka_unit_test(test_it_changes_while_it_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
