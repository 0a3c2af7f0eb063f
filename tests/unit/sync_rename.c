/* Renames: who is taken for whom, and that no content travels for them, on the real loop and a real disk. */
#include "support/world.h"

#include "sync/pair.h"

/* ---- the decision ---- */

static const uint8_t one[16] = { 1 }, two[16] = { 2 };

static struct index_entry base_of(int64_t size) {
	return (struct index_entry){ .kind = INDEX_FILE,
		.size = size,
		.mtime_ns = 5,
		.btime_ns = 3,
		.ino = 7,
		.hash = { 1 },
		.hash_len = 16 };
}

static struct pair_question asked(const struct index_entry *base, const uint8_t *hash) {
	return (struct pair_question){ .base = base,
		.ino = 7,
		.size = base->size,
		.mtime_ns = 5,
		.btime_ns = 3,
		.hash = hash,
		.hash_len = 16 };
}

static void test_files(void **state) {
	enum { SMALL = 100, LARGE = PAIR_BY_IDENTITY };
	const struct {
		const char *what;
		int64_t size;
		const uint8_t *hash;
		enum pair_origin origin;
		enum pair_answer answer;
	} rows[] = {
		{ "small, not read", SMALL, NULL, ORIGIN_UNKNOWN, PAIR_READ },
		{ "small, not read, name gone", SMALL, NULL, ORIGIN_GONE, PAIR_READ },
		{ "small, same bytes", SMALL, one, ORIGIN_UNKNOWN, PAIR_LOOK },
		{ "small, other bytes", SMALL, two, ORIGIN_GONE, PAIR_NO },
		{ "small, name gone", SMALL, one, ORIGIN_GONE, PAIR_MOVE },
		{ "small, a hard link", SMALL, one, ORIGIN_SAME, PAIR_COPY },
		{ "large, not read", LARGE, NULL, ORIGIN_UNKNOWN, PAIR_LOOK },
		{ "large, name gone", LARGE, NULL, ORIGIN_GONE, PAIR_MOVE },
		{ "large, other bytes", LARGE, two, ORIGIN_GONE, PAIR_NO },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct index_entry base = base_of(rows[i].size);
		struct pair_question q = asked(&base, rows[i].hash);
		q.origin = rows[i].origin;
		if (pair_file(&q) != rows[i].answer) fail_msg("%s", rows[i].what);
	}
}

static void test_files_that_are_no_origin(void **state) {
	for (int i = 0; i < 13; i++) {
		struct index_entry base = base_of(PAIR_BY_IDENTITY);
		struct pair_question q = asked(&base, NULL);
		enum pair_answer wanted = PAIR_NO;
		q.origin = ORIGIN_GONE;
		switch (i) {
		case 0: q.ino++; break;
		case 1: q.size++; break;
		case 2: q.mtime_ns++; break;
		case 3: q.btime_ns++; break; /* the inode was given anew */
		case 4: base.flags = INDEX_STRANGER; break;
		case 5: base.flags = INDEX_UNVERIFIED; break;
		case 6: base.hash_len = 0; break;
		case 7: base.kind = INDEX_LINK; break;
		case 8: /* nobody sealed it: asked for after */
			base.epoch = INT64_MAX;
			wanted = PAIR_MOVE;
			break;
		case 9: /* written again within the tick of its time, perhaps */
			base.flags = INDEX_RACY;
			wanted = PAIR_READ;
			break;
		case 12: /* of another kind: an older version's */ base.hash_len = 32; break;
		case 10: /* its image decides */
			q.is_database = true;
			wanted = PAIR_READ;
			break;
		default: /* a copy keeps no version of what it replaces */
			q.taken = true;
			q.origin = ORIGIN_SAME;
		}
		if (pair_file(&q) != wanted) fail_msg("row %d", i);
	}
}

static void test_folders(void **state) {
	struct index_entry base = { .kind = INDEX_FOLDER, .ino = 7, .btime_ns = 3 };
	struct pair_question q = { .base = &base, .ino = 7, .btime_ns = 3 };
	assert_int_equal(pair_folder(&q), PAIR_LOOK);
	q.origin = ORIGIN_GONE;
	assert_int_equal(pair_folder(&q), PAIR_MOVE);
	q.origin = ORIGIN_SAME;
	assert_int_equal(pair_folder(&q), PAIR_NO);
	q.origin = ORIGIN_GONE;
	q.btime_ns = 4;
	assert_int_equal(pair_folder(&q), PAIR_NO);
	q.btime_ns = base.btime_ns = 0; /* no birth times here: a new one may have its inode */
	assert_int_equal(pair_folder(&q), PAIR_NO);
	q.btime_ns = base.btime_ns = 3;
	q.taken = true;
	assert_int_equal(pair_folder(&q), PAIR_NO);
}

/* ---- folders of the real world ---- */

struct count {
	int puts, moves, copies, removes;
	int64_t bytes;
	enum store_verb lose; /* answers of this verb are lost, */
	int lost;             /* so many of them */
	struct store_fault_plan plan;
};

static struct err count_op(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct count *count = user;
	struct err err = { .kind = ERR_NONE };
	(void)delay_ms;
	if (op->verb == STORE_PUT || op->verb == STORE_PART_PUT) {
		count->puts++;
		count->bytes += op->verb == STORE_PUT ? op->size : op->length;
	}
	count->moves += op->verb == STORE_MOVE;
	count->copies += op->verb == STORE_COPY;
	count->removes += op->verb == STORE_REMOVE;
	if (op->verb == count->lose && count->lost > 0) {
		count->lost--;
		*after = true;
		err_set(&err, ERR_OFFLINE, "the answer was lost");
	}
	return err;
}

static struct count count;

/* What `make` makes in the folder is agreed; then the counters begin. */
static void begin(struct bench *b, const char *make) {
	count = (struct count){ .lose = STORE_ABOUT };
	count.plan = (struct store_fault_plan){ .user = &count, .decide = count_op };
	b->faults = &count.plan;
	/* Older than two seconds: what is younger is read once more. */
	shell("cd '%s' && %s && find . -type f -exec touch -d '2020-01-01 00:00:00.5' {} +",
		b->local, make);
	world_open(b);
	wait_until(b, "sent", is_idle);
	assert_int_equal(durable(b).kind, ERR_NONE);
	count.puts = count.moves = count.copies = count.removes = 0;
	count.bytes = 0;
}

static void change(struct bench *b, const char *command) {
	shell("cd '%s' && %s", b->local, command);
	struct err err = durable(b);
	if (err.kind != ERR_NONE) fail_msg("%s", err.text);
	assert_equal_trees(b);
}

static void end(struct bench *b) {
	/* Nothing is left half done, and nothing was forgotten. */
	count.puts = count.removes = 0;
	world_again(b);
	wait_until(b, "looked again", is_idle);
	assert_equal_trees(b);
	assert_int_equal(count.puts, 0);
	assert_int_equal(count.removes, 0);
	world_close(b);
}

static void test_a_file(void **state) {
	struct bench *b = *state;
	begin(b, "mkdir d && echo small > a && head -c 3000000 /dev/urandom > large");
	change(b, "mv a d/b && mv large d/huge");
	assert_int_equal(count.moves, 2);
	assert_int_equal(count.bytes, 0);
	change(b, "mv d/b a && touch -d 2021-01-01 a && chmod 600 d/huge && mv d/huge large");
	assert_int_equal(
		count.moves, 3); /* with another time it is another file, as small as it is */
	assert_int_equal(count.bytes, 6);
	shell("test ! -e '%s/.tend/versions/large' && test ! -e '%s/.tend/versions/d/huge'",
		b->cloud, b->cloud);
	end(b);
}

static void test_a_folder_of_many(void **state) {
	struct bench *b = *state;
	begin(b,
		"mkdir -p a/b/c x && for i in $(seq 200); do echo $i > a/b/$i; done && echo deep > "
		"a/b/c/deep");
	change(b, "mv a/b x/moved");
	assert_int_equal(count.moves, 1);
	assert_int_equal(count.puts, 0);
	assert_int_equal(count.removes, 0);
	/* It is watched there, and its rows are there. */
	change(b, "echo new > x/moved/c/new && echo seven > x/moved/7 && rm x/moved/8");
	assert_int_equal(count.moves, 1);
	assert_int_equal(count.puts, 2);
	change(b, "mv x/moved/c x/c && mv x y && rm y/moved/9 && echo more >> y/moved/10");
	assert_int_equal(count.puts, 3);
	end(b);
}

static void test_a_folder_while_nobody_looked(void **state) {
	struct bench *b = *state;
	begin(b, "mkdir -p a/b && for i in $(seq 50); do echo $i > a/b/$i; done && echo f > f");
	world_close(b);
	shell("cd '%s' && mv a z && mv f z/g && echo new > z/b/3 && mkdir a && echo again > "
	      "a/again",
		b->local);
	world_open(b);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	assert_in_range(count.moves, 2, 10); /* by the order of looks the folder goes in pieces */
	assert_int_equal(count.bytes, (int64_t)strlen("new\nagain\n"));
	end(b);
}

static void test_in_and_out_of_what_is_excluded(void **state) {
	struct bench *b = *state;
	char *exclude[] = { (char *)"/out/", NULL };
	b->settings.exclude = exclude;
	begin(b, "mkdir out in && echo 1 > out/1 && echo 2 > in/2");
	shell("cd '%s' && mv out/1 in/1 && mv in/2 out/2", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_int_equal(count.moves, 0);
	assert_int_equal(count.puts, 1);
	shell("test -e '%s/in/1' && test ! -e '%s/in/2' && test ! -e '%s/out'", b->cloud, b->cloud,
		b->cloud);
	world_close(b);
}

static void test_swap_and_chain(void **state) {
	struct bench *b = *state;
	begin(b, "for i in a b; do head -c 300000 /dev/urandom > $i; done");
	change(b, "mv a t && mv b a && mv t b");
	/* One goes as it is, the other takes the place that it left. */
	assert_true(count.bytes <= 300000);
	int64_t before = count.bytes;
	change(b, "mv b c && mv a b");
	assert_true(count.bytes == before);
	assert_true(count.moves >= 2);
	end(b);
}

static void test_overwritten_is_kept(void **state) {
	struct bench *b = *state;
	begin(b, "echo old > target && echo longer text > source");
	change(b, "mv source target");
	assert_int_equal(count.bytes, 0);
	assert_int_equal(count.moves, 1);
	shell("test $(ls '%s/.tend/versions/target' | wc -l) = 1 && grep -q old "
	      "'%s'/.tend/versions/target/* && test ! -e '%s/.tend/versions/source'",
		b->cloud, b->cloud, b->cloud);
	end(b);
}

static void test_edited_after(void **state) {
	struct bench *b = *state;
	begin(b, "echo one > a && echo two > other");
	change(b, "mv a b && echo more >> b");
	assert_int_equal(count.moves, 0);
	assert_int_equal(count.puts, 1);
	shell("grep -q one '%s'/.tend/versions/a/*", b->cloud);
	end(b);
}

static void test_rotated_log(void **state) {
	struct bench *b = *state;
	begin(b, "head -c 500000 /dev/urandom > log && head -c 400000 /dev/urandom > log.1");
	change(b, "mv log.1 log.2 && mv log log.1 && echo new > log");
	assert_int_equal(count.bytes, 4);
	assert_int_equal(count.moves, 2);
	end(b);
}

/* SYNC.md §13, trap 10. */
static void test_inode_given_anew(void **state) {
	struct bench *b = *state;
	begin(b, "echo 12345 > a && echo x > other");
	change(b, "rm a && echo 67890 > b && touch -d '2020-01-01 00:00:00.5' b");
	assert_int_equal(count.moves, 0);
	end(b);
}

static void test_hard_link(void **state) {
	struct bench *b = *state;
	begin(b, "head -c 200000 /dev/urandom > a");
	change(b, "ln a b");
	assert_int_equal(count.copies, 1);
	assert_int_equal(count.bytes, 0);
	change(b, "rm a"); /* the other name stays, and its copy with it */
	assert_int_equal(count.bytes, 0);
	end(b);
}

/* The answer is lost after the work was done, of the move and of what is asked next. */
static void test_lost_answers(void **state) {
	struct bench *b = *state;
	begin(b, "mkdir d e && for i in $(seq 20); do echo $i > d/$i; done && echo f > f && echo g "
		 "> g");
	count.lose = STORE_MOVE;
	count.lost = 2;
	change(b, "mv f e/f && mv g f");
	assert_int_equal(count.bytes, 0);
	count.lost = 1;
	change(b, "mv d e/d");
	assert_int_equal(count.bytes, 0);
	end(b);
}

static bool move_lost(struct bench *b) {
	(void)b;
	return count.lost == 0;
}

/* The move was done, and the daemon was gone before it was told. */
static void test_killed_after_the_move(void **state) {
	struct bench *b = *state;
	begin(b, "mkdir d e && for i in $(seq 20); do echo $i > d/$i; done && echo f > f && echo g "
		 "> g");
	count.lose = STORE_MOVE;
	count.lost = 1;
	shell("cd '%s' && mv d e/d", b->local);
	wait_until(b, "the folder is moved", move_lost);
	world_again(b);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	assert_int_equal(count.bytes, 0);
	count.lost = 1;
	shell("cd '%s' && mv f e/f", b->local);
	wait_until(b, "the file is moved", move_lost);
	world_again(b);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	assert_int_equal(count.bytes, 0);
	end(b);
}

/* The same, and the folder is gone or goes on to a third name before anybody asks what became of it: what lies in it at the remote is
 * still ours, and goes where it went, or to the versions. */
static void test_moved_on_before_the_answer(void **state) {
	struct bench *b = *state;
	begin(b, "echo x > x && mkdir d && for i in $(seq 20); do echo $i > d/$i; done");
	for (int killed = 0; killed < 2; killed++) {
		count.lose = STORE_MOVE;
		count.lost = 1;
		shell("cd '%s' && mv d e", b->local);
		wait_until(b, "the folder is moved", move_lost);
		if (killed) world_close(b);
		shell("cd '%s' && mv e d", b->local);
		if (killed) world_open(b);
		assert_int_equal(durable(b).kind, ERR_NONE);
		assert_equal_trees(b);
		assert_int_equal(count.bytes, 0);
	}
	count.lost = 1;
	shell("cd '%s' && mv d e", b->local);
	wait_until(b, "the folder is moved", move_lost);
	world_close(b);
	shell("rm -r '%s/e'", b->local);
	world_open(b);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	shell("test $(find '%s/.tend/versions' -type f | wc -l) = 20", b->cloud);
	end(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_files_that_are_no_origin),
		cmocka_unit_test(test_folders),
		cmocka_unit_test_setup_teardown(test_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_folder_of_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_folder_while_nobody_looked, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_in_and_out_of_what_is_excluded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swap_and_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overwritten_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edited_after, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rotated_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inode_given_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hard_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed_after_the_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_on_before_the_answer, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
