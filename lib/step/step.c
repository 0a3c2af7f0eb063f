/*
 * The flow of one step: look, and mend here and now or run its command; what is due and what came of it goes to the ledger
 * before and after. A command outlives us: the next tendd takes it up by its record.
 */
#include "step/internal.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	KILL_MS = 10000, /* between TERM and KILL, and between KILLs */
	RETRY_MS = 5000,
	RETRY_MAX_MS = 300000,
	REBOOT_TIMEOUT_MS = 60000,
};

/* Debian's; other systems have their own way to say it. */
static const char reboot_flag[] = "/run/reboot-required";

static struct loop *loop_of(const struct step *step) {
	return step->steps->options.loop;
}

static int64_t wall_of(const struct step *step) {
	return loop_wall_ns(loop_of(step));
}

static void note_history(struct step *step, const char *event, const char *text) {
	struct err err;
	if (ledger_history_add(step->steps->options.ledger, wall_of(step), step->unit.id, event,
		    text, &err) != 0)
		log_warn("history of '%s': %s", step->unit.id, err.text);
}

static void write_record(struct step *step) {
	struct err err;
	if (ledger_step_write(step->steps->options.ledger, step->unit.id, &step->record, &err) != 0)
		log_error("cannot record the state of '%s': %s", step->unit.id, err.text);
}

/* ---- how it stands ---- */

static void set_text(char **at, const char *text) {
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

static void set_state(struct step *step, enum step_state state) {
	static const enum unit_state units[] = {
		[STEP_DOWN] = UNIT_DOWN,
		[STEP_WAITING] = UNIT_WAITING,
		[STEP_LOOKING] = UNIT_STARTING,
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
	return step->working || step->process.run[0];
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

static void go_down(struct step *step) {
	timer_cancel(&step->timer);
	step->stopping = step->forced = step->again = false;
	set_state(step, STEP_DOWN);
	step_log_settled(&step->log);
	if (step->removing) leave(step);
}

static void settle_in(struct step *step, enum step_state state) {
	step->forced = false;
	set_state(step, state);
	step_log_settled(&step->log);
	if (!step->again) return;
	step->again = false;
	unit_report(&step->unit, UNIT_DOWN, NULL);
	unit_want(&step->unit);
}

static void failed(struct step *step, const char *text) {
	struct ledger_step *record = &step->record;
	int64_t step_no = record->tries - 1, wait_ms = RETRY_MS;
	set_text(&step->trouble, text);
	log_warn("%s: %s", step->unit.id, text);
	note_history(step, "failed", text);
	step_log_say(&step->log, text);
	if (record->tries <= step->settings->retries) {
		write_record(step);
		while (step_no-- > 0 && wait_ms < RETRY_MAX_MS) wait_ms *= 2;
		if (wait_ms > RETRY_MAX_MS) wait_ms = RETRY_MAX_MS;
		step->next_try_ns = wall_of(step) + wait_ms * NS_PER_MS;
		timer_start(&step->timer, wait_ms);
		set_state(step, STEP_DELAYED);
		return;
	}
	note_history(step, "gave up", NULL);
	record->tries = 0; /* the next start begins anew */
	record->running[0] = '\0';
	write_record(step);
	settle_in(step, STEP_FAILED);
}

/* ---- after it is done ---- */

static void launch(struct step *step, const struct process_spec *spec, const char *definition);

static bool must_reboot(const struct step *step) {
	return step->settings->reboot == STEP_REBOOT_IF_REQUIRED &&
	       access(reboot_flag, F_OK) == 0 &&
	       /* Asked for once a boot: a flag that stays must not keep the machine restarting. */
	       !str_equal(step->record.reboot_boot, process_boot_id());
}

/* By its record it is done before the machine goes; the next boot goes on behind it. */
static void reboot(struct step *step) {
	char *const argv[] = { (char[]){ "/bin/sh" }, (char[]){ "-c" },
		(char[]){ "systemctl reboot || exec reboot" }, NULL };
	char *const env[] = { (char[]){ "PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin" },
		NULL };
	const struct process_spec spec = {
		.argv = argv, .env = env, .umask = 022, .fifo = step->log.fifo_path
	};
	snprintf(step->record.reboot_boot, sizeof(step->record.reboot_boot), "%s",
		process_boot_id());
	log_warn("%s: the system asks for a reboot: the machine is restarted", step->unit.id);
	note_history(step, "reboot", "the system asks for it");
	step_log_say(&step->log, "the system asks for a reboot: the machine is restarted");
	set_state(step, STEP_REBOOTING);
	launch(step, &spec, "");
}

static void done(struct step *step, const char *text) {
	struct ledger_step *record = &step->record;
	snprintf(record->machine, sizeof(record->machine), "%s", step->steps->machine);
	snprintf(record->done_boot, sizeof(record->done_boot), "%s", process_boot_id());
	record->done_ns = wall_of(step);
	record->tries = 0;
	record->running[0] = '\0';
	write_record(step);
	log_info("%s: %s", step->unit.id, text);
	note_history(step, "done", text);
	step_log_say(&step->log, text);
	set_text(&step->trouble, NULL);
	set_text(&step->why, "done");
	if (must_reboot(step))
		reboot(step);
	else
		settle_in(step, STEP_DONE);
}

/* ---- its command ---- */

static void launch(struct step *step, const struct process_spec *spec, const char *definition) {
	struct ledger_step *record = &step->record;
	process_make_run(loop_of(step), record->run);
	snprintf(record->run_boot, sizeof(record->run_boot), "%s", process_boot_id());
	snprintf(record->running, sizeof(record->running), "%s", definition);
	record->pid = 0;
	record->start_time = 0;
	record->started_ns = wall_of(step);
	/* The intent, before anything is forked: whatever comes of it can be found. */
	write_record(step);
	step->exited = step->timed_out = step->killing = false;
	step->process.exit = (struct process_exit){ 0 };
	process_spawn(&step->process, record->run, spec);
}

static void launch_script(struct step *step) {
	const struct step_work *work = &step->work;
	const struct process_spec spec = {
		.argv = work->argv,
		.env = work->env,
		.directory = work->directory,
		.become = work->become,
		.uid = work->person.uid,
		.gid = work->person.gid,
		.groups = work->groups,
		.group_count = work->group_count,
		.umask = 022,
		.fifo = step->log.fifo_path,
	};
	set_state(step, STEP_RUNNING);
	launch(step, &spec, work->definition);
}

static struct step *step_of_process(struct process *process) {
	return container_of(process, struct step, process);
}

static void end_command(struct step *step) {
	process_signal(&step->process, step->killing ? SIGKILL : SIGTERM, true);
	step->killing = true;
	timer_start(&step->timer, KILL_MS);
}

static void process_spawned(struct process *process) {
	struct step *step = step_of_process(process);
	struct ledger_step *record = &step->record;
	struct err err;
	bool known = record->pid == process->pid;
	record->pid = process->pid;
	record->start_time = process->start_time;
	if (!known) write_record(step);
	if (step_log_attach(&step->log, &err) != 0) log_error("%s: %s", step->unit.id, err.text);
	if (step->stopping) {
		end_command(step);
		return;
	}
	log_info("%s: its command %s with pid %d", step->unit.id, known ? "goes on" : "runs",
		(int)process->pid);
	if (!known) note_history(step, "started", step->why);
	/* Its own age counts, not ours. */
	int64_t age_ms = (wall_of(step) - record->started_ns) / NS_PER_MS;
	int64_t timeout_ms =
		step->state == STEP_REBOOTING ? REBOOT_TIMEOUT_MS : step->settings->timeout_ms;
	timer_start(&step->timer, age_ms > timeout_ms ? 0 : timeout_ms - age_ms);
}

static char *explain_end(const struct step *step) {
	const struct process_exit *exit = &step->process.exit;
	char span[32];
	if (step->timed_out) {
		duration_format(step->settings->timeout_ms, span, sizeof(span));
		return xasprintf("not done within %s: ended", span);
	}
	if (!step->exited)
		return xstrdup("how it ended is not known: the keeper of the processes died");
	if (exit->oom) return xstrdup("out of memory: the kernel ended it");
	if (exit->signal)
		return xasprintf("ended by signal %d (%s)", exit->signal, strsignal(exit->signal));
	return xasprintf("exit code %d", exit->code);
}

/* Its end is known in full, and its log is written. */
static void command_ended(struct step *step, const char *cannot) {
	struct ledger_step *record = &step->record;
	bool rebooting = step->state == STEP_REBOOTING;
	bool good = !cannot && step->exited && !step->timed_out && step->process.exit.code == 0 &&
		    step->process.exit.signal == 0;
	timer_cancel(&step->timer);
	process_forget(&step->process);
	record->run[0] = '\0';
	record->pid = 0;
	char *text = cannot ? xstrdup(cannot) : explain_end(step);
	if (step->stopping) {
		if (!good)
			record->tries =
				record->tries > 0 ? record->tries - 1 : 0; /* not its fault */
		note_history(step, "stopped", text);
		write_record(step);
		go_down(step);
	} else if (rebooting && good) {
		write_record(step);
		set_state(step, STEP_REBOOTING); /* what comes now is the end of us */
	} else if (rebooting) {
		char *trouble = xasprintf("done, but the machine could not be restarted: %s", text);
		set_text(&step->trouble, trouble);
		free(trouble);
		write_record(step);
		settle_in(step, STEP_DONE);
	} else if (good) {
		snprintf(record->definition, sizeof(record->definition), "%s", record->running);
		done(step, "done");
	} else {
		failed(step, text);
	}
	free(text);
}

static void log_drained(void *user) {
	command_ended(user, NULL);
}

static void process_failed(struct process *process, const struct err *err) {
	struct step *step = step_of_process(process);
	char *text = xasprintf("cannot be run: %s", err->text);
	command_ended(step, text);
	free(text);
}

/* What it left behind would write into the next run, and may hold what that needs. */
static void process_exited(struct process *process) {
	struct step *step = step_of_process(process);
	step->exited = true;
	if (step->state != STEP_REBOOTING) set_state(step, STEP_ENDING);
	end_command(step);
}

static void process_empty(struct process *process) {
	struct step *step = step_of_process(process);
	timer_cancel(&step->timer);
	step_log_drain(&step->log, log_drained, step);
}

static void process_lost(struct process *process) {
	struct step *step = step_of_process(process);
	process_sweep(process, (pid_t)step->record.pid, step->record.start_time);
}

const struct process_calls step_process_calls = { process_spawned, process_failed, process_exited,
	process_empty, process_lost };

/* ---- looking ---- */

static void look_failed(struct step *step, const struct err *err) {
	if (step->stopping)
		go_down(step);
	else
		failed(step, err->text);
}

/* It was begun and interrupted (a crash of the machine, a reboot of its own) as often as it may fail. */
static bool is_worn_out(const struct step *step) {
	return step->record.tries > step->settings->retries + 1 &&
	       str_equal(step->record.running, step->work.definition);
}

static void found(struct step *step) {
	struct step_work *work = &step->work;
	struct ledger_step *record = &step->record;
	set_text(&step->why, work->finding.why);
	bool news = !str_equal(record->wrote, work->wrote);
	memcpy(record->wrote, work->wrote, sizeof(record->wrote));
	if (work->told) {
		snprintf(record->definition, sizeof(record->definition), "%s", work->definition);
		done(step, work->told);
	} else if (work->script && is_worn_out(step)) {
		failed(step, "it was interrupted in the middle each time it was tried");
	} else if (work->script && step->stopping) {
		go_down(step);
	} else if (work->script) {
		launch_script(step);
	} else {
		bool held = work->finding.verdict == STEP_HELD;
		if (news || record->tries > 0) {
			record->tries = 0;
			write_record(step);
		}
		if (step->forced) step_log_say(&step->log, step->why);
		if (held) note_history(step, "held", step->why);
		set_text(&step->trouble, NULL);
		settle_in(step, held ? STEP_IS_HELD : STEP_DONE);
	}
}

static void looked(struct job *job, const struct err *err) {
	struct step *step = container_of(job, struct step, work.job);
	struct steps *steps = step->steps;
	step->working = false;
	if (steps->detached) {
		step_work_release(&step->work);
		if (--steps->closing == 0) defer_start(steps->options.loop, &steps->detach_defer);
		return;
	}
	if (err)
		look_failed(step, err);
	else
		found(step);
	/* Settling may have begun the next look only through the graph, which is deferred. */
	if (!step->leaving && step->stopping && !is_busy(step)) go_down(step);
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
		.forced = step->forced };
	memcpy(step->work.machine, step->steps->machine, sizeof(step->work.machine));
	step->working = true;
	set_state(step, STEP_LOOKING);
	job_start(loop_of(step), &step->work.job);
}

static void timer_fired(struct timer *timer) {
	struct step *step = container_of(timer, struct step, timer);
	if (step->state == STEP_DELAYED) {
		step_begin(step);
		return;
	}
	if (!step->exited && !step->stopping) step->timed_out = true;
	end_command(step);
}

/* ---- wanted and not ---- */

void step_want_down(struct step *step) {
	unit_unwant(&step->unit);
	step->again = false;
	if (!is_busy(step)) {
		timer_cancel(&step->timer);
		go_down(step);
		return;
	}
	if (step->stopping) return;
	step->stopping = true;
	set_state(step, step->state);
	if (step->process.run[0] && !step->exited && step->process.pid) {
		step->killing = false;
		end_command(step);
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
		set_text(&step->trouble, "interrupted: the machine went down in the middle");
		note_history(step, "interrupted", "the machine went down in the middle");
		return;
	}
	step->exited = step->timed_out = step->killing = false;
	unit_want(&step->unit);
	/* Of a reboot there is no definition. */
	set_state(step, record->running[0] ? STEP_RUNNING : STEP_REBOOTING);
	process_adopt(&step->process, record->run);
	if (!step->settings->enabled) step_want_down(step);
}

void step_detach(struct step *step) {
	struct steps *steps = step->steps;
	timer_cancel(&step->timer);
	process_detach(&step->process);
	if (step->working) {
		steps->closing++;
		job_cancel(&step->work.job);
	}
}
