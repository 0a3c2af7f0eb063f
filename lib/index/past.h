/*
 * For tests: an index in memory that outlives a crash as a file would (SYNC.md §12), with the last commits that the disk may not have. One
 * thread; at most one index is open on a past.
 */
#ifndef INDEX_PAST_H
#define INDEX_PAST_H

#include "index/index.h"

struct index_past; /* its last commits */

/* A crash loses `most` of them at the most. */
struct index_past *index_past_new(size_t most);
void index_past_free(struct index_past *past); /* NULL is fine */
/* As a new one, which costs more. No index is open on it. */
void index_past_reset(struct index_past *past);
/* As the last one opened on it left it. */
struct index *index_past_open(struct index_past *past, struct err *err);
/* From now on nothing is written any more, whatever the open one is told. */
void index_past_end(struct index_past *past);
/* Of the writes from now on this one fails (1: the next), once; 0: none does. How far off the one was that was asked for before; 0: it
 * failed, or was none. */
uint64_t index_past_fail(struct index_past *past, uint64_t write);
/* So many commits were to the disk. */
uint64_t index_past_full(const struct index_past *past);
/* A crash, which loses up to `lost` of the last commits, but none that was on the disk. No index is
 * open on it. The number lost. */
size_t index_past_crash(struct index_past *past, size_t lost);

#endif
