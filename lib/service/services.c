/* All services: added, linked, changed by a reload, let go; people's wishes; runs that belong to
 * nobody. */
#include "service/internal.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRAY_TIMEOUT_MS = 10000, WARNING_TIMEOUT_MS = 120000 };

/* A run whose service is no longer in the configuration: it is asked to end, then made to. */
struct stray {
	struct list link;
	struct process process;
	struct timer timer;
	struct services *services;
	char *hook_of; /* name of the service whose hook it is; NULL: it is none's */
};

struct services *services_new(const struct services_options *options) {
	struct services *services = xcalloc(1, sizeof(*services));
	services->options = *options;
	services->runtime_dir = xstrdup(options->runtime_dir);
	services->log_dir = xstrdup(options->log_dir);
	services->options.runtime_dir = services->runtime_dir;
	services->options.log_dir = services->log_dir;
	services_set_environment(services, options->path, options->environment);
	list_init(&services->all);
	list_init(&services->strays);
	list_init(&services->probes);
	service_warnings_init(services);
	return services;
}

/* The old ones are freed last: what comes in may be these very vectors. */
void services_set_environment(
	struct services *services, char *const *path, char *const *environment) {
	char **old_path = services->path;
	char **old_environment = services->environment;
	services->path = strv_dup(path);
	services->environment = strv_dup(environment);
	services->options.path = services->path;
	services->options.environment = services->environment;
	strv_free(old_path);
	strv_free(old_environment);
}

/* One that is leaving has handed its name on: a section of that name may have come back meanwhile. */
static struct service *find(struct services *services, const char *name) {
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		if (!service->leaving && strcmp(service->unit.name, name) == 0) return service;
	}
	return NULL;
}

struct service *service_find(struct services *services, const char *name) {
	struct service *service = find(services, name);
	return service && !service->removing ? service : NULL;
}

struct service *service_each(struct services *services, const struct service *after) {
	struct list *link = after ? after->link.next : services->all.next;
	for (; link != &services->all; link = link->next) {
		struct service *service = container_of(link, struct service, link);
		if (!service->removing) return service;
	}
	return NULL;
}

struct unit *service_unit(struct service *service) {
	return &service->unit;
}

/* By a person, in this boot: a restart of tendd or of the keeper does not undo what somebody wanted,
 * a reboot does (SERVICES.md §3). */
static bool is_stopped(const struct service *service) {
	return str_equal(service->record.stopped_boot, process_boot_id());
}

struct service *service_add(
	struct services *services, const char *name, const struct service_settings *settings) {
	struct service *service = find(services, name);
	if (service) {
		/* Removed and added again before it was down: it is the same service, and goes on. */
		service->removing = false;
		service_apply(service, settings);
		if (settings->enabled && !is_stopped(service))
			service_feed(service, SERVICE_WANT_UP);
		return service;
	}
	service = service_new(services, name, settings);
	service_take_up(service);
	return service;
}

/* ---- edges ---- */

void services_link(struct services *services) {
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		if (service->leaving) continue;
		unit_link(&service->unit, service->settings->after, service->settings->requires,
			service->settings->network);
	}
}

void services_begin(struct services *services) {
	if (services->halted) return;
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		if (service->removing || service->state != SERVICE_DOWN) continue;
		if (service->settings->enabled && !is_stopped(service))
			service_feed(service, SERVICE_WANT_UP);
	}
}

/* ---- changes and wishes ---- */

/* Down and up again are two events of the table: the second is noted while the first is on its way. The
 * failures so far were those of the old settings, or a person says to try again. */
static void begin_anew(struct service *service) {
	service->record.failures = 0;
	service->record.delay_step = 0;
	service_feed(service, SERVICE_WANT_DOWN);
	service_feed(service, SERVICE_WANT_UP);
}

/* A changed key that needs a new start: whatever runs or tries to is begun anew. */
static void apply_restart(struct service *service) {
	switch (service->state) {
	case SERVICE_STARTING:
	case SERVICE_UP:
	case SERVICE_DELAYED:
	case SERVICE_FAILED: begin_anew(service); break;
	case SERVICE_STOPPING:
	case SERVICE_KILLING:
	case SERVICE_CLEARING:
		/* It ends; what comes then is already the new one, without a delay. */
		if (service->wanted) service->asked = true;
		break;
	default: break;
	}
}

int service_apply(struct service *service, const struct service_settings *settings) {
	int effect = config_settings_compare(&service_table, service->settings, settings);
	if (effect == 0) return 0;
	/* `enabled` decides first: a change of the command of a service that is switched off, or is
	 * being switched off by this very reload, must not start it. */
	bool was_enabled = service->settings->enabled;
	service_settings_free(service->settings);
	service->settings = service_settings_copy(settings);
	service->unit.enabled = settings->enabled;
	service_log_settings(&service->log, settings);
	if (was_enabled && !settings->enabled)
		service_feed(service, SERVICE_WANT_DOWN);
	else if (!was_enabled && settings->enabled && !is_stopped(service))
		service_feed(service, SERVICE_WANT_UP);
	else if (effect > 1)
		apply_restart(service);
	else
		service_watch_apply(service);
	return effect;
}

void service_remove(struct service *service) {
	service->removing = true;
	/* A section of this name that comes back one day is a new service, which nobody stopped. */
	service->record.stopped_boot[0] = '\0';
	/* Down already: it is not told again. */
	if (service->state == SERVICE_DOWN)
		service_gone(service);
	else
		service_feed(service, SERVICE_WANT_DOWN);
}

/* Written before the start: should tendd die in between, the next one starts it. */
static void allow_start(struct service *service) {
	service->record.stopped_boot[0] = '\0';
	service->record.done_boot[0] = '\0';
	service->record.failures = 0;
	service->record.delay_step = 0;
	service_settle_record(service);
}

void service_start(struct service *service) {
	allow_start(service);
	service_feed(service, SERVICE_WANT_UP);
}

void service_stop(struct service *service) {
	snprintf(service->record.stopped_boot, sizeof(service->record.stopped_boot), "%s",
		process_boot_id());
	service_settle_record(service);
	service_feed(service, SERVICE_WANT_DOWN);
}

void service_restart(struct service *service) {
	allow_start(service);
	begin_anew(service);
}

void services_reopen_logs(struct services *services) {
	list_each(&services->all, link)
		service_log_reopen(&container_of(link, struct service, link)->log);
}

/* ---- runs of nobody's ---- */

static void stray_free(struct stray *stray) {
	timer_cancel(&stray->timer);
	process_release(&stray->process);
	list_remove(&stray->link);
	free(stray->hook_of);
	free(stray);
}

bool services_ends_hook(struct services *services, const char *name) {
	list_each(&services->strays, link)
		if (str_equal(container_of(link, struct stray, link)->hook_of, name)) return true;
	return false;
}

/* Again and again: a process in D state takes a KILL only when it wakes. */
static void stray_timer_fired(struct timer *timer) {
	struct stray *stray = container_of(timer, struct stray, timer);
	process_signal(&stray->process, SIGKILL, true);
	timer_start(timer, STRAY_TIMEOUT_MS);
}

static void stray_moved(struct process *process) {
	(void)process; /* only its end matters */
}

static void stray_ended(struct process *process) {
	struct stray *stray = container_of(process, struct stray, process);
	struct service *service = stray->hook_of ? find(stray->services, stray->hook_of) : NULL;
	process_forget(process);
	stray_free(stray);
	if (service) service_hook_go_on(service);
}

static void stray_failed(struct process *process, const struct err *err) {
	(void)err;
	stray_ended(process);
}

/* Its keeper died. Nothing is known of it but its mark in the environment of what it left behind. */
static void stray_lost(struct process *process) {
	process_sweep(process, 0, 0);
}

static const struct process_calls stray_calls = { stray_moved, stray_failed, stray_moved,
	stray_ended, stray_lost };

void services_stray(struct services *services, const char *run, const char *unit) {
	struct service *service =
		str_starts(unit, "service:") ? find(services, unit + strlen("service:")) : NULL;
	bool starting = service && (service->planning || service->process.run[0] ||
					   service->hook.kind != HOOK_NONE);
	if (service && (!starting || service_take_back(service))) {
		log_info("%s is running already: taken up", unit);
		timer_cancel(&service->timer);
		snprintf(service->record.boot, sizeof(service->record.boot), "%s",
			process_boot_id());
		/* When it began, and whether it was ready, is lost: it is not put to a new test. */
		service->record.ready = true;
		service_adopt(service, run);
		service_write_record(service);
		return;
	}
	const char *hook_of = service_hook_unit(unit);
	struct service *waits = hook_of ? find(services, hook_of) : NULL;
	/* It begins anew, but not beside itself. */
	if (waits) service_hook_take_back(waits);
	/* The machine goes, and a service saves what it can: it has its time. */
	bool warning = str_starts(unit, "preempt:");
	if (!hook_of && !warning)
		log_info("%s is running but not in the configuration: it is stopped", unit);
	struct stray *stray = xcalloc(1, sizeof(*stray));
	stray->services = services;
	stray->hook_of = xstrdup(hook_of);
	process_init(&stray->process, services->options.host, unit, &stray_calls);
	timer_init(&stray->timer, services->options.loop, stray_timer_fired);
	list_add_tail(&services->strays, &stray->link);
	process_adopt(&stray->process, run);
	if (!warning) process_signal(&stray->process, hook_of ? SIGKILL : SIGTERM, true);
	timer_start(&stray->timer, warning ? WARNING_TIMEOUT_MS : STRAY_TIMEOUT_MS);
}

/* ---- the end ---- */

static void detach_ended(struct defer *defer) {
	struct services *services = container_of(defer, struct services, detach_defer);
	services->detach_done(services->detach_user);
}

static void log_let_go(void *user) {
	struct services *services = user;
	if (--services->closing == 0) defer_start(services->options.loop, &services->detach_defer);
}

void services_detach(struct services *services, void (*done)(void *user), void *user) {
	assert(!services->detached);
	services->detached = true;
	services->detach_done = done;
	services->detach_user = user;
	defer_init(&services->detach_defer, detach_ended);
	services->closing = 1; /* ours: not before all have been told */
	list_each(&services->strays, link) stray_free(container_of(link, struct stray, link));
	list_each(&services->all, link) {
		struct service *service = container_of(link, struct service, link);
		service_detach(service);
		services->closing++;
		service_log_close(&service->log, log_let_go, services);
	}
	service_warnings_detach(services);
	service_probes_detach(services);
	log_let_go(services);
}

void services_free(struct services *services) {
	defer_cancel(&services->warned_defer);
	list_each(&services->strays, link) stray_free(container_of(link, struct stray, link));
	list_each(&services->all, link) service_free(container_of(link, struct service, link));
	if (services->detached) defer_cancel(&services->detach_defer);
	strv_free(services->path);
	strv_free(services->environment);
	free(services->runtime_dir);
	free(services->log_dir);
	free(services);
}

/* ---- status ---- */

void service_status(const struct service *service, struct service_status *status) {
	const struct ledger_service *record = &service->record;
	bool waits = service->state == SERVICE_DOWN && service->unit.state == UNIT_WAITING;
	enum service_state state = waits ? SERVICE_WAITING : service->state;
	*status = (struct service_status){
		.name = service->unit.name,
		.state = state,
		.state_name = service_state_name(state),
		.enabled = service->settings->enabled,
		.stopped = is_stopped(service),
		.pid = service->class == SERVICE_EXIT_NONE ? (pid_t)record->pid : 0,
		.since_ns = service->since_ns,
		.restarts = record->restarts,
		.failures = record->failures,
		.exit_class = service->last_class,
		.exit_code = record->exit_code,
		.exit_signal = record->exit_signal,
		.exit_ns = record->ended ? record->ended_ns : 0,
		.next_try_ns = service->next_try_ns,
		.degraded = service->degraded,
		.detail = service->unit.detail,
		.log_path = service->log.where & LOG_TO_FILE ? service->log.work.path : NULL,
		.log_lost_lines = service->log.lost_lines,
	};
}
