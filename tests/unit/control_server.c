/* The server over a real unix socket and the real loop, the client in the same thread: routes,
 * bodies, late answers, streams, readers that stop. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/control.h"

enum { STALLED = 100, ANSWER_MAX = 8 << 20 };

static char folder[32], path[64];
static struct loop *loop;
static struct control *control;
static struct control_request *waiting;
static struct control_stream *streaming;
static int gone_count, drained_count;

/* ---- routes ---- */

static void asked_echo(void *user, struct control_request *request) {
	const char *lines = control_query(request, "lines");

	assert_ptr_equal(user, &loop);
	assert_int_equal(control_uid(request), getuid());
	control_answer(request, 200,
		json_pack("{s:s, s:s?, s:O}", "id", control_parameter(request, "id"), "lines",
			lines, "body", control_body(request)));
}

static void asked_refuse(void *user, struct control_request *request) {
	struct err err;

	(void)user;
	err_set(&err, ERR_NOT_FOUND, "no unit '%s'", control_parameter(request, "id"));
	control_refuse(request, &err, "see tend status");
}

static void request_gone(void *user) {
	assert_ptr_equal(user, &waiting);
	waiting = NULL;
	gone_count++;
}

static void asked_wait(void *user, struct control_request *request) {
	(void)user;
	waiting = request;
	control_on_gone(request, request_gone, &waiting);
}

static void stream_gone(void *user) {
	(void)user;
	streaming = NULL;
	gone_count++;
}

static void stream_drained(void *user) {
	(void)user;
	drained_count++;
}

static const struct control_stream_calls stream_calls = { stream_drained, stream_gone };

static void asked_stream(void *user, struct control_request *request) {
	(void)user;
	streaming = control_stream_start(request, "text/plain", &stream_calls, NULL);
}

static int greeting_padding; /* events before the greeting, 1 KiB each */

static void greet(void *user, struct control_stream *stream) {
	static char padding[1024];

	(void)user;
	memset(padding, 'x', sizeof(padding) - 1);
	for (int i = 0; i < greeting_padding; i++) {
		json_t *body = json_pack("{s:s}", "padding", padding);
		control_event_send(stream, "unit", body);
		json_decref(body);
	}
	json_t *body = json_pack("{s:s}", "unit", "folder:greeting");
	control_event_send(stream, "unit", body);
	json_decref(body);
}

static void asked_events(void *user, struct control_request *request) {
	control_events_join(request, greet, user);
}

static const struct control_route routes[] = {
	{ "GET", "/v1/units/:id", asked_echo },
	{ "POST", "/v1/units/:id/start", asked_echo },
	{ "POST", "/v1/units/:id/refuse", asked_refuse },
	{ "POST", "/v1/wait", asked_wait },
	{ "GET", "/v1/log", asked_stream },
	{ "GET", "/v1/events", asked_events },
};

/* ---- a client ---- */

struct client {
	int fd;
	struct buf got;
	struct poll *poll;
	const char *wanted; /* NULL: the end */
	bool done, ended;
};

static void client_readable(void *user, int events) {
	struct client *client = user;
	char bytes[65536];

	(void)events;
	ssize_t len = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (len < 0 && errno == EAGAIN) return;
	if (len > 0) {
		assert_int_equal(buf_add(&client->got, bytes, (size_t)len), 0);
	} else {
		client->ended = true;
		poll_change(client->poll, 0);
	}
	client->done = client->ended || (client->wanted && strstr(client->got.at, client->wanted));
}

static void client_open(struct client *client) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(client, 0, sizeof(*client));
	buf_init(&client->got, ANSWER_MAX);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void client_send(struct client *client, const char *text, size_t len) {
	assert_int_equal(send(client->fd, text, len, MSG_NOSIGNAL), len);
}

/* Runs the loop until `wanted` has come (NULL: until the server closed). */
static void client_expect(struct client *client, const char *wanted) {
	if (!client->poll) {
		client->poll = poll_start(loop, client->fd, POLL_READ, client_readable, client);
		assert_non_null(client->poll);
	}
	client->wanted = wanted;
	client->done = client->ended || (wanted && strstr(client->got.at, wanted));
	loop_run_until(loop, &client->done);
	if (wanted) assert_non_null(strstr(client->got.at, wanted));
}

static void client_has(struct client *client, const char *text) {
	if (!strstr(client->got.at, text)) {
		print_error("no '%s' in '%.600s'\n", text, client->got.at);
		fail();
	}
}

static void client_close(struct client *client) {
	poll_stop(client->poll);
	if (client->fd >= 0) close(client->fd);
	buf_release(&client->got);
}

static void client_open_and_send(struct client *client, const char *text) {
	client_open(client);
	client_send(client, text, strlen(text));
}

/* Runs the loop until a condition holds. */
struct condition {
	struct timer timer;
	bool (*holds)(void);
	bool held;
};

static void condition_looked(struct timer *timer) {
	struct condition *condition = container_of(timer, struct condition, timer);

	condition->held = condition->holds();
	if (!condition->held) timer_start(timer, 1);
}

static void run_until(bool (*holds)(void)) {
	struct condition condition = { .holds = holds };

	timer_init(&condition.timer, loop, condition_looked);
	timer_start(&condition.timer, 0);
	loop_run_until(loop, &condition.held);
}

static bool has_request(void) {
	return waiting != NULL;
}

static bool has_stream(void) {
	return streaming != NULL;
}

static bool one_gone(void) {
	return gone_count == 1;
}

static bool one_drained(void) {
	return drained_count > 0;
}

/* At the second look the loop has waited once. */
static bool next_turn(void) {
	static unsigned looks;

	return ++looks % 2 == 0;
}

static bool all_joined(void) {
	return control_event_readers(control) == STALLED;
}

static bool all_left(void) {
	return control_event_readers(control) == 0;
}

/* ---- set-up ---- */

static int set_up(void **state) {
	struct err err;

	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/tend-control-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tend.sock", folder);
	loop = loop_new(1, &err);
	assert_non_null(loop);
	control = control_new(loop, routes, ARRAY_LEN(routes), &loop);
	assert_int_equal(control_listen(control, path, "tend", &err), 0);
	waiting = NULL;
	streaming = NULL;
	gone_count = drained_count = 0;
	return 0;
}

static int tear_down(void **state) {
	struct stat stat;

	(void)state;
	control_free(control);
	assert_int_equal(lstat(path, &stat), -1);
	assert_int_equal(rmdir(folder), 0);
	loop_free(loop);
	return 0;
}

/* ---- tests ---- */

static void test_answers(void **state) {
	static const struct {
		const char *question, *status, *text;
	} rows[] = {
		{ "GET /v1/units/service:a HTTP/1.1\r\n", " 200 ",
			"\r\n\r\n{\"api\":1,\"id\":\"service:a\",\"lines\":null,\"body\":{}}" },
		{ "GET /v1/units/service%3Aa?lines=5 HTTP/1.1\r\n", " 200 ", "\"lines\":\"5\"" },
		{ "GET /v1/units/ HTTP/1.1\r\n", " 404 ", "\"kind\":\"not found\"" },
		{ "GET /v1/units/a/b HTTP/1.1\r\n", " 404 ", "\"kind\":\"not found\"" },
		{ "GET /v1/units/a\x01 HTTP/1.1\r\n", " 200 ", "\"api\":1" },
		{ "GET /nothing HTTP/1.1\r\n", " 404 ", "there is nothing at '/nothing'" },
		{ "GET x HTTP/1.1\r\n", " 404 ", "not found" },
		{ "DELETE /v1/units/a HTTP/1.1\r\n", " 405 ",
			"'/v1/units/a' does not take DELETE" },
		{ "GET /v1/wait HTTP/1.1\r\n", " 405 ", "\"error\"" },
		{ "POST /v1/units/a/refuse HTTP/1.1\r\nContent-Length: 0\r\n", " 404 ",
			"{\"api\":1,\"error\":{\"kind\":\"not found\",\"text\":\"no unit "
			"'a'\",\"hint\":\"see tend "
			"status\"}}" },
		{ "nonsense\r\n", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client client;
		client_open_and_send(&client, rows[i].question);
		client_send(&client, "Host: t\r\nConnection: close\r\n\r\n", 30);
		client_expect(&client, NULL);
		if (rows[i].status) client_has(&client, rows[i].status);
		client_has(&client, rows[i].text);
		client_close(&client);
	}
}

static void test_bodies(void **state) {
	static const struct {
		const char *body;
		size_t padding;
		const char *status, *text;
	} rows[] = {
		{ "{\"wait\":true}", 0, " 200 ", "\"body\":{\"wait\":true}" },
		{ "{\"wait\":true}", CONTROL_BODY_MAX - 13, " 200 ", "\"body\":{\"wait\":true}" },
		{ "{\"wait\":true}", CONTROL_BODY_MAX - 12, " 413 ", "larger than 65536" },
		{ "{\"wait\":true}", 10UL * CONTROL_BODY_MAX, " 413 ", "larger than 65536" },
		{ "{\"wait\":", 0, " 400 ", "is not JSON" },
		{ "[1]", 0, " 400 ", "is not a JSON object" },
		{ "{\"a\":1,\"a\":2}", 0, " 400 ", "is not JSON" },
		{ "\xff\xfe", 0, " 400 ", "is not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client client;
		struct buf question;
		buf_init(&question, 1 << 20);
		buf_addf(&question,
			"POST /v1/units/a/start HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			strlen(rows[i].body) + rows[i].padding, rows[i].body);
		for (size_t k = 0; k < rows[i].padding; k++) buf_addc(&question, ' ');
		client_open(&client);
		client.poll = poll_start(loop, client.fd, POLL_READ, client_readable, &client);
		for (size_t sent = 0; sent < question.len;) {
			ssize_t len = send(client.fd, question.at + sent, question.len - sent,
				MSG_NOSIGNAL | MSG_DONTWAIT);
			if (len > 0) sent += (size_t)len;
			if (len < 0) run_until(next_turn);
		}
		client_expect(&client, NULL);
		client_has(&client, rows[i].status);
		client_has(&client, rows[i].text);
		client_close(&client);
		buf_release(&question);
	}
}

static void test_endless_body_is_cut_off(void **state) {
	struct client client;
	char bytes[4096];
	size_t sent = 0;

	(void)state;
	memset(bytes, ' ', sizeof(bytes));
	client_open_and_send(&client,
		"POST /v1/units/a/start HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\n");
	for (;;) {
		ssize_t len = send(client.fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len > 0) {
			sent += (size_t)len;
		} else if (errno == EAGAIN) {
			run_until(next_turn);
		} else {
			break;
		}
	}
	assert_true(sent < 4UL << 20);
	client_close(&client);
}

static void test_late_answer(void **state) {
	struct client client, other;

	(void)state;
	client_open_and_send(&client, "POST /v1/wait HTTP/1.1\r\nHost: t\r\nConnection: "
				      "close\r\nContent-Length: 0\r\n\r\n");
	run_until(has_request);
	/* Others are served meanwhile. */
	client_open_and_send(
		&other, "GET /v1/units/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	client_expect(&other, NULL);
	client_has(&other, " 200 ");
	client_close(&other);
	control_answer(waiting, 200, json_pack("{s:b}", "done", 1));
	client_expect(&client, NULL);
	client_has(&client, "{\"api\":1,\"done\":true}");
	assert_int_equal(gone_count, 0);
	client_close(&client);
}

static void test_client_goes_away(void **state) {
	struct client client;

	(void)state;
	client_open_and_send(
		&client, "POST /v1/wait HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
	run_until(has_request);
	client_close(&client);
	run_until(one_gone);
	assert_null(waiting);
}

static void test_free_answers_who_waits(void **state) {
	struct client client;
	struct err err;

	(void)state;
	client_open_and_send(
		&client, "POST /v1/wait HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n");
	run_until(has_request);
	control_free(control);
	client_expect(&client, NULL);
	client_has(&client, " 503 ");
	assert_int_equal(gone_count, 0);
	client_close(&client);
	control = control_new(loop, routes, ARRAY_LEN(routes), &loop);
	assert_int_equal(control_listen(control, path, NULL, &err), 0);
}

static void test_keep_alive(void **state) {
	static const char question[] = "GET /v1/units/a HTTP/1.1\r\nHost: t\r\n\r\n";
	struct client client;

	(void)state;
	client_open(&client);
	for (int i = 0; i < 5; i++) {
		client_send(&client, question, sizeof(question) - 1);
		client_expect(&client, "\"body\":{}}");
		assert_false(client.ended);
		buf_clear(&client.got);
	}
	client_close(&client);
}

static void test_stream(void **state) {
	struct client client;

	(void)state;
	client_open_and_send(
		&client, "GET /v1/log HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	run_until(has_stream);
	assert_int_equal(control_stream_send(streaming, "one\n", 4), 0);
	client_expect(&client, "one\n");
	run_until(one_drained);
	assert_int_equal(control_stream_queued(streaming), 0);
	assert_int_equal(control_stream_send(streaming, "two\n", 4), 0);
	assert_int_equal(control_stream_send(streaming, "three\n", 6), 0);
	client_expect(&client, "three\n");
	assert_false(client.ended);
	control_stream_send(streaming, "last\n", 5);
	control_stream_end(streaming);
	client_expect(&client, NULL);
	client_has(&client, "last\n");
	assert_int_equal(gone_count, 0); /* the end was ours */
	client_close(&client);
}

static void test_stream_reader_goes_away(void **state) {
	struct client client;

	(void)state;
	client_open_and_send(&client, "GET /v1/log HTTP/1.1\r\nHost: t\r\n\r\n");
	run_until(has_stream);
	control_stream_send(streaming, "one\n", 4);
	client_expect(&client, "one\n");
	client_close(&client);
	run_until(one_gone);
	assert_null(streaming);
}

static void test_slow_stream_reader_is_dropped(void **state) {
	static char block[32 << 10];
	struct client client;

	(void)state;
	memset(block, 'x', sizeof(block));
	client_open_and_send(&client, "GET /v1/log HTTP/1.1\r\nHost: t\r\n\r\n");
	run_until(has_stream);
	int sent = 0;
	while (streaming && control_stream_send(streaming, block, sizeof(block)) == 0) {
		assert_true(control_stream_queued(streaming) <= CONTROL_QUEUE_MAX);
		sent++;
	}
	assert_true(sent <= 9);
	run_until(one_gone);
	client_close(&client);
}

static void publish(const char *name) {
	json_t *body = json_pack("{s:s}", "unit", name);

	control_event(control, "unit", body);
	json_decref(body);
}

static bool one_reader(void) {
	return control_event_readers(control) == 1;
}

static void test_events(void **state) {
	struct client client;
	char id[64], question[256];

	(void)state;
	client_open_and_send(&client, "GET /v1/events HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect(&client, "data: {\"unit\":\"folder:greeting\"}\n\n");
	client_has(&client, "text/event-stream");
	publish("folder:first");
	client_expect(&client, "event: unit\ndata: {\"unit\":\"folder:first\"}\n\n");
	const char *at = strstr(client.got.at, "greeting");
	at = strstr(at, "id: ");
	assert_int_equal(sscanf(at, "id: %63s", id), 1);
	client_close(&client);
	run_until(all_left);

	/* What was missed comes, and nothing else. */
	publish("folder:second");
	publish("folder:third");
	snprintf(question, sizeof(question),
		"GET /v1/events HTTP/1.1\r\nHost: t\r\nLast-Event-ID: %s\r\n\r\n", id);
	client_open_and_send(&client, question);
	client_expect(&client, "folder:third");
	client_has(&client, "folder:second");
	assert_null(strstr(client.got.at, "folder:first"));
	assert_null(strstr(client.got.at, "greeting"));
	client_close(&client);
	run_until(all_left);
}

static void test_unknown_last_event_is_greeted(void **state) {
	static const char *const ids[] = { "0123456789abcdef-1", "nonsense", "", "-",
		"0-99999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct client client;
		char question[256];
		snprintf(question, sizeof(question),
			"GET /v1/events HTTP/1.1\r\nHost: t\r\nLast-Event-ID: %s\r\n\r\n", ids[i]);
		client_open_and_send(&client, question);
		client_expect(&client, "greeting");
		run_until(one_reader);
		client_close(&client);
		run_until(all_left);
	}
}

/* Hundreds of units: the greeting is larger than a queue, and no reason to drop the reader. */
static void test_large_greeting(void **state) {
	struct client client;

	(void)state;
	greeting_padding = 1000;
	client_open_and_send(&client, "GET /v1/events HTTP/1.1\r\nHost: t\r\n\r\n");
	client_expect(&client, "greeting");
	publish("folder:first");
	client_expect(&client, "folder:first");
	client_close(&client);
	run_until(all_left);
	greeting_padding = 0;
}

/* SERVICES.md §8, trap 15: readers that stop neither block nor grow us. */
static void test_stalled_readers(void **state) {
	static struct client stalled[STALLED];
	static char name[2000];

	(void)state;
	for (int i = 0; i < STALLED; i++) {
		client_open_and_send(&stalled[i], "GET /v1/events HTTP/1.1\r\nHost: t\r\n\r\n");
	}
	run_until(all_joined);
	memset(name, 'x', sizeof(name) - 1);
	for (int i = 0; i < 1000; i++) {
		publish(name);
		if (i % 10) continue;
		struct client client;
		client_open_and_send(&client,
			"GET /v1/units/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
		client_expect(&client, NULL);
		client_has(&client, " 200 ");
		client_close(&client);
	}
	run_until(all_left); /* 2 MB each: more than the queue and the kernel hold */
	for (int i = 0; i < STALLED; i++) client_close(&stalled[i]);
}

/* Idle connections and long streams never use up what plain questions need. */
static void test_streams_leave_room(void **state) {
	static struct client many[200];
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		client_open_and_send(&many[i], "GET /v1/events HTTP/1.1\r\nHost: t\r\n\r\n");
		client_expect(&many[i], "\r\n\r\n");
		if (strstr(many[i].got.at, " 503 ")) refused++;
	}
	assert_int_equal(refused, 40);
	struct client client;
	client_open_and_send(
		&client, "GET /v1/units/a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
	client_expect(&client, NULL);
	client_close(&client);
	for (size_t i = 0; i < ARRAY_LEN(many); i++) client_close(&many[i]);
	run_until(all_left);
}

static void test_socket(void **state) {
	struct stat stat;
	struct err err;
	char wanted[256], long_path[300];

	(void)state;
	assert_int_equal(lstat(path, &stat), 0);
	/* The group may not exist here; others never get in. */
	assert_int_equal(stat.st_mode & 07707, 0600);

	struct control *second = control_new(loop, routes, ARRAY_LEN(routes), NULL);
	assert_int_equal(control_listen(second, path, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	snprintf(
		wanted, sizeof(wanted), "another tendd (pid %ld) holds '%s'", (long)getpid(), path);
	assert_string_equal(err.text, wanted);
	assert_int_equal(lstat(path, &stat), 0);

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(control_listen(second, long_path, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "cannot be longer than 107 bytes"));
	control_free(second);
}

static void test_stale_socket_is_taken_over(void **state) {
	char stale[64];
	struct err err;

	(void)state;
	snprintf(stale, sizeof(stale), "%s/stale.sock", folder);
	pid_t pid = fork();
	if (pid == 0) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", stale);
		_exit(bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct control *second = control_new(loop, routes, ARRAY_LEN(routes), NULL);
	assert_int_equal(control_listen(second, stale, NULL, &err), 0);
	control_free(second);

	int fd = open(stale, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	second = control_new(loop, routes, ARRAY_LEN(routes), NULL);
	assert_int_equal(control_listen(second, stale, NULL, &err), -1);
	assert_non_null(strstr(err.text, "not a socket"));
	control_free(second);
	assert_int_equal(unlink(stale), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bodies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_endless_body_is_cut_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_client_goes_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_free_answers_who_waits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_keep_alive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stream_reader_goes_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_slow_stream_reader_is_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_unknown_last_event_is_greeted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large_greeting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stalled_readers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_streams_leave_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stale_socket_is_taken_over, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
