/*
 * How long what is to be done will take, where the remote sets the pace: by what it is known to allow, and once there is a
 * minute of work to judge by, by that. Pure: the caller's clock. Never a promise: how large the files are nobody knows yet.
 */
#ifndef SYNC_ESTIMATE_H
#define SYNC_ESTIMATE_H

#include <stdint.h>

enum { ESTIMATE_SPAN_MS = 60000 };

struct estimate {
	int64_t since_ms;  /* 0: nothing is under way */
	int64_t done;      /* since then */
	double per_second; /* in the span before; 0: there was none */
};

void estimate_begin(struct estimate *estimate, int64_t now_ms); /* harmless again */
void estimate_done(struct estimate *estimate, int64_t now_ms);  /* one more */
void estimate_end(struct estimate *estimate);                   /* nothing is left */
/* Seconds, or -1: nobody knows. */
int64_t estimate_left_s(
	const struct estimate *estimate, int64_t pending, double known_per_second, int64_t now_ms);

#endif
