#include "sync/estimate.h"

static double speed(const struct estimate *e, int64_t now_ms) {
	return (double)e->done * 1000 / (double)(now_ms - e->since_ms);
}

void estimate_begin(struct estimate *e, int64_t now_ms) {
	if (!e->since_ms) e->since_ms = now_ms > 0 ? now_ms : 1;
}

void estimate_done(struct estimate *e, int64_t now_ms) {
	estimate_begin(e, now_ms);
	e->done++;
	if (now_ms - e->since_ms < ESTIMATE_SPAN_MS) return;
	*e = (struct estimate){ .since_ms = now_ms, .per_second = speed(e, now_ms) };
}

void estimate_end(struct estimate *e) {
	*e = (struct estimate){ 0 };
}

int64_t estimate_left_s(
	const struct estimate *e, int64_t pending, double known_per_second, int64_t now_ms) {
	double per_second = e->per_second > 0 ? e->per_second : known_per_second;
	/* It takes longer than any span before: perhaps it stands. */
	if (e->since_ms && now_ms - e->since_ms >= ESTIMATE_SPAN_MS) per_second = speed(e, now_ms);
	if (pending <= 0 || per_second <= 0) return -1;
	double seconds = (double)pending / per_second;
	return (int64_t)seconds + ((double)(int64_t)seconds < seconds);
}
