#include <assert.h>
#include <stdlib.h>

#include "http/internal.h"

/*
 * curl's multi interface on the loop: curl says which sockets and which moment it waits for, we
 * tell it when they come. Owners are called from deliver() only, never from inside curl, so that
 * they may start and cancel at will.
 */

enum {
	IDLE_SLOTS_MAX = 32,        /* about 25 KiB each */
	KEPT_CONNECTIONS_MAX = 128, /* more than the operations in flight of a busy remote */
	REST_MS = 1000,
};

static void deliver(struct http *http) {
	while (!list_empty(&http->grown)) {
		struct http_request *request =
			list_entry(http->grown.next, struct http_request, link);
		list_remove(&request->link);
		request->grown = false;
		request->arrived(request);
		http_request_resume(request);
	}
	while (!list_empty(&http->ended)) {
		struct http_request *request =
			list_entry(http->ended.next, struct http_request, link);
		if (request->grown && !request->cancelled) {
			request->grown = false;
			request->arrived(request); /* the last bytes of a stream */
			continue;
		}
		list_remove(&request->link);
		request->http = NULL;
		http->running--;
		request->done(request, request->err.kind == ERR_NONE ? NULL : &request->err);
	}
	/* Who is idle is not woken by servers that close connections. */
	if (!http->running && !timer_running(&http->rest)) timer_start(&http->rest, REST_MS);
}

static void rest_due(struct timer *timer) {
	struct http *http = container_of(timer, struct http, rest);

	if (!http->running) http_sockets_rest(http);
}

static void deliver_deferred(struct defer *defer) {
	deliver(container_of(defer, struct http, deliver));
}

static void log_end(
	const struct http_request *request, const struct http_slot *slot, const struct err *err) {
	char *url = http_redact(request->url);
	long long ms = (long long)(loop_now_ms(request->http->loop) - slot->began_ms);

	if (err->kind == ERR_NONE) {
		log_debug("http: %s %s: %d in %lld ms", request->method, url, request->status, ms);
	} else {
		log_debug("http: %s %s: %s in %lld ms", request->method, url, err->text, ms);
	}
	free(url);
}

void http_end(struct http_request *request, const struct err *err) {
	struct http *http = request->http;
	struct http_slot *slot = request->slot;

	if (log_wants(LOG_LEVEL_DEBUG)) log_end(request, slot, err);
	request->err = *err;
	request->slot = NULL;
	if (request->grown) list_remove(&request->link);
	list_add_tail(&http->ended, &request->link);

	timer_cancel(&slot->idle);
	curl_multi_remove_handle(http->multi, slot->easy);
	slot->request = NULL;
	if (http->idle_count >= IDLE_SLOTS_MAX) {
		curl_easy_cleanup(slot->easy);
		free(slot);
		return;
	}
	curl_easy_reset(slot->easy); /* or curl would keep pointers into the request */
	list_add_tail(&http->idle, &slot->link);
	http->idle_count++;
}

static void collect(struct http *http) {
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE) continue;
		CURLcode code = message->data.result; /* the message dies with its handle */
		struct http_slot *slot;
		struct err err = { 0 };
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
		/* curl calls an answer whole that was cut inside its headers. */
		if (code == CURLE_OK && !slot->head_whole) code = CURLE_PARTIAL_FILE;
		if (code != CURLE_OK) http_classify(slot, code, &err);
		http_end(slot->request, &err);
	}
	deliver(http);
}

void http_socket_ready(struct http *http, curl_socket_t fd, int events) {
	int running, what = 0;

	if (events & POLL_READ) what |= CURL_CSELECT_IN;
	if (events & POLL_WRITE) what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, fd, what, &running);
	collect(http);
}

static void timer_fired(struct timer *timer) {
	struct http *http = container_of(timer, struct http, timer);
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

static int timer_wanted(CURLM *multi, long ms, void *user) {
	struct http *http = user;

	if (ms < 0) {
		timer_cancel(&http->timer);
	} else {
		timer_start(&http->timer, ms);
	}
	return 0;
}

struct http *http_new(struct loop *loop) {
	struct http *http = xcalloc(1, sizeof(*http));
	http->loop = loop;
	timer_init(&http->timer, loop, timer_fired);
	timer_init(&http->rest, loop, rest_due);
	defer_init(&http->deliver, deliver_deferred);
	list_init(&http->idle);
	list_init(&http->grown);
	list_init(&http->ended);
	return http;
}

/* With the first request: curl has OpenSSL read its settings and load its providers, 3 MB that a machine with services alone never needs. */
int http_open(struct http *http, struct err *err) {
	if (http->multi) return 0;
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT); /* counted by curl */
	if (code != CURLE_OK)
		return err_set(err, ERR_SYSTEM, "cannot set up curl: %s", curl_easy_strerror(code));
	CURLM *multi = curl_multi_init();
	if (!multi) {
		curl_global_cleanup();
		return err_set(err, ERR_FULL, "cannot set up curl: out of memory");
	}
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, http_socket_wanted);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS_MAX);
	http->multi = multi;
	return 0;
}

void http_free(struct http *http) {
	if (!http) return;
	assert(http->running == 0);
	list_each(&http->idle, link) {
		struct http_slot *slot = list_entry(link, struct http_slot, link);
		curl_easy_cleanup(slot->easy);
		free(slot);
	}
	if (http->multi) curl_multi_cleanup(http->multi);
	http_sockets_release(http);
	timer_cancel(&http->timer);
	timer_cancel(&http->rest);
	defer_cancel(&http->deliver);
	if (http->multi) curl_global_cleanup();
	free(http);
}
