/* The table of processes, and what is asked of it. Reading it is idle_procs_linux.c's and idle_procs_macos.c's. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { PROCS_MAX = 1 << 20 };

void idle_procs_release(struct idle_procs *procs) {
	free(procs->at);
	*procs = (struct idle_procs){ 0 };
}

struct idle_proc *idle_procs_add(struct idle_procs *procs) {
	if (procs->count == procs->room && procs->room < PROCS_MAX) {
		procs->room = procs->room ? 2 * procs->room : 256;
		procs->at = xrealloc(procs->at, procs->room * sizeof(*procs->at));
	}
	if (procs->count == procs->room) return &procs->at[procs->count - 1];
	procs->at[procs->count] = (struct idle_proc){ .foreground = -1 };
	return &procs->at[procs->count++];
}

const struct idle_proc *idle_procs_find(const struct idle_procs *procs, pid_t pid) {
	for (size_t i = 0; i < procs->count; i++)
		if (procs->at[i].pid == pid) return &procs->at[i];
	return NULL;
}

const struct idle_past *idle_past_find(
	const struct idle_memory *memory, const struct idle_proc *proc) {
	for (size_t i = 0; i < memory->past_count; i++) {
		const struct idle_past *past = &memory->past[i];
		/* Another process may have got the number. */
		if (past->pid == proc->pid && past->start == proc->start) return past;
	}
	return NULL;
}

/* A login shell's name may begin with '-'. What only holds a terminal for others is no job either. */
bool idle_name_is_shell(const char *name) {
	static const char *const shells[] = { "sh", "bash", "dash", "ash", "zsh", "fish", "ksh",
		"mksh", "csh", "tcsh", "pwsh", "nu", "login", "getty", "agetty", "su", "sudo",
		"doas", "screen", "mosh-server", "mosh-client" };
	if (*name == '-') name++;
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (str_equal(name, shells[i])) return true;
	return str_starts(name, "tmux") || str_starts(name, "sshd");
}

const struct idle_proc *idle_foreground(const struct idle_procs *procs, uint64_t tty) {
	if (!tty) return NULL;
	for (size_t i = 0; i < procs->count; i++) {
		const struct idle_proc *proc = &procs->at[i];
		if (proc->tty == tty && proc->foreground > 0 && proc->group == proc->foreground &&
			!idle_name_is_shell(proc->name))
			return proc;
	}
	return NULL;
}

void idle_user_name(const char *root, uid_t uid, char *name, size_t size) {
	char words[4096];
	struct passwd entry, *found = NULL;
	if (str_equal(root, "/")) (void)getpwuid_r(uid, &entry, words, sizeof(words), &found);
	if (found)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "uid %lu", (unsigned long)uid);
}
