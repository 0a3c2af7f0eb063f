/*
 * before_start and after_stop: a command beside the service's own, as its user, in its environment and into its log, in a group of its
 * own of which nothing is left when it has ended. The service's timer is its patience.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

static const char *const words[] = { "", "before", "after" };
static const char *const keys[] = { "", "before_start", "after_stop" };

static struct service *service_of_hook(struct service_hook *hook) {
	return container_of(hook, struct service, hook);
}

static struct service *service_of_process(struct process *process) {
	return container_of(process, struct service, hook.process);
}

const char *service_hook_name(const struct service *service) {
	return service->hook.kind == HOOK_NONE ? NULL : keys[service->hook.kind];
}

static void end(struct service *service) {
	struct service_hook *hook = &service->hook;
	struct service_hook_end ended = hook->end;
	ended.kind = hook->kind;
	process_release(&hook->process);
	hook->kind = HOOK_NONE;
	hook->running = hook->waits = false;
	hook->end = (struct service_hook_end){ 0 };
	service_hook_ended(service, &ended);
}

static void fail(struct service *service, const char *text) {
	struct service_hook_end *told = &service->hook.end;
	told->failed = true;
	snprintf(told->text, sizeof(told->text), "%s: %s", service_hook_name(service), text);
}

/* ---- its process ---- */

static void spawned(struct process *process) {
	struct service *service = service_of_process(process);
	struct err err;
	service->log.last[0] = '\0';
	if (service_log_attach(&service->log, &err) != 0)
		log_error("%s: %s: what it writes waits", service->unit.id, err.text);
}

static void failed(struct process *process, const struct err *err) {
	struct service *service = service_of_process(process);
	fail(service, err->text);
	process_forget(process);
	end(service);
}

static void exited(struct process *process) {
	struct service *service = service_of_process(process);
	struct service_hook_end *told = &service->hook.end;
	told->exit = process->exit;
	told->failed = process->exit.signal || process->exit.code;
	/* What it leaves behind is nobody's. */
	process_signal(process, SIGKILL, true);
}

/* Only now all that it wrote is known; its last line says best what was wrong. */
static void drained(void *user) {
	struct service *service = user;
	const struct service_hook_end *told = &service->hook.end;
	const char *last = service->log.last;
	char *text = NULL;
	if (told->failed && !told->text[0]) {
		if (told->exit.signal)
			text = xasprintf("ended by signal %d (%s)", told->exit.signal,
				strsignal(told->exit.signal));
		else
			text = xasprintf(
				"exit code %d%s%s", told->exit.code, *last ? ": " : "", last);
		fail(service, text);
		free(text);
	}
	end(service);
}

static void gone(struct process *process) {
	struct service *service = service_of_process(process);
	process_forget(process);
	service_log_drain(&service->log, drained, service);
}

static void lost(struct process *process) {
	fail(service_of_process(process),
		"how it ended is not known: the keeper of the services died");
	process_sweep(process, 0, 0);
}

static const struct process_calls calls = { spawned, failed, exited, gone, lost };

/* ---- starting ---- */

static int make_plan(struct job *job, struct err *err) {
	return service_plan_make(container_of(job, struct service_plan, job), err);
}

/* A stop may have come in between. */
static bool is_wanted(const struct service *service) {
	return service->hook.kind == HOOK_AFTER || service->state == SERVICE_STARTING;
}

static void launch(struct service *service) {
	struct service_hook *hook = &service->hook;
	const struct process_spec spec = service_plan_spec(&hook->plan, service->log.fifo_path);
	char run[PROCESS_RUN_SIZE];
	process_make_run(service->services->options.loop, run);
	hook->running = true;
	process_spawn(&hook->process, run, &spec);
	service_plan_release(&hook->plan);
}

static void go(struct service *service);

static void planned(struct job *job, const struct err *err) {
	struct service_hook *hook = container_of(job, struct service_hook, plan.job);
	struct service *service = service_of_hook(hook);
	struct services *services = service->services;
	hook->planning = false;
	if (!services->detached && !hook->overtaken && !err && is_wanted(service)) {
		launch(service);
		return;
	}
	service_plan_release(&hook->plan);
	if (services->detached) {
		if (--services->closing == 0)
			defer_start(services->options.loop, &services->detach_defer);
	} else if (hook->overtaken) {
		hook->overtaken = false;
		if (hook->kind != HOOK_NONE) go(service);
	} else {
		if (err) fail(service, err->text);
		end(service);
	}
}

static void go(struct service *service) {
	struct service_hook *hook = &service->hook;
	const struct service_settings *settings = service->settings;
	const char *command =
		hook->kind == HOOK_BEFORE ? settings->before_start : settings->after_stop;
	hook->planning = true;
	service_plan_init(&hook->plan, service);
	free(hook->plan.settings->command);
	hook->plan.settings->command = xstrdup(command);
	hook->plan.job = (struct job){ .work = make_plan, .done = planned };
	job_start(service->services->options.loop, &hook->plan.job);
}

void service_hook_start(struct service *service, enum service_hook_kind kind) {
	struct service_hook *hook = &service->hook;
	assert(hook->kind == HOOK_NONE);
	char *unit = xasprintf("%s:%s", words[kind], service->unit.name);
	hook->kind = kind;
	process_init(&hook->process, service->services->options.host, unit, &calls);
	free(unit);
	timer_start(&service->timer, service->settings->stop_timeout_ms);
	hook->waits = services_ends_hook(service->services, service->unit.name);
	if (!hook->planning && !hook->waits) go(service); /* one that was overtaken goes on */
}

void service_hook_signal(struct service *service, int signum) {
	if (service->hook.running) process_signal(&service->hook.process, signum, true);
}

/* ---- what an earlier tendd began ---- */

const char *service_hook_unit(const char *unit) {
	for (size_t kind = HOOK_BEFORE; kind <= HOOK_AFTER; kind++) {
		size_t len = strlen(words[kind]);
		if (strncmp(unit, words[kind], len) == 0 && unit[len] == ':') return unit + len + 1;
	}
	return NULL;
}

bool service_hook_take_back(struct service *service) {
	struct service_hook *hook = &service->hook;
	if (!hook->running || !process_is_pending(&hook->process)) return false;
	process_forget(&hook->process);
	hook->running = false;
	hook->waits = true;
	return true;
}

void service_hook_go_on(struct service *service) {
	if (!service->hook.waits) return;
	service->hook.waits = false;
	if (!service->hook.planning) go(service);
}

void service_hook_drop(struct service *service) {
	struct service_hook *hook = &service->hook;
	if (hook->kind == HOOK_NONE) return;
	hook->overtaken = hook->planning;
	process_release(&hook->process);
	hook->kind = HOOK_NONE;
	hook->running = hook->waits = false;
}

/* The next tendd finds it as a stray, ends it, and begins anew. */
void service_hook_detach(struct service *service) {
	struct service_hook *hook = &service->hook;
	if (hook->planning) {
		service->services->closing++;
		job_cancel(&hook->plan.job);
	}
	service_hook_drop(service);
}
