/*
 * notify: tells people what happened, by a command or by a POST to a webhook, and not again and again: what happens once more within
 * `quiet` is counted, and told in one when that is over.
 *
 * Loop thread only. Texts are copied. What was not yet told when we end is not told.
 */
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "config/config.h"
#include "http/http.h"
#include "loop/loop.h"
#include "process/process.h"
#include "unit/unit.h"

/* ---- settings: one [notify NAME] ---- */

struct notify_settings {
	char **on; /* events, as "service.failed"; NULL: all */
	char *command;
	char *webhook; /* a URL, which may hold a secret: it is never shown whole */
	int64_t quiet_ms;
	int64_t behind_ms; /* how long a folder may wait */
};

extern const struct config_table notify_table;

/* ---- all of them ---- */

struct notifies;

struct notifies *notifies_new(struct loop *loop, struct http *http, struct process_host *host);
/* Those of a configuration, as at the start so after a reload: one that is unchanged goes on. */
void notifies_configure(struct notifies *notifies, const struct config *config);
/* Ends what is under way; `closed` comes once, deferred. */
void notifies_close(struct notifies *notifies, void (*closed)(void *user), void *user);
void notifies_free(struct notifies *notifies); /* closed; NULL is fine */

/* What happened to a unit, with a text for people. */
void notifies_tell(
	struct notifies *notifies, const char *event, const char *unit, const char *text);
/* The graph's word: a service or a step that was not failing and is now has failed. */
void notifies_unit_changed(struct notifies *notifies, const struct unit *unit);
/* Does it need a person? Told when that begins. */
void notifies_folder_changed(struct notifies *notifies, const struct unit *unit, bool needs_person);
/* How many of its changes wait, and a count that grows with each that reached the other side. */
void notifies_folder_waits(
	struct notifies *notifies, const struct unit *unit, int64_t pending, int64_t done);

#endif
