/* How it stands, for status and log. */
#include <stdlib.h>
#include <unistd.h>

#include "power/idle.h"

enum { LOG_EVERY_MS = 10 * 60 * 1000 };

/* In a container or on a Mac a power-off is nobody's wish unless it was written. */
const char *idle_action(const struct idle *idle) {
	if (idle->settings->action) return idle->settings->action;
	return idle->container ? "report" : "poweroff";
}

static bool deallocates(const struct idle *idle) {
	int billing = idle->settings->stop_billing;
	return billing == IDLE_BILLING_AZURE ||
	       (billing == IDLE_BILLING_AUTO && idle->cloud->needs_call);
}

bool idle_deallocates(const struct idle *idle) {
	return str_equal(idle_action(idle), "poweroff") && deallocates(idle);
}

const char *idle_warning(const struct idle *idle) {
	const char *action = idle_action(idle);
	if (str_equal(action, "report"))
		return "this is a container, or a Mac: it is only reported that nobody uses it, "
		       "unless 'action' is written";
	bool off = str_equal(action, "poweroff");
	if ((off || str_equal(action, "suspend")) && geteuid() != 0)
		return "tendd is not root: the system may refuse to go off, and other people's "
		       "processes are not all seen";
	return off ? idle->cloud->warning : NULL;
}

static char *reason_text(const struct idle *idle) {
	const char *text = idle_reason_text(idle->reason);
	switch (idle->reason) {
	case IDLE_BY_STEP: return xasprintf("%s: %s", text, idle->house.step);
	case IDLE_BY_RESTORE: return xasprintf("%s: %s", text, idle->house.restore);
	case IDLE_BY_STARTING: return xasprintf("%s: %s", text, idle->house.start);
	case IDLE_BY_DPKG: return xasprintf("%s", idle->sample.dpkg.text);
	case IDLE_BY_PERSON: return xasprintf("%s: %s", text, idle->sample.person.text);
	case IDLE_BY_SIGNAL:
	case IDLE_BY_UNKNOWN:
		return xasprintf("%s: %s%s", idle->signals[idle->which].name,
			idle->answers[idle->which].text,
			idle->reason == IDLE_BY_UNKNOWN ? " (counts as in use)" : "");
	default: return xstrdup(text);
	}
}

void idle_show_reason(struct idle *idle) {
	static const char none[] = "";
	char *before = idle->text, *now = reason_text(idle);
	int64_t now_ms = idle_now_ms(idle);
	bool changed = !str_equal(before ? before : none, now);
	idle->text = now;
	free(before);
	if (!changed || idle->reason == IDLE_BY_NOTHING) return;
	/* Numbers change with every look: a journal wants the first, and one now and then. */
	if (!idle->logged_ms || now_ms - idle->logged_ms >= LOG_EVERY_MS) {
		log_info("idle: stays up: %s", now);
		idle->logged_ms = now_ms;
	} else {
		log_debug("idle: stays up: %s", now);
	}
}

static int64_t left_ms(const struct idle *idle) {
	int64_t now_ms = idle_now_ms(idle), warned_ms = idle->settings->warn_ms;
	if (idle->phase == IDLE_WARNED) return idle->due_ms > now_ms ? idle->due_ms - now_ms : 0;
	if (idle->phase == IDLE_SPENT) return -1;
	return idle->left_ms < 0 || idle->reason != IDLE_BY_WINDOW ? -1 : idle->left_ms + warned_ms;
}

void idle_status(struct idle *idle, struct idle_status *status) {
	*status = (struct idle_status){
		.phase = idle->phase, .left_ms = -1, .cloud = "", .text = ""
	};
	status->awake_until_ns = idle->awake_until_ns;
	if (!idle->settings) return;
	status->enabled = true;
	status->reason = idle->reason;
	status->text = idle->text ? idle->text : "not looked at yet";
	status->left_ms = left_ms(idle);
	status->after_ms = idle->settings->after_ms;
	status->dry_run = idle->settings->dry_run;
	status->action = idle_action(idle);
	status->cloud = idle->cloud->name;
	status->warning = idle_warning(idle);
	status->signals = idle->count;
}

void idle_status_signal(struct idle *idle, size_t at, struct idle_signal_status *status) {
	int64_t age_ms = idle_now_ms(idle) - idle->active_ms[at];
	status->name = idle->signals[at].name;
	status->answer = &idle->answers[at];
	status->active_ns =
		idle->active_ms[at] ? loop_wall_ns(idle->options.loop) - age_ms * NS_PER_MS : 0;
}
