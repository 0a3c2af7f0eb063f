/*
 * What a step runs: its command, and the reboot after it; and the ends of both. The record is written before each fork, so that
 * a next tendd finds the run again, and before the machine goes, so that the next boot goes on behind it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "step/internal.h"

enum {
	KILL_MS = 10000, /* between TERM and KILL, and between KILLs */
	REBOOT_TIMEOUT_MS = 60000,
};

/* Debian's; other systems have their own way to say it. */
static const char reboot_flag[] = "/run/reboot-required";

static int64_t wall_of(const struct step *step) {
	return loop_wall_ns(step->steps->options.loop);
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
static void start_reboot(struct step *step) {
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
	step_note(step, "reboot", "the system asks for it");
	step_log_say(&step->log, "the system asks for a reboot: the machine is restarted");
	step_set_state(step, STEP_REBOOTING);
	launch(step, &spec, "");
}

void step_done(struct step *step, const char *text) {
	struct ledger_step *record = &step->record;
	snprintf(record->machine, sizeof(record->machine), "%s", steps_machine(step->steps));
	snprintf(record->done_boot, sizeof(record->done_boot), "%s", process_boot_id());
	record->done_ns = wall_of(step);
	record->tries = 0;
	record->running[0] = '\0';
	step_write_record(step);
	log_info("%s: %s", step->unit.id, text);
	step_note(step, "done", text);
	step_log_say(&step->log, text);
	step_set_text(&step->trouble, NULL);
	step_set_text(&step->why, "done");
	if (must_reboot(step))
		start_reboot(step);
	else
		step_settle(step, STEP_DONE);
}

/* ---- its command ---- */

static void launch(struct step *step, const struct process_spec *spec, const char *definition) {
	struct ledger_step *record = &step->record;
	process_make_run(step->steps->options.loop, record->run);
	snprintf(record->run_boot, sizeof(record->run_boot), "%s", process_boot_id());
	snprintf(record->running, sizeof(record->running), "%s", definition);
	record->pid = 0;
	record->start_time = 0;
	record->started_ns = wall_of(step);
	/* The intent, before anything is forked: whatever comes of it can be found. */
	step_write_record(step);
	step->exited = step->timed_out = step->killing = false;
	step->process.exit = (struct process_exit){ 0 };
	process_spawn(&step->process, record->run, spec);
}

void step_launch(struct step *step) {
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
	step_set_state(step, STEP_RUNNING);
	launch(step, &spec, work->definition);
}

static struct step *step_of_process(struct process *process) {
	return container_of(process, struct step, process);
}

void step_end_command(struct step *step) {
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
	if (!known) step_write_record(step);
	if (step_log_attach(&step->log, &err) != 0) log_error("%s: %s", step->unit.id, err.text);
	if (step->stopping) {
		step_end_command(step);
		return;
	}
	log_info("%s: its command %s with pid %d", step->unit.id, known ? "goes on" : "runs",
		(int)process->pid);
	if (!known) step_note(step, "started", step->why);
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

static bool is_verified(const struct step *step) {
	const struct step_kind *kind = step_kind_of(step->settings, NULL);
	return kind && kind->verified;
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
		step_note(step, "stopped", text);
		step_write_record(step);
		step_go_down(step);
	} else if (rebooting && good) {
		step_write_record(step);
		step_set_state(step, STEP_REBOOTING); /* what comes now is the end of us */
	} else if (rebooting) {
		char *trouble = xasprintf("done, but the machine could not be restarted: %s", text);
		step_set_text(&step->trouble, trouble);
		free(trouble);
		step_write_record(step);
		step_settle(step, STEP_DONE);
	} else if (good && is_verified(step)) {
		step_write_record(step);
		step->verifying = true;
		record->tries--; /* the same try */
		step_begin(step);
	} else if (good) {
		snprintf(record->definition, sizeof(record->definition), "%s", record->running);
		step_done(step, "done");
	} else {
		step_failed(step, text);
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
	if (step->state != STEP_REBOOTING) step_set_state(step, STEP_ENDING);
	step_end_command(step);
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
