/* Times as people say and read them: in the local time zone. */
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "base/time.h"

static void local(int64_t wall_ns, struct tm *tm) {
	time_t when = (time_t)(wall_ns / NS_PER_S - (wall_ns % NS_PER_S < 0));
	localtime_r(&when, tm);
}

/* Fields in range, and a day that the month has: mktime would go on into the next one. */
static int join(struct tm *tm, int64_t *wall_ns) {
	int day = tm->tm_mday, month = tm->tm_mon;
	/* Years that nanoseconds in 64 bits can tell. */
	if (tm->tm_year < 70 || tm->tm_year > 2261 - 1900) return -1;
	if (month < 0 || month > 11 || day < 1 || tm->tm_hour > 23 || tm->tm_min > 59 ||
		tm->tm_sec > 59)
		return -1;
	tm->tm_isdst = -1;
	time_t when = mktime(tm);
	/* An hour that a change of the clocks leaves out is the one after it; a day is not. */
	if (tm->tm_mday != day || tm->tm_mon != month || when < 0) return -1;
	*wall_ns = (int64_t)when * NS_PER_S;
	return 0;
}

/* Up to two digits, or exactly `wanted` of them. */
static int read_number(const char **at, int wanted, int *value) {
	int digits = 0;
	*value = 0;
	for (; **at >= '0' && **at <= '9' && digits < (wanted ? wanted : 2); (*at)++, digits++)
		*value = *value * 10 + (**at - '0');
	return digits && (!wanted || digits == wanted) ? 0 : -1;
}

/* "14:03" or "14:03:07", all of it. */
static int read_clock(const char *text, struct tm *tm) {
	tm->tm_sec = 0;
	if (read_number(&text, 0, &tm->tm_hour) || *text++ != ':') return -1;
	if (read_number(&text, 2, &tm->tm_min)) return -1;
	if (*text == ':' && (text++, read_number(&text, 2, &tm->tm_sec))) return -1;
	return *text ? -1 : 0;
}

/* "2h ago", or "2h", as other programs take it. */
static int read_ago(const char *text, int64_t now_ns, int64_t *wall_ns) {
	char span[40];
	int64_t ms;
	size_t len = strlen(text) - (str_ends(text, " ago") ? strlen(" ago") : 0);
	if (len >= sizeof(span) || *text < '0' || *text > '9') return -1;
	memcpy(span, text, len);
	span[len] = 0;
	if (duration_parse(span, &ms) || ms > now_ns / NS_PER_MS) return -1;
	*wall_ns = now_ns - ms * NS_PER_MS;
	return 0;
}

/* "2026-11-22", and a clock behind a blank or a T. */
static int read_date(const char *text, struct tm *tm) {
	*tm = (struct tm){ 0 };
	if (read_number(&text, 4, &tm->tm_year) || *text++ != '-') return -1;
	if (read_number(&text, 2, &tm->tm_mon) || *text++ != '-') return -1;
	if (read_number(&text, 2, &tm->tm_mday)) return -1;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	if (!*text) return 0;
	return *text == ' ' || *text == 'T' ? read_clock(text + 1, tm) : -1;
}

int time_parse_words(const char *text, int64_t now_ns, int64_t *wall_ns) {
	struct tm tm;
	if (time_parse(text, wall_ns) == 0 || read_ago(text, now_ns, wall_ns) == 0) return 0;
	if (str_equal(text, "now")) {
		*wall_ns = now_ns;
		return 0;
	}
	if (read_date(text, &tm) == 0) return join(&tm, wall_ns);
	local(now_ns, &tm);
	if (str_starts(text, "yesterday")) {
		text += strlen("yesterday");
		tm.tm_isdst = -1;
		tm.tm_mday--;
		if (!*text) { /* the day before the first is mktime's to find */
			*wall_ns = (int64_t)mktime(&tm) * NS_PER_S;
			return 0;
		}
		mktime(&tm);
		if (*text++ != ' ') return -1;
	} else if (str_starts(text, "today ")) {
		text += strlen("today ");
	}
	return read_clock(text, &tm) ? -1 : join(&tm, wall_ns);
}

void time_format_local(int64_t wall_ns, char *out) {
	struct tm tm;
	local(wall_ns, &tm);
	strftime(out, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
}
