/* Lost answers, and operations that are given up at any moment. */
#include "support/contract.h"

/* ---- answers that never come ---- */

struct losses {
	int lose; /* so many answers of the next operations */
};

static struct err lose(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct losses *losses = user;
	struct err err = { 0 };

	if (losses->lose <= 0) return err;
	losses->lose--;
	*after = true;
	err_set(&err, ERR_OFFLINE, "the answer was lost");
	return err;
}

struct lossy {
	struct losses losses;
	struct store *store; /* retry over fault over a further object of the remote */
};

static void lossy_open(struct bench *bench, struct lossy *lossy) {
	struct contract *contract = bench->contract;
	struct store *inner = contract->open(contract, &bench->err);

	assert_non_null(inner);
	lossy->losses.lose = 0;
	struct store_fault_plan plan = { &lossy->losses, lose };
	lossy->store = store_retry(store_fault(inner, plan), 4);
}

static enum err_kind lossy_run(struct bench *bench, struct lossy *lossy, struct store_op *op) {
	lossy->losses.lose = 1;
	enum err_kind kind = bench_run_on(bench, lossy->store, op);
	assert_int_equal(lossy->losses.lose, 0);
	return kind;
}

static void a_lost_answer_changes_nothing(void **state) {
	struct bench *bench = *state;
	struct lossy lossy;
	struct store_op op;

	lossy_open(bench, &lossy);

	bench_put_init(bench, &op, "file", "one", 3);
	op.if_absent = true;
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);
	bench_expect(bench, "file", "one");

	char *version = bench_version(bench, "file");
	bench_put_init(bench, &op, "file", "two!", 4);
	op.if_version = version;
	op.keep_key = bench_key(bench, "kept/one");
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	assert_true(op.kept);
	store_op_release(&op);
	free(version);
	bench_expect(bench, "file", "two!");
	bench_expect(bench, "kept/one", "one");

	store_op_init(&op, STORE_SET, bench_key(bench, "file"));
	op.mtime_ns = 77;
	op.mode = 0600;
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);

	store_op_init(&op, STORE_MKDIR, bench_key(bench, "folder"));
	op.kind = STORE_FOLDER;
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);

	store_op_init(&op, STORE_COPY, bench_key(bench, "file"));
	op.to_key = bench_key(bench, "folder/copy");
	op.if_absent = true;
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);
	bench_expect(bench, "folder/copy", "two!");

	store_op_init(&op, STORE_MOVE, bench_key(bench, "folder/copy"));
	op.to_key = bench_key(bench, "folder/moved");
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);
	bench_expect(bench, "folder/moved", "two!");
	bench_expect_absent(bench, "folder/copy", STORE_FILE);

	store_op_init(&op, STORE_REMOVE, bench_key(bench, "folder/moved"));
	op.keep_key = bench_key(bench, "kept/two");
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	assert_true(op.kept);
	store_op_release(&op);
	bench_expect(bench, "kept/two", "two!");

	store_op_init(&op, STORE_REMOVE, bench_key(bench, "folder"));
	op.kind = STORE_FOLDER;
	assert_err(bench, lossy_run(bench, &lossy, &op), ERR_NONE);
	store_op_release(&op);
	bench_expect_absent(bench, "folder", STORE_FOLDER);
	store_free(lossy.store);
}

/* ---- given up ---- */

/* Cancels an operation after so many turns of the loop. */
struct quitter {
	struct defer defer;
	struct bench *bench;
	struct store_op *op;
	int turns;
	bool done;
	int dones;
	enum err_kind kind;
};

static struct quitter *quitter;

static void quit_later(struct defer *defer) {
	struct quitter *self = container_of(defer, struct quitter, defer);

	if (self->done) return;
	if (self->turns-- > 0) {
		defer_start(self->bench->loop, defer);
	} else {
		bool before = self->done;
		store_cancel(self->bench->store, self->op);
		assert_int_equal(self->done, before); /* never inside cancel */
	}
}

static void quit_done(struct store_op *op, const struct err *err) {
	quitter->dones++;
	quitter->kind = err ? err->kind : ERR_NONE;
	quitter->done = true;
}

static enum err_kind run_and_quit(struct bench *bench, struct store_op *op, int turns) {
	struct quitter self = { .bench = bench, .op = op, .turns = turns };

	quitter = &self;
	op->done = quit_done;
	defer_init(&self.defer, quit_later);
	store_start(bench->store, op);
	defer_start(bench->loop, &self.defer);
	loop_run_until(bench->loop, &self.done);
	defer_cancel(&self.defer);
	assert_int_equal(self.dones, 1);
	assert_true(self.kind == ERR_NONE || self.kind == ERR_CANCELLED);
	return self.kind;
}

static void given_up_at_any_moment(void **state) {
	static const int turns[] = { 0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 25, 40, 80, 1000 };
	struct bench *bench = *state;

	bench_put(bench, "file", "old");
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		struct store_op op;
		char *keep = xasprintf("kept/%zu", i), *text = xasprintf("text %zu", i);

		char *before = bench_get(bench, "file", STORE_FILE);
		bench_put_init(bench, &op, "file", text, strlen(text));
		op.keep_key = bench_key(bench, keep);
		enum err_kind kind = run_and_quit(bench, &op, turns[i]);
		store_op_release(&op);
		char *after = bench_get(bench, "file", STORE_FILE);
		/* One or the other, whole; and what was replaced is kept. */
		assert_true(strcmp(after, text) == 0 || (kind && strcmp(after, before) == 0));
		if (strcmp(after, text) == 0) bench_expect(bench, keep, before);
		/* Tried again, it is done. */
		bench_put_init(bench, &op, "file", text, strlen(text));
		op.keep_key = bench_key(bench, keep);
		assert_err(bench, bench_run(bench, &op), ERR_NONE);
		store_op_release(&op);
		bench_expect(bench, "file", text);
		bench_expect(bench, keep, before);

		store_op_init(&op, STORE_LIST, bench_key(bench, ""));
		kind = run_and_quit(bench, &op, turns[i]);
		assert_int_equal(op.complete, kind == ERR_NONE);
		store_op_release(&op);
		store_op_init(&op, STORE_GET, bench_key(bench, "file"));
		op.length = 10;
		run_and_quit(bench, &op, turns[i]);
		store_op_release(&op);
		store_op_init(&op, STORE_STAT, bench_key(bench, "file"));
		run_and_quit(bench, &op, turns[i]);
		store_op_release(&op);
		free(keep);
		free(text);
		free(before);
		free(after);
	}
}

/* ---- ids: kept by whoever asks before a thing is made ---- */

struct kept {
	struct defer defer;
	struct store_op *op;
	bool silent; /* never says that it is kept */
	bool asked;
	int count, implied;
	char *place, *id; /* the last ones */
};

static struct kept *keeper;

static void now_it_is_kept(struct defer *defer) {
	store_go_on(container_of(defer, struct kept, defer)->op);
}

static void making(struct store_op *op, const char *place, bool implied, const char *id) {
	keeper->op = op;
	keeper->asked = true;
	keeper->count++;
	keeper->implied += implied;
	free(keeper->place);
	free(keeper->id);
	keeper->place = xstrdup(place);
	keeper->id = xstrdup(id);
	if (!keeper->silent) defer_start(quitter->bench->loop, &keeper->defer);
}

/* Starts it, and runs until it asks. */
static void run_until_asked(struct bench *bench, struct store_op *op) {
	op->making = making;
	op->done = quit_done;
	store_start(bench->store, op);
	loop_run_until(bench->loop, &keeper->asked);
}

static void nothing_is_made_before_its_id_is_kept(struct bench *bench) {
	struct quitter self = { .bench = bench };
	struct store_op op;

	quitter = &self;
	keeper->silent = true;
	bench_put_init(bench, &op, "file", "one", 3);
	run_until_asked(bench, &op);
	bench_expect_absent(bench, "file", STORE_FILE);
	store_cancel(bench->store, &op);
	assert_false(self.done); /* never inside cancel */
	loop_run_until(bench->loop, &self.done);
	assert_int_equal(self.kind, ERR_CANCELLED);
	store_go_on(&op); /* too late, and harmless */
	assert_int_equal(self.dones, 1);
	store_op_release(&op);
	keeper->silent = false;
}

static void a_later_life_makes_it_with_the_same_id(struct bench *bench) {
	struct store *later = bench->contract->open(bench->contract, &bench->err);
	struct store_op op;

	store_remember(later, keeper->place, keeper->id);
	bench_put_init(bench, &op, "file", "one", 3);
	assert_err(bench, bench_run_on(bench, later, &op), ERR_NONE);
	assert_string_equal(op.entry.id, keeper->id);
	store_op_release(&op);
	bench->contract->close(bench->contract, later);
}

static void the_folder_by_its_id(struct bench *bench) {
	struct store *later = bench->contract->open(bench->contract, &bench->err);
	struct store_op op, put;

	store_op_init(&op, STORE_MKDIR, bench_key(bench, "known"));
	op.kind = STORE_FOLDER;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	/* Nothing is looked up on the way: whoever hands in the id knows better than its name. */
	bench_put_init(bench, &put, "never made/file", "here", 4);
	put.parent_id = op.entry.id;
	assert_err(bench, bench_run_on(bench, later, &put), ERR_NONE);
	bench_expect(bench, "known/file", "here");
	store_op_release(&put);
	store_op_release(&op);
	bench->contract->close(bench->contract, later);
}

/* What has this id is somewhere else by now: it is not what is wanted at the old place. */
static void not_what_was_moved_away(struct bench *bench) {
	struct store *later = bench->contract->open(bench->contract, &bench->err);
	struct store_op op;
	char *id;

	store_op_init(&op, STORE_MKDIR, bench_key(bench, "old name"));
	op.kind = STORE_FOLDER;
	op.making = making;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	id = xstrdup(op.entry.id);
	store_op_release(&op);
	store_op_init(&op, STORE_MOVE, bench_key(bench, "old name"));
	op.to_key = bench_key(bench, "new name");
	op.kind = STORE_FOLDER;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	store_remember(later, keeper->place, id);
	bench_put_init(bench, &op, "old name/file", "lost", 4);
	assert_err(bench, bench_run_on(bench, later, &op), ERR_NOT_FOUND);
	store_op_release(&op);
	free(id);
	bench->contract->close(bench->contract, later);
}

static void ids_come_before_things(void **state) {
	struct bench *bench = *state;
	struct kept self = { 0 };
	struct quitter runs = { .bench = bench };
	struct store_op op;
	bool ids = bench->store->ids;

	keeper = &self;
	defer_init(&self.defer, now_it_is_kept);
	if (ids) {
		nothing_is_made_before_its_id_is_kept(bench);
		a_later_life_makes_it_with_the_same_id(bench);
		the_folder_by_its_id(bench);
		quitter = &runs;
		not_what_was_moved_away(bench);
	} else {
		bench_put(bench, "file", "one");
	}
	quitter = &runs;
	self.count = self.implied = 0;
	bench_put_init(bench, &op, "file", "two", 3);
	op.keep_key = bench_key(bench, "kept/here/one");
	op.making = making;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	store_op_release(&op);
	/* Both folders, and the copy. */
	assert_int_equal(self.count, ids ? 3 : 0);
	assert_int_equal(self.implied, ids ? 2 : 0);
	store_op_init(&op, STORE_MKDIR, bench_key(bench, "folder"));
	op.kind = STORE_FOLDER;
	op.making = making;
	assert_err(bench, bench_run(bench, &op), ERR_NONE);
	if (ids) assert_string_equal(op.entry.id, self.id);
	store_op_release(&op);
	assert_int_equal(self.implied, ids ? 2 : 0);
	free(self.place);
	free(self.id);
}

/* ---- another hand ---- */

static void what_another_hand_moved_away_is_made_anew(void **state) {
	struct bench *bench = *state;
	struct store *other = bench->contract->open(bench->contract, &bench->err);
	struct store_entry entry;
	struct store_op op;

	bench_mkdir(bench, "folder");
	store_op_init(&op, STORE_MOVE, bench_key(bench, "folder"));
	op.to_key = bench_key(bench, "elsewhere");
	op.kind = STORE_FOLDER;
	/* Where folders are no things of their own nobody moves them. */
	bool moved = (other->caps & STORE_CAP_MOVE) != 0;
	if (moved) assert_err(bench, bench_run_on(bench, other, &op), ERR_NONE);
	store_op_release(&op);
	bench_mkdir(bench, "folder");
	assert_err(bench, bench_stat(bench, "folder", STORE_FOLDER, &entry), ERR_NONE);
	store_entry_release(&entry);
	assert_int_equal(bench_stat(bench, "elsewhere", STORE_FOLDER, &entry),
		moved ? ERR_NONE : ERR_NOT_FOUND);
	store_entry_release(&entry);
	bench->contract->close(bench->contract, other);
}

const struct CMUnitTest contract_fault_tests[] = {
	BENCH_TEST(a_lost_answer_changes_nothing),
	BENCH_TEST(given_up_at_any_moment),
	BENCH_TEST(ids_come_before_things),
	BENCH_TEST(what_another_hand_moved_away_is_made_anew),
};
const size_t contract_fault_count = ARRAY_LEN(contract_fault_tests);
