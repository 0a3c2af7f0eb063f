/* Files of the daemon itself. Everything here is small and local, and happens before the loop
 * turns or on a person's word. */
#include "tendd/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MACHINE_ID_BYTES = 16,
	MACHINE_ID_TEXT = 2 * MACHINE_ID_BYTES,
	HOLDER_TEXT = 32,
	AGAIN_MS = 10,
	GONE_MS = 10000, /* so long a lock is waited for whose holder has ended */
};

/* An existing folder keeps the mode that somebody gave it. */
static int make_folder(const char *path, mode_t mode, struct err *err) {
	struct stat stat_of;
	if (mkdir(path, mode) == 0) {
		/* The mode is meant as it stands here, whatever the umask. */
		return chmod(path, mode) ? err_sys(err, errno, "cannot set the mode of '%s'", path)
					 : 0;
	}
	if (errno == EEXIST) {
		if (stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode)) return 0;
		return err_set(err, ERR_INVALID, "'%s' is in the way: it is not a folder", path);
	}
	if (errno != ENOENT) return err_sys(err, errno, "cannot make the folder '%s'", path);
	char *parent = path_parent(path);
	int rc = *parent && !str_equal(parent, path)
			 ? make_folder(parent, mode, err)
			 : err_sys(err, errno, "cannot make '%s'", path);
	free(parent);
	if (rc) return -1;
	if (mkdir(path, mode) && errno != EEXIST) {
		return err_sys(err, errno, "cannot make the folder '%s'", path);
	}
	return chmod(path, mode) ? err_sys(err, errno, "cannot set the mode of '%s'", path) : 0;
}

static int make_place(const char *path, mode_t mode, const char *key, struct err *err) {
	if (make_folder(path, mode, err) == 0) return 0;
	struct err why = *err;
	return err_set(err, why.kind,
		"%s: let the daemon's user write there, or set '%s' in [tend]", why.text, key);
}

int state_make_folders(const struct tend_settings *settings, struct err *err) {
	bool root = geteuid() == 0;
	/* Services of other users open their FIFO, and the group its socket, through
	 * runtime_dir. */
	if (make_place(settings->state_dir, 0700, "state_dir", err)) return -1;
	if (make_place(settings->runtime_dir, root ? 0755 : 0700, "runtime_dir", err)) return -1;
	return make_place(settings->log_dir, 0700, "log_dir", err);
}

bool state_again(int *waited_ms, int most_ms) {
	const struct timespec pause = { .tv_nsec = AGAIN_MS * NS_PER_MS };
	if (*waited_ms >= most_ms) return false;
	nanosleep(&pause, NULL);
	*waited_ms += AGAIN_MS;
	return true;
}

/* Who wrote his pid into the lock; "": nobody. */
static void read_holder(int fd, char text[HOLDER_TEXT]) {
	ssize_t len = pread(fd, text, HOLDER_TEXT - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool is_gone(const char *holder) {
	int64_t pid;
	return !str_to_int(holder, 1, INT32_MAX, &pid) && kill((pid_t)pid, 0) && errno == ESRCH;
}

/* One that was killed may hold it for a moment: its threads end what they ask of a disk, and a child of
 * its own on the way to another program has all it had. */
static int take_lock(int fd, const char *path, struct err *err) {
	char holder[HOLDER_TEXT];
	for (int waited_ms = 0;;) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
		if (errno != EWOULDBLOCK) return err_sys(err, errno, "cannot lock '%s'", path);
		read_holder(fd, holder);
		bool gone = is_gone(holder);
		if (state_again(&waited_ms, gone ? GONE_MS : STATE_PATIENCE_MS)) continue;
		return err_set(err, ERR_BUSY,
			gone ? "a process that tendd (pid %s) left behind still holds '%s'"
			     : "another tendd (pid %s) holds '%s'",
			*holder ? holder : "unknown", path);
	}
}

/* By flock: the kernel lets go of it with the process, however that ends. The pid inside is for people,
 * and says whether it is worth to wait. */
int state_lock(const char *state_dir, struct err *err) {
	char *path = path_join(state_dir, "tendd.lock");
	char text[HOLDER_TEXT];
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_sys(err, errno, "cannot open '%s'", path);
		goto failed;
	}
	if (take_lock(fd, path, err)) goto failed;
	snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, text, strlen(text), 0) < 0) {
		err_sys(err, errno, "cannot write '%s'", path);
		goto failed;
	}
	free(path);
	return fd;
failed:
	if (fd >= 0) close(fd);
	free(path);
	return -1;
}

/* A signal may cut a write short. */
static int write_all(int fd, const char *text, size_t len) {
	while (len > 0) {
		ssize_t put = write(fd, text, len);
		if (put < 0 && errno == EINTR) continue;
		if (put < 0) return -1;
		text += put;
		len -= (size_t)put;
	}
	return 0;
}

int state_write_file(const char *path, const char *text, size_t len, struct err *err) {
	char *beside = xasprintf("%s.new", path);
	int rc = -1;
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_sys(err, errno, "cannot make '%s'", beside);
	} else if (write_all(fd, text, len) || fsync(fd)) {
		err_sys(err, errno, "cannot write '%s'", beside);
	} else if (rename(beside, path)) {
		err_sys(err, errno, "cannot put '%s' in its place", path);
	} else {
		rc = 0;
	}
	/* A full disk must not be left with half a file on it. */
	if (fd >= 0) {
		close(fd);
		if (rc) unlink(beside);
	}
	free(beside);
	return rc;
}

static bool is_machine_id(const char *text) {
	return strspn(text, "0123456789abcdef") == MACHINE_ID_TEXT && text[MACHINE_ID_TEXT] == '\0';
}

/* Not /etc/machine-id: images of rented machines are cloned with theirs, and two owners would
 * look like one. */
char *state_machine_id(struct loop *loop, const char *state_dir, struct err *err) {
	char *path = path_join(state_dir, "machine-id"), *id = NULL;
	char text[MACHINE_ID_TEXT + 2] = "";
	unsigned char bytes[MACHINE_ID_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t len = read(fd, text, sizeof(text) - 1);
		close(fd);
		if (len >= 0) text[strcspn(text, "\n")] = '\0';
		if (len >= 0 && is_machine_id(text)) {
			id = xstrdup(text);
			goto end;
		}
		log_warn("'%s' is damaged: a new one is made", path);
	} else if (errno != ENOENT) {
		err_sys(err, errno, "cannot read '%s'", path);
		goto end;
	}
	loop_random(loop, bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	text[MACHINE_ID_TEXT] = '\n';
	text[MACHINE_ID_TEXT + 1] = '\0';
	if (state_write_file(path, text, MACHINE_ID_TEXT + 1, err) == 0) {
		id = xstrndup(text, MACHINE_ID_TEXT);
	}
end:
	free(path);
	return id;
}
