/* One sample: everything that blocks a little (proc, sys, terminals, NVML), read in one job; each signal says what it makes of it. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "power/idle.h"

void idle_say(
	struct idle_answer *answer, enum idle_word word, int64_t age_ms, const char *format, ...) {
	va_list args;
	answer->word = word;
	answer->age_ms = age_ms;
	va_start(args, format);
	vsnprintf(answer->text, sizeof(answer->text), format, args);
	va_end(args);
}

void idle_worse(struct idle_answer *answer, const struct idle_answer *other) {
	static const int weight[] = { [IDLE_IDLE] = 0, [IDLE_UNKNOWN] = 1, [IDLE_ACTIVE] = 2 };
	int ours = weight[answer->word], theirs = weight[other->word];
	/* Of two that say the same the later one is told: it names what was seen. */
	bool younger = other->age_ms < 0 ? answer->age_ms < 0
					 : answer->age_ms < 0 || other->age_ms <= answer->age_ms;
	if (theirs > ours || (theirs == ours && younger)) *answer = *other;
}

char *idle_file(const char *root, const char *path, size_t most) {
	char *whole = path_join(root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	free(whole);
	if (fd < 0) return NULL;
	char *text = xmalloc(most + 1);
	size_t len = 0;
	ssize_t got;
	while (len < most && (got = read(fd, text + len, most - len)) > 0) len += (size_t)got;
	close(fd);
	text[len] = '\0';
	return text;
}

/* ---- what stands in no list of signals ---- */

/* The lock of whoever installs packages; asked for, never taken. */
static void read_dpkg(struct idle_sample *sample) {
	static const char *const locks[] = { "var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock" };
	idle_say(&sample->dpkg, IDLE_IDLE, -1, "no packages are being installed");
	for (size_t i = 0; i < ARRAY_LEN(locks); i++) {
		char *path = path_join(sample->root, locks[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		free(path);
		if (fd < 0)
			continue; /* another package manager, or not root: then cpu and jobs tell */
		if (fcntl(fd, F_GETLK, &lock) != 0)
			idle_say(&sample->dpkg, IDLE_UNKNOWN, 0, "dpkg's lock cannot be asked");
		else if (lock.l_type != F_UNLCK)
			idle_say(&sample->dpkg, IDLE_ACTIVE, 0,
				"packages are being installed by process %d", (int)lock.l_pid);
		close(fd);
	}
}

/* ---- the memory for the next sample ---- */

static bool is_watched(const struct idle_proc *proc) {
	return str_equal(proc->name, "mosh-server");
}

static void remember(struct idle_sample *sample) {
	struct idle_memory *memory = sample->memory;
	struct idle_past *past = xcalloc(sample->procs.count + 1, sizeof(*past));
	for (size_t i = 0; i < sample->procs.count; i++) {
		const struct idle_proc *proc = &sample->procs.at[i];
		past[i] = (struct idle_past){ proc->pid, proc->start, proc->ticks, -1, -1 };
		if (is_watched(proc))
			past[i].switches = idle_proc_switches(sample->root, proc->pid);
		if (str_starts(proc->name, "sshd") || str_starts(proc->name, "dropbear"))
			past[i].bytes = idle_proc_bytes(sample->root, proc->pid);
	}
	free(memory->past);
	memory->past = past;
	memory->past_count = sample->procs.count;
	memory->at_ms = sample->now_ms;
}

void idle_memory_release(struct idle_memory *memory) {
	free(memory->past);
	signal_gpu_close(memory->nvml);
	*memory = (struct idle_memory){ 0 };
}

/* ---- all of it ---- */

static bool wants_procs(const struct idle_sample *sample) {
	return sample->wanted[SIGNAL_SSH] || sample->wanted[SIGNAL_MOSH] ||
	       sample->wanted[SIGNAL_TMUX] || sample->wanted[SIGNAL_JOBS] ||
	       sample->wanted[SIGNAL_JUPYTER];
}

void idle_sample_read(struct idle_sample *sample) {
	static const struct {
		enum idle_kind kind;
		void (*read)(struct idle_sample *sample);
	} readers[] = {
		{ SIGNAL_SSH, signal_ssh_read },
		{ SIGNAL_MOSH, signal_mosh_read },
		{ SIGNAL_TMUX, signal_tmux_read },
		{ SIGNAL_CPU, signal_cpu_read },
		{ SIGNAL_GPU, signal_gpu_read },
		{ SIGNAL_NET, signal_net_read },
		{ SIGNAL_JOBS, signal_jobs_read },
		{ SIGNAL_JUPYTER, signal_jupyter_find },
	};
	const struct idle_memory *memory = sample->memory;
	bool blind = wants_procs(sample) && idle_procs_read(sample->root, &sample->procs) != 0;
	sample->elapsed_ms = memory->at_ms ? sample->now_ms - memory->at_ms : 0;
	sample->uptime_ms = idle_uptime_ms(sample->root);
	read_dpkg(sample);
	signal_tty_read(sample); /* always: a person at a terminal counts whatever the list says */
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		enum idle_kind kind = readers[i].kind;
		bool by_procs = kind == SIGNAL_SSH || kind == SIGNAL_MOSH || kind == SIGNAL_TMUX ||
				kind == SIGNAL_JOBS;
		if (!sample->wanted[kind]) continue;
		if (blind && by_procs)
			idle_say(&sample->answers[kind], IDLE_UNKNOWN, 0,
				"processes cannot be listed");
		else
			readers[i].read(sample);
	}
	remember(sample);
}

void idle_sample_release(struct idle_sample *sample) {
	idle_procs_release(&sample->procs);
	free(sample->terminals.at);
	sample->terminals = (struct idle_terminals){ 0 };
	for (size_t i = 0; i < sample->server_count; i++) {
		free(sample->servers[i].url);
		free(sample->servers[i].token);
		free(sample->servers[i].socket);
	}
	free(sample->servers);
	sample->servers = NULL;
	sample->server_count = 0;
}
