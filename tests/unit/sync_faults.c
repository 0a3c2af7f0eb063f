/* A folder whose store is slow, loses answers or refuses: it converges, doubles nothing, and the barrier says the truth. */
#include "support/world.h"

struct faults {
	uint64_t random;
	int lost, refused, delayed; /* per cent of operations */
	int64_t put_delay_ms;
	int puts, rejected;
	struct store_fault_plan plan;
};

static unsigned dice(struct faults *faults) {
	faults->random = faults->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(faults->random >> 33) % 100;
}

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct faults *faults = user;
	struct err err = { .kind = ERR_NONE };
	if (op->verb == STORE_PUT) {
		faults->puts++;
		*delay_ms = faults->put_delay_ms;
	}
	if ((int)dice(faults) < faults->delayed) *delay_ms = 1 + dice(faults) % 10;
	if ((int)dice(faults) < faults->lost) {
		*after = true;
		err_set(&err, ERR_OFFLINE, "the answer was lost");
	} else if ((int)dice(faults) < faults->refused) {
		err_set(&err, ERR_BUSY, "too many requests");
		faults->rejected++;
	}
	return err;
}

static void faults_use(struct bench *b, struct faults *faults) {
	faults->plan = (struct store_fault_plan){ .user = faults, .decide = decide };
	b->faults = &faults->plan;
}

struct later {
	struct timer timer;
	struct bench *b;
	struct faults *faults;
	struct barrier barrier;
	bool written;
};

/* The first capture is at the store: write again, then ask for the barrier. */
static void write_again(struct timer *timer) {
	struct later *later = container_of(timer, struct later, timer);
	if (!later->faults->puts) {
		timer_start(timer, 5);
		return;
	}
	put(later->b, "file", "second bytes");
	later->barrier.wait.done = barrier_done;
	later->written = true;
	folder_wait_start(later->b->folder, &later->barrier.wait, folder_mark(later->b->folder));
}

/* SYNC.md §13, trap 13: a capture in flight does not count. */
static void test_barrier_wants_a_capture_of_its_own(void **state) {
	struct bench *b = *state;
	struct faults faults = { .random = 1 };
	faults_use(b, &faults);
	put(b, "other", "x");
	world_open(b);
	wait_until(b, "sent", is_idle);
	faults.puts = 0;
	faults.put_delay_ms = 300;
	struct later later = { .b = b, .faults = &faults };
	timer_init(&later.timer, b->loop, write_again);
	put(b, "file", "first bytes");
	timer_start(&later.timer, 1);
	loop_run_until(b->loop, &later.barrier.done);
	assert_true(later.written);
	assert_int_equal(later.barrier.err.kind, ERR_NONE);
	folder_wait_release(&later.barrier.wait);
	shell("test \"$(cat '%s/file')\" = 'second bytes'", b->cloud);
	world_close(b);
}

static bool at_the_store(struct bench *b) {
	return ((struct faults *)b->faults->user)->puts > 0;
}

static bool sent_file(struct bench *b) {
	char *path = path_join(b->cloud, "file");
	struct stat stat;
	bool there = lstat(path, &stat) == 0;
	free(path);
	return there;
}

/* What was in flight when the folder went away is taken up again when it is back. */
static void test_root_goes_while_something_is_sent(void **state) {
	struct bench *b = *state;
	struct faults faults = { .random = 1 };
	faults_use(b, &faults);
	put(b, "other", "x");
	world_open(b);
	wait_until(b, "sent", is_idle);
	faults.puts = 0;
	faults.put_delay_ms = 400;
	put(b, "file", "bytes");
	wait_until(b, "the file is at the store", at_the_store);
	shell("mv '%s' '%s.away'", b->local, b->local);
	wait_until(b, "it says that the folder is gone", in_trouble);
	faults.put_delay_ms = 0;
	shell("mv '%s.away' '%s'", b->local, b->local);
	folder_sync(b->folder);
	wait_until(b, "it goes on", is_idle);
	wait_until(b, "the file is sent", sent_file);
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_equal_trees(b);
	world_close(b);
}

static void churn(struct bench *b, unsigned seed) {
	shell("bash -c \"cd '%s' && RANDOM=%u && for i in {1..60}; do n=\\$((RANDOM %% 12)); "
	      "d=d\\$((RANDOM %% 4)); mkdir -p \\$d; "
	      "case \\$((RANDOM %% 6)) in 0|1|2) echo \\$RANDOM\\$RANDOM > \\$d/\\$n;; 3) rm -f "
	      "\\$d/\\$n;; "
	      "4) [ -e \\$d/\\$n ] && mv \\$d/\\$n \\$d/m\\$n;; 5) [ -e \\$d/\\$n ] && chmod 600 "
	      "\\$d/\\$n;; esac; done; echo end > keep; true\"",
		b->local, seed);
}

static void run_faults(struct bench *b, struct faults faults, int rounds) {
	faults_use(b, &faults);
	world_open(b);
	for (int i = 0; i < rounds; i++) {
		churn(b, (unsigned)(i + 7));
		struct err err = durable(b);
		if (err.kind != ERR_NONE) fail_msg("round %d: %s", i, err.text);
		assert_equal_trees(b);
	}
	/* Nothing is left half done: a second look sends nothing. */
	world_again(b);
	wait_until(b, "looked again", is_idle);
	assert_equal_trees(b);
	shell("cd '%s/.tend/versions' 2>/dev/null || exit 0; test -z \"$(find . -type f -name "
	      "'*.tmp*')\"",
		b->cloud);
	world_close(b);
}

static void test_lost_answers(void **state) {
	run_faults(*state, (struct faults){ .random = 11, .lost = 8, .delayed = 20 }, 3);
}

static void test_refusals(void **state) {
	run_faults(*state, (struct faults){ .random = 12, .refused = 8, .delayed = 20 }, 3);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_barrier_wants_a_capture_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_root_goes_while_something_is_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
