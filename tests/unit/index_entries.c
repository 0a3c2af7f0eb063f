/* The base: entries by path, their order, totals, strangers, awkward names, versions, sessions,
 * meta. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "index/index.h"

static struct err err;

static struct index *open_memory(void) {
	struct index *index = index_open(NULL, &err);

	assert_non_null(index);
	return index;
}

static void put(
	struct index *index, const char *path, enum index_kind kind, int64_t size, unsigned flags) {
	struct index_entry entry = { .kind = kind, .size = size, .flags = flags };

	assert_int_equal(index_put(index, path, &entry, &err), 0);
}

static bool has(struct index *index, const char *path, bool folder) {
	struct index_entry entry;
	int got = index_get(index, path, folder, &entry, &err);

	assert_true(got >= 0);
	index_entry_release(&entry);
	return got == 1;
}

static void every_field_comes_back(void **state) {
	struct index *index = open_memory();
	struct index_entry entry = {
		.kind = INDEX_LINK,
		.flags = INDEX_DATABASE | INDEX_RACY,
		.epoch = 7,
		.size = INT64_MAX,
		.mtime_ns = -5,
		.ctime_ns = 123456789012345678,
		.btime_ns = 4,
		.born_ns = 5,
		.ino = UINT64_MAX,
		.mode = 07755,
		.hash = { 1, 0, 255 },
		.hash_len = 20,
		.id = "id\xff",
		.version = "\"etag\"",
		.extra = "a\0b",
		.extra_len = 3,
	};
	struct index_entry back;

	assert_int_equal(index_put(index, "a/b/c", &entry, &err), 0);
	assert_int_equal(index_get(index, "a/b/c", false, &back, &err), 1);
	assert_int_equal(back.kind, entry.kind);
	assert_int_equal(back.flags, entry.flags);
	assert_int_equal(back.epoch, 7);
	assert_true(back.size == INT64_MAX && back.mtime_ns == -5 && back.ino == UINT64_MAX);
	assert_true(back.ctime_ns == entry.ctime_ns && back.btime_ns == 4 && back.born_ns == 5);
	assert_int_equal(back.mode, 07755);
	assert_int_equal(back.hash_len, 20);
	assert_memory_equal(back.hash, entry.hash, 20);
	assert_string_equal(back.id, "id\xff");
	assert_string_equal(back.version, "\"etag\"");
	assert_int_equal(back.extra_len, 3);
	assert_memory_equal(back.extra, "a\0b", 3);
	index_entry_release(&back);

	put(index, "a/b/c", INDEX_FILE, 1, 0);
	assert_int_equal(index_get(index, "a/b/c", false, &back, &err), 1);
	assert_null(back.id);
	assert_null(back.version);
	assert_null(back.extra);
	assert_int_equal(back.hash_len, 0);
	index_entry_release(&back);
	assert_int_equal(index_get(index, "a/b/d", false, &back, &err), 0);
	assert_int_equal(index_get(index, "x/y", false, &back, &err), 0);
	index_close(index);
}

static void file_and_folder_of_one_name_are_two(void **state) {
	struct index *index = open_memory();

	put(index, "a", INDEX_FILE, 3, 0);
	put(index, "a", INDEX_FOLDER, 0, 0);
	put(index, "a/b", INDEX_FILE, 4, 0);
	assert_true(has(index, "a", false));
	assert_true(has(index, "a", true));
	assert_int_equal(index_drop(index, "a", false, &err), 0);
	assert_false(has(index, "a", false));
	assert_true(has(index, "a", true));
	assert_int_equal(index_drop(index, "a", false, &err), 0);
	assert_int_equal(index_drop(index, "a", true, &err), 0);
	assert_false(has(index, "a", true));
	assert_true(has(index, "a/b", false));
	index_close(index);
}

static void totals_follow(void **state) {
	struct index *index = open_memory();
	static const struct {
		const char *path;
		enum index_kind kind;
		int64_t size;
		unsigned flags;
		struct index_totals want;
	} steps[] = {
		{ "a", INDEX_FILE, 10, 0, { 1, 0, 0, 10, 0, 0, 0, 0, 0 } },
		{ "a", INDEX_FILE, 4, INDEX_UNVERIFIED, { 1, 0, 0, 4, 0, 1, 0, 0, 0 } },
		{ "d", INDEX_FOLDER, 99, INDEX_MARKER, { 1, 1, 0, 4, 0, 1, 0, 0, 0 } },
		{ "d/l", INDEX_LINK, 99, 0, { 1, 1, 1, 4, 0, 1, 0, 0, 0 } },
		{ "d/s", INDEX_FILE, 99, INDEX_STRANGER, { 1, 1, 1, 4, 1, 1, 0, 0, 1 } },
		{ "d/s", INDEX_FILE, 99, 0, { 2, 1, 1, 103, 0, 1, 0, 0, 1 } },
		{ "a", INDEX_LINK, 7, 0, { 1, 1, 2, 99, 0, 0, 0, 0, 1 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		put(index, steps[i].path, steps[i].kind, steps[i].size, steps[i].flags);
		struct index_totals totals = index_totals(index);
		assert_memory_equal(&totals, &steps[i].want, sizeof(totals));
		if (steps[i].flags & INDEX_STRANGER) continue; /* each put of one is counted */
		const struct index_entry same = {
			.kind = steps[i].kind, .size = steps[i].size, .flags = steps[i].flags
		};
		const struct index_entry other = { .kind = steps[i].kind, .size = 12345 };
		assert_int_equal(index_put_again(index, steps[i].path, &other, &err), 0);
		assert_int_equal(index_put_again(index, steps[i].path, &same, &err), 0);
		assert_int_equal(index_add(index, steps[i].path, &other, &err), 0);
		totals = index_totals(index);
		assert_memory_equal(&totals, &steps[i].want, sizeof(totals));
	}
	const struct index_entry added = { .kind = INDEX_FILE, .size = 3 };
	int64_t files = index_totals(index).files;
	assert_int_equal(index_add(index, "new/one", &added, &err), 1);
	assert_int_equal(index_totals(index).files, files + 1);
	assert_int_equal(index_drop(index, "new/one", false, &err), 0);
	assert_int_equal(index_drop(index, "d/s", false, &err), 0);
	assert_int_equal(index_drop(index, "d", true, &err), 0);
	struct index_totals totals = index_totals(index);
	const struct index_totals end = { .links = 2, .strangers_ever = 1 };
	assert_memory_equal(&totals, &end, sizeof(totals));
	index_close(index);
}

static void listing_is_in_byte_order_and_goes_on(void **state) {
	struct index *index = open_memory();
	/* '-' and '.' stand before '/', '0' behind it: a folder sorts as "name/". */
	static const char *const want[] = { "a", "a-b", "a.b", "a/", "a0", "b\n", "\x80" };
	char *after = NULL;
	size_t seen = 0;

	for (size_t i = ARRAY_LEN(want); i-- > 0;) {
		bool folder = str_ends(want[i], "/");
		char *path = xasprintf("dir/%.*s", (int)(strlen(want[i]) - folder), want[i]);
		put(index, path, folder ? INDEX_FOLDER : INDEX_FILE, 1, 0);
		free(path);
	}
	put(index, "dir/a/below", INDEX_FILE, 1, 0);
	for (;;) {
		struct index_rows rows;
		assert_int_equal(index_list(index, "dir", after, 2, &rows, &err), 0);
		assert_true(rows.count <= 2);
		for (size_t i = 0; i < rows.count; i++) {
			free(after);
			after = xasprintf("%s%s", rows.rows[i].name,
				rows.rows[i].entry.kind == INDEX_FOLDER ? "/" : "");
			assert_true(seen < ARRAY_LEN(want));
			assert_string_equal(after, want[seen++]);
		}
		bool end = rows.count == 0;
		index_rows_release(&rows);
		if (end) break;
	}
	assert_int_equal(seen, ARRAY_LEN(want));
	free(after);

	struct index_rows rows;
	assert_int_equal(index_list(index, "nowhere", NULL, 9, &rows, &err), 0);
	assert_int_equal(rows.count, 0);
	assert_int_equal(index_list(index, "", NULL, 9, &rows, &err), 0);
	assert_int_equal(rows.count, 0);
	index_close(index);
}

static void awkward_names_come_back(void **state) {
	struct index *index = open_memory();
	char longest[256];
	static const char *const names[] = { "new\nline", "tab\t", "\xff\xfe", "sp ace ",
		"'quote\"", "%", "\xc3\xa9", "e\xcc\x81", "*?[", "...", "a\\b", "\x01" };

	memset(longest, 'x', 255);
	longest[255] = '\0';
	for (size_t i = 0; i <= ARRAY_LEN(names); i++) {
		const char *name = i < ARRAY_LEN(names) ? names[i] : longest;
		char *folder = path_join("f", name), *path = path_join(folder, name);
		int64_t now = 1000;
		struct index_dirty *rows;
		size_t count;

		put(index, folder, INDEX_FOLDER, 0, 0);
		put(index, path, INDEX_FILE, 1, 0);
		assert_true(has(index, folder, true) && has(index, path, false));
		assert_int_equal(index_mark(index, path, now, 0, 0, 0, NULL, &err), 0);
		assert_int_equal(index_claim_due(index, now, 9, &rows, &count, &err), 0);
		assert_int_equal(count, 1);
		assert_string_equal(rows[0].path, path);
		index_dirty_release(&rows[0]);
		free(rows);
		assert_int_equal(index_done(index, path, INT64_MAX - 1, 0, &err), 0);
		free(folder);
		free(path);
	}
	assert_int_equal(index_totals(index).files, ARRAY_LEN(names) + 1);
	index_close(index);
}

/* Longer than what the cache of folders takes, and more folders than it holds. */
static void deep_and_wide(void **state) {
	struct index *index = open_memory();
	struct buf deep;

	buf_init(&deep, 1 << 16);
	for (int i = 0; i < 300; i++) buf_addf(&deep, "%sfolder%d", i ? "/" : "", i);
	put(index, deep.at, INDEX_FILE, 1, 0);
	assert_true(has(index, deep.at, false));
	assert_int_equal(index_mark(index, deep.at, 5, 0, 0, 0, NULL, &err), 0);
	struct index_dirty row;
	assert_int_equal(index_dirty_get(index, deep.at, &row, &err), 1);
	assert_string_equal(row.path, deep.at);
	index_dirty_release(&row);
	buf_release(&deep);

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5000; i++) {
			char path[64];
			(void)snprintf(path, sizeof(path), "w%d/%d/f", i % 97, i);
			if (round == 0) put(index, path, INDEX_FILE, 1, 0);
			assert_true(has(index, path, false));
		}
	}
	index_close(index);
}

static void children_and_strangers(void **state) {
	struct index *index = open_memory();

	assert_int_equal(index_has_children(index, "d", true, &err), 0);
	put(index, "d", INDEX_FOLDER, 0, 0);
	assert_int_equal(index_has_children(index, "d", true, &err), 0);
	assert_int_equal(index_has_children(index, "", false, &err), 1);
	put(index, "d/s", INDEX_FILE, 1, INDEX_STRANGER | INDEX_MARKER);
	assert_int_equal(index_has_children(index, "d", false, &err), 0);
	assert_int_equal(index_has_children(index, "d", true, &err), 1);
	put(index, "d/e/f", INDEX_FILE, 1, 0);
	assert_int_equal(index_has_children(index, "d", false, &err), 0);
	put(index, "d/s", INDEX_FILE, 1, INDEX_MARKER);
	assert_int_equal(index_has_children(index, "d", false, &err), 1);

	for (int round = 0; round < 2; round++)
		assert_int_equal(index_has_folder(index, "d", &err), 1);
	assert_int_equal(index_has_folder(index, "d/e", &err), 0);
	assert_int_equal(index_has_folder(index, "d/s", &err), 0);
	assert_int_equal(index_drop(index, "d", true, &err), 0);
	assert_int_equal(index_has_folder(index, "d", &err), 0);
	index_close(index);
}

static void strangers_by_pages(void **state) {
	struct index *index = open_memory();
	struct index_strangers page = { 0 };
	struct index_strangers_sum sum;
	char **all = NULL;

	for (int i = 0; i < 30; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "d%d/x %02d", i % 3, i);
		put(index, path, i % 5 ? INDEX_FILE : INDEX_FOLDER, 7, i % 2 ? INDEX_STRANGER : 0);
	}
	assert_int_equal(index_strangers_sum(index, &sum, &err), 0);
	assert_int_equal(sum.files, 12);
	assert_int_equal(sum.folders, 3);
	assert_int_equal(sum.bytes, 84);
	assert_int_equal(index_totals(index).strangers_ever, 15);
	do {
		assert_int_equal(index_strangers_next(index, 4, &page, &err), 0);
		assert_true(page.count <= 4 && strv_count(page.paths) == page.count);
		for (size_t i = 0; i < page.count; i++) {
			assert_true(page.entries[i].flags & INDEX_STRANGER);
			strv_add(&all, page.paths[i]);
			/* A row that goes meanwhile changes nothing for those behind it. */
			assert_int_equal(index_drop(index, page.paths[i],
						 page.entries[i].kind == INDEX_FOLDER, &err),
				0);
		}
	} while (page.count);
	assert_int_equal(strv_count(all), 15);
	for (int i = 1; i < 30; i += 2) {
		char path[32];
		int found = 0;
		(void)snprintf(path, sizeof(path), "d%d/x %02d", i % 3, i);
		for (char **p = all; *p; p++) found += str_equal(*p, path);
		assert_int_equal(found, 1);
	}
	assert_int_equal(index_totals(index).strangers, 0);
	assert_int_equal(index_totals(index).strangers_ever, 15);
	index_strangers_release(&page);
	strv_free(all);
	index_close(index);
}

static void unsealed_entries_are_given_once(void **state) {
	struct index *index = open_memory();
	char *cursor = NULL, **paths = NULL, **all = NULL;

	for (int i = 0; i < 50; i++) {
		char path[32];
		struct index_entry entry = { .kind = i % 3 ? INDEX_FILE : INDEX_FOLDER,
			.epoch = i / 10 };
		(void)snprintf(path, sizeof(path), "d%d/x y %02d", i % 4, i);
		assert_int_equal(index_put(index, path, &entry, &err), 0);
	}
	struct index_entry stranger = { .flags = INDEX_STRANGER, .epoch = 9 };
	assert_int_equal(index_put(index, "theirs", &stranger, &err), 0);
	do {
		assert_int_equal(index_unsealed(index, 2, 3, &cursor, &paths, &err), 0);
		assert_true(strv_count(paths) <= 3);
		for (char **p = paths; p && *p; p++) strv_add(&all, *p);
		if (paths) strv_free(paths);
	} while (paths);
	assert_int_equal(strv_count(all), 20);
	for (int i = 30; i < 50; i++) {
		char path[32];
		int found = 0;
		(void)snprintf(path, sizeof(path), "d%d/x y %02d", i % 4, i);
		for (char **p = all; *p; p++) found += str_equal(*p, path);
		assert_int_equal(found, 1);
	}
	free(cursor);
	strv_free(all);
	index_close(index);
}

static char *intend(struct index *index, const char *path, int64_t ended_ns, const char *key) {
	const struct index_version version = {
		.born_ns = 1, .ended_ns = ended_ns, .bytes = 3, .kind = 2, .key = (char *)key
	};
	bool fresh;
	char *got = index_version_intend(index, path, &version, &fresh, &err);
	assert_int_equal(fresh, str_equal(got, key));
	return got;
}

static void versions_have_one_intent(void **state) {
	struct index *index = open_memory();
	char *key = intend(index, "a", 2, "k1");

	assert_string_equal(key, "k1");
	free(key);
	key = intend(index, "a", 9, "k2");
	assert_string_equal(key, "k1");
	free(key);
	key = index_version_pending(index, "a", &err);
	assert_string_equal(key, "k1");
	free(key);
	assert_int_equal(index_version_settle(index, "a", true, &err), 0);
	assert_null(index_version_pending(index, "a", &err));
	assert_int_equal(err.kind, ERR_NONE);
	key = intend(index, "a", 9, "k2");
	assert_string_equal(key, "k2");
	free(key);
	assert_int_equal(index_version_settle(index, "a", false, &err), 0);
	key = intend(index, "a", 9, "k3");
	assert_string_equal(key, "k3");
	free(key);
	index_close(index);
}

static void keep(struct index *index, const char *path, int64_t ended_ns, const char *key) {
	free(intend(index, path, ended_ns, key));
	assert_int_equal(index_version_settle(index, path, true, &err), 0);
}

static void versions_are_listed_in_order(void **state) {
	struct index *index = open_memory();
	struct index_versions versions;
	struct index_version found = { .born_ns = 1, .ended_ns = 20, .bytes = 10 };
	char *path = NULL;

	keep(index, "b/c", 20, "k2");
	keep(index, "b/c", 10, "k1");
	keep(index, "a", 5, "k0");
	free(intend(index, "z", 5, "pending")); /* not there yet, for all we know */
	/* From a listing: what is known is not counted twice. */
	found.key = (char *)"k2";
	assert_int_equal(index_version_found(index, "b/c", &found, &err), 0);
	assert_int_equal(index_totals(index).versions, 3);
	found.key = (char *)"k3";
	found.ended_ns = 30;
	assert_int_equal(index_version_found(index, "b/c", &found, &err), 0);
	assert_int_equal(index_totals(index).versions, 4);
	assert_int_equal(index_totals(index).version_bytes, 19);
	assert_int_equal(index_commit(index, false, &err), 0);

	assert_int_equal(index_version_next(index, NULL, &path, &err), 1);
	assert_string_equal(path, "a");
	free(path);
	assert_int_equal(index_version_next(index, "a", &path, &err), 1);
	assert_string_equal(path, "b/c");
	free(path);
	assert_int_equal(index_version_next(index, "b/c", &path, &err), 0);
	assert_int_equal(index_versions(index, "b/c", &versions, &err), 0);
	assert_int_equal(versions.count, 3);
	assert_string_equal(versions.rows[0].key, "k1");
	assert_string_equal(versions.rows[2].key, "k3");
	assert_int_equal(versions.rows[0].kind, 2);
	/* Gone once, and once only. */
	assert_int_equal(index_version_drop(index, &versions.rows[0], &err), 0);
	assert_int_equal(index_version_drop(index, &versions.rows[0], &err), 0);
	assert_int_equal(index_totals(index).versions, 3);
	assert_int_equal(index_totals(index).version_bytes, 16);
	index_versions_release(&versions);
	index_close(index);
}

static void sessions_come_back(void **state) {
	struct index *index = open_memory();
	struct index_session session = { .session = "up\xff",
		.size = 1,
		.mtime_ns = 2,
		.ctime_ns = 3,
		.part_size = 4,
		.ino = UINT64_MAX,
		.hash = { 9 },
		.hash_len = 16 };
	struct index_session back;

	assert_int_equal(index_session_get(index, "a", &back, &err), 0);
	assert_int_equal(index_session_put(index, "a", &session, &err), 0);
	assert_int_equal(index_session_get(index, "a", &back, &err), 1);
	assert_string_equal(back.session, "up\xff");
	assert_true(
		back.size == 1 && back.mtime_ns == 2 && back.ctime_ns == 3 && back.part_size == 4);
	assert_true(back.ino == UINT64_MAX && back.hash_len == 16 && back.hash[0] == 9);
	index_session_release(&back);
	assert_int_equal(index_session_drop(index, "a", &err), 0);
	assert_int_equal(index_session_get(index, "a", &back, &err), 0);
	index_close(index);
}

static void part_came(void *user, int number, const uint8_t seal[INDEX_SEAL_LEN]) {
	int *sum = user;

	*sum = *sum * 10 + number;
	assert_int_equal(seal[0], 40 + number);
}

/* What tells the parts comes and goes with its session. */
static void sealed_sessions_come_back(void **state) {
	struct index *index = open_memory();
	struct index_session session = { .session = "up", .seal_key = { 7 }, .sealed = true }, back;
	int sum = 0;

	assert_int_equal(index_session_put(index, "a", &session, &err), 0);
	for (int number = 1; number <= 3; number++) {
		uint8_t seal[INDEX_SEAL_LEN] = { (uint8_t)(40 + number) };
		assert_int_equal(index_session_part_put(index, "a", number, seal, &err), 0);
	}
	assert_int_equal(index_session_get(index, "a", &back, &err), 1);
	assert_true(back.sealed && back.seal_key[0] == 7 && back.hash_len == 0);
	index_session_release(&back);
	assert_int_equal(index_session_parts(index, "a", part_came, &sum, &err), 0);
	assert_int_equal(sum, 123);
	assert_int_equal(index_session_parts(index, "b", part_came, &sum, &err), 0);
	assert_int_equal(index_session_drop(index, "a", &err), 0);
	assert_int_equal(index_session_parts(index, "a", part_came, &sum, &err), 0);
	assert_int_equal(sum, 123);
	index_close(index);
}

/* Somebody else wrote there: marks and kept versions outlive what was agreed. */
static void nothing_is_agreed_any_more(void **state) {
	struct index *index = open_memory();
	struct index_entry folder = { .kind = INDEX_FOLDER }, file = { .size = 7 }, back;
	struct index_dirty dirty;

	assert_int_equal(index_put(index, "d", &folder, &err), 0);
	assert_int_equal(index_put(index, "d/a", &file, &err), 0);
	assert_int_equal(index_mark(index, "d/b", 0, 0, 0, 0, NULL, &err), 0);
	char *key = intend(index, "d/a", 2, "kept");
	free(key);
	keep(index, "d/c", 4, "settled");
	assert_int_equal(index_disagree(index, &err), 0);
	assert_int_equal(index_get(index, "d/a", false, &back, &err), 0);
	assert_int_equal(index_has_folder(index, "d", &err), 0);
	assert_int_equal(index_totals(index).files + index_totals(index).folders, 0);
	assert_int_equal(index_totals(index).bytes, 0);
	assert_int_equal(index_totals(index).versions, 1);
	assert_int_equal(index_dirty_count(index), 1);
	assert_int_equal(index_dirty_get(index, "d/b", &dirty, &err), 1);
	index_dirty_release(&dirty);
	key = intend(index, "d/a", 3, "another");
	assert_string_equal(key, "kept");
	free(key);
	/* And it fills again, below the same folders. */
	assert_int_equal(index_put(index, "d", &folder, &err), 0);
	assert_int_equal(index_put(index, "d/a", &file, &err), 0);
	assert_int_equal(index_has_children(index, "d", false, &err), 1);
	assert_int_equal(index_totals(index).files, 1);
	index_close(index);
}

static void meta_keeps_small_facts(void **state) {
	struct index *index = open_memory();

	assert_null(index_meta_get(index, "restoring"));
	assert_int_equal(index_meta_int(index, "n", 5), 5);
	assert_int_equal(index_meta_set(index, "restoring", "", &err), 0);
	char *text = index_meta_get(index, "restoring");
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(index_meta_set(index, "n", "-12", &err), 0);
	assert_int_equal(index_meta_int(index, "n", 5), -12);
	assert_int_equal(index_meta_set(index, "n", "many", &err), 0);
	assert_int_equal(index_meta_int(index, "n", 5), 5);
	assert_int_equal(index_meta_set(index, "n", NULL, &err), 0);
	assert_null(index_meta_get(index, "n"));
	index_close(index);
}

/* As two looks tell it, whatever stands between the two keys, before and behind them. */
static void one_look_tells_of_both(void **state) {
	static const char *const names[] = { "a", "a!", "a.txt", "a0", "aa", "b", "A", "a/x" };
	enum { ROWS = ARRAY_LEN(names) };
	struct index *index = open_memory();
	struct index_pair pair;
	char path[32];

	(void)state;
	/* Each subset of the rows, in a folder of its own; and with them the folder `a`. */
	for (unsigned set = 0; set < 1U << (ROWS + 1); set++) {
		bool folder = set >> ROWS & 1, file = set & 1;
		for (size_t i = 0; i < ROWS; i++) {
			(void)snprintf(path, sizeof(path), "d%u/%s", set, names[i]);
			if (set >> i & 1) put(index, path, INDEX_FILE, (int64_t)i + 1, 0);
		}
		(void)snprintf(path, sizeof(path), "d%u/a", set);
		if (folder) put(index, path, INDEX_FOLDER, 0, INDEX_MARKER);
		assert_int_equal(index_get_both(index, path, &pair, &err), 0);
		assert_int_equal(pair.has_file, file);
		assert_int_equal(pair.has_folder, folder);
		if (file) assert_int_equal(pair.file.size, 1);
		if (folder) assert_int_equal(pair.folder.kind, INDEX_FOLDER);
		index_entry_release(&pair.file);
		index_entry_release(&pair.folder);
	}
	assert_int_equal(index_get_both(index, "nowhere/a", &pair, &err), 0);
	assert_false(pair.has_file || pair.has_folder);
	index_close(index);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(file_and_folder_of_one_name_are_two),
		cmocka_unit_test(one_look_tells_of_both),
		cmocka_unit_test(totals_follow),
		cmocka_unit_test(listing_is_in_byte_order_and_goes_on),
		cmocka_unit_test(awkward_names_come_back),
		cmocka_unit_test(deep_and_wide),
		cmocka_unit_test(children_and_strangers),
		cmocka_unit_test(strangers_by_pages),
		cmocka_unit_test(unsealed_entries_are_given_once),
		cmocka_unit_test(versions_have_one_intent),
		cmocka_unit_test(versions_are_listed_in_order),
		cmocka_unit_test(sessions_come_back),
		cmocka_unit_test(sealed_sessions_come_back),
		cmocka_unit_test(nothing_is_agreed_any_more),
		cmocka_unit_test(meta_keeps_small_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
