/* Requests against a scripted server on the same loop: answers, limits, streams, cancel, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/http.h"
#include "support/script_server.h"

struct world {
	struct loop *loop;
	struct http *http;
	struct script_server server;
	char url[128];
	/* what the server was asked last */
	char *asked;
	size_t asked_len;
};

/* One request and what became of it. */
struct trial {
	struct http_request request;
	bool done;
	int dones;
	struct err err;
	bool inside; /* in start or cancel: `done` must not come now */
	int arrivals;
	size_t taken;
};

static void remember(struct script_connection *connection, const char *request, size_t len) {
	struct world *world = connection->server->user;

	free(world->asked);
	world->asked = xmemdup(request, len + 1);
	world->asked_len = len;
}

static void open_world(
	struct world *world, void (*asked)(struct script_connection *, const char *, size_t)) {
	struct err err;

	*world = (struct world){ 0 };
	world->loop = loop_new(2, &err);
	assert_non_null(world->loop);
	world->http = http_new(world->loop);
	script_open(&world->server, world->loop, NULL, asked, world);
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d/", world->server.port);
}

static void close_world(struct world *world) {
	http_free(world->http);
	script_stop(&world->server);
	loop_free(world->loop);
	free(world->asked);
}

static void ended(struct http_request *request, const struct err *err) {
	struct trial *trial = container_of(request, struct trial, request);

	assert_false(trial->inside);
	trial->err = err ? *err : (struct err){ 0 };
	trial->done = true;
	trial->dones++;
}

static void prepare(struct trial *trial, const char *method, const char *url) {
	*trial = (struct trial){ 0 };
	http_request_init(&trial->request, method, url);
	trial->request.answer_max = 1 << 20;
	trial->request.done = ended;
}

static void start(struct world *world, struct trial *trial) {
	trial->inside = true;
	http_request_start(world->http, &trial->request);
	trial->inside = false;
}

static void finish(struct world *world, struct trial *trial) {
	loop_run_until(world->loop, &trial->done);
	assert_int_equal(trial->dones, 1);
	assert_false(http_request_running(&trial->request));
}

/* ---- what is sent ---- */

static void answer_ok(struct script_connection *connection, const char *request, size_t len) {
	remember(connection, request, len);
	script_answer(
		connection, "200 OK", "ETag: \"abc\"\r\nX-Twice: one\r\nx-twice: two\r\n", "hello");
}

static void sends_what_was_asked(void **state) {
	static const char *const headers[] = { "X-Amz-Date: now", "Host: other.example", NULL };
	struct world world;
	struct trial trial;
	char value[64], url[256];

	open_world(&world, answer_ok);
	snprintf(url, sizeof(url), "%sa/../b//./c%%20d?x=%%2F&y", world.url);
	prepare(&trial, "PUT", url);
	trial.request.headers = headers;
	trial.request.body = "body";
	trial.request.body_len = 4;
	start(&world, &trial);
	finish(&world, &trial);

	assert_int_equal(trial.err.kind, ERR_NONE);
	assert_true(str_starts(world.asked, "PUT /a/../b//./c%20d?x=%2F&y HTTP/1.1\r\n"));
	assert_true(str_ends(world.asked, "\r\n\r\nbody"));
	assert_string_equal(
		script_header(world.asked, "host", value, sizeof(value)), "other.example");
	assert_string_equal(script_header(world.asked, "x-amz-date", value, sizeof(value)), "now");
	assert_string_equal(script_header(world.asked, "content-type", value, sizeof(value)), "");
	assert_string_equal(
		script_header(world.asked, "content-length", value, sizeof(value)), "4");

	assert_int_equal(trial.request.status, 200);
	assert_string_equal(trial.request.answer.at, "hello");
	assert_string_equal(http_header(&trial.request, "etag"), "\"abc\"");
	assert_string_equal(http_header(&trial.request, "X-TWICE"), "one");
	assert_null(http_header(&trial.request, "absent"));
	http_request_release(&trial.request);
	http_request_release(&trial.request);
	close_world(&world);
}

static void every_method_keeps_its_body(void **state) {
	static const struct {
		const char *method, *body, *length;
	} rows[] = {
		{ "GET", NULL, "" },
		{ "DELETE", NULL, "" },
		{ "PUT", "", "0" },
		{ "POST", "", "0" },
		{ "PROPFIND", "<x/>", "4" },
		{ "PUT", "abc", "3" },
		{ "DELETE", "abc", "3" },
	};
	struct world world;

	open_world(&world, answer_ok);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trial trial;
		char value[64], line[32];

		prepare(&trial, rows[i].method, world.url);
		trial.request.body = rows[i].body;
		trial.request.body_len = rows[i].body ? strlen(rows[i].body) : 0;
		start(&world, &trial);
		finish(&world, &trial);
		snprintf(line, sizeof(line), "%s / HTTP/1.1\r\n", rows[i].method);
		assert_true(str_starts(world.asked, line));
		script_header(world.asked, "content-length", value, sizeof(value));
		assert_string_equal(value, rows[i].length);
		assert_true(str_ends(world.asked, rows[i].body ? rows[i].body : "\r\n\r\n"));
		assert_string_equal(trial.request.answer.at, "hello");
		http_request_release(&trial.request);
	}
	assert_int_equal(world.server.accepted, 1); /* all on one connection */
	close_world(&world);
}

static void head_has_no_body(
	struct script_connection *connection, const char *request, size_t len) {
	remember(connection, request, len);
	script_sends(connection, "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
}

static void head_ends_without_a_body(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, head_has_no_body);
	prepare(&trial, "HEAD", world.url);
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_NONE);
	assert_string_equal(http_header(&trial.request, "content-length"), "12345");
	assert_true(str_starts(world.asked, "HEAD / HTTP/1.1\r\n"));
	http_request_release(&trial.request);
	close_world(&world);
}

static void answer_length(struct script_connection *connection, const char *request, size_t len) {
	char text[32];
	const char *body = strstr(request, "\r\n\r\n") + 4;
	size_t body_len = len - (size_t)(body - request), wrong = 0;

	for (size_t i = 0; i < body_len; i++) wrong += body[i] != (char)(i * 7);
	snprintf(text, sizeof(text), "%zu %zu", body_len, wrong);
	script_answer(connection, "200 OK", "", text);
}

static void sends_large_bodies_whole(void **state) {
	static const size_t sizes[] = { 65535, 65536, 65537, 1 << 20, (8 << 20) };
	struct world world;
	char *body = xmalloc(8 << 20), want[32];

	for (size_t i = 0; i < 8 << 20; i++) body[i] = (char)(i * 7);
	open_world(&world, answer_length);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct trial trial;

		prepare(&trial, "PUT", world.url);
		trial.request.body = body;
		trial.request.body_len = sizes[i];
		start(&world, &trial);
		finish(&world, &trial);
		snprintf(want, sizeof(want), "%zu 0", sizes[i]);
		assert_string_equal(trial.request.answer.at, want);
		http_request_release(&trial.request);
	}
	close_world(&world);
	free(body);
}

/* ---- connections ---- */

static void close_second(struct script_connection *connection, const char *request, size_t len) {
	/* Answers one request a connection, then hangs up when the next one comes: what a server
	 * does whose idle time ran out. */
	if (connection->server->requests == 2) {
		script_close(connection);
		return;
	}
	answer_length(connection, request, len);
}

static void a_dead_kept_connection_is_replaced(void **state) {
	struct world world;
	char body[1000];

	for (size_t i = 0; i < sizeof(body); i++) body[i] = (char)(i * 7);
	open_world(&world, close_second);
	for (int i = 0; i < 2; i++) {
		struct trial trial;

		prepare(&trial, "PUT", world.url);
		trial.request.body = body;
		trial.request.body_len = sizeof(body);
		start(&world, &trial);
		finish(&world, &trial);
		assert_int_equal(trial.err.kind, ERR_NONE);
		assert_string_equal(trial.request.answer.at, "1000 0");
		http_request_release(&trial.request);
	}
	assert_int_equal(world.server.accepted, 2);
	close_world(&world);
}

static void ask(struct world *world, int port) {
	struct trial trial;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
	prepare(&trial, "GET", url);
	start(world, &trial);
	finish(world, &trial);
	assert_int_equal(trial.err.kind, ERR_NONE);
	http_request_release(&trial.request);
}

/* Its idle time ran out, and the loop sees it while another is asked. */
static void a_connection_that_is_closed_between_is_replaced(void **state) {
	struct script_server other;
	struct world world;

	open_world(&world, answer_ok);
	script_open(&other, world.loop, NULL, answer_ok, &world);
	for (int i = 1; i <= 3; i++) {
		ask(&world, world.server.port);
		assert_int_equal(world.server.accepted, i);
		script_close(
			list_entry(world.server.connections.next, struct script_connection, link));
		ask(&world, other.port);
	}
	assert_int_equal(other.accepted, 1);
	script_stop(&other);
	close_world(&world);
}

static void many_at_once(void **state) {
	enum { COUNT = 200 };
	struct world world;
	struct trial *trials = xcalloc(COUNT, sizeof(*trials));

	open_world(&world, answer_ok);
	for (int i = 0; i < COUNT; i++) {
		prepare(&trials[i], "GET", world.url);
		start(&world, &trials[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		finish(&world, &trials[i]);
		assert_int_equal(trials[i].err.kind, ERR_NONE);
		assert_string_equal(trials[i].request.answer.at, "hello");
		http_request_release(&trials[i].request);
	}
	free(trials);
	close_world(&world);
}

static void a_fresh_one_takes_a_new_connection(void **state) {
	struct world world;

	open_world(&world, answer_ok);
	for (int i = 0; i < 3; i++) {
		struct trial trial;
		prepare(&trial, "GET", world.url);
		trial.request.fresh = i == 2;
		start(&world, &trial);
		finish(&world, &trial);
		http_request_release(&trial.request);
	}
	assert_int_equal(world.server.accepted, 2);
	close_world(&world);
}

static void speaks_over_a_unix_socket(void **state) {
	char dir[] = "/tmp/tend-http-XXXXXX", path[64];
	struct script_server server;
	struct world world;
	struct trial trial;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	open_world(&world, answer_ok);
	script_open(&server, world.loop, path, answer_ok, &world);
	prepare(&trial, "GET", "http://tend/v1/status");
	trial.request.unix_socket = path;
	start(&world, &trial);
	finish(&world, &trial);
	assert_string_equal(trial.request.answer.at, "hello");
	assert_int_equal(world.server.requests, 0);
	http_request_release(&trial.request);
	script_stop(&server);
	unlink(path);

	/* Nobody there: the command tells this from every other trouble. */
	prepare(&trial, "GET", "http://tend/v1/status");
	trial.request.unix_socket = path;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_OFFLINE);
	assert_int_equal(trial.err.sys, ENOENT);
	assert_non_null(strstr(trial.err.text, path));
	http_request_release(&trial.request);
	rmdir(dir);
	close_world(&world);
}

/* ---- answers that go wrong ---- */

static void send_large(struct script_connection *connection, const char *request, size_t len) {
	char *body = xcalloc(1, 100001);

	memset(body, 'x', 100000);
	script_answer(connection, "200 OK", "", body);
	free(body);
}

static void answers_are_bounded(void **state) {
	static const struct {
		size_t max, got;
		enum err_kind kind;
	} rows[] = {
		{ 100000, 100000, ERR_NONE },
		{ 99999, 0, ERR_CORRUPT },
		{ 0, 0, ERR_NONE },
	};
	struct world world;

	open_world(&world, send_large);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trial trial;
		prepare(&trial, "GET", world.url);
		trial.request.answer_max = rows[i].max;
		start(&world, &trial);
		finish(&world, &trial);
		assert_int_equal(trial.err.kind, rows[i].kind);
		if (rows[i].kind == ERR_NONE) {
			assert_int_equal(trial.request.answer.len, rows[i].got);
		} else {
			assert_non_null(strstr(trial.err.text, "longer than 99999 bytes"));
		}
		http_request_release(&trial.request);
	}
	close_world(&world);
}

static void send_endless_headers(
	struct script_connection *connection, const char *request, size_t len) {
	script_sends(connection, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++) {
		script_sends(connection, "X-Again: 0123456789012345678901234567890123456789\r\n");
	}
	script_sends(connection, "Content-Length: 0\r\n\r\n");
}

static void headers_are_bounded(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, send_endless_headers);
	prepare(&trial, "GET", world.url);
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_CORRUPT);
	http_request_release(&trial.request);
	close_world(&world);
}

static void cut_body(struct script_connection *connection, const char *request, size_t len) {
	script_sends(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	connection->close_after = true;
}

static void cut_head(struct script_connection *connection, const char *request, size_t len) {
	script_sends(connection, "HTTP/1.1 200 OK\r\nConte");
	connection->close_after = true;
}

static void cut_all(struct script_connection *connection, const char *request, size_t len) {
	script_close(connection);
}

static void cut_chunk(struct script_connection *connection, const char *request, size_t len) {
	script_sends(
		connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	connection->close_after = true;
}

static void stall(struct script_connection *connection, const char *request, size_t len) {
	script_sends(connection, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void a_cut_answer_is_offline(void **state) {
	static void (*const cuts[])(struct script_connection *, const char *, size_t) = { cut_body,
		cut_head, cut_all, cut_chunk };

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		struct world world;
		struct trial trial;

		open_world(&world, cuts[i]);
		prepare(&trial, "GET", world.url);
		start(&world, &trial);
		finish(&world, &trial);
		assert_int_equal(trial.err.kind, ERR_OFFLINE);
		assert_non_null(strstr(trial.err.text, "'127.0.0.1:"));
		http_request_release(&trial.request);
		close_world(&world);
	}
}

static void a_stalled_answer_ends(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, stall);
	prepare(&trial, "GET", world.url);
	trial.request.total_ms = 50;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_OFFLINE);
	assert_non_null(strstr(trial.err.text, "within 50 ms"));
	http_request_release(&trial.request);

	prepare(&trial, "GET", world.url);
	trial.request.idle_ms = 1000;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_OFFLINE);
	assert_non_null(strstr(trial.err.text, "for 1 s"));
	http_request_release(&trial.request);
	close_world(&world);
}

static void nobody_listens(void **state) {
	struct world world;
	struct trial trial;
	struct script_server gone;
	char url[64];

	open_world(&world, answer_ok);
	script_open(&gone, world.loop, NULL, answer_ok, &world);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", gone.port);
	script_stop(&gone);
	prepare(&trial, "GET", url);
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_OFFLINE);
	assert_int_equal(trial.err.sys, ECONNREFUSED);
	assert_non_null(strstr(trial.err.text, "cannot connect to '127.0.0.1:"));
	assert_non_null(strstr(trial.err.text, "; check"));
	http_request_release(&trial.request);
	close_world(&world);
}

static void tls_with_a_plain_server(void **state) {
	struct world world;
	struct trial trial;
	char url[64];

	open_world(&world, answer_ok);
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", world.server.port);
	prepare(&trial, "GET", url);
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_OFFLINE);
	http_request_release(&trial.request);
	close_world(&world);
}

static void addresses_that_are_none(void **state) {
	static const char *const urls[] = { "ftp://127.0.0.1/", "file:///etc/passwd", "",
		"http://" };
	struct world world;

	open_world(&world, answer_ok);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct trial trial;
		prepare(&trial, "GET", urls[i]);
		start(&world, &trial);
		finish(&world, &trial);
		assert_int_equal(trial.err.kind, ERR_INVALID);
		http_request_release(&trial.request);
	}
	close_world(&world);
}

/* ---- cancel ---- */

static void silent(struct script_connection *connection, const char *request, size_t len) {
}

static void cancel(struct trial *trial) {
	trial->inside = true;
	http_request_cancel(&trial->request);
	http_request_cancel(&trial->request);
	trial->inside = false;
}

static void cancelled_at_once(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, silent);
	prepare(&trial, "GET", world.url);
	start(&world, &trial);
	cancel(&trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_CANCELLED);
	assert_int_equal(trial.request.status, 0);
	http_request_cancel(&trial.request); /* too late: harmless */
	http_request_release(&trial.request);
	close_world(&world);
}

static struct trial *to_cancel;

static void cancel_when_asked(
	struct script_connection *connection, const char *request, size_t len) {
	cancel(to_cancel);
	script_answer(connection, "200 OK", "", "late");
}

static void cancelled_while_the_server_works(void **state) {
	struct world world;
	struct trial trial, next;

	open_world(&world, cancel_when_asked);
	prepare(&trial, "GET", world.url);
	to_cancel = &trial;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_CANCELLED);
	http_request_release(&trial.request);

	/* The answer that was given up is nobody's. */
	world.server.asked = answer_ok;
	prepare(&next, "GET", world.url);
	start(&world, &next);
	finish(&world, &next);
	assert_string_equal(next.request.answer.at, "hello");
	http_request_release(&next.request);
	close_world(&world);
}

/* ---- streams ---- */

static void take_some(struct http_request *request) {
	struct trial *trial = container_of(request, struct trial, request);

	assert_int_equal(request->status, 200);
	assert_true(request->answer.len > 0 && request->answer.len <= request->answer_max);
	for (size_t i = 0; i < request->answer.len; i++) {
		assert_int_equal(request->answer.at[i], 'x');
	}
	trial->arrivals++;
	trial->taken += request->answer.len;
	buf_consume(&request->answer, request->answer.len);
}

static void a_stream_flows_through_a_small_buffer(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, send_large);
	prepare(&trial, "GET", world.url);
	trial.request.answer_max = HTTP_STREAM_MIN;
	trial.request.arrived = take_some;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_NONE);
	assert_int_equal(trial.taken, 100000);
	assert_true(trial.arrivals >= 6);
	http_request_release(&trial.request);
	close_world(&world);
}

struct held {
	struct trial trial;
	bool full;
};

static void take_nothing(struct http_request *request) {
	struct held *held = container_of(request, struct held, trial.request);
	held->full = request->answer.len == request->answer_max;
}

static void a_full_stream_holds_the_server_back(void **state) {
	struct world world;
	struct held held = { 0 };

	open_world(&world, send_large);
	prepare(&held.trial, "GET", world.url);
	held.trial.request.answer_max = HTTP_STREAM_MIN;
	held.trial.request.arrived = take_nothing;
	start(&world, &held.trial);
	loop_run_until(world.loop, &held.full);
	assert_false(held.trial.done);
	held.trial.request.arrived = take_some;
	take_some(&held.trial.request);
	http_request_resume(&held.trial.request);
	finish(&world, &held.trial);
	assert_int_equal(held.trial.err.kind, ERR_NONE);
	assert_int_equal(held.trial.taken, 100000);
	http_request_release(&held.trial.request);
	close_world(&world);
}

static void leave(struct http_request *request) {
	struct trial *trial = container_of(request, struct trial, request);
	trial->arrivals++;
	cancel(trial);
}

static void a_stream_is_left_in_its_middle(void **state) {
	struct world world;
	struct trial trial;

	open_world(&world, stall);
	prepare(&trial, "GET", world.url);
	trial.request.arrived = leave;
	start(&world, &trial);
	finish(&world, &trial);
	assert_int_equal(trial.err.kind, ERR_CANCELLED);
	assert_int_equal(trial.arrivals, 1);
	http_request_release(&trial.request);
	close_world(&world);
}

/* ---- one after the other from inside done ---- */

struct chain {
	struct http_request request;
	struct http *http;
	int left;
	bool done;
};

static void chain_next(struct http_request *request, const struct err *err) {
	struct chain *chain = container_of(request, struct chain, request);

	assert_null(err);
	assert_string_equal(request->answer.at, "hello");
	if (--chain->left) {
		http_request_start(chain->http, request);
	} else {
		chain->done = true;
	}
}

static void done_may_start_the_next(void **state) {
	struct world world;
	struct chain chain = { .left = 50 };

	open_world(&world, answer_ok);
	http_request_init(&chain.request, "GET", world.url);
	chain.request.answer_max = 100;
	chain.request.done = chain_next;
	chain.http = world.http;
	http_request_start(world.http, &chain.request);
	loop_run_until(world.loop, &chain.done);
	assert_int_equal(world.server.accepted, 1);
	assert_int_equal(world.server.requests, 50);
	http_request_release(&chain.request);
	close_world(&world);
}

/* ---- Retry-After ---- */

static const char *retry_after_text;

static void answer_later(struct script_connection *connection, const char *request, size_t len) {
	char header[128];

	snprintf(header, sizeof(header), "Retry-After: %s\r\n", retry_after_text);
	script_answer(connection, "503 Slow Down", header, "");
}

static void retry_after_in_both_forms(void **state) {
	static const struct {
		const char *text;
		uint32_t ms;
	} rows[] = {
		{ "0", 0 },
		{ "7", 7000 },
		{ "-1", 0 },
		{ "soon", 0 },
		{ "99999999999", 600 * 1000 },
		{ "Sun, 22 Nov 2026 14:03:17 GMT", 11000 },
		{ "Sun, 22 Nov 2026 14:03:07 GMT", 0 },
		{ "Sun, 22 Nov 2020 14:03:07 GMT", 0 },
	};
	int64_t now;
	struct world world;

	assert_int_equal(time_parse("2026-11-22T14:03:07.000Z", &now), 0);
	open_world(&world, answer_later);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trial trial;
		retry_after_text = rows[i].text;
		prepare(&trial, "GET", world.url);
		start(&world, &trial);
		finish(&world, &trial);
		assert_int_equal(trial.request.status, 503);
		assert_int_equal(http_retry_after(&trial.request, now), rows[i].ms);
		http_request_release(&trial.request);
	}
	close_world(&world);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_was_asked),
		cmocka_unit_test(every_method_keeps_its_body),
		cmocka_unit_test(head_ends_without_a_body),
		cmocka_unit_test(sends_large_bodies_whole),
		cmocka_unit_test(a_dead_kept_connection_is_replaced),
		cmocka_unit_test(a_connection_that_is_closed_between_is_replaced),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(a_fresh_one_takes_a_new_connection),
		cmocka_unit_test(speaks_over_a_unix_socket),
		cmocka_unit_test(answers_are_bounded),
		cmocka_unit_test(headers_are_bounded),
		cmocka_unit_test(a_cut_answer_is_offline),
		cmocka_unit_test(a_stalled_answer_ends),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(tls_with_a_plain_server),
		cmocka_unit_test(addresses_that_are_none),
		cmocka_unit_test(cancelled_at_once),
		cmocka_unit_test(cancelled_while_the_server_works),
		cmocka_unit_test(a_stream_flows_through_a_small_buffer),
		cmocka_unit_test(a_full_stream_holds_the_server_back),
		cmocka_unit_test(a_stream_is_left_in_its_middle),
		cmocka_unit_test(done_may_start_the_next),
		cmocka_unit_test(retry_after_in_both_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
