/* What is the same for every kind: the queue of reports, limits, additions. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "watch/internal.h"

enum {
	SEEN_MAX = 8192,      /* queued paths remembered against queueing them twice */
	UNWATCHED_MAX = 1000, /* paths remembered that a limit kept out */
};

struct report {
	struct list link;
	enum watch_what what;
	char *path, *from;
};

/* ---- a watch ---- */

static void deferred(struct defer *defer) {
	watch_deliver(container_of(defer, struct watch, defer));
}

struct watch *watch_make(struct watch_source *source, struct loop *loop, const char *root,
	const struct watch_calls *calls, void *user) {
	struct watch *watch = xcalloc(1, sizeof(*watch));

	watch->source = source;
	source->refs++;
	list_init(&watch->link);
	watch->loop = loop;
	watch->calls = *calls;
	watch->user = user;
	watch->root_wd = -1;
	watch->root_path = xstrdup(root);
	list_init(&watch->adding);
	list_init(&watch->reports);
	map_init(&watch->seen);
	map_init(&watch->unwatched);
	defer_init(&watch->defer, deferred);
	return watch;
}

void watch_source_unref(struct watch_source *source) {
	assert(source->refs > 0);
	if (--source->refs == 0) source->kind->free(source);
}

static void end(struct watch *watch) {
	watch_forget_reports(watch);
	watch_source_unref(watch->source);
	map_release(&watch->unwatched);
	free(watch->root_path);
	free(watch);
}

void watch_free(struct watch *watch) {
	if (!watch || watch->dead) return;
	watch->dead = true;
	defer_cancel(&watch->defer);
	list_each(&watch->adding, link) {
		list_remove(link);
		container_of(link, struct watch_add, link)->watch = NULL;
	}
	watch->source->kind->leave(watch);
	if (!watch->delivering) end(watch);
}

size_t watch_count(const struct watch *watch) {
	return watch->count;
}

bool watch_is_degraded(const struct watch *watch) {
	return watch->degraded;
}

const char *watch_way(const struct watch *watch) {
	return watch->source->kind->way(watch);
}

void watch_drop_folder(struct watch *watch, const char *path) {
	watch->source->kind->drop(watch, path);
	watch_limit_cured(watch, path, true);
}

void watch_drain(struct watch *watch) {
	watch->source->kind->drain(watch);
	watch_deliver(watch);
}

/* ---- reports ---- */

static void report_free(struct report *report) {
	list_remove(&report->link);
	free(report->path);
	free(report->from);
	free(report);
}

void watch_forget_reports(struct watch *watch) {
	list_each(&watch->reports, link) report_free(container_of(link, struct report, link));
	map_release(&watch->seen);
}

void watch_report(struct watch *watch, enum watch_what what, const char *path, const char *from) {
	if (watch->gone || watch->dead) return;
	if (what == WATCH_CHANGED) {
		if (map_get(&watch->seen, path)) return;
		if (map_count(&watch->seen) >= SEEN_MAX) map_release(&watch->seen);
		map_put(&watch->seen, path, watch);
	} else {
		/* Behind it the same path may be something else. */
		map_release(&watch->seen);
	}
	struct report *report = xcalloc(1, sizeof(*report));
	report->what = what;
	report->path = xstrdup(path);
	report->from = xstrdup(from);
	list_add_tail(&watch->reports, &report->link);
	if (what == WATCH_ROOT_GONE) watch->gone = true;
	if (watch->source->kind->wake)
		watch->source->kind->wake(watch);
	else
		defer_start(watch->loop, &watch->defer);
}

static void tell_degraded(struct watch *watch) {
	if (watch->degraded == watch->degraded_told) return;
	watch->degraded_told = watch->degraded;
	if (!watch->calls.degraded) return;
	struct err why = watch->limit;
	watch->calls.degraded(watch->user, watch->degraded ? &why : NULL);
}

/* A call may add, drop, drain or free: the last is put off to the end here, the others find the
 * queue in order. */
void watch_deliver(struct watch *watch) {
	bool outermost = !watch->delivering;

	watch->delivering = true;
	tell_degraded(watch);
	while (!watch->dead && !list_empty(&watch->reports)) {
		struct report *report = container_of(watch->reports.next, struct report, link);
		struct watch_event event = { report->what, report->path, report->from };
		list_remove(&report->link);
		(void)map_take(&watch->seen, report->path);
		watch->calls.happened(watch->user, &event);
		report_free(report);
	}
	if (!outermost) return;
	watch->delivering = false;
	if (watch->dead) end(watch);
}

/* ---- limits ---- */

void watch_limit_hit(struct watch *watch, const char *path, const struct err *why) {
	if (map_count(&watch->unwatched) < UNWATCHED_MAX) map_put(&watch->unwatched, path, watch);
	watch->limit = *why;
	watch->degraded = true;
	if (!watch->dead) defer_start(watch->loop, &watch->defer);
}

/* When more than UNWATCHED_MAX were kept out, the last of those remembered may be cured while
 * others are not yet: those are hit again a moment later, by the same scan. */
void watch_limit_cured(struct watch *watch, const char *path, bool and_below) {
	char **cured = NULL;

	if (!watch->degraded) return;
	for (struct map_item *it = NULL; (it = map_next(&watch->unwatched, it));) {
		const char *at = map_key(it);
		if (and_below ? path_is_within(at, path) : str_equal(at, path))
			strv_add(&cured, at);
	}
	for (char **at = cured; at && *at; at++) (void)map_take(&watch->unwatched, *at);
	strv_free(cured);
	if (map_count(&watch->unwatched) > 0) return;
	watch->degraded = false;
	if (!watch->dead) defer_start(watch->loop, &watch->defer);
}

/* ---- additions ---- */

void watch_add_begin(struct watch_add *add, struct watch *watch, const char *path) {
	*add = (struct watch_add){ .watch = watch, .impl = watch->source, .wd = -1, .number = -1 };
	add->root = *path == '\0';
	if (watch->source->kind->begin) watch->source->kind->begin(watch, add);
	watch->source->refs++;
	watch->source->adds++;
	add->path = xstrdup(path);
	add->absolute = path_join(watch->root_path, path);
	list_add_tail(&watch->adding, &add->link);
}

void watch_add_in_job(struct watch_add *add) {
	struct watch_source *source = add->impl;

	source->kind->look(source, add);
}

int watch_add_end(struct watch_add *add, struct err *err) {
	struct watch_source *source = add->impl;
	int failed;

	if (add->watch) {
		/* Before it is off the list: what has happened up to now may make it stale. */
		failed = source->kind->settle(add->watch, add, err);
		list_remove(&add->link);
	} else {
		source->kind->undo(source, add);
		failed = err_set(err, ERR_CANCELLED, "watching '%s' was ended", add->absolute);
	}
	source->adds--;
	watch_source_unref(source);
	free(add->path);
	free(add->absolute);
	add->path = add->absolute = NULL;
	return failed;
}

int watch_add_folder(struct watch *watch, const char *path, struct err *err) {
	struct watch_add add;

	watch_add_begin(&add, watch, path);
	watch_add_in_job(&add);
	return watch_add_end(&add, err);
}

void watch_adds_stale(struct watch *watch, const char *from, const char *to) {
	list_each(&watch->adding, link) {
		struct watch_add *add = container_of(link, struct watch_add, link);
		if (!path_is_within(add->path, from)) continue;
		add->stale = true;
		if (!to) continue;
		const char *below = add->path + strlen(from);
		char *now = path_join(to, *below == '/' ? below + 1 : below);
		free(add->path);
		add->path = now;
	}
}
