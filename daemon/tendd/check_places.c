/*
 * Places that must not lie in each other. A folder that holds its own remote would send its copies
 * again and again; two folders that write one remote path would undo each other's work for ever.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"
#include "sync/sync.h"
#include "tendd/check.h"
#include "tendd/settings.h"

enum { PATIENCE_MS = 5000 };

struct checking;

/* One path on its way through a worker. It is freed by whoever comes last: its job or the check. */
struct resolving {
	struct job job;
	struct checking *checking; /* NULL: nobody waits any more */
	bool running;
	const void *owner; /* whose path it is: a config_section, or a text of [tend] */
	char *path;        /* the worker's */
	char *real;        /* the worker's, until `done` */
	const char *best;  /* the loop's: the path to compare */
	char *written;
};

struct checking {
	struct loop *loop;
	const struct config *config;
	struct config_errors errors;
	struct err err;
	struct resolving **places;
	size_t count, running;
	struct timer patience;
	struct defer finish;
	void (*done)(void *user, const struct config_errors *errors);
	void *user;
};

/* realpath() of as much as exists, the rest as it is written. */
static char *resolve(const char *path) {
	char *head = path_clean(path), *tail = xstrdup("");
	for (;;) {
		char *real = realpath(head, NULL);
		if (real || str_equal(head, "/") || !*head) {
			char *whole = path_join(real ? real : head, tail);
			free(real);
			free(head);
			free(tail);
			return whole;
		}
		char *longer = path_join(path_name(head), tail);
		char *parent = path_parent(head);
		free(head);
		free(tail);
		head = parent;
		tail = longer;
	}
}

static int resolve_work(struct job *job, struct err *err) {
	struct resolving *place = container_of(job, struct resolving, job);
	(void)err;
	place->real = resolve(place->path);
	return 0;
}

static void place_free(struct resolving *place) {
	free(place->path);
	free(place->real);
	free(place->written);
	free(place);
}

static void resolve_done(struct job *job, const struct err *err) {
	struct resolving *place = container_of(job, struct resolving, job);
	struct checking *checking = place->checking;
	place->running = false;
	if (!checking) {
		place_free(place);
		return;
	}
	if (!err) place->best = place->real;
	if (--checking->running == 0) defer_start(checking->loop, &checking->finish);
}

static void add_place(struct checking *checking, const void *owner, const char *path) {
	struct resolving *place = xcalloc(1, sizeof(*place));
	place->checking = checking;
	place->owner = owner;
	place->path = xstrdup(path);
	place->written = path_clean(path);
	place->best = place->written;
	place->job.work = resolve_work;
	place->job.done = resolve_done;
	checking->places =
		xrealloc(checking->places, (checking->count + 1) * sizeof(*checking->places));
	checking->places[checking->count++] = place;
	checking->running++;
	place->running = true;
	job_start(checking->loop, &place->job);
}

static const char *place_of(const struct checking *checking, const void *owner) {
	for (size_t i = 0; i < checking->count; i++) {
		if (checking->places[i]->owner == owner) return checking->places[i]->best;
	}
	return NULL;
}

/* ---- what is wrong ---- */

/* As text, component by component: "/data" does not hold "/database". */
static bool overlap(const char *left, const char *right) {
	return path_is_within(left, right) || path_is_within(right, left);
}

static const struct config_section *remote_of(
	const struct config *config, const struct config_section *section, char **key) {
	const struct folder_settings *folder = section->settings;
	const struct config_section *remote = NULL;
	char *name = NULL;
	struct err err;
	*key = NULL;
	if (folder_remote_split(folder->remote, &name, key, &err) == 0) {
		remote = config_find(config, "remote", name);
	}
	free(name);
	return remote;
}

/* Where a folder's copies lie, so that equal texts are equal places whatever the remotes are
 * called. The caller's. */
static char *destination(const struct checking *checking, const struct config_section *section) {
	char *key, *whole = NULL;
	const struct config_section *remote = remote_of(checking->config, section, &key);
	const struct remote_settings *settings = remote ? remote->settings : NULL;
	if (settings && settings->type == REMOTE_DIRECTORY) {
		whole = path_join(place_of(checking, remote), key);
	} else if (settings) {
		char *prefix = path_clean(settings->prefix ? settings->prefix : "");
		char *below = path_join(str_equal(prefix, ".") ? "" : prefix, key);
		whole = xasprintf("%s//%s/%s", settings->endpoint ? settings->endpoint : "",
			settings->bucket ? settings->bucket : remote->name, below);
		size_t len = strlen(whole);
		if (len > 0 && whole[len - 1] == '/') whole[len - 1] = '\0';
		free(prefix);
		free(below);
	}
	free(key);
	return whole;
}

static void check_own_remote(struct checking *checking, const struct config_section *section) {
	char *key;
	const struct config_section *remote = remote_of(checking->config, section, &key);
	const struct remote_settings *settings = remote ? remote->settings : NULL;
	const char *path = place_of(checking, section);
	free(key);
	if (!settings || settings->type != REMOTE_DIRECTORY) return;
	char *to = destination(checking, section);
	if (path_is_within(place_of(checking, remote), path) || overlap(to, path)) {
		config_error(&checking->errors, &checking->err, section, "path",
			"the folder '%s' and its own remote '%s' lie in each other: choose another "
			"place for one of them",
			path, to);
	}
	free(to);
}

/* One error a folder: who holds state_dir often holds all three. */
static void check_own_places(struct checking *checking, const struct config_section *section) {
	const struct tend_settings *tend = settings_of(checking->config);
	const struct {
		const char *name, *path;
	} own[] = { { "state_dir", tend->state_dir }, { "runtime_dir", tend->runtime_dir },
		{ "log_dir", tend->log_dir } };
	const char *path = place_of(checking, section);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (!path_is_within(place_of(checking, own[i].path), path)) continue;
		config_error(&checking->errors, &checking->err, section, "path",
			"the folder '%s' holds tend's own %s '%s', which changes with every sync: "
			"set %s in "
			"[tend] to a place outside",
			path, own[i].name, own[i].path, own[i].name);
		return;
	}
}

/* Each pair once; the later section is blamed. */
static void check_twins(struct checking *checking, const struct config_section *section) {
	char *own = destination(checking, section);
	const struct config_section *other = section;
	while (own && (other = config_next(checking->config, "folder", other))) {
		char *others = destination(checking, other);
		if (others && overlap(own, others)) {
			const struct folder_settings *settings = other->settings;
			config_error(&checking->errors, &checking->err, other, "remote",
				"the folders '%s' and '%s' overlap at the remote path '%s': give "
				"each its own",
				section->name, other->name, settings->remote);
		}
		free(others);
	}
	free(own);
}

static void check_all(struct checking *checking) {
	const struct config_section *section = NULL;
	while ((section = config_next(checking->config, "folder", section))) {
		check_own_remote(checking, section);
		check_own_places(checking, section);
		check_twins(checking, section);
	}
}

/* ---- the flow ---- */

static void check_finish(struct checking *checking) {
	timer_cancel(&checking->patience);
	defer_cancel(&checking->finish);
	check_all(checking);
	for (size_t i = 0; i < checking->count; i++) {
		struct resolving *place = checking->places[i];
		place->checking = NULL;
		if (!place->running) place_free(place);
	}
	checking->done(checking->user, &checking->errors);
	free(checking->places);
	config_errors_release(&checking->errors);
	free(checking);
}

static void all_resolved(struct defer *defer) {
	check_finish(container_of(defer, struct checking, finish));
}

static void patience_ended(struct timer *timer) {
	struct checking *checking = container_of(timer, struct checking, patience);
	for (size_t i = 0; i < checking->count; i++) {
		if (!checking->places[i]->running) continue;
		log_warn("'%s' does not answer: it is compared as it is written",
			checking->places[i]->written);
	}
	check_finish(checking);
}

void check_places(struct loop *loop, const struct config *config,
	void (*done)(void *user, const struct config_errors *errors), void *user) {
	struct checking *checking = xcalloc(1, sizeof(*checking));
	const struct tend_settings *tend = settings_of(config);
	const struct config_section *section = NULL;
	checking->loop = loop;
	checking->config = config;
	checking->done = done;
	checking->user = user;
	defer_init(&checking->finish, all_resolved);
	timer_init(&checking->patience, loop, patience_ended);
	timer_start(&checking->patience, PATIENCE_MS);
	add_place(checking, tend->state_dir, tend->state_dir);
	add_place(checking, tend->runtime_dir, tend->runtime_dir);
	add_place(checking, tend->log_dir, tend->log_dir);
	while ((section = config_next(config, "folder", section))) {
		add_place(checking, section,
			((const struct folder_settings *)section->settings)->path);
	}
	section = NULL;
	while ((section = config_next(config, "remote", section))) {
		const struct remote_settings *remote = section->settings;
		if (remote->type == REMOTE_DIRECTORY) add_place(checking, section, remote->path);
	}
}
