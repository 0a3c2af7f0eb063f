#include "support/told.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "support/contract.h"

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

struct store *told_open(struct loop *loop, struct http *http,
	const struct remote_settings *settings, bool probe, struct err *err) {
	struct store *store = store_open(loop, http, "cloud", settings, NULL, err);

	if (!store || !probe) return store;
	*err = ask(loop, store);
	if (err->kind == ERR_NONE) return store;
	store_free(store);
	return NULL;
}

void told_expect(struct loop *loop, struct http *http, const struct remote_settings *settings,
	enum err_kind kind, const char *says) {
	struct err err = { 0 };
	struct store *store = told_open(loop, http, settings, true, &err);

	store_free(store);
	if (err.kind != kind || !strstr(err.text, says))
		fail_msg("%s: %s", err_kind_name(err.kind), err.text);
}

void told_write_secret(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && dprintf(fd, "%s\n", text) > 0 && close(fd) == 0);
}

size_t told_read_server(char **lines, size_t max) {
	const char *server = getenv("TEND_SERVER");
	char *path = xasprintf("%s/server", server ? server : ""), line[2048];
	FILE *file = fopen(path, "re");
	size_t count = 0;

	while (file && count < max && fgets(line, sizeof(line), file)) {
		str_trim(line);
		lines[count++] = xstrdup(line);
	}
	if (file) fclose(file);
	if (!count)
		fprintf(stderr,
			"no server at '%s': start one with tests/support/start-..., and name its "
			"folder in "
			"TEND_SERVER\n",
			path);
	free(path);
	return count;
}
