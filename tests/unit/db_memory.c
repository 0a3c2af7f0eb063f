/* A database in memory that goes back: to states before it grew, and with its statements at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "db/db.h"

static struct err err;

struct world {
	struct db_memory *memory;
	struct db *db;
	struct db_stmt add, sum;
};

static struct db *open_it(struct db_memory *memory) {
	const struct db_options options = { .page_size = 512, .memory = memory };
	struct db *db = db_open(NULL, &options, &err);

	assert_non_null(db);
	return db;
}

/* Rows of 400 bytes: each is a page of its own. */
static void add(struct world *w, int64_t number) {
	assert_int_equal(db_begin(w->db, &err), 0);
	assert_int_equal(
		db_prepare(w->db, &w->add, "INSERT INTO t VALUES(?1, zeroblob(400))", &err), 0);
	db_bind_int(&w->add, 1, number);
	assert_int_equal(db_run(&w->add, &err), 0);
	assert_int_equal(db_commit(w->db, true, &err), 0);
	db_memory_note(w->memory);
}

static int64_t sum(struct world *w) {
	assert_int_equal(db_prepare(w->db, &w->sum, "SELECT coalesce(sum(n), 0) FROM t", &err), 0);
	assert_int_equal(db_step(&w->sum, &err), 1);
	int64_t value = db_int(&w->sum, 0);
	db_reset(&w->sum);
	return value;
}

static int setup(void **state) {
	struct world *w = xcalloc(1, sizeof(*w));

	w->memory = db_memory_new();
	w->db = open_it(w->memory);
	assert_int_equal(db_exec(w->db, "CREATE TABLE t(n INTEGER, filling BLOB)", &err), 0);
	db_memory_set_base(w->memory);
	*state = w;
	return 0;
}

static int teardown(void **state) {
	struct world *w = *state;

	db_close(w->db);
	db_memory_free(w->memory);
	free(w);
	return 0;
}

static void test_it_goes_back(void **state) {
	struct world *w = *state;

	for (int64_t i = 0; i < 40; i++) add(w, (int64_t)1 << i);
	assert_int_equal(db_memory_states(w->memory), 40);
	db_memory_back(w->memory, 30);
	assert_int_equal(db_memory_reread(w->db, &err), 0);
	assert_int_equal(sum(w), (1 << 10) - 1);
	/* What is written then is undone as well, and states that were forgotten are no hindrance. */
	add(w, 1 << 10);
	add(w, 1 << 11);
	db_memory_forget(w->memory, 9);
	assert_int_equal(db_memory_states(w->memory), 3);
	db_memory_back(w->memory, 2);
	assert_int_equal(db_memory_reread(w->db, &err), 0);
	assert_int_equal(sum(w), (1 << 10) - 1);
	add(w, 1 << 10);
	assert_int_equal(sum(w), (1 << 11) - 1);
}

static void test_what_was_not_noted_goes(void **state) {
	struct world *w = *state;

	add(w, 1);
	assert_int_equal(db_exec(w->db, "INSERT INTO t VALUES(2, NULL)", &err), 0);
	assert_int_equal(sum(w), 3);
	db_memory_back(w->memory, 0);
	assert_int_equal(db_memory_reread(w->db, &err), 0);
	assert_int_equal(sum(w), 1);
}

static void test_the_base_stays(void **state) {
	struct world *w = *state;

	for (int round = 0; round < 2; round++) {
		for (int64_t i = 1; i < 20; i++) add(w, i);
		assert_int_equal(sum(w), 190);
		db_memory_to_base(w->memory);
		assert_int_equal(db_memory_reread(w->db, &err), 0);
		assert_int_equal(sum(w), 0);
		assert_int_equal(db_memory_states(w->memory), 0);
	}
}

static void test_it_outlives_its_connection(void **state) {
	struct world *w = *state;

	add(w, 3);
	assert_int_equal(db_begin(w->db, &err), 0);
	assert_int_equal(db_exec(w->db, "INSERT INTO t VALUES(4, NULL)", &err), 0);
	db_rollback(w->db);
	assert_int_equal(sum(w), 3);
	assert_int_equal(db_begin(w->db, &err), 0);
	assert_int_equal(db_exec(w->db, "INSERT INTO t VALUES(5, NULL)", &err), 0);
	db_close(w->db);
	w->db = open_it(w->memory);
	assert_int_equal(sum(w), 3);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_goes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_was_not_noted_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_base_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_it_outlives_its_connection, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
