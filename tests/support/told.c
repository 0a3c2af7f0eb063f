#include "support/told.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct asked {
	struct store_op op;
	bool done;
	struct err err;
};

static void about_done(struct store_op *op, const struct err *err) {
	struct asked *asked = container_of(op, struct asked, op);

	if (err) asked->err = *err;
	asked->done = true;
}

static struct err ask(struct loop *loop, struct store *store) {
	struct asked asked = { 0 };

	store_op_init(&asked.op, STORE_ABOUT, "");
	asked.op.done = about_done;
	store_start(store, &asked.op);
	loop_run_until(loop, &asked.done);
	store_op_release(&asked.op);
	return asked.err;
}

struct store *told_open(
	struct told *told, const struct remote_settings *settings, bool probe, struct err *err) {
	struct loop *loop = told->contract.loop;
	struct store *store = store_open(loop, told->http, "cloud", settings, NULL, err);

	if (!store || !probe) return store;
	*err = ask(loop, store);
	if (err->kind == ERR_NONE) return store;
	store_free(store);
	return NULL;
}

static struct err open_and_close(struct told *told, const struct remote_settings *settings) {
	struct err err = { 0 };

	store_free(told_open(told, settings, true, &err));
	return err;
}

static void expect(const struct err *err, enum err_kind kind, const char *says) {
	if (err->kind != kind || !strstr(err->text, says))
		fail_msg("%s instead of '%s': %s", err_kind_name(err->kind), says, err->text);
}

void told_expect(struct told *told, const struct remote_settings *settings, enum err_kind kind,
	const char *says) {
	struct err err = open_and_close(told, settings);

	expect(&err, kind, says);
}

void told_expect_if_wrong(struct told *told, const struct remote_settings *settings,
	enum err_kind kind, const char *says) {
	struct err err = open_and_close(told, settings);

	if (err.kind != ERR_NONE) expect(&err, kind, says);
}

/* ---- secrets ---- */

void told_write_secret(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && dprintf(fd, "%s\n", text) > 0 && close(fd) == 0);
}

char *told_secret(struct told *told, const char *name, const char *text) {
	size_t at = 0;

	while (told->secrets[at]) at++;
	assert_true(at < TOLD_SECRETS_MAX);
	told->secrets[at] = xasprintf("%s/%s", told->folder, name);
	told_write_secret(told->secrets[at], text);
	return told->secrets[at];
}

/* ---- the test as a whole ---- */

static bool read_server(struct told *told, size_t least) {
	const char *server = getenv("TEND_SERVER");
	char *path = xasprintf("%s/server", server ? server : ""), line[2048];
	FILE *file = fopen(path, "re");

	while (file && told->count < TOLD_LINES_MAX && fgets(line, sizeof(line), file)) {
		str_trim(line);
		told->lines[told->count++] = xstrdup(line);
	}
	if (file) fclose(file);
	if (told->count < least)
		fprintf(stderr,
			"no server at '%s': start one with tests/support/start-..., and name its "
			"folder in TEND_SERVER\n",
			path);
	free(path);
	return told->count >= least;
}

static struct store *contract_open(struct contract *contract, struct err *err) {
	struct told *told = container_of(contract, struct told, contract);

	return told_open(told, &told->settings, told->probe, err);
}

static void contract_close(struct contract *contract, struct store *store) {
	store_free(store);
}

struct told *told_new(const char *name, size_t least) {
	struct told *told = xcalloc(1, sizeof(*told));
	struct err err;

	strcpy(told->folder, "/tmp/tend-contract-XXXXXX");
	told->contract =
		(struct contract){ .name = name, .open = contract_open, .close = contract_close };
	if (read_server(told, least) && mkdtemp(told->folder)) {
		told->contract.loop = loop_new(4, &err);
		assert_non_null(told->contract.loop);
		told->http = http_new(told->contract.loop);
		told->settings.timeout_ms = 60000;
		told_trouble_init(told);
		return told;
	}
	for (size_t i = 0; i < told->count; i++) free(told->lines[i]);
	free(told);
	return NULL;
}

void told_free(struct told *told) {
	proxy_free(told->proxy);
	http_free(told->http);
	loop_free(told->contract.loop);
	for (size_t i = 0; i < TOLD_SECRETS_MAX && told->secrets[i]; i++) {
		unlink(told->secrets[i]);
		free(told->secrets[i]);
	}
	rmdir(told->folder);
	for (size_t i = 0; i < told->count; i++) free(told->lines[i]);
	free(told);
}
