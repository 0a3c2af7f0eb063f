/*
 * The Drive driver keeps the contract of stores.
 * servers: s3_drive
 */
#include <stdio.h>

#include "http/http.h"
#include "support/contract.h"

struct world {
	struct http *http;
	struct remote_settings settings;
	char *lines[5]; /* endpoint, client id, file of its secret, files of the two tokens */
};

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;
	return store_open(contract->loop, world->http, "cloud", &world->settings, NULL, err);
}

static void close_store(struct contract *contract, struct store *store) {
	store_free(store);
}

static int read_server(struct world *world) {
	const char *server = getenv("TEND_SERVER");
	char *path = xasprintf("%s/server", server ? server : ""), line[256];
	FILE *file = fopen(path, "re");
	size_t count = 0;

	while (file && count < ARRAY_LEN(world->lines) && fgets(line, sizeof(line), file)) {
		str_trim(line);
		world->lines[count++] = xstrdup(line);
	}
	if (file) fclose(file);
	if (count < ARRAY_LEN(world->lines))
		fprintf(stderr, "no server at '%s': start one with tests/support/start-drive\n",
			path);
	free(path);
	return count < ARRAY_LEN(world->lines) ? -1 : 0;
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.name = "gdrive",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 256 << 10,
	};

	if (!contract.loop || read_server(&world)) return 1;
	world.http = http_new(contract.loop, &err);
	world.settings.type = REMOTE_GDRIVE;
	world.settings.endpoint = world.lines[0];
	world.settings.client_id = world.lines[1];
	world.settings.client_secret_file = world.lines[2];
	world.settings.token_file = world.lines[3];
	world.settings.folder = "a folder/it's é";
	world.settings.scope = 1; /* drive */
	world.settings.timeout_ms = 60000;
	int failed = contract_run(&contract);
	/* As most will use it: a login that sees only what it made. */
	world.settings.scope = 0;
	world.settings.token_file = world.lines[4];
	contract.name = "gdrive, drive.file";
	contract.no_lists = true;
	failed += contract_run(&contract);

	http_free(world.http);
	loop_free(contract.loop);
	for (size_t i = 0; i < ARRAY_LEN(world.lines); i++) free(world.lines[i]);
	return failed;
}
