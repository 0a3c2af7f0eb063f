/*
 * What sessions use, from one walk over /proc: a child of ours leads a session of its own, and what
 * it starts stays in it unless it calls setsid itself. Time of processes that ended is in their
 * parents' (proc(5), cutime), so a session's time only grows while its leader lives.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"

enum { STAT_MAX = 1024 };

struct line {
	int session;
	uint64_t ticks;
	int64_t pages;
};

static int read_line(const char *pid, struct line *line) {
	char path[300], text[STAT_MAX];
	unsigned long long user, system, children_user, children_system;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0) return -1;
	text[got] = '\0';
	/* The name in parentheses may hold anything. */
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			     " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d "
			     "%*d %*d "
			     "%*d %*u %*u %" SCNd64,
			     &line->session, &user, &system, &children_user, &children_system,
			     &line->pages) != 6)
		return -1;
	line->ticks = user + system + children_user + children_system;
	return 0;
}

void process_used_read(struct process_used *used, size_t count) {
	const int64_t page_bytes = sysconf(_SC_PAGESIZE), ticks_s = sysconf(_SC_CLK_TCK);
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	struct line line;

	for (size_t i = 0; i < count; i++) used[i].memory_bytes = used[i].cpu_ms = 0;
	while (folder && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || read_line(entry->d_name, &line))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (used[i].session != line.session) continue;
			used[i].memory_bytes += line.pages * page_bytes;
			used[i].cpu_ms += (int64_t)(line.ticks * 1000 / (uint64_t)ticks_s);
		}
	}
	if (folder) closedir(folder);
}
