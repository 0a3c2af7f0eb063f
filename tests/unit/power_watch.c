/* How providers are asked, by a metadata service that is played on the loopback: that hangs, refuses, lies, forgets its tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "power/preempt.h"
#include "support/script_server.h"

enum { DEADLINE_MS = 60000, EVERY_MS = 20 };

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	struct preempt_driver driver;
	struct preempt_row rows[2];
	struct preempt_watch *watch;
	/* how the service behaves */
	const char *action, *action_status;
	bool hangs;
	int token; /* the one that holds */
	int tokens, names, asked, refused, acks, waits;
	struct script_connection *held; /* a question that waits for a change */
	const char *preempted;
	char ack[256];
	/* what was found */
	int found;
	char what[32];
	bool gone, done;
	bool (*holds)(struct world *world);
	struct timer timer;
	int64_t until_ms;
};

static struct world world;

/* ---- the services ---- */

static void play_aws(struct script_connection *connection, const char *request) {
	char given[32], word[32];
	if (str_starts(request, "PUT /latest/api/token HTTP")) {
		assert_non_null(
			strcasestr(request, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
		world.tokens++;
		snprintf(word, sizeof(word), "T%d", world.token);
		script_answer(connection, "200 OK", "", word);
		return;
	}
	script_header(request, "x-aws-ec2-metadata-token", given, sizeof(given));
	snprintf(word, sizeof(word), "T%d", world.token);
	if (!str_equal(given, word)) {
		world.refused++;
		script_answer(connection, "401 Unauthorized", "", "");
	} else if (str_starts(request, "GET /latest/meta-data/spot/instance-action HTTP")) {
		world.asked++;
		script_answer(connection, world.action_status, "", world.action);
	} else {
		assert_true(str_starts(
			request, "GET /latest/meta-data/events/recommendations/rebalance HTTP"));
		script_answer(connection, "404 Not Found", "", "");
	}
}

static void play_gcp(struct script_connection *connection, const char *request) {
	assert_non_null(strcasestr(request, "metadata-flavor: Google\r\n"));
	if (str_starts(request, "GET /computeMetadata/v1/instance/maintenance-event")) {
		script_answer(connection, "503 Service Unavailable", "", "");
	} else if (str_starts(request, "GET /computeMetadata/v1/instance/preempted HTTP")) {
		world.asked++;
		script_answer(connection, "200 OK", "ETag: ab/c\r\n", world.preempted);
	} else {
		assert_true(str_starts(request,
			"GET "
			"/computeMetadata/v1/instance/preempted?wait_for_change=true&timeout_sec=60"
			"&last_etag=ab%2Fc HTTP"));
		world.waits++;
		world.held = connection;
	}
}

static void play_azure(struct script_connection *connection, const char *request) {
	static const char path[] = "/metadata/scheduledevents?api-version=2020-07-01 HTTP";
	assert_non_null(strcasestr(request, "metadata: true\r\n"));
	if (str_starts(request, "GET /metadata/instance/compute/name?")) {
		world.names++;
		script_answer(connection, world.names == 1 ? "429 Too Many Requests" : "200 OK", "",
			"my-vm");
	} else if (str_starts(request, "POST ")) {
		assert_true(str_starts(request + 5, path));
		snprintf(world.ack, sizeof(world.ack), "%s", strstr(request, "\r\n\r\n") + 4);
		world.acks++;
		script_answer(connection, "200 OK", "", "");
	} else {
		assert_true(str_starts(request + 4, path));
		world.asked++;
		script_answer(connection, "200 OK", "", world.action);
	}
}

static void play(struct script_connection *connection, const char *request, size_t len) {
	(void)len;
	if (world.hangs) return;
	switch (world.driver.provider) {
	case POWER_PROVIDER_AWS: play_aws(connection, request); break;
	case POWER_PROVIDER_GCP: play_gcp(connection, request); break;
	default: play_azure(connection, request); break;
	}
}

static void connection_closed(struct script_connection *connection) {
	if (world.held == connection) world.held = NULL;
}

/* ---- the world ---- */

static void found(void *user, const struct power_notice *notice) {
	assert_ptr_equal(user, &world);
	world.found++;
	snprintf(world.what, sizeof(world.what), "%s", notice->what);
}

static void look(struct timer *timer) {
	world.done = world.holds(&world) || loop_now_ms(world.loop) > world.until_ms;
	if (!world.done) timer_start(timer, 2);
}

static void wait_until(const char *what, bool (*holds)(struct world *world)) {
	world.holds = holds;
	world.done = false;
	world.until_ms = loop_now_ms(world.loop) + DEADLINE_MS;
	timer_init(&world.timer, world.loop, look);
	timer_start(&world.timer, 0);
	loop_run_until(world.loop, &world.done);
	if (!holds(&world)) fail_msg("waited in vain: %s", what);
}

static void open_world(const struct preempt_driver *driver, bool listens) {
	struct err err;
	char endpoint[64];
	world = (struct world){ .driver = *driver,
		.action = "",
		.action_status = "404 Not Found",
		.preempted = "FALSE",
		.token = 1 };
	world.loop = loop_new(1, &err);
	world.http = http_new(world.loop);
	script_open(&world.server, world.loop, NULL, play, &world);
	world.server.closed = connection_closed;
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%d//", world.server.port);
	if (!listens) script_stop(&world.server);
	for (size_t i = 0; i < driver->row_count; i++) {
		world.rows[i] = driver->rows[i];
		if (world.rows[i].every_ms) world.rows[i].every_ms = EVERY_MS;
	}
	world.driver.rows = world.rows;
	world.watch =
		preempt_watch_new(world.loop, world.http, &world.driver, endpoint, found, &world);
	if (!listens) world.server.loop = NULL;
}

static void watch_gone(void *user) {
	(void)user;
	world.gone = true;
}

static void close_world(void) {
	preempt_watch_free(world.watch, watch_gone, NULL);
	assert_false(world.gone);
	loop_run_until(world.loop, &world.gone);
	assert_true(world.gone);
	http_free(world.http);
	if (world.server.loop) script_stop(&world.server);
	loop_free(world.loop);
}

static bool is_found(struct world *w) {
	return w->found > 0;
}

static bool asked_thrice(struct world *w) {
	return w->asked >= 3;
}

static bool is_in_trouble(struct world *w) {
	return preempt_watch_trouble(w->watch) != NULL;
}

static bool tried_again(struct world *w) {
	return w->server.requests >= 2;
}

/* ---- AWS ---- */

static void terminate(void) {
	world.action = "{\"action\":\"terminate\",\"time\":\"2026-11-23T14:03:07Z\"}";
	world.action_status = "200 OK";
}

static void test_aws(void **state) {
	(void)state;
	open_world(&preempt_aws, true);
	wait_until("three questions", asked_thrice);
	assert_int_equal(world.found, 0);
	assert_int_equal(world.tokens, 1); /* one for all */
	terminate();
	wait_until("the notice", is_found);
	assert_string_equal(world.what, "terminate");
	close_world();
}

/* Another token is got at once, and what was asked is asked again. */
static void test_aws_forgets_its_tokens(void **state) {
	(void)state;
	open_world(&preempt_aws, true);
	wait_until("three questions", asked_thrice);
	world.token = 2;
	terminate();
	wait_until("the notice", is_found);
	assert_true(world.refused >= 1 && world.refused <= 2); /* a row each */
	assert_int_equal(world.tokens, 2);
	assert_null(preempt_watch_trouble(world.watch));
	close_world();
}

static bool lied_to(struct world *w) {
	return w->asked > 0;
}

static void test_aws_lies(void **state) {
	(void)state;
	open_world(&preempt_aws, true);
	world.action_status = "200 OK";
	world.action = "<html>sign in to the hotel's network</html>";
	wait_until("a lie", lied_to);
	assert_int_equal(world.found, 0);
	terminate();
	wait_until("the notice", is_found);
	close_world();
}

static void test_it_hangs(void **state) {
	(void)state;
	open_world(&preempt_aws, true);
	world.hangs = true;
	wait_until("another try", tried_again);
	assert_int_equal(world.found, 0);
	world.hangs = false;
	terminate();
	wait_until("the notice", is_found);
	assert_null(preempt_watch_trouble(world.watch));
	close_world();
}

static void test_no_network(void **state) {
	(void)state;
	open_world(&preempt_azure, false);
	wait_until("trouble", is_in_trouble);
	assert_int_equal(world.found, 0);
	close_world();
}

/* ---- Compute Engine ---- */

static bool is_held(struct world *w) {
	return w->held != NULL;
}

static void test_gcp(void **state) {
	(void)state;
	open_world(&preempt_gcp, true);
	wait_until("a question that waits", is_held);
	assert_int_equal(world.asked, 1);
	assert_int_equal(world.waits, 1);
	assert_int_equal(world.found, 0);
	script_answer(world.held, "200 OK", "ETag: ab/c\r\n", "TRUE");
	world.held = NULL;
	wait_until("the notice", is_found);
	assert_string_equal(world.what, "preempt");
	wait_until("the next question", is_held);
	close_world(); /* while it waits */
}

/* Without a tag it is no question that waits; it is asked once a second, not in a circle. */
static void test_gcp_true_at_the_start(void **state) {
	(void)state;
	open_world(&preempt_gcp, true);
	world.preempted = "TRUE";
	wait_until("the notice", is_found);
	close_world();
}

/* ---- Azure ---- */

static bool is_acked(struct world *w) {
	return w->acks > 0;
}

static void test_azure(void **state) {
	static const char event[] = "{\"Events\":[{\"EventId\":\"E\\\"1\",\"EventType\":"
				    "\"Preempt\",\"Resources\":[\"my-vm\"],"
				    "\"EventStatus\":\"Scheduled\",\"NotBefore\":\"\"}]}";
	(void)state;
	open_world(&preempt_azure, true);
	world.action = "{\"Events\":[{\"EventId\":\"E0\",\"EventType\":\"Preempt\",\"Resources\":"
		       "[\"my-vm-2\"],\"EventStatus\":\"Scheduled\",\"NotBefore\":\"\"}]}";
	wait_until("three questions", asked_thrice);
	assert_int_equal(
		world.names, 2); /* the first was refused; no event was judged without it */
	assert_int_equal(world.found, 0);
	world.action = event;
	wait_until("the notice", is_found);
	preempt_watch_ack(world.watch, "E\"1");
	preempt_watch_ack(world.watch, "E\"1");
	wait_until("the word", is_acked);
	assert_string_equal(world.ack, "{\"StartRequests\":[{\"EventId\":\"E\\\"1\"}]}");
	close_world();
	assert_int_equal(world.acks, 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aws),
		cmocka_unit_test(test_aws_forgets_its_tokens),
		cmocka_unit_test(test_aws_lies),
		cmocka_unit_test(test_it_hangs),
		cmocka_unit_test(test_no_network),
		cmocka_unit_test(test_gcp),
		cmocka_unit_test(test_gcp_true_at_the_start),
		cmocka_unit_test(test_azure),
	};
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
