/* Statements, transactions and migrations, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/db.h"

static struct db *db;
static struct err err;

static int setup(void **state) {
	(void)state;
	db = db_open(NULL, NULL, &err);
	return db ? db_exec(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c)", &err) : -1;
}

static int teardown(void **state) {
	(void)state;
	db_close(db);
	return 0;
}

static int64_t count_rows(void) {
	static const char sql[] = "SELECT count(*) FROM t";
	struct db_stmt stmt = { 0 };

	assert_int_equal(db_prepare(db, &stmt, sql, &err), 0);
	assert_int_equal(db_step(&stmt, &err), 1);
	int64_t count = db_int(&stmt, 0);
	db_finalize(&stmt);
	return count;
}

static void values_come_back(void **state) {
	static const struct {
		const char *text;
		const char *blob;
		size_t len;
		int64_t number;
	} cases[] = {
		{ "", "", 0, 0 },
		{ "text", "\0\1\2\xff", 4, -1 },
		{ NULL, NULL, 0, INT64_MAX },
		{ "\xc3\xa9", "name\xff", 5, INT64_MIN },
	};
	struct db_stmt put = { 0 }, get = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(
			db_prepare(db, &put, "INSERT OR REPLACE INTO t VALUES (?1,?2,?3)", &err),
			0);
		db_bind_int(&put, 1, cases[i].number);
		db_bind_text(&put, 2, cases[i].text);
		db_bind_blob(&put, 3, cases[i].blob, cases[i].len);
		assert_int_equal(db_run(&put, &err), 0);
		assert_int_equal(db_changes(db), 1);
		assert_true(db_last_rowid(db) == cases[i].number);

		assert_int_equal(db_prepare(db, &get, "SELECT a, b, c FROM t WHERE a=?1", &err), 0);
		db_bind_int(&get, 1, cases[i].number);
		assert_int_equal(db_step(&get, &err), 1);
		assert_true(db_int(&get, 0) == cases[i].number);
		if (cases[i].text) {
			assert_string_equal(db_text(&get, 1), cases[i].text);
		} else {
			assert_null(db_text(&get, 1));
		}
		assert_int_equal(db_is_null(&get, 1), cases[i].text == NULL);

		size_t len = 99;
		const void *blob = db_blob(&get, 2, &len);
		assert_int_equal(len, cases[i].len);
		assert_int_equal(blob == NULL, cases[i].blob == NULL); /* empty is not null */
		if (len) assert_memory_equal(blob, cases[i].blob, len);
		assert_int_equal(db_step(&get, &err), 0);
	}
	assert_int_equal(count_rows(), ARRAY_LEN(cases));
	db_finalize(&put);
	db_finalize(&get);
}

static void values_are_copied_and_forgotten(void **state) {
	static struct db_stmt put; /* left to db_close */
	struct db_stmt get = { 0 };
	char text[] = "first";

	(void)state;
	assert_int_equal(db_prepare(db, &put, "INSERT INTO t(b, c) VALUES (?1, ?2)", &err), 0);
	db_bind_text(&put, 1, text);
	db_bind_blob(&put, 2, text, 5);
	memset(text, 'x', 5);
	assert_int_equal(db_run(&put, &err), 0);

	/* The second row binds less: what was bound for the first is not there any more. */
	assert_int_equal(db_prepare(db, &put, "INSERT INTO t(b, c) VALUES (?1, ?2)", &err), 0);
	db_bind_null(&put, 1);
	assert_int_equal(db_run(&put, &err), 0);

	assert_int_equal(db_prepare(db, &get, "SELECT b, c FROM t ORDER BY a", &err), 0);
	assert_int_equal(db_step(&get, &err), 1);
	assert_string_equal(db_text(&get, 0), "first");
	assert_int_equal(db_step(&get, &err), 1);
	assert_true(db_is_null(&get, 0));
	assert_true(db_is_null(&get, 1));

	/* Prepared again in the middle, it begins anew. */
	assert_int_equal(db_prepare(db, &get, "SELECT b, c FROM t ORDER BY a", &err), 0);
	assert_int_equal(db_step(&get, &err), 1);
	assert_string_equal(db_text(&get, 0), "first");
	db_reset(&get);
	db_finalize(&get);
	db_finalize(&get);
	assert_null(get.impl);
}

static void errors(void **state) {
	static const struct {
		const char *sql;
		enum err_kind kind;
	} cases[] = {
		{ "SELEC", ERR_INVALID },
		{ "SELECT * FROM missing", ERR_INVALID },
		{ "INSERT INTO t(a) VALUES (1)", ERR_CHANGED }, /* it is there already */
		{ "COMMIT", ERR_INVALID },
	};
	struct db_stmt stmt = { 0 };

	(void)state;
	assert_int_equal(db_exec(db, "INSERT INTO t(a) VALUES (1)", &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(db_exec(db, cases[i].sql, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.text, " in database ':memory:'"));
	}
	assert_int_equal(db_prepare(db, &stmt, "SELECT * FROM missing", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_null(stmt.impl);

	assert_int_equal(db_prepare(db, &stmt, "INSERT INTO t(a) VALUES (?1)", &err), 0);
	db_bind_int(&stmt, 1, 1);
	assert_int_equal(db_run(&stmt, &err), -1);
	assert_int_equal(err.kind, ERR_CHANGED);
	db_bind_int(&stmt, 1, 2); /* usable at once after it failed */
	assert_int_equal(db_run(&stmt, &err), 0);
	db_finalize(&stmt);
}

static void transactions(void **state) {
	static const struct {
		bool commit, full;
		int64_t rows;
	} cases[] = { { true, false, 1 }, { false, false, 1 }, { true, true, 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_false(db_in_transaction(db));
		assert_int_equal(db_begin(db, &err), 0);
		assert_true(db_in_transaction(db));
		assert_int_equal(db_exec(db, "INSERT INTO t(b) VALUES (1)", &err), 0);
		if (cases[i].commit) {
			assert_int_equal(db_commit(db, cases[i].full, &err), 0);
		} else {
			db_rollback(db);
			db_rollback(db);
		}
		assert_int_equal(count_rows(), cases[i].rows);
	}
	assert_int_equal(db_begin(db, &err), 0);
	assert_int_equal(db_begin(db, &err), -1); /* none inside another */
	assert_int_equal(err.kind, ERR_INVALID);
	db_rollback(db);
	assert_int_equal(db_exec(db, "DELETE FROM t", &err), 0);
	assert_int_equal(db_changes(db), 2);
}

static void migrations(void **state) {
	static const char *const steps[] = {
		"CREATE TABLE one(a); INSERT INTO one VALUES (1)",
		"ALTER TABLE one ADD COLUMN b; UPDATE one SET b = a + 1",
		"CREATE TABLE three(a); THIS IS NO SQL",
	};
	struct db_stmt stmt = { 0 };

	(void)state;
	assert_int_equal(db_migrate(db, steps, 0, &err), 0);
	assert_int_equal(db_migrate(db, steps, 1, &err), 0);
	assert_int_equal(db_migrate(db, steps, 1, &err), 0);
	assert_int_equal(db_migrate(db, steps, 2, &err), 0);
	assert_int_equal(db_prepare(db, &stmt, "SELECT b FROM one", &err), 0);
	assert_int_equal(db_step(&stmt, &err), 1);
	assert_int_equal(db_int(&stmt, 0), 2);
	db_finalize(&stmt);

	/* A step that fails leaves nothing behind, and the version where it was. */
	assert_int_equal(db_migrate(db, steps, 3, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "schema to version 3"));
	assert_false(db_in_transaction(db));
	assert_int_equal(db_exec(db, "SELECT * FROM three", &err), -1);
	assert_int_equal(db_migrate(db, steps, 2, &err), 0);

	assert_int_equal(db_migrate(db, steps, 1, &err), -1); /* made by a newer program */
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "newer"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(values_are_copied_and_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(errors, setup, teardown),
		cmocka_unit_test_setup_teardown(transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(migrations, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
