/* Inside sync: how much of a folder is to go, for who looks; see weigh.c. Loop thread only, but for what is the job's. */
#ifndef SYNC_WEIGH_H
#define SYNC_WEIGH_H

#include "index/index.h"
#include "loop/loop.h"

struct disk;

struct weigh {
	bool known; /* `bytes` is what was to go when `from_bytes` had moved */
	int64_t bytes, from_bytes;
	int64_t began_ms, next_ms; /* not before */
	/* All that waits was told by a scan, with its size, until `told_upto_ms` at the latest. */
	bool told;
	int64_t told_bytes, told_from_bytes, told_upto_ms;
	bool running;
	int64_t sum_bytes, sum_from_bytes; /* of the look under way */
	struct index_place place;
	/* The job's. */
	struct job job;
	struct disk *disk;
	char **paths;
	int64_t page_bytes;
};

#endif
