/* Listings: names as they are, pages, nothing twice, nothing missing. */
#include <stdio.h>

#include "support/contract.h"

/* Each may be a file's and a folder's name on every store that does not refuse it. */
static const char *const names[] = {
	"plain",
	"UPPER",
	"upper",
	"with space",
	" leading",
	"trailing ",
	"two  spaces",
	"nfc-\u00e9",
	"nfd-e\u0301",
	"日本語",
	"файл",
	"emoji-😀",
	"family-👨‍👩‍👧",
	"%",
	"%41",
	"%2F",
	"%zz",
	"a%20b",
	"#hash",
	"q?uestion",
	"amp&ersand",
	"plus+plus",
	"a+b c",
	"semi;colon",
	"comma,",
	"equal=",
	"at@",
	"colon:",
	"dollar$",
	"quote'",
	"double\"quote",
	"<angle>",
	"back\\slash",
	"pipe|",
	"star*",
	"(paren)",
	"[bracket]",
	"{brace}",
	"tilde~",
	"~",
	"^",
	"`tick`",
	"!",
	".hidden",
	"..double",
	"...",
	"dot.",
	"a.b.c",
	"-dash",
	"--",
	"_",
	"CON",
	"nul.txt",
	"tab\there",
	"Icon\r",
	"line\nbreak",
	"trailing.rclone",
	"\u00a0nbsp",
	"\u200bzero",
	"ends-in-é",
	"255-"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxx"
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	"bytes-\xff\xfe",
	"control-\x01",
	"delete-\x7f",
};

static bool refused(struct bench *bench, const char *name, enum store_kind kind) {
	struct err err;

	if (!store_refuse(bench->store, bench_key(bench, name), kind, &err)) return false;
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(strlen(err.text) > 0);
	return true;
}

static void names_come_back_as_they_are(void **state) {
	struct bench *bench = *state;
	struct listing listing;
	size_t stored = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (refused(bench, names[i], STORE_FILE)) continue;
		bench_put(bench, names[i], names[i]);
		stored++;
	}
	assert_true(stored + (size_t)bench->contract->refused >= ARRAY_LEN(names) - 3);
	for (int limit = 0; limit <= 7; limit += 7) {
		assert_err(bench, bench_list(bench, "", false, limit, &listing), ERR_NONE);
		assert_int_equal(listing.count, stored);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			const struct store_entry *entry = listing_find(&listing, names[i]);
			if (refused(bench, names[i], STORE_FILE)) {
				assert_null(entry);
				continue;
			}
			if (!entry) fail_msg("'%s' is not listed", names[i]);
			assert_int_equal(entry->kind, STORE_FILE);
			assert_int_equal(entry->size, strlen(names[i]));
			struct store_entry alone;
			assert_err(
				bench, bench_stat(bench, names[i], STORE_FILE, &alone), ERR_NONE);
			assert_string_equal(entry->version, alone.version);
			if (entry->hash.kind != STORE_HASH_NONE) {
				assert_memory_equal(entry->hash.bytes, alone.hash.bytes,
					sizeof(alone.hash.bytes));
			}
			store_entry_release(&alone);
		}
		listing_release(&listing);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (refused(bench, names[i], STORE_FILE)) continue;
		bench_expect(bench, names[i], names[i]);
		assert_err(bench, bench_remove(bench, names[i], STORE_FILE), ERR_NONE);
	}
	assert_err(bench, bench_list(bench, "", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 0);
	listing_release(&listing);
}

static void folders_names_too(void **state) {
	struct bench *bench = *state;
	struct listing listing;
	size_t stored = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (refused(bench, names[i], STORE_FOLDER)) continue;
		char *child = path_join(names[i], names[i]);
		bench_mkdir(bench, names[i]);
		bench_put(bench, child, names[i]);
		free(child);
		stored++;
	}
	assert_err(bench, bench_list(bench, "", false, 11, &listing), ERR_NONE);
	assert_int_equal(listing.count, stored);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (refused(bench, names[i], STORE_FOLDER)) continue;
		const struct store_entry *entry = listing_find(&listing, names[i]);
		if (!entry) fail_msg("'%s' is not listed", names[i]);
		assert_int_equal(entry->kind, STORE_FOLDER);
		struct listing inner;
		assert_err(bench, bench_list(bench, names[i], false, 0, &inner), ERR_NONE);
		assert_int_equal(inner.count, 1);
		assert_non_null(listing_find(&inner, names[i]));
		listing_release(&inner);
	}
	listing_release(&listing);
}

static void long_keys(void **state) {
	struct bench *bench = *state;
	char name[1100] = "", deep[64];

	for (int i = 0; strlen(name) < 850; i++) {
		snprintf(deep, sizeof(deep), "%slevel-%02d-%s", i ? "/" : "", i,
			"0123456789012345678901234567");
		strcat(name, deep);
		bench_mkdir(bench, name);
	}
	strcat(name, "/file");
	bench_put(bench, name, "deep");
	bench_expect(bench, name, "deep");
}

static void a_key_that_is_too_long_is_refused_or_kept(void **state) {
	struct bench *bench = *state;
	char name[5000];
	struct err err;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 200; i < sizeof(name) - 1; i += 200) name[i] = '/';
	/* No store takes 5,000 bytes; one that keeps no such limit says nothing. */
	if (bench->store->caps & STORE_CAP_FOLDERS) return;
	assert_int_equal(store_refuse(bench->store, name, STORE_FILE, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	name[600] = '\0';
	assert_int_equal(store_refuse(bench->store, name, STORE_FILE, &err), 0);
}

static void an_absent_folder_is_no_empty_one(void **state) {
	struct bench *bench = *state;
	struct listing listing;

	assert_err(bench, bench_list(bench, "nothing", false, 0, &listing), ERR_NOT_FOUND);
	listing_release(&listing);
	bench_put(bench, "nothing-else", "x");
	assert_err(bench, bench_list(bench, "nothing", false, 0, &listing), ERR_NOT_FOUND);
	listing_release(&listing);
}

static void every_kind_in_one_folder(void **state) {
	struct bench *bench = *state;
	struct store_op op;
	struct listing listing;

	bench_mkdir(bench, "folder");
	bench_put(bench, "folder/deep", "not shown");
	bench_mkdir(bench, "empty");
	bench_put(bench, "file", "12345");
	bench_put_init(bench, &op, "link", "folder", 6);
	op.kind = STORE_LINK;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	for (int limit = 0; limit < 5; limit++) {
		assert_err(bench, bench_list(bench, "", false, limit, &listing), ERR_NONE);
		assert_int_equal(listing.count, 4);
		assert_int_equal(listing_find(&listing, "folder")->kind, STORE_FOLDER);
		assert_int_equal(listing_find(&listing, "empty")->kind, STORE_FOLDER);
		assert_int_equal(listing_find(&listing, "file")->kind, STORE_FILE);
		assert_int_equal(listing_find(&listing, "file")->size, 5);
		assert_int_equal(listing_find(&listing, "link")->kind, STORE_LINK);
		listing_release(&listing);
	}
}

/* Whoever made it and was killed has to know whether there is something to remove. */
static void a_marker_is_told_from_what_lies_in_a_folder(void **state) {
	struct bench *bench = *state;
	static const char *const folders[] = { "made", "filled", "both" };
	static const bool markers[] = { true, false, true };
	struct listing listing;

	if (bench->store->caps & STORE_CAP_FOLDERS) return;
	bench_mkdir(bench, "made");
	bench_mkdir(bench, "both");
	bench_put(bench, "filled/file", "x");
	bench_put(bench, "both/file", "x");
	assert_err(bench, bench_list(bench, "", true, 0, &listing), ERR_NONE);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct store_entry entry;
		assert_err(bench, bench_stat(bench, folders[i], STORE_FOLDER, &entry), ERR_NONE);
		assert_int_equal(entry.kind, STORE_FOLDER);
		assert_int_equal(entry.marker, markers[i]);
		store_entry_release(&entry);
		const struct store_entry *listed = listing_find(&listing, folders[i]);
		assert_int_equal(listed && listed->marker, markers[i]);
	}
	listing_release(&listing);
}

static void a_whole_tree_at_once(void **state) {
	static const char *const files[] = { "a-b", "a/x", "a/y/z", "a/y-", "b", "c/d/e/f" };
	static const char *const folders[] = { "a", "a/y", "c", "c/d", "c/d/e", "empty",
		"empty/inner" };
	struct bench *bench = *state;
	struct listing listing;

	if (!(bench->store->caps & STORE_CAP_FLAT_LIST)) return; /* folder by folder there */
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) bench_mkdir(bench, folders[i]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) bench_put(bench, files[i], "x");
	for (int limit = 0; limit <= 4; limit += 2) {
		assert_err(bench, bench_list(bench, "", true, limit, &listing), ERR_NONE);
		assert_int_equal(listing.count, ARRAY_LEN(files) + ARRAY_LEN(folders));
		for (size_t i = 0; i < ARRAY_LEN(files); i++) {
			assert_non_null(listing_find(&listing, files[i]));
			assert_int_equal(listing_find(&listing, files[i])->kind, STORE_FILE);
		}
		for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
			assert_non_null(listing_find(&listing, folders[i]));
			assert_int_equal(listing_find(&listing, folders[i])->kind, STORE_FOLDER);
		}
		listing_release(&listing);
	}
}

/* ---- many ---- */

struct many {
	struct store_op op;
	char *key, *text;
	struct swarm *swarm;
};

struct swarm {
	struct bench *bench;
	enum store_verb verb;
	int count, next, running;
	bool done;
};

static void swarm_more(struct swarm *swarm);

static void one_done(struct store_op *op, const struct err *err) {
	struct many *many = container_of(op, struct many, op);
	struct swarm *swarm = many->swarm;

	if (err) fail_msg("'%s': %s", op->key, err->text);
	store_op_release(op);
	free(many->key);
	free(many->text);
	free(many);
	swarm->running--;
	swarm_more(swarm);
}

static void swarm_more(struct swarm *swarm) {
	struct bench *bench = swarm->bench;

	while (swarm->running < 16 && swarm->next < swarm->count) {
		struct many *many = xcalloc(1, sizeof(*many));
		many->swarm = swarm;
		many->text = xasprintf("many-%04d", swarm->next++);
		bench_put_init(bench, &many->op, many->text, many->text, strlen(many->text));
		many->op.verb = swarm->verb;
		many->key = xstrdup(many->op.key);
		many->op.key = many->key;
		many->op.done = one_done;
		swarm->running++;
		store_start(bench->store, &many->op);
	}
	swarm->done = swarm->running == 0;
}

static void swarm_run(struct bench *bench, enum store_verb verb, int count) {
	struct swarm swarm = { .bench = bench, .verb = verb, .count = count };

	swarm_more(&swarm);
	loop_run_until(bench->loop, &swarm.done);
}

static void more_than_one_page(void **state) {
	struct bench *bench = *state;
	int count = bench->contract->many ? bench->contract->many : 1050;
	struct listing listing;

	swarm_run(bench, STORE_PUT, count);
	assert_err(bench, bench_list(bench, "", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, count);
	assert_true(listing.pages > 1 || bench->store->caps & STORE_CAP_FOLDERS);
	for (int i = 0; i < count; i += 97) {
		char name[32];
		snprintf(name, sizeof(name), "many-%04d", i);
		assert_non_null(listing_find(&listing, name));
	}
	listing_release(&listing);
	swarm_run(bench, STORE_REMOVE, count);
	assert_err(bench, bench_list(bench, "", false, 0, &listing), ERR_NONE);
	assert_int_equal(listing.count, 0);
	listing_release(&listing);
}

const struct CMUnitTest contract_list_tests[] = {
	BENCH_TEST(names_come_back_as_they_are),
	BENCH_TEST(folders_names_too),
	BENCH_TEST(long_keys),
	BENCH_TEST(a_key_that_is_too_long_is_refused_or_kept),
	BENCH_TEST(an_absent_folder_is_no_empty_one),
	BENCH_TEST(every_kind_in_one_folder),
	BENCH_TEST(a_marker_is_told_from_what_lies_in_a_folder),
	BENCH_TEST(a_whole_tree_at_once),
	BENCH_TEST(more_than_one_page),
};
const size_t contract_list_count = ARRAY_LEN(contract_list_tests);
