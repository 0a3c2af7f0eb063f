/*
 * The flow of one service: what the graph, the process host, the clock and people say goes through
 * service_next(), and what that answers is done here. The record in the ledger is written before
 * each start and after each end, so that a next tendd knows.
 */
#include "service/internal.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KILL_AGAIN_MS = 5000 };

static struct loop *loop_of(const struct service *service) {
	return service->services->options.loop;
}

static int64_t wall_of(const struct service *service) {
	return loop_wall_ns(loop_of(service));
}

void service_note_history(struct service *service, const char *event, const char *text) {
	struct err err;
	if (ledger_history_add(service->services->options.ledger, wall_of(service),
		    service->unit.id, event, text, &err) != 0)
		log_warn("history of '%s': %s", service->unit.id, err.text);
}

/* A full disk must not keep a service from running: the keeper knows its runs too. */
void service_write_record(struct service *service) {
	struct err err;
	if (ledger_service_write(service->services->options.ledger, service->unit.id,
		    &service->record, &err) != 0)
		log_error("cannot record the state of '%s': %s", service->unit.id, err.text);
}

void service_settle_record(struct service *service) {
	service_write_record(service);
	(void)ledger_settle(service->services->options.ledger); /* it has logged it */
}

void service_set_state(struct service *service, enum service_state state) {
	if (service->state == state) return;
	service->state = state;
	service->since_ns = wall_of(service);
	service_watch_state(service);
}

/* ---- starting ---- */

/* Only the graph knows whether all it is to come after is there: also a restart goes through it, since a
 * required unit may have gone meanwhile. */
static void wait_for_graph(struct service *service) {
	timer_cancel(&service->timer);
	service->next_try_ns = 0;
	if (service->unit.state != UNIT_FAILED) unit_report(&service->unit, UNIT_DOWN, NULL);
	unit_want(&service->unit);
}

void service_forget_failures(struct service *service) {
	service->record.failures = 0;
	service->record.delay_step = 0;
}

static void launch(struct service *service) {
	struct ledger_service *record = &service->record;
	struct process_spec spec = service_plan_spec(&service->plan, service->log.fifo_path);
	service_notify_ask(service->settings, &spec);
	process_make_run(loop_of(service), record->run);
	snprintf(record->boot, sizeof(record->boot), "%s", process_boot_id());
	record->pid = 0;
	record->start_time = 0;
	record->started_ns = wall_of(service);
	record->ready = false;
	service->oom_told = 0;
	service->ran = true;
	/* The intent, before anything is forked: whatever comes of it can be found. A host that is not there yet hears of it in a later turn. */
	if (process_host_ready(service->services->options.host))
		service_settle_record(service);
	else
		service_write_record(service);
	process_spawn(&service->process, record->run, &spec);
}

/* Nothing of it is left, and its log is written. Where it was killed on the way the clock begins anew. */
static void all_gone(struct service *service) {
	bool after = service->ran && service->settings->after_stop;
	service->ran = false;
	if (!after) {
		service_feed(service, SERVICE_ALL_GONE);
		return;
	}
	service_set_state(service, SERVICE_CLEARING);
	service_hook_start(service, HOOK_AFTER);
	service_report(service);
}

/* Nothing of it runs, and nothing did. */
static void never_ran(struct service *service, enum service_exit_class class, const char *reason) {
	service->class = class;
	/* What a shell would say. */
	if (class == SERVICE_EXIT_EXEC_ERROR) service->process.exit.code = 127;
	free(service->reason);
	service->reason = xstrdup(reason);
	service->group_gone = true;
	service_feed(service, SERVICE_MAIN_EXITED);
	all_gone(service);
}

static void plan_made(struct job *job, const struct err *err) {
	struct service *service = container_of(job, struct service, plan.job);
	struct services *services = service->services;
	service->planning = false;
	if (services->detached) {
		if (--services->closing == 0)
			defer_start(services->options.loop, &services->detach_defer);
	} else if (service->overtaken) {
		service->overtaken = false;
	} else if (service->state != SERVICE_STARTING) {
		never_ran(service, SERVICE_EXIT_OK, NULL); /* a stop came in between */
	} else if (err) {
		char *reason =
			xasprintf("cannot run '%s': %s", service->settings->command, err->text);
		never_ran(service, SERVICE_EXIT_EXEC_ERROR, reason);
		free(reason);
	} else {
		launch(service);
	}
	service_plan_release(&service->plan);
}

static int make_plan(struct job *job, struct err *err) {
	return service_plan_make(container_of(job, struct service_plan, job), err);
}

/* In a job: users, groups and files of the environment may lie on a network that does not answer, and
 * nothing else may wait for that. */
static void start_plan(struct service *service) {
	service->overtaken = false;
	if (service->planning) return; /* one that was overtaken is still at work: it serves */
	service->planning = true;
	service_plan_init(&service->plan, service);
	service->plan.job = (struct job){ .work = make_plan, .done = plan_made };
	job_start(loop_of(service), &service->plan.job);
}

static void begin(struct service *service) {
	service->asked = service->counted = service->group_gone = false;
	service->class = SERVICE_EXIT_NONE;
	service->process.exit = (struct process_exit){ 0 };
	service->process.notice = (struct process_notice){ 0 };
	free(service->reason);
	service->reason = NULL;
	if (!service->settings->before_start) {
		start_plan(service);
		return;
	}
	service->ran = true;
	service_hook_start(service, HOOK_BEFORE);
}

static void before_ended(struct service *service, const struct service_hook_end *end) {
	timer_cancel(&service->timer);
	if (service->state != SERVICE_STARTING) {
		never_ran(service, SERVICE_EXIT_OK, NULL); /* a stop, or it took too long */
	} else if (end->failed) {
		service->process.exit = end->exit;
		never_ran(service, SERVICE_EXIT_BAD, end->text);
	} else {
		start_plan(service);
		service_report(service);
	}
}

void service_hook_ended(struct service *service, const struct service_hook_end *end) {
	if (end->kind == HOOK_BEFORE) {
		before_ended(service, end);
		return;
	}
	if (end->failed) {
		log_warn("%s: %s", service->unit.id, end->text);
		service_note_history(service, "after_stop failed", end->text);
	}
	service_feed(service, SERVICE_ALL_GONE);
}

/* ---- ending ---- */

/* The main process first and alone: it knows best in which order its children end. What it leaves is
 * asked together, when it has gone. */
static void ask_to_end(struct service *service, bool all) {
	int signum = service_signal_number(service->settings->stop_signal);
	process_signal(&service->process, signum, all);
	service_hook_signal(service, signum);
	timer_start(&service->timer, service->settings->stop_timeout_ms);
}

static void note_end(struct service *service) {
	struct ledger_service *record = &service->record;
	service->last_class = service->class;
	record->ended = true;
	record->exit_code = service->process.exit.code;
	record->exit_signal = service->process.exit.signal;
	record->exit_oom = service_oom_of(service);
	record->ended_ns = wall_of(service);
	char *why = service_explain_end(service);
	const char *wish = service->counted ? ": it has ended"
			   : service->asked ? " (as asked)"
					    : "";
	if (service->class == SERVICE_EXIT_OK || service->asked)
		log_info("%s: %s%s", service->unit.id, why, wish);
	else
		log_warn("%s: %s", service->unit.id, why);
	bool never = service->class == SERVICE_EXIT_EXEC_ERROR || service->reason;
	service_note_history(service, never ? "not started" : "ended", why);
	free(why);
}

/* `counted`: it ended because we found it failing, so that its exit code says nothing. An end that was
 * asked for is never a failure, whatever the code. */
static void count_failure(struct service *service) {
	if (service->asked && !service->counted) return;
	if (service->class != SERVICE_EXIT_OK || service->counted) service->record.failures++;
}

static void delay_next_try(struct service *service) {
	const struct service_settings *settings = service->settings;
	int64_t delay_ms = service_delay_ms(settings->restart_delay_ms,
		settings->restart_max_delay_ms, service->record.delay_step);
	service->record.delay_step++;
	service->record.restarts++;
	service->next_try_ns = wall_of(service) + delay_ms * NS_PER_MS;
	timer_start(&service->timer, delay_ms);
}

/* Its end is known in full, its log is drained: what now? The record is written once, with the answer in
 * it, so that a tendd that dies here neither forgets the end nor counts it twice; the host may forget it after that. */
static void settle(struct service *service) {
	timer_cancel(&service->timer);
	count_failure(service);
	struct service_question question = {
		.wanted = service->wanted,
		.asked = service->asked && !service->counted,
		.class = service->counted ? SERVICE_EXIT_BAD : service->class,
		.no_restart =
			(service->class == SERVICE_EXIT_OK || service->class == SERVICE_EXIT_BAD) &&
			service_code_in(
				service->settings->no_restart_exit, service->record.exit_code),
		.policy = (enum service_policy)service->settings->restart,
		.failures = service->record.failures,
		.give_up_after = service->settings->give_up_after,
	};
	service_set_state(service, service_verdict(&question));
	service->record.run[0] = '\0';
	service->record.pid = 0;
	if (service->state == SERVICE_DELAYED) delay_next_try(service);
	if (service->state == SERVICE_DONE)
		snprintf(service->record.done_boot, sizeof(service->record.done_boot), "%s",
			process_boot_id());
	if (service->state == SERVICE_WAITING) service->record.restarts++;
	if (service->state == SERVICE_FAILED) service_note_history(service, "gave up", NULL);
	service_settle_record(service);
	process_forget(&service->process);
	if (service->state == SERVICE_WAITING) wait_for_graph(service);
	if (service->state == SERVICE_DOWN) service_gone(service);
}

/* What ended well stays ended over a restart of tendd. Sent away it begins anew with the others; but a task runs once a boot. */
static void forget_done(struct service *service) {
	if (!service->record.done_boot[0] || service->settings->restart == SERVICE_RESTART_NEVER)
		return;
	service->record.done_boot[0] = '\0';
	service_write_record(service);
}

static void act(struct service *service, enum service_action action) {
	switch (action) {
	case SERVICE_NOTHING:
	case SERVICE_NOTE: break;
	case SERVICE_WAIT_ANEW:
		service->record.done_boot[0] = '\0';
		service_forget_failures(service);
		wait_for_graph(service);
		break;
	case SERVICE_WAIT: wait_for_graph(service); break;
	case SERVICE_LEAVE:
		forget_done(service);
		timer_cancel(&service->timer);
		service->next_try_ns = 0;
		service_gone(service);
		break;
	case SERVICE_SPAWN: begin(service); break;
	case SERVICE_GREET:
		/* Found ready, it stays so for the next tendd: it is not probed from nothing. */
		service->record.ready = true;
		service_write_record(service);
		timer_start(&service->timer, service->settings->healthy_after_ms);
		break;
	case SERVICE_FAIL:
		service->counted = true;
		free(service->fault);
		service->fault = service_explain_fault(service);
		log_warn("%s: %s", service->unit.id, service->fault); /* fall through */
	case SERVICE_SIGNAL:
		service->asked = true;
		ask_to_end(service, false);
		break;
	case SERVICE_KILL_AGAIN:
		log_warn("%s cannot be killed: it waits for the system itself (disk, driver)",
			service->unit.id); /* fall through */
	case SERVICE_KILL:
		process_signal(&service->process, SIGKILL, true);
		service_hook_signal(service, SIGKILL);
		timer_start(&service->timer, KILL_AGAIN_MS);
		break;
	case SERVICE_CLEAR:
		note_end(service);
		if (!service->group_gone) ask_to_end(service, true);
		break;
	case SERVICE_FORGIVE:
		if (service->record.failures == 0 && service->record.delay_step == 0) break;
		service_forget_failures(service);
		service_write_record(service);
		break;
	case SERVICE_SETTLE: settle(service); break;
	}
}

void service_feed(struct service *service, enum service_event event) {
	struct service_step step = service_next(service->state, event);
	if (event == SERVICE_WANT_UP) service->wanted = true;
	if (event == SERVICE_WANT_DOWN) {
		service->wanted = false;
		unit_unwant(&service->unit);
	}
	service_set_state(service, step.next);
	act(service, step.action);
	if (service->leaving) return;
	/* Wanted again while it is still going down. */
	if (event == SERVICE_WANT_UP && service->state != SERVICE_WAITING)
		unit_want(&service->unit);
	service_report(service);
}

void service_timer_fired(struct timer *timer) {
	service_feed(container_of(timer, struct service, timer), SERVICE_TIMER);
}

/* ---- what the host says ---- */

static struct service *service_of_process(struct process *process) {
	return container_of(process, struct service, process);
}

static void attach_log(struct service *service) {
	struct err err;
	if (service_log_attach(&service->log, &err) != 0)
		log_error("%s: %s: what it writes waits", service->unit.id, err.text);
}

/* It runs all the same: a rented machine without the controllers still starts jupyter. */
static void note_limits(struct service *service) {
	char *degraded = service_explain_limits(service);
	if (degraded && !str_equal(degraded, service->degraded))
		log_warn("%s: %s", service->unit.id, degraded);
	free(service->degraded);
	service->degraded = degraded;
}

static void process_spawned(struct process *process) {
	struct service *service = service_of_process(process);
	struct ledger_service *record = &service->record;
	bool known = record->pid == process->pid;
	record->pid = process->pid;
	record->start_time = process->start_time;
	if (!known) service_write_record(service);
	attach_log(service);
	note_limits(service);
	if (known) {
		service->oom_told = process->notice.oom_kills; /* in the life before */
		log_info("%s goes on with pid %d", service->unit.id, (int)process->pid);
	} else {
		log_info("%s started with pid %d", service->unit.id, (int)process->pid);
		service_note_history(service, "started", NULL);
	}
	/* One that was taken up has been up for a while: it is forgiven by its own age, not by ours. */
	if (service->state == SERVICE_STARTING) {
		service_ready_begin(service);
	} else if (service->state == SERVICE_UP) {
		int64_t uptime_ms = (wall_of(service) - record->started_ns) / NS_PER_MS;
		timer_start(&service->timer, service->settings->healthy_after_ms - uptime_ms);
	}
}

static void process_failed(struct process *process, const struct err *err) {
	never_ran(service_of_process(process), SERVICE_EXIT_EXEC_ERROR, err->text);
}

static void process_exited(struct process *process) {
	struct service *service = service_of_process(process);
	service->class = service_classify(&process->exit, service->settings->ok_exit);
	service_feed(service, SERVICE_MAIN_EXITED);
}

/* Only now: a service that starts again writes into the same file, behind the last words of this run. */
static void log_drained(void *user) {
	all_gone(user);
}

/* The group is empty and nobody saw the main process end: the keeper that did has died. */
static void end_unknown(struct service *service) {
	if (service->class != SERVICE_EXIT_NONE) return;
	service->class = SERVICE_EXIT_UNKNOWN;
	service_feed(service, SERVICE_MAIN_EXITED);
}

static void process_empty(struct process *process) {
	struct service *service = service_of_process(process);
	end_unknown(service); /* a sweep that an earlier life of ours began */
	service->group_gone = true;
	service_log_drain(&service->log, log_drained, service);
}

/* Nothing of it may be left when it starts again. */
static void process_lost(struct process *process) {
	struct service *service = service_of_process(process);
	const struct ledger_service *record = &service->record;
	end_unknown(service);
	process_sweep(process, (pid_t)record->pid, record->start_time);
}

const struct process_calls service_process_calls = { process_spawned, process_failed,
	process_exited, process_empty, process_lost };

/* ---- what the graph says ---- */

static void may_start(struct unit *unit) {
	struct service *service = container_of(unit, struct service, unit);
	if (service->services->detached) return;
	if (service->state == SERVICE_DOWN) { /* wanted by the graph's own word */
		service->wanted = true;
		service_set_state(service, SERVICE_WAITING);
	}
	service_feed(service, SERVICE_DEPS_READY);
}

static void must_stop(struct unit *unit) {
	struct service *service = container_of(unit, struct service, unit);
	if (!service->services->detached) service_feed(service, SERVICE_WANT_DOWN);
}

const struct unit_calls service_unit_calls = { may_start, must_stop };

struct service *service_of(struct unit *unit) {
	assert(unit->calls == &service_unit_calls);
	return container_of(unit, struct service, unit);
}
