/*
 * Looking: a sample is a job that reads what blocks, and beside it commands that run and Jupyter servers that are asked; the
 * verdict follows when all have answered. Where a GPU counts it is looked at between two samples as well.
 */
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { GPU_LOOKS = 6, GPU_LEAST_MS = 500 };

struct idle_part {
	struct idle *idle;
	struct idle_answer answer;
	struct idle_command *command;
	bool waits; /* for the command's answer */
};

int64_t idle_every_ms(const struct idle *idle) {
	int64_t every_ms = idle->settings->every_ms,
		most_ms = idle->settings->after_ms / IDLE_SAMPLES;
	return every_ms < most_ms ? every_ms : most_ms;
}

static bool has(const struct idle *idle, enum idle_kind kind) {
	for (size_t i = 0; i < idle->count; i++)
		if (idle->signals[i].kind == kind) return true;
	return false;
}

/* ---- the verdict ---- */

static const struct idle_answer *sampled(const struct idle *idle, size_t at) {
	enum idle_kind kind = idle->signals[at].kind;
	bool own = kind == SIGNAL_SYNC || kind == SIGNAL_SERVICE || kind == SIGNAL_COMMAND;
	return own ? &idle->parts[at].answer : &idle->sample.answers[kind];
}

static void take_answers(struct idle *idle) {
	for (size_t i = 0; i < idle->count; i++) {
		const struct idle_answer *answer = sampled(idle, i);
		idle->answers[i] = *answer;
		int64_t age_ms = answer->word == IDLE_UNKNOWN ? 0 : answer->age_ms;
		idle->words[i] = answer->word;
		if (answer->word == IDLE_ACTIVE && age_ms < 0) age_ms = 0;
		if (age_ms >= 0 && idle->sample.now_ms - age_ms > idle->active_ms[i])
			idle->active_ms[i] = idle->sample.now_ms - age_ms;
	}
}

static int64_t awake_until_ms(const struct idle *idle, int64_t now_ms) {
	int64_t left_ns = idle->awake_until_ns - loop_wall_ns(idle->options.loop);
	if (idle->awake_until_ns == INT64_MAX) return INT64_MAX;
	return left_ns > 0 ? now_ms + left_ns / NS_PER_MS : 0;
}

static void judge(struct idle *idle) {
	const struct idle_settings *settings = idle->settings;
	int64_t now_ms = idle_now_ms(idle);
	const struct idle_facts facts = {
		.now_ms = now_ms,
		.after_ms = settings->after_ms,
		.min_uptime_ms = settings->min_uptime_ms,
		.max_uptime_ms = settings->max_uptime_ms,
		.uptime_ms = idle->sample.uptime_ms,
		.step_ended_ms = idle->house.step_ended_ms,
		.awake_until_ms = awake_until_ms(idle, now_ms),
		.step_busy = idle->house.step_busy,
		.restoring = idle->house.restoring,
		.starting = idle->house.starting,
		.dpkg = idle->sample.dpkg.word,
		.person = idle->sample.person.word,
		.window = &idle->window,
		.signals = idle->count,
		.words = idle->words,
		.active_ms = idle->active_ms,
	};
	bool late = idle->phase != IDLE_WATCHING && idle->phase != IDLE_WARNED &&
		    idle->phase != IDLE_SPENT;
	idle->left_ms = -1;
	idle->reason = late ? idle_verdict_late(&facts, idle->late, &idle->which)
			    : idle_verdict(&facts, &idle->which, &idle->left_ms);
	idle_show_reason(idle);
}

/* Who cannot see for six hours has to be told: the bill goes on meanwhile. */
static void look_at_blindness(struct idle *idle) {
	enum { BLIND_MS = 6 * 3600 * 1000 };
	int64_t now_ms = idle_now_ms(idle);
	if (idle->reason != IDLE_BY_UNKNOWN) {
		idle->blind_ms = 0;
		idle->blind_told = false;
		return;
	}
	if (!idle->blind_ms) idle->blind_ms = now_ms;
	if (idle->blind_told || now_ms - idle->blind_ms < BLIND_MS) return;
	idle->blind_told = true;
	idle->options.calls->told(idle->options.user, "idle.blind", idle->text);
}

/* A sample that began in another phase says nothing of this one: services were stopped meanwhile, or a warning was given. */
static void follow(struct idle *idle, bool anew) {
	bool nobody = idle->reason == IDLE_BY_NOTHING;
	if (idle->phase != idle->sample_phase) return;
	switch (idle->phase) {
	case IDLE_WATCHING:
		if (nobody) idle_happened(idle, IDLE_EV_IDLE, NULL);
		break;
	case IDLE_WARNED:
		if (!nobody)
			idle_happened(idle, IDLE_EV_ACTIVE, idle->text);
		else if (idle->due_ms && idle->sample.now_ms >= idle->due_ms)
			idle_happened(idle, IDLE_EV_DONE, NULL);
		break;
	case IDLE_FLUSHING:
	case IDLE_RESTING:
		if (!nobody || anew)
			idle_happened(
				idle, IDLE_EV_ACTIVE, anew ? "the machine slept" : idle->text);
		break;
	case IDLE_JUDGING:
		idle_happened(idle, nobody && !anew ? IDLE_EV_IDLE : IDLE_EV_ACTIVE,
			anew ? "the machine slept" : idle->text);
		break;
	default: break;
	}
}

static void sample_end(struct idle *idle) {
	const char *why;
	idle->sampling = false;
	idle_sample_release(&idle->sample);
	if (idle->closing) {
		idle_close_step(idle);
		return;
	}
	if (idle_may_renew(idle)) {
		idle_take_settings(idle);
		return;
	}
	if (idle->ended) return;
	int64_t wall_ns = loop_wall_ns(idle->options.loop);
	bool anew = idle_window_sample(
		&idle->window, idle_now_ms(idle), wall_ns, idle_every_ms(idle), &why);
	if (why) log_info("idle: %s: it begins to count anew", why);
	take_answers(idle);
	judge(idle);
	look_at_blindness(idle);
	/* A machine that was put to sleep may do so before its command has ended. */
	idle->slept = idle->slept || (anew && why);
	if (idle->slept && idle->phase == IDLE_AFTER)
		idle_happened(idle, IDLE_EV_RESUMED, "the machine is back");
	else
		follow(idle, anew && why);
}

static void part_ended(struct idle *idle) {
	if (--idle->waits == 0) sample_end(idle);
}

/* ---- its parts ---- */

static void command_answered(void *user, const struct idle_answer *answer) {
	struct idle_part *part = user;
	part->answer = *answer;
	part->waits = false;
	part_ended(part->idle);
}

static void jupyter_answered(void *user, const struct idle_answer *answer) {
	struct idle *idle = user;
	idle->jupyter = NULL;
	idle->sample.answers[SIGNAL_JUPYTER] = *answer;
	if (idle->sample.servers_failed && answer->word == IDLE_IDLE)
		idle_say(&idle->sample.answers[SIGNAL_JUPYTER], IDLE_UNKNOWN, 0,
			"a Jupyter server's file cannot be read");
	part_ended(idle);
}

static void ask_jupyter(struct idle *idle) {
	const struct idle_jupyter_options options = {
		.loop = idle->options.loop,
		.http = idle->options.http,
		.wall_ns = idle->sample.wall_ns,
		.kernel_idle_ms = idle->settings->jupyter_kernel_idle_ms,
		.after_ms = idle->settings->after_ms,
	};
	struct idle_server *servers = idle->sample.servers;
	size_t count = idle->sample.server_count;
	idle->sample.servers = NULL;
	idle->sample.server_count = 0;
	idle->waits++;
	idle->jupyter = signal_jupyter_ask(&options, servers, count, jupyter_answered, idle);
}

static int read_work(struct job *job, struct err *err) {
	struct idle_sample *sample = &container_of(job, struct idle, job)->sample;
	(void)err;
	if (sample->gpu_only)
		signal_gpu_read(sample);
	else
		idle_sample_read(sample);
	return 0;
}

static void read_done(struct job *job, const struct err *err) {
	struct idle *idle = container_of(job, struct idle, job);
	(void)err; /* it was not cancelled, and has no other */
	if (idle->sample.gpu_only) {
		idle->sampling = false;
		idle_worse(&idle->gpu, &idle->sample.answers[SIGNAL_GPU]);
		if (idle->closing)
			idle_close_step(idle);
		else if (idle_may_renew(idle))
			idle_take_settings(idle);
		else if (idle->ticks == 0)
			idle_look_soon(idle); /* a whole one was wanted meanwhile */
		return;
	}
	if (idle->sample.wanted[SIGNAL_GPU]) {
		idle_worse(&idle->sample.answers[SIGNAL_GPU], &idle->gpu);
		idle->gpu = (struct idle_answer){ .word = IDLE_IDLE, .age_ms = -1 };
	}
	if (idle->sample.wanted[SIGNAL_JUPYTER] && !idle->closing) ask_jupyter(idle);
	part_ended(idle);
}

static void begin(struct idle *idle, bool gpu_only) {
	idle->sampling = true;
	idle->sample_phase = idle->phase;
	idle->sample = (struct idle_sample){
		.gpu_only = gpu_only,
		.root = idle->options.root,
		.nvml = idle->options.nvml,
		.now_ms = idle_now_ms(idle),
		.wall_ns = loop_wall_ns(idle->options.loop),
		.after_ms = idle->settings->after_ms,
		.warned_ns = idle->warned_ns,
		.memory = &idle->memory,
	};
	for (size_t i = 0; i < idle->count; i++) {
		idle->sample.wanted[idle->signals[i].kind] = true;
		idle->sample.threshold[idle->signals[i].kind] = idle->signals[i].threshold;
	}
	idle->waits = 1;
	job_start(idle->options.loop, &idle->job);
	if (gpu_only) return;
	idle->house = (struct idle_house){ .step_ended_ms = -1 };
	idle->options.calls->look(idle->options.user, &idle->house);
	for (size_t i = 0; i < idle->count; i++) {
		struct idle_part *part = &idle->parts[i];
		if (idle->signals[i].kind == SIGNAL_SYNC) part->answer = idle->house.sync;
		if (idle->signals[i].kind == SIGNAL_SERVICE)
			idle->options.calls->service(
				idle->options.user, idle->signals[i].argument, &part->answer);
		if (!part->command) continue;
		part->waits = true;
		idle->waits++;
		signal_command_start(part->command);
	}
}

static void tick(struct timer *timer) {
	struct idle *idle = container_of(timer, struct idle, tick);
	int64_t every_ms = idle_every_ms(idle);
	/* Without a GPU nothing is missed between two samples. */
	bool between = has(idle, SIGNAL_GPU) && !idle->sampling && idle->memory.nvml &&
		       every_ms >= GPU_LOOKS * GPU_LEAST_MS;
	unsigned looks = between ? GPU_LOOKS : 1;
	timer_start(&idle->tick, every_ms / looks);
	if (idle->sampling) return;
	bool whole = idle->ticks == 0;
	idle->ticks = (idle->ticks + 1) % looks;
	begin(idle, !whole);
}

void idle_look_soon(struct idle *idle) {
	idle->ticks = 0;
	timer_start(&idle->tick, 0);
}

void idle_look_init(struct idle *idle) {
	idle->job = (struct job){ .work = read_work, .done = read_done };
	timer_init(&idle->tick, idle->options.loop, tick);
}

void idle_look_stop(struct idle *idle) {
	timer_cancel(&idle->tick);
}

void idle_look_make(struct idle *idle) {
	size_t room = idle->count + 1;
	idle->parts = xcalloc(room, sizeof(*idle->parts));
	idle->answers = xcalloc(room, sizeof(*idle->answers));
	idle->words = xcalloc(room, sizeof(*idle->words));
	idle->late = xcalloc(room, sizeof(*idle->late));
	idle->active_ms = xcalloc(room, sizeof(*idle->active_ms));
	idle->gpu = (struct idle_answer){ .word = IDLE_IDLE, .age_ms = -1 };
	for (size_t i = 0; i < idle->count; i++) {
		struct idle_part *part = &idle->parts[i];
		part->idle = idle;
		idle->late[i] = idle_signal_is_late(idle->signals[i].kind);
		idle->words[i] = IDLE_UNKNOWN;
		idle_say(&idle->answers[i], IDLE_UNKNOWN, 0, "not looked at yet");
		if (idle->signals[i].kind == SIGNAL_COMMAND)
			part->command = signal_command_new(idle->options.loop, idle->options.host,
				idle->signals[i].argument, command_answered, part);
	}
}

/* Of a sample under way the job and the questions go on; the commands are let go. */
void idle_look_release(struct idle *idle) {
	for (size_t i = 0; i < idle->count; i++) {
		if (idle->parts[i].waits) idle->waits--;
		signal_command_free(idle->parts[i].command);
	}
	idle_signals_free(idle->signals, idle->count);
	free(idle->parts);
	free(idle->answers);
	free(idle->words);
	free(idle->late);
	free(idle->active_ms);
	idle->signals = NULL;
	idle->parts = NULL;
	idle->answers = NULL;
	idle->words = NULL;
	idle->late = NULL;
	idle->active_ms = NULL;
	idle->count = 0;
}
