/* The remote against the base: what another hand did there is found and mended, and nothing is deleted for it. Beside it: what the rules
 * leave out since it was stored. */
#include "support/world.h"

static bool has_verified(struct bench *b) {
	struct folder_status status = status_of(b);
	bool ended = !status.verifying && (status.verify_text || status.verify_trouble);
	folder_status_release(&status);
	return ended;
}

static bool is_mended(struct bench *b) {
	return has_verified(b) && is_idle(b);
}

static void verify(struct bench *b, bool read, int64_t missing, int64_t changed) {
	struct err err;
	assert_int_equal(folder_verify(b->folder, read, &err), 0);
	wait_until(b, "compared", is_mended);
	struct folder_status status = status_of(b);
	if (status.verify_trouble) fail_msg("%s", status.verify_trouble);
	assert_int_equal(status.verify_missing, missing);
	assert_int_equal(status.verify_changed, changed);
	folder_status_release(&status);
}

static void fill(struct bench *b) {
	shell("cd '%s' && mkdir -p d/e empty && for i in $(seq 40); do echo $i > d/$i; echo $i > "
	      "d/e/$i; done && "
	      "ln -s 1 d/link && touch -d 2020-01-01 d/* d/e/*",
		b->local);
}

static void test_all_is_well(void **state) {
	struct bench *b = *state;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	verify(b, false, 0, 0);
	verify(b, true, 0, 0);
	struct folder_status status = status_of(b);
	assert_int_equal(status.verify_compared, 81);
	assert_int_equal(status.verify_read, 80);
	assert_int_equal(status.sent_files, 81);
	assert_non_null(strstr(status.verify_text, "81 files compared, all as they were"));
	folder_status_release(&status);
	world_close(b);
}

static void test_what_another_hand_did_is_mended(void **state) {
	struct bench *b = *state;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	shell("cd '%s' && rm d/1 d/link && rm -r d/e && rmdir empty && echo theirs > d/2 && echo "
	      "stranger > d/other && "
	      "touch -d 2021-01-01 d/3",
		b->cloud);
	verify(b, false, 44, 1);
	shell("test -e '%s/d/other' && rm '%s/d/other'", b->cloud, b->cloud);
	shell("touch -d 2020-01-01 '%s/d/3'", b->cloud);
	assert_equal_trees(b);
	shell("grep -rqx theirs '%s/.tend/versions/d/2'", b->cloud);
	verify(b, false, 0, 0);
	world_close(b);
}

/* The same size, the same time, the same name: only its bytes tell. */
static void test_rot_is_found_by_reading(void **state) {
	struct bench *b = *state;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	verify(b, false, 0, 0);
	shell("cd '%s/d' && printf '7' | dd of=8 conv=notrunc status=none && touch -d 2020-01-01 8",
		b->cloud);
	verify(b, true, 0, 1);
	assert_equal_trees(b);
	world_close(b);
}

static bool is_stopped(struct bench *b) {
	struct folder_status status = status_of(b);
	bool stopped = status.needs_person && str_equal(status.state, "stopped");
	folder_status_release(&status);
	return stopped;
}

static void test_an_empty_remote_stops(void **state) {
	struct bench *b = *state;
	struct err err;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	/* Emptied by somebody; tend's own folder is no sign of life. */
	shell("mkdir '%s.away' && mv '%s'/* '%s.away'", b->cloud, b->cloud, b->cloud);
	assert_int_equal(folder_verify(b->folder, false, &err), 0);
	wait_until(b, "it stops", is_stopped);
	put(b, "new", "is not sent");
	assert_int_equal(durable(b).kind, ERR_DENIED);
	shell("test -z \"$(ls '%s')\"", b->cloud);
	shell("mv '%s.away'/* '%s' && rmdir '%s.away'", b->cloud, b->cloud, b->cloud);
	folder_sync(b->folder);
	wait_until(b, "it goes on", is_idle);
	assert_int_equal(durable(b).kind, ERR_NONE);
	verify(b, false, 0, 0);
	assert_equal_trees(b);
	world_close(b);
}

/* Holds back what a listing of all answered, until a file was sent that it does not have. */
struct late_list {
	bool asked;
	int64_t hold_ms;
};

static struct err hold_list(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct late_list *late = user;
	(void)after;
	if (op->verb == STORE_LIST && late->hold_ms) {
		late->asked = true;
		*delay_ms = late->hold_ms;
		late->hold_ms = 0;
	}
	return (struct err){ 0 };
}

static bool is_asked(struct bench *b) {
	return ((struct late_list *)b->faults->user)->asked;
}

/* A listing that was made before the first file came there does not say that the remote lost it. */
static void list_of_before(struct bench *b, enum folder_mode mode) {
	struct late_list late = { .hold_ms = 0 };
	struct store_fault_plan plan = { .user = &late, .decide = hold_list };
	struct err err;
	b->faults = &plan;
	b->settings.mode = mode;
	b->settings.poll_ms = 50; /* the first one of all lists nothing: contact has just done so */
	world_open(b);
	wait_until(b, "nothing to send", is_idle);
	late.hold_ms = 2000;
	assert_int_equal(folder_verify(b->folder, false, &err), 0);
	wait_until(b, "listing", is_asked);
	put(b, "first", "of all");
	assert_int_equal(durable(b).kind, ERR_NONE);
	wait_until(b, "compared", has_verified);
	assert_false(in_trouble(b));
	verify(b, false, 0, 0);
	assert_equal_trees(b);
	world_close(b);
}

static void test_a_list_of_before_the_first_file(void **state) {
	list_of_before(*state, FOLDER_MIRROR);
}

static void test_a_poll_of_before_the_first_file(void **state) {
	list_of_before(*state, FOLDER_TWO_WAY);
}

/* Fails the listing of one folder. */
struct refusal {
	bool on;
};

static struct err refuse_list(
	void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct refusal *refusal = user;
	struct err err = { 0 };
	(void)after;
	(void)delay_ms;
	if (refusal->on && op->verb == STORE_LIST && str_ends(op->key, "d/e"))
		err_set(&err, ERR_DENIED, "listing refused");
	return err;
}

static void test_a_listing_that_fails_says_nothing(void **state) {
	struct bench *b = *state;
	struct refusal refusal = { .on = false };
	struct store_fault_plan plan = { .user = &refusal, .decide = refuse_list };
	struct err err;
	b->faults = &plan;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	refusal.on = true;
	assert_int_equal(folder_verify(b->folder, false, &err), 0);
	wait_until(b, "put off", has_verified);
	struct folder_status status = status_of(b);
	assert_non_null(status.verify_trouble);
	assert_null(status.verify_text);
	assert_int_equal(status.verify_missing, 0);
	folder_status_release(&status);
	refusal.on = false;
	verify(b, false, 0, 0);
	world_close(b);
}

/* ---- what is no longer covered ---- */

static int64_t forgotten(struct bench *b, int64_t *upto) {
	struct folder_status status = status_of(b);
	int64_t count = status.forgotten_files;
	*upto = status.forgotten_upto;
	folder_status_release(&status);
	return count;
}

static bool are_forgotten(struct bench *b) {
	int64_t upto;
	return forgotten(b, &upto) == 41 && is_idle(b);
}

static bool are_none(struct bench *b) {
	int64_t upto;
	return forgotten(b, &upto) == 0 && is_idle(b);
}

static void exclude(struct bench *b, char **lines) {
	struct err err;
	b->settings.exclude = lines;
	assert_int_equal(folder_apply(b->folder, &b->settings, &err), 0);
}

static void test_forgotten_is_counted_and_removed(void **state) {
	struct bench *b = *state;
	char *lines[] = { (char *)"/d/e/", (char *)"/d/1", NULL };
	struct err err;
	int64_t upto;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	exclude(b, lines);
	wait_until(b, "forgotten", are_forgotten);
	shell("test -e '%s/d/e/40' && test -e '%s/d/1'", b->cloud, b->cloud);
	/* A restart forgets nothing of it; a scan does not count it twice. */
	world_again(b);
	wait_until(b, "it is known still", are_forgotten);
	/* Covered again: it is no longer on the list, and its version is none. */
	exclude(b, NULL);
	wait_until(b, "covered again", are_none);
	shell("test ! -e '%s/.tend/versions'", b->cloud);
	exclude(b, lines);
	wait_until(b, "forgotten", are_forgotten);
	shell("echo stranger > '%s/d/e/stranger'; echo changed > '%s/d/e/3'", b->cloud, b->cloud);
	assert_int_equal(forgotten(b, &upto), 41);
	assert_int_equal(folder_forget(b->folder, upto, true, &err), 0);
	wait_until(b, "removed", are_none);
	/* Versions are kept, and what another hand did is left. */
	shell("cd '%s' && test ! -e d/1 && test ! -e d/e/40 && test -e d/e/stranger && grep -qx "
	      "changed d/e/3 && "
	      "grep -rqx 40 .tend/versions/d/e/40 && test -e d/2",
		b->cloud);
	shell("test -e '%s/d/e/40'", b->local);
	world_close(b);
}

static void test_forgotten_is_left(void **state) {
	struct bench *b = *state;
	char *lines[] = { (char *)"/d/e/", (char *)"/d/1", NULL };
	struct folder_deletion *list;
	struct err err;
	int64_t upto;
	fill(b);
	world_open(b);
	wait_until(b, "sent", is_idle);
	exclude(b, lines);
	wait_until(b, "forgotten", are_forgotten);
	size_t count = folder_forgotten(b->folder, 10, &list);
	assert_int_equal(count, 10);
	folder_deletions_free(list, count);
	forgotten(b, &upto);
	assert_int_equal(folder_forget(b->folder, upto, false, &err), 0);
	wait_until(b, "no longer counted", are_none);
	shell("test -e '%s/d/e/40' && test -e '%s/d/1'", b->cloud, b->cloud);
	world_close(b);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_is_well, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_another_hand_did_is_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rot_is_found_by_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_empty_remote_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_list_of_before_the_first_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_poll_of_before_the_first_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_listing_that_fails_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_forgotten_is_counted_and_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten_is_left, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
