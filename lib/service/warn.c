/*
 * on_preempt: a command beside a service that is up, when its machine is about to be taken away: to save a checkpoint, say. As the
 * service's user, in its environment and into its log, within a limit. It stands beside the states, for the service goes on meanwhile,
 * and it may outlive it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

enum { KILL_AFTER_MS = 1000 };

struct service_warning {
	struct list link; /* in services->warnings */
	struct services *services;
	char *name, *fifo;
	struct service_plan plan;
	bool planning, overdue;
	int64_t limit_ms;
	struct process process;
	struct timer timer;
};

static struct service_warning *of_process(struct process *process) {
	return container_of(process, struct service_warning, process);
}

/* ---- the end of one, and of all ---- */

static void warning_free(struct service_warning *warning) {
	timer_cancel(&warning->timer);
	process_release(&warning->process);
	list_remove(&warning->link);
	free(warning->name);
	free(warning->fifo);
	free(warning);
}

static void look_at_end(struct services *services) {
	if (list_empty(&services->warnings) && services->warned)
		defer_start(services->options.loop, &services->warned_defer);
}

static void say_warned(struct defer *defer) {
	struct services *services = container_of(defer, struct services, warned_defer);
	void (*warned)(void *user) = services->warned;
	services->warned = NULL;
	if (warned) warned(services->warned_user);
}

static void end(struct service_warning *warning) {
	struct services *services = warning->services;
	warning_free(warning);
	look_at_end(services);
}

/* ---- its process ---- */

static void spawned(struct process *process) {
	(void)process;
}

static void failed(struct process *process, const struct err *err) {
	struct service_warning *warning = of_process(process);
	log_warn("service:%s: on_preempt: %s", warning->name, err->text);
	process_forget(process);
	end(warning);
}

/* What it leaves behind is nobody's. */
static void exited(struct process *process) {
	const struct service_warning *warning = of_process(process);
	const struct process_exit *exit = &process->exit;
	if (warning->overdue)
		log_warn("service:%s: on_preempt did not end in time: stopped", warning->name);
	else if (exit->signal)
		log_warn("service:%s: on_preempt: ended by signal %d (%s)", warning->name,
			exit->signal, strsignal(exit->signal));
	else if (exit->code)
		log_warn("service:%s: on_preempt: exit code %d", warning->name, exit->code);
	else
		log_info("service:%s: on_preempt ended well", warning->name);
	process_signal(process, SIGKILL, true);
}

static void gone(struct process *process) {
	process_forget(process);
	end(of_process(process));
}

static void lost(struct process *process) {
	log_warn("service:%s: on_preempt: how it ended is not known: the keeper of the services "
		 "died",
		of_process(process)->name);
	process_sweep(process, 0, 0);
}

static const struct process_calls calls = { spawned, failed, exited, gone, lost };

static void limit_passed(struct timer *timer) {
	struct service_warning *warning = container_of(timer, struct service_warning, timer);
	if (!warning->planning)
		process_signal(&warning->process, warning->overdue ? SIGKILL : SIGTERM, true);
	warning->overdue = true;
	timer_start(timer, KILL_AFTER_MS);
}

/* ---- starting ---- */

static int make_plan(struct job *job, struct err *err) {
	return service_plan_make(container_of(job, struct service_plan, job), err);
}

/* The pipe of the log is the service's, which is not made anew under it: the shell opens it, as its user, and for reading too, since
 * it would wait for a reader that has just gone. */
static char **into_log(const struct service_warning *warning) {
	char **argv = NULL;
	strv_add(&argv, "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, "if [ -w \"$0\" ]; then exec \"$@\" 1<>\"$0\" 2>&1; else exec \"$@\"; fi");
	strv_add(&argv, warning->fifo);
	for (char **word = warning->plan.argv; word && *word; word++) strv_add(&argv, *word);
	return argv;
}

static void launch(struct service_warning *warning) {
	struct process_spec spec = service_plan_spec(&warning->plan, NULL);
	char **argv = into_log(warning);
	char run[PROCESS_RUN_SIZE];
	spec.argv = argv;
	process_make_run(warning->services->options.loop, run);
	process_spawn(&warning->process, run, &spec);
	strv_free(argv);
}

static void planned(struct job *job, const struct err *err) {
	struct service_warning *warning = container_of(job, struct service_warning, plan.job);
	struct services *services = warning->services;
	warning->planning = false;
	bool go = !services->detached && !err && !warning->overdue;
	if (go) launch(warning);
	service_plan_release(&warning->plan);
	if (go) return;
	if (services->detached) {
		warning_free(warning);
		if (--services->closing == 0)
			defer_start(services->options.loop, &services->detach_defer);
		return;
	}
	if (err) log_warn("service:%s: on_preempt: %s", warning->name, err->text);
	end(warning);
}

static void warn(struct service *service, int64_t limit_ms) {
	struct services *services = service->services;
	struct service_warning *warning = xcalloc(1, sizeof(*warning));
	char *unit = xasprintf("preempt:%s", service->unit.name);
	warning->services = services;
	warning->name = xstrdup(service->unit.name);
	warning->fifo = xstrdup(service->log.fifo_path);
	process_init(&warning->process, services->options.host, unit, &calls);
	free(unit);
	timer_init(&warning->timer, services->options.loop, limit_passed);
	timer_start(&warning->timer, limit_ms);
	list_add_tail(&services->warnings, &warning->link);
	service_plan_init(&warning->plan, service);
	free(warning->plan.settings->command);
	warning->plan.settings->command = xstrdup(service->settings->on_preempt);
	warning->plan.job = (struct job){ .work = make_plan, .done = planned };
	warning->planning = true;
	job_start(services->options.loop, &warning->plan.job);
}

int services_warn(
	struct services *services, int64_t limit_ms, void (*warned)(void *user), void *user) {
	int count = 0;
	services->warned = warned;
	services->warned_user = user;
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		bool runs = service->state == SERVICE_UP ||
			    (service->state == SERVICE_STARTING && service->process.pid);
		if (!runs || service->removing || !service->settings->on_preempt) continue;
		warn(service, limit_ms);
		count++;
	}
	look_at_end(services);
	return count;
}

/* ---- the end of tendd ---- */

void service_warnings_init(struct services *services) {
	list_init(&services->warnings);
	defer_init(&services->warned_defer, say_warned);
}

/* Its command goes on; the next tendd lets it (services_stray). */
void service_warnings_detach(struct services *services) {
	services->warned = NULL;
	defer_cancel(&services->warned_defer);
	list_each(&services->warnings, link) {
		struct service_warning *warning = list_entry(link, struct service_warning, link);
		timer_cancel(&warning->timer);
		if (warning->planning) {
			services->closing++;
			job_cancel(&warning->plan.job);
		} else {
			process_detach(&warning->process);
			warning_free(warning);
		}
	}
}

/* ---- services down for a while ---- */

void services_halt(struct services *services) {
	services->halted = true;
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		/* A task that is done stays so. */
		bool ended = service->state == SERVICE_DONE || service->state == SERVICE_FAILED;
		if (!service->removing && !ended) service_feed(service, SERVICE_WANT_DOWN);
	}
}

void services_go_on(struct services *services) {
	if (!services->halted) return;
	services->halted = false;
	services_begin(services);
}
