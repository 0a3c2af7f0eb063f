/*
 * The S3 driver keeps the contract of stores, with each real server.
 * servers: s3_rgw s3_swift
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/http.h"
#include "support/contract.h"

struct world {
	struct http *http;
	struct remote_settings settings;
	char *folder;
	bool probe;     /* what is opened asks first which conditions the server keeps */
	char *lines[5]; /* endpoint, access key, secret, region, bucket */
};

struct probe {
	struct store_op op;
	bool done;
	struct err err;
};

static void probe_done(struct store_op *op, const struct err *err) {
	struct probe *probe = container_of(op, struct probe, op);

	if (err) probe->err = *err;
	probe->done = true;
}

static struct store *open_store(struct contract *contract, struct err *err) {
	struct world *world = contract->user;
	struct store *store =
		store_open(contract->loop, world->http, "cloud", &world->settings, err);
	struct probe probe = { 0 };

	if (!store || !world->probe) return store;
	store_op_init(&probe.op, STORE_ABOUT, "");
	probe.op.done = probe_done;
	store_start(store, &probe.op);
	loop_run_until(contract->loop, &probe.done);
	if (probe.err.kind == ERR_NONE) return store;
	*err = probe.err;
	store_free(store);
	return NULL;
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
	if (count < ARRAY_LEN(world->lines)) {
		fprintf(stderr,
			"no server at '%s': start one with tests/support/start-rgw or start-swift, "
			"and "
			"name its folder in TEND_SERVER\n",
			path);
	}
	free(path);
	return count < ARRAY_LEN(world->lines) ? -1 : 0;
}

/* The secret as a person would give it: in a file that nobody else can read. */
static void write_secret(struct world *world) {
	char folder[] = "/tmp/tend-contract-XXXXXX";

	if (!mkdtemp(folder)) abort();
	world->folder = xstrdup(folder);
	world->settings.secret_access_key_file = xasprintf("%s/secret", folder);
	FILE *file = fopen(world->settings.secret_access_key_file, "wex");
	if (!file || fchmod(fileno(file), 0600) || fprintf(file, "%s\n", world->lines[2]) < 0 ||
		fclose(file)) {
		abort();
	}
}

int main(void) {
	struct err err;
	struct world world = { 0 };
	struct contract contract = {
		.name = "s3",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = &world,
		.part_bytes = 5 << 20,
	};

	if (!contract.loop || read_server(&world)) return 1;
	write_secret(&world);
	world.http = http_new(contract.loop, &err);
	world.settings.type = REMOTE_S3;
	world.settings.endpoint = world.lines[0];
	world.settings.access_key_id = world.lines[1];
	world.settings.region = world.lines[3];
	world.settings.bucket = world.lines[4];
	world.settings.prefix = "a prefix/é";
	world.settings.timeout_ms = 60000;
	world.probe = true;
	int failed = contract_run(&contract);
	/* Without a probe it trusts no condition of the server's and looks before it writes. */
	world.probe = false;
	contract.name = "s3, no probe";
	contract.no_lists = true;
	failed += contract_run(&contract);

	http_free(world.http);
	loop_free(contract.loop);
	unlink(world.settings.secret_access_key_file);
	rmdir(world.folder);
	free(world.settings.secret_access_key_file);
	free(world.folder);
	for (size_t i = 0; i < ARRAY_LEN(world.lines); i++) free(world.lines[i]);
	return failed;
}
