/* What lies in state_dir for the daemon itself, and the folders everything lies in. Blocking; at
 * start only. */
#ifndef TENDD_STATE_H
#define TENDD_STATE_H

#include "base/base.h"
#include "loop/loop.h"
#include "tendd/settings.h"

/* Makes state_dir, runtime_dir and log_dir. */
int state_make_folders(const struct tend_settings *settings, struct err *err);

/* What may be held by a tendd that was killed and is not gone yet is waited for so long. */
#define STATE_PATIENCE_MS 2000
/* Waits a moment; false: `most_ms` have passed. *waited_ms is 0 at first. */
bool state_again(int *waited_ms, int most_ms);

/* The descriptor that holds state_dir for this process; -1 with ERR_BUSY that says who does. One whose
 * holder is ending is waited for. */
int state_lock(const char *state_dir, struct err *err);

/* Made once for a machine, random. The caller's; NULL with err. */
char *state_machine_id(struct loop *loop, const char *state_dir, struct err *err);

/* Puts a whole file in place of the old one: readers see this or that, never half. */
int state_write_file(const char *path, const char *text, size_t len, struct err *err);

#endif
