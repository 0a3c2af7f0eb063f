/*
 * The keeper's side of its socket: one tendd at a time; the newest wins. What an earlier one had
 * sent is carried out to the last byte before the next one is told what is there, so that a start
 * that was on its way when tendd died is never missed.
 */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct process_keeper_server {
	struct loop *loop;
	struct children *children;
	char *socket_path;
	int lock_fd, listen_fd;
	struct poll *poll;
	struct channel *channel; /* NULL: no tendd */
	bool managed, quitting;
	struct defer end_defer;
	void (*ended)(void *user);
	void *user;
};

/* ---- what tendd is told ---- */

static void tell(
	struct process_keeper_server *server, enum frame_type type, const struct run *run) {
	if (!server->channel) return;
	const struct facts *facts = &run->facts;
	struct frame frame = {
		.type = type,
		.run = (char *)run->id,
		.unit = run->unit,
		.pid = facts->pid,
		.start_time = (int64_t)facts->start_time,
		.limited = facts->limited,
		.notify = facts->notice.given,
		.watchdog_us = facts->notice.watchdog_us,
	};
	if (type == FRAME_EXITED) {
		frame.code = facts->exit.code;
		frame.signum = facts->exit.signal;
		frame.oom = facts->exit.oom;
	}
	if (type == FRAME_FAILED) {
		frame.err_kind = facts->failure.kind;
		frame.err_sys = facts->failure.sys;
		frame.text = (char *)facts->failure.text;
	}
	if (type == FRAME_NOTIFIED) {
		frame.ready = facts->notice.ready;
		frame.stopping = facts->notice.stopping;
		frame.broken = facts->notice.broken;
		frame.pings = facts->notice.pings;
		frame.oom_kills = facts->notice.oom_kills;
		frame.status = (char *)facts->notice.status;
	}
	channel_send(server->channel, &frame);
}

/* All facts each time: whoever hears one twice passes it by. */
static void tell_all(struct process_keeper_server *server, const struct run *run) {
	const struct facts *facts = &run->facts;
	if (facts->phase == RUN_STARTING) tell(server, FRAME_STARTING, run);
	if (facts->phase == RUN_FAILED) tell(server, FRAME_FAILED, run);
	if (facts->phase == RUN_SPAWNED) tell(server, FRAME_SPAWNED, run);
	if (facts->notices > 0) tell(server, FRAME_NOTIFIED, run);
	if (facts->exited) tell(server, FRAME_EXITED, run);
	if (facts->empty) tell(server, FRAME_EMPTY, run);
}

static bool anything_runs(struct process_keeper_server *server) {
	for (struct run *run = NULL; (run = children_each(server->children, run));)
		if (!run->facts.empty && run->facts.phase != RUN_FAILED) return true;
	return false;
}

static void end_check(struct defer *defer) {
	struct process_keeper_server *server =
		container_of(defer, struct process_keeper_server, end_defer);
	if (server->quitting && !anything_runs(server)) server->ended(server->user);
}

static void run_said(void *user, struct run *run) {
	struct process_keeper_server *server = user;
	tell_all(server, run);
	if (server->quitting) defer_start(server->loop, &server->end_defer);
}

/* ---- what tendd asks ---- */

static void handle_spawn(struct process_keeper_server *server, const struct frame *frame) {
	struct process_spec spec;
	struct err err;
	gid_t *groups = NULL;
	if (children_find(server->children, frame->run)) return; /* asked twice, started once */
	if (frame_to_spec(frame, &spec, &groups, &err) == 0)
		tell_all(server, children_spawn(server->children, frame->run, frame->unit, &spec));
	else
		log_error("a start of '%s' that makes no sense: %s", frame->unit, err.text);
	free(groups);
}

static void handle_sweep(struct process_keeper_server *server, const struct frame *frame) {
	struct run *run = children_find(server->children, frame->run);
	if (!run) run = children_lost(server->children, frame->run, frame->unit);
	children_sweep(run, (pid_t)frame->pid, (uint64_t)frame->start_time);
}

static void handle_forget(
	struct process_keeper_server *server, const struct frame *frame, struct run *run) {
	if (run) children_forget(run);
	struct frame answer = { .type = FRAME_FORGOTTEN, .run = frame->run, .unit = frame->unit };
	if (server->channel) channel_send(server->channel, &answer);
}

static void frame_came(void *user, const struct frame *frame) {
	struct process_keeper_server *server = user;
	if (frame->type == FRAME_QUIT) {
		server->quitting = !server->managed;
		defer_start(server->loop, &server->end_defer);
		return;
	}
	if (!frame->run || !frame->unit) return;
	struct run *run = children_find(server->children, frame->run);
	switch (frame->type) {
	case FRAME_SPAWN: handle_spawn(server, frame); break;
	case FRAME_SIGNAL:
		if (run && frame->signum > 0 && frame->signum < 65)
			children_signal(run, (int)frame->signum, frame->all != 0);
		break;
	case FRAME_SWEEP: handle_sweep(server, frame); break;
	case FRAME_FORGET: handle_forget(server, frame, run); break;
	default: break; /* of a newer tendd */
	}
}

static void tendd_gone(void *user, const struct err *err) {
	struct process_keeper_server *server = user;
	log_info("tendd has gone (%s): services go on", err->text);
	channel_close(server->channel);
	server->channel = NULL;
}

static const struct channel_calls channel_calls = { frame_came, tendd_gone };

/* ---- the socket ---- */

static void greet(struct process_keeper_server *server) {
	struct frame hello = { .type = FRAME_HELLO, .version = FRAME_VERSION, .pid = getpid() };
	channel_send(server->channel, &hello);
	for (struct run *run = NULL; (run = children_each(server->children, run));)
		tell_all(server, run);
	struct frame listed = { .type = FRAME_LISTED };
	channel_send(server->channel, &listed);
}

static void caller_waits(void *user, int events) {
	struct process_keeper_server *server = user;
	(void)events;
	int fd = descriptor_own(accept(server->listen_fd, NULL, NULL));
	if (fd < 0) return;
	uid_t uid;
	if (procs_peer_uid(fd, &uid) != 0 || uid != geteuid()) {
		log_warn("a caller of another user was turned away");
		close(fd);
		return;
	}
	/* Draining may find that the old one has gone, and clear `channel`. */
	if (server->channel) channel_drain(server->channel);
	channel_close(server->channel);
	server->channel = channel_open(server->loop, fd, &channel_calls, server);
	server->quitting = false;
	greet(server);
}

static int take_lock(struct process_keeper_server *server, struct err *err) {
	char *path = xasprintf("%s.lock", server->socket_path);
	server->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int result = 0;
	if (server->lock_fd < 0)
		result = err_sys(err, errno, "cannot open '%s'", path);
	else if (flock(server->lock_fd, LOCK_EX | LOCK_NB) != 0)
		result = err_set(err, ERR_BUSY, "another keeper serves '%s'", server->socket_path);
	free(path);
	return result;
}

static int open_socket(struct process_keeper_server *server, struct err *err) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(server->socket_path) >= sizeof(address.sun_path))
		return err_set(err, ERR_INVALID,
			"the path of socket '%s' is too long: at most %zu bytes",
			server->socket_path, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, server->socket_path, strlen(server->socket_path));
	server->listen_fd = descriptor_own(socket(AF_UNIX, SOCK_STREAM, 0));
	if (server->listen_fd < 0) return err_sys(err, errno, "cannot make a socket");
	unlink(server->socket_path); /* whoever had it is dead: the lock is ours */
	mode_t before = umask(0177);
	int bound = bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address));
	int errnum = errno;
	umask(before);
	if (bound != 0) return err_sys(err, errnum, "cannot bind '%s'", server->socket_path);
	if (listen(server->listen_fd, 16) != 0)
		return err_sys(err, errno, "cannot listen at '%s'", server->socket_path);
	return 0;
}

struct process_keeper_server *process_keeper_server_open(struct loop *loop, const char *socket_path,
	bool managed, void (*ended)(void *user), void *user, struct err *err) {
	struct process_keeper_server *server = xcalloc(1, sizeof(*server));
	server->loop = loop;
	server->socket_path = xstrdup(socket_path);
	server->lock_fd = server->listen_fd = -1;
	server->managed = managed;
	server->ended = ended;
	server->user = user;
	defer_init(&server->end_defer, end_check);
	if (take_lock(server, err) != 0 || procs_become_reaper(err) != 0 ||
		open_socket(server, err) != 0) {
		process_keeper_server_close(server);
		return NULL;
	}
	char *folder = path_parent(socket_path);
	char *notice_path = path_join(folder, "notify.sock");
	server->children = children_new(loop, true, managed, notice_path, run_said, server);
	free(notice_path);
	free(folder);
	server->poll = poll_start(loop, server->listen_fd, POLL_READ, caller_waits, server);
	return server;
}

void process_keeper_server_close(struct process_keeper_server *server) {
	if (!server) return;
	poll_stop(server->poll);
	channel_close(server->channel);
	defer_cancel(&server->end_defer);
	if (server->children) children_free(server->children);
	if (server->listen_fd >= 0) {
		close(server->listen_fd);
		unlink(server->socket_path);
	}
	if (server->lock_fd >= 0) close(server->lock_fd);
	free(server->socket_path);
	free(server);
}
