/*
 * The flow of one step: look, and mend here and now or run its command; what is due and what came of it goes to the ledger
 * before and after. A command outlives us: the next tendd takes it up by its record.
 */
#include "step/fetch.h"
#include "step/internal.h"
#include "step/keys.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RETRY_MS = 5000,
	RETRY_MAX_MS = 300000,
};

static struct loop *loop_of(const struct step *step) {
	return step->steps->options.loop;
}

static int64_t wall_of(const struct step *step) {
	return loop_wall_ns(loop_of(step));
}

void step_note(struct step *step, const char *event, const char *text) {
	struct err err;
	if (ledger_history_add(step->steps->options.ledger, wall_of(step), step->unit.id, event,
		    text, &err) != 0)
		log_warn("history of '%s': %s", step->unit.id, err.text);
}

void step_write_record(struct step *step) {
	struct err err;
	if (ledger_step_write(step->steps->options.ledger, step->unit.id, &step->record, &err) != 0)
		log_error("cannot record the state of '%s': %s", step->unit.id, err.text);
}

/* ---- how it stands ---- */

void step_set_text(char **at, const char *text) {
	char *copy = xstrdup(text);
	free(*at);
	*at = copy;
}

static char *explain(const struct step *step) {
	char when[TIME_TEXT_SIZE];
	switch (step->state) {
	case STEP_RUNNING:
		return step->trouble ? xasprintf("try %lld: %s", (long long)step->record.tries,
					       step->trouble)
				     : NULL;
	case STEP_DELAYED:
		time_format(step->next_try_ns, when);
		return xasprintf("%s; next try at %s", step->trouble, when);
	case STEP_FAILED:
		return xasprintf("%s; 'tend run %s' tries again", step->trouble, step->unit.name);
	case STEP_IS_HELD:
		return xasprintf("%s; 'tend plan' shows it, 'tend run %s' writes it all the same",
			step->why, step->unit.name);
	case STEP_REBOOTING: return xstrdup("the machine is restarted");
	case STEP_DONE: return xstrdup(step->trouble ? step->trouble : step->why);
	case STEP_DOWN: return xstrdup(step->settings->enabled ? NULL : "not enabled");
	default: return NULL;
	}
}

void step_set_state(struct step *step, enum step_state state) {
	static const enum unit_state units[] = {
		[STEP_DOWN] = UNIT_DOWN,
		[STEP_WAITING] = UNIT_WAITING,
		[STEP_LOOKING] = UNIT_STARTING,
		[STEP_FETCHING] = UNIT_STARTING,
		[STEP_RUNNING] = UNIT_STARTING,
		[STEP_ENDING] = UNIT_STARTING,
		[STEP_DELAYED] = UNIT_STARTING,
		[STEP_REBOOTING] = UNIT_STARTING,
		[STEP_DONE] = UNIT_READY,
		[STEP_IS_HELD] = UNIT_READY,
		[STEP_FAILED] = UNIT_FAILED,
	};
	if (step->state != state) step->since_ns = wall_of(step);
	step->state = state;
	char *detail = explain(step);
	unit_report(&step->unit, step->stopping ? UNIT_STOPPING : units[state], detail);
	free(detail);
}

static bool is_busy(const struct step *step) {
	return step->working || step->fetch || step->asking || step->process.run[0];
}

/* ---- its ends ---- */

static void log_written(void *user) {
	step_free(user);
}

/* What it did stays, and so does its record: a section that comes back is not done twice. */
static void leave(struct step *step) {
	step->leaving = true;
	unit_release(&step->unit);
	step_log_detach(&step->log, log_written, step);
}

void step_go_down(struct step *step) {
	timer_cancel(&step->timer);
	step->stopping = step->forced = step->again = false;
	step_set_state(step, STEP_DOWN);
	step_log_settled(&step->log);
	if (step->removing) leave(step);
}

void step_settle(struct step *step, enum step_state state) {
	step->forced = false;
	step_set_state(step, state);
	step_log_settled(&step->log);
	if (!step->again) return;
	step->again = false;
	unit_report(&step->unit, UNIT_DOWN, NULL);
	unit_want(&step->unit);
}

void step_failed(struct step *step, const char *text) {
	struct ledger_step *record = &step->record;
	int64_t step_no = record->tries - 1, wait_ms = RETRY_MS;
	step_set_text(&step->trouble, text);
	log_warn("%s: %s", step->unit.id, text);
	step_note(step, "failed", text);
	step_log_say(&step->log, text);
	if (record->tries <= step->settings->retries) {
		step_write_record(step);
		while (step_no-- > 0 && wait_ms < RETRY_MAX_MS) wait_ms *= 2;
		if (wait_ms > RETRY_MAX_MS) wait_ms = RETRY_MAX_MS;
		step->next_try_ns = wall_of(step) + wait_ms * NS_PER_MS;
		timer_start(&step->timer, wait_ms);
		step_set_state(step, STEP_DELAYED);
		return;
	}
	step_note(step, "gave up", NULL);
	record->tries = 0; /* the next start begins anew */
	record->running[0] = '\0';
	step_write_record(step);
	step_settle(step, STEP_FAILED);
}

/* ---- looking ---- */

static void look_failed(struct step *step, const struct err *err) {
	step->verifying = false;
	if (step->stopping)
		step_go_down(step);
	else
		step_failed(step, err->text);
}

/* It was begun and interrupted (a crash of the machine, a reboot of its own) as often as it may fail. */
static bool is_worn_out(const struct step *step) {
	return step->record.tries > step->settings->retries + 1 &&
	       str_equal(step->record.running, step->work.definition);
}

static void found(struct step *step);

static void let_go(struct steps *steps) {
	if (--steps->closing == 0) defer_start(steps->options.loop, &steps->detach_defer);
}

/* Looked at once more, with them. */
static void keys_came(struct step *step, char *keys, const struct err *err) {
	step->asking = NULL;
	timer_cancel(&step->timer);
	free(step->keys);
	step->keys = keys;
	if (step->steps->detached) {
		let_go(step->steps);
	} else if (step->stopping) {
		step_go_down(step);
	} else if (err) {
		step_failed(step, err->text);
	} else {
		step->record.tries--; /* the same try */
		step_begin(step);
	}
}

/* What follows is as if it had been found so. */
static void fetched(struct step *step, const struct err *err) {
	step->fetch = NULL;
	timer_cancel(&step->timer);
	step->work.fetches = false;
	if (step->steps->detached) {
		let_go(step->steps);
	} else if (step->stopping) {
		step_go_down(step);
	} else if (step->timed_out) {
		step->timed_out = false;
		step_failed(step, "not fetched in time");
	} else if (err) {
		step_failed(step, err->text);
	} else {
		found(step);
	}
}

static void found(struct step *step) {
	struct step_work *work = &step->work;
	struct ledger_step *record = &step->record;
	step_set_text(&step->why, work->finding.why);
	bool news = !str_equal(record->wrote, work->wrote);
	memcpy(record->wrote, work->wrote, sizeof(record->wrote));
	bool verifying = step->verifying;
	step->verifying = false;
	if (work->asks && !step->stopping) {
		timer_start(&step->timer, step->settings->timeout_ms);
		step->asking = step_keys_start(step, keys_came);
		step_set_state(step, STEP_FETCHING);
		return;
	}
	if (work->fetches && !step->stopping) {
		step_note(step, "fetching", work->finding.subject);
		timer_start(&step->timer, step->settings->timeout_ms);
		step->fetch = step_fetch_start(step, fetched);
		step_set_state(step, STEP_FETCHING);
		return;
	}
	if (work->told || (verifying && !work->script)) {
		snprintf(record->definition, sizeof(record->definition), "%s", work->definition);
		step_done(step, work->told ? work->told : "done");
	} else if (verifying) {
		char *text = xasprintf("it is not so after its command: %s", step->why);
		step_failed(step, text);
		free(text);
	} else if (work->script && is_worn_out(step)) {
		step_failed(step, "it was interrupted in the middle each time it was tried");
	} else if (work->script && step->stopping) {
		step_go_down(step);
	} else if (work->script) {
		step_launch(step);
	} else {
		bool held = work->finding.verdict == STEP_HELD;
		if (news || record->tries > 0) {
			record->tries = 0;
			step_write_record(step);
		}
		if (step->forced) step_log_say(&step->log, step->why);
		if (held) step_note(step, "held", step->why);
		step_set_text(&step->trouble, NULL);
		step_settle(step, held ? STEP_IS_HELD : STEP_DONE);
	}
}

static void looked(struct job *job, const struct err *err) {
	struct step *step = container_of(job, struct step, work.job);
	struct steps *steps = step->steps;
	step->working = false;
	if (steps->detached) {
		step_work_release(&step->work);
		let_go(steps);
		return;
	}
	if (err)
		look_failed(step, err);
	else
		found(step);
	/* Settling may have begun the next look only through the graph, which is deferred. */
	if (!step->leaving && step->stopping && !is_busy(step)) step_go_down(step);
}

static int look_work(struct job *job, struct err *err) {
	return step_work_do(container_of(job, struct step_work, job), err);
}

void step_begin(struct step *step) {
	assert(!is_busy(step));
	timer_cancel(&step->timer);
	step->next_try_ns = 0;
	step->record.tries++;
	step_work_release(&step->work);
	step->work = (struct step_work){ .job = { .work = look_work, .done = looked },
		.name = xstrdup(step->unit.name),
		.settings = step_settings_copy(step->settings),
		.record = step->record,
		.tend_path = strv_dup(step->steps->path),
		.tend_environment = strv_dup(step->steps->environment),
		.keys = step->keys,
		.boot = process_boot_id(),
		.forced = step->forced && !step->verifying,
		.verifying = step->verifying };
	snprintf(step->work.machine, sizeof(step->work.machine), "%s", steps_machine(step->steps));
	step->keys = NULL;
	step->working = true;
	step_set_state(step, STEP_LOOKING);
	job_start(loop_of(step), &step->work.job);
}

static void timer_fired(struct timer *timer) {
	struct step *step = container_of(timer, struct step, timer);
	if (step->state == STEP_DELAYED) {
		step_begin(step);
		return;
	}
	if (step->asking) {
		step_keys_cancel(step->asking);
		return;
	}
	if (step->fetch) {
		step->timed_out = true;
		step_fetch_cancel(step->fetch);
		return;
	}
	if (!step->exited && !step->stopping) step->timed_out = true;
	step_end_command(step);
}

/* ---- wanted and not ---- */

void step_want_down(struct step *step) {
	unit_unwant(&step->unit);
	step->again = false;
	if (!is_busy(step)) {
		timer_cancel(&step->timer);
		step_go_down(step);
		return;
	}
	if (step->stopping) return;
	step->stopping = true;
	step_set_state(step, step->state);
	if (step->fetch) step_fetch_cancel(step->fetch);
	if (step->asking) step_keys_cancel(step->asking);
	if (step->process.run[0] && !step->exited && step->process.pid) {
		step->killing = false;
		step_end_command(step);
	}
}

static void may_start(struct unit *unit) {
	struct step *step = container_of(unit, struct step, unit);
	if (!step->steps->detached && !is_busy(step)) step_begin(step);
}

static void must_stop(struct unit *unit) {
	struct step *step = container_of(unit, struct step, unit);
	if (!step->steps->detached) step_want_down(step);
}

const struct unit_calls step_unit_calls = { may_start, must_stop };

/* ---- its life ---- */

struct step *step_new(struct steps *steps, const char *name, const struct step_settings *settings) {
	const struct steps_options *options = &steps->options;
	struct step *step = xcalloc(1, sizeof(*step));
	step->steps = steps;
	step->settings = step_settings_copy(settings);
	step->since_ns = loop_wall_ns(options->loop);
	unit_init(&step->unit, options->graph, UNIT_STEP, name, &step_unit_calls);
	step->unit.enabled = settings->enabled;
	process_init(&step->process, options->host, step->unit.id, &step_process_calls);
	timer_init(&step->timer, options->loop, timer_fired);
	step_log_init(&step->log, options->loop, name, options);
	list_add_tail(&steps->all, &step->link);
	return step;
}

void step_free(struct step *step) {
	assert(!step->working);
	timer_cancel(&step->timer);
	process_release(&step->process);
	step_log_release(&step->log);
	step_work_release(&step->work);
	if (!step->leaving) unit_release(&step->unit);
	list_remove(&step->link);
	step_settings_free(step->settings);
	free(step->why);
	free(step->trouble);
	free(step->keys);
	free(step);
}

void step_take_up(struct step *step) {
	struct ledger_step *record = &step->record;
	struct err err;
	if (ledger_step_read(step->steps->options.ledger, step->unit.id, record, &err) != 0)
		log_error("cannot read the record of '%s': %s", step->unit.id, err.text);
	if (!record->run[0]) return;
	if (!str_equal(record->run_boot, process_boot_id())) {
		/* The machine went down in the middle. It is looked at anew, as after any try. */
		record->run[0] = '\0';
		record->pid = 0;
		step_set_text(&step->trouble, "interrupted: the machine went down in the middle");
		step_note(step, "interrupted", "the machine went down in the middle");
		return;
	}
	step->exited = step->timed_out = step->killing = false;
	unit_want(&step->unit);
	/* Of a reboot there is no definition. */
	step_set_state(step, record->running[0] ? STEP_RUNNING : STEP_REBOOTING);
	process_adopt(&step->process, record->run);
	if (!step->settings->enabled) step_want_down(step);
}

void step_detach(struct step *step) {
	struct steps *steps = step->steps;
	timer_cancel(&step->timer);
	process_detach(&step->process);
	if (step->asking) {
		steps->closing++;
		step_keys_cancel(step->asking);
	}
	if (step->fetch) {
		steps->closing++;
		step_fetch_cancel(step->fetch);
	}
	if (step->working) {
		steps->closing++;
		job_cancel(&step->work.job);
	}
}
