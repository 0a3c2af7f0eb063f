/* tend sync: look through folders and send now, without waiting for things to settle. */
#include <stdio.h>

#include "tend/command.h"

static const struct command_option sync_options[] = {
	{ "wait", 'w', NULL, "return when it is durable, as tend wait does" },
	{ "dry-run", 0, NULL, "only say what would be sent and deleted in one folder" },
	{ 0 },
};

/* Without --wait it returns at once: a scan of a large tree takes minutes. */
static int sync_folders(struct call *call, json_t *folders) {
	bool waits = call_option(call, "wait") != NULL;
	struct err err;
	size_t i;
	json_t *name;

	json_t *body = json_array_size(folders) > 0 ? json_pack("{sO}", "folders", folders) : NULL;
	json_t *answer = client_ask(&call->client, "POST", "/v1/sync", body, &err);
	if (!answer) return say_failure(call, &err);
	if (call->json && !waits) print_json(answer);
	json_decref(answer);
	if (waits) return barrier_run(call, folders, 0);
	if (call->json) return EXIT_DONE;
	if (json_array_size(folders) == 0) puts("looking through all folders");
	json_array_foreach(folders, i, name)
		printf("looking through folder:%s\n", json_string_value(name));
	return EXIT_DONE;
}

static int sync_run(struct call *call) {
	struct err err;

	if (call_option(call, "dry-run")) {
		if (call->word_count == 1 && !call_option(call, "wait"))
			return dry_run_folder(call, call->words[0]);
		(void)err_set(&err, ERR_INVALID,
			"--dry-run looks at one folder: tend sync --dry-run FOLDER");
		return say_usage(call, &err);
	}
	json_t *folders = units_folders(call, &err);
	if (!folders) return say_failure(call, &err);
	int code = sync_folders(call, folders);
	json_decref(folders);
	return code;
}

const struct command command_sync = {
	.name = "sync",
	.usage = "[FOLDER...] [--wait | --dry-run]",
	.help = "scan and send now",
	.options = sync_options,
	.most = SIZE_MAX,
	.run = sync_run,
};
