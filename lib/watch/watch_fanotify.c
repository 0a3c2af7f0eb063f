/*
 * The mark of a whole file system, and the handles by which its folders are told.
 *
 * What it costs: every write of anybody on that file system is told to us, so that an idle tendd
 * wakes with its neighbours (at most PAUSE_MS apart, events_fanotify.c); and of one watch a folder
 * the kernel keeps about 1.3 KiB that cannot be swapped, its inode and name among them. So it begins
 * where folders are many.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "watch/inotify.h"

/* Since Linux 5.17; the C library's header may be older. */
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x00001000
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

enum {
	INIT_FLAGS = FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC | FAN_REPORT_FID |
		     FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID |
		     /* We set few; but asked for it, the kernel refuses at once who has no
			CAP_SYS_ADMIN, and so may not mark a file system. */
		     FAN_UNLIMITED_MARKS,
	/* Above, one mark: below, a watch costs less than the neighbours' writes. */
	THRESHOLD = 65536,
};
/* FAN_RENAME tells both halves at once. */
static const uint64_t mask = FAN_MODIFY | FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_CREATE | FAN_DELETE |
			     FAN_RENAME | FAN_ONDIR;

size_t fanotify_threshold(void) {
	const char *text = getenv("TEND_FANOTIFY_FROM");
	int64_t from;

	return text && str_to_int(text, 0, INT64_MAX, &from) == 0 ? (size_t)from : THRESHOLD;
}

/* "fanotify" among the words of TEND_WITHOUT. */
static bool told_to_do_without(void) {
	static const char what[] = "fanotify";
	const char *list = getenv("TEND_WITHOUT");

	while (list && *list) {
		size_t word = strcspn(list, ",");
		if (word == strlen(what) && memcmp(list, what, word) == 0) return true;
		list += word + (list[word] == ',');
	}
	return false;
}

/* ---- numbers ---- */

static uint64_t mix(uint64_t hash, uint64_t word) {
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ (hash >> 32);
}

int64_t fanotify_number(const void *fsid, const void *at) {
	struct file_handle handle;
	uint64_t hash, word;
	const char *bytes = at;

	memcpy(&handle, bytes, sizeof(handle));
	memcpy(&word, fsid, sizeof(word));
	hash = mix(mix(word, handle.handle_bytes), (uint32_t)handle.handle_type);
	for (unsigned i = 0; i < handle.handle_bytes; i += sizeof(word)) {
		unsigned left = handle.handle_bytes - i;
		word = 0;
		memcpy(&word, bytes + sizeof(handle) + i,
			left < sizeof(word) ? left : sizeof(word));
		hash = mix(hash, word);
	}
	return (int64_t)((hash & ((UINT64_C(1) << 62) - 1)) | UINT64_C(1) << 62);
}

/* Of an open folder. */
static int64_t number_of(int fd, uint64_t *fs) {
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} at;
	struct statfs stat;
	int mount;

	at.handle.handle_bytes = MAX_HANDLE_SZ;
	if (fstatfs(fd, &stat) < 0) return -1;
	if (name_to_handle_at(fd, "", &at.handle, &mount, AT_EMPTY_PATH) < 0) return -1;
	memcpy(fs, &stat.f_fsid, sizeof(*fs));
	return fanotify_number(&stat.f_fsid, &at);
}

static int open_folder(int at, const char *path) {
	return openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int64_t fanotify_number_at(int at, const char *path, uint64_t *fs) {
	int fd = open_folder(at, path);

	if (fd < 0) return -1;
	int64_t number = number_of(fd, fs);
	int errnum = errno;
	(void)close(fd);
	errno = errnum;
	return number;
}

/* ---- additions ---- */

void fanotify_begin(const struct fanotify *self, struct watch_add *add) {
	add->since = self->stranger_count;
}

bool fanotify_spoke(const struct fanotify *self, const struct watch_add *add) {
	uint64_t count = self->stranger_count;

	if (count - add->since > STRANGERS_MAX) return true;
	for (uint64_t i = add->since; i < count; i++)
		if (self->strangers[i % STRANGERS_MAX] == add->number) return true;
	return false;
}

/* File systems without a name of their own (fsid 0), overlays and subvolumes refuse the mark. */
static bool root_look(const struct fanotify *self, int fd, struct watch_add *add) {
	uint64_t fs;

	add->fs = 0;
	int64_t number = number_of(fd, &fs);
	if (number < 0 || fs == 0) return false;
	if (fanotify_mark(self->fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, fd, ".") < 0)
		return false;
	add->number = number;
	add->fs = fs;
	return true;
}

bool fanotify_look(struct fanotify *self, struct watch_add *add) {
	uint64_t fs = 0;
	bool looked;

	if (!add->root && add->fs == 0) return false;
	int fd = open_folder(AT_FDCWD, add->absolute);
	if (fd < 0) {
		add->sys = errno;
		return true;
	}
	if (add->root) {
		looked = root_look(self, fd, add);
	} else {
		add->number = number_of(fd, &fs);
		looked = add->number >= 0 && fs == add->fs;
		if (!looked) add->number = -1;
	}
	(void)close(fd);
	return looked;
}

/* ---- the descriptor ---- */

enum { PAUSE_MS = 50 };

/* While others write and we have no part in it, we look from time to time. */
static void readable(void *user, int events) {
	struct fanotify *self = user;
	struct watch_source *source = &self->inotify->source;

	(void)events;
	source->refs++;
	self->ours = false;
	inotify_catch_up(self->inotify);
	if (self->poll && !self->ours) {
		poll_change(self->poll, 0);
		timer_start(&self->pause, PAUSE_MS);
	}
	watch_source_unref(source);
}

static void paused(struct timer *timer) {
	struct fanotify *self = container_of(timer, struct fanotify, pause);

	poll_change(self->poll, POLL_READ);
}

static int descriptor(void) {
	return told_to_do_without() ? -1 : fanotify_init(INIT_FLAGS, O_RDONLY);
}

bool fanotify_is_possible(void) {
	int fd = descriptor();

	if (fd >= 0) (void)close(fd);
	return fd >= 0;
}

struct fanotify *fanotify_open(struct inotify *inotify) {
	int fd = descriptor();

	if (fd < 0) return NULL;
	struct fanotify *self = xcalloc(1, sizeof(*self));
	self->inotify = inotify;
	self->fd = fd;
	map_init(&self->places);
	timer_init(&self->pause, inotify->loop, paused);
	self->poll = poll_start(inotify->loop, fd, POLL_READ, readable, self);
	if (self->poll) return self;
	fanotify_close(self);
	return NULL;
}

void fanotify_stop(struct fanotify *self) {
	timer_cancel(&self->pause);
	poll_stop(self->poll);
	self->poll = NULL;
}

void fanotify_close(struct fanotify *self) {
	if (!self) return;
	fanotify_stop(self);
	(void)close(self->fd);
	for (struct map_item *it = NULL; (it = map_next(&self->places, it));) free(map_value(it));
	map_release(&self->places);
	free(self);
}
