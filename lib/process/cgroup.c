/*
 * cgroup v2, where there is one that we may write: the exact answer to "what belongs to this run".
 * Under systemd the groups lie in our delegated unit beside keeper/, elsewhere in a folder tend/
 * below our own group. On hybrid systems, common on rented GPU machines, v2 is mounted at
 * /sys/fs/cgroup/unified.
 */
#include "process/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { CGROUP2_MAGIC = 0x63677270, FILE_MAX = 1 << 16, CPU_PERIOD_US = 100000 };

struct cgroups {
	char *own;    /* the group we were born in */
	char *base;   /* leaves lie in it */
	char *keeper; /* where we moved; NULL: we did not */
	bool can_kill;
	int oom_fd; /* inotify; -1: none */
};

/* A small file of the kernel's, whole. The caller's; NULL. */
static char *read_text(const char *folder, const char *name) {
	char *path = path_join(folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd < 0) return NULL;
	char *text = xmalloc(FILE_MAX);
	size_t len = 0;
	ssize_t got;
	while (len < FILE_MAX - 1 && (got = read(fd, text + len, FILE_MAX - 1 - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	close(fd);
	return text;
}

static int write_text(const char *folder, const char *name, const char *text) {
	char *path = path_join(folder, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	free(path);
	if (fd < 0) return -1;
	ssize_t wrote = write(fd, text, strlen(text));
	close(fd);
	return wrote == (ssize_t)strlen(text) ? 0 : -1;
}

static bool writable(const char *folder) {
	char *path = path_join(folder, "cgroup.procs");
	bool yes = access(path, W_OK) == 0;
	free(path);
	return yes;
}

static const char *find_mount(void) {
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct statfs fs;
		if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_MAGIC) return places[i];
	}
	return NULL;
}

/* The line "0::/path" of a process' cgroup file, as the folder it stands for. The caller's. */
static char *find_group(const char *process) {
	const char *mount = find_mount();
	char *text = mount ? read_text(process, "cgroup") : NULL;
	char *own = NULL;
	char *line = text;
	while (line && *line && !str_starts(line, "0::")) {
		line = strchr(line, '\n');
		if (line) line++;
	}
	if (line && *line) {
		line[strcspn(line, "\n")] = '\0';
		/* "/../x": it lies outside of what this container sees. */
		if (!strstr(line, "/..")) own = path_join(mount, line + 4);
	}
	free(text);
	return own;
}

struct cgroups *cgroups_open(bool managed) {
	char *own = process_without("cgroup") ? NULL : find_group("/proc/self");
	if (!own || !writable(own)) goto none;
	struct cgroups *cgroups = xcalloc(1, sizeof(*cgroups));
	cgroups->own = own;
	cgroups->oom_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	cgroups->base = managed ? xstrdup(own) : path_join(own, "tend");
	if (managed) {
		/* A group with controllers below it may hold no process of its own. */
		cgroups->keeper = path_join(own, "keeper");
		if (mkdir(cgroups->keeper, 0755) != 0 && errno != EEXIST) goto failed;
		if (write_text(cgroups->keeper, "cgroup.procs", "0") != 0) goto failed;
	} else if (mkdir(cgroups->base, 0755) != 0 && errno != EEXIST) {
		goto failed;
	}
	if (!writable(cgroups->base)) goto failed;
	struct stat st;
	char *kill_file = path_join(managed ? cgroups->keeper : cgroups->base, "cgroup.kill");
	cgroups->can_kill = stat(kill_file, &st) == 0 && !process_without("cgroup.kill");
	free(kill_file);
	return cgroups;
failed:
	log_debug("no cgroups: '%s' cannot be used: %s", cgroups->base, strerror(errno));
	cgroups_close(cgroups);
	return NULL;
none:
	free(own);
	return NULL;
}

void cgroups_close(struct cgroups *cgroups) {
	if (!cgroups) return;
	if (!cgroups->keeper) rmdir(cgroups->base); /* refused while anybody's leaf is in it */
	if (cgroups->oom_fd >= 0) close(cgroups->oom_fd);
	free(cgroups->own);
	free(cgroups->base);
	free(cgroups->keeper);
	free(cgroups);
}

const char *cgroups_base(const struct cgroups *cgroups) {
	return cgroups->base;
}

bool cgroups_can_kill(const struct cgroups *cgroups) {
	return cgroups->can_kill;
}

/* "service:jupyter" and its run give "service-jupyter.5f1c09ab5f1c": readable in systemd-cgls,
 * never used twice. */
char *cgroups_leaf(struct cgroups *cgroups, const char *unit, const char *id, bool make) {
	char *name = xasprintf("%.200s.%.12s", unit, id);
	for (char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at)) *at = '-';
	char *leaf = path_join(cgroups->base, name);
	free(name);
	struct stat st;
	/* Another keeper that lived here may have taken the folder along when it ended. */
	if (make && !cgroups->keeper) mkdir(cgroups->base, 0755);
	if (make ? mkdir(leaf, 0755) == 0 || errno == EEXIST : stat(leaf, &st) == 0) return leaf;
	free(leaf);
	return NULL;
}

/* Only when somebody asks for it: a unit with controllers below it cannot be entered any more, and they cost a little each. Outside of a
 * delegated unit the group we were born in has processes of its own, and the kernel refuses. */
static void enable(const struct cgroups *cgroups, const char *controller) {
	if (!cgroups->keeper) write_text(cgroups->own, "cgroup.subtree_control", controller);
	if (write_text(cgroups->base, "cgroup.subtree_control", controller) != 0)
		log_debug("no controller %s below '%s': %s", controller, cgroups->base,
			strerror(errno));
}

static bool put_limit(struct cgroups *cgroups, const char *leaf, const char *controller,
	const char *name, const char *value) {
	struct stat st;
	char *path = path_join(leaf, name);
	if (stat(path, &st) != 0) enable(cgroups, controller);
	free(path);
	return write_text(leaf, name, value) == 0;
}

unsigned cgroup_limit(struct cgroups *cgroups, const char *leaf, int64_t memory_max_bytes,
	int64_t cpu_max_percent) {
	char value[64];
	unsigned limited = 0;
	if (process_without("controllers")) return 0;
	if (memory_max_bytes > 0) {
		snprintf(value, sizeof(value), "%lld", (long long)memory_max_bytes);
		if (put_limit(cgroups, leaf, "+memory", "memory.max", value))
			limited |= PROCESS_LIMITED_MEMORY;
	}
	if (cpu_max_percent > 0) {
		snprintf(value, sizeof(value), "%lld %d",
			(long long)cpu_max_percent * (CPU_PERIOD_US / 100), CPU_PERIOD_US);
		if (put_limit(cgroups, leaf, "+cpu", "cpu.max", value))
			limited |= PROCESS_LIMITED_CPU;
	}
	return limited;
}

int cgroup_procs_fd(const char *leaf) {
	char *path = path_join(leaf, "cgroup.procs");
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	free(path);
	return fd;
}

bool cgroup_populated(const char *leaf) {
	char *text = read_text(leaf, "cgroup.events");
	bool yes = text && strstr(text, "populated 1");
	free(text);
	return yes;
}

bool cgroup_holds(const char *leaf, pid_t pid) {
	char process[32];
	snprintf(process, sizeof(process), "/proc/%d", (int)pid);
	char *group = find_group(process);
	size_t len = strlen(leaf);
	bool yes = group && strncmp(group, leaf, len) == 0 &&
		   (group[len] == '\0' || group[len] == '/');
	free(group);
	return yes;
}

static void signal_each(const char *leaf, int signum) {
	char *text = read_text(leaf, "cgroup.procs");
	for (char *line = text; line && *line;) {
		char *end = strchr(line, '\n');
		if (end) *end = '\0';
		int64_t pid;
		if (str_to_int(line, 1, INT32_MAX, &pid) == 0) {
			uint64_t start_time = process_start_time((pid_t)pid);
			if (start_time) procs_signal((pid_t)pid, start_time, signum);
		}
		line = end ? end + 1 : NULL;
	}
	free(text);
}

void cgroup_signal(struct cgroups *cgroups, const char *leaf, int signum) {
	if (signum == SIGKILL && cgroups->can_kill && write_text(leaf, "cgroup.kill", "1") == 0)
		return;
	/* Whoever is born between reading and killing is met by the next round: see children.c. */
	signal_each(leaf, signum);
}

int cgroups_oom_fd(const struct cgroups *cgroups) {
	return cgroups->oom_fd;
}

/* Which leaf it was is of no use: several may have changed, and to look costs little. */
void cgroups_oom_read(struct cgroups *cgroups) {
	char events[4096];
	while (read(cgroups->oom_fd, events, sizeof(events)) > 0) {
	}
}

/* The kernel takes the watch away with the leaf. */
void cgroup_watch_oom(struct cgroups *cgroups, const char *leaf) {
	char *path = path_join(leaf, "memory.events");
	inotify_add_watch(cgroups->oom_fd, path, IN_MODIFY);
	free(path);
}

static int64_t oom_kills_in(const char *folder) {
	char *text = read_text(folder, "memory.events");
	const char *at = text ? strstr(text, "oom_kill ") : NULL;
	int64_t kills = at ? strtoll(at + strlen("oom_kill "), NULL, 10) : -1;
	free(text);
	return kills;
}

int64_t cgroup_leaf_oom_kills(const char *leaf) {
	return oom_kills_in(leaf);
}

/* Of the leaf where the memory controller reaches it, else of our whole unit. -1: nobody counts. */
int64_t cgroup_oom_kills(struct cgroups *cgroups, const char *leaf) {
	int64_t kills = leaf ? oom_kills_in(leaf) : -1;
	return kills >= 0 || !cgroups ? kills : oom_kills_in(cgroups->own);
}

int cgroup_remove(const char *leaf) {
	return rmdir(leaf) == 0 || errno == ENOENT ? 0 : -1;
}
