/* Inside sync: what the remote has of one path against what was agreed, as plan_both() asks it. Pure. */
#ifndef SYNC_BOTH_SAME_H
#define SYNC_BOTH_SAME_H

#include "sync/hash.h"
#include "sync/plan_both.h"

enum both_kind both_kind_of(const struct index_entry *entry);
/* Both of one kind; `there` may be `base` itself. */
enum both_same both_there_same(
	const struct store *store, const struct index_entry *there, const struct index_entry *base);

#endif
