/*
 * What can be wrong with a configuration as a whole: references to nothing, circles, folders that
 * would eat themselves or each other. Nothing here starts anything; all that is wrong is told, each
 * with file:line.
 */
#ifndef TENDD_CHECK_H
#define TENDD_CHECK_H

#include "config/config.h"
#include "loop/loop.h"

/* Reads the file and checks all that needs no look at the folders it names. NULL with err and
 * errors. As root the files must be root's. */
struct config *check_read(
	const char *path, const char *home, struct config_errors *errors, struct err *err);

/* Compares the places that folders, remotes and tendd itself use. They are resolved by workers,
 * since any of them may lie on a network that does not answer; what takes too long is compared
 * as it is written. `done` comes once, deferred, with what is wrong (borrowed; no lines:
 * nothing). `config` stays until then. */
void check_places(struct loop *loop, const struct config *config,
	void (*done)(void *user, const struct config_errors *errors), void *user);

#endif
