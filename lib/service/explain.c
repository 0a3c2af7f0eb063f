/* How a service stands: in the states of the graph, and in words for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

/* Of the main process: `what` is "it". */
static char *explain_oom(const struct service *service, const char *what, bool by_limit) {
	char limit[32];
	if (!by_limit) return xasprintf("out of memory: the kernel ended %s", what);
	size_format(service->settings->memory_max_bytes, limit, sizeof(limit));
	return xasprintf("out of memory: the kernel ended %s (memory_max is %s)", what, limit);
}

unsigned service_oom_of(const struct service *service) {
	unsigned oom = service->process.exit.oom ? LEDGER_OOM_MAIN : 0;
	if (service->process.notice.oom_kills > 0) oom |= LEDGER_OOM_OTHERS;
	bool by_limit = oom && service->process.limited & PROCESS_LIMITED_MEMORY;
	return oom | (by_limit ? LEDGER_OOM_LIMIT : 0);
}

char *service_explain_oom_kills(const struct service *service) {
	char what[48];
	int64_t kills = service->process.notice.oom_kills;
	if (kills == 0) return NULL;
	snprintf(what, sizeof(what), "%lld of its processes", (long long)kills);
	return explain_oom(service, what, service_oom_of(service) & LEDGER_OOM_LIMIT);
}

/* How it ended, and what may be why: a shell tells 137 of a child that was killed. */
static char *explain_end_beside(const struct service *service, char *end) {
	const struct ledger_service *record = &service->record;
	if (!(record->exit_oom & LEDGER_OOM_OTHERS)) return end;
	char *why = explain_oom(
		service, "others of its processes", record->exit_oom & LEDGER_OOM_LIMIT);
	char *both = xasprintf("%s; %s", end, why);
	free(end);
	free(why);
	return both;
}

char *service_explain_limits(const struct service *service) {
	const struct service_settings *settings = service->settings;
	unsigned limited = service->process.limited;
	bool memory = settings->memory_max_bytes > 0 && !(limited & PROCESS_LIMITED_MEMORY);
	bool cpu = settings->cpu_max_percent > 0 && !(limited & PROCESS_LIMITED_CPU);
	bool mute = service_asks_notify(service) && !service->process.notice.given;
	if (mute && !memory && !cpu)
		return xstrdup("'notify' has no effect here: the keeper of the services is of an "
			       "older version, or has no socket for it");
	if (!memory && !cpu) return NULL;
	const char *what = !cpu      ? "memory_max has"
			   : !memory ? "cpu_max has"
				     : "memory_max and cpu_max have";
	return xasprintf(
		"%s no effect here: the keeper was given no cgroup v2 controller for it", what);
}

/* The class is of this life of tendd; the numbers stand in the record, which
 * outlives it. */
char *service_explain_end(const struct service *service) {
	const struct ledger_service *record = &service->record;
	if (service->counted && service->fault) return xstrdup(service->fault);
	switch (service->last_class) {
	case SERVICE_EXIT_EXEC_ERROR: return xstrdup(service->reason);
	case SERVICE_EXIT_BAD:
		if (service->reason) return xstrdup(service->reason);
		break;
	case SERVICE_EXIT_OOM:
		return explain_oom(service, "it", record->exit_oom & LEDGER_OOM_LIMIT);
	case SERVICE_EXIT_SIGNAL:
		return explain_end_beside(
			service, xasprintf("ended by signal %d (%s)", record->exit_signal,
					 strsignal(record->exit_signal)));
	case SERVICE_EXIT_UNKNOWN:
		return xstrdup("how it ended is not known: the keeper of the services died");
	default: break;
	}
	return explain_end_beside(service, xasprintf("exit code %d", record->exit_code));
}

char *service_explain_fault(const struct service *service) {
	char span[32];
	const char *trouble = service->trouble ? service->trouble : "";
	if (service->check_failures) return xstrdup(trouble);
	if (service->hook.kind != HOOK_NONE) {
		duration_format(service->settings->stop_timeout_ms, span, sizeof(span));
		return xasprintf("%s took longer than %s", service_hook_name(service), span);
	}
	duration_format(service->settings->ready_timeout_ms, span, sizeof(span));
	const char *last = strchr(trouble, ':');
	return xasprintf("not ready within %s%s", span, last ? last : "");
}

static char *explain_up(const struct service *service) {
	const struct process_notice *notice = &service->process.notice;
	if (service->trouble || service->degraded)
		return xstrdup(service->trouble ? service->trouble : service->degraded);
	if (notice->oom_kills) return service_explain_oom_kills(service);
	if (notice->stopping && !notice->status[0]) return xstrdup("it says that it is stopping");
	return notice->status[0] ? xstrdup(notice->status) : NULL;
}

static char *explain_state(const struct service *service) {
	char when[TIME_TEXT_SIZE];
	char *why = NULL;
	char *text = NULL;
	switch (service->state) {
	case SERVICE_DELAYED:
		why = service_explain_end(service);
		time_format(service->next_try_ns, when);
		text = xasprintf("%s; next try at %s", why, when);
		break;
	case SERVICE_FAILED:
		why = service_explain_end(service);
		if (service->settings->give_up_after > 0 &&
			service->record.failures >= service->settings->give_up_after)
			text = xasprintf(
				"%s; gave up after %lld failures in a row: 'tend start %s' tries "
				"again",
				why, (long long)service->record.failures, service->unit.name);
		else
			text = xasprintf("%s; it stays down: 'tend start %s' tries again", why,
				service->unit.name);
		break;
	case SERVICE_STARTING:
		if (service->hook.kind != HOOK_NONE)
			return xasprintf("%s runs", service_hook_name(service));
		return xstrdup(service->trouble);
	case SERVICE_UP: return explain_up(service);
	case SERVICE_KILLING: return xstrdup("being killed: it did not end in time");
	case SERVICE_CLEARING:
		if (service->hook.kind != HOOK_NONE)
			return xasprintf("%s runs", service_hook_name(service));
		return xstrdup("its main process has ended; the rest of it ends");
	case SERVICE_DOWN:
		if (str_equal(service->record.stopped_boot, process_boot_id()))
			return xstrdup("stopped by hand");
		return service->settings->enabled ? NULL : xstrdup("not enabled");
	default: break;
	}
	free(why);
	return text;
}

static enum unit_state unit_state_of(const struct service *service) {
	switch (service->state) {
	case SERVICE_STARTING: return UNIT_STARTING;
	case SERVICE_UP: /* a task is ready when it has ended well */
		return service->settings->restart == SERVICE_RESTART_NEVER ? UNIT_STARTING
									   : UNIT_READY;
	case SERVICE_STOPPING:
	case SERVICE_KILLING:
	case SERVICE_CLEARING: return UNIT_STOPPING;
	case SERVICE_DONE: return UNIT_READY;
	case SERVICE_DELAYED:
	case SERVICE_FAILED: return UNIT_FAILED;
	default: return UNIT_DOWN;
	}
}

void service_report(struct service *service) {
	if (service->state == SERVICE_WAITING) return; /* the graph knows what it waits for */
	char *detail = explain_state(service);
	unit_report(&service->unit, unit_state_of(service), detail);
	free(detail);
}
