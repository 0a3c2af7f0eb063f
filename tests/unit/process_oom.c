/* Whom the kernel ended: by counts alone, in whatever order they and the ends become known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "process/internal.h"

enum { STEPS_MAX = 5 };

struct step {
	char what; /* 'l'ook at the others, 'm'ain was killed; 0: no more */
	int64_t kills, at_ms;
	bool answer;
	int64_t others; /* counted then */
};

static const struct scene {
	const char *name;
	int64_t before;
	struct step steps[STEPS_MAX];
} scenes[] = {
	{ "nothing", 3, { { 'l', 3, 0, false, 0 }, { 'm', 3, 0, false, 0 } } },
	{ "nobody counts", -1, { { 'l', -1, 0, false, 0 }, { 'm', -1, 0, false, 0 } } },
	{ "a child", 3, { { 'l', 4, 0, true, 1 }, { 'l', 4, 9, false, 1 } } },
	{ "two more", 3, { { 'l', 4, 0, true, 1 }, { 'l', 6, 9, true, 3 } } },
	{ "main, end first", 3, { { 'm', 4, 0, true, 0 }, { 'l', 4, 0, false, 0 } } },
	{ "main, count first", 3,
		{ { 'l', 4, 0, true, 1 }, { 'm', 4, 10000, true, 0 },
			{ 'l', 4, 10000, false, 0 } } },
	{ "a child long ago, main by a person", 3,
		{ { 'l', 4, 0, true, 1 }, { 'm', 4, 10001, false, 1 } } },
	{ "a child long ago, then main", 3,
		{ { 'l', 4, 0, true, 1 }, { 'm', 5, 90000, true, 1 },
			{ 'l', 5, 90000, false, 1 } } },
	{ "both, end first", 3, { { 'm', 5, 0, true, 0 }, { 'l', 5, 0, true, 1 } } },
	{ "both, count first", 3,
		{ { 'l', 5, 0, true, 2 }, { 'm', 5, 1, true, 1 }, { 'l', 5, 2, false, 1 } } },
	{ "the group is gone", 3, { { 'l', 4, 0, true, 1 }, { 'l', -1, 9, false, 1 } } },
};

static void scenes_play(void **state) {
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		struct oom_count count;
		oom_begin(&count, scenes[i].before);
		for (const struct step *step = scenes[i].steps; step->what; step++) {
			bool answer = step->what == 'm'
					      ? oom_main(&count, step->kills, step->at_ms)
					      : oom_others(&count, step->kills, step->at_ms);
			if (answer != step->answer || count.others != step->others)
				fail_msg("%s, step %d: %d, %lld others", scenes[i].name,
					(int)(step - scenes[i].steps) + 1, answer,
					(long long)count.others);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(scenes_play) };
	return cmocka_run_group_tests_name("process_oom", tests, NULL, NULL);
}
