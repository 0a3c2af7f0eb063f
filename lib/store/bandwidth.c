#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/bandwidth.h"

/*
 * A bucket that goes into debt: what asks first may take all of its bytes as soon as nothing is owed, and the next waits until that is
 * paid. So a body larger than a second's worth needs no splitting, and the average holds.
 */

enum {
	RULES_MAX = 32,
	MINUTES_A_DAY = 24 * 60,
	/* A slower line would look stalled: a request that moves no byte for `timeout` is given up. */
	LEAST_BYTES = 8 << 10,
	SAVED_UP = 10,         /* at most a tenth of a second's worth */
	LOOK_AGAIN_MS = 60000, /* the timetable may have turned a page */
};

struct rule {
	int from, to; /* minutes of the day; from > to: over midnight */
	int64_t rate; /* bytes a second; 0: any */
};

struct bandwidth {
	struct loop *loop;
	struct rule rules[RULES_MAX];
	size_t count;
	int64_t otherwise; /* where no rule holds */
	double balance;    /* bytes; below 0: owed */
	int64_t rate;      /* as it was when it was filled last */
	int64_t filled_ms;
	struct list queue; /* of struct bandwidth_wait */
	struct timer timer;
};

/* ---- the timetable ---- */

static int parse_rate(const char *text, int64_t *rate, struct err *err) {
	if (str_equal(text, "none")) {
		*rate = 0;
		return 0;
	}
	if (size_parse(text, rate) || *rate < 0)
		return err_set(err, ERR_INVALID,
			"'%s' is no rate: write 1MiB, 500KiB or none, as bytes a second", text);
	if (*rate < LEAST_BYTES)
		return err_set(
			err, ERR_INVALID, "'%s' is too little: at least 8KiB a second", text);
	return 0;
}

static const char *parse_minute(const char *text, int *minute) {
	if (strspn(text, "0123456789") != 2 || text[2] != ':' ||
		strspn(text + 3, "0123456789") != 2)
		return NULL;
	int hours = (text[0] - '0') * 10 + text[1] - '0';
	int minutes = (text[3] - '0') * 10 + text[4] - '0';
	*minute = hours * 60 + minutes;
	return minutes < 60 && *minute <= MINUTES_A_DAY ? text + 5 : NULL;
}

/* "08:00-18:00 1MiB" */
static int parse_rule(char *text, struct rule *rule, struct err *err) {
	const char *at = parse_minute(text, &rule->from);
	at = at && *at == '-' ? parse_minute(at + 1, &rule->to) : NULL;
	if (!at || *at != ' ' || rule->from == rule->to)
		return err_set(err, ERR_INVALID, "'%s' is no rule: write '08:00-18:00 1MiB'", text);
	return parse_rate(at + strspn(at, " "), &rule->rate, err);
}

static char *trim(char *text) {
	text += strspn(text, " \t\n");
	for (size_t len = strlen(text); len && strchr(" \t\n", text[len - 1]); len--)
		text[len - 1] = 0;
	return text;
}

static int parse_items(char *text, struct bandwidth *into, struct err *err) {
	bool otherwise = false;
	for (char *item = text, *next; item; item = next) {
		next = strchr(item, ',');
		if (next) *next++ = 0;
		item = trim(item);
		bool last = str_starts(item, "else ");
		if (otherwise)
			return err_set(
				err, ERR_INVALID, "'%s' stands behind what holds always", item);
		if (last || !strchr(item, ':')) {
			otherwise = true;
			if (parse_rate(trim(item + (last ? 5 : 0)), &into->otherwise, err))
				return -1;
		} else if (into->count == RULES_MAX) {
			return err_set(err, ERR_INVALID, "more than %d rules", RULES_MAX);
		} else if (parse_rule(item, &into->rules[into->count++], err)) {
			return -1;
		}
	}
	return 0;
}

static int parse(const char *text, struct bandwidth *into, struct err *err) {
	if (!text) return 0;
	char *copy = xstrdup(text);
	int rc = parse_items(copy, into, err);
	free(copy);
	return rc;
}

int bandwidth_check(const char *text, struct err *err) {
	struct bandwidth scratch = { 0 };
	return parse(text, &scratch, err);
}

int64_t bandwidth_rate(const struct bandwidth *bandwidth) {
	time_t now = (time_t)(loop_wall_ns(bandwidth->loop) / NS_PER_S);
	struct tm local;
	if (!localtime_r(&now, &local)) return bandwidth->otherwise;
	int minute = local.tm_hour * 60 + local.tm_min;
	for (size_t i = 0; i < bandwidth->count; i++) {
		const struct rule *rule = &bandwidth->rules[i];
		bool after = minute >= rule->from, before = minute < rule->to;
		if (rule->from < rule->to ? after && before : after || before) return rule->rate;
	}
	return bandwidth->otherwise;
}

/* ---- the bucket ---- */

static void fill(struct bandwidth *bandwidth) {
	int64_t now_ms = loop_now_ms(bandwidth->loop);
	bandwidth->balance +=
		(double)(now_ms - bandwidth->filled_ms) * (double)bandwidth->rate / 1000;
	bandwidth->filled_ms = now_ms;
	bandwidth->rate = bandwidth_rate(bandwidth);
	/* A burst after a rest is what the limit is there to prevent; a little is saved up, or timers' whole milliseconds would eat the
	 * rate of small bodies. */
	double most = (double)bandwidth->rate / SAVED_UP;
	if (bandwidth->balance > most || bandwidth->rate == 0) bandwidth->balance = most;
}

static bool is_open(const struct bandwidth *bandwidth) {
	return bandwidth->rate == 0 || bandwidth->balance >= 0;
}

static void wait_on(struct bandwidth *bandwidth) {
	if (list_empty(&bandwidth->queue)) {
		timer_cancel(&bandwidth->timer);
		return;
	}
	double wait_ms = -bandwidth->balance * 1000 / (double)bandwidth->rate + 1;
	timer_start(&bandwidth->timer, wait_ms < LOOK_AGAIN_MS ? (int64_t)wait_ms : LOOK_AGAIN_MS);
}

static void serve(struct bandwidth *bandwidth) {
	fill(bandwidth);
	while (!list_empty(&bandwidth->queue) && is_open(bandwidth)) {
		struct bandwidth_wait *first =
			list_entry(bandwidth->queue.next, struct bandwidth_wait, link);
		list_remove(&first->link);
		bandwidth->balance -= (double)first->bytes;
		first->granted(first);
	}
	wait_on(bandwidth);
}

static void timer_due(struct timer *timer) {
	serve(container_of(timer, struct bandwidth, timer));
}

bool bandwidth_take(struct bandwidth *bandwidth, struct bandwidth_wait *wait, int64_t bytes) {
	fill(bandwidth);
	if (list_empty(&bandwidth->queue) && is_open(bandwidth)) {
		bandwidth->balance -= (double)bytes;
		return true;
	}
	wait->bytes = bytes;
	list_add_tail(&bandwidth->queue, &wait->link);
	wait_on(bandwidth);
	return false;
}

void bandwidth_give_up(struct bandwidth *bandwidth, struct bandwidth_wait *wait) {
	list_remove(&wait->link);
	wait_on(bandwidth);
}

void bandwidth_give_back(struct bandwidth *bandwidth, int64_t bytes) {
	fill(bandwidth);
	bandwidth->balance += (double)bytes;
	serve(bandwidth);
}

/* ---- the face ---- */

struct bandwidth *bandwidth_new(struct loop *loop) {
	struct bandwidth *bandwidth = xcalloc(1, sizeof(*bandwidth));
	bandwidth->loop = loop;
	bandwidth->filled_ms = loop_now_ms(loop);
	list_init(&bandwidth->queue);
	timer_init(&bandwidth->timer, loop, timer_due);
	return bandwidth;
}

int bandwidth_set(struct bandwidth *bandwidth, const char *text, struct err *err) {
	struct bandwidth fresh = { 0 };
	if (parse(text, &fresh, err)) return -1;
	fill(bandwidth);
	memcpy(bandwidth->rules, fresh.rules, sizeof(fresh.rules));
	bandwidth->count = fresh.count;
	bandwidth->otherwise = fresh.otherwise;
	/* What is owed at the old rate is not owed at the new one. */
	bandwidth->balance = 0;
	serve(bandwidth);
	return 0;
}

void bandwidth_free(struct bandwidth *bandwidth) {
	if (!bandwidth) return;
	assert(list_empty(&bandwidth->queue));
	timer_cancel(&bandwidth->timer);
	free(bandwidth);
}
