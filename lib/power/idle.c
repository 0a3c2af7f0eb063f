/* The flow: what the table of idle_next.c orders is done here, and what comes of it is handed to the table again. */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { GOING_MS = 5 * 60 * 1000, GOING_IMPATIENT_MS = 300 };

int64_t idle_now_ms(const struct idle *idle) {
	return loop_now_ms(idle->options.loop);
}

static void tell(struct idle *idle, const char *text) {
	idle->options.calls->told(idle->options.user, "idle", text);
}

/* ---- a line on all terminals ---- */

struct telling {
	struct job job;
	struct idle *idle;
	const char *root;
	char *text;
};

static int tell_work(struct job *job, struct err *err) {
	struct telling *telling = container_of(job, struct telling, job);
	(void)err;
	(void)idle_terminals_tell(telling->root, telling->text);
	return 0;
}

static void tell_done(struct job *job, const struct err *err) {
	struct telling *telling = container_of(job, struct telling, job);
	struct idle *idle = telling->idle;
	(void)err;
	free(telling->text);
	free(telling);
	idle->tells--;
	idle_close_step(idle);
}

static void tell_terminals(struct idle *idle, char *text) {
	struct telling *telling = xcalloc(1, sizeof(*telling));
	telling->idle = idle;
	telling->root = idle->options.root;
	telling->text = text;
	telling->job = (struct job){ .work = tell_work, .done = tell_done };
	idle->tells++;
	idle->warned_ns = loop_wall_ns(idle->options.loop);
	job_start(idle->options.loop, &telling->job);
}

/* ---- what the table orders ---- */

static void anew(struct idle *idle) {
	idle_window_restart(&idle->window);
	idle->called_off = false;
	idle->due_ms = 0;
	timer_cancel(&idle->phase_timer);
}

/* For who only wants to be told: a new window begins, so that it is told once in `after`. */
static void only_say(struct idle *idle) {
	const char *action = idle_action(idle);
	char *text = str_equal(action, "report")
			     ? xstrdup("nobody uses this machine; it is only reported, since no "
				       "'action' is written")
			     : xasprintf("dry run: nobody uses this machine; '%s' would follow now",
				       action);
	log_info("idle: %s", text);
	tell(idle, text);
	free(text);
	idle->phase = IDLE_WATCHING;
	anew(idle);
}

static void warn(struct idle *idle) {
	char span[32];
	if (idle->settings->dry_run || str_equal(idle_action(idle), "report")) {
		only_say(idle);
		return;
	}
	duration_format(idle->settings->warn_ms, span, sizeof(span));
	char *text =
		xasprintf("nobody uses this machine: '%s' follows in %s; tend awake calls it off",
			idle_action(idle), span);
	log_warn("idle: %s", text);
	tell(idle, text);
	tell_terminals(idle, text);
	idle->due_ms = idle_now_ms(idle) + idle->settings->warn_ms;
	timer_start(&idle->phase_timer, idle->settings->warn_ms);
}

static void call_off(struct idle *idle, const char *why) {
	char *text = xasprintf("called off: %s", why ? why : "somebody wants it up");
	log_warn("idle: %s", text);
	tell(idle, text);
	tell_terminals(idle, text);
	anew(idle);
}

static void acted(void *user, const struct err *said) {
	struct idle *idle = user;
	struct err own, *err = said ? &own : NULL;
	if (said) own = *said; /* it lies in what is freed now */
	idle_act_free(idle->act);
	idle->act = NULL;
	if (idle->closing) {
		idle_close_step(idle);
	} else if (!err) {
		log_info("idle: it is under way");
		idle_happened(idle, IDLE_EV_DONE, NULL);
	} else {
		bool nothing_done = err->kind == ERR_OFFLINE || err->kind == ERR_BUSY;
		log_error("idle: '%s': %s", idle_action(idle), err->text);
		idle_happened(idle, nothing_done ? IDLE_EV_CANCEL : IDLE_EV_FAILED, err->text);
	}
}

static void act(struct idle *idle) {
	const struct idle_act_options options = {
		.loop = idle->options.loop,
		.http = idle->options.http,
		.host = idle->options.host,
		.action = idle_action(idle),
		.azure = idle_deallocates(idle),
		.endpoint = idle->settings->endpoint,
	};
	idle->slept = false;
	log_warn("idle: %s now%s", options.action, options.azure ? ", by deallocation" : "");
	tell(idle, "everything is stored, services are stopped: it goes now");
	idle->act = idle_act_start(&options, acted, idle);
}

static void give_up(struct idle *idle, const char *why) {
	char *text = xasprintf("'%s' did not end this machine: %s; services run again, and nothing "
			       "more is tried before 'tend reload'",
		idle_action(idle), why ? why : "it is still up");
	log_error("idle: %s", text);
	tell(idle, text);
	free(text);
	anew(idle);
	idle->options.calls->start(idle->options.user);
}

static void note(struct idle *idle, const char *why) {
	if (idle->called_off) return;
	idle->called_off = true;
	free(idle->why_off);
	idle->why_off = xstrdup(why);
}

void idle_happened(struct idle *idle, enum idle_event event, const char *why) {
	enum idle_phase before = idle->phase;
	struct idle_turn turn = idle_next(before, event, idle->settings->force);
	if (turn.act == IDLE_DO_NOTHING) return;
	bool forced =
		event == IDLE_EV_FAILED && turn.next != IDLE_WATCHING && turn.next != IDLE_SPENT;
	if (forced) log_warn("idle: %s; force = yes goes on", why ? why : "something failed");
	idle->phase = turn.next;
	if (before != turn.next)
		log_debug("idle: %s, then %s", idle_phase_name(before), idle_phase_name(turn.next));
	bool flushing = (before == IDLE_FLUSHING || before == IDLE_RESTING) &&
			event != IDLE_EV_DONE && event != IDLE_EV_FAILED;
	if (flushing) idle->options.calls->flush_off(idle->options.user);
	switch (turn.act) {
	case IDLE_DO_NOTHING: break;
	case IDLE_DO_WARN: warn(idle); break;
	case IDLE_DO_FLUSH: idle->options.calls->flush(idle->options.user, false); break;
	case IDLE_DO_STOP: idle->options.calls->stop(idle->options.user); break;
	case IDLE_DO_FLUSH_REST: idle->options.calls->flush(idle->options.user, true); break;
	case IDLE_DO_JUDGE: idle_look_soon(idle); break;
	case IDLE_DO_ACT: act(idle); break;
	case IDLE_DO_WAIT:
		timer_start(&idle->phase_timer,
			process_without("idle-wait") ? GOING_IMPATIENT_MS : GOING_MS);
		break;
	case IDLE_DO_CALL_OFF: call_off(idle, why); break;
	case IDLE_DO_START:
		call_off(idle, why);
		idle->options.calls->start(idle->options.user);
		break;
	case IDLE_DO_GIVE_UP: give_up(idle, why); break;
	case IDLE_DO_NOTE: note(idle, why); break;
	}
}

/* The warning's time, or that in which the machine should have gone. */
static void phase_ended(struct timer *timer) {
	struct idle *idle = container_of(timer, struct idle, phase_timer);
	if (idle->phase == IDLE_AFTER)
		idle_happened(idle, IDLE_EV_FAILED, "it is still up five minutes later");
	else
		idle_look_soon(idle);
}

void idle_done(struct idle *idle, const struct err *err) {
	if (idle->ended || !idle->settings) return;
	if (idle->phase != IDLE_STOPPING || !idle->called_off) {
		idle_happened(idle, err ? IDLE_EV_FAILED : IDLE_EV_DONE, err ? err->text : NULL);
		return;
	}
	idle->phase = IDLE_WATCHING;
	call_off(idle, idle->why_off);
	idle->options.calls->start(idle->options.user);
}

void idle_awake(struct idle *idle, int64_t until_ns, bool silently) {
	bool on = until_ns > loop_wall_ns(idle->options.loop);
	idle->awake_until_ns = on ? until_ns : 0;
	if (silently) return;
	idle->options.calls->awake_changed(idle->options.user, idle->awake_until_ns);
	bool going = idle->phase == IDLE_ACTING || idle->phase == IDLE_AFTER;
	if (!idle->settings || idle->ended || going) return;
	if (on) idle_happened(idle, IDLE_EV_CANCEL, "tend awake");
	idle_look_soon(idle);
}

/* ---- settings ---- */

/* What is on its way ends by the rules it began with. */
bool idle_may_renew(const struct idle *idle) {
	return idle->renew && (idle->phase == IDLE_WATCHING || idle->phase == IDLE_SPENT);
}

void idle_take_settings(struct idle *idle) {
	struct err err;
	struct idle_settings *fresh = idle->fresh;
	idle->fresh = NULL;
	idle->renew = false;
	idle_look_release(idle);
	idle_memory_release(&idle->memory);
	idle_settings_free(idle->settings);
	idle->settings = fresh;
	idle_window_restart(&idle->window);
	if (!fresh) {
		idle_look_stop(idle);
		return;
	}
	idle->signals = idle_signals_parse(fresh->active, &idle->count, &err);
	if (!idle->signals) abort(); /* the table checked it */
	idle_look_make(idle);
	free(idle->text);
	idle->text = NULL;
	idle->reason = IDLE_BY_WINDOW;
	idle->left_ms = -1;
	const char *warning = idle_warning(idle);
	if (warning) log_warn("idle: %s", warning);
	idle_look_soon(idle);
}

void idle_configure(struct idle *idle, const struct idle_settings *settings) {
	bool going = idle->phase == IDLE_ACTING || idle->phase == IDLE_AFTER;
	/* What was decided by other rules is off. What cannot be called back goes its way. */
	if (idle->settings && !idle->ended && !going)
		idle_happened(idle, IDLE_EV_CANCEL, "the configuration was read again");
	idle_settings_free(idle->fresh);
	idle->fresh = settings ? idle_settings_copy(settings) : NULL;
	idle->renew = true;
	if (!idle->sampling && idle_may_renew(idle)) idle_take_settings(idle);
}

/* ---- its life ---- */

struct idle *idle_new(const struct idle_options *options) {
	struct idle *idle = xcalloc(1, sizeof(*idle));
	idle->options = *options;
	if (!idle->options.root) idle->options.root = "/";
	idle->cloud = idle_cloud_find(idle->options.root);
	idle->container = idle_in_container(idle->options.root);
	idle->left_ms = -1;
	timer_init(&idle->phase_timer, options->loop, phase_ended);
	idle_look_init(idle);
	return idle;
}

void idle_end(struct idle *idle) {
	idle->ended = true;
	timer_cancel(&idle->phase_timer);
	idle_look_stop(idle);
}

static void say_closed(struct defer *defer) {
	struct idle *idle = container_of(defer, struct idle, closed_defer);
	idle->closed(idle->closed_user);
}

void idle_close_step(struct idle *idle) {
	if (idle->closing && !idle->sampling && !idle->tells && !idle->act)
		defer_start(idle->options.loop, &idle->closed_defer);
}

void idle_close(struct idle *idle, void (*closed)(void *user), void *user) {
	idle_end(idle);
	idle->closing = true;
	idle->closed = closed;
	idle->closed_user = user;
	defer_init(&idle->closed_defer, say_closed);
	idle_look_release(idle);
	if (idle->jupyter) signal_jupyter_cancel(idle->jupyter);
	/* Only commands were waited for. */
	if (idle->sampling && !idle->sample.gpu_only && idle->waits == 0) {
		idle->sampling = false;
		idle_sample_release(&idle->sample);
	}
	if (idle->act) idle_act_cancel(idle->act);
	idle_close_step(idle);
}

void idle_free(struct idle *idle) {
	if (!idle) return;
	idle_memory_release(&idle->memory);
	idle_settings_free(idle->settings);
	idle_settings_free(idle->fresh);
	free(idle->text);
	free(idle->why_off);
	free(idle);
}
