/* Processes by sysctl(3) and proc_pidinfo. What the system does not tell of others is said to be unknown. */
#include <libproc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "power/idle.h"

static struct kinfo_proc *list(size_t *count) {
	int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_ALL };
	size_t size = 0;
	*count = 0;
	if (sysctl(name, 3, NULL, &size, NULL, 0) != 0) return NULL;
	size += size / 4; /* some may be born meanwhile */
	struct kinfo_proc *procs = xmalloc(size);
	if (sysctl(name, 3, procs, &size, NULL, 0) != 0) {
		free(procs);
		return NULL;
	}
	*count = size / sizeof(*procs);
	return procs;
}

int idle_procs_read(const char *root, struct idle_procs *procs) {
	size_t count;
	struct kinfo_proc *all = list(&count);
	(void)root;
	for (size_t i = 0; all && i < count; i++) {
		struct proc_taskinfo task;
		struct idle_proc *proc = idle_procs_add(procs);
		proc->pid = all[i].kp_proc.p_pid;
		proc->parent = all[i].kp_eproc.e_ppid;
		proc->group = all[i].kp_eproc.e_pgid;
		proc->session = getsid(proc->pid);
		proc->tty = all[i].kp_eproc.e_tdev == NODEV
				    ? 0
				    : (uint64_t)(uint32_t)all[i].kp_eproc.e_tdev;
		proc->foreground = all[i].kp_eproc.e_tpgid;
		proc->start = (uint64_t)all[i].kp_proc.p_starttime.tv_sec;
		proc->uid = all[i].kp_eproc.e_ucred.cr_uid;
		memccpy(proc->name, all[i].kp_proc.p_comm, '\0', sizeof(proc->name) - 1);
		if (proc_pidinfo(proc->pid, PROC_PIDTASKINFO, 0, &task, sizeof(task)) ==
			sizeof(task))
			proc->ticks = (task.pti_total_user + task.pti_total_system) /
				      (NS_PER_S / IDLE_TICKS);
	}
	free(all);
	return procs->count ? 0 : -1;
}

/* KERN_PROCARGS2 has the environment behind the arguments, each with its NUL. */
bool idle_proc_is_ours(const char *root, const struct idle_proc *proc) {
	int name[] = { CTL_KERN, KERN_PROCARGS2, proc->pid };
	size_t size = 256 << 10;
	(void)root;
	if (proc->pid == getpid() || str_equal(proc->name, "tendd") ||
		str_equal(proc->name, "tend-keeper"))
		return true;
	char *bytes = xmalloc(size);
	bool ours = sysctl(name, 3, bytes, &size, NULL, 0) == 0 &&
		    memmem(bytes, size, "\0TEND_RUN=", 10);
	free(bytes);
	return ours;
}

int64_t idle_proc_switches(const char *root, pid_t pid) {
	struct proc_taskinfo task;
	(void)root;
	if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &task, sizeof(task)) != sizeof(task)) return -1;
	return task.pti_csw;
}

int64_t idle_proc_bytes(const char *root, pid_t pid) {
	(void)root;
	(void)pid;
	return -1; /* no system call tells bytes of sockets */
}

int64_t idle_uptime_ms(const char *root) {
	int name[] = { CTL_KERN, KERN_BOOTTIME };
	struct timeval boot;
	size_t size = sizeof(boot);
	(void)root;
	if (sysctl(name, 2, &boot, &size, NULL, 0) != 0 || boot.tv_sec == 0) return -1;
	int64_t seconds = (int64_t)time(NULL) - boot.tv_sec;
	return seconds > 0 ? seconds * 1000 : 0;
}
