#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/sftp.h"

/*
 * One child and what is said through it: bytes out, bytes in, which request an answer belongs to,
 * the first words, and the end, at which all its operations fail alike.
 */

enum {
	OUT_MAX = 256 << 20, /* bounded by what operations may have in flight */
	READ_BYTES = 256 << 10,
	IDLE_MS = 60000, /* then the child is let go */
};

/* ---- the end ---- */

static void stop_talking(struct sftp_session *session) {
	poll_stop(session->poll);
	session->poll = NULL;
	timer_cancel(&session->quiet);
	list_each(&session->requests, link) free(list_entry(link, struct sftp_request, link));
	list_init(&session->requests);
}

static void end_ops(struct sftp_session *session) {
	while (!list_empty(&session->ops)) {
		struct sftp_op *x = list_entry(session->ops.next, struct sftp_op, link);
		x->err = session->err;
		sftp_finish(x);
	}
}

void sftp_session_fail(struct sftp_session *session, const struct err *err) {
	bool was_ready = session->state == SFTP_READY;

	if (session->state == SFTP_ENDING) return;
	session->err = *err;
	session->state = SFTP_ENDING;
	stop_talking(session);
	sftp_child_stop(&session->child);
	end_ops(session);
	sftp_session_ended(session, was_ready);
}

static void fail_kind(struct sftp_session *session, enum err_kind kind, const char *why) {
	struct err err;

	err_set(&err, kind, "'%s': %s", session->sftp->settings.host, why);
	sftp_session_fail(session, &err);
}

static void free_later(struct sftp_session *session) {
	list_remove(&session->link);
	sftp_session_free(session);
}

static void child_ended(struct sftp_child *child) {
	struct sftp_session *session = container_of(child, struct sftp_session, child);
	struct err err = child->failure;

	if (session->state != SFTP_ENDING) {
		if (err.kind == ERR_NONE)
			sftp_child_explain(&session->sftp->settings, child->message.at,
				session->state == SFTP_READY, &err);
		sftp_session_fail(session, &err);
	}
	free_later(session);
}

/* No answer for so long, or no question. */
static void quiet_too_long(struct timer *timer) {
	struct sftp_session *session = container_of(timer, struct sftp_session, quiet);
	struct err err = session->err;

	if (err.kind != ERR_NONE) { /* it never began */
		sftp_session_fail(session, &err);
		return;
	}
	if (list_empty(&session->requests) && session->state == SFTP_READY) {
		err_set(&err, ERR_OFFLINE,
			"the connection was idle"); /* nobody is there to see it */
		sftp_session_fail(session, &err);
		return;
	}
	fail_kind(session, ERR_OFFLINE, "no answer came in time");
}

static void listen_on(struct sftp_session *session) {
	bool due = !list_empty(&session->requests) || session->state == SFTP_CONNECTING;
	int64_t wait_ms = due ? session->sftp->settings.timeout_ms : IDLE_MS;

	/* ssh itself gives up first, and says why. */
	if (session->state == SFTP_CONNECTING) wait_ms += 15000;
	timer_start(&session->quiet, wait_ms);
}

/* ---- bytes ---- */

static void want(struct sftp_session *session) {
	if (session->poll)
		poll_change(session->poll,
			POLL_READ | (session->out.len > session->sent ? POLL_WRITE : 0));
}

static void flush(struct sftp_session *session) {
	while (session->out.len > session->sent) {
		ssize_t n = send(session->child.fd, session->out.at + session->sent,
			session->out.len - session->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) break; /* a broken one is told by its child's end */
		session->sent += (size_t)n;
		listen_on(session);
	}
	if (session->sent == session->out.len) {
		buf_clear(&session->out);
		session->sent = 0;
	} else if (session->sent > session->out.len / 2) {
		buf_consume(&session->out, session->sent);
		session->sent = 0;
	}
	want(session);
}

struct sftp_request *sftp_request_begin(struct sftp_session *session, enum sftp_type type,
	struct sftp_op *x, int slot, size_t *begun) {
	struct sftp_request *request = xcalloc(1, sizeof(*request));

	*request = (struct sftp_request){
		.id = session->next_id++, .type = type, .x = x, .slot = slot
	};
	if (list_empty(&session->requests)) listen_on(session);
	list_add_tail(&session->requests, &request->link);
	*begun = sftp_begin(&session->out, type, request->id);
	return request;
}

void sftp_request_end(struct sftp_session *session, size_t begun) {
	sftp_end(&session->out, begun);
	/* Sent when the loop comes round: what is asked in one turn goes in one write. */
	want(session);
}

void sftp_session_forget(struct sftp_session *session, const struct sftp_op *x) {
	list_each(&session->requests, link) {
		struct sftp_request *request = list_entry(link, struct sftp_request, link);
		if (request->x == x) request->x = NULL;
	}
}

/* ---- answers ---- */

static bool take_request(struct sftp_session *session, uint32_t id, struct sftp_request *request) {
	struct sftp_request *found = NULL;

	/* Answers come in the order of their questions, or nearly. */
	list_each(&session->requests, link) {
		found = list_entry(link, struct sftp_request, link);
		if (found->id == id) break;
		found = NULL;
	}
	if (!found) return false;
	list_remove(&found->link);
	*request = *found;
	free(found);
	return true;
}

/* What was opened for somebody who does not wait any more. */
static void close_unwanted(struct sftp_session *session, const struct sftp_bytes *handle) {
	size_t begun;

	sftp_request_begin(session, SFTP_CLOSE, NULL, 0, &begun);
	sftp_add_bytes(&session->out, handle->at, handle->len);
	sftp_request_end(session, begun);
}

static bool is_extension(const struct sftp_bytes *name, const char *word) {
	return name->len == strlen(word) && memcmp(name->at, word, name->len) == 0;
}

static int read_extensions(struct sftp_session *session, struct sftp_answer *answer) {
	struct sftp_extensions *has = &session->has;
	const struct {
		const char *name;
		bool *flag;
	} known[] = {
		{ "posix-rename@openssh.com", &has->posix_rename },
		{ "hardlink@openssh.com", &has->hardlink },
		{ "fsync@openssh.com", &has->fsync },
		{ "statvfs@openssh.com", &has->statvfs },
		{ "lsetstat@openssh.com", &has->lsetstat },
		{ "copy-data", &has->copy_data },
	};
	struct sftp_bytes name, value;
	int rc;

	while ((rc = sftp_next_extension(answer, &name, &value)) > 0)
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			if (is_extension(&name, known[i].name)) *known[i].flag = true;
	return rc;
}

/* The folder must be there: on the mount point of a disk that is away, all would go to the wrong
 * one. */
static void ask_root(struct sftp_session *session) {
	size_t begun;

	sftp_request_begin(session, SFTP_STAT, NULL, 0, &begun);
	sftp_add_text(&session->out, session->sftp->settings.root);
	sftp_request_end(session, begun);
}

static void root_answered(struct sftp_session *session, const struct sftp_answer *answer) {
	const struct sftp_settings *settings = &session->sftp->settings;
	struct err err;

	if (answer->type == SFTP_ATTRS) {
		if (!answer->attrs.has_mode || sftp_kind(&answer->attrs) == STORE_FOLDER) {
			session->state = SFTP_READY;
			sftp_session_ready(session);
			return;
		}
		err_set(&err, ERR_INVALID, "'%s' at '%s' is no folder: correct `path`",
			settings->root, settings->host);
	} else if (answer->type == SFTP_STATUS && answer->code == SFTP_PERMISSION_DENIED) {
		err_set(&err, ERR_DENIED, "the folder '%s' at '%s' is not ours to read",
			settings->root, settings->host);
	} else {
		err_set(&err, ERR_OFFLINE,
			"the folder '%s' does not exist at '%s': create it, or mount its disk "
			"there",
			settings->root, settings->host);
	}
	sftp_session_fail(session, &err);
}

static int first_words(struct sftp_session *session, struct sftp_answer *answer) {
	if (answer->type == SFTP_VERSION) {
		if (answer->id < 3 || read_extensions(session, answer) < 0) return -1;
		ask_root(session);
		return 0;
	}
	struct sftp_request request;
	if (!take_request(session, answer->id, &request)) return -1;
	root_answered(session, answer);
	return 0;
}

static int answered(struct sftp_session *session, struct sftp_answer *answer) {
	if (session->state == SFTP_CONNECTING) return first_words(session, answer);
	struct sftp_request request;
	if (!take_request(session, answer->id, &request)) return -1;
	if (request.x)
		sftp_answered(request.x, &request, answer);
	else if (answer->type == SFTP_HANDLE)
		close_unwanted(session, &answer->text);
	return 0;
}

static void read_answers(struct sftp_session *session) {
	size_t at = 0;
	long len = 0;

	while (session->state != SFTP_ENDING &&
		(len = sftp_packet(session->in.at + at, session->in.len - at)) > 0) {
		struct sftp_answer answer;
		if (sftp_decode(session->in.at + at, (size_t)len, &answer) < 0 ||
			answered(session, &answer) < 0)
			len = -1;
		if (len < 0) break;
		at += (size_t)len;
	}
	if (session->state == SFTP_ENDING) return;
	buf_consume(&session->in, at);
	/* A login script that prints something is the usual reason. */
	if (len < 0)
		fail_kind(session, ERR_INVALID,
			"what it sends is no SFTP: does its login script print anything?");
}

static void readable(struct sftp_session *session) {
	static char bytes[READ_BYTES]; /* one thread, and filled and used up in one call */
	ssize_t n = recv(session->child.fd, bytes, sizeof(bytes), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
	if (n <= 0) {
		/* Why, its child will say when it has ended. */
		poll_stop(session->poll);
		session->poll = NULL;
		return;
	}
	buf_add(&session->in, bytes, (size_t)n);
	listen_on(session);
	session->reading = true;
	read_answers(session);
	session->reading = false;
	/* Whether an answer is still due may have changed. */
	if (session->state != SFTP_ENDING) listen_on(session);
}

static void ready(void *user, int events) {
	struct sftp_session *session = user;

	if (events & POLL_WRITE) flush(session);
	if (session->poll && events & POLL_READ) readable(session);
}

/* ---- */

struct sftp_session *sftp_session_new(struct sftp *sftp) {
	struct sftp_session *session = xcalloc(1, sizeof(*session));

	session->sftp = sftp;
	buf_init(&session->out, OUT_MAX);
	buf_init(&session->in, SFTP_PACKET_MAX + 4 + READ_BYTES);
	list_init(&session->requests);
	list_init(&session->ops);
	timer_init(&session->quiet, sftp->store.loop, quiet_too_long);
	list_add_tail(&sftp->sessions, &session->link);
	sftp_child_start(&session->child, sftp, child_ended);
	if (session->child.failure.kind != ERR_NONE) {
		session->err = session->child.failure;
		timer_start(&session->quiet, 0);
		return session;
	}
	session->poll = poll_start(sftp->store.loop, session->child.fd, POLL_READ, ready, session);
	/* Its id is the version. */
	sftp_end(&session->out, sftp_begin(&session->out, SFTP_INIT, 3));
	want(session);
	listen_on(session);
	return session;
}

void sftp_session_free(struct sftp_session *session) {
	assert(!session->reading);
	stop_talking(session);
	sftp_child_release(&session->child);
	buf_release(&session->out);
	buf_release(&session->in);
	free(session);
}
