/* There are no cgroups: nothing is opened, so nobody has a leaf, and the rest answers for none. Groups are
 * told by mark and session (procs_macos.c), limits of memory and processor are not kept. */
#include "process/internal.h"

#include <stdlib.h>

struct cgroups *cgroups_open(bool managed) {
	(void)managed;
	return NULL;
}

void cgroups_close(struct cgroups *cgroups) {
	(void)cgroups;
}

const char *cgroups_base(const struct cgroups *cgroups) {
	(void)cgroups;
	return NULL;
}

bool cgroups_can_kill(const struct cgroups *cgroups) {
	(void)cgroups;
	return false;
}

char *cgroups_leaf(struct cgroups *cgroups, const char *unit, const char *id, bool make) {
	(void)cgroups;
	(void)unit;
	(void)id;
	(void)make;
	return NULL;
}

unsigned cgroup_limit(struct cgroups *cgroups, const char *leaf, int64_t memory_max_bytes,
	int64_t cpu_max_percent) {
	(void)cgroups;
	(void)leaf;
	(void)memory_max_bytes;
	(void)cpu_max_percent;
	return 0;
}

int cgroup_procs_fd(const char *leaf) {
	(void)leaf;
	return -1;
}

bool cgroup_populated(const char *leaf) {
	(void)leaf;
	return false;
}

bool cgroup_holds(const char *leaf, pid_t pid) {
	(void)leaf;
	(void)pid;
	return false;
}

void cgroup_signal(struct cgroups *cgroups, const char *leaf, int signum) {
	(void)cgroups;
	(void)leaf;
	(void)signum;
}

int cgroups_oom_fd(const struct cgroups *cgroups) {
	(void)cgroups;
	return -1;
}

void cgroups_oom_read(struct cgroups *cgroups) {
	(void)cgroups;
}

void cgroup_watch_oom(struct cgroups *cgroups, const char *leaf) {
	(void)cgroups;
	(void)leaf;
}

int64_t cgroup_leaf_oom_kills(const char *leaf) {
	(void)leaf;
	return -1;
}

int64_t cgroup_oom_kills(struct cgroups *cgroups, const char *leaf) {
	(void)cgroups;
	(void)leaf;
	return -1;
}

int cgroup_remove(const char *leaf) {
	(void)leaf;
	return 0;
}
