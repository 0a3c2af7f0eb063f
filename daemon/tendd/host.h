/*
 * What the system that started us wants to know, and what it can tell: systemd's notifications and
 * watchdog, written by hand; nothing where there is no systemd. One file a platform:
 * host_systemd.c, host_launchd.c.
 *
 * Loop thread. Times are milliseconds.
 */
#ifndef TENDD_HOST_H
#define TENDD_HOST_H

#include "loop/loop.h"

struct host;

/* Does what we write to stderr go to the journal? */
bool host_has_journal(void);

/* Takes what it needs from the environment, and out of it. Starts the watchdog. */
struct host *host_new(struct loop *loop);
void host_free(struct host *host);

/* The keeper is started and ended by somebody else (tend-services.service). */
bool host_runs_keeper(const struct host *host);

void host_ready(struct host *host);
void host_reloading(struct host *host); /* host_ready follows */
void host_stopping(struct host *host);
void host_say(struct host *host, const char *text); /* one line, for `systemctl status` */

/* A stop that moves may take this much longer. */
void host_extend(struct host *host, int64_t ms);

/* Is this stop half of a restart? `answered` comes once, deferred; false where nobody knows. */
void host_ask_restart(struct host *host, void (*answered)(void *user, bool restart), void *user);

#endif
