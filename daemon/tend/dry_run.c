/* tend sync --dry-run: what would be sent and deleted, whether tendd runs or not: by the folder, its index and the remote's listing. */
#include <stdio.h>
#include <stdlib.h>

#include "tend/source.h"

enum { PATHS_MAX = 10000 }; /* in JSON; their number is told in any case */

static const char *const words[DRY_WHATS] = { "send", "attributes", "delete", "forget",
	"unreadable", "bring", "remove", "conflict" };

struct report {
	struct call *call;
	json_t *paths;
};

static void found(void *user, enum dry_what what, const char *path, int64_t bytes) {
	struct report *report = user;
	char size[32];
	char *text = str_printable(path);

	size_format(bytes, size, sizeof(size));
	if (!report->call->json)
		printf("%-10s  %10s  %s\n", words[what], size, text);
	else if (json_array_size(report->paths) < PATHS_MAX)
		json_array_append_new(
			report->paths, json_pack("{s:s, s:s, s:I}", "what", words[what], "path",
					       text, "size_bytes", (json_int_t)bytes));
	free(text);
}

static json_t *as_json(const char *folder, const struct dry_totals *totals, json_t *paths) {
	json_t *whole =
		json_pack("{s:s, s:b, s:b, s:I}", "folder", folder, "contacted", totals->contacted,
			"needs_approval", totals->over_brake, "same", (json_int_t)totals->same);
	for (int what = 0; what < DRY_WHATS; what++) {
		json_object_set_new(whole, words[what],
			json_pack("{s:I, s:I}", "files", (json_int_t)totals->files[what],
				"size_bytes", (json_int_t)totals->bytes[what]));
	}
	json_object_set_new(whole, "paths", paths);
	return whole;
}

static void print_totals(const struct dry_totals *totals) {
	char sent[32], deleted[32];

	size_format(totals->bytes[DRY_SEND], sent, sizeof(sent));
	size_format(totals->bytes[DRY_DELETE], deleted, sizeof(deleted));
	if (totals->files[DRY_BRING] || totals->files[DRY_REMOVE] || totals->files[DRY_CONFLICT]) {
		char brought[32];
		size_format(totals->bytes[DRY_BRING], brought, sizeof(brought));
		printf("%lld files to bring (%s), %lld to remove here, %lld changed on both "
		       "sides\n",
			(long long)totals->files[DRY_BRING], brought,
			(long long)totals->files[DRY_REMOVE],
			(long long)totals->files[DRY_CONFLICT]);
	}
	printf("%lld files to send (%s), %lld to delete (%s), %lld with other time or mode, %lld "
	       "as they were "
	       "stored\n",
		(long long)totals->files[DRY_SEND], sent, (long long)totals->files[DRY_DELETE],
		deleted, (long long)totals->files[DRY_ATTRIBUTES], (long long)totals->same);
	if (totals->files[DRY_FORGET])
		printf("%lld are no longer covered and stay at the remote\n",
			(long long)totals->files[DRY_FORGET]);
	if (totals->files[DRY_UNREADABLE])
		printf("%lld cannot be read and are left as they are\n",
			(long long)totals->files[DRY_UNREADABLE]);
	if (totals->over_brake) puts("so many deletions would wait for 'tend approve'");
	if (!totals->contacted)
		puts("nothing was agreed yet: by what the remote lists; nothing is deleted there");
}

int dry_run_folder(struct call *call, const char *word) {
	struct report report = { .call = call, .paths = json_array() };
	struct dry_totals totals;
	struct err err;
	char *local = NULL;
	int code = EXIT_DONE;

	struct direct *direct = direct_open(call, word, &local, &err);
	if (!direct || direct_dry(direct, found, &report, &totals, &err)) {
		say("%s", err.text);
		code = err.kind == ERR_INVALID || err.kind == ERR_NOT_FOUND ? EXIT_USAGE
									    : EXIT_FAILED;
		json_decref(report.paths);
	} else if (call->json) {
		json_t *whole = as_json(word, &totals, report.paths);
		print_json(whole);
		json_decref(whole);
	} else {
		json_decref(report.paths);
		print_totals(&totals);
	}
	direct_close(direct);
	free(local);
	return code;
}
