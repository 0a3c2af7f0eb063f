/*
 * A server that has enough of us, has no room, or takes our credentials no more, in the middle of any operation:
 * the error says so, what was there is there or what came is whole, and the same once more goes well when it is over.
 */
#include "support/contract.h"

#include <stdio.h>

enum { PASSES_MAX = 40, SOME = 3, MADE_MAX = 8 };

/* What was told to be about to be made, and with which id, for a later life. */
struct made {
	struct defer defer;
	struct store_op *op;
	size_t count;
	struct {
		char *place, *id;
	} things[MADE_MAX];
};

struct ground {
	struct bench *bench;
	struct store *store; /* the one that meets trouble */
	char folder[32];
	char *version; /* of "file" before */
	struct made made;
};

/* "FOLDER/name" in the bench's folder. */
static const char *in_ground(const struct ground *ground, const char *name) {
	static char ring[8][128];
	static unsigned at;
	char *text = ring[at++ % ARRAY_LEN(ring)];

	snprintf(text, sizeof(ring[0]), "%s/%s", ground->folder, name);
	return text;
}

static const char *key(const struct ground *ground, const char *name) {
	return bench_key(ground->bench, in_ground(ground, name));
}

/* ---- ids ---- */

static struct made *making_for; /* one operation at a time */

static void go_on(struct defer *defer) {
	store_go_on(container_of(defer, struct made, defer)->op);
}

static void is_making(struct store_op *op, const char *place, bool implied, const char *id) {
	struct made *made = making_for;

	assert_true(made->count < MADE_MAX);
	made->things[made->count].place = xstrdup(place);
	made->things[made->count++].id = xstrdup(id);
	made->op = op;
	defer_start(op->owner->loop, &made->defer);
}

static void made_release(struct made *made) {
	for (size_t i = 0; i < made->count; i++) {
		free(made->things[i].place);
		free(made->things[i].id);
	}
}

/* ---- what there is below a folder ---- */

static void tell_names(
	struct bench *bench, const char *folder, const char *below, struct buf *out) {
	struct listing listing;

	assert_err(bench, bench_list(bench, folder, false, 0, &listing), ERR_NONE);
	for (size_t i = 0; i < listing.count; i++) {
		char *name = path_join(below, listing.entries[i].name);
		char *from = path_join(folder, listing.entries[i].name);
		buf_addf(out, "%s%s", out->len ? " " : "", name);
		if (listing.entries[i].kind == STORE_FOLDER) tell_names(bench, from, name, out);
		free(name);
		free(from);
	}
	listing_release(&listing);
}

static size_t count_words(const char *text) {
	size_t count = 0;

	for (const char *at = text; *at; at += strspn(at, " ")) {
		at += strcspn(at, " ");
		count++;
	}
	return count;
}

/* Nothing but these: what was half made has no name. */
static void expect_names(const struct ground *ground, const char *names) {
	struct buf out;

	buf_init(&out, 4096);
	tell_names(ground->bench, ground->folder, "", &out);
	char *padded = xasprintf(" %s ", names);
	bool same = count_words(names) == count_words(out.at);
	char *copy = xstrdup(out.at), *rest = NULL;
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *whole = xasprintf(" %s ", word);
		same &= strstr(padded, whole) != NULL;
		free(whole);
	}
	if (!same) fail_msg("'%s' instead of '%s' in '%s'", out.at, names, ground->folder);
	free(copy);
	free(padded);
	buf_release(&out);
}

/* ---- operations ---- */

/* Each has a state before and one after; `init` asks for the step from one to the other. */
struct story {
	const char *name;
	void (*init)(struct ground *ground, struct store_op *op);
	const char *before, *after;    /* names there; NULL: a read */
	const char *file_is, *file_to; /* the content of "file" then; NULL: it is not there */
	bool only_folders;             /* of stores that have them */
};

static void new_file(struct ground *ground, struct store_op *op) {
	bench_put_init(ground->bench, op, in_ground(ground, "new"), "new", 3);
	op->if_absent = true;
}

static void over_a_file(struct ground *ground, struct store_op *op) {
	bench_put_init(ground->bench, op, in_ground(ground, "file"), "second", 6);
	op->if_version = ground->version;
	op->keep_key = key(ground, "kept");
}

static void a_folder(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_MKDIR, key(ground, "new"));
	op->kind = STORE_FOLDER;
}

static void times(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_SET, key(ground, "file"));
	op->mtime_ns = BENCH_MTIME_NS + NS_PER_S;
	op->mode = 0600;
}

static void copied(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_COPY, key(ground, "file"));
	op->to_key = key(ground, "new");
}

static void moved(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_MOVE, key(ground, "file"));
	op->to_key = key(ground, "new");
}

static void removed(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_REMOVE, key(ground, "file"));
	op->keep_key = key(ground, "kept");
}

static void content(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_GET, key(ground, "file"));
	op->length = 100;
}

static void entry(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_STAT, key(ground, "file"));
	op->want_hash = true;
}

static void names(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_LIST, bench_key(ground->bench, ground->folder));
	op->kind = STORE_FOLDER;
}

static void about(struct ground *ground, struct store_op *op) {
	store_op_init(op, STORE_ABOUT, "");
}

static const struct story stories[] = {
	{ "new", new_file, "file", "file new", "first", "first", false },
	{ "over", over_a_file, "file", "file kept", "first", "second", false },
	{ "mkdir", a_folder, "file", "file new", "first", "first", true },
	{ "set", times, "file", "file", "first", "first", false },
	{ "copy", copied, "file", "file new", "first", "first", false },
	{ "move", moved, "file", "new", "first", NULL, false },
	{ "remove", removed, "file", "kept", "first", NULL, false },
	{ "get", content, NULL, "file", "first", "first", false },
	{ "stat", entry, NULL, "file", "first", "first", false },
	{ "list", names, NULL, "file", "first", "first", false },
	{ "about", about, NULL, "file", "first", "first", false },
};

/* The same once more, when a person has done what was asked for, or the wait is over: who was told to wait keeps silent
 * for so long, so that a later life does it. */
static void once_more(
	struct ground *ground, const struct story *story, const struct contract_verdict *verdict) {
	struct bench *bench = ground->bench;
	struct contract *contract = bench->contract;
	struct store *store = ground->store;
	struct store_op op;

	contract->trouble(contract, TROUBLE_NONE, 0);
	if (verdict->retry_ms) {
		store = contract->open(contract, &bench->err);
		assert_non_null(store);
		for (size_t i = 0; i < ground->made.count; i++)
			store_remember(
				store, ground->made.things[i].place, ground->made.things[i].id);
	} else {
		store_renew(store);
	}
	story->init(ground, &op);
	op.making = is_making;
	assert_err(bench, bench_run_on(bench, store, &op), ERR_NONE);
	store_op_release(&op);
	if (store != ground->store) contract->close(contract, store);
}

static void expect_file(const struct ground *ground, const char *name, const char *text) {
	struct store_entry found;

	assert_err(ground->bench,
		bench_stat(ground->bench, in_ground(ground, name), STORE_FILE, &found), ERR_NONE);
	if (!ground->bench->contract->no_times && found.mode != BENCH_MODE)
		fail_msg("'%s' has lost its mode and time", in_ground(ground, name));
	bench_expect_entry(ground->bench, &found, text, strlen(text));
	store_entry_release(&found);
}

static void expect_after(const struct ground *ground, const struct story *story) {
	expect_names(ground, story->after);
	if (story->init == over_a_file)
		expect_file(ground, "file", story->file_to);
	else if (story->file_to)
		bench_expect(ground->bench, in_ground(ground, "file"), story->file_to);
	if (strstr(story->after, "kept")) expect_file(ground, "kept", "first");
	if (strstr(story->after, "new") && !story->only_folders)
		expect_file(ground, "new", story->init == new_file ? "new" : "first");
}

/* What is there while it has failed: all as before, or as after, or on the way with both names. */
static void expect_whole(const struct ground *ground, const struct story *story) {
	struct bench *bench = ground->bench;
	struct store_entry found;
	const char *file = in_ground(ground, "file"), *new = in_ground(ground, "new");

	enum err_kind kind = bench_stat(bench, file, STORE_FILE, &found);
	store_entry_release(&found);
	if (kind == ERR_NONE) {
		char *text = bench_get(bench, file, STORE_FILE);
		assert_true(strcmp(text, story->file_is) == 0 ||
			    (story->file_to && strcmp(text, story->file_to) == 0));
		free(text);
	} else {
		assert_int_equal(kind, ERR_NOT_FOUND);
		assert_null(story->file_to);
	}
	if (story->only_folders || !story->before) return;
	kind = bench_stat(bench, new, STORE_FILE, &found);
	store_entry_release(&found);
	if (kind == ERR_NOT_FOUND) return;
	assert_int_equal(kind, ERR_NONE);
	bench_expect(bench, new, story->init == new_file ? "new" : "first");
}

/* False: the trouble came too late for it. */
static bool tell(struct bench *bench, struct store *store, const struct story *story,
	enum contract_trouble trouble, int passes) {
	struct contract *contract = bench->contract;
	struct ground ground = { .bench = bench, .store = store };
	struct store_op op;

	snprintf(ground.folder, sizeof(ground.folder), "%s-%d-%d", story->name, trouble, passes);
	bench_mkdir(bench, ground.folder);
	bench_put(bench, in_ground(&ground, "file"), story->file_is);
	ground.version = bench_version(bench, in_ground(&ground, "file"));
	making_for = &ground.made;
	defer_init(&ground.made.defer, go_on);
	story->init(&ground, &op);
	op.making = is_making;
	const struct contract_verdict *verdict = contract->trouble(contract, trouble, passes);
	enum err_kind kind = bench_run_on(bench, ground.store, &op);
	store_op_release(&op);
	bool troubled = contract->troubled > 0;
	/* Where it could do without what failed, all is as if nothing had. */
	if (kind && !troubled) fail_msg("%s, after %d: %s", story->name, passes, bench->err.text);
	if (kind) {
		bench_expect_verdict(bench, story->name, passes, verdict);
		expect_whole(&ground, story);
		once_more(&ground, story, verdict);
	}
	contract->trouble(contract, TROUBLE_NONE, 0);
	expect_after(&ground, story);
	free(ground.version);
	made_release(&ground.made);
	return troubled;
}

/* At each of an operation's requests, up to so many of them. */
static void tell_all(struct bench *bench, enum contract_trouble trouble, int most) {
	struct contract *contract = bench->contract;
	const struct contract_verdict *verdict = contract->trouble(contract, trouble, 0);
	struct store *store = NULL;
	int met = 0;
	contract->trouble(contract, TROUBLE_NONE, 0);
	if (!verdict) return; /* its server never says so */
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		const struct story *story = &stories[i];
		int passes = 0;
		if (story->only_folders && !(bench->store->caps & STORE_CAP_FOLDERS)) continue;
		if (contract->no_times && story->init == times) continue;
		for (bool more = true; more && passes < most; passes++) {
			if (!store) store = bench_open_troubled(bench);
			more = tell(bench, store, story, trouble, passes);
			met += more;
			assert_true(passes + 1 < PASSES_MAX);
			if (verdict->retry_ms) { /* it waits by now */
				contract->close(contract, store);
				store = NULL;
			}
		}
	}
	if (store) contract->close(contract, store);
	assert_true(met > 0);
	/* What it knows of names is old by now, and it is to clean up. */
	contract->close(contract, bench->store);
	bench->store = contract->open(contract, &bench->err);
	assert_non_null(bench->store);
}

static void a_hiccup_is_nobodys_concern(void **state) {
	tell_all(*state, TROUBLE_HICCUP, PASSES_MAX);
}

static void too_many_requests(void **state) {
	tell_all(*state, TROUBLE_RATE, SOME);
	tell_all(*state, TROUBLE_RATE_BARE, 1);
	tell_all(*state, TROUBLE_UNAVAILABLE, 1);
}

static void no_room(void **state) {
	tell_all(*state, TROUBLE_FULL, PASSES_MAX);
	tell_all(*state, TROUBLE_FULL_BARE, 1);
}

static void credentials_end(void **state) {
	tell_all(*state, TROUBLE_EXPIRED, PASSES_MAX);
}

static void credentials_are_refused(void **state) {
	tell_all(*state, TROUBLE_DENIED, PASSES_MAX);
}

const struct CMUnitTest contract_trouble_tests[] = {
	BENCH_TEST(a_hiccup_is_nobodys_concern),
	BENCH_TEST(too_many_requests),
	BENCH_TEST(no_room),
	BENCH_TEST(credentials_end),
	BENCH_TEST(credentials_are_refused),
};
const size_t contract_trouble_count = ARRAY_LEN(contract_trouble_tests);
