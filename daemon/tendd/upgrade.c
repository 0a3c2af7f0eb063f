/*
 * POST /v1/upgrade: the program that lies at our place now reads this configuration; only when it calls it good we end, as by QUIT, and
 * become that program. The keeper and all services do not notice.
 */
#include "tendd/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "tendd/place.h"
#include "tendd/routes.h"
#include "tendd/stop.h"

enum {
	PATIENCE_MS = 60000,
	SAID_BYTES = 64 << 10,
	ANSWER_MS = 100, /* for the answer to get out before the socket goes */
	STATUS_ACCEPTED = 202,
	STATUS_UNPROCESSABLE = 422,
};

struct upgrade {
	struct house *house;
	struct control_request *request; /* NULL: whoever asked is gone, or was answered */
	struct process_host *host;
	struct process process;
	char *program;
	int fd; /* what the new program says; -1: none */
	struct poll *poll;
	struct buf said;
	struct timer timer;
	bool good;
};

static void free_upgrade(struct upgrade *upgrade) {
	timer_cancel(&upgrade->timer);
	poll_stop(upgrade->poll);
	if (upgrade->fd >= 0) close(upgrade->fd);
	process_release(&upgrade->process);
	process_host_free(upgrade->host);
	buf_release(&upgrade->said);
	free(upgrade->program);
	upgrade->house->upgrade = NULL;
	free(upgrade);
}

static void refuse(struct upgrade *upgrade, const struct err *err) {
	json_t *lines = json_array();
	log_warn("not upgraded: %s", err->text);
	for (char *line = upgrade->said.at; line && *line;) {
		char *next = strchr(line, '\n');
		if (next) *next++ = '\0';
		if (*line) json_array_append_new(lines, answer_text(line));
		line = next;
	}
	if (upgrade->request)
		control_refuse_with(upgrade->request, STATUS_UNPROCESSABLE, err,
			"tendd goes on as it is", json_pack("{s:o}", "lines", lines));
	else
		json_decref(lines);
	free_upgrade(upgrade);
}

/* ---- the new program looks at the configuration ---- */

static void take_said(struct upgrade *upgrade) {
	char bytes[4096];
	ssize_t got;
	while ((got = read(upgrade->fd, bytes, sizeof(bytes))) > 0)
		buf_add(&upgrade->said, bytes, (size_t)got);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
	poll_stop(upgrade->poll);
	upgrade->poll = NULL;
}

static void said_more(void *user, int events) {
	(void)events;
	take_said(user);
}

static void moved(struct process *process) {
	(void)process; /* its end matters */
}

static void failed(struct process *process, const struct err *err) {
	process_forget(process);
	refuse(container_of(process, struct upgrade, process), err);
}

static void exited(struct process *process) {
	struct upgrade *upgrade = container_of(process, struct upgrade, process);
	struct house *house = upgrade->house;
	struct err err;
	if (upgrade->poll) take_said(upgrade);
	process_forget(process);
	timer_cancel(&upgrade->timer);
	if (process->exit.signal || process->exit.code) {
		err_set(&err, ERR_INVALID,
			process->exit.signal ? "'%s' did not look at the configuration within its "
					       "time, or crashed"
					     : "'%s' does not take this configuration",
			upgrade->program);
		refuse(upgrade, &err);
		return;
	}
	if (house->state != HOUSE_RUNNING) {
		err_set(&err, ERR_BUSY, "tendd is stopping");
		refuse(upgrade, &err);
		return;
	}
	upgrade->good = true;
	if (upgrade->request)
		control_answer(upgrade->request, STATUS_ACCEPTED,
			json_pack("{s:s, s:o}", "state", "upgrading", "program",
				answer_text(upgrade->program)));
	upgrade->request = NULL;
	timer_start(&upgrade->timer, ANSWER_MS);
}

static const struct process_calls calls = { moved, failed, exited, moved, moved };

static void time_is_up(struct timer *timer) {
	struct upgrade *upgrade = container_of(timer, struct upgrade, timer);
	struct house *house = upgrade->house;
	if (!upgrade->good) {
		process_signal(&upgrade->process, SIGKILL, true);
	} else if (house->state == HOUSE_RUNNING) {
		log_info("upgrade: becoming '%s'", upgrade->program);
		house->become = xstrdup(upgrade->program);
		stop_now(house);
	}
}

static int start_check(struct upgrade *upgrade, struct err *err) {
	struct house *house = upgrade->house;
	char *argv[] = { upgrade->program, "--check", "-c", house->config->path, NULL };
	char run[PROCESS_RUN_SIZE];
	int ends[2];
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null_fd < 0) return err_sys(err, errno, "cannot open '/dev/null'");
	if (pipe(ends) != 0) {
		close(null_fd);
		return err_sys(err, errno, "cannot make a pipe");
	}
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	const int stdio[] = { null_fd, ends[1], ends[1] };
	char **env = process_environment(NULL);
	const struct process_spec spec = { .argv = argv, .env = env, .umask = 077, .stdio = stdio };
	upgrade->fd = ends[0];
	upgrade->poll = poll_start(house->loop, upgrade->fd, POLL_READ, said_more, upgrade);
	process_make_run(house->loop, run);
	process_spawn(&upgrade->process, run, &spec);
	timer_start(&upgrade->timer, PATIENCE_MS);
	strv_free(env);
	close(ends[1]);
	close(null_fd);
	return 0;
}

static void asker_gone(void *user) {
	struct upgrade *upgrade = user;
	upgrade->request = NULL;
}

void route_upgrade(void *user, struct control_request *request) {
	struct house *house = user;
	struct err err;
	char *program = place_program();
	if (house->upgrade || house->state != HOUSE_RUNNING || !program) {
		err_set(&err, ERR_BUSY,
			!program         ? "the system does not tell which program this is"
			: house->upgrade ? "an upgrade is under way"
					 : "tendd is stopping");
		control_refuse(request, &err, "try again in a moment");
		free(program);
		return;
	}
	struct upgrade *upgrade = xcalloc(1, sizeof(*upgrade));
	upgrade->house = house;
	upgrade->request = request;
	upgrade->program = program;
	upgrade->fd = -1;
	upgrade->host = process_host_new_direct(house->loop);
	buf_init(&upgrade->said, SAID_BYTES);
	process_init(&upgrade->process, upgrade->host, "tendd", &calls);
	timer_init(&upgrade->timer, house->loop, time_is_up);
	house->upgrade = upgrade;
	route_ordered(house, request, "tendd", "upgrade");
	if (start_check(upgrade, &err) != 0)
		refuse(upgrade, &err);
	else
		control_on_gone(request, asker_gone, upgrade);
}

void upgrade_cancel(struct house *house) {
	if (house->upgrade) free_upgrade(house->upgrade);
}

void upgrade_become(const char *program, char **argv, char **env) {
	log_debug("upgrade: '%s'", program);
	execve(program, argv, env);
	log_error("cannot become '%s': %s", program, strerror(errno));
}
