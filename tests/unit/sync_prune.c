/* Old versions at a directory store: which go, that none goes when it must not, and that the table and the disk agree after faults. */
#include <dirent.h>
#include <time.h>

#include "support/world.h"
#include "sync/version.h"

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

/* Looks as often as a test wants. */
static void impatient(struct bench *b) {
	b->settings.keep_ms = INT64_C(30) * 86400000;
	b->prune_after_ms = b->prune_every_ms = 20;
}

/* As an earlier run has kept it: `ended` and `born` ago. */
static char *plant(
	struct bench *b, const char *path, int64_t ended_ns, int64_t born_ns, const char *text) {
	char name[VERSION_NAME_SIZE];
	version_name(&(struct version_span){ .born_ns = born_ns, .ended_ns = ended_ns }, name);
	shell("mkdir -p '%s/.tend/versions/%s'", b->cloud, path);
	char *whole = xasprintf("%s/.tend/versions/%s/%s", b->cloud, path, name);
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return whole;
}

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S;
}

static int64_t versions_of(struct bench *b) {
	struct folder_status status = status_of(b);
	int64_t versions = status.versions;
	folder_status_release(&status);
	return versions;
}

static bool pruned(struct bench *b) {
	struct folder_status status = status_of(b);
	bool yes = status.pruned_ns != 0;
	folder_status_release(&status);
	return yes;
}

static bool has_two(struct bench *b) {
	return versions_of(b) == 2;
}

/* Not on the way there, while the table is still being filled. */
static bool pruned_to_three(struct bench *b) {
	return pruned(b) && versions_of(b) == 3;
}

/* The table was never there: it is made from the names at the remote, then they are thinned by it. */
static void test_thinned_by_what_lies_there(void **state) {
	struct bench *b = *state;
	/* In the middle of a day and of an hour, so that the slots are what one thinks. */
	int64_t now = now_ns(), noon = now / DAY_NS * DAY_NS - 4 * DAY_NS + 12 * HOUR_NS;
	char *first = plant(b, "d/file", noon, noon - HOUR_NS, "goes: not the day's last");
	char *last = plant(b, "d/file", noon + HOUR_NS, noon, "stays");
	char *fresh = plant(b, "d/file", now, noon + HOUR_NS, "stays too");
	char *old = plant(b, "e/gone", now - 31 * DAY_NS, now - 32 * DAY_NS, "goes: too old");
	char *deleted =
		plant(b, "e/deleted", now - 29 * DAY_NS, now - 32 * DAY_NS, "stays: deleted");
	shell("echo hand > '%s/.tend/versions/d/README'", b->cloud);
	impatient(b);
	put(b, "file", "x");
	world_open(b);
	wait_until(b, "the table and what goes", pruned_to_three);
	shell("test ! -e '%s' && test -e '%s' && test -e '%s' && test ! -e '%s' && test -e '%s'",
		first, last, fresh, old, deleted);
	/* Its folder went with the last one, what a person left stays. */
	shell("cd '%s/.tend/versions' && test ! -e e/gone && test -e e/deleted && test -e d/README",
		b->cloud);
	world_close(b);
	char *const paths[] = { first, last, fresh, old, deleted };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) free(paths[i]);
}

static bool is_idle_with_two(struct bench *b) {
	return is_idle(b) && has_two(b);
}

/* The first minutes of a run; no `keep`; mode mirror: in none of them anything goes. */
static void test_nothing_goes_too_soon(void **state) {
	struct bench *b = *state;
	int64_t now = now_ns();
	free(plant(b, "gone", now - 90 * DAY_NS, now - 91 * DAY_NS, "old"));
	free(plant(b, "gone", now - 91 * DAY_NS, now - 92 * DAY_NS, "older"));
	impatient(b);
	b->prune_after_ms = 3600000;
	put(b, "file", "x");
	world_open(b);
	wait_until(b, "the table", is_idle_with_two);
	assert_false(pruned(b));
	world_close(b);

	b->prune_after_ms = 20;
	b->settings.keep_ms = 0;
	world_open(b);
	put(b, "file", "y");
	assert_int_equal(durable(b).kind, ERR_NONE);
	assert_int_equal(versions_of(b), 3);
	assert_false(pruned(b));
	/* Told to, it does; the one that was kept a moment ago stays. */
	b->settings.keep_ms = 86400000;
	struct err err;
	assert_int_equal(folder_apply(b->folder, &b->settings, &err), 0);
	wait_until(b, "a look", pruned);
	assert_int_equal(versions_of(b), 1);
	shell("grep -rq x '%s/.tend/versions/file'", b->cloud);
	world_close(b);
}

/* Each content begins when the one before it ended; after a deletion there is a gap. */
static void test_names_tell_what_followed_what(void **state) {
	struct bench *b = *state;
	put(b, "other", "o");
	put(b, "file", "0");
	world_open(b);
	for (int i = 1; i < 5; i++) {
		char text[4] = { (char)('0' + i) };
		put(b, "file", text);
		assert_int_equal(durable(b).kind, ERR_NONE);
	}
	shell("rm '%s/file'", b->local);
	assert_int_equal(durable(b).kind, ERR_NONE);
	put(b, "file", "again");
	assert_int_equal(durable(b).kind, ERR_NONE);
	put(b, "file", "the last");
	assert_int_equal(durable(b).kind, ERR_NONE);
	world_close(b);

	struct dirent **names;
	char *place = xasprintf("%s/.tend/versions/file", b->cloud);
	int count = scandir(place, &names, NULL, alphasort);
	struct version_span before = { 0 }, version;
	int gaps = 0, at = 0;
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			assert_int_equal(version_name_parse(names[i]->d_name, &version), 0);
			assert_true(version.born_ns <= version.ended_ns);
			if (at++) {
				bool gap = version.born_ns != before.ended_ns;
				assert_true(version.born_ns >= before.ended_ns);
				assert_int_equal(gap, before.deleted);
				gaps += gap;
			}
			before = version;
		}
		free(names[i]);
	}
	free(names);
	free(place);
	/* "0" to "4" (what is edited before it was sent is no version of its own, so at least two), and "again". */
	assert_in_range(at, 3, 6);
	assert_int_equal(gaps, 1);
}

/* ---- faults ---- */

struct faults {
	uint64_t random;
	int lost, refused; /* per cent */
	bool versions_only;
	int removes;
	struct store_fault_plan plan;
};

static unsigned dice(struct faults *faults) {
	faults->random = faults->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(faults->random >> 33) % 100;
}

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct faults *faults = user;
	struct err err = { .kind = ERR_NONE };
	bool prunes = op->verb == STORE_REMOVE && str_starts(op->key, VERSION_PLACE);
	*delay_ms = op->verb == STORE_PUT ? 1 + dice(faults) % 20 : 0;
	if (faults->versions_only && !str_starts(op->key, VERSION_PLACE)) return err;
	faults->removes += prunes && op->kind != STORE_FOLDER;
	if ((int)dice(faults) < faults->lost) {
		*after = true;
		err_set(&err, ERR_OFFLINE, "the answer was lost");
	} else if ((int)dice(faults) < faults->refused) {
		err_set(&err, ERR_BUSY, "too many requests");
	}
	return err;
}

static bool has_one_each(struct bench *b) {
	return pruned(b) && versions_of(b) == 20;
}

/* Answers lost while old versions go, and the folder closed in the middle: what shall stay stays, what shall go goes once. */
static void test_lost_answers_while_pruning(void **state) {
	struct bench *b = *state;
	struct faults faults = { .random = 5, .lost = 30, .versions_only = true };
	int64_t now = now_ns();
	for (int i = 0; i < 20; i++) {
		char path[16];
		snprintf(path, sizeof(path), "d%d/f", i);
		free(plant(b, path, now - 100 * DAY_NS, now - 101 * DAY_NS, "goes"));
		free(plant(b, path, now - 40 * DAY_NS, now - 100 * DAY_NS, "goes"));
		free(plant(b, path, now - DAY_NS, now - 40 * DAY_NS, "stays"));
	}
	impatient(b);
	put(b, "file", "x");
	faults.plan = (struct store_fault_plan){ .user = &faults, .decide = decide };
	world_open(b);
	wait_until(b, "all found, all gone that go", has_one_each);
	world_close(b);
	shell("test $(grep -rl stays '%s/.tend/versions' | wc -l) = 20 && ! grep -rq goes "
	      "'%s/.tend/versions'",
		b->cloud, b->cloud);

	/* The same with an unreliable store, begun again and again. */
	shell("rm -r '%s' && mkdir '%s'", b->state, b->state);
	for (int i = 0; i < 20; i++) {
		char path[16];
		snprintf(path, sizeof(path), "d%d/f", i);
		free(plant(b, path, now - 100 * DAY_NS, now - 101 * DAY_NS, "goes"));
	}
	b->faults = &faults.plan;
	for (int i = 0; i < 4; i++) {
		world_open(b);
		wait_until(b, "sent", is_idle);
		world_close(b);
	}
	world_open(b);
	wait_until(b, "it converges", has_one_each);
	assert_true(faults.removes >= 20);
	world_close(b);
	shell("test $(grep -rl stays '%s/.tend/versions' | wc -l) = 20 && ! grep -rq goes "
	      "'%s/.tend/versions'",
		b->cloud, b->cloud);
}

static void edits(struct bench *b, unsigned seed) {
	shell("bash -c \"cd '%s' && RANDOM=%u && for i in {1..40}; do n=\\$((RANDOM %% 8)); case "
	      "\\$((RANDOM %% 4)) in 0) rm -f \\$n;; "
	      "*) echo \\$RANDOM > \\$n;; esac; done; echo \\$RANDOM > keep; true\"",
		b->local, seed);
}

/* A kill between the intent and the answer: each version at the store is in the table, once, and none is missing there. */
static void test_table_and_store_agree(void **state) {
	struct bench *b = *state;
	struct faults faults = { .random = 9, .lost = 5, .refused = 3 };
	faults.plan = (struct store_fault_plan){ .user = &faults, .decide = decide };
	b->faults = &faults.plan;
	b->settings.keep_ms = INT64_C(30) * 86400000;
	put(b, "keep", "x");
	world_open(b);
	for (unsigned i = 0; i < 2; i++) {
		edits(b, i + 3);
		if (i % 2) world_again(b);
		assert_int_equal(durable(b).kind, ERR_NONE);
		edits(b, i + 30);
		folder_sync(b->folder);
		world_again(b);
		assert_int_equal(durable(b).kind, ERR_NONE);
		assert_equal_trees(b);
	}
	wait_until(b, "idle", is_idle);
	int64_t versions = versions_of(b);
	world_close(b);
	shell("test $(find '%s/.tend/versions' -type f | wc -l) = %lld", b->cloud,
		(long long)versions);
	assert_true(versions > 10);
}

/* ---- the trash of the modes that bring things here ---- */

/* As an earlier run has put it aside, so many days ago. */
static char *plant_day(struct bench *b, int64_t days_ago) {
	char time[TIME_TEXT_SIZE];
	time_format(now_ns() - days_ago * DAY_NS, time);
	char *place = xasprintf("%s/trash/test/%.10s", b->state, time);
	shell("mkdir -p '%s/a/b' && echo x >'%s/a/b/file' && ln -s /etc '%s/a/link' && chmod 0500 "
	      "'%s/a/b'",
		place, place, place, place);
	return place;
}

static char *old_day;

static bool old_is_gone(struct bench *b) {
	(void)b;
	return access(old_day, F_OK) != 0;
}

static void test_the_trash_keeps_its_days(void **state) {
	struct bench *b = *state;
	impatient(b);
	b->settings.mode = FOLDER_TWO_WAY;
	b->settings.poll_ms = 50;
	char *young = plant_day(b, 29);
	old_day = plant_day(b, 31);
	shell("mkdir -p '%s/trash/test/notes' '%s/trash/other/2001-01-01'", b->state, b->state);
	world_open(b);
	wait_until(b, "the old day is gone", old_is_gone);
	world_close(b);
	shell("test -f '%s/a/b/file' && test -d '%s/trash/test/notes' && "
	      "test -d '%s/trash/other/2001-01-01' && test -d /etc",
		young, b->state, b->state);
	free(young);
	free(old_day);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_thinned_by_what_lies_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_goes_too_soon, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_names_tell_what_followed_what, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_answers_while_pruning, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_and_store_agree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_trash_keeps_its_days, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
