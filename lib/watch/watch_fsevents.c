/*
 * FSEvents: one stream a tree, for all that lies below. It tells paths, and that something happened
 * to them; of a rename both, in no order, so that a moved folder is one that went and one that came.
 *
 * Its calls come on a thread of the system's. They put what came on a list that needs no lock, and
 * wake the loop by a pipe. (Written by Apple's headers and documents; it compiles in the tests, and
 * was never run there.)
 */
#include <dispatch/dispatch.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "watch/fsevents.h"
#include "watch/internal.h"

/* How long the system gathers before it tells; a barrier does not wait for it. */
#define LATENCY_S 0.1

/* What one call brought. */
struct batch {
	struct batch *next;
	size_t count;
	uint32_t *flags;
	char **paths;
};

struct fsevents {
	struct watch_source source;
	struct watch *watch; /* NULL: it ended */
	struct __FSEventStream *stream;
	dispatch_queue_t queue;
	_Atomic(struct batch *) came; /* the last one first */
	int wake[2];
	struct poll *poll;
	struct map dropped; /* paths of folders whose events are none of ours */
};

static struct fsevents *fsevents_of(struct watch_source *source) {
	return container_of(source, struct fsevents, source);
}

/* ---- on the system's thread ---- */

static void told(const struct __FSEventStream *stream, void *info, size_t count, void *paths,
	const uint32_t *flags, const uint64_t *ids) {
	struct fsevents *self = info;
	struct batch *batch = xcalloc(1, sizeof(*batch));

	(void)stream;
	(void)ids;
	batch->count = count;
	batch->flags = xmalloc((count + 1) * sizeof(*batch->flags));
	memcpy(batch->flags, flags, count * sizeof(*flags));
	for (size_t i = 0; i < count; i++) strv_add(&batch->paths, ((char **)paths)[i]);
	batch->next = atomic_load(&self->came);
	while (!atomic_compare_exchange_weak(&self->came, &batch->next, batch)) {
	}
	/* A full pipe wakes as well. */
	(void)!write(self->wake[1], "", 1);
}

static void nothing(void *user) {
	(void)user;
}

/* ---- events ---- */

static void batch_free(struct batch *batch) {
	free(batch->flags);
	strv_free(batch->paths);
	free(batch);
}

static bool is_dropped(const struct fsevents *self, const char *path) {
	bool dropped = false;
	char *at = xstrdup(path);

	if (map_count(&self->dropped) == 0) *at = '\0';
	while (*at && !dropped) {
		dropped = map_get(&self->dropped, at) != NULL;
		char *parent = path_parent(at);
		free(at);
		at = parent;
	}
	free(at);
	return dropped;
}

static void report(struct fsevents *self, const char *full, uint32_t flags) {
	struct watch *watch = self->watch;
	const char *below = fsevents_below(watch->root_path, full);
	char *path = xstrdup(below ? below : "");
	size_t length = strlen(path);
	/* What is told of no place in the tree is told of all of it. */
	unsigned says = below ? fsevents_say(flags, *below == '\0')
			      : fsevents_say(flags, true) | FSEVENTS_SAYS_OVERFLOW;

	while (length > 0 && path[length - 1] == '/') path[--length] = '\0';
	if (is_dropped(self, path))
		says &= ~(unsigned)(FSEVENTS_SAYS_NEW | FSEVENTS_SAYS_GONE | FSEVENTS_SAYS_CHANGED);
	if (says & (FSEVENTS_SAYS_GONE | FSEVENTS_SAYS_NEW)) watch_adds_stale(watch, path, NULL);
	if (says & FSEVENTS_SAYS_GONE) watch_report(watch, WATCH_FOLDER_GONE, path, NULL);
	if (says & FSEVENTS_SAYS_NEW) watch_report(watch, WATCH_FOLDER_NEW, path, NULL);
	if (says & FSEVENTS_SAYS_CHANGED) watch_report(watch, WATCH_CHANGED, path, NULL);
	if (says & FSEVENTS_SAYS_OVERFLOW) {
		watch_adds_stale(watch, "", NULL);
		watch_report(watch, WATCH_OVERFLOW, "", NULL);
	}
	if (says & FSEVENTS_SAYS_ROOT_GONE) watch_report(watch, WATCH_ROOT_GONE, "", NULL);
	free(path);
}

/* All that has come, the first first. */
static void catch_up(struct fsevents *self) {
	struct batch *came = atomic_exchange(&self->came, NULL), *first = NULL;

	while (came) {
		struct batch *next = came->next;
		came->next = first;
		first = came;
		came = next;
	}
	while (first) {
		struct batch *next = first->next;
		for (size_t i = 0; self->watch && i < first->count; i++)
			report(self, first->paths[i], first->flags[i]);
		batch_free(first);
		first = next;
	}
}

static void readable(void *user, int events) {
	struct fsevents *self = user;
	char bytes[256];

	(void)events;
	while (read(self->wake[0], bytes, sizeof(bytes)) > 0) {
	}
	catch_up(self);
}

/* ---- additions: the stream sees all, whether it was listed or not ---- */

static void look(struct watch_source *source, struct watch_add *add) {
	struct stat stat;

	(void)source;
	if (lstat(add->absolute, &stat) < 0)
		add->sys = errno;
	else if (!S_ISDIR(stat.st_mode))
		add->sys = ENOTDIR;
	else
		add->number = 0;
}

static int settle(struct watch *watch, struct watch_add *add, struct err *err) {
	struct fsevents *self = fsevents_of(watch->source);

	catch_up(self);
	if (watch->gone) return err_set(err, ERR_NOT_FOUND, "'%s' is gone", watch->root_path);
	if (add->sys) return err_sys(err, add->sys, "cannot watch '%s'", add->absolute);
	if (add->number < 0)
		return err_set(err, ERR_CANCELLED, "'%s' was not looked at", add->absolute);
	(void)map_take(&self->dropped, add->path);
	if (add->root) watch->count = 1;
	if (!add->stale) return 0;
	watch_report(watch, add->root ? WATCH_OVERFLOW : WATCH_FOLDER_NEW, add->path, NULL);
	return err_set(err, ERR_CHANGED, "'%s' was moved meanwhile", add->absolute);
}

static void undo(struct watch_source *source, struct watch_add *add) {
	(void)source;
	(void)add;
}

static void drop(struct watch *watch, const char *path) {
	struct fsevents *self = fsevents_of(watch->source);

	map_put(&self->dropped, path, self);
	watch_adds_stale(watch, path, NULL);
}

/* FSEvents.h: it returns when all that had happened has been told to the callback. */
static void drain(struct watch *watch) {
	struct fsevents *self = fsevents_of(watch->source);

	FSEventStreamFlushSync(self->stream);
	catch_up(self);
}

/* ---- the stream ---- */

static void stream_end(struct fsevents *self) {
	if (self->stream) {
		FSEventStreamStop(self->stream);
		FSEventStreamInvalidate(self->stream);
		dispatch_sync_f(self->queue, NULL, nothing); /* one may be in the middle of it */
		FSEventStreamRelease(self->stream);
	}
	self->stream = NULL;
	poll_stop(self->poll);
	self->poll = NULL;
}

static void leave(struct watch *watch) {
	struct fsevents *self = fsevents_of(watch->source);

	self->watch = NULL;
	stream_end(self);
}

static void fsevents_free(struct watch_source *source) {
	struct fsevents *self = fsevents_of(source);

	stream_end(self);
	catch_up(self); /* to nobody */
	for (int i = 0; i < 2; i++)
		if (self->wake[i] >= 0) (void)close(self->wake[i]);
	if (self->queue) dispatch_release(self->queue);
	map_release(&self->dropped);
	free(self);
}

static const char *way(const struct watch *watch) {
	(void)watch;
	return "FSEvents";
}

static const struct watch_kind kind = {
	.look = look,
	.settle = settle,
	.undo = undo,
	.drop = drop,
	.drain = drain,
	.leave = leave,
	.way = way,
	.free = fsevents_free,
};

static int stream_open(struct fsevents *self, const char *root) {
	struct fsevents_context context = { .info = self };
	const struct __CFString *path = CFStringCreateWithFileSystemRepresentation(NULL, root);
	const struct __CFArray *paths =
		path ? CFArrayCreate(NULL, (const void **)&path, 1, &kCFTypeArrayCallBacks) : NULL;

	if (paths)
		self->stream = FSEventStreamCreate(NULL, told, &context, paths, FSEVENTS_SINCE_NOW,
			LATENCY_S, FSEVENTS_NO_DEFER | FSEVENTS_WATCH_ROOT | FSEVENTS_FILE_EVENTS);
	if (paths) CFRelease(paths);
	if (path) CFRelease(path);
	if (!self->stream) return -1;
	FSEventStreamSetDispatchQueue(self->stream, (struct dispatch_queue_s *)self->queue);
	return FSEventStreamStart(self->stream) ? 0 : -1;
}

static int pipe_open(struct fsevents *self, struct loop *loop) {
	if (pipe(self->wake) < 0) return -1;
	for (int i = 0; i < 2; i++)
		if (fcntl(self->wake[i], F_SETFL, O_NONBLOCK) < 0 ||
			fcntl(self->wake[i], F_SETFD, FD_CLOEXEC) < 0)
			return -1;
	self->poll = poll_start(loop, self->wake[0], POLL_READ, readable, self);
	return self->poll ? 0 : -1;
}

struct watch *watch_new(struct loop *loop, const char *root, const struct watch_calls *calls,
	void *user, struct err *err) {
	struct fsevents *self = xcalloc(1, sizeof(*self));

	self->source.kind = &kind;
	self->wake[0] = self->wake[1] = -1;
	map_init(&self->dropped);
	self->queue = dispatch_queue_create("tend.watch", NULL);
	if (pipe_open(self, loop) < 0) {
		err_sys(err, errno, "cannot watch '%s'", root);
	} else if (stream_open(self, root) < 0) {
		err_set(err, ERR_SYSTEM,
			"cannot watch '%s': FSEvents gives no stream; look whether "
			"'fseventsd' runs",
			root);
	} else {
		self->watch = watch_make(&self->source, loop, root, calls, user);
		return self->watch;
	}
	fsevents_free(&self->source);
	return NULL;
}
