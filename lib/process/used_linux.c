/*
 * What sessions use, from one walk over /proc: a child of ours leads a session of its own, and what
 * it starts stays in it unless it calls setsid itself. Time of processes that ended is in their
 * parents' (proc(5), cutime), so a session's time only grows while its leader lives.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"

enum { STAT_MAX = 1024 };

/* proc(5): fields behind the name, the state is the first. */
enum { SESSION = 3, USER = 11, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM, PAGES = 21, FIELDS };

struct line {
	int64_t fields[FIELDS];
};

static int read_line(const char *pid, struct line *line) {
	char path[300], text[STAT_MAX];

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0) return -1;
	text[got] = '\0';
	/* The name in parentheses may hold anything. */
	const char *rest = strrchr(text, ')');
	if (!rest) return -1;
	for (size_t i = 0; i < FIELDS; i++) {
		rest = strchr(rest, ' ');
		if (!rest) return -1;
		line->fields[i] =
			strtoll(++rest, NULL, 10); /* 0 for the state, which is a letter */
	}
	return 0;
}

static int64_t ticks_of(const struct line *line) {
	const int64_t *fields = line->fields;

	return fields[USER] + fields[SYSTEM] + fields[CHILDREN_USER] + fields[CHILDREN_SYSTEM];
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
			if (used[i].session != line.fields[SESSION]) continue;
			used[i].memory_bytes += line.fields[PAGES] * page_bytes;
			used[i].cpu_ms += ticks_of(&line) * 1000 / ticks_s;
		}
	}
	if (folder) closedir(folder);
}
