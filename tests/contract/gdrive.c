/*
 * The Drive driver keeps the contract of stores.
 * servers: s3_drive
 */
#include "support/told.h"

enum { ENDPOINT, CLIENT_ID, CLIENT_SECRET_FILE, TOKEN_FILE, NARROW_TOKEN_FILE, LINES };

int main(void) {
	struct told *told = told_new("gdrive", LINES);
	if (!told) return 1;
	struct contract *contract = &told->contract;
	struct remote_settings *settings = &told->settings;
	contract->part_bytes = 256 << 10;
	contract->changes = true;
	settings->type = REMOTE_GDRIVE;
	settings->endpoint = told->lines[ENDPOINT];
	settings->client_id = told->lines[CLIENT_ID];
	settings->client_secret_file = told->lines[CLIENT_SECRET_FILE];
	settings->token_file = told->lines[TOKEN_FILE];
	settings->folder = "a folder/it's é";
	settings->scope = 1; /* drive */
	int failed = contract_run(contract);
	/* As most will use it: a login that sees only what it made. */
	settings->scope = 0;
	settings->token_file = told->lines[NARROW_TOKEN_FILE];
	contract->name = "gdrive, drive.file";
	contract->no_lists = true;
	failed += contract_run(contract);
	told_free(told);
	return failed;
}
