/* A line to everybody's terminal, as wall(1) does; its own look at who is there would not see a tmux pane. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power/idle.h"

enum { TERMINALS_MAX = 4096 };

/* `mesg n` takes the group's right away. A terminal that somebody stopped must not hold us. */
static bool tell_one(const char *path, const char *text) {
	struct stat st;
	int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return false;
	bool open_to_us = fstat(fd, &st) == 0 && (st.st_mode & S_IWGRP);
	bool told = open_to_us && write(fd, text, strlen(text)) > 0;
	close(fd);
	return told;
}

size_t idle_terminals_tell(const char *root, const char *text) {
	char *path = path_join(root, "dev/pts"), *whole = xasprintf("\r\n\a%s\r\n", text);
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t told = 0;
	for (int i = 0; folder && i < TERMINALS_MAX && (entry = readdir(folder)); i++) {
		if (!isdigit((unsigned char)entry->d_name[0])) continue;
		char *terminal = path_join(path, entry->d_name);
		if (tell_one(terminal, whole)) told++;
		free(terminal);
	}
	if (folder) closedir(folder);
	free(whole);
	free(path);
	return told;
}
