#include "sync/version.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)
#define SKEW_NS (600 * NS_PER_S)

static const char deleted_suffix[] = "~deleted";

void version_name(const struct version_span *version, char name[VERSION_NAME_SIZE]) {
	char ended[TIME_TEXT_SIZE], born[TIME_TEXT_SIZE];
	time_format_compact(version->ended_ns, ended);
	time_format_compact(version->born_ns, born);
	snprintf(name, VERSION_NAME_SIZE, "%s~%s%s", ended, born,
		version->deleted ? deleted_suffix : "");
}

int version_name_parse(const char *name, struct version_span *version) {
	char text[VERSION_NAME_SIZE];
	*version = (struct version_span){ 0 };
	if (strlen(name) >= sizeof(text)) return -1;
	memcpy(text, name, strlen(name) + 1);
	if (str_ends(text, deleted_suffix)) {
		version->deleted = true;
		text[strlen(text) - strlen(deleted_suffix)] = 0;
	}
	char *tilde = strchr(text, '~');
	if (!tilde) return -1;
	*tilde = 0;
	return time_parse_compact(text, &version->ended_ns) ||
			       time_parse_compact(tilde + 1, &version->born_ns)
		       ? -1
		       : 0;
}

/* Names hold no more. */
static int64_t ms_of(int64_t wall_ns) {
	return wall_ns == VERSION_NONE ? VERSION_NONE : wall_ns / NS_PER_MS;
}

/* Nothing took its place at once. */
static bool was_deleted(
	const struct version_span *versions, size_t count, size_t at, int64_t current_born_ns) {
	int64_t next_ns = at + 1 < count ? versions[at + 1].born_ns : current_born_ns;
	if (next_ns == VERSION_NONE) return true;
	return versions[at].deleted && ms_of(next_ns) > ms_of(versions[at].ended_ns);
}

/* The tier of an age, as the width of its slots. */
enum { EACH, HOURLY, DAILY, TOO_OLD };

static int tier_of(int64_t age_ns, int64_t keep_ns) {
	if (age_ns > keep_ns) return TOO_OLD;
	if (age_ns <= HOUR_NS) return EACH;
	return age_ns <= DAY_NS ? HOURLY : DAILY;
}

/* When it comes into the next tier. */
static int64_t next_tier_ns(const struct version_span *version, int tier, int64_t keep_ns) {
	int64_t span = tier == EACH ? HOUR_NS : tier == HOURLY ? DAY_NS : keep_ns;
	if (span > keep_ns) span = keep_ns;
	return version->ended_ns + span + 1;
}

int64_t version_thin(struct version_span *versions, size_t count, int64_t current_born_ns,
	int64_t now_ns, int64_t keep_ms) {
	int64_t keep_ns = keep_ms > INT64_MAX / 4 / NS_PER_MS ? INT64_MAX / 4 : keep_ms * NS_PER_MS;
	int64_t next_ns = INT64_MAX;
	int64_t slot_tier = -1, slot = -1;
	for (size_t i = 0; i < count; i++) versions[i].goes = false;
	if (keep_ms <= 0) return INT64_MAX;
	/* From the newest back: the first one met in a slot is the one that stays. */
	for (size_t i = count; i-- > 0;) {
		struct version_span *version = &versions[i];
		int tier = tier_of(now_ns - version->ended_ns, keep_ns);
		int64_t width = tier == HOURLY ? HOUR_NS : DAY_NS;
		bool taken = slot_tier == tier && slot == version->ended_ns / width;
		if (tier == HOURLY || tier == DAILY) {
			slot_tier = tier;
			slot = version->ended_ns / width;
			version->goes = taken && !was_deleted(versions, count, i, current_born_ns);
		}
		version->goes |= tier == TOO_OLD;
		if (version->goes) continue;
		int64_t then_ns = next_tier_ns(version, tier, keep_ns);
		if (then_ns < next_ns) next_ns = then_ns;
	}
	return next_ns;
}

/* Contents follow each other: none stood there before the one before it had ended, whatever its name
 * says of its birth (what was adopted only has the age of its file). */
long version_at(
	const struct version_span *versions, size_t count, int64_t current_born_ns, int64_t at_ns) {
	int64_t at = ms_of(at_ns), before = INT64_MIN;
	long last =
		-1; /* what is known to have stood there last before `at`, and was not deleted */
	for (size_t i = 0; i < count; i++) {
		int64_t born = ms_of(versions[i].born_ns), ended = ms_of(versions[i].ended_ns);
		if (born < before) born = before;
		if (at < born) return last;
		if (at < ended) return (long)i;
		last = was_deleted(versions, count, i, current_born_ns) ? -1 : (long)i;
		if (ended > before) before = ended;
	}
	if (current_born_ns == VERSION_NONE) return -1;
	return at >= ms_of(current_born_ns) ? (long)count : last;
}

const char *version_prune_forbidden(int64_t now_ns, int64_t server_ns) {
	if (!server_ns) return "the remote does not tell its time";
	int64_t off_ns = now_ns > server_ns ? now_ns - server_ns : server_ns - now_ns;
	return off_ns > SKEW_NS
		       ? "the clock here and that of the remote differ by more than ten minutes"
		       : NULL;
}
