/*
 * Goes with the programs of builds with a sanitizer, which tells of memory alone: a program that ends well, exit status 0, has closed
 * what it opened. Says so and ends with the status that sanitizers end with in tests.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FDS_MAX = 1024, STATUS = 99 };

/* libuv's: closes what it keeps for all loops, as its destructor would a moment later. */
extern void uv_library_shutdown(void) __attribute__((weak));

static bool born_with[FDS_MAX];

static int each_open(int (*see)(int fd)) {
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	int seen = 0;

	while (folder && (entry = readdir(folder))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);
		if (entry->d_name[0] != '.' && fd != dirfd(folder) && fd < FDS_MAX) seen += see(fd);
	}
	if (folder) closedir(folder);
	return seen;
}

static int note(int fd) {
	born_with[fd] = true;
	return 0;
}

static int judge(int fd) {
	char link[64], path[256];

	if (born_with[fd]) return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path));
	fprintf(stderr, "ERROR: DescriptorSanitizer: %d is open at the end: %.*s\n", fd,
		length < 0 ? 0 : (int)length, path);
	return 1;
}

static void ended(int status, void *unused) {
	(void)unused;
	if (status) return;
	if (uv_library_shutdown) uv_library_shutdown();
	if (each_open(judge)) _exit(STATUS);
}

/* Noted before all others, so asked after them. */
__attribute__((constructor)) static void began(void) {
	each_open(note);
	on_exit(ended, NULL);
}
