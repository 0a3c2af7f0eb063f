/*
 * A new configuration beside the one that holds: read and checked in full first, then compared
 * section by section, and only what differs is touched. A bad one changes nothing; status shows its
 * first error until a good one comes.
 *
 * Loop thread. It takes several turns: folders are closed before they are opened anew.
 */
#ifndef TENDD_RELOAD_H
#define TENDD_RELOAD_H

#include "tendd/house.h"

struct reload_result {
	bool good;
	/* Good: what changed, "service:jupyter restart (command)"; else what is wrong, with
	 * file:line. */
	char *const *lines;
};

/* `ended` comes once, deferred. ERR_BUSY: one is under way. `dry_run`: only says what would
 * change. */
int reload_start(struct house *house, bool dry_run,
	void (*ended)(void *user, const struct reload_result *result), void *user, struct err *err);

/* Whoever asked is gone: the reload goes on, `ended` is not called. */
void reload_forget(struct house *house);

/* HUP. One that comes while another is under way is done after it. */
void reload_by_signal(struct house *house);

void reload_cancel(struct house *house);

/* Something that it waits for has ended: a folder that was dropped, say. */
void reload_step(struct house *house);

#endif
