/* Lines to systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram an entry, fields one a line. */
#include "service/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* A journal that does not read must not hold a worker for ever. */
enum { PATIENCE_S = 5 };

static const char place[] = "/run/systemd/journal/socket";

static int open_journal(struct log_work *work, struct err *err) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	memcpy(address.sun_path, place, sizeof(place));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return err_sys(err, errno, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err_sys(err, errno, "cannot reach the journal at '%s'", place);
		close(fd);
		return -1;
	}
	work->journal_fd = fd;
	return 0;
}

void log_journal_close(struct log_work *work) {
	if (work->journal_fd >= 0) close(work->journal_fd);
	work->journal_fd = -1;
}

/* A journald that was restarted has another socket at the same place. */
static int send_entry(struct log_work *work, const struct buf *entry, struct err *err) {
	for (int tries = 0; tries < 2; tries++) {
		if (work->journal_fd < 0 && open_journal(work, err) != 0) return -1;
		ssize_t sent;
		do {
			sent = send(work->journal_fd, entry->at, entry->len, MSG_NOSIGNAL);
		} while (sent < 0 && errno == EINTR);
		if (sent >= 0) return 0;
		err_sys(err, errno, "cannot write to the journal");
		log_journal_close(work);
		if (err->sys == EAGAIN) return -1;
	}
	return -1;
}

int log_journal_send(struct log_work *work, struct err *err) {
	const char *at = work->text.at, *end = at + work->text.len;
	struct buf entry;
	int result = 0;
	buf_init(&entry, 2 * LOG_LINE_MAX);
	while (result == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *text =
			memchr(at, ' ', (size_t)(newline - at)); /* the journal has its own clock */
		buf_clear(&entry);
		buf_addf(&entry, "PRIORITY=6\nSYSLOG_IDENTIFIER=%s\nTEND_UNIT=service:%s\nMESSAGE=",
			work->name, work->name);
		buf_add(&entry, text + 1, (size_t)(newline - text));
		result = send_entry(work, &entry, err);
		at = newline + 1;
	}
	buf_release(&entry);
	return result;
}
