/*
 * tend-keeper: the parent of all services. It forks, reaps, holds the log pipes and remembers how
 * each ended, so that tendd may crash, restart or be upgraded and no service notices. It parses
 * nobody's files and knows no network; all it does is said over one unix socket (lib/process).
 */
#include "base/base.h"
#include "loop/loop.h"
#include "process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* One datagram to whoever started us; systemd's protocol, sd_notify(3). */
static void notify(const char *text) {
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!path || !path[0] || strlen(path) >= sizeof(address.sun_path)) return;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@') address.sun_path[0] = '\0'; /* an abstract name */
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0) return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0)
		log_warn("cannot tell systemd '%s': %s", text, strerror(errno));
	close(fd);
}

/* Whoever started us may have closed them: what we open next must not become a child's output by
 * accident. */
static void fill_standard_descriptors(void) {
	int fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2) fd = open("/dev/null", O_RDWR);
	if (fd > 2) close(fd);
}

static void stop_loop(void *user) {
	loop_stop(user);
}

static void asked_to_end(void *user, int signum) {
	log_info("ending on signal %d, and all services with it", signum);
	loop_stop(user);
}

static int run(const char *socket_path, struct err *err) {
	bool managed = getenv("NOTIFY_SOCKET") != NULL;
	struct loop *loop = loop_new(1, err);
	if (!loop) return -1;
	struct process_keeper_server *server =
		process_keeper_server_open(loop, socket_path, managed, stop_loop, loop, err);
	if (!server) {
		loop_free(loop);
		return -1;
	}
	struct signal_watch *term = signal_watch_start(loop, SIGTERM, asked_to_end, loop);
	struct signal_watch *interrupt = signal_watch_start(loop, SIGINT, asked_to_end, loop);
	notify("READY=1");
	loop_run(loop);
	notify("STOPPING=1");
	signal_watch_stop(term);
	signal_watch_stop(interrupt);
	process_keeper_server_close(server);
	loop_free(loop);
	return 0;
}

int main(int argc, char **argv) {
	struct err err;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("tend-keeper %s\n", TEND_VERSION);
		return 0;
	}
	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "usage: tend-keeper /path/of/its/socket\n"
				"tendd starts it, or systemd does (tend-services.service)\n");
		return 2;
	}
	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (chdir("/") != 0) log_warn("cannot leave the working directory: %s", strerror(errno));
	if (run(argv[1], &err) != 0) {
		log_error("%s", err.text);
		return 1;
	}
	return 0;
}
