/* All steps: added, linked, changed by a reload, let go; a person's wish; runs that belong to nobody. */
#include "step/internal.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STRAY_TIMEOUT_MS = 10000 };

/* A run whose step is no longer in the configuration: it is asked to end, then made to. */
struct stray {
	struct list link;
	struct process process;
	struct timer timer;
};

struct steps *steps_new(const struct steps_options *options) {
	struct steps *steps = xcalloc(1, sizeof(*steps));
	steps->options = *options;
	steps->runtime_dir = xstrdup(options->runtime_dir);
	steps->log_dir = xstrdup(options->log_dir);
	steps->options.runtime_dir = steps->runtime_dir;
	steps->options.log_dir = steps->log_dir;
	/* A folder of their own: a service may have any name. */
	char *logs = path_join(steps->log_dir, "steps");
	if (mkdir(logs, 0700) != 0 && errno != EEXIST)
		log_warn("cannot make the folder '%s': %s", logs, strerror(errno));
	free(logs);
	steps_set_environment(steps, options->path, options->environment);
	list_init(&steps->all);
	list_init(&steps->strays);
	return steps;
}

/* Asked for by the first step: a machine without any needs no digest. */
const char *steps_machine(struct steps *steps) {
	if (!steps->machine[0]) step_machine("/", steps->machine);
	return steps->machine;
}

/* The old ones are freed last: what comes in may be these very vectors. */
void steps_set_environment(struct steps *steps, char *const *path, char *const *environment) {
	char **old_path = steps->path, **old_environment = steps->environment;
	steps->path = strv_dup(path);
	steps->environment = strv_dup(environment);
	steps->options.path = steps->path;
	steps->options.environment = steps->environment;
	strv_free(old_path);
	strv_free(old_environment);
}

static struct step *find(struct steps *steps, const char *name) {
	list_each(&steps->all, link) {
		struct step *step = container_of(link, struct step, link);
		if (!step->leaving && str_equal(step->unit.name, name)) return step;
	}
	return NULL;
}

struct step *step_find(struct steps *steps, const char *name) {
	struct step *step = find(steps, name);
	return step && !step->removing ? step : NULL;
}

struct step *step_each(struct steps *steps, const struct step *after) {
	struct list *link = after ? after->link.next : steps->all.next;
	for (; link != &steps->all; link = link->next) {
		struct step *step = container_of(link, struct step, link);
		if (!step->removing) return step;
	}
	return NULL;
}

struct unit *step_unit(struct step *step) {
	return &step->unit;
}

struct step *step_of(struct unit *unit) {
	assert(unit->calls == &step_unit_calls);
	return container_of(unit, struct step, unit);
}

struct step *step_add(struct steps *steps, const char *name, const struct step_settings *settings) {
	struct step *step = find(steps, name);
	if (step) { /* removed, and back before it was gone */
		step->removing = false;
		step_apply(step, settings);
		return step;
	}
	step = step_new(steps, name, settings);
	step_take_up(step);
	return step;
}

bool step_needs_network(const struct step_settings *settings) {
	const struct step_kind *kind = step_kind_of(settings, NULL);
	return kind && kind->network;
}

void steps_link(struct steps *steps) {
	list_each(&steps->all, link) {
		struct step *step = container_of(link, struct step, link);
		if (step->leaving) continue;
		unit_link(&step->unit, step->settings->after, step->settings->requires,
			step_needs_network(step->settings));
	}
}

void steps_begin(struct steps *steps) {
	list_each(&steps->all, link) {
		struct step *step = container_of(link, struct step, link);
		if (step->removing || step->leaving || step->unit.wanted) continue;
		if (step->settings->enabled) unit_want(&step->unit);
	}
}

/* ---- changes and wishes ---- */

/* Through the graph: what it waits for may be other units now. */
static void look_anew(struct step *step) {
	step->record.tries = 0;
	switch (step->state) {
	case STEP_DELAYED:
	case STEP_DONE:
	case STEP_IS_HELD:
	case STEP_FAILED:
		timer_cancel(&step->timer);
		step->state = STEP_DOWN;
		unit_report(&step->unit, UNIT_DOWN, NULL);
		unit_want(&step->unit);
		break;
	case STEP_DOWN: break;
	default: step->again = true; break;
	}
}

int step_apply(struct step *step, const struct step_settings *settings) {
	int effect = config_settings_compare(&step_table, step->settings, settings);
	if (effect == 0) return 0;
	bool was_enabled = step->settings->enabled;
	step_settings_free(step->settings);
	step->settings = step_settings_copy(settings);
	step->unit.enabled = settings->enabled;
	if (was_enabled && !settings->enabled)
		step_want_down(step);
	else if (effect > 1 && settings->enabled)
		look_anew(step);
	return effect;
}

void step_remove(struct step *step) {
	step->removing = true;
	step_want_down(step);
}

/* What it waits for is passed over: a person knows why. */
void step_run(struct step *step) {
	if (step->working || step->process.run[0]) return; /* this is the run that is asked for */
	step->forced = true;
	step->record.tries = 0;
	unit_want(&step->unit);
	step_begin(step);
}

/* ---- runs of nobody's ---- */

static void stray_free(struct stray *stray) {
	timer_cancel(&stray->timer);
	process_release(&stray->process);
	list_remove(&stray->link);
	free(stray);
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
	process_forget(process);
	stray_free(container_of(process, struct stray, process));
}

static void stray_failed(struct process *process, const struct err *err) {
	(void)err;
	stray_ended(process);
}

static void stray_lost(struct process *process) {
	process_sweep(process, 0, 0);
}

static const struct process_calls stray_calls = { stray_moved, stray_failed, stray_moved,
	stray_ended, stray_lost };

/* Also of a step that is there: its record does not know this run, so it is looked at anew anyway. */
void steps_stray(struct steps *steps, const char *run, const char *unit) {
	log_info("a command of %s that no record knows is ended", unit);
	struct stray *stray = xcalloc(1, sizeof(*stray));
	process_init(&stray->process, steps->options.host, unit, &stray_calls);
	timer_init(&stray->timer, steps->options.loop, stray_timer_fired);
	list_add_tail(&steps->strays, &stray->link);
	process_adopt(&stray->process, run);
	process_signal(&stray->process, SIGTERM, true);
	timer_start(&stray->timer, STRAY_TIMEOUT_MS);
}

/* ---- the end ---- */

static void detach_ended(struct defer *defer) {
	struct steps *steps = container_of(defer, struct steps, detach_defer);
	steps->detach_done(steps->detach_user);
}

static void let_go(void *user) {
	struct steps *steps = user;
	if (--steps->closing == 0) defer_start(steps->options.loop, &steps->detach_defer);
}

void steps_detach(struct steps *steps, void (*done)(void *user), void *user) {
	assert(!steps->detached);
	steps->detached = true;
	steps->detach_done = done;
	steps->detach_user = user;
	defer_init(&steps->detach_defer, detach_ended);
	steps->closing = 1; /* ours: not before all have been told */
	list_each(&steps->strays, link) stray_free(container_of(link, struct stray, link));
	list_each(&steps->all, link) {
		struct step *step = container_of(link, struct step, link);
		step_detach(step);
		steps->closing++;
		step_log_detach(&step->log, let_go, steps);
	}
	let_go(steps);
}

void steps_free(struct steps *steps) {
	list_each(&steps->strays, link) stray_free(container_of(link, struct stray, link));
	list_each(&steps->all, link) step_free(container_of(link, struct step, link));
	if (steps->detached) defer_cancel(&steps->detach_defer);
	strv_free(steps->path);
	strv_free(steps->environment);
	free(steps->runtime_dir);
	free(steps->log_dir);
	free(steps);
}

/* ---- status ---- */

void step_status(const struct step *step, struct step_status *status) {
	const struct step_kind *kind = step_kind_of(step->settings, NULL);
	bool waits = step->unit.state == UNIT_WAITING;
	*status = (struct step_status){
		.state = waits ? STEP_WAITING : step->state,
		.kind = kind ? kind->name : "",
		.since_ns = step->since_ns,
		.done_ns = step->record.done_ns,
		.tries = step->record.tries,
		.pid = (pid_t)step->record.pid,
		.next_try_ns = step->state == STEP_DELAYED ? step->next_try_ns : 0,
		.why = step->why,
		.log_path = step->log.path,
	};
}
