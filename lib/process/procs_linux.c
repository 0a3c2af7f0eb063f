/*
 * Who belongs to a run, read from /proc: the way without cgroups, and the way to find what a dead
 * keeper left. A process is a member when it carries the mark in its environment, is the known main
 * process (pid and start time agree), shares main's session, or descends from a member.
 */
#include "process/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENVIRON_MAX = 4 << 20 }; /* more than the kernel lets anyone pass */

struct proc {
	pid_t pid, parent, session;
	uint64_t start_time;
	char state;
	bool below; /* the reaper is among its ancestors */
	bool member;
};

struct procs {
	struct proc *at;
	size_t count, room;
};

static ssize_t read_file(const char *path, char *bytes, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	ssize_t got = read(fd, bytes, size - 1);
	close(fd);
	bytes[got > 0 ? got : 0] = '\0';
	return got;
}

/* proc(5): the name in parentheses may hold anything, so the fields are counted from the last ')'.
 */
static int read_stat(pid_t pid, struct proc *proc) {
	char path[64];
	char text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_file(path, text, sizeof(text)) <= 0) return -1;
	char *at = strrchr(text, ')');
	if (!at || at[1] != ' ') return -1;
	*proc = (struct proc){ .pid = pid, .state = at[2] };
	char *rest = at + 3;
	unsigned long long field = 0;
	for (int number = 4; number <= 22; number++) {
		field = strtoull(rest, &rest, 10); /* negative ones wrap; none of ours is */
		if (number == 4) proc->parent = (pid_t)field;
		if (number == 6) proc->session = (pid_t)field;
	}
	proc->start_time = field;
	return 0;
}

uint64_t procs_start_time(pid_t pid) {
	struct proc proc;
	return read_stat(pid, &proc) == 0 ? proc.start_time : 0;
}

static bool is_dead(const struct proc *proc) {
	return proc->state == 'Z' || proc->state == 'X';
}

uint64_t process_start_time(pid_t pid) {
	struct proc proc;
	return read_stat(pid, &proc) == 0 && !is_dead(&proc) ? proc.start_time : 0;
}

const char *process_boot_id(void) {
	static char id[64];
	if (!id[0]) {
		if (read_file("/proc/sys/kernel/random/boot_id", id, sizeof(id)) <= 0)
			snprintf(id, sizeof(id), "unknown");
		id[strcspn(id, "\n")] = '\0';
	}
	return id;
}

/* The mark is the first variable unless the program moved its environment about, so one page is
 * mostly enough. */
static bool carries_mark(pid_t pid, const char *run) {
	char path[64];
	char mark[16 + PROCESS_RUN_SIZE];
	char page[8192];
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	size_t mark_len =
		(size_t)snprintf(mark, sizeof(mark), "TEND_RUN=%s", run) + 1; /* its NUL too */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return false;
	bool found = false;
	size_t kept = 0; /* the end of the page before, where a mark may have begun */
	bool first = true;
	for (size_t total = 0; !found && total < ENVIRON_MAX;) {
		ssize_t got = read(fd, page + kept, sizeof(page) - kept);
		if (got <= 0) break;
		total += (size_t)got;
		size_t len = kept + (size_t)got;
		char *at = memmem(page, len, mark, mark_len);
		while (at && !((at == page && first) || (at > page && at[-1] == '\0')))
			at = memmem(at + 1, len - (size_t)(at + 1 - page), mark, mark_len);
		found = at != NULL;
		first = false;
		kept = len < mark_len ? len : mark_len;
		memmove(page, page + len - kept, kept);
	}
	close(fd);
	return found;
}

static int by_pid(const void *left, const void *right) {
	pid_t a = ((const struct proc *)left)->pid;
	pid_t b = ((const struct proc *)right)->pid;
	return (a > b) - (a < b);
}

static struct proc *find(struct procs *procs, pid_t pid) {
	struct proc key = { .pid = pid };
	return bsearch(&key, procs->at, procs->count, sizeof(key), by_pid);
}

static void read_all(struct procs *procs) {
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		int64_t pid;
		struct proc proc;
		if (str_to_int(entry->d_name, 1, INT32_MAX, &pid) != 0) continue;
		if (pid == getpid() || read_stat((pid_t)pid, &proc) != 0) continue;
		if (is_dead(&proc)) continue;
		if (procs->count == procs->room) {
			procs->room = procs->room ? 2 * procs->room : 256;
			procs->at = xrealloc(procs->at, procs->room * sizeof(*procs->at));
		}
		procs->at[procs->count++] = proc;
	}
	if (dir) closedir(dir);
	if (procs->count > 0) qsort(procs->at, procs->count, sizeof(*procs->at), by_pid);
}

/* Spreads a property from parents to children until nothing changes; a tree is rarely deep. */
static void spread(struct procs *procs, pid_t root, size_t field) {
	bool changed = true;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < procs->count; i++) {
			struct proc *proc = &procs->at[i];
			bool *has = (bool *)((char *)proc + field);
			if (*has) continue;
			const struct proc *parent = find(procs, proc->parent);
			bool *above = parent ? (bool *)((char *)parent + field) : NULL;
			if ((root && proc->parent == root) || (above && *above))
				*has = changed = true;
		}
	}
}

/* A session is only ours while it is below our reaper: its number may have been given to another
 * after main was reaped. */
static bool is_member(
	struct procs *procs, const struct procs_question *question, const struct proc *proc) {
	if (question->main && proc->pid == question->main)
		return proc->start_time == question->main_start;
	if (question->reaper && question->main && proc->session == question->main) {
		const struct proc *leader = find(procs, question->main);
		if (!leader || leader->start_time == question->main_start) return true;
	}
	return carries_mark(proc->pid, question->run);
}

size_t procs_walk(const struct procs_question *question,
	void (*visit)(void *user, pid_t pid, uint64_t start_time), void *user) {
	struct procs procs = { 0 };
	size_t members = 0;
	read_all(&procs);
	if (question->reaper) spread(&procs, question->reaper, offsetof(struct proc, below));
	for (size_t i = 0; i < procs.count; i++) {
		struct proc *proc = &procs.at[i];
		/* Reading a foreign process' environment may hang on its memory: keep to our own
		 * where we can. */
		if (question->reaper && !proc->below) continue;
		proc->member = is_member(&procs, question, proc);
	}
	spread(&procs, 0, offsetof(struct proc, member));
	for (size_t i = 0; i < procs.count; i++) {
		if (!procs.at[i].member) continue;
		members++;
		if (visit) visit(user, procs.at[i].pid, procs.at[i].start_time);
	}
	free(procs.at);
	return members;
}

bool procs_has_pidfd(void) {
	static int has = -1;
	if (has < 0) {
		int fd = process_without("pidfd") ? -1 : (int)syscall(SYS_pidfd_open, getpid(), 0);
		has = fd >= 0;
		if (fd >= 0) close(fd);
	}
	return has;
}

void procs_signal(pid_t pid, uint64_t start_time, int signum) {
	/* With a pidfd the number cannot be given to another between the look and the signal. */
	int fd = procs_has_pidfd() ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (process_start_time(pid) == start_time) {
		if (fd >= 0)
			syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0);
		else
			kill(pid, signum);
	}
	if (fd >= 0) close(fd);
}

int procs_become_reaper(struct err *err) {
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return err_sys(err, errno, "cannot become the parent of orphans");
	return 0;
}

/* From the 65th pipe of 1 MiB on the kernel cuts every new pipe of an ordinary user to 8 KiB. */
void procs_size_pipe(int fd) {
	fcntl(fd, F_SETPIPE_SZ, geteuid() == 0 ? 1 << 20 : 1 << 16);
}

int procs_peer_uid(int fd, uid_t *uid) {
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return -1;
	*uid = peer.uid;
	return 0;
}
