/* Processes by proc(5), below a root that is a folder of its own in tests. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power/idle.h"

enum { STAT_MAX = 4096, ENVIRON_MAX = 64 << 10, NO_LOGIN = -1 };

/* The name may hold anything, so fields are counted from its last ')'. */
static int read_stat(const char *text, struct idle_proc *proc) {
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open || close[1] != ' ') return -1;
	size_t len = (size_t)(close - open - 1);
	if (len >= sizeof(proc->name)) len = sizeof(proc->name) - 1;
	memcpy(proc->name, open + 1, len);
	proc->name[len] = '\0';
	if (close[2] == 'Z' || close[2] == 'X') return -1;
	char *rest = (char *)(uintptr_t)(close + 3);
	long long fields[23] = { 0 };
	for (int number = 4; number <= 22; number++) fields[number] = strtoll(rest, &rest, 10);
	proc->pid = (pid_t)strtol(text, NULL, 10);
	proc->parent = (pid_t)fields[4];
	proc->group = (pid_t)fields[5];
	proc->session = (pid_t)fields[6];
	proc->tty = (uint64_t)(uint32_t)fields[7];
	proc->foreground = (pid_t)fields[8];
	long hz = sysconf(_SC_CLK_TCK);
	uint64_t ticks = (uint64_t)(fields[14] + fields[15]);
	proc->ticks = hz > 0 ? ticks * IDLE_TICKS / (uint64_t)hz : ticks;
	proc->start = (uint64_t)fields[22];
	return 0;
}

static void read_one(const char *root, const char *pid, struct idle_procs *procs) {
	char *folder = xasprintf("proc/%s", pid), *path = path_join(folder, "stat");
	char *text = idle_file(root, path, STAT_MAX);
	struct idle_proc proc = { .foreground = -1 };
	struct stat st;
	if (text && read_stat(text, &proc) == 0) {
		char *where = path_join(root, folder);
		if (stat(where, &st) == 0) proc.uid = st.st_uid;
		free(where);
		free(path);
		path = path_join(folder, "loginuid");
		char *login = idle_file(root, path, 32);
		/* -1 as an unsigned number: nobody logged in. */
		proc.login = login &&
			     strtoul(login, NULL, 10) != (unsigned long)(uint32_t)NO_LOGIN &&
			     *login;
		free(login);
		*idle_procs_add(procs) = proc;
	}
	free(text);
	free(path);
	free(folder);
}

int idle_procs_read(const char *root, struct idle_procs *procs) {
	char *path = path_join(root, "proc");
	DIR *folder = opendir(path);
	struct dirent *entry;
	free(path);
	if (!folder) return -1;
	while ((entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0])) read_one(root, entry->d_name, procs);
	closedir(folder);
	return procs->count ? 0 : -1;
}

/* cgroup says it where the keeper has one; the mark in the environment where not. */
bool idle_proc_is_ours(const char *root, const struct idle_proc *proc) {
	if (proc->pid == getpid() || str_equal(proc->name, "tendd") ||
		str_equal(proc->name, "tend-keeper") || str_equal(proc->name, "tend"))
		return true;
	char *path = xasprintf("proc/%d/cgroup", (int)proc->pid);
	char *text = idle_file(root, path, STAT_MAX);
	bool ours = text && strstr(text, "/tend-services.service");
	free(text);
	free(path);
	if (ours) return true;
	char *name = xasprintf("/proc/%d/environ", (int)proc->pid), *whole = path_join(root, name);
	FILE *file = fopen(whole, "re");
	char *bytes = xmalloc(ENVIRON_MAX);
	size_t len = file ? fread(bytes, 1, ENVIRON_MAX, file) : 0;
	if (file) fclose(file);
	for (char *at = bytes; !ours && at < bytes + len;) {
		size_t rest = len - (size_t)(at - bytes);
		ours = rest > 9 && memcmp(at, "TEND_RUN=", 9) == 0;
		const char *end = memchr(at, '\0', rest);
		at = end ? (char *)(uintptr_t)end + 1 : bytes + len;
	}
	free(bytes);
	free(whole);
	free(name);
	return ours;
}

static int64_t number_behind(const char *text, const char *word) {
	const char *at = text ? strstr(text, word) : NULL;
	return at ? strtoll(at + strlen(word), NULL, 10) : -1;
}

int64_t idle_proc_switches(const char *root, pid_t pid) {
	char *path = xasprintf("proc/%d/status", (int)pid);
	char *text = idle_file(root, path, 8 * STAT_MAX);
	int64_t count = number_behind(text, "\nvoluntary_ctxt_switches:");
	free(text);
	free(path);
	return count;
}

int64_t idle_proc_bytes(const char *root, pid_t pid) {
	char *path = xasprintf("proc/%d/io", (int)pid);
	char *text = idle_file(root, path, STAT_MAX);
	int64_t in = number_behind(text, "rchar:"), out = number_behind(text, "wchar:");
	free(text);
	free(path);
	return in < 0 || out < 0 ? -1 : in + out;
}

int64_t idle_uptime_ms(const char *root) {
	char *text = idle_file(root, "proc/uptime", 64), *end = text;
	double seconds = text ? strtod(text, &end) : 0;
	int64_t ms = text && end != text && seconds >= 0 ? (int64_t)(seconds * 1000) : -1;
	free(text);
	return ms;
}
