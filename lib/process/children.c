/*
 * Real children: fork, reap, and the question "is anything of this run left?". A run is empty when
 * its cgroup says so, or, without one, when a walk over /proc finds no member. What is killed is
 * killed again until nothing is left.
 */
#include "process/internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHECK_FIRST_MS = 10,
	CHECK_MAX_MS = 1000,
	OOM_MS = 250,   /* the end of main, if it was that, is mostly known by then */
	NOTICE_MS = 20, /* what a program says of itself meanwhile is told together */
};

struct children {
	struct loop *loop;
	bool reaper;
	struct list runs;
	struct cgroups *cgroups;
	struct notices *notices; /* NULL: nobody listens */
	struct poll *oom_poll;   /* NULL: nobody tells */
	struct timer oom_timer;
	struct signal_watch *sigchld;
	void (*changed)(void *user, struct run *run);
	void *user;
};

struct child {
	struct run run;
	struct children *children;
	struct process_spec spec; /* owned parts of it, to explain a failure; empty once it runs */
	char **candidates;
	int error_fd, fifo_fd;
	struct poll *error_poll;
	char *fifo_path;
	char *leaf; /* NULL: no cgroup */
	struct oom_count oom;
	bool killed; /* by us: no out-of-memory */
	bool reaped;
	bool failing; /* exec was refused; a failed fact once it is reaped too */
	bool sweeping;
	struct timer check_timer;
	int64_t check_ms;
	struct timer notice_timer;
	bool notice_waits;
};

static struct child *child_of(struct run *run) {
	return container_of(run, struct child, run);
}

/* ---- is anything left? ---- */

static struct procs_question question_of(const struct child *child) {
	return (struct procs_question){
		.run = child->run.id,
		.main = child->run.facts.pid,
		.main_start = child->run.facts.start_time,
		/* What a dead keeper left is not below us. */
		.reaper = child->children->reaper && !child->sweeping ? getpid() : 0,
	};
}

static void signal_member(void *user, pid_t pid, uint64_t start_time) {
	procs_signal(pid, start_time, *(const int *)user);
}

static bool anything_left(struct child *child) {
	if (child->leaf && cgroup_populated(child->leaf)) return true;
	/* A sweep trusts no group: the dead keeper may have lived in another one. */
	if (child->leaf && !child->sweeping) return false;
	struct procs_question question = question_of(child);
	return procs_walk(&question, NULL, NULL) > 0;
}

/* One that was forked a moment ago enters its group by itself: it may still be on its way. */
static bool is_outside(const struct child *child) {
	pid_t pid = child->run.facts.pid;
	return pid && !child->reaped && !child->sweeping && !cgroup_holds(child->leaf, pid);
}

static void signal_group(struct child *child, int signum) {
	bool outside = child->leaf && is_outside(child);
	if (child->leaf) cgroup_signal(child->children->cgroups, child->leaf, signum);
	if (outside) kill(child->run.facts.pid, signum);
	if (child->leaf && !child->sweeping) return;
	struct procs_question question = question_of(child);
	procs_walk(&question, signal_member, &signum);
}

static void check_empty(struct child *child) {
	struct facts *facts = &child->run.facts;
	if (facts->empty || !(facts->exited || child->sweeping)) return;
	if (child->killed) signal_group(child, SIGKILL); /* it may have forked meanwhile */
	if (anything_left(child)) {
		timer_start(&child->check_timer, child->check_ms);
		return;
	}
	timer_cancel(&child->check_timer);
	facts->empty = true;
	if (child->leaf) cgroup_remove(child->leaf);
	child->children->changed(child->children->user, &child->run);
}

static void check_fired(struct timer *timer) {
	struct child *child = container_of(timer, struct child, check_timer);
	child->check_ms = 2 * child->check_ms < CHECK_MAX_MS ? 2 * child->check_ms : CHECK_MAX_MS;
	check_empty(child);
}

/* ---- what they say of themselves ---- */

struct sender {
	pid_t pid;
	bool member;
};

static void is_sender(void *user, pid_t pid, uint64_t start_time) {
	struct sender *sender = user;
	(void)start_time;
	sender->member |= sender->pid == pid;
}

static bool belongs(struct child *child, pid_t pid) {
	if (!child->reaped && child->run.facts.pid == pid) return true;
	if (child->leaf) return cgroup_holds(child->leaf, pid);
	struct sender sender = { .pid = pid };
	struct procs_question question = question_of(child);
	procs_walk(&question, is_sender, &sender);
	return sender.member;
}

static void tell_notice(struct child *child) {
	child->notice_waits = false;
	timer_start(&child->notice_timer, NOTICE_MS);
	child->children->changed(child->children->user, &child->run);
}

static void notice_timer_fired(struct timer *timer) {
	struct child *child = container_of(timer, struct child, notice_timer);
	if (child->notice_waits) tell_notice(child);
}

static void notice_changed(struct child *child) {
	child->run.facts.notices++;
	/* One that says something all the time must not keep tendd busy. */
	if (timer_running(&child->notice_timer))
		child->notice_waits = true;
	else
		tell_notice(child);
}

static void notice_came(void *user, pid_t pid, const char *text) {
	struct children *children = user;
	list_each(&children->runs, link) {
		struct child *child = container_of(link, struct child, run.link);
		struct facts *facts = &child->run.facts;
		if (!facts->notice.given || facts->empty || !belongs(child, pid)) continue;
		if (notice_take(&facts->notice, text)) notice_changed(child);
		return;
	}
	log_debug("process %d is of no service that was given a socket: not believed", (int)pid);
}

/* ---- the kernel ended one of them for want of memory ---- */

/* Only where its own group counts; what is counted for all says nothing of one. */
static bool note_oom(struct child *child) {
	int64_t kills = child->leaf ? cgroup_leaf_oom_kills(child->leaf) : -1;
	bool news = oom_others(&child->oom, kills, loop_now_ms(child->children->loop));
	child->run.facts.notice.oom_kills = child->oom.others;
	return news;
}

static bool main_was_oom(struct child *child) {
	int64_t kills = cgroup_oom_kills(child->children->cgroups, child->leaf);
	if (child->run.facts.exit.signal != SIGKILL || child->killed) return false;
	return oom_main(&child->oom, kills, loop_now_ms(child->children->loop));
}

static void oom_looked(struct timer *timer) {
	struct children *children = container_of(timer, struct children, oom_timer);
	poll_change(children->oom_poll, POLL_READ);
	list_each(&children->runs, link) {
		struct child *child = container_of(link, struct child, run.link);
		if (!child->run.facts.empty && note_oom(child)) notice_changed(child);
	}
}

/* A group at its limit changes its counts all the time: they are looked at now and then. */
static void oom_came(void *user, int events) {
	struct children *children = user;
	(void)events;
	cgroups_oom_read(children->cgroups);
	poll_change(children->oom_poll, 0);
	timer_start(&children->oom_timer, OOM_MS);
}

/* ---- the end of the main process ---- */

static void drop_spec(struct child *child) {
	strv_free((char **)child->spec.argv);
	strv_free((char **)child->spec.env);
	free((char *)child->spec.directory);
	child->spec = (struct process_spec){ 0 };
	strv_free(child->candidates);
	child->candidates = NULL;
}

static void close_error_pipe(struct child *child) {
	poll_stop(child->error_poll);
	child->error_poll = NULL;
	if (child->error_fd >= 0) close(child->error_fd);
	child->error_fd = -1;
}

/* End of file on the error pipe: exec closed it. A reason in it: exec never was. */
static void read_error_pipe(struct child *child) {
	struct child_error error;
	if (child->error_fd < 0) return;
	ssize_t got = read(child->error_fd, &error, sizeof(error));
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
	struct facts *facts = &child->run.facts;
	if (got == (ssize_t)sizeof(error)) {
		spawn_explain(&child->spec, child->candidates, &error, &facts->failure);
		child->failing = true;
	} else {
		facts->phase = RUN_SPAWNED;
	}
	close_error_pipe(child);
	drop_spec(child);
	if (!child->failing) child->children->changed(child->children->user, &child->run);
}

static void error_ready(void *user, int events) {
	read_error_pipe(user);
}

static void main_exited(struct child *child, int status) {
	struct facts *facts = &child->run.facts;
	child->reaped = true;
	read_error_pipe(child); /* the signal may have overtaken the pipe */
	if (child->failing) {
		facts->phase = RUN_FAILED;
		if (child->leaf) cgroup_remove(child->leaf);
		child->children->changed(child->children->user, &child->run);
		return;
	}
	facts->exited = true;
	if (WIFSIGNALED(status))
		facts->exit.signal = WTERMSIG(status);
	else
		facts->exit.code = WEXITSTATUS(status);
	facts->exit.oom = main_was_oom(child);
	if (note_oom(child)) facts->notices++;
	child->children->changed(child->children->user, &child->run);
}

static struct child *find_pid(struct children *children, pid_t pid) {
	list_each(&children->runs, link) {
		struct child *child = container_of(link, struct child, run.link);
		if (!child->reaped && !child->sweeping && child->run.facts.pid == pid) return child;
	}
	return NULL;
}

static void reap_all(struct children *children) {
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find_pid(children, pid);
		if (child) main_exited(child, status);
	}
}

/* Not the reaper: other people's children in this process are not ours to take. */
static void reap_known(struct children *children) {
	list_each(&children->runs, link) {
		struct child *child = container_of(link, struct child, run.link);
		int status;
		if (child->reaped || child->sweeping || !child->run.facts.pid) continue;
		if (waitpid(child->run.facts.pid, &status, WNOHANG) > 0) main_exited(child, status);
	}
}

static void check_all(struct children *children) {
	list_each(&children->runs, link) {
		struct child *child = container_of(link, struct child, run.link);
		child->check_ms = CHECK_FIRST_MS;
		check_empty(child);
	}
}

static void sigchld_caught(void *user, int signum) {
	struct children *children = user;
	notices_read(children->notices); /* the last words of one that is still known */
	if (children->reaper)
		reap_all(children);
	else
		reap_known(children);
	check_all(children);
}

/* ---- the face towards direct.c and server.c ---- */

struct children *children_new(struct loop *loop, bool reaper, bool managed, const char *notice_path,
	void (*changed)(void *user, struct run *run), void *user) {
	struct children *children = xcalloc(1, sizeof(*children));
	children->loop = loop;
	children->reaper = reaper;
	children->changed = changed;
	children->user = user;
	children->cgroups = cgroups_open(managed);
	list_init(&children->runs);
	if (notice_path) children->notices = notices_open(loop, notice_path, notice_came, children);
	timer_init(&children->oom_timer, loop, oom_looked);
	if (children->cgroups && cgroups_oom_fd(children->cgroups) >= 0)
		children->oom_poll = poll_start(
			loop, cgroups_oom_fd(children->cgroups), POLL_READ, oom_came, children);
	children->sigchld = signal_watch_start(loop, SIGCHLD, sigchld_caught, children);
	return children;
}

static struct child *add_child(struct children *children, const char *id, const char *unit) {
	assert(run_id_valid(id) && !children_find(children, id));
	struct child *child = xcalloc(1, sizeof(*child));
	child->children = children;
	memcpy(child->run.id, id, PROCESS_RUN_SIZE);
	child->run.unit = xstrdup(unit);
	child->error_fd = child->fifo_fd = -1;
	child->check_ms = CHECK_FIRST_MS;
	timer_init(&child->check_timer, children->loop, check_fired);
	timer_init(&child->notice_timer, children->loop, notice_timer_fired);
	list_add_tail(&children->runs, &child->run.link);
	return child;
}

struct run *children_spawn(struct children *children, const char *id, const char *unit,
	const struct process_spec *spec) {
	struct child *child = add_child(children, id, unit);
	struct facts *facts = &child->run.facts;
	struct spawned spawned;
	if (children->cgroups) child->leaf = cgroups_leaf(children->cgroups, unit, id, true);
	if (child->leaf && (spec->memory_max_bytes || spec->cpu_max_percent))
		facts->limited = cgroup_limit(children->cgroups, child->leaf,
			spec->memory_max_bytes, spec->cpu_max_percent);
	oom_begin(&child->oom, cgroup_oom_kills(children->cgroups, child->leaf));
	if (child->leaf) cgroup_watch_oom(children->cgroups, child->leaf);
	facts->notice.given = spec->notify && children->notices;
	if (facts->notice.given) facts->notice.watchdog_us = spec->watchdog_us;
	const struct spawn_place place = {
		.id = id,
		.unit = unit,
		.cgroup_fd = child->leaf ? cgroup_procs_fd(child->leaf) : -1,
		.notice_path = facts->notice.given ? notices_path(children->notices) : NULL,
	};
	int result = spawn_start(spec, &place, &spawned, &facts->failure);
	if (place.cgroup_fd >= 0) close(place.cgroup_fd);
	if (result != 0) {
		facts->phase = RUN_FAILED;
		if (child->leaf) cgroup_remove(child->leaf);
		err_wrap(&facts->failure, "cannot run '%s'", spec->argv[0]);
		children->changed(children->user, &child->run);
		return &child->run;
	}
	facts->pid = spawned.pid;
	facts->start_time = procs_start_time(spawned.pid);
	child->error_fd = spawned.error_fd;
	child->fifo_fd = spawned.fifo_fd;
	child->fifo_path = xstrdup(spec->fifo);
	child->candidates = spawned.candidates;
	child->spec = *spec;
	child->spec.argv = strv_dup(spec->argv);
	child->spec.env = strv_dup(spec->env);
	child->spec.directory = xstrdup(spec->directory);
	child->error_poll =
		poll_start(children->loop, child->error_fd, POLL_READ, error_ready, child);
	return &child->run;
}

struct run *children_lost(struct children *children, const char *id, const char *unit) {
	struct child *child = add_child(children, id, unit);
	child->run.facts.lost = true;
	return &child->run;
}

void children_sweep(struct run *run, pid_t pid, uint64_t start_time) {
	struct child *child = child_of(run);
	struct children *children = child->children;
	if (!run->facts.lost || child->sweeping) return;
	child->sweeping = child->killed = true;
	if (pid > 0 && start_time) {
		run->facts.pid = pid;
		run->facts.start_time = start_time;
	}
	if (children->cgroups)
		child->leaf = cgroups_leaf(children->cgroups, run->unit, run->id, false);
	timer_start(&child->check_timer, 0);
}

/* A stopped process must wake to meet its end. */
static bool asks_to_end(int signum) {
	return signum == SIGTERM || signum == SIGINT || signum == SIGHUP || signum == SIGQUIT;
}

void children_signal(struct run *run, int signum, bool all) {
	struct child *child = child_of(run);
	if (run->facts.empty || run->facts.phase == RUN_FAILED) return;
	if (!all) {
		/* Not reaped yet: the number is still its own. */
		if (child->reaped || child->sweeping || !run->facts.pid) return;
		kill(run->facts.pid, signum);
		if (asks_to_end(signum)) kill(run->facts.pid, SIGCONT);
		return;
	}
	if (signum == SIGKILL) child->killed = true;
	signal_group(child, signum);
	if (asks_to_end(signum)) signal_group(child, SIGCONT);
}

/* Only when we end before our children: nobody will be there to ask again. What cannot be killed
 * within a second sleeps in the kernel. */
static void end_now(struct child *child) {
	const struct timespec pause = { .tv_nsec = 2 * NS_PER_MS };
	for (int tries = 0; tries < 500; tries++) {
		signal_group(child, SIGKILL);
		if (!anything_left(child)) break;
		nanosleep(&pause, NULL);
	}
	if (child->leaf) cgroup_remove(child->leaf);
}

static void free_child(struct child *child) {
	timer_cancel(&child->check_timer);
	timer_cancel(&child->notice_timer);
	close_error_pipe(child);
	drop_spec(child);
	/* Only a program that ends before its children comes here with one; it was just killed. */
	if (!child->reaped && child->run.facts.pid && !child->sweeping && !child->children->reaper)
		waitpid(child->run.facts.pid, NULL, 0);
	if (child->fifo_fd >= 0) close(child->fifo_fd);
	if (child->fifo_path) unlink(child->fifo_path);
	list_remove(&child->run.link);
	free(child->fifo_path);
	free(child->leaf);
	free(child->run.unit);
	free(child);
}

void children_forget(struct run *run) {
	const struct facts *facts = &run->facts;
	if (!facts->empty && !facts->lost && facts->phase != RUN_FAILED) end_now(child_of(run));
	free_child(child_of(run));
}

struct run *children_find(struct children *children, const char *id) {
	list_each(&children->runs, link) {
		struct run *run = container_of(link, struct run, link);
		if (strcmp(run->id, id) == 0) return run;
	}
	return NULL;
}

struct run *children_each(struct children *children, struct run *after) {
	struct list *link = after ? after->link.next : children->runs.next;
	return link == &children->runs ? NULL : container_of(link, struct run, link);
}

void children_free(struct children *children) {
	list_each(&children->runs, link) children_forget(container_of(link, struct run, link));
	signal_watch_stop(children->sigchld);
	notices_close(children->notices);
	timer_cancel(&children->oom_timer);
	poll_stop(children->oom_poll);
	cgroups_close(children->cgroups);
	free(children);
}

void children_describe(struct children *children, struct buf *out) {
	if (children->cgroups)
		buf_addf(out, "cgroup v2 at %s%s", cgroups_base(children->cgroups),
			cgroups_can_kill(children->cgroups) ? ", cgroup.kill" : "");
	else
		buf_adds(out, "no cgroup: groups by mark and session");
	if (procs_has_pidfd()) buf_adds(out, ", pidfd");
}
