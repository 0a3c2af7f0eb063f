/*
 * How often a path that keeps changing may be sent (SYNC.md §5): after work that took t it waits (100 - p) / p times as long, p being the
 * key `pace`. Pure function; what is remembered of it is pace.c's.
 */
#ifndef SYNC_PACE_H
#define SYNC_PACE_H

#include <stdint.h>

enum { PACE_MAX_MS = 15 * 60 * 1000 };

/* 0 and 100 per cent: no wait. */
int64_t pace_wait_ms(int64_t took_ms, int64_t percent);

#endif
