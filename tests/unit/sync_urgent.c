/* The last moments of a machine: small and new first, a large file on its way gives the line, a database waits for nobody. */
#include "support/world.h"

enum { MIB = 1 << 20, ORDER_MAX = 32 };

struct order {
	char keys[ORDER_MAX][32]; /* of files, in the order in which they were begun to be sent */
	int count;
	int begun, parts, aborted;
	int64_t part_ms, big_ms, big_at_ms;
	bool waited; /* the database for the end of `big`, `middle` for that of `slow` */
	struct bench *b;
	struct store_fault_plan plan;
};

static struct order order;

static bool is_there(struct bench *b, const char *name) {
	char *path = path_join(b->cloud, name);
	bool there = access(path, F_OK) == 0;
	free(path);
	return there;
}

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	(void)user;
	(void)after;
	order.begun += op->verb == STORE_PART_BEGIN;
	order.aborted += op->verb == STORE_PART_ABORT;
	if (op->verb == STORE_PART_PUT) {
		order.parts++;
		*delay_ms = order.part_ms;
	}
	if ((op->verb == STORE_PUT || op->verb == STORE_PART_END) &&
		!str_starts(op->key, ".tend") && order.count < ORDER_MAX) {
		snprintf(order.keys[order.count++], sizeof(order.keys[0]), "%s", op->key);
		if (str_equal(op->key, "big") || str_equal(op->key, "other/slow")) {
			*delay_ms = order.big_ms;
			order.big_at_ms = loop_now_ms(order.b->loop);
		} else if (str_equal(op->key, "db") || str_equal(op->key, "middle")) {
			/* It may also have gone before it. */
			order.waited = order.big_at_ms > 0 &&
				       loop_now_ms(order.b->loop) - order.big_at_ms >= order.big_ms;
		}
	}
	return (struct err){ .kind = ERR_NONE };
}

static void begin(struct bench *b) {
	order = (struct order){ .b = b };
	order.plan = (struct store_fault_plan){ .decide = decide };
	b->faults = &order.plan;
	world_open(b);
	wait_until(b, "idle", is_idle);
}

static int wanted;

static bool are_marked(struct bench *b) {
	struct folder_status status = status_of(b);
	bool marked = status.pending >= wanted; /* a journal has one too */
	folder_status_release(&status);
	return marked;
}

static void make(struct bench *b, const char *name, int64_t bytes) {
	shell("head -c %lld /dev/zero > '%s/%s'", (long long)bytes, b->local, name);
	wanted++;
	wait_until(b, "the mark", are_marked);
}

static void assert_order(const char *const *keys) {
	int i = 0;
	for (; keys[i]; i++) {
		if (i >= order.count) fail_msg("'%s' was not sent", keys[i]);
		assert_string_equal(order.keys[i], keys[i]);
	}
	assert_int_equal(order.count, i);
}

/* One at a time, so that the order is that of the queue. */
static void mark_all(struct bench *b) {
	b->settings.max_transfers = 1;
	begin(b);
	wanted = 0;
	folder_pause(b->folder);
	make(b, "old-small", 10);
	make(b, "huge", 70 * MIB);
	make(b, "large", 9 * MIB);
	make(b, "middle", 2 * MIB);
	make(b, "large-new", 9 * MIB);
	make(b, "new-small", MIB);
	make(b, "newest", 0);
}

static void test_small_and_new_first(void **state) {
	static const char *const keys[] = { "newest", "new-small", "old-small", "middle",
		"large-new", "large", "huge", NULL };
	struct bench *b = *state;
	mark_all(b);
	folder_urge(b->folder, true);
	folder_resume(b->folder);
	wait_until(b, "all of it", is_idle);
	assert_order(keys);
	world_close(b);
}

/* As usual, those of one kind come in the order in which they were made; and again after the alarm. */
static void test_as_usual(void **state) {
	struct bench *b = *state;
	mark_all(b);
	folder_urge(b->folder, true);
	folder_urge(b->folder, false);
	folder_resume(b->folder);
	wait_until(b, "all of it", is_idle);
	assert_string_equal(order.keys[0], "old-small");
	assert_string_equal(order.keys[1], "huge");
	world_close(b);
}

static bool part_is_sent(struct bench *b) {
	(void)b;
	return order.parts > 0;
}

static bool small_is_there(struct bench *b) {
	return is_there(b, "small");
}

/* Its session stays, and what was sent is not sent again. */
static void test_a_large_one_gives_the_line(void **state) {
	static const char *const keys[] = { "small", "large", NULL };
	struct bench *b = *state;
	b->settings.max_transfers = 1;
	begin(b);
	order.part_ms = 2000;
	shell("head -c 200000000 /dev/zero > '%s/large'", b->local);
	wait_until(b, "a part", part_is_sent);
	put(b, "small", "small\n");
	wanted = 2;
	wait_until(b, "the mark", are_marked);
	folder_urge(b->folder, true);
	wait_until(b, "the small one", small_is_there);
	assert_false(is_there(b, "large"));
	order.part_ms = 0;
	wait_until(b, "all of it", is_idle);
	assert_order(keys);
	assert_int_equal(order.begun, 1);
	assert_int_equal(order.aborted, 0);
	assert_equal_trees(b);
	world_close(b);
}

static bool db_is_there(struct bench *b) {
	return is_there(b, "db");
}

/* Else it waits for all that was dirty when it was captured, which may take all the time there is. */
static void a_database(struct bench *b, bool urgent) {
	begin(b);
	order.big_ms =
		urgent ? 30000
		       : 500; /* far longer than a capture; and long enough to be waited for */
	wanted = 0;
	folder_pause(b->folder);
	make(b, "big", 3 * MIB);
	shell("sqlite3 '%s/db' 'create table t(x); insert into t values(zeroblob(1500000));'",
		b->local);
	wanted++;
	wait_until(b, "the mark", are_marked);
	folder_urge(b->folder, urgent);
	folder_resume(b->folder);
	wait_until(b, "the database", db_is_there);
	assert_int_equal(order.waited, !urgent);
	world_close(b);
}

static void test_a_database_waits_for_nobody(void **state) {
	a_database(*state, true);
}

static void test_else_it_waits(void **state) {
	a_database(*state, false);
}

static bool slow_is_on_its_way(struct bench *b) {
	(void)b;
	return order.big_at_ms > 0;
}

static bool middle_is_there(struct bench *b) {
	return is_there(b, "middle");
}

/* Folders share the line: the small files of another go before a large one of this. */
static void two_folders(struct bench *b, bool urgent) {
	struct folder_settings settings = b->settings;
	char local[96];
	bool gone = false;
	struct err err;
	begin(b);
	order.big_ms = urgent ? 1000 : 30000;
	snprintf(local, sizeof(local), "%s/other", b->dir);
	shell("mkdir '%s'; echo slow > '%s/slow'", local, local);
	settings.path = local;
	settings.remote = (char *)"cloud:other";
	struct folder *other = folder_new(b->sync, "other", &settings, b->store, &err);
	if (!other) fail_msg("%s", err.text);
	folder_urge(other, urgent);
	unit_want(folder_unit(other));
	wait_until(b, "the slow one", slow_is_on_its_way);
	folder_urge(b->folder, urgent);
	shell("head -c %d /dev/zero > '%s/middle'", 2 * MIB, b->local);
	wait_until(b, "the large one", middle_is_there);
	assert_int_equal(order.waited, urgent);
	folder_close(other, closed, &gone);
	loop_run_until(b->loop, &gone);
	world_close(b);
}

static void test_another_folder_goes_first(void **state) {
	two_folders(*state, true);
}

static void test_else_they_go_together(void **state) {
	two_folders(*state, false);
}

/* Settling and pace do not hold it, though the one is long and the other just began. */
static void test_nothing_is_waited_for(void **state) {
	struct bench *b = *state;
	b->settings.settle_ms = 3600000;
	b->settings.max_settle_ms = 3600000;
	begin(b);
	wanted = 0;
	make(b, "fresh", 10);
	assert_int_equal(order.count, 0);
	folder_urge(b->folder, true);
	wait_until(b, "all of it", is_idle);
	assert_true(is_there(b, "fresh"));
	wanted = 0;
	make(b, "later", 10); /* what is written after it waits for the next word */
	folder_urge(b->folder, true);
	wait_until(b, "all of it", is_idle);
	assert_true(is_there(b, "later"));
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_small_and_new_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_usual, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_large_one_gives_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_database_waits_for_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_else_it_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_folder_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_else_they_go_together, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_waited_for, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
