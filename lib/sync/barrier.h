/* Inside sync: who waits until all is stored. A barrier (`tend wait`) and the stop of a folder, which is one for all of it. */
#ifndef SYNC_BARRIER_H
#define SYNC_BARRIER_H

#include "sync/folder.h"
#include "sync/transfer.h"

/* flush.c */
void flush_begin(struct folder *folder);
void flush_step(struct folder *folder);
bool flush_ends(const struct folder *folder);
bool flush_waits_for(const struct transfer *transfer);
void flush_owe(const struct transfer *transfer);
void flush_rescan(struct folder *folder);

/* barrier.c */
bool barrier_wants_anew(const struct transfer *transfer);
void barrier_owe(const struct transfer *transfer);
void barrier_hurry(const struct transfer *transfer, int64_t upto);
void barrier_rescan(struct folder *folder);
void barrier_step(struct folder *folder);
void barrier_synced(struct folder *folder);
void barrier_end_all(struct folder *folder, const struct err *err);

#endif
