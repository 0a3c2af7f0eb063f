/*
 * Who is logged in from outside: logind says it where it runs, else utmp (which is on its way out: Debian's next no longer makes
 * it); and what neither knows is found by the established sockets that an sshd holds, whatever port it listens on.
 */
#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-login.h>
#include <unistd.h>
#include <utmp.h>

#include "power/idle.h"

enum {
	TCP_MAX = 4 << 20,
	UTMP_MAX = 1 << 20,
	ESTABLISHED = 1,
	FILES_MAX = 256,
	SOCKETS_MAX = 4096
};

static struct idle_session *add(
	struct idle_sessions *sessions, const char *user, const char *tty, pid_t pid) {
	if (sessions->count == ARRAY_LEN(sessions->at)) return NULL;
	struct idle_session *session = &sessions->at[sessions->count++];
	*session = (struct idle_session){ .pid = pid };
	snprintf(session->user, sizeof(session->user), "%.39s", user && *user ? user : "somebody");
	snprintf(session->tty, sizeof(session->tty), "%.23s", tty ? tty : "");
	return session;
}

static bool has_tty(const struct idle_sessions *sessions, const char *tty) {
	for (size_t i = 0; i < sessions->count; i++)
		if (*tty && str_equal(sessions->at[i].tty, tty)) return true;
	return false;
}

static bool is_sshd(const struct idle_proc *proc) {
	return str_equal(proc->name, "sshd") || str_equal(proc->name, "sshd-session") ||
	       str_equal(proc->name, "dropbear");
}

/* The terminal that something below this process has; 0. */
static uint64_t tty_below(const struct idle_procs *procs, pid_t pid) {
	for (size_t i = 0; i < procs->count; i++)
		if (procs->at[i].parent == pid && procs->at[i].tty && !is_sshd(&procs->at[i]))
			return procs->at[i].tty;
	return 0;
}

/* pam_systemd comes before sshd has made a terminal, and logind learns of that one from utmp alone: where that is gone, from here. The
 * leader is root's half of the connection, the terminal is below the user's. */
static uint64_t tty_of_leader(const struct idle_procs *procs, pid_t leader) {
	uint64_t tty = leader ? tty_below(procs, leader) : 0;
	for (size_t i = 0; leader && !tty && i < procs->count; i++)
		if (procs->at[i].parent == leader && is_sshd(&procs->at[i]))
			tty = tty_below(procs, procs->at[i].pid);
	return tty;
}

/* ---- logind ---- */

/* libsystemd is taken up by whoever looks for logins: with all that it needs in turn it would cost every tendd half a megabyte. */
static struct {
	bool sought, here;
	__typeof__(sd_get_sessions) *sessions;
	__typeof__(sd_session_get_service) *service;
	__typeof__(sd_session_get_tty) *tty;
	__typeof__(sd_session_get_state) *state;
	__typeof__(sd_session_get_class) *class;
	__typeof__(sd_session_get_uid) *uid;
	__typeof__(sd_session_is_remote) *is_remote;
} logind;

/* ISO C has no cast from an object's address to a function's; POSIX promises that they are alike. */
static bool take(void *library, const char *name, void *function) {
	void *found = dlsym(library, name);
	memcpy(function, &found, sizeof(found));
	return found != NULL;
}

static bool has_logind(void) {
	if (logind.sought) return logind.here;
	logind.sought = true;
	void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	logind.here = library && take(library, "sd_get_sessions", &logind.sessions) &&
		      take(library, "sd_session_get_service", &logind.service) &&
		      take(library, "sd_session_get_tty", &logind.tty) &&
		      take(library, "sd_session_get_state", &logind.state) &&
		      take(library, "sd_session_get_class", &logind.class) &&
		      take(library, "sd_session_get_uid", &logind.uid) &&
		      take(library, "sd_session_is_remote", &logind.is_remote);
	if (!logind.here)
		log_warn("idle: logind runs, but libsystemd.so.0 is not to be had (%s): logins are "
			 "looked for in utmp and among sshd's connections",
			library ? "it lacks a function" : dlerror());
	return logind.here;
}

/* sd-login tells it from systemd 254 on; the file that it reads has it since long. */
static pid_t leader_of(const struct idle_sample *sample, const char *id) {
	char *path = path_join("run/systemd/sessions", id);
	char *text = idle_file(sample->root, path, 64 << 10);
	const char *at = text ? strstr(text, "\nLEADER=") : NULL;
	pid_t leader = at ? (pid_t)strtol(at + strlen("\nLEADER="), NULL, 10) : 0;
	free(text);
	free(path);
	return leader;
}

static void add_login(
	const struct idle_sample *sample, const char *id, struct idle_sessions *sessions) {
	char *service = NULL, *tty = NULL, *state = NULL, *class = NULL;
	uid_t uid = 0;
	(void)logind.service(id, &service);
	(void)logind.tty(id, &tty);
	(void)logind.state(id, &state);
	(void)logind.class(id, &class);
	(void)logind.uid(id, &uid);
	pid_t leader = leader_of(sample, id);
	bool remote = logind.is_remote(id) > 0 || str_equal(service, "sshd");
	bool gone = str_equal(state, "closing") || !str_equal(class, "user");
	/* A closing session keeps what was started in it; that is a job, not a login. */
	if (remote && !gone && (!tty || !has_tty(sessions, tty))) {
		char user[40];
		idle_user_name(sample->root, uid, user, sizeof(user));
		struct idle_session *session = add(sessions, user, tty, leader);
		const struct idle_proc *proc = idle_procs_find(&sample->procs, leader);
		uint64_t below = tty ? 0 : tty_of_leader(&sample->procs, leader);
		if (session) signal_ssh_terminal(sample, session, below);
		if (session && !session->tty[0] && proc)
			session->bytes_a_second = signal_ssh_speed(sample, proc);
	}
	free(service);
	free(tty);
	free(state);
	free(class);
}

/* logind tells of this machine alone, not of a test's folder. */
static bool by_logind(const struct idle_sample *sample, struct idle_sessions *sessions) {
	char **ids = NULL;
	if (!str_equal(sample->root, "/") || access("/run/systemd/sessions", F_OK) != 0 ||
		!has_logind())
		return false;
	int count = logind.sessions(&ids);
	for (int i = 0; i < count; i++) {
		add_login(sample, ids[i], sessions);
		free(ids[i]);
	}
	free(ids);
	return count >= 0;
}

/* ---- utmp ---- */

/* mosh writes "ADDRESS via mosh [PID]": that one has a signal of its own. */
static void by_utmp(const struct idle_sample *sample, struct idle_sessions *sessions) {
	char *path = path_join(sample->root, "run/utmp");
	FILE *file = fopen(path, "re");
	struct utmp entry;
	free(path);
	while (file && fread(&entry, sizeof(entry), 1, file) == 1) {
		char user[sizeof(entry.ut_user) + 1], tty[sizeof(entry.ut_line) + 1],
			host[sizeof(entry.ut_host) + 1];
		snprintf(user, sizeof(user), "%.*s", (int)sizeof(entry.ut_user), entry.ut_user);
		snprintf(tty, sizeof(tty), "%.*s", (int)sizeof(entry.ut_line), entry.ut_line);
		snprintf(host, sizeof(host), "%.*s", (int)sizeof(entry.ut_host), entry.ut_host);
		/* tmux and screen name themselves as hosts; an entry of a process that is gone is stale. */
		if (entry.ut_type != USER_PROCESS || !*host || *host == ':' ||
			strstr(host, "mosh") || strstr(host, "tmux") ||
			!idle_procs_find(&sample->procs, entry.ut_pid) || has_tty(sessions, tty))
			continue;
		struct idle_session *session = add(sessions, user, tty, entry.ut_pid);
		if (session) signal_ssh_terminal(sample, session, 0);
	}
	if (file) fclose(file);
}

/* ---- sockets ---- */

struct sockets {
	unsigned long inodes[SOCKETS_MAX];
	size_t count;
};

/* "  0: 0100007F:0016 0100007F:C350 01 ... inode": the fourth word is the state, the tenth the inode. */
static void take_line(char *line, struct sockets *sockets) {
	const char *words[10];
	size_t count = 0;
	char *rest = NULL;
	for (char *word = strtok_r(line, " ", &rest); word && count < ARRAY_LEN(words);
		word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count < ARRAY_LEN(words) || strtoul(words[3], NULL, 16) != ESTABLISHED) return;
	if (sockets->count < SOCKETS_MAX)
		sockets->inodes[sockets->count++] = strtoul(words[9], NULL, 10);
}

static void read_established(
	const struct idle_sample *sample, const char *path, struct sockets *sockets) {
	char *text = idle_file(sample->root, path, TCP_MAX), *rest = NULL;
	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
		line = strtok_r(NULL, "\n", &rest))
		take_line(line, sockets);
	free(text);
}

static bool holds_one(const struct idle_sample *sample, pid_t pid, const struct sockets *sockets) {
	char *name = xasprintf("proc/%d/fd", (int)pid), *path = path_join(sample->root, name),
	     target[64];
	DIR *folder = opendir(path);
	struct dirent *entry;
	bool found = false;
	for (int i = 0; folder && !found && i < FILES_MAX && (entry = readdir(folder)); i++) {
		char *link = path_join(path, entry->d_name);
		ssize_t len = readlink(link, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		unsigned long inode =
			str_starts(target, "socket:[") ? strtoul(target + 8, NULL, 10) : 0;
		for (size_t at = 0; inode && !found && at < sockets->count; at++)
			found = sockets->inodes[at] == inode;
		free(link);
	}
	if (folder) closedir(folder);
	free(path);
	free(name);
	return found;
}

static bool is_known(const struct idle_sessions *sessions, const struct idle_proc *proc) {
	for (size_t i = 0; i < sessions->count; i++) {
		pid_t pid = sessions->at[i].pid;
		/* The leader is root's half of a connection, its child the user's. */
		if (pid && (pid == proc->pid || pid == proc->parent)) return true;
	}
	return false;
}

static bool has_half(const struct idle_procs *procs, const struct idle_proc *proc) {
	for (size_t i = 0; i < procs->count; i++)
		if (procs->at[i].parent == proc->pid && is_sshd(&procs->at[i])) return true;
	return false;
}

static void by_sockets(const struct idle_sample *sample, struct idle_sessions *sessions) {
	struct sockets *sockets = xcalloc(1, sizeof(*sockets));
	read_established(sample, "proc/net/tcp", sockets);
	read_established(sample, "proc/net/tcp6", sockets);
	for (size_t i = 0; i < sample->procs.count; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		if (!is_sshd(proc) || is_known(sessions, proc) || has_half(&sample->procs, proc) ||
			!holds_one(sample, proc->pid, sockets))
			continue;
		char user[40];
		uint64_t tty = tty_below(&sample->procs, proc->pid);
		const struct idle_terminal *terminal =
			signal_tty_find(&sample->terminals, tty, NULL);
		if (terminal && has_tty(sessions, terminal->name)) continue;
		idle_user_name(sample->root, proc->uid, user, sizeof(user));
		struct idle_session *session = add(sessions, user, "", proc->pid);
		if (!session) break;
		signal_ssh_terminal(sample, session, tty);
		if (!session->tty[0]) session->bytes_a_second = signal_ssh_speed(sample, proc);
	}
	free(sockets);
}

void signal_ssh_sessions(struct idle_sample *sample, struct idle_sessions *sessions) {
	if (!by_logind(sample, sessions)) by_utmp(sample, sessions);
	by_sockets(sample, sessions);
}
