/*
 * What fanotify's events say (fanotify(7)), in inotify's words.
 *
 * The kernel merges an event into one of the same folder, name and inode that waits in the queue,
 * wherever it stands there. For a change that is no harm: it is read after all that it stands for
 * has happened. But a folder that goes from a to b, back, and to b again leaves "a to b, b to a":
 * so the places of folders that were renamed are compared with the disk when the queue is read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "watch/inotify.h"

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
/* Since Linux 5.17; the C library's header may be older. */
enum {
	INFO_OLD_NAME = 10, /* FAN_EVENT_INFO_TYPE_OLD_DFID_NAME */
	INFO_NEW_NAME = 12, /* FAN_EVENT_INFO_TYPE_NEW_DFID_NAME */
	READ_BYTES = 64 << 10,
};

/* A name in a folder; number -1: it was not said. */
struct entry {
	int64_t number;
	const char *name;
};

struct event {
	uint32_t mask;
	struct entry at, to; /* `to` of a rename */
	int64_t target;      /* of the one that it is about; -1 */
};

/* ---- decoding ---- */

static void take_record(struct event *event, const char *record) {
	struct fanotify_event_info_fid info;
	struct file_handle handle;
	const char *at = record + sizeof(info);

	memcpy(&info, record, sizeof(info));
	memcpy(&handle, at, sizeof(handle));
	struct entry entry = { fanotify_number(&info.fsid, at),
		at + sizeof(handle) + handle.handle_bytes };
	switch (info.hdr.info_type) {
	case FAN_EVENT_INFO_TYPE_FID: event->target = entry.number; break;
	case FAN_EVENT_INFO_TYPE_DFID_NAME:
	case INFO_OLD_NAME: event->at = entry; break;
	case INFO_NEW_NAME: event->to = entry; break;
	default: break; /* of a kernel to come */
	}
}

static void decode(
	struct event *event, const char *block, const struct fanotify_event_metadata *meta) {
	const char *at = block + meta->metadata_len, *end = block + meta->event_len;
	struct fanotify_event_info_header head;

	*event = (struct event){
		.mask = (uint32_t)meta->mask, .at.number = -1, .to.number = -1, .target = -1
	};
	for (; at + sizeof(head) <= end; at += head.len) {
		memcpy(&head, at, sizeof(head));
		if (head.len < sizeof(head) || head.len > end - at) break;
		take_record(event, at);
	}
}

/* ---- places ---- */

static void place_set(
	struct fanotify *self, const struct entry *entry, int64_t expected, bool make) {
	char *key = xasprintf("%lld/%s", (long long)entry->number, entry->name);
	int64_t *known = map_get(&self->places, key);

	if (!known && make) {
		known = xmalloc(sizeof(*known));
		map_put(&self->places, key, known);
	}
	if (known) *known = expected;
	free(key);
}

/* A loop's look at a folder: on a file system of this machine, and where it was renamed a moment ago. */
static void place_look(
	struct inotify *inotify, struct node *parent, const char *name, int64_t expected) {
	struct watch *watch = parent->watch;
	const struct node *top;
	char *folder = node_path(parent, watch->root, &top);
	uint64_t fs = watch->fs;

	if (!folder) return;
	char *path = path_join(folder, name), *absolute = path_join(watch->root_path, path);
	int64_t found = fanotify_number_at(AT_FDCWD, absolute, &fs);
	if (found != expected && fs == watch->fs) {
		if (inotify_unlearn(inotify, parent, path, name) || expected >= 0)
			watch_report(watch, WATCH_FOLDER_GONE, path, NULL);
		if (found >= 0) watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
	}
	free(absolute);
	free(path);
	free(folder);
}

static void places_compare(struct fanotify *self) {
	for (struct map_item *it; (it = map_next(&self->places, NULL));) {
		char *key = xstrdup(map_key(it)), *name;
		int64_t *expected = map_take(&self->places, key), number = strtoll(key, &name, 10);
		struct node *parent;
		for (size_t n = 0; (parent = inotify_twin(self->inotify, number, n)); n++)
			place_look(self->inotify, parent, name + 1, *expected);
		free(expected);
		free(key);
	}
}

/* ---- events ---- */

/* Is it about a folder of ours? Strangers are remembered: they may be being added right now. */
static bool is_ours(struct fanotify *self, int64_t number) {
	if (number < 0) return false;
	if (node_by_number(&self->inotify->numbers, number)) {
		self->ours = true;
		return true;
	}
	uint64_t last = self->stranger_count;
	if (last > 0 && self->strangers[(last - 1) % STRANGERS_MAX] == number) return false;
	self->strangers[self->stranger_count++ % STRANGERS_MAX] = number;
	return false;
}

static void tell(struct fanotify *self, const struct entry *entry, uint32_t mask) {
	struct told told = { entry->number, mask, self->cookie, entry->name };

	inotify_told(self->inotify, &told);
}

static void renamed(struct fanotify *self, const struct event *event) {
	bool from = is_ours(self, event->at.number), to = is_ours(self, event->to.number);
	uint32_t folder = event->mask & FAN_ONDIR;

	self->cookie++;
	if (from) tell(self, &event->at, FAN_MOVED_FROM | folder);
	if (to) tell(self, &event->to, FAN_MOVED_TO | folder);
	inotify_came_nowhere(self->inotify, self->cookie);
	if (!folder) return;
	place_set(self, &event->at, -1, from);
	place_set(self, &event->to, event->target, to);
}

/* Its own attributes are told without its parent. */
static void tell_itself(struct fanotify *self, int64_t number) {
	struct node *node;
	const struct node *top;

	for (size_t n = 0; (node = inotify_twin(self->inotify, number, n)); n++) {
		char *path = node_path(node, node->watch->root, &top);
		if (path && node->parent && node->parent->number >= 0)
			watch_report(node->watch, WATCH_CHANGED, path, NULL);
		free(path);
	}
}

static void named(struct fanotify *self, const struct event *event) {
	const struct entry *at = &event->at;
	uint32_t folder = event->mask & FAN_ONDIR;

	if (!is_ours(self, at->number)) return;
	if (str_equal(at->name, ".")) {
		tell_itself(self, at->number);
		return;
	}
	/* Made, and then removed: of one inode there is no other order. */
	if (event->mask & FAN_CREATE) {
		tell(self, at, FAN_CREATE | folder);
		place_set(self, at, folder ? event->target : -1, false);
	}
	if (event->mask & FAN_DELETE) {
		tell(self, at, FAN_DELETE | folder);
		place_set(self, at, -1, false);
	}
	/* Another of this name may have come between the two. */
	bool both = event->mask & FAN_CREATE && event->mask & FAN_DELETE;
	if (both || event->mask & ~(uint32_t)(FAN_CREATE | FAN_DELETE | FAN_ONDIR))
		tell(self, at, FAN_ATTRIB | (both ? 0 : folder));
}

static void handle(
	struct fanotify *self, const char *block, const struct fanotify_event_metadata *meta) {
	struct event event;

	if (meta->mask & FAN_Q_OVERFLOW) {
		log_warn("more changes at once than the system's queue holds: all folders are "
			 "scanned (raise fs.fanotify.max_queued_events if this comes often)");
		inotify_begin_anew(self->inotify, true);
		return;
	}
	decode(&event, block, meta);
	if (event.mask & FAN_RENAME)
		renamed(self, &event);
	else if (event.at.number >= 0)
		named(self, &event);
}

static void read_queue(struct fanotify *self) {
	char *block = NULL;
	int queued = 0;

	/* Up to now, no further: the kernel answers as if an event had no more than its head. */
	if (ioctl(self->fd, FIONREAD, &queued) < 0) return;
	queued /= (int)FAN_EVENT_METADATA_LEN;
	if (queued > 0) block = xmalloc(READ_BYTES);
	while (self->poll && queued > 0) {
		ssize_t len = read(self->fd, block, READ_BYTES);
		if (len <= 0) break;
		struct fanotify_event_metadata meta; /* a copy: they stand at multiples of 4 */
		for (ssize_t at = 0; self->poll && at + (ssize_t)sizeof(meta) <= len; queued--) {
			memcpy(&meta, block + at, sizeof(meta));
			handle(self, block + at, &meta);
			at += meta.event_len;
		}
	}
	free(block);
}

void fanotify_catch_up(struct fanotify *self) {
	if (self->poll) read_queue(self);
	/* Who begins anew compares all. */
	if (self->poll) places_compare(self);
}
