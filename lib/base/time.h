/*
 * Times and amounts as text. Nothing here reads a clock: `loop` does.
 * Wall times are nanoseconds since 1970 UTC (int64_t); spans are milliseconds.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL

/* "500ms" "30s" "10m" "6h" "30d"; several may follow each other ("1h30m"). 0 or -1. "0" alone is
 * allowed. */
int duration_parse(const char *text, int64_t *ms);
void duration_format(int64_t ms, char *out, size_t size); /* the largest units that fit: "1h30m" */

/* "64KiB" "16MiB" "2GiB" "10MB", plain bytes too. 0 or -1. */
int size_parse(const char *text, int64_t *bytes);
void size_format(int64_t bytes, char *out, size_t size); /* "1.5 MiB" */

/* "2026-11-22T14:03:07.123Z"; `out` holds at least TIME_TEXT_SIZE. */
#define TIME_TEXT_SIZE 32
void time_format(int64_t wall_ns, char *out);
int time_parse(const char *text, int64_t *wall_ns); /* the same form, fraction optional; 0 or -1 */

/* A time as people say it, in their time zone: "2026-11-22 14:03", "2026-11-22", "14:00" (today), "yesterday 14:00", "yesterday" (at this
 * time of day), "2h ago", "3d", "now", and the form above. 0 or -1. */
int time_parse_words(const char *text, int64_t now_ns, int64_t *wall_ns);
/* "2026-11-22 14:03:07" in the local time zone. */
void time_format_local(int64_t wall_ns, char *out);

/* "20261122T140307.123Z": in the names of kept versions (SYNC.md §8). */
void time_format_compact(int64_t wall_ns, char *out);
int time_parse_compact(const char *text, int64_t *wall_ns);

/* "Sun, 22 Nov 2026 14:03:07 GMT" (RFC 9110): the Date and Retry-After headers. 0 or -1. */
int time_parse_http(const char *text, int64_t *wall_ns);

#endif
