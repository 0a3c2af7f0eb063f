/* What a session uses: memory of all its processes, time also of those that ended. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/process.h"

enum { EACH_BYTES = 24 << 20, BURN_MS = 200 };

static int64_t burnt_ms(void) {
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* Holds memory, and says so. */
static void hold(int said) {
	char *bytes = malloc(EACH_BYTES);

	if (bytes) memset(bytes, 1, EACH_BYTES);
	if (!bytes || write(said, bytes, 1) != 1) _exit(1);
	for (;;) pause();
}

/* A leader that waited for one that worked, and has one beside it. */
static void lead(int said) {
	setsid();
	pid_t worker = fork();
	if (worker == 0) {
		while (burnt_ms() < BURN_MS) continue;
		_exit(0);
	}
	waitpid(worker, NULL, 0);
	if (fork() == 0) hold(said);
	hold(said);
}

static void test_session(void **state) {
	struct process_used used[] = { { .session = getpid() }, { 0 }, { .session = 1 << 30 } };
	int said[2];
	char bytes[2];

	(void)state;
	assert_int_equal(pipe(said), 0);
	pid_t leader = fork();
	assert_true(leader >= 0);
	if (leader == 0) lead(said[1]);
	for (size_t i = 0; i < sizeof(bytes); i++) assert_int_equal(read(said[0], &bytes[i], 1), 1);
	used[1].session = leader;
	process_used_read(used, ARRAY_LEN(used));
	assert_true(used[1].memory_bytes >= 2 * (int64_t)EACH_BYTES);
	assert_true(used[1].cpu_ms >= BURN_MS / 2);
	assert_int_equal(used[2].memory_bytes, 0);
	assert_int_equal(used[2].cpu_ms, 0);
	kill(-leader, SIGKILL);
	waitpid(leader, NULL, 0);
	process_used_read(NULL, 0);
	close(said[0]);
	close(said[1]);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_session) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
