#include "sync/brake_rule.h"

#include "sync/mutant.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int brake_rule_parse(
	struct brake_rule *rule, const char *text, bool versions_kept, struct err *err) {
	*rule = (struct brake_rule){ -1, -1 };
	if (!text) {
		rule->percent = BRAKE_PERCENT;
		if (!versions_kept) rule->most = BRAKE_MIRROR_MOST;
		return 0;
	}
	char **words = NULL;
	int result = 0;
	for (const char *at = text + strspn(text, " \t\n"); *at; at += strspn(at, " \t\n")) {
		size_t len = strcspn(at, " \t\n");
		strv_add_owned(&words, xstrndup(at, len));
		at += len;
	}
	size_t count = strv_count(words);
	if (count == 1 && str_equal(words[0], "none")) goto out;
	for (size_t i = 0; i < count && result == 0; i++) {
		size_t len = strlen(words[i]);
		bool percent = words[i][len - 1] == '%';
		int64_t *to = percent ? &rule->percent : &rule->most, value;
		if (percent) words[i][len - 1] = 0;
		if (*to >= 0 || str_to_int(words[i], 0, percent ? 100 : INT64_MAX, &value))
			result = -1;
		else
			*to = value;
	}
	if (count == 0) result = -1;
out:
	strv_free(words);
	if (result == 0) return 0;
	return err_set(err, ERR_INVALID,
		"'%s' is no limit: write a share (50%%), a count (1000), both, or none", text);
}

/* ---- the hour ---- */

void brake_window_add(struct brake_window *w, int64_t minute, int64_t count, int64_t base) {
	struct brake_minute *last = w->used ? &w->minutes[w->used - 1] : NULL;
	/* A clock that was set back adds to the newest: forgotten later, never sooner. */
	if (last && last->minute >= minute) {
		last->count += count;
		return;
	}
	size_t old = 0;
	while (old < w->used && w->minutes[old].minute <= minute - BRAKE_MINUTES) old++;
	w->used -= old;
	memmove(w->minutes, w->minutes + old, w->used * sizeof(*w->minutes));
	w->minutes[w->used++] = (struct brake_minute){ minute, count, base };
}

int64_t brake_window_sum(const struct brake_window *w, int64_t minute, int64_t *base) {
	int64_t sum = 0;
	if (MUTANT(hour_is_forgotten)) return 0;
	for (size_t i = w->used; i-- > 0 && w->minutes[i].minute > minute - BRAKE_MINUTES;) {
		sum += w->minutes[i].count;
		*base = w->minutes[i].base;
	}
	return sum;
}

char *brake_window_write(const struct brake_window *w) {
	struct buf text;
	buf_init(&text, 64 * BRAKE_MINUTES);
	for (size_t i = 0; i < w->used; i++)
		buf_addf(&text, "%" PRId64 " %" PRId64 " %" PRId64 "\n", w->minutes[i].minute,
			w->minutes[i].count, w->minutes[i].base);
	return buf_steal(&text);
}

void brake_window_read(struct brake_window *w, const char *text) {
	w->used = 0;
	while (text && *text && w->used < BRAKE_MINUTES) {
		int64_t numbers[3];
		char *end = NULL;
		for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
			numbers[i] = strtoll(text, &end, 10);
			if (end == text) return;
			text = end;
		}
		if (w->used && numbers[0] <= w->minutes[w->used - 1].minute) return;
		w->minutes[w->used++] = (struct brake_minute){ numbers[0], numbers[1], numbers[2] };
		text += strspn(text, "\n");
	}
}

/* ---- the verdict ---- */

int64_t brake_limit(const struct brake_rule *rule, int64_t base) {
	int64_t limit = -1;
	if (rule->percent >= 0) {
		limit = base / 100 * rule->percent + base % 100 * rule->percent / 100;
		if (limit < BRAKE_LEAST) limit = BRAKE_LEAST;
	}
	if (rule->most >= 0 && (limit < 0 || rule->most < limit)) limit = rule->most;
	return limit;
}

enum brake_verdict brake_judge(const struct brake_rule *rule, const struct brake_question *q) {
	int64_t limit = brake_limit(rule, q->base);
	if (MUTANT(brake_lets_all_go)) return BRAKE_GO;
	if (q->root_empty && q->now > 0 && !MUTANT(empty_root_is_believed)) return BRAKE_STOP_EMPTY;
	/* What comes while a person is asked is not covered by the answer: it waits as well. */
	if (q->stopped) return BRAKE_STOP_COUNT;
	return limit >= 0 && q->now > 0 && q->gone + q->now > limit ? BRAKE_STOP_COUNT : BRAKE_GO;
}
