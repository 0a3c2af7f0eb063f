/* Public keys of somebody at GitHub, for a step of kind user: https://github.com/NAME.keys. Loop thread. */
#ifndef STEP_KEYS_H
#define STEP_KEYS_H

#include "http/http.h"
#include "step/internal.h"

struct step_keys;

/* For the `github:NAME` lines of step->work->settings. `done` comes once: err NULL: `keys`, one a line, the callee's. */
struct step_keys *step_keys_start(
	struct step *step, void (*done)(struct step *step, char *keys, const struct err *err));
void step_keys_cancel(struct step_keys *keys); /* `done` comes with ERR_CANCELLED */

/* The name in "github:NAME"; NULL: another line, or no name that GitHub has. */
const char *step_keys_name(const char *line);

#endif
