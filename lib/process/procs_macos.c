/*
 * Who belongs to a run, asked from the kernel by sysctl(3) and libproc.h. As on Linux without
 * cgroups a process is a member when it carries the mark in its environment, is the known main
 * process, shares main's session, or descends from a member. What macOS has not: a parent for
 * orphans but launchd, so that a member whose parents ended is found by mark or session alone; and
 * the environment of programs that it protects, or of another user's unless we are root.
 */
#include "process/internal.h"

#include <errno.h>
#include <libproc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <sys/un.h>
#include <unistd.h>

struct proc {
	pid_t pid, parent, session;
	uint64_t start_time;
	bool member;
};

struct procs {
	struct proc *at;
	size_t count;
};

/* Microseconds since 1970, as the kernel noted them at the fork: a step of the clock later does not
 * change them. 0: there is none. */
static uint64_t start_of(pid_t pid, bool living) {
	struct proc_bsdinfo info;

	if (proc_pidinfo(pid, PROC_PIDTBSDINFO, living ? 0 : 1, &info, sizeof(info)) !=
		(int)sizeof(info))
		return 0;
	if (living && info.pbi_status == SZOMB) return 0;
	return info.pbi_start_tvsec * 1000000 + info.pbi_start_tvusec;
}

/* The argument 1 of PROC_PIDTBSDINFO finds zombies too (libproc.h, proc_pidinfo's `arg`). */
uint64_t procs_start_time(pid_t pid) {
	return start_of(pid, false);
}

uint64_t process_start_time(pid_t pid) {
	return start_of(pid, true);
}

const char *process_boot_id(void) {
	static char id[64];
	size_t size = sizeof(id);

	if (!id[0] && sysctlbyname("kern.bootsessionuuid", id, &size, NULL, 0) != 0)
		snprintf(id, sizeof(id), "unknown");
	return id;
}

/* ---- the mark ---- */

static size_t arguments_max(void) {
	int name[] = { CTL_KERN, KERN_ARGMAX }, most = 0;
	size_t size = sizeof(most);

	return sysctl(name, 2, &most, &size, NULL, 0) == 0 && most > 0 ? (size_t)most : 1 << 20;
}

/* KERN_PROCARGS2: the count of arguments, the path, and then arguments and environment, each with
 * its NUL; between path and arguments stand some more. An argument that looks like the mark counts
 * as one: who writes it means it. */
static bool carries_mark(pid_t pid, const char *run, char *room, size_t size) {
	int name[] = { CTL_KERN, KERN_PROCARGS2, pid };
	char mark[16 + PROCESS_RUN_SIZE];
	size_t len = (size_t)snprintf(mark, sizeof(mark), "TEND_RUN=%s", run) + 1; /* its NUL too */

	if (sysctl(name, 3, room, &size, NULL, 0) != 0 || size < sizeof(int)) return false;
	const char *end = room + size, *at = room + sizeof(int);
	while (at < end && (at = memmem(at, (size_t)(end - at), mark, len))) {
		if (at > room + sizeof(int) && at[-1] == '\0') return true;
		at++;
	}
	return false;
}

/* ---- all of them ---- */

static struct kinfo_proc *list(size_t *count) {
	int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_ALL };
	size_t size = 0;

	*count = 0;
	if (sysctl(name, 3, NULL, &size, NULL, 0) != 0) return NULL;
	size += size / 4; /* some may be born meanwhile */
	struct kinfo_proc *all = xmalloc(size);
	if (sysctl(name, 3, all, &size, NULL, 0) == 0) *count = size / sizeof(*all);
	return all;
}

static void read_all(struct procs *procs) {
	size_t count;
	struct kinfo_proc *all = list(&count);

	procs->at = xcalloc(count + 1, sizeof(*procs->at));
	procs->count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct extern_proc *from = &all[i].kp_proc;
		if (from->p_stat == SZOMB || from->p_pid == getpid() || from->p_pid <= 0) continue;
		procs->at[procs->count++] = (struct proc){
			.pid = from->p_pid,
			.parent = all[i].kp_eproc.e_ppid,
			.session = getsid(from->p_pid),
			.start_time = (uint64_t)from->p_starttime.tv_sec * 1000000 +
				      (uint64_t)from->p_starttime.tv_usec,
		};
	}
	free(all);
}

static const struct proc *find(const struct procs *procs, pid_t pid) {
	for (size_t i = 0; i < procs->count; i++)
		if (procs->at[i].pid == pid) return &procs->at[i];
	return NULL;
}

/* A session's number may have been given to another after main was reaped: then that one is there, and
 * older or younger than main. */
static bool is_member(const struct procs *procs, const struct procs_question *question,
	const struct proc *proc, char *room, size_t size) {
	if (question->main && proc->pid == question->main)
		return proc->start_time == question->main_start;
	if (question->reaper && question->main && proc->session == question->main) {
		const struct proc *leader = find(procs, question->main);
		if (!leader || leader->start_time == question->main_start) return true;
	}
	return carries_mark(proc->pid, question->run, room, size);
}

/* From parents to children until nothing changes; a tree is rarely deep. */
static void spread(struct procs *procs) {
	bool changed = true;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < procs->count; i++) {
			if (procs->at[i].member) continue;
			const struct proc *parent = find(procs, procs->at[i].parent);
			if (parent && parent->member) procs->at[i].member = changed = true;
		}
	}
}

size_t procs_walk(const struct procs_question *question,
	void (*visit)(void *user, pid_t pid, uint64_t start_time), void *user) {
	struct procs procs;
	size_t members = 0, size = arguments_max();
	char *room = xmalloc(size);

	read_all(&procs);
	for (size_t i = 0; i < procs.count; i++)
		procs.at[i].member = is_member(&procs, question, &procs.at[i], room, size);
	spread(&procs);
	for (size_t i = 0; i < procs.count; i++) {
		if (!procs.at[i].member) continue;
		members++;
		if (visit) visit(user, procs.at[i].pid, procs.at[i].start_time);
	}
	free(procs.at);
	free(room);
	return members;
}

/* ---- one of them ---- */

bool procs_has_pidfd(void) {
	return false;
}

void procs_signal(pid_t pid, uint64_t start_time, int signum) {
	if (process_start_time(pid) == start_time) kill(pid, signum);
}

/* Orphans go to launchd: nothing to become. They are found by their mark. */
int procs_become_reaper(struct err *err) {
	(void)err;
	return 0;
}

/* A pipe there grows by itself, up to 64 KiB. */
void procs_size_pipe(int fd) {
	(void)fd;
}

int procs_peer_uid(int fd, uid_t *uid) {
	gid_t gid;

	return getpeereid(fd, uid, &gid);
}
