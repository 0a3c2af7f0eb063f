/* A watch that tests feed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "watch/internal.h"

/* Like the real one it is blind in folders that were not added: what is fed there is lost. Jobs of
 * the simulated loop run on its thread, so the set of folders needs no more care. */
struct simulated {
	struct watch_source source;
	struct map folders; /* paths watched */
	int64_t late_ms;
	struct timer timer;
	struct watch *watch; /* whom the timer tells */
	struct watch **slot; /* NULL: nobody wants to know that it ends */
};

static struct simulated *simulated(struct watch_source *source) {
	return container_of(source, struct simulated, source);
}

static void simulated_look(struct watch_source *source, struct watch_add *add) {
	if (!add->watch || add->watch->gone) {
		add->sys = ENOENT;
		return;
	}
	map_put(&simulated(source)->folders, add->path, source);
	add->watch->count = map_count(&simulated(source)->folders);
	add->wd = 0;
}

/* Is the folder that holds `path` watched? */
static bool sees(struct watch *watch, const char *path) {
	char *parent = path_parent(path);
	bool seen = map_get(&simulated(watch->source)->folders, parent) != NULL;

	free(parent);
	return seen;
}

static int simulated_settle(struct watch *watch, struct watch_add *add, struct err *err) {
	if (add->sys) return err_sys(err, add->sys, "cannot watch '%s'", add->path);
	if (add->wd < 0) return err_set(err, ERR_CANCELLED, "'%s' was not looked at", add->path);
	if (!add->stale) return 0;
	if (*add->path == '\0')
		watch_report(watch, WATCH_OVERFLOW, "", NULL);
	else if (sees(watch, add->path))
		watch_report(watch, WATCH_FOLDER_NEW, add->path, NULL);
	return err_set(err, ERR_CHANGED, "'%s' was moved meanwhile", add->path);
}

static void simulated_undo(struct watch_source *source, struct watch_add *add) {
	(void)source;
	(void)add;
}

/* Takes the folders at and below `from` away; with `to`, puts them there. */
static void move(struct watch *watch, const char *from, const char *to) {
	struct map *folders = &simulated(watch->source)->folders;
	char **moved = NULL;

	for (struct map_item *it = NULL; (it = map_next(folders, it));) {
		if (path_is_within(map_key(it), from)) strv_add(&moved, map_key(it));
	}
	for (char **at = moved; at && *at; at++) {
		const char *below = *at + strlen(from);
		(void)map_take(folders, *at);
		if (!to) continue;
		char *now = path_join(to, *below == '/' ? below + 1 : below);
		map_put(folders, now, watch->source);
		free(now);
	}
	strv_free(moved);
	watch->count = map_count(folders);
	watch_adds_stale(watch, from, to);
}

static void simulated_drop(struct watch *watch, const char *path) {
	move(watch, path, NULL);
}

static void simulated_drain(struct watch *watch) {
	(void)watch; /* what was fed is queued already */
}

static void late(struct timer *timer) {
	watch_deliver(container_of(timer, struct simulated, timer)->watch);
}

static void simulated_wake(struct watch *watch) {
	struct simulated *self = simulated(watch->source);
	uint32_t bits;

	if (self->late_ms <= 0) {
		defer_start(watch->loop, &watch->defer);
	} else if (!timer_running(&self->timer)) {
		loop_random(watch->loop, &bits, sizeof(bits));
		timer_start(&self->timer, bits % (self->late_ms + 1));
	}
}

static void simulated_leave(struct watch *watch) {
	struct simulated *self = simulated(watch->source);

	timer_cancel(&self->timer);
	if (self->slot) *self->slot = NULL;
}

static const char *simulated_way(const struct watch *watch) {
	(void)watch;
	return "simulated";
}

static void simulated_free(struct watch_source *source) {
	map_release(&simulated(source)->folders);
	free(simulated(source));
}

static const struct watch_kind kind = {
	.look = simulated_look,
	.settle = simulated_settle,
	.undo = simulated_undo,
	.drop = simulated_drop,
	.drain = simulated_drain,
	.leave = simulated_leave,
	.wake = simulated_wake,
	.way = simulated_way,
	.free = simulated_free,
};

struct watch *watch_new_simulated(struct loop *loop, const struct watch_calls *calls, void *user) {
	struct simulated *self = xcalloc(1, sizeof(*self));

	self->source.kind = &kind;
	map_init(&self->folders);
	timer_init(&self->timer, loop, late);
	self->watch = watch_make(&self->source, loop, "/", calls, user);
	return self->watch;
}

void watch_feed_late(struct watch *watch, int64_t max_ms) {
	simulated(watch->source)->late_ms = max_ms;
}

static void feed_move(struct watch *watch, const char *from, const char *to) {
	bool left = sees(watch, from), came = sees(watch, to);

	if (!left && !came) return;
	if (left && came)
		watch_report(watch, WATCH_FOLDER_MOVED, to, from);
	else if (left)
		watch_report(watch, WATCH_FOLDER_GONE, from, NULL);
	else
		watch_report(watch, WATCH_FOLDER_NEW, to, NULL);
	move(watch, from, came && left ? to : NULL);
}

void watch_feed(struct watch *watch, enum watch_what what, const char *path, const char *from) {
	switch (what) {
	case WATCH_OVERFLOW:
		watch_forget_reports(watch);
		watch_report(watch, what, "", NULL);
		watch_adds_stale(watch, "", NULL);
		move(watch, "", NULL);
		break;
	case WATCH_ROOT_GONE: watch_report(watch, what, "", NULL); break;
	case WATCH_FOLDER_MOVED: feed_move(watch, from, path); break;
	case WATCH_FOLDER_GONE:
		if (sees(watch, path)) watch_report(watch, what, path, NULL);
		move(watch, path, NULL);
		break;
	case WATCH_FOLDER_NEW:
	case WATCH_CHANGED:
		if (sees(watch, path)) watch_report(watch, what, path, NULL);
		break;
	}
}

void watch_feed_slot(struct watch *watch, struct watch **slot) {
	simulated(watch->source)->slot = slot;
	*slot = watch;
}
