/* What events say: reports for the owner, changes of the tree, and moves, which come in two
 * halves. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "watch/inotify.h"

enum {
	READ_BYTES = 64 << 10,
	HOLD_MS = 20, /* for the other half of a move, which the kernel queues a moment later */
	BURY_AT_ONCE = 4096, /* a quarter of the queue */
	STRAYS_MAX = 4096,
};

/* ---- forgetting ---- */

void inotify_doom(struct inotify *self, struct node *node) {
	if (node->parent) node_cut(node);
	if (self->doomed_count == self->doomed_room) {
		self->doomed_room = self->doomed_room ? self->doomed_room * 2 : 16;
		self->doomed = xrealloc(self->doomed, self->doomed_room * sizeof(struct node *));
	}
	self->doomed[self->doomed_count++] = node;
}

void inotify_give_back(struct inotify *self, int64_t number) {
	if (number < 0 || fanotify_is_number(number)) return;
	/* Of an ended descriptor they end by themselves. */
	if (self->poll) (void)inotify_rm_watch(self->fd, (int)number);
}

static void doom_child(struct inotify *self, struct node *parent, const char *name) {
	struct node *node = node_child(parent, name);

	if (node) inotify_doom(self, node);
}

/* Frees some of what is doomed. False: nothing was. */
static bool bury(struct inotify *self) {
	bool any = self->doomed_count > 0;

	for (size_t i = 0; i < BURY_AT_ONCE && self->doomed_count > 0; i++) {
		struct node *top = self->doomed[self->doomed_count - 1], *leaf = node_leaf(top);
		inotify_give_back(self, node_number(&self->numbers, leaf, -1));
		if (leaf == top) self->doomed_count--;
		node_free(leaf);
	}
	return any;
}

/* ---- moves ---- */

static void expire(struct inotify *self, struct held *held) {
	watch_report(held->watch, WATCH_FOLDER_GONE, held->from, NULL);
	watch_limit_cured(held->watch, held->from, true);
	inotify_hold_release(self, held);
}

void inotify_hold_expire(struct inotify *self) {
	list_each(&self->held, link) expire(self, container_of(link, struct held, link));
	while (bury(self)) inotify_catch_up(self);
}

/* An event at the place it left, or at one above, must not be told before that it left. */
static void expire_below(struct inotify *self, const struct watch *watch, const char *path,
	const struct told *event) {
	list_each(&self->held, link) {
		struct held *held = container_of(link, struct held, link);
		if (held->watch != watch || !path_is_within(held->from, path)) continue;
		if (event->mask & IN_MOVED_TO && event->cookie == held->cookie) continue;
		expire(self, held);
	}
}

void inotify_came_nowhere(struct inotify *self, uint32_t cookie) {
	list_each(&self->held, link) {
		struct held *held = container_of(link, struct held, link);
		if (held->cookie == cookie) expire(self, held);
	}
}

bool inotify_unlearn(
	struct inotify *self, struct node *parent, const char *path, const char *name) {
	bool known = node_child(parent, name);

	watch_adds_stale(parent->watch, path, NULL);
	doom_child(self, parent, name);
	watch_limit_cured(parent->watch, path, true);
	return known;
}

static void moved_from(
	struct inotify *self, struct node *parent, const char *path, const struct told *event) {
	struct held *held = xcalloc(1, sizeof(*held));

	held->cookie = event->cookie;
	held->watch = parent->watch;
	held->from = xstrdup(path);
	/* Off its place at once: the next of its name may come before its other half. */
	held->node = node_child(parent, event->name);
	if (held->node) node_cut(held->node);
	list_add_tail(&self->held, &held->link);
	watch_adds_stale(parent->watch, path, NULL);
}

static struct held *held_find(
	const struct inotify *self, const struct watch *watch, uint32_t cookie) {
	list_each(&self->held, link) {
		struct held *held = container_of(link, struct held, link);
		if (held->watch == watch && held->cookie == cookie) return held;
	}
	return NULL;
}

static void moved_to(
	struct inotify *self, struct node *parent, const char *path, const struct told *event) {
	struct watch *watch = parent->watch;
	struct held *held = held_find(self, watch, event->cookie);

	/* An empty folder that is renamed over tells it nowhere else. */
	watch_adds_stale(watch, path, NULL);
	doom_child(self, parent, event->name);
	if (!held) {
		watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
		return;
	}
	watch_adds_stale(watch, held->from, path);
	/* Only where nothing was missed meanwhile do watches, and what is known, just follow. */
	if (held->node && held->node->number >= 0 && !held->touched) {
		watch_report(watch, WATCH_FOLDER_MOVED, path, held->from);
	} else {
		watch_report(watch, WATCH_FOLDER_GONE, held->from, NULL);
		watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
	}
	watch_limit_cured(watch, held->from, true);
	if (held->node) (void)node_hang(&self->numbers, held->node, parent, event->name);
	held->node = NULL;
	inotify_hold_release(self, held);
}

/* ---- events ---- */

/* A folder in a watched folder. */
static void folder_event(
	struct inotify *self, struct node *parent, const char *path, const struct told *event) {
	struct watch *watch = parent->watch;

	if (event->mask & IN_MOVED_FROM) {
		moved_from(self, parent, path, event);
	} else if (event->mask & IN_MOVED_TO) {
		moved_to(self, parent, path, event);
	} else if (event->mask & IN_CREATE) {
		doom_child(self, parent, event->name);
		watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
	} else if (event->mask & IN_DELETE) {
		(void)inotify_unlearn(self, parent, path, event->name);
		watch_report(watch, WATCH_FOLDER_GONE, path, NULL);
	} else {
		watch_report(watch, WATCH_CHANGED, path, NULL);
	}
}

static void named_event(struct inotify *self, struct node *node, const struct told *event) {
	const struct node *top;
	char *folder = node_path(node, node->watch->root, &top);

	if (!folder) {
		list_each(&self->held, link) {
			struct held *held = container_of(link, struct held, link);
			if (held->node == top) held->touched = true;
		}
		return;
	}
	char *path = path_join(folder, event->name);
	expire_below(self, node->watch, path, event);
	if (event->mask & IN_ISDIR)
		folder_event(self, node, path, event);
	else
		watch_report(node->watch, WATCH_CHANGED, path, NULL);
	free(path);
	free(folder);
}

/* About the watched folder itself. What its parent tells as well is left to the parent. */
static void own_event(struct node *node, const struct told *event) {
	struct watch *watch = node->watch;

	if (node == watch->root) {
		if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
			watch_report(watch, WATCH_ROOT_GONE, "", NULL);
		}
	} else if (event->mask & IN_UNMOUNT) {
		watch_report(watch, WATCH_OVERFLOW, "", NULL);
	}
}

/* The kernel took the number back: the folder is gone. */
static void number_ended(struct inotify *self, int wd) {
	struct node *node;

	while ((node = node_by_number(&self->numbers, wd))) {
		(void)node_number(&self->numbers, node, -1);
		node_trim(node);
	}
}

enum inotify_stray inotify_stray(const struct inotify *self, int wd) {
	char key[16];

	(void)snprintf(key, sizeof(key), "%d", wd);
	const enum inotify_stray *said = map_get(&self->strays, key);
	return said ? *said : STRAY_SILENT;
}

/* Too many: those who might have asked for them begin again. */
static void forget_strays(struct inotify *self) {
	list_each(&self->watches, link) {
		watch_adds_stale(container_of(link, struct watch, link), "", NULL);
	}
	map_release(&self->strays);
}

static void stray(struct inotify *self, const struct told *event) {
	static enum inotify_stray spoke = STRAY_SPOKE, gone = STRAY_GONE;
	char key[16];

	if (self->source.adds == 0) return; /* of a number that we gave back */
	(void)snprintf(key, sizeof(key), "%d", (int)event->number);
	if (map_count(&self->strays) >= STRAYS_MAX) forget_strays(self);
	if (event->mask & IN_IGNORED)
		map_put(&self->strays, key, &gone);
	else if (!map_get(&self->strays, key))
		map_put(&self->strays, key, &spoke);
}

struct node *inotify_twin(const struct inotify *self, int64_t number, size_t n) {
	struct node *node = node_by_number(&self->numbers, number);

	for (; node && n > 0; n--) node = node->twin;
	return node;
}

void inotify_told(struct inotify *self, const struct told *told) {
	struct node *node;

	for (size_t n = 0; (node = inotify_twin(self, told->number, n)); n++) {
		if (*told->name)
			named_event(self, node, told);
		else
			own_event(node, told);
	}
}

/* Where fanotify tells of all else. */
static void root_event(struct inotify *self, const struct inotify_event *event) {
	list_each(&self->watches, link) {
		struct watch *watch = container_of(link, struct watch, link);
		if (watch->root_wd != event->wd) continue;
		if (event->mask & IN_IGNORED) watch->root_wd = -1;
		watch_report(watch, WATCH_ROOT_GONE, "", NULL);
	}
}

static void handle(struct inotify *self, const struct inotify_event *event) {
	struct told told = { event->wd, event->mask, event->cookie,
		event->len > 0 ? event->name : "" };

	if (event->mask & IN_Q_OVERFLOW) {
		log_warn("more changes at once than the system's queue holds: all folders are "
			 "scanned (raise fs.inotify.max_queued_events if this comes often)");
		inotify_begin_anew(self, self->fanotify != NULL);
		return;
	}
	if (!node_by_number(&self->numbers, event->wd)) stray(self, &told);
	inotify_told(self, &told);
	if (self->fanotify) root_event(self, event);
	if (event->mask & IN_IGNORED) number_ended(self, event->wd);
}

static void read_queue(struct inotify *self) {
	char *block = NULL;
	int queued = 0;

	/* Up to now, no further: a storm must not hold us here. */
	if (!self->poll || ioctl(self->fd, FIONREAD, &queued) < 0) return;
	if (queued > 0) block = xmalloc(READ_BYTES);
	while (self->poll && queued > 0) {
		ssize_t len = read(self->fd, block, READ_BYTES);
		if (len <= 0) break;
		queued -= (int)len;
		for (ssize_t at = 0; self->poll && at < len;) {
			struct inotify_event *event = (struct inotify_event *)(void *)(block + at);
			at += (ssize_t)(sizeof(*event) + event->len);
			handle(self, event);
		}
	}
	free(block);
}

void inotify_catch_up(struct inotify *self) {
	self->source.refs++; /* an overflow may end it */
	do {
		if (self->fanotify) fanotify_catch_up(self->fanotify);
		read_queue(self);
	} while (bury(self));
	if (self->poll && !list_empty(&self->held) && !timer_running(&self->hold)) {
		timer_start(&self->hold, HOLD_MS);
	}
	watch_source_unref(&self->source);
}
