/* Keys of a machine's role, from a metadata server that is played on the loopback: asked for when they are needed, renewed before they
 * expire, and never waited for without an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/http.h"
#include "store/internal.h"
#include "support/script_server.h"

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct remote_settings settings;
	struct store *store;
	int64_t life_s;     /* of the keys that are given out */
	const char *status; /* of the metadata server's answers; NULL: none comes */
	int tokens, keys, lists;
	char id[32]; /* of the key that the last list was signed with */
	int ended;
	struct err err;
};

static void give_keys(struct world *world, struct script_connection *connection) {
	char until[TIME_TEXT_SIZE], *text;

	time_format(loop_wall_ns(world->loop) + world->life_s * NS_PER_S, until);
	text = xasprintf(
		"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"ROLE%d\","
		"\"SecretAccessKey\":\"secret%d\",\"Token\":\"session%d\",\"Expiration\":\"%s\"}",
		world->keys, world->keys, world->keys, until);
	script_answer(connection, "200 OK", "", text);
	free(text);
}

static void list(struct world *world, struct script_connection *connection, const char *request) {
	const char *id = strstr(request, "Credential=");
	char token[40];

	assert_non_null(id);
	snprintf(world->id, sizeof(world->id), "%.*s", (int)strcspn(id + 11, "/"), id + 11);
	snprintf(token, sizeof(token), "x-amz-security-token: session%s", world->id + 4);
	assert_non_null(strstr(request, token));
	world->lists++;
	script_answer(connection, "200 OK", "",
		"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
}

static void play(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;

	if (str_starts(request, "GET /tend?")) {
		list(world, connection, request);
	} else if (!world->status) {
		return;
	} else if (str_starts(request, "PUT /latest/api/token HTTP")) {
		assert_non_null(
			strcasestr(request, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
		world->tokens++;
		script_answer(connection, "200 OK", "", "TOKEN");
	} else {
		assert_non_null(strcasestr(request, "x-aws-ec2-metadata-token: TOKEN\r\n"));
		if (!str_equal(world->status, "200 OK")) {
			script_answer(connection, world->status, "", "");
		} else if (str_starts(request,
				   "GET /latest/meta-data/iam/security-credentials/ HTTP")) {
			script_answer(connection, "200 OK", "", "my role\n");
		} else {
			assert_true(str_starts(request,
				"GET /latest/meta-data/iam/security-credentials/my%20role HTTP"));
			world->keys++;
			give_keys(world, connection);
		}
	}
}

static void open_world(struct world *world) {
	struct err err;

	*world = (struct world){ .life_s = 3600, .status = "200 OK" };
	world->loop = loop_new(2, &err);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, play, world);
	world->settings = (struct remote_settings){
		.type = REMOTE_S3, .bucket = "tend", .timeout_ms = 10000
	};
	world->settings.endpoint = xasprintf("http://127.0.0.1:%d", world->server.port);
	char *slash = xasprintf("%s/", world->settings.endpoint);
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", slash, 1);
	free(slash);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	unsetenv("AWS_EC2_METADATA_DISABLED");
	world->store = store_s3_new(world->loop, world->http, &world->settings, &err);
	if (!world->store) fail_msg("%s", err.text);
}

static void close_world(struct world *world) {
	store_free(world->store);
	http_free(world->http);
	script_stop(&world->server);
	loop_free(world->loop);
	free(world->settings.endpoint);
}

static struct world *running;

static void ended(struct store_op *op, const struct err *err) {
	running->err = err ? *err : (struct err){ 0 };
	running->ended++;
}

static void start(struct world *world, struct store_op *op) {
	running = world;
	store_op_init(op, STORE_LIST, "");
	op->kind = STORE_FOLDER;
	op->done = ended;
	store_start(world->store, op);
}

static bool all_ended;

static void look(struct timer *timer) {
	all_ended = running->ended >= 2;
	if (!all_ended) timer_start(timer, 1);
}

static enum err_kind once(struct world *world) {
	struct store_op op;
	struct timer timer;

	world->ended = 1;
	start(world, &op);
	assert_int_equal(world->ended, 1);
	all_ended = false;
	timer_init(&timer, world->loop, look);
	timer_start(&timer, 0);
	loop_run_until(world->loop, &all_ended);
	store_op_release(&op);
	return world->err.kind;
}

static void keys_are_fetched_once(void **state) {
	struct world world;
	struct store_op one, two;
	struct timer timer;

	(void)state;
	open_world(&world);
	start(&world, &one);
	start(&world, &two);
	all_ended = false;
	timer_init(&timer, world.loop, look);
	timer_start(&timer, 0);
	loop_run_until(world.loop, &all_ended);
	store_op_release(&one);
	store_op_release(&two);
	assert_int_equal(world.err.kind, ERR_NONE);
	assert_int_equal(once(&world), ERR_NONE);
	assert_int_equal(world.lists, 3);
	assert_int_equal(world.tokens, 1);
	assert_int_equal(world.keys, 1);
	assert_string_equal(world.id, "ROLE1");
	close_world(&world);
}

static void they_are_renewed_before_they_expire(void **state) {
	struct world world;

	(void)state;
	open_world(&world);
	world.life_s = 240;
	assert_int_equal(once(&world), ERR_NONE);
	world.life_s = 3600;
	assert_int_equal(once(&world), ERR_NONE);
	assert_string_equal(world.id, "ROLE2");
	assert_int_equal(once(&world), ERR_NONE);
	assert_int_equal(world.keys, 2);
	close_world(&world);
}

/* The old ones hold until the end, and the server is not asked at every turn. */
static void a_failed_renewal_is_no_failure_yet(void **state) {
	struct world world;

	(void)state;
	open_world(&world);
	world.life_s = 240;
	assert_int_equal(once(&world), ERR_NONE);
	world.status = "500 Oops";
	assert_int_equal(once(&world), ERR_NONE);
	assert_int_equal(once(&world), ERR_NONE);
	assert_string_equal(world.id, "ROLE1");
	assert_int_equal(world.tokens, 2);
	close_world(&world);
}

static void without_keys_it_says_why(void **state) {
	struct world world;

	(void)state;
	open_world(&world);
	world.life_s = -1;
	assert_int_equal(once(&world), ERR_NONE); /* the server itself judges what is expired */
	world.status = "500 Oops";
	assert_int_equal(once(&world), ERR_DENIED);
	assert_non_null(strstr(world.err.text, "refuses the keys"));
	world.status = "404 Not Found";
	assert_int_equal(once(&world), ERR_DENIED);
	assert_non_null(strstr(world.err.text, "this machine has no role"));
	world.status = "200 OK";
	world.life_s = 3600;
	assert_int_equal(once(&world), ERR_NONE);
	close_world(&world);
}

static void nobody_answers(void **state) {
	struct world world;

	(void)state;
	open_world(&world);
	store_free(world.store);
	struct err err;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
	world.store = store_s3_new(world.loop, world.http, &world.settings, &err);
	assert_int_equal(once(&world), ERR_DENIED);
	assert_non_null(strstr(world.err.text, "no credentials: set `access_key_id`"));
	assert_int_equal(world.lists, 0);
	close_world(&world);
	/* Who does not want it asked is told at once. */
	open_world(&world);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	assert_null(store_s3_new(world.loop, world.http, &world.settings, &err));
	assert_int_equal(err.kind, ERR_DENIED);
	close_world(&world);
}

static struct store_op *to_cancel;

static void cancel_now(struct timer *timer) {
	(void)timer;
	store_cancel(running->store, to_cancel);
}

static void what_waits_is_cancelled(void **state) {
	struct world world;
	struct store_op op;
	struct timer timer, looking;

	(void)state;
	open_world(&world);
	world.status = NULL;
	world.ended = 1;
	start(&world, &op);
	to_cancel = &op;
	timer_init(&timer, world.loop, cancel_now);
	timer_start(&timer, 20);
	all_ended = false;
	timer_init(&looking, world.loop, look);
	timer_start(&looking, 0);
	loop_run_until(world.loop, &all_ended);
	assert_int_equal(world.err.kind, ERR_CANCELLED);
	store_op_release(&op);
	close_world(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_fetched_once),
		cmocka_unit_test(they_are_renewed_before_they_expire),
		cmocka_unit_test(a_failed_renewal_is_no_failure_yet),
		cmocka_unit_test(without_keys_it_says_why),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(what_waits_is_cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
