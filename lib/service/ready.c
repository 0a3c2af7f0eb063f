/* Readiness and liveness: looks again and again while a service starts, and now and then while it is up (SERVICES.md §3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/internal.h"

enum {
	READY_FIRST_MS = 50, /* between two looks, doubled up to the last */
	READY_LAST_MS = 1000,
	LINES_BACK = 1000, /* of the log: what it wrote before we looked for the first time */
	TIME_LEN = sizeof("2026-11-22T14:03:07.123Z") - 1,
};

static struct loop *loop_of(const struct service *service) {
	return service->services->options.loop;
}

static void set_text(char **text, char *value) {
	free(*text);
	*text = value;
}

/* ---- a line of its log ---- */

static bool line_tells(const struct service *service, const char *line, const char *wanted) {
	char time[TIME_LEN + 1];
	int64_t at_ns;
	if (strlen(line) <= TIME_LEN) return false;
	snprintf(time, sizeof(time), "%s", line);
	/* An earlier run may have said it too; the time has milliseconds. */
	if (time_parse(time, &at_ns) != 0 ||
		at_ns / NS_PER_MS < service->record.started_ns / NS_PER_MS)
		return false;
	return strstr(line + TIME_LEN + 1, wanted) != NULL;
}

static bool text_tells(struct service *service, const char *wanted) {
	struct buf *text = &service->ready_text;
	bool found = false;
	size_t done = 0;
	char *newline;
	while (!found && done < text->len &&
		(newline = memchr(text->at + done, '\n', text->len - done))) {
		*newline = 0;
		found = line_tells(service, text->at + done, wanted);
		done = (size_t)(newline + 1 - text->at);
	}
	buf_consume(text, done);
	return found;
}

static void log_grew(void *user) {
	struct service *service = user;
	struct service_probe probe;
	struct err err;
	char bytes[16 << 10];
	ssize_t got;
	if (service_probe_parse(service->settings->ready, &probe, &err) || probe.kind != PROBE_LOG)
		return;
	while ((got = process_follow_read(service->ready_log, bytes, sizeof(bytes))) > 0) {
		buf_add(&service->ready_text, bytes, (size_t)got);
		if (!text_tells(service, probe.text)) continue;
		service_feed(service, SERVICE_IS_READY); /* ends this watch */
		return;
	}
}

/* ---- what it says itself ---- */

static bool asks_notify(const char *text) {
	struct service_probe probe;
	struct err err;
	return service_probe_parse(text, &probe, &err) == 0 && probe.kind == PROBE_NOTIFY;
}

static bool settings_ask(const struct service_settings *settings) {
	return asks_notify(settings->ready) || asks_notify(settings->check);
}

bool service_asks_notify(const struct service *service) {
	return settings_ask(service->settings);
}

void service_notify_ask(const struct service_settings *settings, struct process_spec *spec) {
	spec->notify = settings_ask(settings);
	if (asks_notify(settings->check)) spec->watchdog_us = settings->check_every_ms * 1000;
}

/* Not more often than it was told to speak: `check_every` may have changed since it began. */
static int64_t check_every_ms(const struct service *service) {
	int64_t told_ms = service->process.notice.watchdog_us / 1000;
	int64_t every_ms = service->settings->check_every_ms;
	return asks_notify(service->settings->check) && told_ms > every_ms ? told_ms : every_ms;
}

static bool notify_fails(const struct service *service, struct err *err) {
	const struct process_notice *notice = &service->process.notice;
	char span[32];
	if (notice->stopping || notice->pings > service->pings_seen) return false;
	duration_format(check_every_ms(service), span, sizeof(span));
	return err_set(err, ERR_OFFLINE, "no WATCHDOG=1 within %s", span) != 0;
}

/* A run that was begun before `check` was notify, or by an older keeper, cannot say anything. */
static void look_at_pings(struct service *service) {
	struct err err;
	if (!service->process.notice.watchdog_us) return;
	bool fails = notify_fails(service, &err);
	service->pings_seen = service->process.notice.pings;
	service_probed(service, fails ? &err : NULL);
}

/* Its main process may go on without them, and nobody else would tell. */
static void tell_oom_kills(struct service *service) {
	int64_t kills = service->process.notice.oom_kills;
	if (kills <= service->oom_told) return;
	service->oom_told = kills;
	char *text = service_explain_oom_kills(service);
	log_warn("%s: %s", service->unit.id, text);
	service_note_history(service, "out of memory", text);
	free(text);
}

void service_notified(struct process *process) {
	struct service *service = container_of(process, struct service, process);
	const struct process_notice *notice = &process->notice;
	tell_oom_kills(service);
	if (service->state == SERVICE_STARTING && asks_notify(service->settings->ready)) {
		if (notice->ready) {
			service_feed(service, SERVICE_IS_READY);
			return;
		}
		if (notice->status[0])
			set_text(&service->trouble, xasprintf("not ready yet: %s", notice->status));
	} else if (service->state == SERVICE_UP && notice->broken &&
		   asks_notify(service->settings->check)) {
		service->check_failures++;
		set_text(&service->trouble,
			xstrdup("it says itself that it is broken (WATCHDOG=trigger)"));
		service_feed(service, SERVICE_CHECK_FAILED);
		return;
	}
	service_report(service);
}

/* ---- looking ---- */

static void look(struct service *service) {
	const struct service_settings *settings = service->settings;
	const char *text = service->state == SERVICE_UP ? settings->check : settings->ready;
	struct service_probe probe;
	struct err err;
	if (service->probing || service_probe_parse(text, &probe, &err)) return;
	if (probe.kind == PROBE_NOTIFY && service->state == SERVICE_UP)
		look_at_pings(service);
	else if (probe.kind != PROBE_NONE && probe.kind != PROBE_LOG && probe.kind != PROBE_NOTIFY)
		service_probe_start(service, &probe);
}

static void look_again(struct timer *timer) {
	look(container_of(timer, struct service, probe_timer));
}

static void check_went(struct service *service, const struct err *err) {
	const struct service_settings *settings = service->settings;
	if (!err) {
		service->check_failures = 0;
		set_text(&service->trouble, NULL);
		service_report(service);
	} else {
		service->check_failures++;
		set_text(
			&service->trouble, xasprintf("check failed, %lld of %lld: %s",
						   (long long)service->check_failures,
						   (long long)settings->check_failures, err->text));
		if (service->check_failures >= settings->check_failures) {
			service_feed(service, SERVICE_CHECK_FAILED); /* which tells it */
			return;
		}
		log_warn("%s: %s", service->unit.id, service->trouble);
		service_report(service);
	}
	timer_start(&service->probe_timer, check_every_ms(service));
}

void service_probed(struct service *service, const struct err *err) {
	if (service->state == SERVICE_UP) {
		check_went(service, err);
	} else if (service->state == SERVICE_STARTING && !err) {
		service_feed(service, SERVICE_IS_READY);
	} else if (service->state == SERVICE_STARTING) {
		set_text(&service->trouble, xasprintf("not ready yet: %s", err->text));
		service_report(service);
		timer_start(&service->probe_timer, service->probe_wait_ms);
		service->probe_wait_ms *= 2;
		if (service->probe_wait_ms > READY_LAST_MS) service->probe_wait_ms = READY_LAST_MS;
	}
}

/* ---- when ---- */

void service_ready_begin(struct service *service) {
	const struct service_settings *settings = service->settings;
	struct service_probe probe;
	struct err err;
	bool said = service->process.notice.ready || !service->process.notice.given;
	if (service->record.ready || service_probe_parse(settings->ready, &probe, &err) ||
		probe.kind == PROBE_NONE || (probe.kind == PROBE_NOTIFY && said)) {
		service_feed(service, SERVICE_IS_READY);
		return;
	}
	/* One that an earlier tendd started has used up some of it. */
	int64_t age_ms = (loop_wall_ns(loop_of(service)) - service->record.started_ns) / NS_PER_MS;
	if (age_ms < 0) age_ms = 0;
	timer_start(&service->timer,
		age_ms < settings->ready_timeout_ms ? settings->ready_timeout_ms - age_ms : 0);
	service->probe_wait_ms = READY_FIRST_MS;
	set_text(&service->trouble, xasprintf("not ready yet: %s", settings->ready));
	if (probe.kind == PROBE_LOG) {
		buf_init(&service->ready_text, 2 * LOG_LINE_MAX + (32 << 10));
		service->ready_log = service_follow(service, LINES_BACK, true, log_grew, service);
	} else {
		look(service);
	}
	service_report(service);
}

void service_watch_end(struct service *service) {
	timer_cancel(&service->probe_timer);
	service_probe_drop(service->probing);
	process_follow_free(service->ready_log);
	if (service->ready_log) buf_release(&service->ready_text);
	service->ready_log = NULL;
}

void service_watch_state(struct service *service) {
	const struct service_settings *settings = service->settings;
	service_watch_end(service);
	/* Not when it is ended for them: they are why. */
	if (service->state == SERVICE_UP || service->state == SERVICE_STARTING)
		service->check_failures = 0;
	service->pings_seen = service->process.notice.pings;
	if (service->state == SERVICE_UP) {
		set_text(&service->trouble, NULL);
		if (settings->check && !str_equal(settings->check, "none"))
			timer_start(&service->probe_timer, check_every_ms(service));
	} else if (service->state == SERVICE_STARTING) {
		set_text(&service->trouble, NULL);
	}
}

void service_watch_apply(struct service *service) {
	if (service->state == SERVICE_UP) service_watch_state(service);
	if (service->state != SERVICE_STARTING || !service->record.pid) return;
	service_watch_end(service);
	service_ready_begin(service);
}

void service_watch_init(struct service *service) {
	timer_init(&service->probe_timer, loop_of(service), look_again);
}

void service_watch_release(struct service *service) {
	service_watch_end(service);
	free(service->trouble);
}
