/*
 * The host that is the keeper, seen from tendd: a connection that is made again whenever it breaks.
 * Each connection begins with the keeper's list of all it knows; only then is it decided what was
 * lost, and only then are waiting requests sent.
 */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RETRY_FIRST_MS = 2,
	RETRY_MAX_MS = 1000,
	QUIET_MS = 5000
}; /* a keeper listens 4 ms after its start */

enum wish { WISH_NONE, WISH_SPAWN, WISH_SWEEP };

/* A run as we believe the keeper has it. */
struct remote {
	struct run run;
	enum wish wish;       /* what was asked for and not yet seen to be there */
	struct frame request; /* of the wish */
	bool sent;            /* over a connection that may have broken */
	bool seen;            /* in the list of this connection */
	bool forgotten;       /* by us; gone once the keeper agrees */
	int signum;           /* waits for a connection */
	bool all;
};

struct keeper {
	struct process_host host;
	char *socket_path, *keeper_path, *log_path;
	const struct process_host_calls *calls;
	void *user;
	struct list runs;
	struct channel *channel;
	bool listed; /* this connection has told all */
	pid_t pid;   /* of who answers */
	int64_t version;
	bool quit;
	struct timer retry_timer;
	int64_t retry_ms;
	int64_t down_since_ms;
	bool complained;
	pid_t child; /* the keeper that we started; 0: none */
};

static struct keeper *keeper_of(const struct process_host *host) {
	return container_of(host, struct keeper, host);
}

static struct remote *remote_of(struct run *run) {
	return container_of(run, struct remote, run);
}

static struct remote *find(struct keeper *keeper, const char *id) {
	list_each(&keeper->runs, link) {
		struct remote *remote = container_of(link, struct remote, run.link);
		if (strcmp(remote->run.id, id) == 0) return remote;
	}
	return NULL;
}

/* By us, or by a keeper that knows a run we have never heard of: its start was on its way when the
 * tendd before us died. */
static struct remote *add(struct keeper *keeper, const char *id, const char *unit) {
	struct remote *remote = xcalloc(1, sizeof(*remote));
	memcpy(remote->run.id, id, PROCESS_RUN_SIZE);
	remote->run.unit = xstrdup(unit);
	list_add_tail(&keeper->runs, &remote->run.link);
	return remote;
}

static void drop(struct remote *remote) {
	run_unbind(&remote->run);
	list_remove(&remote->run.link);
	frame_release(&remote->request);
	free(remote->run.unit);
	free(remote);
}

/* ---- requests ---- */

static void send_simple(struct keeper *keeper, struct remote *remote, struct frame frame) {
	frame.run = remote->run.id;
	frame.unit = remote->run.unit;
	channel_send(keeper->channel, &frame);
}

/* Whatever this run waits to have said, if there is somebody to say it to. */
static void send_waiting(struct keeper *keeper, struct remote *remote) {
	if (!keeper->listed) return;
	if (remote->wish != WISH_NONE && !remote->sent) {
		remote->sent = true;
		send_simple(keeper, remote, remote->request);
	}
	if (remote->signum) {
		send_simple(keeper, remote,
			(struct frame){ .type = FRAME_SIGNAL,
				.signum = remote->signum,
				.all = remote->all });
		remote->signum = 0;
	}
	if (remote->forgotten) send_simple(keeper, remote, (struct frame){ .type = FRAME_FORGET });
}

static void keeper_spawn(
	struct process_host *host, struct process *process, const struct process_spec *spec) {
	struct keeper *keeper = keeper_of(host);
	struct remote *remote = add(keeper, process->run, process->unit);
	remote->wish = WISH_SPAWN;
	remote->request.type = FRAME_SPAWN;
	frame_from_spec(&remote->request, spec);
	run_bind(&remote->run, process);
	send_waiting(keeper, remote);
}

static void keeper_adopt(struct process_host *host, struct process *process) {
	struct keeper *keeper = keeper_of(host);
	struct remote *remote = find(keeper, process->run);
	if (!remote) {
		/* A record of ours that no keeper confirms. Before its list is complete that says
		 * nothing yet; after it the run is lost. */
		remote = add(keeper, process->run, process->unit);
		remote->run.facts.lost = keeper->listed;
	}
	run_bind(&remote->run, process);
}

static void keeper_signal(struct process_host *host, struct run *run, int signum, bool all) {
	struct remote *remote = remote_of(run);
	/* The last one counts: a KILL that follows a TERM nobody has heard replaces it. */
	remote->signum = signum;
	remote->all = all;
	send_waiting(keeper_of(host), remote);
}

static void keeper_sweep(
	struct process_host *host, struct run *run, pid_t pid, uint64_t start_time) {
	struct remote *remote = remote_of(run);
	remote->wish = WISH_SWEEP;
	remote->sent = false;
	frame_release(&remote->request);
	remote->request = (struct frame){
		.type = FRAME_SWEEP, .pid = pid, .start_time = (int64_t)start_time
	};
	send_waiting(keeper_of(host), remote);
}

/* Not said to anybody yet: it may be taken back, and nothing of it exists. Once it was sent, also
 * over a connection that broke, only a keeper's list tells. */
static bool keeper_pending(const struct run *run) {
	const struct remote *remote = container_of(run, struct remote, run);
	return remote->wish == WISH_SPAWN && !remote->sent;
}

static void keeper_forget(struct process_host *host, struct run *run) {
	struct remote *remote = remote_of(run);
	if (keeper_pending(run)) {
		drop(remote);
		return;
	}
	remote->forgotten = true;
	remote->wish = WISH_NONE;
	send_waiting(keeper_of(host), remote);
}

static void keeper_quit(struct process_host *host) {
	struct keeper *keeper = keeper_of(host);
	struct frame frame = { .type = FRAME_QUIT };
	keeper->quit = true;
	if (keeper->listed) {
		channel_send(keeper->channel, &frame);
	} else if (keeper->child && keeper->pid != keeper->child) {
		timer_cancel(&keeper->retry_timer);
		kill(keeper->child, SIGTERM); /* on its way still: nobody would ever ask for it */
	}
}

/* ---- what the keeper says ---- */

/* What this keeper did not name: gone (false), waiting to be said, or lost. */
static bool judge_unseen(struct remote *remote) {
	struct facts *facts = &remote->run.facts;
	if (remote->forgotten || !remote->run.owner) return false;
	if (remote->wish == WISH_SWEEP) {
		remote->sent = false; /* a new keeper has not heard of it */
	} else if (!keeper_pending(&remote->run) && !facts->empty && facts->phase != RUN_FAILED) {
		remote->wish = WISH_NONE;
		facts->lost = true;
		run_changed(&remote->run);
	}
	return true;
}

/* From a list of its own: what is told of one run may add another. */
static void judge_all(struct keeper *keeper) {
	struct list runs;
	list_init(&runs);
	list_take_all(&runs, &keeper->runs);
	while (!list_empty(&runs)) {
		struct remote *remote = container_of(runs.next, struct remote, run.link);
		list_remove(&remote->run.link);
		if (remote->seen || judge_unseen(remote))
			list_add_tail(&keeper->runs, &remote->run.link);
		else
			drop(remote);
	}
}

/* A call may adopt or end any of them: each is looked for anew. */
static void tell_strays(struct keeper *keeper) {
	if (!keeper->calls || !keeper->calls->stray) return;
	for (bool found = true; found;) {
		found = false;
		list_each(&keeper->runs, link) {
			struct remote *remote = container_of(link, struct remote, run.link);
			if (remote->run.owner || remote->forgotten || !remote->seen) continue;
			remote->seen = false;
			found = true;
			keeper->calls->stray(keeper->user, remote->run.id, remote->run.unit);
			break;
		}
	}
}

static void listed(struct keeper *keeper) {
	keeper->listed = true;
	keeper->retry_ms = RETRY_FIRST_MS;
	if (keeper->complained && keeper->calls && keeper->calls->changed)
		keeper->calls->changed(keeper->user, NULL);
	keeper->complained = false;
	judge_all(keeper);
	/* Before anything is started: a stray may be what was about to be started again. */
	tell_strays(keeper);
	list_each(&keeper->runs, link)
		send_waiting(keeper, container_of(link, struct remote, run.link));
	if (keeper->quit) keeper_quit(&keeper->host);
}

static void take_notice(struct facts *facts, const struct frame *frame) {
	struct process_notice notice = {
		.given = frame->notify != 0,
		.watchdog_us = frame->watchdog_us,
		.ready = frame->ready != 0,
		.stopping = frame->stopping != 0,
		.broken = frame->broken != 0,
		.pings = frame->pings,
		.oom_kills = frame->oom_kills,
	};
	snprintf(notice.status, sizeof(notice.status), "%s", frame->status ? frame->status : "");
	const struct process_notice *known = &facts->notice;
	bool same = known->ready == notice.ready && known->stopping == notice.stopping &&
		    known->broken == notice.broken && known->pings == notice.pings &&
		    known->oom_kills == notice.oom_kills && str_equal(known->status, notice.status);
	facts->notice = notice;
	if (!same) facts->notices++;
}

/* The keeper repeats all it knows on each connection; facts only ever grow, so that hearing one twice
 * changes nothing. */
static void take_facts(struct remote *remote, const struct frame *frame) {
	struct facts *facts = &remote->run.facts;
	remote->seen = true;
	if (remote->wish == WISH_SPAWN) {
		/* It was heard: from here on a repeat would be a second start. */
		remote->wish = WISH_NONE;
		frame_release(&remote->request);
	}
	if (frame->pid) {
		facts->pid = (pid_t)frame->pid;
		facts->start_time = (uint64_t)frame->start_time;
		facts->limited = (unsigned)frame->limited;
	}
	if (frame->notify) {
		facts->notice.given = true;
		facts->notice.watchdog_us = frame->watchdog_us;
	}
	switch (frame->type) {
	case FRAME_SPAWNED: facts->phase = RUN_SPAWNED; break;
	case FRAME_NOTIFIED: take_notice(facts, frame); break;
	case FRAME_FAILED:
		facts->phase = RUN_FAILED;
		err_set(&facts->failure, (enum err_kind)frame->err_kind, "%s",
			frame->text ? frame->text : "no reason was given");
		facts->failure.sys = (int)frame->err_sys;
		break;
	case FRAME_EXITED:
		facts->exited = true;
		facts->exit.code = (int)frame->code;
		facts->exit.signal = (int)frame->signum;
		facts->exit.oom = frame->oom != 0;
		break;
	case FRAME_EMPTY: facts->empty = true; break;
	default: break;
	}
	run_changed(&remote->run);
}

static void frame_came(void *user, const struct frame *frame) {
	struct keeper *keeper = user;
	if (frame->type == FRAME_HELLO) {
		keeper->pid = (pid_t)frame->pid;
		keeper->version = frame->version;
		return;
	}
	if (frame->type == FRAME_LISTED) {
		listed(keeper);
		return;
	}
	if (!frame->run || !frame->unit) return;
	struct remote *remote = find(keeper, frame->run);
	if (frame->type == FRAME_FORGOTTEN) {
		if (remote && remote->forgotten) drop(remote);
		return;
	}
	bool of_a_run = (frame->type >= FRAME_STARTING && frame->type <= FRAME_EMPTY) ||
			frame->type == FRAME_NOTIFIED;
	if (!of_a_run) return; /* of a newer keeper */
	if (!remote) remote = add(keeper, frame->run, frame->unit);
	take_facts(remote, frame);
}

static void connection_lost(void *user, const struct err *err) {
	struct keeper *keeper = user;
	channel_close(keeper->channel);
	keeper->channel = NULL;
	keeper->listed = false;
	keeper->down_since_ms = loop_now_ms(keeper->host.loop);
	list_each(&keeper->runs, link) container_of(link, struct remote, run.link)->seen = false;
	if (keeper->quit) return; /* as we asked */
	log_warn("the keeper of the services is gone: %s", err->text);
	timer_start(&keeper->retry_timer, 0);
}

static const struct channel_calls channel_calls = { frame_came, connection_lost };

/* ---- connecting, starting ---- */

static void complain(struct keeper *keeper, const char *detail) {
	if (keeper->complained) return;
	keeper->complained = true;
	log_warn("%s", detail);
	if (keeper->calls && keeper->calls->changed) keeper->calls->changed(keeper->user, detail);
}

/* In a session of its own, so that no terminal and no stop of ours reaches it. */
static int start_keeper(struct keeper *keeper, struct err *err) {
	char *argv[] = { keeper->keeper_path, keeper->socket_path, NULL };
	/* What systemd said to us is not for the keeper: it would take our place with it. */
	static const char *const ours[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
		"CREDENTIALS_DIRECTORY=", "JOURNAL_STREAM=", "INVOCATION_ID=", NULL };
	char **env = process_environment(ours);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (keeper->log_path) {
		posix_spawn_file_actions_addopen(
			&actions, 2, keeper->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	}
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	sigfillset(&signals);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	sigemptyset(&signals);
	posix_spawnattr_setsigmask(&attributes, &signals);
	int errnum =
		posix_spawn(&keeper->child, keeper->keeper_path, &actions, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	strv_free(env);
	if (errnum == 0) return 0;
	keeper->child = 0;
	return err_sys(
		err, errnum, "cannot start the keeper of the services '%s'", keeper->keeper_path);
}

/* Nobody answers: start one, unless the one we started is still on its way. */
static void nobody_answers(struct keeper *keeper, int errnum) {
	struct err err;
	if (keeper->child && waitpid(keeper->child, NULL, WNOHANG) != 0) keeper->child = 0;
	if (keeper->keeper_path && !keeper->child && start_keeper(keeper, &err) != 0)
		complain(keeper, err.text);
	if (loop_now_ms(keeper->host.loop) - keeper->down_since_ms >= QUIET_MS) {
		err_sys(&err, errnum, "the keeper of the services does not answer at '%s'",
			keeper->socket_path);
		complain(keeper, err.text);
	}
	timer_start(&keeper->retry_timer, keeper->retry_ms);
	keeper->retry_ms =
		2 * keeper->retry_ms < RETRY_MAX_MS ? 2 * keeper->retry_ms : RETRY_MAX_MS;
}

static void connect_now(struct timer *timer) {
	struct keeper *keeper = container_of(timer, struct keeper, retry_timer);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	uid_t uid;
	strncpy(address.sun_path, keeper->socket_path, sizeof(address.sun_path) - 1);
	int fd = descriptor_own(socket(AF_UNIX, SOCK_STREAM, 0));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int errnum = errno;
		if (fd >= 0) close(fd);
		nobody_answers(keeper, errnum);
		return;
	}
	/* Whoever sits there would run what we say as whom we say. */
	if (procs_peer_uid(fd, &uid) != 0 || uid != geteuid()) {
		close(fd);
		complain(keeper, "the keeper's socket belongs to another user");
		timer_start(&keeper->retry_timer, RETRY_MAX_MS);
		return;
	}
	keeper->channel = channel_open(keeper->host.loop, fd, &channel_calls, keeper);
}

static void keeper_free(struct process_host *host) {
	struct keeper *keeper = keeper_of(host);
	timer_cancel(&keeper->retry_timer);
	channel_close(keeper->channel);
	list_each(&keeper->runs, link) drop(container_of(link, struct remote, run.link));
	free(keeper->socket_path);
	free(keeper->keeper_path);
	free(keeper->log_path);
	free(keeper);
}

static bool keeper_ready(const struct process_host *host) {
	return keeper_of(host)->listed;
}

static void keeper_describe(struct process_host *host, struct buf *out) {
	struct keeper *keeper = keeper_of(host);
	buf_addf(out, "keeper at %s, ", keeper->socket_path);
	if (keeper->listed)
		buf_addf(
			out, "pid %d, protocol %lld", (int)keeper->pid, (long long)keeper->version);
	else
		buf_adds(out, "not connected");
}

static const struct host_ops keeper_ops = {
	.spawn = keeper_spawn,
	.adopt = keeper_adopt,
	.signal = keeper_signal,
	.sweep = keeper_sweep,
	.forget = keeper_forget,
	.quit = keeper_quit,
	.free = keeper_free,
	.pending = keeper_pending,
	.ready = keeper_ready,
	.describe = keeper_describe,
};

struct process_host *process_host_new_keeper(struct loop *loop,
	const struct process_keeper_options *options, const struct process_host_calls *calls,
	void *user) {
	struct keeper *keeper = xcalloc(1, sizeof(*keeper));
	keeper->host = (struct process_host){ .loop = loop, .ops = &keeper_ops };
	keeper->socket_path = xstrdup(options->socket_path);
	keeper->keeper_path = xstrdup(options->keeper_path);
	keeper->log_path = xstrdup(options->log_path);
	keeper->calls = calls;
	keeper->user = user;
	keeper->retry_ms = RETRY_FIRST_MS;
	keeper->down_since_ms = loop_now_ms(loop);
	list_init(&keeper->runs);
	timer_init(&keeper->retry_timer, loop, connect_now);
	timer_start(&keeper->retry_timer, 0);
	return &keeper->host;
}
