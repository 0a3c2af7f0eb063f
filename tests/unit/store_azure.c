/* What Azurite never answers and the service does: pages of a list that end before they are full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/internal.h"
#include "support/script_server.h"

#define PAGE(names, marker)                                                                      \
	"<?xml version=\"1.0\"?><EnumerationResults><Blobs>" names "</Blobs><NextMarker>" marker \
	"</NextMarker></EnumerationResults>"
#define NAME(name) "<Blob><Name>" name "</Name></Blob>"

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct store *store;
	const char *const *pages; /* the marker of the one that comes next is its number */
	int removed;
	bool ended;
	enum err_kind kind;
	char file[40];
};

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;
	const char *marker = strstr(request, "marker=");

	if (str_starts(request, "HEAD")) {
		script_answer(connection, "404 Not Found", "x-ms-error-code: BlobNotFound\r\n", "");
	} else if (str_starts(request, "DELETE")) {
		assert_true(str_starts(request, "DELETE /lab/tend/folder/ "));
		world->removed++;
		script_answer(connection, "202 Accepted", "", "");
	} else {
		script_answer(connection, "200 OK", "", world->pages[marker ? marker[7] - '0' : 0]);
	}
}

static int open_world(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(1, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	strcpy(world->file, "/tmp/tend-unit-azure-XXXXXX");
	int fd = mkstemp(world->file);
	assert_true(fd >= 0 && dprintf(fd, "a2V5IG9mIG5vYm9keQ==\n") > 0 && close(fd) == 0);
	char *endpoint = xasprintf("http://127.0.0.1:%d/lab", world->server.port);
	struct remote_settings settings = { .type = REMOTE_AZURE,
		.endpoint = endpoint,
		.account = "lab",
		.container = "tend",
		.key_file = world->file };
	world->store = store_azure_new(world->loop, world->http, &settings, &err);
	assert_non_null(world->store);
	free(endpoint);
	*state = world;
	return 0;
}

static int close_world(void **state) {
	struct world *world = *state;

	store_free(world->store);
	script_stop(&world->server);
	http_free(world->http);
	loop_free(world->loop);
	unlink(world->file);
	free(world);
	return 0;
}

struct asked {
	struct store_op op;
	struct world *world;
};

static void done(struct store_op *op, const struct err *err) {
	struct world *world = container_of(op, struct asked, op)->world;

	world->kind = err ? err->kind : ERR_NONE;
	world->ended = true;
}

static enum err_kind ask(struct world *world, enum store_verb verb, const char *const *pages) {
	struct asked asked = { .world = world };

	store_op_init(&asked.op, verb, "folder");
	asked.op.kind = STORE_FOLDER;
	asked.op.done = done;
	world->pages = pages;
	world->removed = 0;
	world->ended = false;
	store_start(world->store, &asked.op);
	loop_run_until(world->loop, &world->ended);
	store_op_release(&asked.op);
	return world->kind;
}

static const char *const late[] = { PAGE("", "1"), PAGE("", "2"), PAGE(NAME("folder/file"), "") };
static const char *const marker_first[] = { PAGE(NAME("folder/"), "1"),
	PAGE(NAME("folder/file"), "") };
static const char *const marker_alone[] = { PAGE("", "1"), PAGE(NAME("folder/"), "") };
static const char *const nothing[] = { PAGE("", "1"), PAGE("", "") };

static void a_folder_is_there_by_a_name_on_a_later_page(void **state) {
	assert_int_equal(ask(*state, STORE_STAT, late), ERR_NONE);
	assert_int_equal(ask(*state, STORE_STAT, nothing), ERR_NOT_FOUND);
}

static void a_folder_is_empty_when_all_pages_are(void **state) {
	struct world *world = *state;

	assert_int_equal(ask(world, STORE_REMOVE, late), ERR_BUSY);
	assert_int_equal(ask(world, STORE_REMOVE, marker_first), ERR_BUSY);
	assert_int_equal(world->removed, 0);
	assert_int_equal(ask(world, STORE_REMOVE, marker_alone), ERR_NONE);
	assert_int_equal(world->removed, 1);
	assert_int_equal(ask(world, STORE_REMOVE, nothing), ERR_NONE);
	assert_int_equal(world->removed, 0);
}

/* A list of entries: no page is taken for the end before it is. */
static void a_list_goes_on_behind_empty_pages(void **state) {
	struct world *world = *state;
	struct asked asked = { .world = world };

	store_op_init(&asked.op, STORE_LIST, "folder");
	asked.op.done = done;
	world->pages = late;
	world->ended = false;
	store_start(world->store, &asked.op);
	loop_run_until(world->loop, &world->ended);
	assert_int_equal(world->kind, ERR_NONE);
	assert_int_equal(asked.op.entry_count, 1);
	assert_string_equal(asked.op.entries[0].name, "file");
	assert_true(asked.op.complete);
	store_op_release(&asked.op);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_folder_is_there_by_a_name_on_a_later_page, open_world, close_world),
		cmocka_unit_test_setup_teardown(
			a_folder_is_empty_when_all_pages_are, open_world, close_world),
		cmocka_unit_test_setup_teardown(
			a_list_goes_on_behind_empty_pages, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
