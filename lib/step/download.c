/* download: a file from an address, or what an archive there holds; once for each definition. How it comes is fetch.c. */
#include <stdlib.h>
#include <string.h>

#include "step/fetch.h"

enum { HASH_BYTES = 256 << 10 };

/* ---- what it is ---- */

bool step_is_url(const char *url) {
	return (str_starts(url, "https://") || str_starts(url, "http://")) &&
	       !strpbrk(url, " \t\n\"\\");
}

static int download_check(const struct step_settings *settings, const char **key, struct err *err) {
	uint8_t digest[DIGEST_MAX];
	if (!step_is_url(settings->download))
		return err_set(err, ERR_INVALID, "'%.100s' is no address: it begins with https://",
			settings->download);
	*key = "to";
	if (!settings->to) return err_set(err, ERR_INVALID, "a download needs where it goes `to`");
	*key = "sha256";
	if (settings->sha256 && hex_decode(settings->sha256, digest, sizeof(digest)) != 32)
		return err_set(err, ERR_INVALID, "'%.80s' is no SHA-256 digest: 64 hex digits",
			settings->sha256);
	return 0;
}

bool step_is_digest(const char *hex, const char *wanted) {
	uint8_t left[DIGEST_MAX], right[DIGEST_MAX];
	return hex_decode(hex, left, sizeof(left)) == 32 &&
	       hex_decode(wanted, right, sizeof(right)) == 32 && memcmp(left, right, 32) == 0;
}

/* Of a file at this place; "" where it cannot be read. */
void step_digest_of_place(struct place *place, const char *name, char hex[LEDGER_DIGEST_SIZE]) {
	struct digest digest;
	struct disk_stat stat;
	struct err err;
	uint8_t bytes[DIGEST_MAX];
	int64_t done = 0, at = 0;
	hex[0] = '\0';
	int fd = disk_open_file(place->disk, name, &stat, &err);
	if (fd < 0) return;
	digest_init(&digest, DIGEST_SHA256);
	while (disk_hash_span(place->disk, fd, at, HASH_BYTES, &digest, NULL, &done, &err) == 0 &&
		done > 0)
		at += done;
	disk_close_file(place->disk, fd);
	hex_encode(bytes, digest_end(&digest, bytes), hex);
}

/* ---- looking ---- */

static bool is_wanted(struct place *place, const struct step_settings *settings) {
	char hex[LEDGER_DIGEST_SIZE];
	if (settings->unpack || !settings->sha256 || !place->there) return false;
	step_digest_of_place(place, place->name, hex);
	return step_is_digest(hex, settings->sha256);
}

int step_download_place(struct place *place, const struct step_work *work, struct err *err) {
	bool folder = work->settings->unpack;
	/* The folder that it is unpacked in may be there; its archive lies beside it. */
	char *to = path_clean(work->settings->to);
	char *text = xasprintf("%s%s", to, folder ? ".tend-part" : "");
	free(to);
	int result = place_open(place, work, text, err);
	free(text);
	return result;
}

static int download_look(struct step_work *work, struct err *err) {
	const struct step_settings *settings = work->settings;
	struct place place;
	if (step_download_place(&place, work, err) != 0) return -1;
	if (is_wanted(&place, settings)) {
		work->finding.verdict = STEP_SO;
		work->finding.why = xstrdup("it is there, with this digest");
	} else {
		step_work_due(work, false);
	}
	work->fetches = work->finding.verdict == STEP_TODO && !work->dry;
	place_release(&place);
	return 0;
}

const struct step_kind step_kind_download = {
	.name = "download", .network = true, .check = download_check, .look = download_look
};
