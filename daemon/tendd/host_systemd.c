/* systemd, by its public protocols: sd_notify(3), sd_watchdog_enabled(3), JOURNAL_STREAM of
 * systemd.exec(5). */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tendd/host.h"

enum { ASK_PATIENCE_MS = 5000, ASK_TRIES = 3, LINE_MAX_BYTES = 1024 };

struct host {
	struct loop *loop;
	char *notify_path; /* NULL: not under systemd */
	bool runs_keeper;
	int64_t watchdog_ms; /* half its period; 0: none */
	struct timer watchdog;
	struct asking *asking;
	struct defer nobody; /* answers where there is no systemd to ask */
	void (*answered)(void *user, bool restart);
	void *user;
};

bool host_has_journal(void) {
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat stat;
	if (!stream || fstat(STDERR_FILENO, &stat)) return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
	return str_equal(stream, own);
}

/* ---- telling ---- */

static void notify(struct host *host, const char *text) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!host->notify_path) return;
	size_t len = strlen(host->notify_path);
	if (len >= sizeof(address.sun_path)) return;
	memcpy(address.sun_path, host->notify_path, len);
	if (address.sun_path[0] == '@') address.sun_path[0] = '\0'; /* an abstract name */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		    size) < 0) {
		log_debug("cannot tell systemd: %s", strerror(errno));
	}
	close(fd);
}

void host_ready(struct host *host) {
	notify(host, "READY=1");
}

void host_reloading(struct host *host) {
	char text[64];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
		(int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify(host, text);
}

void host_stopping(struct host *host) {
	notify(host, "STOPPING=1");
}

void host_say(struct host *host, const char *text) {
	char line[LINE_MAX_BYTES];
	snprintf(line, sizeof(line), "STATUS=%s", text);
	notify(host, line);
}

void host_extend(struct host *host, int64_t ms) {
	char text[64];
	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%" PRId64, ms * 1000);
	notify(host, text);
}

/* From the loop, so that it proves that the loop turns. */
static void watchdog_fired(struct timer *timer) {
	struct host *host = container_of(timer, struct host, watchdog);
	notify(host, "WATCHDOG=1");
	timer_start(timer, host->watchdog_ms);
}

static void watchdog_begin(struct host *host) {
	const char *period = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	int64_t us, pid;
	if (!period || str_to_int(period, 1, INT64_MAX, &us)) return;
	if (whose && (str_to_int(whose, 1, INT32_MAX, &pid) || pid != getpid())) return;
	host->watchdog_ms = us / 2000 > 0 ? us / 2000 : 1;
	timer_start(&host->watchdog, host->watchdog_ms);
}

/* ---- asking ---- */

/* systemctl in a job: it waits for the manager, which may be busy. */
struct asking {
	struct job job;
	struct host *host; /* NULL: nobody waits any more */
	struct timer patience;
	void (*answered)(void *user, bool restart);
	void *user;
	char *command;
	bool restart;
};

/* The unit we run in, by our cgroup; only what a shell takes as it stands. */
static void own_unit(char *unit, size_t size, bool *of_user) {
	char line[LINE_MAX_BYTES];
	bool found = false;
	FILE *file = fopen("/proc/self/cgroup", "re");
	snprintf(unit, size, "tend.service");
	*of_user = geteuid() != 0;
	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		char *path = strrchr(line, ':');
		char *name = path ? strrchr(path, '/') : NULL;
		if (!name || !str_ends(name, ".service")) continue;
		if (!str_starts(line, "0::") && !strstr(line, "name=systemd")) continue;
		name++;
		if (strspn(name,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@") !=
			strlen(name)) {
			continue;
		}
		*of_user = strstr(path, "/user@") != NULL;
		snprintf(unit, size, "%s", name);
		found = true;
	}
	if (file) fclose(file);
}

/* Did systemctl itself say all? */
static bool ask_once(struct asking *asking) {
	char line[LINE_MAX_BYTES];
	FILE *answer = popen(asking->command, "re"); /* NOLINT: its words are checked in own_unit */
	if (!answer) return false;
	/* "1234 tend.service restart running" */
	while (fgets(line, sizeof(line), answer)) {
		if (strstr(line, " restart ") || strstr(line, " try-restart "))
			asking->restart = true;
	}
	return pclose(answer) == 0;
}

/* A TERM for all of our group may meet the systemctl that we have just started: its silence is no answer, and taken for one it would
 * end the services. */
static int ask_work(struct job *job, struct err *err) {
	struct asking *asking = container_of(job, struct asking, job);
	for (int i = 0; i < ASK_TRIES && !asking->restart; i++) {
		if (ask_once(asking)) break;
	}
	return 0;
}

static void ask_answer(struct asking *asking, bool restart) {
	asking->host->asking = NULL;
	asking->host = NULL;
	timer_cancel(&asking->patience);
	asking->answered(asking->user, restart);
}

static void ask_done(struct job *job, const struct err *err) {
	struct asking *asking = container_of(job, struct asking, job);
	if (asking->host) ask_answer(asking, !err && asking->restart);
	free(asking->command);
	free(asking);
}

static void ask_patience_ended(struct timer *timer) {
	log_warn("systemctl does not answer: this is taken as a stop");
	ask_answer(container_of(timer, struct asking, patience), false);
}

static void nobody_answers(struct defer *defer) {
	struct host *host = container_of(defer, struct host, nobody);
	host->answered(host->user, false);
}

void host_ask_restart(struct host *host, void (*answered)(void *user, bool restart), void *user) {
	char unit[256];
	bool of_user;
	if (!host->notify_path) {
		host->answered = answered;
		host->user = user;
		defer_start(host->loop, &host->nobody);
		return;
	}
	struct asking *asking = xcalloc(1, sizeof(*asking));
	own_unit(unit, sizeof(unit), &of_user);
	asking->host = host;
	asking->answered = answered;
	asking->user = user;
	asking->command =
		xasprintf("systemctl %s list-jobs --no-legend --plain --full %s 2>/dev/null",
			of_user ? "--user" : "--system", unit);
	asking->job.work = ask_work;
	asking->job.done = ask_done;
	timer_init(&asking->patience, host->loop, ask_patience_ended);
	timer_start(&asking->patience, ASK_PATIENCE_MS);
	host->asking = asking;
	job_start(host->loop, &asking->job);
}

/* ---- life ---- */

struct host *host_new(struct loop *loop) {
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
	struct host *host = xcalloc(1, sizeof(*host));
	const char *path = getenv("NOTIFY_SOCKET"), *keeper = getenv("TEND_KEEPER");
	host->loop = loop;
	if (path && (*path == '/' || *path == '@')) host->notify_path = xstrdup(path);
	host->runs_keeper = keeper && str_equal(keeper, "unit");
	defer_init(&host->nobody, nobody_answers);
	timer_init(&host->watchdog, loop, watchdog_fired);
	watchdog_begin(host);
	/* A keeper that we start is not the one systemd means. */
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) unsetenv(ours[i]);
	return host;
}

void host_free(struct host *host) {
	timer_cancel(&host->watchdog);
	defer_cancel(&host->nobody);
	if (host->asking) {
		timer_cancel(&host->asking->patience);
		host->asking->host = NULL;
	}
	free(host->notify_path);
	free(host);
}

bool host_runs_keeper(const struct host *host) {
	return host->runs_keeper;
}
