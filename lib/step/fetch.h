/* A file on its way from an address to its place, for a step of kind download. Loop thread. */
#ifndef STEP_FETCH_H
#define STEP_FETCH_H

#include "http/http.h"
#include "step/place.h"

struct step_fetch;

/* For step->work, which stays as it is until `done` (deferred or from a job, exactly once): err NULL: work->told or work->script
 * is set. */
struct step_fetch *step_fetch_start(
	struct step *step, void (*done)(struct step *step, const struct err *err));
void step_fetch_cancel(struct step_fetch *fetch); /* `done` comes with ERR_CANCELLED */

/* ---- download.c ---- */

bool step_is_url(const char *url);
bool step_is_digest(const char *hex, const char *wanted); /* SHA-256, in either case */
/* Where the bytes go: the target, or for an archive a file beside the folder. */
int step_download_place(struct place *place, const struct step_work *work, struct err *err);
/* Of the file `name` below place->disk; "" where it cannot be read. */
void step_digest_of_place(struct place *place, const char *name, char hex[LEDGER_DIGEST_SIZE]);

#endif
