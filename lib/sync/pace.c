/*
 * What pace asks of a path outlives its mark: it is kept in memory until it has passed, for those paths alone whose last transfer took
 * longer than settling allows for. A barrier, a stop and `tend sync` make marks due at once and so override it.
 */
#include "sync/pace.h"

#include <stdlib.h>

#include "sync/internal.h"

enum { SWEEP_FROM = 256 };

struct pace {
	int64_t until_ms;
};

int64_t pace_wait_ms(int64_t took_ms, int64_t percent) {
	if (percent <= 0 || percent >= 100 || took_ms <= 0) return 0;
	if (took_ms >= PACE_MAX_MS) return PACE_MAX_MS;
	int64_t wait_ms = took_ms * (100 - percent) / percent;
	return wait_ms < PACE_MAX_MS ? wait_ms : PACE_MAX_MS;
}

/* The work of this transfer begins: bytes are read or sent for it. */
void pace_begin(struct transfer *t) {
	if (!t->work_ms) t->work_ms = folder_clock_ms(t->folder);
}

static int64_t took_ms(const struct transfer *t) {
	return t->work_ms ? folder_clock_ms(t->folder) - t->work_ms - t->idle_ms : 0;
}

/* Those that have passed, now and then: as many as are kept have to be looked at. */
static void sweep(struct folder *f) {
	int64_t now = folder_clock_ms(f);
	char **passed = NULL;
	if (map_count(&f->paces) < f->paces_sweep) return;
	for (struct map_item *it = NULL; (it = map_next(&f->paces, it));)
		if (((struct pace *)map_value(it))->until_ms <= now) strv_add(&passed, map_key(it));
	for (size_t i = 0; passed && passed[i]; i++) free(map_take(&f->paces, passed[i]));
	strv_free(passed);
	size_t left = map_count(&f->paces);
	f->paces_sweep = left * 2 > SWEEP_FROM ? left * 2 : SWEEP_FROM;
}

/* How long the path of this transfer waits from now on, settling included; remembered for its later marks. */
int64_t pace_after(const struct transfer *t) {
	struct folder *f = t->folder;
	int64_t settle = f->settings.settle_ms;
	int64_t wait = pace_wait_ms(took_ms(t), f->settings.pace_percent);
	if (wait <= settle) return settle;
	struct pace *pace = xcalloc(1, sizeof(*pace));
	pace->until_ms = folder_clock_ms(f) + wait;
	sweep(f);
	free(map_put(&f->paces, t->path, pace));
	return wait;
}

/* What is left of it when the path is marked; 0: nothing. */
int64_t pace_left_ms(const struct folder *f, const char *path) {
	if (!map_count(&f->paces) || f->phase == PHASE_FLUSHING) return 0;
	const struct pace *pace = map_get(&f->paces, path);
	int64_t left = pace ? pace->until_ms - folder_clock_ms(f) : 0;
	return left > 0 ? left : 0;
}

void pace_release(struct folder *f) {
	for (struct map_item *it = NULL; (it = map_next(&f->paces, it));) free(map_value(it));
	map_release(&f->paces);
	map_init(&f->paces);
}
