/* The log file itself: opened, written, rotated on a line's end, the old ones packed. All of it on
 * a worker. */
#include "service/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { LOG_MODE = 0640, PACK_BYTES = 64 << 10 };

static int look(struct log_work *work, struct err *err) {
	struct stat st;
	if (fstat(work->fd, &st) != 0)
		return err_sys(err, errno, "cannot look at '%s'", work->path);
	work->inode = st.st_ino;
	work->file_bytes = (uint64_t)st.st_size;
	return 0;
}

static int open_log(struct log_work *work, struct err *err) {
	uint64_t inode = work->inode;
	uint64_t agreed = work->file_bytes;
	if (work->fd >= 0) close(work->fd);
	work->fd = -1;
	if (!(work->where & LOG_TO_JOURNAL)) log_journal_close(work);
	if (!(work->where & LOG_TO_FILE)) {
		work->inode = work->file_bytes = 0;
		return 0;
	}
	work->fd =
		open(work->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
	if (work->fd < 0) return err_sys(err, errno, "cannot open the log '%s'", work->path);
	if (look(work, err) != 0) return -1;
	/* We were killed between writing and noting it: it is still in the spool and comes again.
	 */
	if (work->recover && work->inode == inode && work->file_bytes > agreed) {
		if (ftruncate(work->fd, (off_t)agreed) != 0)
			return err_sys(err, errno, "cannot cut the log '%s'", work->path);
		work->file_bytes = agreed;
	}
	return 0;
}

/* By a person, or a job that cleans up: what is written to it is nowhere. */
static bool is_deleted(const struct log_work *work) {
	struct stat st;
	return fstat(work->fd, &st) == 0 && st.st_nlink == 0;
}

static int write_file(struct log_work *work, struct err *err) {
	if (is_deleted(work) && open_log(work, err) != 0) return -1;
	if (look(work, err) != 0) return -1; /* somebody may have emptied it */
	size_t done = 0;
	while (done < work->text.len) {
		ssize_t wrote = write(work->fd, work->text.at + done, work->text.len - done);
		if (wrote < 0 && errno == EINTR) continue;
		if (wrote < 0) {
			err_sys(err, errno, "cannot write the log '%s'", work->path);
			/* Half a batch would come again whole. */
			if (ftruncate(work->fd, (off_t)work->file_bytes) != 0)
				log_debug("'%s' keeps half a batch", work->path);
			return -1;
		}
		done += (size_t)wrote;
	}
	work->file_bytes += done;
	return 0;
}

/* The file first: what is in it is not held up by a journal that refuses. */
static int write_text(struct log_work *work, struct err *err) {
	bool to_file = work->where & LOG_TO_FILE;
	err_clear(&work->journal_err);
	if (to_file && write_file(work, err) != 0) return -1;
	if (!(work->where & LOG_TO_JOURNAL)) return 0;
	return log_journal_send(work, to_file ? &work->journal_err : err) == 0 || to_file ? 0 : -1;
}

/* ---- old ones ---- */

static int copy_packed(int from, gzFile to) {
	char *bytes = xmalloc(PACK_BYTES);
	ssize_t got;
	int result = 0;
	while ((got = read(from, bytes, PACK_BYTES)) > 0)
		if (gzwrite(to, bytes, (unsigned)got) != got) result = -1;
	free(bytes);
	return got < 0 ? -1 : result;
}

/* PATH becomes PATH.gz, or stays as it is. */
static int pack(const char *path, struct err *err) {
	char *packed = xasprintf("%s.gz", path);
	char *part = xasprintf("%s.gz.part", path);
	int result = -1;
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);
	gzFile gz = to >= 0 ? gzdopen(to, "wb") : NULL;
	if (from < 0 || !gz) {
		err_sys(err, errno, "cannot pack '%s'", path);
		if (gz)
			gzclose(gz);
		else if (to >= 0)
			close(to);
		goto out;
	}
	result = copy_packed(from, gz);
	if (gzclose(gz) != Z_OK) result = -1;
	if (result == 0 && rename(part, packed) == 0)
		unlink(path);
	else
		result = err_sys(err, errno, "cannot pack '%s'", path);
out:
	if (result != 0) unlink(part);
	if (from >= 0) close(from);
	free(part);
	free(packed);
	return result;
}

int log_pack_do(struct log_pack *work, struct err *err) {
	char *path = xasprintf("%s.1", work->path);
	int result = access(path, F_OK) == 0 ? pack(path, err) : 0;
	free(path);
	return result;
}

/* NAME.log.1.gz becomes NAME.log.2.gz and so on; the oldest goes. */
static void shift(const char *path, int64_t keep) {
	char *oldest = xasprintf("%s.%lld.gz", path, (long long)keep);
	unlink(oldest);
	free(oldest);
	for (int64_t number = keep - 1; number >= 1; number--) {
		char *from = xasprintf("%s.%lld.gz", path, (long long)number);
		char *to = xasprintf("%s.%lld.gz", path, (long long)number + 1);
		if (rename(from, to) != 0 && errno != ENOENT)
			log_warn("cannot rename '%s': %s", from, strerror(errno));
		free(from);
		free(to);
	}
}

static int rotate(struct log_work *work, struct err *err) {
	char *newest = xasprintf("%s.1", work->path);
	int result = 0;
	/* A kill of ours, or a full disk, may have left it unpacked. */
	if (work->keep > 0 && access(newest, F_OK) == 0) result = pack(newest, err);
	if (result == 0 && work->keep > 0) {
		shift(work->path, work->keep);
		if (rename(work->path, newest) != 0 && errno != ENOENT)
			result = err_sys(err, errno, "cannot rename the log '%s'", work->path);
	} else if (result == 0) {
		unlink(work->path);
	}
	free(newest);
	return result == 0 ? open_log(work, err) : -1;
}

int log_work_do(struct log_work *work, struct err *err) {
	switch (work->task) {
	case LOG_TASK_OPEN: return open_log(work, err);
	case LOG_TASK_ROTATE: work->recover = false; return rotate(work, err);
	case LOG_TASK_WRITE: break;
	}
	return write_text(work, err);
}
