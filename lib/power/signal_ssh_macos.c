/* Logins from outside by utmpx; one without a terminal is seen by its process alone, and what it moves is not told. */
#include <stdio.h>
#include <string.h>
#include <utmpx.h>

#include "power/idle.h"

static struct idle_session *add(
	struct idle_sessions *sessions, const char *user, const char *tty, pid_t pid) {
	if (sessions->count == ARRAY_LEN(sessions->at)) return NULL;
	struct idle_session *session = &sessions->at[sessions->count++];
	*session = (struct idle_session){ .pid = pid };
	snprintf(session->user, sizeof(session->user), "%.39s", user);
	snprintf(session->tty, sizeof(session->tty), "%.23s", tty);
	return session;
}

void signal_ssh_sessions(struct idle_sample *sample, struct idle_sessions *sessions) {
	struct utmpx *entry;
	setutxent();
	while ((entry = getutxent())) {
		if (entry->ut_type != USER_PROCESS || !entry->ut_host[0]) continue;
		struct idle_session *session =
			add(sessions, entry->ut_user, entry->ut_line, entry->ut_pid);
		if (session) signal_ssh_terminal(sample, session, 0);
	}
	endutxent();
	for (size_t i = 0; i < sample->procs.count; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		if (!str_equal(proc->name, "sshd-session") || proc->uid == 0) continue;
		bool terminal = false;
		for (size_t j = 0; j < sample->procs.count; j++)
			terminal = terminal || (sample->procs.at[j].parent == proc->pid &&
						       sample->procs.at[j].tty);
		struct idle_session *session =
			terminal ? NULL : add(sessions, "somebody", "", proc->pid);
		if (session) session->bytes_a_second = -1;
	}
}
