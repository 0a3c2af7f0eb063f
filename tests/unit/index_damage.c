/* An index whose rows a damaged disk or another hand has changed: an error, never a walk without end. All were found by fuzzing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>
#include <cmocka.h>

#include "index/index.h"

struct world {
	char folder[40];
	char *path;
};

static void open_world(struct world *world) {
	struct err err;

	*world = (struct world){ .folder = "/tmp/tend-index.XXXXXX" };
	assert_non_null(mkdtemp(world->folder));
	world->path = xasprintf("%s/i.db", world->folder);
	struct index *index = index_open(world->path, &err);
	assert_non_null(index);
	for (int i = 0; i < 3; i++) {
		char *name = xasprintf("d/%d", i);
		char version[] = "v";
		struct index_entry entry = {
			.kind = INDEX_FILE, .epoch = 4, .hash_len = 16, .version = version
		};
		assert_int_equal(index_put(index, name, &entry, &err), 0);
		assert_int_equal(index_mark(index, name, 0, 0, 1000, 0, NULL, &err), 0);
		free(name);
	}
	assert_int_equal(index_commit(index, true, &err), 0);
	index_close(index);
}

static void close_world(struct world *world) {
	static const char *const sides[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
		char *side = xasprintf("%s%s", world->path, sides[i]);
		unlink(side);
		free(side);
	}
	rmdir(world->folder);
	free(world->path);
}

static void spoil(const struct world *world, const char *sql) {
	sqlite3 *db;

	assert_int_equal(sqlite3_open(world->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

static void walks_end(void **state) {
	static const char *const damages[] = {
		"UPDATE entry SET epoch = x'60' WHERE name = x'31'",
		"UPDATE entry SET name = x'3100' WHERE name = x'31'",
	};

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct world world;
		struct err err = { 0 };
		char *cursor = NULL, **paths = NULL;
		int got, pages = 0;
		open_world(&world);
		spoil(&world, damages[i]);
		struct index *index = index_open(world.path, &err);
		assert_non_null(index);
		while (!(got = index_unsealed(index, 0, 1, &cursor, &paths, &err)) && paths) {
			strv_free(paths);
			assert_true(++pages < 10);
		}
		assert_int_equal(got, -1);
		assert_int_equal(err.kind, ERR_CORRUPT);
		free(cursor);
		index_close(index);
		close_world(&world);
	}
}

static void claims_end(void **state) {
	static const char *const damages[] = {
		"UPDATE dirty SET prio = x'60' WHERE name = x'31'",
		"UPDATE dirty SET dir = -7 WHERE name = x'31'",
		"UPDATE dirty SET dir = 0 WHERE name = x'31'",
		"UPDATE dirty SET name = x'' WHERE name = x'31'",
	};

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct world world;
		struct err err = { 0 };
		struct index_dirty *rows = NULL;
		size_t count = 0;
		open_world(&world);
		spoil(&world, damages[i]);
		struct index *index = index_open(world.path, &err);
		assert_non_null(index);
		if (!index_claim_due(index, 1 << 20, 10, &rows, &count, &err)) {
			for (size_t j = 0; j < count; j++) index_dirty_release(&rows[j]);
			free(rows);
		} else {
			assert_int_not_equal(err.kind, ERR_NONE);
		}
		index_close(index);
		close_world(&world);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_end),
		cmocka_unit_test(claims_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
