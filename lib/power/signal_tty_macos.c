/* Terminals are /dev/ttysNNN, all there from the boot: one that is nobody's is owned by root. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "power/idle.h"

enum { TERMINALS_MAX = 4096 };

static int64_t nanoseconds(const struct timespec *time) {
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

void signal_tty_list(struct idle_sample *sample) {
	struct idle_terminals *terminals = &sample->terminals;
	DIR *folder = opendir("/dev");
	struct dirent *entry;
	terminals->failed = !folder;
	while (folder && (entry = readdir(folder)) && terminals->count < TERMINALS_MAX) {
		struct stat st;
		char *path = path_join("/dev", entry->d_name);
		if (str_starts(entry->d_name, "ttys") && stat(path, &st) == 0 && st.st_uid != 0) {
			terminals->at = xrealloc(
				terminals->at, (terminals->count + 1) * sizeof(*terminals->at));
			struct idle_terminal *terminal = &terminals->at[terminals->count++];
			*terminal =
				(struct idle_terminal){ .number = (uint64_t)(uint32_t)st.st_rdev };
			snprintf(terminal->name, sizeof(terminal->name), "%.20s", entry->d_name);
			terminal->input_age_ms =
				signal_tty_age(nanoseconds(&st.st_atimespec), sample->wall_ns);
			terminal->output_age_ms = signal_tty_output_age(
				nanoseconds(&st.st_mtimespec), sample->wall_ns, sample->warned_ns);
		}
		free(path);
	}
	if (folder) closedir(folder);
}
