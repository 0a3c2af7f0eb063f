#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/sftp.h"

/* The system's ssh as a child: its stdin and stdout are one socket of ours, its stderr is a pipe. */

enum { MESSAGE_MAX = 8192, ALIVE_S = 15 };

static struct sftp_child *child_of(struct process *process) {
	return container_of(process, struct sftp_child, process);
}

static void read_messages(struct sftp_child *child) {
	char bytes[1024];
	ssize_t got;

	if (child->message_fd < 0) return;
	while ((got = read(child->message_fd, bytes, sizeof(bytes))) > 0) {
		/* The last lines say why it ended. */
		if (child->message.len + (size_t)got > MESSAGE_MAX)
			buf_consume(&child->message, child->message.len / 2);
		buf_add(&child->message, bytes, (size_t)got);
	}
	if (got == 0) {
		poll_stop(child->message_poll);
		child->message_poll = NULL;
	}
}

static void message_ready(void *user, int events) {
	(void)events;
	read_messages(user);
}

static void spawned(struct process *process) {
	(void)process;
}

static void over(struct sftp_child *child) {
	if (child->over) return;
	child->over = true;
	read_messages(child);
	child->ended(child);
}

static void failed(struct process *process, const struct err *err) {
	struct sftp_child *child = child_of(process);

	child->failure = *err;
	err_wrap(&child->failure, "install OpenSSH's client, or set `ssh`");
	child->failure.kind = ERR_INVALID;
	over(child);
}

static void exited(struct process *process) {
	/* What it started (a proxy, a master) would hold our socket open. */
	process_signal(process, SIGTERM, true);
}

static void emptied(struct process *process) {
	over(child_of(process));
}

static void lost(struct process *process) {
	over(child_of(process));
}

static const struct process_calls calls = { spawned, failed, exited, emptied, lost };

/* ssh's own settings win over these where they are stricter: the first value of an option counts,
 * and ours come on the command line. */
static char **command_line(const struct sftp_settings *settings) {
	int64_t seconds = (settings->timeout_ms + 999) / 1000;
	char **argv = strv_dup(settings->ssh);

	strv_add(&argv, "-oBatchMode=yes"); /* nobody is there to answer */
	strv_add_owned(&argv, xasprintf("-oConnectTimeout=%lld", (long long)seconds));
	strv_add_owned(&argv, xasprintf("-oServerAliveInterval=%d", ALIVE_S));
	strv_add(&argv, "-oServerAliveCountMax=3");
	strv_add(&argv, "-oForwardX11=no");
	strv_add(&argv, "-oForwardAgent=no");
	strv_add(&argv, "-oPermitLocalCommand=no");
	strv_add(&argv, "-oClearAllForwardings=yes");
	strv_add(&argv, "-oRequestTTY=no");
	if (settings->port) strv_add_owned(&argv, xasprintf("-p%d", settings->port));
	if (settings->user) strv_add_owned(&argv, xasprintf("-l%s", settings->user));
	strv_add(&argv, "-s");
	strv_add(&argv, "--");
	strv_add(&argv, settings->host);
	strv_add(&argv, "sftp");
	return argv;
}

static void close_fd(int *fd) {
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

/* Only the ends that it is given reach the child: those of two sessions must not meet. */
static int seal(const int *fds, int flags) {
	if (fcntl(fds[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(fds[1], F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fcntl(fds[0], F_SETFL, flags);
}

/* Ours does not wait. */
static int make_ends(struct sftp_child *child, int theirs[3], struct err *err) {
	int pair[2], message[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return err_sys(err, errno, "cannot make a socket");
	child->fd = pair[0];
	theirs[0] = theirs[1] = pair[1];
	if (pipe(message) < 0) return err_sys(err, errno, "cannot make a pipe");
	child->message_fd = message[0];
	theirs[2] = message[1];
	if (seal(pair, O_NONBLOCK) < 0 || seal(message, O_NONBLOCK) < 0)
		return err_sys(err, errno, "cannot prepare a socket");
	return 0;
}

void sftp_child_start(
	struct sftp_child *child, struct sftp *sftp, void (*ended)(struct sftp_child *child)) {
	int theirs[3] = { -1, -1, -1 };
	char run[PROCESS_RUN_SIZE];

	*child = (struct sftp_child){ .fd = -1, .message_fd = -1, .ended = ended };
	buf_init(&child->message, MESSAGE_MAX + 1024);
	process_init(&child->process, sftp->host, "sftp", &calls);
	if (make_ends(child, theirs, &child->failure) == 0) {
		char **argv = command_line(&sftp->settings), **env = process_environment(NULL);
		const struct process_spec spec = {
			.argv = argv, .env = env, .umask = 077, .stdio = theirs
		};
		process_make_run(sftp->store.loop, run);
		process_spawn(&child->process, run, &spec);
		strv_free(argv);
		strv_free(env);
		child->message_poll = poll_start(
			sftp->store.loop, child->message_fd, POLL_READ, message_ready, child);
	}
	if (theirs[0] >= 0) close(theirs[0]);
	if (theirs[2] >= 0) close(theirs[2]);
}

void sftp_child_stop(struct sftp_child *child) {
	/* The end of its input ends it too, but only after all that waits for a dead network. */
	process_signal(&child->process, SIGTERM, true);
}

void sftp_child_release(struct sftp_child *child) {
	poll_stop(child->message_poll);
	child->message_poll = NULL;
	close_fd(&child->message_fd);
	close_fd(&child->fd);
	process_forget(&child->process);
	process_release(&child->process);
	buf_release(&child->message);
}

/* ---- what ssh says, for a person ---- */

struct saying {
	const char *words;
	enum err_kind kind;
	const char *advice; /* NULL: what ssh said is all */
};

/* The first that fits counts. Source: OpenSSH's ssh.c, sshconnect.c, sshconnect2.c, clientloop.c,
 * packet.c. */
static const struct saying sayings[] = {
	{ "REMOTE HOST IDENTIFICATION HAS CHANGED", ERR_DENIED,
		"its key is not the one in known_hosts: find out why, then remove the old one with "
		"`ssh-keygen -R`" },
	{ "host key is known", ERR_DENIED,
		"its key is not in known_hosts: run `ssh` to it once as this user, and accept it" },
	{ "Host key verification failed", ERR_DENIED,
		"its key is not in known_hosts: run `ssh` to it once as this user, and accept it" },
	{ "Permission denied", ERR_DENIED,
		"it took none of our keys: put the public key into its authorized_keys, or correct "
		"`user` or ssh's configuration" },
	{ "Too many authentication failures", ERR_DENIED,
		"name the right key in ssh's configuration, with IdentitiesOnly" },
	{ "subsystem request failed", ERR_INVALID, "it offers no SFTP" },
	{ "Bad configuration option", ERR_INVALID, NULL },
	{ "terminating, ", ERR_INVALID, NULL },
	{ "Can't open user config file", ERR_INVALID, NULL },
	{ "bad permissions", ERR_DENIED, NULL },
	{ "Could not resolve hostname", ERR_OFFLINE, NULL },
};

/* The last line that says something. */
static char *last_line(const char *message) {
	char *copy = xstrdup(message), *rest, *found = NULL, *at = copy;

	for (char *line; (line = strtok_r(at, "\r\n", &rest)); at = NULL) {
		str_trim(line);
		if (!*line) continue;
		free(found);
		found = str_printable(line);
	}
	free(copy);
	return found;
}

void sftp_child_explain(const struct sftp_settings *settings, const char *message, bool connected,
	struct err *err) {
	char *line = last_line(message);

	for (size_t i = 0; !connected && i < ARRAY_LEN(sayings); i++) {
		const struct saying *saying = &sayings[i];
		if (!strstr(message, saying->words)) continue;
		if (saying->advice)
			err_set(err, saying->kind, "cannot log in at '%s': %s", settings->host,
				saying->advice);
		else
			err_set(err, saying->kind, "cannot log in at '%s': %s", settings->host,
				line ? line : "");
		free(line);
		return;
	}
	err_set(err, ERR_OFFLINE,
		connected ? "the connection to '%s' was lost%s%s" : "cannot reach '%s'%s%s",
		settings->host, line ? ": " : "", line ? line : "");
	free(line);
}
