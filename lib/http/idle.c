#include "http/internal.h"

/*
 * A request on which no byte moves for idle_ms is given up. curl has CURLOPT_LOW_SPEED_TIME for that, but it judges by the mean of
 * its last five seconds, so that a time-out of one second took up to seven; and it counts what it handed to the kernel, so that
 * a slow link looked dead while a buffer of half a MiB was on its way, was cut, and began again without end.
 */

enum { LOOKS = 4 }; /* in idle_ms: it is noticed a quarter late at most */

/* What the kernel only holds has not moved yet: on a slow link it takes long to send what curl handed over at once, and while
 * it does, all is well. */
static int64_t bytes_moved(const struct http_slot *slot) {
	CURL *easy = slot->easy;
	curl_off_t up = 0, down = 0;
	long request = 0, header = 0;

	curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request);
	curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &header);
	/* CURLINFO_ACTIVESOCKET is known at the end only. */
	return (int64_t)up + down + request + header -
	       (slot->fd < 0 ? 0 : os_unsent_bytes(slot->fd));
}

static void look_again(struct http_slot *slot) {
	timer_start(&slot->idle, slot->request->idle_ms / LOOKS + 1);
}

static void looked(struct timer *timer) {
	struct http_slot *slot = container_of(timer, struct http_slot, idle);
	struct http *http = slot->request->http;
	int64_t moved = bytes_moved(slot), now_ms = loop_now_ms(http->loop);
	struct err err;

	/* A stream whose reader has no room moves nothing, and that is not the server's doing. */
	if (moved != slot->moved || slot->paused) {
		slot->moved = moved;
		slot->moved_ms = now_ms;
	}
	if (now_ms - slot->moved_ms < slot->request->idle_ms) {
		look_again(slot);
		return;
	}
	http_classify(slot, CURLE_OPERATION_TIMEDOUT, &err);
	http_end(slot->request, &err);
	defer_start(http->loop, &http->deliver);
}

void http_idle_start(struct http_slot *slot) {
	struct loop *loop = slot->request->http->loop;

	timer_init(&slot->idle, loop, looked);
	slot->fd = -1;
	slot->moved = 0;
	slot->moved_ms = loop_now_ms(loop);
	if (slot->request->idle_ms) look_again(slot);
}
