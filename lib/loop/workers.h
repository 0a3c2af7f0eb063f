/*
 * The threads that run the real loop's jobs. libuv's own pool would do, but it tells of each end by
 * itself and is woken for each job: with 100,000s of small files most of the time went there.
 * Here jobs are handed over in batches, and ends are told in batches.
 *
 * The functions are for the loop's thread. The lock guards the lists that both sides see; rc and err
 * of a ticket are the worker's until it is in `worked`.
 */
#ifndef LOOP_WORKERS_H
#define LOOP_WORKERS_H

#include <uv.h>

#include "loop/internal.h"

enum task_state { TASK_WAITING, TASK_WORKING, TASK_WORKED };

struct task {
	struct ticket ticket;
	struct list link; /* in fresh, queue, worked or free */
	int64_t handed_ms;
	enum task_state state;
};

struct workers {
	struct loop *loop;
	uv_async_t ended;  /* wakes the loop: something is in `worked` */
	struct list fresh; /* started in this turn, not handed over yet */
	unsigned fresh_count;
	unsigned fresh_brief; /* of them */
	bool crowded;         /* when last handed over, jobs waited and a thread was idle */
	struct list free;
	unsigned free_count;
	uv_thread_t *threads;
	unsigned count, running, cores;

	uv_mutex_t lock;
	uv_cond_t work_there;
	struct list queue, worked;
	unsigned worked_count, idle;
	unsigned called;       /* of the idle: woken, and not awake yet */
	unsigned long_at_work; /* threads with a job that is not brief */
	bool told;             /* the loop will look at `worked` */
	bool stop;
};

/* `count` threads, begun with the first job. 0, or libuv's error. */
int workers_init(struct workers *workers, struct loop *loop, uv_loop_t *uv, unsigned count);
/* No job is left. `ended` is closing after: the loop must run once more. */
void workers_release(struct workers *workers);

struct ticket *workers_start(struct workers *workers, struct job *job);
void workers_cancel(struct workers *workers, struct ticket *ticket);
/* The end of a turn: what was started in it goes to the threads. In how many ms this is to be called
 * again at the latest; INT64_MAX: when something is started. */
int64_t workers_hand_over(struct workers *workers);

#endif
