/*
 * The rules of kept versions, as pure functions: their names, which of them go, and what stood at a time (SYNC.md §5, §8). Wall times are
 * nanoseconds; names hold milliseconds, and that is what they are compared by.
 */
#ifndef SYNC_VERSION_H
#define SYNC_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERSION_PLACE     ".tend/versions"
#define VERSION_NAME_SIZE 80

/* One content of a path. */
struct version_span {
	int64_t born_ns, ended_ns;
	bool deleted; /* it ended by a deletion, not by being replaced */
	bool goes;    /* version_thin's answer */
};

/* "20261122T140307.123Z~20261120T080000.000Z": until when it stood there, and since when; with "~deleted" behind it when nothing took its
 * place. Thinning leaves gaps between the times of others, so they alone would not tell. */
void version_name(const struct version_span *version, char name[VERSION_NAME_SIZE]);
int version_name_parse(const char *name, struct version_span *version); /* 0 or -1 */

#define VERSION_NONE INT64_MAX

/*
 * Sets `goes` of each: all of the last hour stay, one an hour for a day, one a day until `keep_ms`; the last one before a deletion
 * stays for keep_ms. In a slot the newest stays. `current_born_ns`: since when what stands there now does, VERSION_NONE: nothing does.
 * keep_ms 0: none goes. The answer: from when on (wall) another look may find more to go; INT64_MAX: never.
 */
int64_t version_thin(struct version_span *versions, size_t count, int64_t current_born_ns,
	int64_t now_ns, int64_t keep_ms);

/* Which of `versions` (in order of their ends) stood there at `at_ns`: its number; `count`: what stands there now; -1: nothing. Where that
 * one was thinned away, the last one before it. A current_born_ns that is not known is 0: it stands there since the last version ended. */
long version_at(
	const struct version_span *versions, size_t count, int64_t current_born_ns, int64_t at_ns);

/* What the clocks say about pruning now. NULL: it may; else why not, for a person. */
const char *version_prune_forbidden(int64_t now_ns, int64_t server_ns);

#endif
