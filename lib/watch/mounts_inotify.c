/*
 * What is mounted below a tree meanwhile: inotify is silent about it, and goes on watching what lies hidden below. The kernel marks
 * /proc/self/mountinfo then (proc(5)); it is looked at with the events and at each barrier, not waited for: others' mounts, of
 * containers say, are none of ours, and would wake an idle daemon.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch/inotify.h"

#define MOUNTS_PATH "/proc/self/mountinfo"

/* "\040" for a space, and the like. */
static void unescape(char *text) {
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static void report(struct inotify *self, const char *point) {
	list_each(&self->watches, link) {
		struct watch *watch = container_of(link, struct watch, link);
		const char *root = watch->root_path;
		size_t length = str_equal(root, "/") ? 0 : strlen(root);
		if (strncmp(point, root, length) == 0 && point[length] == '/' && point[length + 1])
			watch_report(watch, WATCH_FOLDER_NEW, point + length + 1, NULL);
	}
}

/* Those that were not there before are told, unless `first`. */
static void read_mounts(struct inotify *self, bool first) {
	FILE *file = fopen(MOUNTS_PATH, "re");
	char *line = NULL, *point;
	size_t room = 0;
	struct map now;

	if (!file) return;
	map_init(&now);
	while (getline(&line, &room, file) > 0) {
		/* 36 35 98:0 /root /point options... */
		char *id = strtok_r(line, " ", &point);
		for (int i = 0; i < 3; i++) strtok_r(NULL, " ", &point);
		point = strtok_r(NULL, " ", &point);
		if (!id || !point) continue;
		unescape(point);
		char *key = xasprintf("%s %s", id, point);
		if (!first && !map_get(&self->mounts, key)) report(self, point);
		map_put(&now, key, self);
		free(key);
	}
	free(line);
	(void)fclose(file);
	map_release(&self->mounts);
	self->mounts = now;
}

void mounts_begin(struct inotify *self) {
	map_init(&self->mounts);
	self->mounts_fd = open(MOUNTS_PATH, O_RDONLY | O_CLOEXEC);
	if (self->mounts_fd >= 0) read_mounts(self, true);
}

void mounts_look(struct inotify *self) {
	struct pollfd marked = { .fd = self->mounts_fd, .events = POLLPRI };

	if (self->mounts_fd >= 0 && poll(&marked, 1, 0) > 0) read_mounts(self, false);
}

void mounts_end(struct inotify *self) {
	if (self->mounts_fd >= 0) (void)close(self->mounts_fd);
	map_release(&self->mounts);
}
