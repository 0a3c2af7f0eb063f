/* Drive tells of a folder as it was before we moved it, after we did: its old path leads nowhere all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/gdrive.h"
#include "support/kept_login.h"

#define JSON   "Content-Type: application/json\r\n"
#define FOLDER "\"id\":\"F\",\"mimeType\":\"" GDRIVE_FOLDER "\",\"parents\":[\"base\"],\"name\":"
#define FILE_X                                              \
	"{\"id\":\"X\",\"name\":\"x\",\"mimeType\":\"text/" \
	"plain\",\"size\":\"1\",\"parents\":[\"F\"]}"

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct store *store;
	struct kept_login login;
	bool moved;
	const char *holds; /* the answer to a request with this in it does not come yet */
	struct script_connection *held;
	char *answer; /* that one */
	bool asked_late;
};

static const char *what_is(const struct world *world, const char *request) {
	static const char before[] = "{" FOLDER "\"old\"}", after[] = "{" FOLDER "\"new\"}",
			  many_before[] = "{\"files\":[{" FOLDER "\"old\"}]}",
			  many_after[] = "{\"files\":[{" FOLDER "\"new\"}]}";
	if (str_starts(request, "PATCH")) return after;
	if (strstr(request, "/files/F?")) return world->moved ? after : before;
	if (strstr(request, "/files/base?")) return "{\"id\":\"base\",\"name\":\"base\"}";
	if (strstr(request, "/files/X?")) return FILE_X;
	if (strstr(request, "%27F%27%20in%20parents")) return "{\"files\":[" FILE_X "]}";
	bool named = strstr(request, "%27old%27") != NULL, listed = !strstr(request, "name%20%3D");
	if (!named && !listed) return "{\"files\":[]}";
	if (!world->moved) return many_before;
	return listed ? many_after : "{\"files\":[]}";
}

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;

	if (str_starts(request, "POST /token")) {
		script_answer(connection, "200 OK", JSON,
			"{\"access_token\":\"a\",\"expires_in\":3600,\"token_type\":\"Bearer\"}");
		return;
	}
	const char *answer = what_is(world, request);
	world->moved |= str_starts(request, "PATCH");
	if (world->holds && strstr(request, world->holds)) {
		world->holds = NULL;
		world->held = connection;
		world->answer = xstrdup(answer);
		world->asked_late = true;
		return;
	}
	script_answer(connection, "200 OK", JSON, answer);
}

static int open_world(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(1, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	char *endpoint = xasprintf("http://127.0.0.1:%d", world->server.port);
	world->store = kept_login_open(&world->login, world->loop, world->http, endpoint);
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
	kept_login_close(&world->login);
	free(world->answer);
	free(world);
	return 0;
}

struct asked {
	struct store_op op;
	bool ended;
	enum err_kind kind;
};

static void done(struct store_op *op, const struct err *err) {
	struct asked *asked = container_of(op, struct asked, op);

	asked->kind = err ? err->kind : ERR_NONE;
	asked->ended = true;
}

static void begin(struct world *world, struct asked *asked, enum store_verb verb, const char *key,
	enum store_kind kind) {
	asked->ended = false;
	store_op_init(&asked->op, verb, key);
	asked->op.kind = kind;
	asked->op.done = done;
	if (verb == STORE_MOVE) asked->op.to_key = "new";
	store_start(world->store, &asked->op);
}

static enum err_kind end(struct world *world, struct asked *asked) {
	loop_run_until(world->loop, &asked->ended);
	store_op_release(&asked->op);
	return asked->kind;
}

static void move_meanwhile(struct world *world, const char *holds) {
	struct asked move;

	world->holds = holds; /* nothing went out yet */
	loop_run_until(world->loop, &world->asked_late);
	begin(world, &move, STORE_MOVE, "old", STORE_FOLDER);
	assert_int_equal(end(world, &move), ERR_NONE);
	script_answer(world->held, "200 OK", JSON, world->answer);
}

static void is_not_at_its_old_path(struct world *world) {
	struct asked look;

	begin(world, &look, STORE_STAT, "old/x", STORE_FILE);
	assert_int_equal(end(world, &look), ERR_NOT_FOUND);
	begin(world, &look, STORE_STAT, "new/x", STORE_FILE);
	assert_int_equal(end(world, &look), ERR_NONE);
}

static void a_list_of_before(void **state) {
	struct world *world = *state;
	struct asked list;

	begin(world, &list, STORE_LIST, "", STORE_FOLDER);
	move_meanwhile(world, "%27base%27%20in%20parents%20and%20trashed");
	assert_int_equal(end(world, &list), ERR_NONE);
	is_not_at_its_old_path(world);
}

static void a_look_of_before(void **state) {
	struct world *world = *state;
	struct asked look;

	begin(world, &look, STORE_STAT, "old", STORE_FOLDER);
	move_meanwhile(world, "%27old%27");
	assert_int_equal(end(world, &look), ERR_NONE);
	is_not_at_its_old_path(world);
}

/* What it was asked for is under another name by then. */
static void a_way_of_before(void **state) {
	struct world *world = *state;
	struct asked list;

	begin(world, &list, STORE_LIST, "old", STORE_FOLDER);
	move_meanwhile(world, "%27old%27");
	assert_int_equal(end(world, &list), ERR_NOT_FOUND);
	is_not_at_its_old_path(world);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_list_of_before, open_world, close_world),
		cmocka_unit_test_setup_teardown(a_look_of_before, open_world, close_world),
		cmocka_unit_test_setup_teardown(a_way_of_before, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
