/* How fast folders send and bring, and how much is left: looked at each second while something moves, and told
 * by an event where it did, so that one large file is seen to move. Where nothing moves nothing ticks. */
#ifndef TENDD_PROGRESS_H
#define TENDD_PROGRESS_H

#include "tendd/house.h"

struct progress *progress_new(struct house *house);
void progress_free(struct progress *progress); /* NULL is fine */
void progress_wake(struct progress *progress); /* a folder changed */

struct progress_numbers {
	int64_t moved_bytes;  /* both ways, with what is on its way */
	int64_t left_bytes;   /* -1: not known */
	int64_t per_second;   /* bytes; 0: none moved lately */
	int64_t left_seconds; /* by these two; -1: not known */
};
/* NULL progress is fine: nothing is known of the speed then. */
void progress_of(
	struct progress *progress, struct folder *folder, struct progress_numbers *numbers);

#endif
