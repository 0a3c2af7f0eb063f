/*
 * A login counts while its terminal has input or output younger than the window, or a job that is no shell stands in front: a
 * laptop that was shut in the evening leaves a connection that is open until the morning, and nobody behind it. Without a
 * terminal (scp, a port that is forwarded, an editor) it counts while bytes move.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

/* A client that only says that it is there sends some ten bytes a second, an editor's heartbeat a hundred. */
enum { BYTES_A_SECOND = 200 };

void signal_ssh_terminal(
	const struct idle_sample *sample, struct idle_session *session, uint64_t number) {
	const struct idle_terminal *terminal =
		signal_tty_find(&sample->terminals, number, session->tty[0] ? session->tty : NULL);
	session->input_age_ms = session->output_age_ms = session->bytes_a_second = -1;
	if (!terminal) return;
	memcpy(session->tty, terminal->name, sizeof(session->tty));
	session->input_age_ms = terminal->input_age_ms;
	session->output_age_ms = terminal->output_age_ms;
	const struct idle_proc *job = idle_foreground(&sample->procs, terminal->number);
	if (job) memcpy(session->job, job->name, sizeof(session->job));
}

int64_t signal_ssh_speed(const struct idle_sample *sample, const struct idle_proc *proc) {
	const struct idle_past *past = idle_past_find(sample->memory, proc);
	int64_t bytes = idle_proc_bytes(sample->root, proc->pid);
	if (sample->elapsed_ms <= 0 || bytes < 0) return -1;
	/* It began since: all it moved was the login's. */
	if (!past) return BYTES_A_SECOND + 1;
	return past->bytes < 0 || bytes < past->bytes
		       ? -1
		       : (bytes - past->bytes) * 1000 / sample->elapsed_ms;
}

void signal_ssh_read(struct idle_sample *sample) {
	struct idle_sessions *sessions = xcalloc(1, sizeof(*sessions));
	signal_ssh_sessions(sample, sessions);
	signal_ssh(sessions, sample->after_ms, &sample->answers[SIGNAL_SSH]);
	free(sessions);
}

static void without_tty(const struct idle_session *session, struct idle_answer *one) {
	if (session->bytes_a_second < 0)
		idle_say(one, IDLE_UNKNOWN, 0, "%s without a terminal: what it moves is not known",
			session->user);
	else if (session->bytes_a_second > BYTES_A_SECOND)
		idle_say(one, IDLE_ACTIVE, 0, "%s without a terminal moves bytes", session->user);
	else
		idle_say(one, IDLE_IDLE, -1, "%s without a terminal moves nothing", session->user);
}

static void with_tty(
	const struct idle_session *session, int64_t after_ms, struct idle_answer *one) {
	int64_t age_ms = session->input_age_ms;
	char age[32];
	if (age_ms < 0 || (session->output_age_ms >= 0 && session->output_age_ms < age_ms))
		age_ms = session->output_age_ms;
	if (session->job[0]) {
		idle_say(one, IDLE_ACTIVE, 0, "%s at %s runs '%s'", session->user, session->tty,
			session->job);
	} else if (age_ms < 0) {
		idle_say(one, IDLE_UNKNOWN, 0, "%s at %s: how old its input is, is not known",
			session->user, session->tty);
	} else {
		duration_format(age_ms / 1000 * 1000, age, sizeof(age));
		idle_say(one, age_ms < after_ms ? IDLE_ACTIVE : IDLE_IDLE, age_ms,
			"%s at %s, input or output %s ago", session->user, session->tty, age);
	}
}

void signal_ssh(
	const struct idle_sessions *sessions, int64_t after_ms, struct idle_answer *answer) {
	if (sessions->failed) {
		idle_say(answer, IDLE_UNKNOWN, 0, "logins cannot be listed");
		return;
	}
	idle_say(answer, IDLE_IDLE, -1, "no login");
	for (size_t i = 0; i < sessions->count; i++) {
		struct idle_answer one;
		if (sessions->at[i].tty[0])
			with_tty(&sessions->at[i], after_ms, &one);
		else
			without_tty(&sessions->at[i], &one);
		idle_worse(answer, &one);
	}
}
