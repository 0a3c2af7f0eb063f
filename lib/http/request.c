#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"

enum {
	CONNECT_DEFAULT_MS = 30000,
	/* What is large comes and goes in fewer turns: curl's own are 16 and 64 KiB. Measured, 512 MiB
	 * to Apache, six times in turn: 0.75 s of CPU with its own, 0.72 this way, 0.76 with 512 KiB. */
	STREAM_BUFFER_BYTES = 64 << 10,
	LARGE_BODY_BYTES = 1 << 20,
	SEND_BUFFER_BYTES = 256 << 10,
	OWN_CONNECTION_BYTES = 256 << 10,
};

void http_request_init(struct http_request *request, const char *method, const char *url) {
	*request = (struct http_request){ .method = method, .url = url };
	buf_init(&request->answer, 0);
	buf_init(&request->answer_headers, HTTP_ANSWER_HEADERS_MAX);
	list_init(&request->link);
}

void http_request_release(struct http_request *request) {
	assert(!request->http);
	if (!request->link.next) return; /* zeroed, never initialised */
	buf_release(&request->answer);
	buf_release(&request->answer_headers);
}

bool http_request_running(const struct http_request *request) {
	return request->http != NULL;
}

/* Children must not inherit connections: a service that lives on would hold them open. */
static int socket_opened(void *user, curl_socket_t fd, curlsocktype purpose) {
	(void)purpose;
	http_socket_opened(user, fd);
	return fcntl(fd, F_SETFD, FD_CLOEXEC) ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* Loopback and link-local addresses (the instance's metadata) are this machine's own affair:
 * what a proxy would answer in their name is somebody else's truth. */
static bool goes_past_proxy(const char *url) {
	static const char *const own[] = { "localhost:", "127.", "[::1]", "169.254.",
		"[fe80:", "[FE80:", "[fd00:ec2::254]" };
	char host[128];

	http_host(url, host, sizeof(host));
	if (str_equal(host, "localhost")) return true;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (str_starts(host, own[i])) return true;
	}
	return false;
}

static void set_headers(struct http_slot *slot, const struct http_request *request) {
	size_t count = 0;
	bool typed = false, named = false;

	for (; request->headers && request->headers[count]; count++) {
		assert(count < HTTP_HEADERS_MAX);
		slot->lines[count].data = (char *)request->headers[count];
		typed |= strncasecmp(request->headers[count], "content-type:", 13) == 0;
		named |= strncasecmp(request->headers[count], "user-agent:", 11) == 0;
	}
	/* A line of ours: from CURLOPT_USERAGENT curl makes one anew for each request. */
	if (!named) slot->lines[count++].data = "User-Agent: tend/" TEND_VERSION;
	/* Or curl would call every body a form. */
	if (request->body && !typed) slot->lines[count++].data = "Content-Type:";
	for (size_t i = 0; i < count; i++) {
		slot->lines[i].next = i + 1 < count ? &slot->lines[i + 1] : NULL;
	}
	if (count) curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->lines);
}

static void set_method(CURL *easy, const struct http_request *request) {
	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	/* A body goes as POSTFIELDS whatever the method: curl can then rewind it by itself,
	 * sends a small one in the packet of its headers, and asks "Expect: 100-continue" only
	 * before more than 1 MiB. */
	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	}
	if (request->body || strcmp(request->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	}
}

static void set_connection(CURL *easy, const struct http_request *request) {
	struct http *http = request->http;
	int64_t connect_ms = request->connect_ms ? request->connect_ms : CONNECT_DEFAULT_MS;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, socket_opened);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, http);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_socket_closed);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, http);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	if (request->total_ms) {
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
	}
	if (request->arrived) {
		curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)STREAM_BUFFER_BYTES);
	}
	if (request->body_len > LARGE_BODY_BYTES && !request->body_speed) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER_BYTES);
	}
	if (request->body_speed) {
		curl_off_t speed = (curl_off_t)request->body_speed;
		curl_easy_setopt(easy, CURLOPT_MAX_SEND_SPEED_LARGE, speed);
		curl_easy_setopt(easy, CURLOPT_MAX_RECV_SPEED_LARGE, speed);
	}
	if (request->fresh) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (request->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	if (request->unix_socket) {
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	} else if (goes_past_proxy(request->url)) {
		curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* also against the environment */
	}
	/* A large body gets a connection of its own: in HTTP/2 all share one flow-control window, and
	 * curl 7.88 spins while that is full (measured: 700 turns of the loop for each MiB). */
	bool alone = request->body_len > OWN_CONNECTION_BYTES;
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		(long)(alone ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
	/* The first connection tells whether requests can share one. */
	if (!alone && str_starts(request->url, "https:")) {
		curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	}
}

/* curl counts what it handed to the kernel: a buffer too much, for eyes alone. */
static int bodies_moved(
	void *user, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
	const struct http_request *request = user;

	(void)down_all;
	(void)up_all;
	*request->moved = (int64_t)(down + up);
	return 0;
}

static void set_progress(CURL *easy, struct http_request *request) {
	bool large = request->body ? request->body_len > LARGE_BODY_BYTES
				   : str_equal(request->method, "GET");

	if (!request->moved || !large) return;
	*request->moved = 0;
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, bodies_moved);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, request);
}

static struct http_slot *take_slot(struct http *http) {
	struct http_slot *slot;

	if (!list_empty(&http->idle)) {
		/* The last one: its memory is still in the processor's cache. */
		slot = list_entry(http->idle.prev, struct http_slot, link);
		list_remove(&slot->link);
		http->idle_count--;
		return slot;
	}
	slot = xcalloc(1, sizeof(*slot));
	slot->easy = curl_easy_init();
	if (!slot->easy) abort(); /* out of memory, as xmalloc */
	return slot;
}

static bool is_http(const char *url) {
	return str_starts(url, "http://") || str_starts(url, "https://");
}

void http_request_start(struct http *http, struct http_request *request) {
	assert(!request->http && request->done);
	assert(!request->arrived || request->answer_max >= HTTP_STREAM_MIN);
	buf_clear(&request->answer);
	buf_clear(&request->answer_headers);
	request->answer.max = request->answer_max;
	request->status = 0;
	request->cancelled = request->grown = false;
	request->http = http;
	http->running++;

	struct err err = { 0 };
	http_open(http, &err);
	struct http_slot *slot = take_slot(http);
	slot->request = request;
	slot->paused = slot->head_whole = slot->too_long = slot->headers_too_long = false;
	slot->text[0] = '\0';
	slot->began_ms = loop_now_ms(http->loop);
	request->slot = slot;
	http_idle_start(slot);

	CURL *easy = slot->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->text);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_header_came);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_body_came);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	set_method(easy, request);
	set_headers(slot, request);
	set_connection(easy, request);
	set_progress(easy, request);

	CURLMcode code = CURLM_OK;
	if (err.kind != ERR_NONE) {
		/* curl cannot be had: it ends so */
	} else if (!is_http(request->url)) {
		char *url = http_redact(request->url);
		err_set(&err, ERR_INVALID, "'%.100s' is no http:// or https:// address", url);
		free(url);
	} else if ((code = curl_multi_add_handle(http->multi, easy)) != CURLM_OK) {
		err_set(&err, ERR_SYSTEM, "cannot start a request: %s", curl_multi_strerror(code));
	}
	if (err.kind != ERR_NONE) {
		http_end(request, &err);
		defer_start(http->loop, &http->deliver);
	}
}

void http_request_cancel(struct http_request *request) {
	struct http *http = request->http;
	struct err err;

	if (!http) return;
	request->cancelled = true;
	if (!request->slot) return; /* its end is on the way */
	err_set(&err, ERR_CANCELLED, "cancelled");
	http_end(request, &err);
	defer_start(http->loop, &http->deliver);
}

void http_request_resume(struct http_request *request) {
	struct http_slot *slot = request->slot;

	if (!slot || !slot->paused) return;
	if (request->answer.max - request->answer.len < CURL_MAX_WRITE_SIZE) return;
	slot->paused = false;
	curl_easy_pause(
		slot->easy, CURLPAUSE_CONT); /* hands over what it held back, here and now */
	if (request->grown) defer_start(request->http->loop, &request->http->deliver);
}
