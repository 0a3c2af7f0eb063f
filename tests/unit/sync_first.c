/* What takes its time does not hold what is small and new: a first sync, whose files come after what an event tells of, with the folders
 * that it needs; and large files, which leave a slot to others. */
#include "support/world.h"

enum {
	FOLDERS = 60,
	ORDER_MAX = 4 * FOLDERS,
	MAKE_MS = 30,
	SOON = 20,
	LARGE_MS = 3600000,
	MIB = 1 << 20
};

struct order {
	char keys[ORDER_MAX][32]; /* in the order in which they were begun to be sent */
	int count;
	int64_t large_ms; /* so long a large one takes */
	struct store_fault_plan plan;
};

static struct order order;
static int wanted;

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	(void)user;
	(void)after;
	bool makes = op->verb == STORE_PUT || op->verb == STORE_MKDIR;
	if (makes && !str_starts(op->key, ".tend") && order.count < ORDER_MAX) {
		snprintf(order.keys[order.count++], sizeof(order.keys[0]), "%s", op->key);
		*delay_ms = str_starts(op->key, "large") ? order.large_ms : MAKE_MS;
	}
	return (struct err){ .kind = ERR_NONE };
}

static bool are_marked(struct bench *b) {
	struct folder_status status = status_of(b);
	bool marked = status.pending >= wanted;
	folder_status_release(&status);
	return marked;
}

/* Where it came; ORDER_MAX: it was not sent. */
static int place_of(const char *key) {
	for (int i = 0; i < order.count; i++)
		if (str_equal(order.keys[i], key)) return i;
	return ORDER_MAX;
}

static const char *key_wanted;

static bool is_begun(struct bench *b) {
	(void)b;
	return place_of(key_wanted) < ORDER_MAX;
}

static void assert_soon(struct bench *b, const char *key) {
	key_wanted = key;
	wait_until(b, key, is_begun);
	if (place_of(key) >= SOON) fail_msg("'%s' came as number %d", key, place_of(key));
}

/* Files of long ago, which the scan marks, in folders of their own. */
static void first_sync(struct bench *b) {
	order = (struct order){ .plan = { .decide = decide } };
	b->faults = &order.plan;
	b->settings.max_transfers = 1;
	shell("cd '%s' && for i in $(seq 100 %d); do mkdir -p d$i/in; echo $i >d$i/a; echo $i "
	      ">d$i/in/b; done"
	      " && find . -exec touch -d '1 hour ago' {} +",
		b->local, 99 + FOLDERS);
	world_open(b);
	folder_pause(b->folder);
	wanted = 4 * FOLDERS;
	wait_until(b, "what the scan marks", are_marked);
}

static void write_and_go(struct bench *b, const char *const *names) {
	for (int i = 0; names[i]; i++) put(b, names[i], "edited\n");
	put(b, "last", "so that all events before are known\n");
	wanted++;
	wait_until(b, "the mark of the last", are_marked);
	folder_resume(b->folder);
	for (int i = 0; names[i]; i++) assert_soon(b, names[i]);
}

static void test_what_an_event_tells_of_goes_first(void **state) {
	static const char *const names[] = { "new", "d159/a", NULL };
	struct bench *b = *state;
	first_sync(b);
	wanted++;
	write_and_go(b, names);
	world_close(b);
}

/* Which the scan found as well: the last of all. */
static void test_with_the_folders_it_needs(void **state) {
	static const char *const names[] = { "d159/in/b", NULL };
	struct bench *b = *state;
	first_sync(b);
	write_and_go(b, names);
	world_close(b);
}

static int larges(void) {
	int count = 0;
	for (int i = 0; i < order.count; i++) count += str_starts(order.keys[i], "large");
	return count;
}

static bool none_is_left(struct bench *b) {
	struct folder_status status = status_of(b);
	bool none = status.pending <= wanted;
	folder_status_release(&status);
	return none;
}

static void large_files(struct bench *b, int count) {
	for (int i = 0; i < count; i++)
		shell("head -c %d /dev/zero >'%s/large%d'", 2 * MIB, b->local, i);
}

/* More than there are slots, found by a scan or told of by events: one slot is never theirs. */
static void overtaken(struct bench *b, int slots, bool scanned) {
	order = (struct order){ .large_ms = LARGE_MS, .plan = { .decide = decide } };
	b->faults = &order.plan;
	b->settings.max_transfers = slots;
	if (scanned) large_files(b, slots + 1);
	if (scanned) shell("touch -d '1 hour ago' '%s'/*", b->local);
	world_open(b);
	if (!scanned) wait_until(b, "idle", is_idle);
	if (!scanned) large_files(b, slots + 1);
	key_wanted = "large0";
	wait_until(b, "a large one", is_begun);
	for (int i = 0; i < SOON; i++) {
		char name[24];
		snprintf(name, sizeof(name), "small%d", i);
		put(b, name, "small\n");
		key_wanted = name;
		wait_until(b, name, is_begun);
	}
	wanted = slots + 1; /* the large ones themselves */
	wait_until(b, "the small ones", none_is_left);
	assert_int_equal(larges(), slots - 1);
	world_close(b);
}

static void test_large_ones_of_a_scan_leave_a_slot(void **state) {
	overtaken(*state, 2, true);
}

static void test_large_ones_of_events_leave_a_slot(void **state) {
	overtaken(*state, 3, false);
}

static bool all_larges_are_begun(struct bench *b) {
	(void)b;
	return larges() == wanted;
}

/* Where there is one slot alone it is theirs too. */
static void test_one_slot_is_for_all(void **state) {
	struct bench *b = *state;
	order = (struct order){ .large_ms = MAKE_MS, .plan = { .decide = decide } };
	b->faults = &order.plan;
	b->settings.max_transfers = 1;
	large_files(b, 1);
	world_open(b);
	wanted = 1;
	wait_until(b, "the large one", all_larges_are_begun);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_an_event_tells_of_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_with_the_folders_it_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_large_ones_of_a_scan_leave_a_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_large_ones_of_events_leave_a_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_slot_is_for_all, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
