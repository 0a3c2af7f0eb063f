/*
 * Whom the kernel ended for want of memory: the count of a group says how many, and not which. It rises before the end of a process
 * is known, so that what was counted as of others may turn out to have been the main process.
 */
#include "process/internal.h"

enum { DYING_MS = 10000 }; /* a slow machine takes its time to end what was counted already */

void oom_begin(struct oom_count *count, int64_t kills) {
	*count = (struct oom_count){ .before = kills };
}

bool oom_others(struct oom_count *count, int64_t kills, int64_t now_ms) {
	int64_t others = kills - count->before - (count->main ? 1 : 0);
	if (kills < 0 || others <= count->others) return false;
	count->others = others;
	count->told_ms = now_ms;
	return true;
}

bool oom_main(struct oom_count *count, int64_t kills, int64_t now_ms) {
	if (kills > count->before + count->others) {
		count->main = true;
	} else if (count->others && now_ms - count->told_ms <= DYING_MS) {
		count->others--;
		count->main = true;
	}
	return count->main;
}
