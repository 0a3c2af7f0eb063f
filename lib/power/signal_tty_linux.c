/* Terminals below /dev/pts, and the consoles. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "power/idle.h"

enum { TERMINALS_MAX = 4096, MAJOR_PTS = 136, MAJOR_CONSOLE = 4, CONSOLES = 6 };

static int64_t nanoseconds(const struct timespec *time) {
	return time->tv_sec * NS_PER_S + time->tv_nsec;
}

/* As proc(5) has it in a process's tty_nr: said by the name, since a test's terminals are plain files. */
static uint64_t number_of(unsigned major, unsigned minor) {
	major += minor >> 8;
	return (uint64_t)major << 8 | (minor & 0xff);
}

static void add(struct idle_sample *sample, const char *name, uint64_t number) {
	struct idle_terminals *terminals = &sample->terminals;
	char *folder = path_join(sample->root, "dev"), *path = path_join(folder, name);
	struct stat st;
	free(folder);
	if (stat(path, &st) == 0 && terminals->count < TERMINALS_MAX) {
		terminals->at =
			xrealloc(terminals->at, (terminals->count + 1) * sizeof(*terminals->at));
		struct idle_terminal *terminal = &terminals->at[terminals->count++];
		*terminal = (struct idle_terminal){ .number = number };
		snprintf(terminal->name, sizeof(terminal->name), "%s", name);
		terminal->input_age_ms = signal_tty_age(nanoseconds(&st.st_atim), sample->wall_ns);
		terminal->output_age_ms = signal_tty_output_age(
			nanoseconds(&st.st_mtim), sample->wall_ns, sample->warned_ns);
	}
	free(path);
}

void signal_tty_list(struct idle_sample *sample) {
	char *path = path_join(sample->root, "dev/pts");
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[24];
	int64_t minor;
	free(path);
	sample->terminals.failed = !folder;
	while (folder && (entry = readdir(folder))) {
		if (str_to_int(entry->d_name, 0, 1 << 20, &minor)) continue;
		snprintf(name, sizeof(name), "pts/%d", (int)minor);
		add(sample, name, number_of(MAJOR_PTS, (unsigned)minor));
	}
	if (folder) closedir(folder);
	for (unsigned i = 1; i <= CONSOLES; i++) {
		snprintf(name, sizeof(name), "tty%u", i);
		add(sample, name, number_of(MAJOR_CONSOLE, i));
	}
}
