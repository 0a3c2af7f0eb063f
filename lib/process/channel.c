/* A connected stream socket that carries frames, both ways. No call comes inside channel_send: a
 * broken socket is reported by the next read. */
#include "process/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_MAX = 64 << 20, READ_BYTES = 64 << 10 };

struct channel {
	struct loop *loop;
	int fd;
	struct poll *poll;
	struct buf in, out;
	const struct channel_calls *calls;
	void *user;
	bool closed;   /* by channel_close, perhaps while a call of ours runs */
	unsigned busy; /* calls that run now */
};

int descriptor_own(int fd) {
	if (fd < 0) return fd;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static void free_channel(struct channel *channel) {
	buf_release(&channel->in);
	buf_release(&channel->out);
	free(channel);
}

static void broken(struct channel *channel, const struct err *err) {
	poll_change(channel->poll, 0);
	channel->calls->closed(channel->user, err);
}

static void handle_frames(struct channel *channel) {
	struct err err;
	struct frame frame;
	int got;
	while (!channel->closed && (got = frame_decode(&channel->in, &frame, &err)) != 0) {
		if (got < 0) {
			broken(channel, &err);
			return;
		}
		channel->calls->frame(channel->user, &frame);
		frame_release(&frame);
	}
}

/* False when there is nothing more to read now. */
static bool read_some(struct channel *channel) {
	char bytes[READ_BYTES];
	struct err err;
	ssize_t got = recv(channel->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (got > 0) {
		buf_add(&channel->in, bytes, (size_t)got);
		handle_frames(channel);
		return !channel->closed;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
	if (got == 0)
		err_set(&err, ERR_OFFLINE, "the other side has gone");
	else
		err_sys(&err, errno, "cannot read the socket");
	broken(channel, &err);
	return false;
}

static void write_some(struct channel *channel) {
	while (channel->out.len > 0) {
		ssize_t sent = send(channel->fd, channel->out.at, channel->out.len,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent <= 0) break; /* the reader will see why */
		buf_consume(&channel->out, (size_t)sent);
	}
	poll_change(channel->poll, POLL_READ | (channel->out.len ? POLL_WRITE : 0));
}

static void ready(void *user, int events) {
	struct channel *channel = user;
	channel->busy++;
	if (events & POLL_WRITE) write_some(channel);
	if (events & POLL_READ) read_some(channel);
	if (--channel->busy == 0 && channel->closed) free_channel(channel);
}

struct channel *channel_open(
	struct loop *loop, int fd, const struct channel_calls *calls, void *user) {
	struct channel *channel = xcalloc(1, sizeof(*channel));
	channel->loop = loop;
	channel->fd = fd;
	channel->calls = calls;
	channel->user = user;
	buf_init(&channel->in, FRAME_MAX + 2 * READ_BYTES);
	buf_init(&channel->out, OUT_MAX);
	channel->poll = poll_start(loop, fd, POLL_READ, ready, channel);
	return channel;
}

void channel_send(struct channel *channel, const struct frame *frame) {
	size_t before = channel->out.len;
	frame_encode(frame, &channel->out);
	if (channel->out.full) {
		/* Nobody has read for long: what is half in would make nonsense of the rest. */
		channel->out.len = before;
		shutdown(channel->fd, SHUT_RDWR);
		return;
	}
	write_some(channel);
}

void channel_drain(struct channel *channel) {
	channel->busy++;
	while (!channel->closed && read_some(channel)) {
	}
	if (--channel->busy == 0 && channel->closed) free_channel(channel);
}

void channel_close(struct channel *channel) {
	if (!channel || channel->closed) return;
	channel->closed = true;
	poll_stop(channel->poll);
	close(channel->fd);
	if (channel->busy == 0) free_channel(channel);
}
