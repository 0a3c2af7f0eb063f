/* libFuzzer: any bytes sent to the socket, to routes that answer at once, later, and as a
 * stream. Built by clang as target fuzz.control; run it with a corpus folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"

enum { TURNS = 6 };

static struct control_request *waiting;
static struct control_stream *streaming;

static void asked_echo(void *user, struct control_request *request) {
	const char *lines = control_query(request, "lines");

	(void)user;
	control_answer(request, 200,
		json_pack("{s:s*, s:s*, s:O}", "id", control_parameter(request, "id"), "lines",
			lines, "body", control_body(request)));
}

static void request_gone(void *user) {
	(void)user;
	waiting = NULL;
}

static void asked_wait(void *user, struct control_request *request) {
	(void)user;
	if (waiting) {
		struct err err;
		err_set(&err, ERR_BUSY, "one waits already");
		control_refuse(request, &err, NULL);
		return;
	}
	waiting = request;
	control_on_gone(request, request_gone, NULL);
}

static void stream_gone(void *user) {
	(void)user;
	streaming = NULL;
}

static const struct control_stream_calls stream_calls = { NULL, stream_gone };

static void asked_stream(void *user, struct control_request *request) {
	(void)user;
	if (streaming) control_stream_end(streaming);
	streaming = control_stream_start(request, "text/plain", &stream_calls, NULL);
	if (streaming) control_stream_send(streaming, "text\n", 5);
}

static void asked_events(void *user, struct control_request *request) {
	(void)user;
	control_events_join(request, NULL, NULL);
}

static const struct control_route routes[] = {
	{ "GET", "/e/:id", asked_echo },
	{ "POST", "/e/:id/x", asked_echo },
	{ "POST", "/w", asked_wait },
	{ "GET", "/s", asked_stream },
	{ "GET", "/v", asked_events },
};

static struct loop *loop;
static char path[64];
static int turns;
static bool done;
static struct timer timer;

static void turn_passed(struct timer *passed) {
	done = ++turns >= TURNS;
	if (!done) timer_start(passed, 0);
}

static void run_turns(void) {
	turns = 0;
	done = false;
	timer_start(&timer, 0);
	loop_run_until(loop, &done);
}

static void remove_socket(void) {
	unlink(path);
}

static void set_up(void) {
	struct err err;

	snprintf(path, sizeof(path), "/tmp/tend-fuzz-%ld.sock", (long)getpid());
	loop = loop_new(1, &err);
	struct control *control = control_new(loop, routes, ARRAY_LEN(routes), NULL);
	if (control_listen(control, path, NULL, &err)) abort();
	timer_init(&timer, loop, turn_passed);
	atexit(remove_socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char answer[4096];

	if (!loop) set_up();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) abort();
	(void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	run_turns();
	if (waiting) {
		struct control_request *request = waiting;
		waiting = NULL;
		control_answer(request, 200, json_object());
		run_turns();
	}
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0) {
	}
	close(fd);
	run_turns();
	return 0;
}
