/* Trap 6 of SERVICES.md §8: 10,000 children while workers hold the allocator's locks most of the
 * time. A call between fork and exec that wants such a lock would hang its child for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "process/process.h"

/* A sanitizer's shadow makes each fork some fifteen times dearer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CHILDREN = 640 };
#else
enum { CHILDREN = 10000 };
#endif

enum { AT_ONCE = 32, WORKERS = 1, DEADLINE_MS = 120000 };

struct worker {
	struct job job;
	bool ended;
};

struct child {
	struct process process;
	bool empty;
};

static atomic_bool enough;

static int allocate(struct job *job, struct err *err) {
	uint32_t seed = 1;
	void *held[64] = { NULL };
	while (!atomic_load(&enough)) {
		seed = seed * 1664525 + 1013904223;
		void **place = &held[seed >> 26];
		free(*place);
		*place = xmalloc(1 + (seed >> 8) % 5000);
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++) free(held[i]);
	return 0;
}

static void allocated(struct job *job, const struct err *err) {
	container_of(job, struct worker, job)->ended = true;
}

static void ignore(struct process *process) {
}

static void failed(struct process *process, const struct err *err) {
	fail_msg("%s", err->text);
}

static void empty(struct process *process) {
	assert_int_equal(process->exit.code, 0);
	container_of(process, struct child, process)->empty = true;
}

static const struct process_calls calls = { ignore, failed, ignore, empty, ignore };

static void too_late(struct timer *timer) {
	fail_msg("a child hangs between fork and exec");
}

static void start(struct loop *loop, struct process_host *host, struct child *child) {
	char *argv[] = { "true", NULL };
	char *env[] = { "PATH=/usr/bin:/bin", NULL };
	char run[PROCESS_RUN_SIZE];
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 022 };
	*child = (struct child){ .empty = false };
	process_init(&child->process, host, "service:test", &calls);
	process_make_run(loop, run);
	process_spawn(&child->process, run, &spec);
}

static void no_child_hangs(void **state) {
	static struct child children[AT_ONCE];
	struct worker workers[WORKERS];
	struct err err;
	struct timer guard;
	struct loop *loop = loop_new(WORKERS, &err);
	struct process_host *host = process_host_new_direct(loop);
	timer_init(&guard, loop, too_late);
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){ .job = { .work = allocate, .done = allocated } };
		job_start(loop, &workers[i].job);
	}
	for (int done = 0; done < CHILDREN; done += AT_ONCE) {
		timer_start(&guard, DEADLINE_MS);
		for (size_t i = 0; i < AT_ONCE; i++) start(loop, host, &children[i]);
		for (size_t i = 0; i < AT_ONCE; i++) {
			loop_run_until(loop, &children[i].empty);
			process_forget(&children[i].process);
			process_release(&children[i].process);
		}
	}
	timer_cancel(&guard);
	atomic_store(&enough, true);
	for (size_t i = 0; i < WORKERS; i++) loop_run_until(loop, &workers[i].ended);
	process_host_free(host);
	loop_free(loop);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(no_child_hangs) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
