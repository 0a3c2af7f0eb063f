#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "base/time.h"

struct unit_of {
	const char *name;
	int64_t worth;
};

/* Largest first; "ms" stands before "m" is looked at, because the whole name is compared. */
static const struct unit_of durations[] = {
	{ "d", 86400000 },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
};

static const struct unit_of sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "KiB", INT64_C(1) << 10 },
	{ "MiB", INT64_C(1) << 20 },
	{ "GiB", INT64_C(1) << 30 },
	{ "TiB", INT64_C(1) << 40 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", INT64_C(1000000000000) },
};

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

/* Reads digits; -1 when there are none or too many. */
static int take_number(const char **at, int64_t *value) {
	if (!is_digit(**at)) return -1;
	*value = 0;
	for (; is_digit(**at); (*at)++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
			__builtin_add_overflow(*value, **at - '0', value))
			return -1;
	}
	return 0;
}

static const struct unit_of *find_unit(
	const struct unit_of *units, size_t count, const char *name, size_t len) {
	for (size_t i = 0; i < count; i++) {
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return &units[i];
	}
	return NULL;
}

int duration_parse(const char *text, int64_t *ms) {
	int64_t sum = 0;

	if (str_equal(text, "0")) {
		*ms = 0;
		return 0;
	}
	do {
		int64_t number, part;
		if (take_number(&text, &number)) return -1;
		size_t len = strcspn(text, "0123456789");
		const struct unit_of *unit =
			find_unit(durations, sizeof(durations) / sizeof(durations[0]), text, len);
		if (!unit || __builtin_mul_overflow(number, unit->worth, &part) ||
			__builtin_add_overflow(sum, part, &sum))
			return -1;
		text += len;
	} while (*text);
	*ms = sum;
	return 0;
}

void duration_format(int64_t ms, char *out, size_t size) {
	size_t len = 0;
	uint64_t left = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

	if (size == 0) return;
	out[0] = '\0';
	if (left == 0) {
		snprintf(out, size, "0s");
		return;
	}
	if (ms < 0 && size > 1) {
		out[len++] = '-';
		out[len] = '\0';
	}
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		uint64_t count = left / (uint64_t)durations[i].worth;
		char part[32];
		if (count == 0) continue;
		int wrote = snprintf(
			part, sizeof(part), "%llu%s", (unsigned long long)count, durations[i].name);
		if (wrote < 0 || len + (size_t)wrote >= size) return;
		memcpy(out + len, part, (size_t)wrote + 1);
		len += (size_t)wrote;
		left %= (uint64_t)durations[i].worth;
	}
}

int size_parse(const char *text, int64_t *bytes) {
	int64_t number;

	if (take_number(&text, &number)) return -1;
	const struct unit_of *unit =
		find_unit(sizes, sizeof(sizes) / sizeof(sizes[0]), text, strlen(text));
	if (!unit) return -1;
	return __builtin_mul_overflow(number, unit->worth, bytes) ? -1 : 0;
}

void size_format(int64_t bytes, char *out, size_t size) {
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double amount = (double)bytes;
	size_t unit = 0;

	if (bytes > -1024 && bytes < 1024) {
		snprintf(out, size, "%lld B", (long long)bytes);
		return;
	}
	/* 1023.95 would be printed as "1024.0". */
	for (amount /= 1024; (amount >= 1023.95 || amount <= -1023.95) && unit < 5; unit++)
		amount /= 1024;
	snprintf(out, size, "%.1f %s", amount, names[unit]);
}

static void split(int64_t wall_ns, struct tm *tm, int *ms) {
	int64_t seconds = wall_ns / NS_PER_S, rest = wall_ns % NS_PER_S;

	if (rest < 0) { /* before 1970 */
		rest += NS_PER_S;
		seconds--;
	}
	time_t when = (time_t)seconds;
	gmtime_r(&when, tm);
	*ms = (int)(rest / NS_PER_MS);
}

void time_format(int64_t wall_ns, char *out) {
	struct tm tm;
	int ms;

	split(wall_ns, &tm, &ms);
	snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		(tm.tm_year + 1900U) % 10000, (tm.tm_mon + 1U) % 100, tm.tm_mday % 100U,
		tm.tm_hour % 100U, tm.tm_min % 100U, tm.tm_sec % 100U, (unsigned)ms % 1000);
}

void time_format_compact(int64_t wall_ns, char *out) {
	char *to = out;

	time_format(wall_ns, out);
	for (const char *from = out; *from; from++) {
		if (*from != '-' && *from != ':') *to++ = *from;
	}
	*to = '\0';
}

/* All fields in range, and in the years that nanoseconds in 64 bits can tell. */
static int join(const struct tm *tm, int64_t fraction_ns, int64_t *wall_ns) {
	struct tm copy = *tm;

	if (tm->tm_year < 1678 - 1900 || tm->tm_year > 2261 - 1900 || tm->tm_mon < 0 ||
		tm->tm_mon > 11 || tm->tm_mday < 1 || tm->tm_hour > 23 || tm->tm_min > 59 ||
		tm->tm_sec > 60)
		return -1;
	time_t seconds = timegm(&copy);
	/* A leap second goes on to the next minute; the 31st of April is a mistake. */
	if (tm->tm_sec < 60 && copy.tm_mday != tm->tm_mday) return -1;
	*wall_ns = (int64_t)seconds * NS_PER_S + fraction_ns;
	return 0;
}

/* Reads by a pattern: Y M D h m s stand for digits of that field, everything else for itself. */
static const char *read_fields(const char *text, const char *pattern, struct tm *tm) {
	*tm = (struct tm){ 0 };
	for (; *pattern; pattern++, text++) {
		int *field = NULL;
		switch (*pattern) {
		case 'Y': field = &tm->tm_year; break;
		case 'M': field = &tm->tm_mon; break;
		case 'D': field = &tm->tm_mday; break;
		case 'h': field = &tm->tm_hour; break;
		case 'm': field = &tm->tm_min; break;
		case 's': field = &tm->tm_sec; break;
		default: break;
		}
		if (!field) {
			if (*text != *pattern) return NULL;
			continue;
		}
		if (!is_digit(*text)) return NULL;
		*field = *field * 10 + (*text - '0');
	}
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return text;
}

static int parse_form(const char *text, const char *pattern, int64_t *wall_ns) {
	struct tm tm;
	int64_t fraction_ns = 0;

	text = read_fields(text, pattern, &tm);
	if (!text) return -1;
	if (*text == '.') {
		int64_t worth = NS_PER_S;
		for (text++; is_digit(*text) && worth > 1; text++) {
			worth /= 10;
			fraction_ns += (*text - '0') * worth;
		}
		if (worth == NS_PER_S) return -1;
	}
	return str_equal(text, "Z") ? join(&tm, fraction_ns, wall_ns) : -1;
}

int time_parse(const char *text, int64_t *wall_ns) {
	return parse_form(text, "YYYY-MM-DDThh:mm:ss", wall_ns);
}

int time_parse_compact(const char *text, int64_t *wall_ns) {
	return parse_form(text, "YYYYMMDDThhmmss", wall_ns);
}

/* Not strptime: it would follow the locale. The two obsolete forms of RFC 9110 §5.6.7 nobody sends
 * to us. */
int time_parse_http(const char *text, int64_t *wall_ns) {
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char days[] = "SunMonTueWedThuFriSat";
	char plain[] = "DD MM YYYY hh:mm:ss GMT";
	struct tm tm;

	if (strlen(text) != 29 || text[3] != ',' || text[4] != ' ') return -1;
	const char *day = strstr(days, (char[]){ text[0], text[1], text[2], '\0' });
	const char *month = strstr(months, (char[]){ text[8], text[9], text[10], '\0' });
	if (!day || (day - days) % 3 != 0 || !month || (month - months) % 3 != 0) return -1;

	/* With the month as a number the pattern reader above can do the rest. */
	memcpy(plain, text + 5, 3);
	snprintf(plain + 3, 3, "%02u", (unsigned)((month - months) / 3 + 1) % 100);
	memcpy(plain + 5, text + 11, 18);
	const char *rest = read_fields(plain, "DD MM YYYY hh:mm:ss G", &tm);
	if (!rest || !str_equal(rest, "MT")) return -1;
	return join(&tm, 0, wall_ns);
}
