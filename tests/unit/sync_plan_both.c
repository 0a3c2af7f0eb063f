/* plan_both: the cases that people know by name, as a table; and what holds in every cell there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "sync/plan_both.h"

struct row {
	const char *what;
	struct both_question question;
	enum both_action two_way, fetch;
};

#define FILES .agreed = BOTH_FILE, .here = BOTH_FILE, .there = BOTH_FILE

static const struct row rows[] = {
	{ "nothing anywhere", { .here = BOTH_NONE }, BOTH_NOTHING, BOTH_NOTHING },
	{ "as agreed", { FILES }, BOTH_NOTHING, BOTH_NOTHING },
	{ "new here", { .here = BOTH_FILE }, BOTH_SEND, BOTH_NOTHING },
	{ "new there", { .there = BOTH_FILE }, BOTH_BRING, BOTH_BRING },
	{ "new on both sides, and equal", { .here = BOTH_FILE, .there = BOTH_FILE }, BOTH_AGREE,
		BOTH_AGREE },
	{ "new on both sides, and different",
		{ .here = BOTH_FILE, .there = BOTH_FILE, .equal = BOTH_CHANGED }, BOTH_ASIDE_HERE,
		BOTH_BRING },
	{ "edited here", { FILES, .here_same = BOTH_CHANGED }, BOTH_SEND, BOTH_NOTHING },
	{ "edited there", { FILES, .there_same = BOTH_CHANGED }, BOTH_BRING, BOTH_BRING },
	{ "touched there", { FILES, .there_same = BOTH_ATTRIBUTES }, BOTH_BRING_ATTRIBUTES,
		BOTH_BRING_ATTRIBUTES },
	{ "edited on both sides alike",
		{ FILES, .here_same = BOTH_CHANGED, .there_same = BOTH_CHANGED }, BOTH_AGREE,
		BOTH_AGREE },
	{ "edited on both sides",
		{ FILES, .here_same = BOTH_CHANGED, .there_same = BOTH_CHANGED,
			.equal = BOTH_CHANGED },
		BOTH_ASIDE_HERE, BOTH_BRING },
	{ "touched here, edited there",
		{ FILES, .here_same = BOTH_ATTRIBUTES, .there_same = BOTH_CHANGED,
			.equal = BOTH_CHANGED },
		BOTH_BRING, BOTH_BRING },
	{ "edited here, touched there",
		{ FILES, .here_same = BOTH_CHANGED, .there_same = BOTH_ATTRIBUTES,
			.equal = BOTH_CHANGED },
		BOTH_SEND, BOTH_NOTHING },
	{ "deleted here", { .agreed = BOTH_FILE, .there = BOTH_FILE }, BOTH_SEND, BOTH_NOTHING },
	{ "deleted there", { .agreed = BOTH_FILE, .here = BOTH_FILE }, BOTH_REMOVE_HERE,
		BOTH_REMOVE_HERE },
	{ "deleted on both sides", { .agreed = BOTH_FILE }, BOTH_AGREE, BOTH_AGREE },
	{ "deleted here, edited there",
		{ .agreed = BOTH_FILE, .there = BOTH_FILE, .there_same = BOTH_CHANGED }, BOTH_BRING,
		BOTH_BRING },
	{ "deleted here, touched there",
		{ .agreed = BOTH_FILE, .there = BOTH_FILE, .there_same = BOTH_ATTRIBUTES },
		BOTH_SEND, BOTH_NOTHING },
	{ "edited here, deleted there",
		{ .agreed = BOTH_FILE, .here = BOTH_FILE, .here_same = BOTH_CHANGED }, BOTH_SEND,
		BOTH_AGREE },
	{ "touched here, deleted there",
		{ .agreed = BOTH_FILE, .here = BOTH_FILE, .here_same = BOTH_ATTRIBUTES },
		BOTH_REMOVE_HERE, BOTH_REMOVE_HERE },
	{ "a folder on both sides", { .here = BOTH_FOLDER, .there = BOTH_FOLDER },
		BOTH_BRING_ATTRIBUTES, BOTH_BRING_ATTRIBUTES },
	{ "a folder here, a file there", { .here = BOTH_FOLDER, .there = BOTH_FILE },
		BOTH_ASIDE_THERE, BOTH_REFUSE },
	{ "a file here, a folder there", { .here = BOTH_FILE, .there = BOTH_FOLDER },
		BOTH_ASIDE_HERE, BOTH_ASIDE_HERE },
	{ "a file that became a folder there",
		{ .agreed = BOTH_FILE, .here = BOTH_FILE, .there = BOTH_FOLDER }, BOTH_BRING,
		BOTH_BRING },
	{ "left out now", { FILES, .excluded = true, .here_same = BOTH_CHANGED }, BOTH_FORGET,
		BOTH_FORGET },
	{ "left out, and never agreed", { .excluded = true, .there = BOTH_FILE }, BOTH_NOTHING,
		BOTH_NOTHING },
	{ "a socket where a file was",
		{ .agreed = BOTH_FILE, .here = BOTH_OTHER, .there = BOTH_FILE }, BOTH_SEND,
		BOTH_NOTHING },
	{ "a socket where a file was, which was edited there",
		{ .agreed = BOTH_FILE,
			.here = BOTH_OTHER,
			.there = BOTH_FILE,
			.there_same = BOTH_CHANGED },
		BOTH_REFUSE, BOTH_REFUSE },
	{ "a socket where a file was, which is gone there",
		{ .agreed = BOTH_FILE, .here = BOTH_OTHER }, BOTH_AGREE, BOTH_AGREE },
};

static void test_rows(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int fetch = 0; fetch < 2; fetch++) {
			struct both_question q = rows[i].question;
			q.fetch = fetch;
			enum both_action wanted = fetch ? rows[i].fetch : rows[i].two_way;
			enum both_action got = plan_both(&q);
			if (got != wanted)
				fail_msg("%s, fetch %d: %d in place of %d", rows[i].what, fetch,
					(int)got, (int)wanted);
		}
	}
}

/* ---- all cells ---- */

static bool edited(enum both_kind agreed, enum both_kind now, enum both_same same) {
	return now != agreed || (now != BOTH_NONE && now != BOTH_OTHER && same == BOTH_CHANGED);
}

static void check(const struct both_question *q) {
	enum both_action action = plan_both(q);
	bool here = edited(q->agreed, q->here, q->here_same) && q->here != BOTH_NONE;
	bool there = edited(q->agreed, q->there, q->there_same) && q->there != BOTH_NONE;
	/* Nothing that somebody made goes: in fetch it is in the trash. */
	if (here && action == BOTH_REMOVE_HERE) fail_msg("an edit here is removed");
	if (here && action == BOTH_BRING && !q->fetch) fail_msg("an edit here is replaced");
	bool alike = q->here == q->there && q->equal != BOTH_CHANGED; /* but for its time or mode */
	if (there && !alike && action == BOTH_SEND) fail_msg("an edit there is replaced");
	if (q->fetch && (action == BOTH_SEND || action == BOTH_ASIDE_THERE))
		fail_msg("fetch sends");
	/* Both sides can be had: who wants a side's content finds one. */
	if (action == BOTH_BRING) assert_int_not_equal(q->there, BOTH_NONE);
	if (action == BOTH_REMOVE_HERE) assert_int_equal(q->there, BOTH_NONE);
	if (action == BOTH_AGREE && q->here != BOTH_NONE && q->there != BOTH_NONE)
		assert_int_equal(q->equal, BOTH_SAME);
	/* Where one side alone was edited the other is not touched by a conflict. */
	if (here != there && q->agreed != BOTH_NONE && q->here != BOTH_NONE &&
		q->there != BOTH_NONE)
		assert_true(action != BOTH_ASIDE_HERE || q->here != q->agreed);
}

static void test_every_cell(void **state) {
	(void)state;
	struct both_question q = { 0 };
	for (unsigned cell = 0; cell < 2 * 2 * 4 * 5 * 5 * 3 * 3 * 3 * 2; cell++) {
		unsigned left = cell;
		q.fetch = left % 2, left /= 2;
		q.excluded = left % 2, left /= 2;
		q.agreed = left % 4, left /= 4;
		q.here = left % 5, left /= 5;
		q.there = left % 5, left /= 5;
		q.here_same = left % 3, left /= 3;
		q.there_same = left % 3, left /= 3;
		q.equal = left % 3, left /= 3;
		q.here_newer = left % 2;
		check(&q);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_cell),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
