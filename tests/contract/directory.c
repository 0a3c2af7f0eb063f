/* A directory store keeps the contract of stores. */
#include "support/contract.h"
#include "support/own_mounts.h"

static struct store *open_store(struct contract *contract, struct err *err) {
	return store_directory_new(contract->loop, contract->user);
}

static void close_store(struct contract *contract, struct store *store) {
	store_free(store);
}

int main(void) {
	char root[] = "/tmp/tend-contract-XXXXXX";
	bool mounts = own_mounts() == 0; /* before there are threads */
	struct err err;
	struct contract contract = {
		.name = "directory",
		.loop = loop_new(4, &err),
		.open = open_store,
		.close = close_store,
		.user = mkdtemp(root),
		.part_bytes = 1,
	};

	if (!contract.loop || !contract.user) return 1;
	int failed = contract_run(&contract);
	contract.name = "directory, full";
	contract.small = true;
	failed += !mounts || mount("tmpfs", root, "tmpfs", 0, "size=4m") != 0;
	failed += contract_run(&contract);
	umount(root);
	loop_free(contract.loop);
	char *command = xasprintf("rm -rf '%s'", root);
	failed += system(command) != 0;
	free(command);
	return failed;
}
