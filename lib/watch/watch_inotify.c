/* The descriptor, its limits, and how a folder comes to be watched. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "watch/inotify.h"

enum {
	MASK = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
	       IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW |
	       IN_EXCL_UNLINK,
	ROOT_MASK = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW,
};

static struct inotify *shared; /* the loop thread's; NULL: nothing is watched */

static struct inotify *inotify_of(struct watch_source *source) {
	return container_of(source, struct inotify, source);
}

/* ---- limits ---- */

static int limit_err(struct err *err, const char *name) {
	char path[64], text[32] = "";
	(void)snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
	FILE *file = fopen(path, "re");

	if (file) {
		if (!fgets(text, sizeof(text), file)) text[0] = '\0';
		(void)fclose(file);
	}
	long limit = strtol(text, NULL, 10);
	return err_set(err, ERR_FULL, "fs.inotify.%s is %ld: run 'sysctl fs.inotify.%s=%ld'", name,
		limit, name, limit * 2);
}

/* EMFILE means either limit. */
static int open_err(struct err *err, int errnum) {
	int probe = errnum == EMFILE ? dup(STDERR_FILENO) : -1;

	if (probe < 0) return err_sys(err, errnum, "cannot watch folders");
	(void)close(probe);
	return limit_err(err, "max_user_instances");
}

/* ---- the descriptor ---- */

static void readable(void *user, int events) {
	(void)events;
	mounts_look(user); /* it may be no more after the other */
	inotify_catch_up(user);
}

static void hold_fired(struct timer *timer) {
	struct inotify *self = container_of(timer, struct inotify, hold);

	self->source.refs++;
	inotify_catch_up(self);
	timer_cancel(&self->hold);
	inotify_hold_expire(self); /* may hold new ones */
	watch_source_unref(&self->source);
}

static const struct watch_kind kind;

static struct inotify *inotify_new(struct loop *loop, bool fanotify, struct err *err) {
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0) {
		open_err(err, errno);
		return NULL;
	}
	struct inotify *self = xcalloc(1, sizeof(*self));
	self->source.kind = &kind;
	self->loop = loop;
	self->fd = fd;
	list_init(&self->watches);
	list_init(&self->held);
	timer_init(&self->hold, loop, hold_fired);
	map_init(&self->strays);
	self->poll = poll_start(loop, fd, POLL_READ, readable, self);
	if (self->poll) {
		mounts_begin(self);
		if (fanotify) self->fanotify = fanotify_open(self);
		self->alone = fanotify && !self->fanotify;
		return self;
	}
	err_sys(err, errno, "cannot watch folders");
	(void)close(fd);
	free(self);
	return NULL;
}

static void inotify_free(struct watch_source *source) {
	struct inotify *self = inotify_of(source);

	assert(!self->poll && self->doomed_count == 0 && list_empty(&self->held));
	(void)close(self->fd);
	mounts_end(self);
	fanotify_close(self->fanotify);
	map_release(&self->strays);
	numbers_release(&self->numbers);
	free(self->doomed);
	free(self);
}

void inotify_hold_release(struct inotify *self, struct held *held) {
	list_remove(&held->link);
	if (held->node) inotify_doom(self, held->node);
	free(held->from);
	free(held);
}

/* No events from now on. Numbers need not be given back one by one, the descriptor takes them
 * along. */
static void inotify_end(struct inotify *self) {
	poll_stop(self->poll);
	self->poll = NULL;
	if (self->fanotify) fanotify_stop(self->fanotify);
	timer_cancel(&self->hold);
	list_each(&self->held, link) {
		inotify_hold_release(self, container_of(link, struct held, link));
	}
	if (shared == self) shared = NULL;
}

/* The tree may be wrong now, in ways that the scan that follows would not show: folders under names
 * they no longer have. And to give back 100,000 numbers would fill the queue anew. So all is begun
 * again, on another descriptor. */
void inotify_begin_anew(struct inotify *self, bool fanotify) {
	struct err err;
	struct inotify *next = inotify_new(self->loop, fanotify, &err);

	if (next) {
		inotify_end(self);
		shared = next;
	} else {
		log_warn("%s", err.text);
	}
	list_each(&self->watches, link) {
		struct watch *watch = container_of(link, struct watch, link);
		watch_adds_stale(watch, "", NULL);
		watch_report(watch, WATCH_OVERFLOW, "", NULL);
		if (!next) continue;
		inotify_doom(self, watch->root);
		watch->root = node_new(watch, NULL, "");
		watch->root_wd = -1;
		watch->fs = 0;
		watch_limit_cured(watch, "", true);
		list_remove(link);
		list_add_tail(&next->watches, link);
		watch->source = &next->source;
		next->source.refs++;
		watch_source_unref(&self->source); /* not the last: whoever reads holds one */
	}
}

/* ---- additions ---- */

static void begin(struct watch *watch, struct watch_add *add) {
	const struct inotify *self = inotify_of(watch->source);

	add->fs = watch->fs;
	if (self->fanotify) fanotify_begin(self->fanotify, add);
}

static void look(struct watch_source *source, struct watch_add *add) {
	const struct inotify *self = inotify_of(source);

	if (self->fanotify && fanotify_look(self->fanotify, add)) {
		/* Its own end is told by nobody above it. */
		if (add->root && add->number >= 0)
			add->wd = inotify_add_watch(self->fd, add->absolute, ROOT_MASK);
		return;
	}
	add->wd = inotify_add_watch(self->fd, add->absolute, MASK);
	add->number = add->wd;
	if (add->wd < 0) add->sys = errno;
}

static bool is_used(const struct inotify *self, int wd) {
	list_each(&self->watches, link) {
		if (container_of(link, struct watch, link)->root_wd == wd) return true;
	}
	return node_by_number(&self->numbers, wd) != NULL;
}

/* The number that the job got leads nowhere now, unless it was known before. */
static void undo(struct watch_source *source, struct watch_add *add) {
	struct inotify *self = inotify_of(source);

	if (add->wd >= 0 && !is_used(self, add->wd)) inotify_give_back(self, add->wd);
	if (source->adds == 1) map_release(&self->strays);
}

static int look_err(struct watch *watch, struct watch_add *add, struct err *err) {
	switch (add->sys) {
	case 0: return err_set(err, ERR_CANCELLED, "'%s' was not looked at", add->absolute);
	/* inotify(7): the user limit on the total number of inotify watches was reached. */
	case ENOSPC: limit_err(err, "max_user_watches"); break;
	case ENAMETOOLONG:
		err_set(err, ERR_FULL, "the path '%s' is too long to be watched", add->absolute);
		break;
	default:
		err_sys(err, add->sys, "cannot watch '%s'", add->absolute);
		/* A link stands there now, or stood there on the way. */
		if (add->sys == ELOOP) err->kind = ERR_NOT_FOUND;
	}
	if (err->kind == ERR_FULL) watch_limit_hit(watch, add->path, err);
	if (err->kind == ERR_NOT_FOUND) watch_limit_cured(watch, add->path, true);
	return -1;
}

/* A folder is new only where one is watched: what is below a folder that is not comes with the
 * listing of that one, which is on its way or told to come. */
static void list_again(struct watch *watch, const char *path) {
	char *parent = path_parent(path);
	const struct node *node = node_at(watch->root, parent, false);

	if (*path == '\0')
		watch_report(watch, WATCH_OVERFLOW, "", NULL);
	else if (node && node->number >= 0)
		watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
	free(parent);
}

/* How the root is watched is how its tree is. */
static void root_settled(struct inotify *self, struct watch *watch, const struct watch_add *add) {
	int before = watch->root_wd;

	watch->root_wd = fanotify_is_number(add->number) ? add->wd : -1;
	if (before >= 0 && !is_used(self, before)) inotify_give_back(self, before);
	if (watch->fs == add->fs) return;
	watch->fs = add->fs;
	if (!watch->root->children) return;
	/* Some were added before: of two queues nobody knows the order. */
	inotify_doom(self, watch->root);
	watch->root = node_new(watch, NULL, "");
	watch_adds_stale(watch, "", NULL);
	list_again(watch, "");
}

static enum inotify_stray said_by(const struct inotify *self, const struct watch_add *add) {
	enum inotify_stray said = add->wd >= 0 ? inotify_stray(self, add->wd) : STRAY_SILENT;

	if (said == STRAY_SILENT && fanotify_is_number(add->number) &&
		fanotify_spoke(self->fanotify, add))
		said = STRAY_SPOKE;
	return said;
}

static int registered(struct watch *watch, struct watch_add *add, struct err *err) {
	struct inotify *self = inotify_of(watch->source);

	if (add->impl != watch->source) {
		return err_set(err, ERR_CHANGED, "events were lost while '%s' was looked at",
			add->absolute);
	}
	if (watch->gone) return err_set(err, ERR_NOT_FOUND, "'%s' is gone", watch->root_path);
	enum inotify_stray said = said_by(self, add);
	if (!add->root && add->fs != watch->fs) add->stale = true; /* the tree began anew */
	if (add->stale || said == STRAY_GONE) {
		list_again(watch, add->path);
		return err_set(err, ERR_CHANGED, "'%s' was moved meanwhile", add->absolute);
	}
	if (add->number < 0) return look_err(watch, add, err);
	if (add->root) root_settled(self, watch, add);
	struct node *node = node_at(watch->root, add->path, true);
	/* What a number said while it stood here was reported; while it stood elsewhere, as of
	 * there. */
	if (node->number == add->number)
		said = STRAY_SILENT;
	else if (node_by_number(&self->numbers, add->number))
		said = STRAY_SPOKE;
	inotify_give_back(self, node_number(&self->numbers, node, add->number));
	watch_limit_cured(watch, add->path, false);
	if (said == STRAY_SPOKE) list_again(watch, add->path);
	return 0;
}

/* Many folders, or more than the system lets us watch one by one: one mark for all of them, where
 * we have the right to it. */
static void consider_fanotify(struct inotify *self, bool limited) {
	size_t count = 0;

	if (self->fanotify || self->alone) return;
	list_each(&self->watches, link) count += container_of(link, struct watch, link)->count;
	if (!limited && count < fanotify_threshold()) return;
	self->alone = !fanotify_is_possible();
	if (self->alone) return;
	log_info("%zu folders: their file systems are watched as a whole from now on", count);
	self->source.refs++; /* to bury its folders */
	inotify_begin_anew(self, true);
	inotify_catch_up(self);
	watch_source_unref(&self->source);
}

static int settle(struct watch *watch, struct watch_add *add, struct err *err) {
	struct inotify *self = inotify_of(watch->source);

	if (add->impl == &self->source) inotify_catch_up(self);
	int failed = registered(watch, add, err);
	undo(add->impl, add);
	/* An overflow may have put another in its place. */
	if (watch->source == &self->source) consider_fanotify(self, add->sys == ENOSPC);
	return failed;
}

/* ---- a watch ---- */

static void drop(struct watch *watch, const char *path) {
	struct inotify *self = inotify_of(watch->source);
	struct node *node = node_at(watch->root, path, false);

	if (!node) return;
	struct node *parent = node->parent;
	inotify_doom(self, node);
	if (parent)
		node_trim(parent);
	else
		watch->root = node_new(watch, NULL, "");
	watch_adds_stale(watch, path, NULL);
	inotify_catch_up(self);
}

static void drain(struct watch *watch) {
	struct inotify *self = inotify_of(watch->source);

	self->source.refs++;
	mounts_look(self);
	inotify_catch_up(self);
	inotify_hold_expire(self);
	watch_source_unref(&self->source);
}

static void leave(struct watch *watch) {
	struct inotify *self = inotify_of(watch->source);

	list_each(&self->held, link) {
		struct held *held = container_of(link, struct held, link);
		if (held->watch == watch) inotify_hold_release(self, held);
	}
	inotify_doom(self, watch->root);
	watch->root = NULL;
	list_remove(&watch->link);
	if (watch->root_wd >= 0 && !is_used(self, watch->root_wd))
		inotify_give_back(self, watch->root_wd);
	if (list_empty(&self->watches)) inotify_end(self);
	inotify_catch_up(self);
}

static const char *way(const struct watch *watch) {
	return watch->fs ? "fanotify" : "inotify";
}

static const struct watch_kind kind = {
	.begin = begin,
	.way = way,
	.look = look,
	.settle = settle,
	.undo = undo,
	.drop = drop,
	.drain = drain,
	.leave = leave,
	.free = inotify_free,
};

struct watch *watch_new(struct loop *loop, const char *root, const struct watch_calls *calls,
	void *user, struct err *err) {
	if (!shared) shared = inotify_new(loop, fanotify_threshold() == 0, err);
	if (!shared) return NULL;
	assert(shared->loop == loop);
	struct watch *watch = watch_make(&shared->source, loop, root, calls, user);
	watch->root = node_new(watch, NULL, "");
	list_add_tail(&shared->watches, &watch->link);
	return watch;
}
