/*
 * Google's amount of a day (750 GB): uploads alone are refused, and nothing says for how long. What is
 * refused for ten minutes is not asked for again for hours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/gdrive.h"
#include "support/kept_login.h"

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct store *store;
	struct gdrive *gd;
	struct kept_login login;
	char *session;
	bool refuses; /* uploads */
	bool begins;  /* ... but not their beginning */
	bool stands;  /* no byte more is held, whatever is sent */
	bool ended;
	int uploads; /* that were asked for */
	struct err err;
};

#define JSON "Content-Type: application/json\r\n"

static void refuse(struct script_connection *connection) {
	script_answer(connection, "403 Forbidden", JSON,
		"{\"error\":{\"code\":403,\"message\":\"User Rate Limit Exceeded\","
		"\"errors\":[{\"reason\":\"userRateLimitExceeded\"}]}}");
}

static void upload(struct world *world, struct script_connection *connection, const char *request) {
	bool begin = strstr(request, "uploadType=resumable ") ||
		     strstr(request, "uploadType=resumable&");

	if (strstr(request, "bytes */")) { /* where does it stand? */
		script_answer(connection, "308 Resume Incomplete", "Range: bytes=0-262143\r\n", "");
		return;
	}
	world->uploads++;
	if (world->refuses && !(begin && world->begins))
		refuse(connection);
	else if (begin)
		script_answer(connection, "200 OK", "Location: http://127.0.0.1:1/session\r\n", "");
	else if (str_starts(request, "PUT"))
		script_answer(connection, "308 Resume Incomplete",
			world->stands ? "Range: bytes=0-262143\r\n" : "Range: bytes=0-524287\r\n",
			"");
	else
		script_answer(connection, "200 OK", JSON,
			"{\"id\":\"made\",\"name\":\"file\",\"mimeType\":\"text/plain\",\"size\":"
			"\"4\"}");
}

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;

	if (str_starts(request, "POST /token"))
		script_answer(connection, "200 OK", JSON,
			"{\"access_token\":\"a\",\"expires_in\":3600,\"token_type\":\"Bearer\"}");
	else if (strstr(request, "/upload/"))
		upload(world, connection, request);
	else if (strstr(request, "/generateIds"))
		script_answer(
			connection, "200 OK", JSON, "{\"ids\":[\"i1\",\"i2\",\"i3\",\"i4\"]}");
	else if (str_starts(request, "POST /drive/v3/files"))
		script_answer(connection, "200 OK", JSON,
			"{\"id\":\"folder\",\"name\":\"f\",\"mimeType\":\"" GDRIVE_FOLDER "\"}");
	else
		script_answer(connection, "200 OK", JSON, "{\"files\":[]}");
}

static int open_world(void **state) {
	struct world *world = xcalloc(1, sizeof(*world));
	struct err err;

	world->loop = loop_new(1, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	char *endpoint = xasprintf("http://127.0.0.1:%d", world->server.port);
	world->store = kept_login_open(&world->login, world->loop, world->http, endpoint);
	world->gd = container_of(world->store, struct gdrive, store);
	world->session = xasprintf("i9 1048576 %s/upload/session", endpoint);
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
	free(world->session);
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

static enum err_kind ask(struct world *world, enum store_verb verb) {
	static const char body[512 << 10];
	struct asked asked = { .world = world };
	struct store_op *op = &asked.op;

	store_op_init(op, verb, verb == STORE_LIST ? "" : "file");
	op->done = done;
	op->body = body;
	op->body_len = verb == STORE_PART_PUT ? sizeof(body) : 4;
	op->size = verb == STORE_PART_BEGIN ? 1 << 20 : 4;
	op->length = (int64_t)op->body_len;
	op->session = world->session;
	op->part_number = 1;
	world->ended = false;
	store_start(world->store, op);
	loop_run_until(world->loop, &world->ended);
	store_op_release(op);
	return world->err.kind;
}

/* So much later. */
static void later(struct world *world, int64_t ms) {
	if (world->gd->refused_ms) world->gd->refused_ms -= ms;
	if (world->gd->paused_until_ms) world->gd->paused_until_ms -= ms;
}

static void refused(struct world *world, enum store_verb verb) {
	assert_int_equal(ask(world, verb), ERR_BUSY);
}

static void after_ten_minutes_nothing_goes_up_for_hours(void **state) {
	struct world *world = *state;

	world->refuses = true;
	refused(world, STORE_PUT);
	assert_non_null(strstr(world->err.text, "too many requests"));
	later(world, 9 * MINUTE_MS);
	refused(world, STORE_PUT);
	assert_non_null(strstr(world->err.text, "too many requests"));
	later(world, MINUTE_MS);
	refused(world, STORE_PUT);
	assert_non_null(strstr(world->err.text, "750 GB in a day: goes on at 2"));
	assert_in_range(world->err.retry_ms, 3 * HOUR_MS - MINUTE_MS, 3 * HOUR_MS);
	assert_int_equal(world->uploads, 3);

	later(world, 2 * HOUR_MS);
	refused(world, STORE_PUT);
	refused(world, STORE_PART_BEGIN);
	refused(world, STORE_PART_PUT);
	assert_in_range(world->err.retry_ms, HOUR_MS - MINUTE_MS, HOUR_MS);
	assert_int_equal(world->uploads, 3);
	/* What brings no bytes goes on. */
	assert_int_equal(ask(world, STORE_LIST), ERR_NONE);
	assert_int_equal(ask(world, STORE_STAT), ERR_NOT_FOUND);

	/* One try in three hours, as long as it lasts. */
	later(world, HOUR_MS);
	refused(world, STORE_PUT);
	refused(world, STORE_PUT);
	assert_int_equal(world->uploads, 4);
	assert_in_range(world->err.retry_ms, 3 * HOUR_MS - MINUTE_MS, 3 * HOUR_MS);
	later(world, 3 * HOUR_MS);
	world->refuses = false;
	assert_int_equal(ask(world, STORE_PUT), ERR_NONE);
	/* The next refusal is one of a burst again. */
	world->refuses = true;
	refused(world, STORE_PUT);
	assert_non_null(strstr(world->err.text, "too many requests"));
}

/* A large file that goes well in parts for an hour ends with the last of them. */
static void a_part_that_went_well_counts(void **state) {
	struct world *world = *state;

	world->refuses = true;
	refused(world, STORE_PUT);
	world->refuses = false;
	assert_int_equal(ask(world, STORE_PART_PUT), ERR_NONE);
	later(world, HOUR_MS);
	world->refuses = true;
	refused(world, STORE_PUT);
	assert_non_null(strstr(world->err.text, "too many requests"));
}

/* Where an upload may begin and its bytes are refused, that is a refusal. */
static void a_beginning_does_not_count(void **state) {
	struct world *world = *state;

	world->refuses = world->begins = true;
	refused(world, STORE_PART_PUT);
	for (int i = 0; i < 2; i++) {
		later(world, 5 * MINUTE_MS);
		if (ask(world, STORE_PART_BEGIN) != ERR_NONE) fail_msg("%s", world->err.text);
		refused(world, STORE_PART_PUT);
	}
	assert_non_null(strstr(world->err.text, "goes on at 2"));
}

/* Halves of parts are taken one after the other; none at all is the end of it. */
static void a_server_that_stands_still_is_left(void **state) {
	struct world *world = *state;

	world->stands = true;
	assert_int_equal(ask(world, STORE_PART_PUT), ERR_BUSY);
	assert_non_null(strstr(world->err.text, "takes no more of 'file'"));
	assert_in_range(world->uploads, 1, 8);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			after_ten_minutes_nothing_goes_up_for_hours, open_world, close_world),
		cmocka_unit_test_setup_teardown(
			a_part_that_went_well_counts, open_world, close_world),
		cmocka_unit_test_setup_teardown(
			a_beginning_does_not_count, open_world, close_world),
		cmocka_unit_test_setup_teardown(
			a_server_that_stands_still_is_left, open_world, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
