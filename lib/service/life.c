/*
 * A service's life: made, taken up from the ledger and the host where an earlier tendd left it, let go again, freed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

struct service *service_new(
	struct services *services, const char *name, const struct service_settings *settings) {
	const struct services_options *options = &services->options;
	struct service *service = xcalloc(1, sizeof(*service));
	service->services = services;
	service->settings = service_settings_copy(settings);
	service->since_ns = loop_wall_ns(options->loop);
	unit_init(&service->unit, options->graph, UNIT_SERVICE, name, &service_unit_calls);
	service->unit.enabled = settings->enabled;
	process_init(&service->process, options->host, service->unit.id, &service_process_calls);
	service->process.notified = service_notified;
	timer_init(&service->timer, options->loop, service_timer_fired);
	service_watch_init(service);
	service_log_init(&service->log, options->loop, name, options);
	service_log_settings(&service->log, settings);
	list_add_tail(&services->all, &service->link);
	return service;
}

void service_free(struct service *service) {
	assert(!service->planning && !service->hook.planning);
	service_hook_drop(service);
	timer_cancel(&service->timer);
	service_watch_release(service);
	process_release(&service->process);
	service_log_release(&service->log);
	if (!service->leaving) unit_release(&service->unit);
	list_remove(&service->link);
	service_settings_free(service->settings);
	free(service->reason);
	free(service->degraded);
	free(service->fault);
	free(service);
}

static void log_closed(void *user) {
	service_free(user);
}

/* Nothing of it is left: the end for one that was removed. */
void service_gone(struct service *service) {
	struct err err;
	if (!service->removing || service->leaving) return;
	service->leaving = true;
	if (ledger_service_forget(service->services->options.ledger, service->unit.id, &err) != 0)
		log_warn("cannot forget '%s': %s", service->unit.id, err.text);
	unit_release(&service->unit);
	service_log_close(&service->log, log_closed, service);
}

bool service_take_back(struct service *service) {
	if (service->hook.kind == HOOK_BEFORE) {
		if (!service->hook.planning && !service_hook_take_back(service)) return false;
		service_hook_drop(service);
		return true;
	}
	if (service->planning) {
		service->overtaken = true;
		return true;
	}
	if (!process_is_pending(&service->process)) return false;
	process_forget(&service->process);
	return true;
}

void service_adopt(struct service *service, const char *run) {
	bool stopped = str_equal(service->record.stopped_boot, process_boot_id());
	service->class = SERVICE_EXIT_NONE;
	service->asked = service->counted = service->group_gone = false;
	service->wanted = service->ran = true;
	/* The record without a pid: we died between the intent and the answer. */
	bool up = service->record.pid && service->record.ready;
	service_set_state(service, up ? SERVICE_UP : SERVICE_STARTING);
	memmove(service->record.run, run, strlen(run) + 1); /* it may be itself */
	process_adopt(&service->process, service->record.run);
	unit_want(&service->unit);
	service_report(service);
	/* It runs since before this tendd did. */
	service->since_ns = service->unit.since_ns = service->record.started_ns;
	if (stopped || !service->settings->enabled) service_feed(service, SERVICE_WANT_DOWN);
}

/* It ended well during this boot, and by its settings of now that is for good. */
static bool is_done(const struct service *service) {
	const struct ledger_service *record = &service->record;
	const struct service_settings *settings = service->settings;
	const struct service_question question = {
		.wanted = true,
		.class = SERVICE_EXIT_OK,
		.no_restart = service_code_in(settings->no_restart_exit, record->exit_code),
		.policy = (enum service_policy)settings->restart,
	};
	return str_equal(record->done_boot, process_boot_id()) &&
	       service_verdict(&question) == SERVICE_DONE;
}

void service_take_up(struct service *service) {
	struct ledger_service *record = &service->record;
	struct err err;
	service_log_recover(&service->log);
	if (ledger_service_read(
		    service->services->options.ledger, service->unit.id, record, &err) != 0)
		log_error("cannot read the record of '%s': %s", service->unit.id, err.text);
	const struct process_exit exit = { .code = record->exit_code,
		.signal = record->exit_signal,
		.oom = record->exit_oom & LEDGER_OOM_MAIN };
	if (record->ended)
		service->last_class = service_classify(&exit, service->settings->ok_exit);
	if (!str_equal(record->boot, process_boot_id())) {
		/* Its pids mean nothing any more, and a new boot is a new chance. */
		record->run[0] = '\0';
		record->pid = 0;
		service_forget_failures(service);
	}
	/* That it gave up was of an earlier tendd: it is tried again, as often as ever. */
	if (!record->run[0] && service->settings->give_up_after > 0 &&
		record->failures >= service->settings->give_up_after)
		service_forget_failures(service);
	if (record->run[0]) {
		service_adopt(service, record->run);
	} else if (is_done(service)) {
		service->wanted = true;
		service_set_state(service, SERVICE_DONE);
		unit_want(&service->unit);
		service_report(service);
	} else {
		service_report(service);
	}
}

void service_detach(struct service *service) {
	timer_cancel(&service->timer);
	service_watch_end(service);
	process_detach(&service->process);
	service_hook_detach(service);
	if (service->planning) {
		service->services->closing++;
		job_cancel(&service->plan.job);
	}
}
