/* What servers may answer to MKCOL, and failures inside a DELETE, COPY or MOVE: those that are at hand never say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/internal.h"
#include "support/script_server.h"

#define XML(inside)                                                                  \
	"<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\"><D:response>" inside \
	"</D:response>"                                                              \
	"</D:multistatus>"
#define PROPS(props)                             \
	"<D:propstat><D:prop>" props "</D:prop>" \
	"<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
#define A_FILE                                           \
	XML("<D:href>/dav/it</D:href>" PROPS(            \
		"<D:resourcetype/><D:getcontentlength>4" \
		"</D:getcontentlength><D:getetag>\"v1\"</D:getetag>"))
#define A_FOLDER \
	XML("<D:href>/dav/it/</D:href>" PROPS("<D:resourcetype><D:collection/></D:resourcetype>"))

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct store *store;
	const char *there;  /* what a PROPFIND of it tells; NULL: it is not there */
	const char *status; /* to what changes something */
	char body[400];
	int changes; /* such requests */
	bool ended;
	struct err err;
};

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;
	bool asks = str_starts(request, "PROPFIND");

	if (asks && (!world->there || !strstr(request, " /dav/it")))
		script_answer(connection, "404 Not Found", "", "");
	else if (asks)
		script_answer(connection, "207 Multi-Status", "Content-Type: application/xml\r\n",
			world->there);
	else if (str_starts(request, "PROPPATCH"))
		script_answer(connection, "207 Multi-Status", "Content-Type: application/xml\r\n",
			A_FOLDER);
	else {
		world->changes++;
		script_answer(connection, world->status, "", world->body);
	}
}

static int open_world(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(1, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	char *url = xasprintf("http://127.0.0.1:%d/dav", world->server.port);
	struct remote_settings settings = { .type = REMOTE_WEBDAV, .url = url };
	world->store = store_webdav_new(world->loop, world->http, &settings, &err);
	assert_non_null(world->store);
	free(url);
	*state = world;
	return 0;
}

static int close_world(void **state) {
	struct world *world = *state;

	store_free(world->store);
	script_stop(&world->server);
	http_free(world->http);
	loop_free(world->loop);
	free(world);
	return 0;
}

struct asked {
	struct store_op op;
	struct world *world;
};

static void done(struct store_op *op, const struct err *err) {
	struct world *world = container_of(op, struct asked, op)->world;

	err_clear(&world->err);
	if (err) world->err = *err;
	world->ended = true;
}

static enum err_kind ask(struct world *world, enum store_verb verb, enum store_kind kind) {
	struct asked asked = { .world = world };
	struct store_op *op = &asked.op;

	store_op_init(op, verb, "it");
	op->to_key = "to";
	op->kind = kind;
	op->done = done;
	world->changes = 0;
	world->ended = false;
	store_start(world->store, op);
	loop_run_until(world->loop, &world->ended);
	store_op_release(op);
	return world->err.kind;
}

/* ---- MKCOL ---- */

static void folders_that_are_there_already(void **state) {
	static const struct {
		const char *status, *there;
		enum err_kind kind;
		const char *says;
	} rows[] = {
		{ "201 Created", NULL, ERR_NONE, "" },
		{ "405 Method Not Allowed", A_FOLDER, ERR_NONE, "" },
		{ "406 Not Acceptable", A_FOLDER, ERR_NONE, "" },
		{ "301 Moved Permanently", A_FOLDER, ERR_NONE, "" },
		{ "403 Forbidden", A_FOLDER, ERR_NONE, "" },
		{ "405 Method Not Allowed", A_FILE, ERR_CHANGED, "is no folder" },
		{ "405 Method Not Allowed", NULL, ERR_INVALID, "does not know MKCOL" },
		{ "406 Not Acceptable", NULL, ERR_SYSTEM, "answered 406 to MKCOL" },
		{ "301 Moved Permanently", NULL, ERR_INVALID, "correct `url`" },
		{ "403 Forbidden", NULL, ERR_DENIED, "" },
		{ "423 Locked", A_FOLDER, ERR_BUSY, "has locked it" },
		{ "423 Locked", NULL, ERR_BUSY, "has locked it" },
		{ "409 Conflict", NULL, ERR_NOT_FOUND, "the folder above 'it'" },
		{ "507 Insufficient Storage", NULL, ERR_FULL, "no room" },
	};
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		world->status = rows[i].status;
		world->there = rows[i].there;
		enum err_kind kind = ask(world, STORE_MKDIR, STORE_FOLDER);
		if (kind != rows[i].kind || !strstr(world->err.text, rows[i].says))
			fail_msg("row %zu: %s: %s", i, err_kind_name(kind), world->err.text);
		assert_int_equal(world->changes, 1);
	}
}

/* ---- failures inside ---- */

static const struct {
	enum store_verb verb;
	enum store_kind kind;
	const char *there;
} changes[] = {
	{ STORE_REMOVE, STORE_FILE, A_FILE },
	{ STORE_REMOVE, STORE_FOLDER, A_FOLDER },
	{ STORE_COPY, STORE_FILE, A_FILE },
	{ STORE_MOVE, STORE_FILE, A_FILE },
	{ STORE_MOVE, STORE_FOLDER, A_FOLDER },
};

/* 207 is no success where something inside failed; nor does "not found" of a part say that the whole is gone. */
static void what_failed_inside_failed(void **state) {
	static const struct {
		const char *status;
		enum err_kind kind;
	} rows[] = {
		{ "423 Locked", ERR_BUSY },
		{ "403 Forbidden", ERR_DENIED },
		{ "507 Insufficient Storage", ERR_FULL },
		{ "500 Internal Server Error", ERR_BUSY },
		{ "502 Bad Gateway", ERR_BUSY },
		{ "404 Not Found", ERR_BUSY },
		{ "409 Conflict", ERR_BUSY },
		{ "412 Precondition Failed", ERR_BUSY },
	};
	struct world *world = *state;

	world->status = "207 Multi-Status";
	for (size_t at = 0; at < ARRAY_LEN(rows) * ARRAY_LEN(changes); at++) {
		size_t row = at / ARRAY_LEN(changes), change = at % ARRAY_LEN(changes);
		snprintf(world->body, sizeof(world->body),
			XML("<D:href>/dav/it/in</D:href><D:status>HTTP/1.1 %s</D:status>"),
			rows[row].status);
		world->there = changes[change].there;
		enum err_kind kind = ask(world, changes[change].verb, changes[change].kind);
		if (kind != rows[row].kind)
			fail_msg("%s to change %zu: %s: %s", rows[row].status, change,
				err_kind_name(kind), world->err.text);
		assert_true(world->changes > 0);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			folders_that_are_there_already, open_world, close_world),
		cmocka_unit_test_setup_teardown(what_failed_inside_failed, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
