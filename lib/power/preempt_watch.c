/*
 * How a provider is asked: its questions beside each other, each with its own back-off; before them what all need, a token or this
 * machine's name. A service that hangs, refuses, lies or is not there costs a request a minute, and never a decision.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/preempt.h"

enum {
	ROWS_MAX = 2,
	CONNECT_MS = 1000,
	ANSWER_MS = 3000,
	HANG_S = 60, /* so long the service may hold a question that waits for a change */
	HANG_MS = 90000,
	HANG_LEAST_MS = 1000, /* one that does not hang is not asked in a circle */
	ANSWER_MAX = 64 << 10,
	WORD_MAX = 1024, /* of a token, an ETag, a name */
	TROUBLE_FROM = 3,
	TOKEN_SECONDS = 21600,
};

struct asking {
	struct preempt_watch *watch;
	const struct preempt_row *row; /* NULL: what all need */
	struct http_request request;
	struct timer timer;
	char *url, *line;
	char *etag; /* of the last answer; of an acknowledgement the body */
	const char *headers[3];
	char *trouble;
	int failures; /* in a row */
	int64_t asked_ms;
	bool waits;   /* for what all need */
	bool renewed; /* the token, for this one */
};

struct preempt_watch {
	struct loop *loop;
	struct http *http;
	const struct preempt_driver *driver;
	char *endpoint, *token, *name;
	struct asking need, rows[ROWS_MAX], ack;
	struct preempt_found found;
	void (*told)(void *user, const struct power_notice *notice);
	void *user;
	/* the end */
	bool ending;
	struct defer end_defer;
	void (*gone)(void *user);
	void *gone_user;
};

static void ask(struct asking *asking);

/* ---- one question ---- */

static void asking_init(
	struct asking *asking, struct preempt_watch *watch, void (*fired)(struct timer *timer)) {
	asking->watch = watch;
	http_request_init(&asking->request, "GET", "");
	timer_init(&asking->timer, watch->loop, fired);
}

static void asking_release(struct asking *asking) {
	timer_cancel(&asking->timer);
	http_request_release(&asking->request);
	free(asking->url);
	free(asking->line);
	free(asking->etag);
	free(asking->trouble);
}

static void start(struct asking *asking, const char *method, char *url, char *line,
	void (*done)(struct http_request *request, const struct err *err)) {
	struct http_request *request = &asking->request;

	free(asking->url);
	free(asking->line);
	asking->url = url;
	asking->line = line;
	asking->headers[0] = line;
	http_request_release(request);
	http_request_init(request, method, url);
	request->headers = asking->headers;
	request->connect_ms = CONNECT_MS;
	request->total_ms = ANSWER_MS;
	request->answer_max = ANSWER_MAX;
	request->done = done;
	asking->asked_ms = loop_now_ms(asking->watch->loop);
}

static void failed(struct asking *asking, const char *text) {
	const struct preempt_watch *watch = asking->watch;
	int64_t every_ms = asking->row ? asking->row->every_ms : 0;

	free(asking->trouble);
	asking->trouble = xstrdup(text);
	asking->renewed = false;
	asking->failures++;
	/* Said once: who sets [preempt] on a machine without such a service wants to know. */
	if (asking->failures == TROUBLE_FROM)
		log_warn("preempt: cannot ask '%s': %s", watch->endpoint, text);
	timer_start(&asking->timer, preempt_backoff_ms(every_ms, asking->failures));
}

static void succeeded(struct asking *asking) {
	if (asking->failures >= TROUBLE_FROM)
		log_info("preempt: '%s' answers again", asking->watch->endpoint);
	free(asking->trouble);
	asking->trouble = NULL;
	asking->failures = 0;
	asking->renewed = false;
}

static void failed_status(struct asking *asking) {
	char text[64];

	snprintf(text, sizeof(text), "it answers %d", asking->request.status);
	failed(asking, text);
}

/* ---- what all need ---- */

static bool needs(const struct preempt_watch *watch) {
	return (watch->driver->token_path && !watch->token) ||
	       (watch->driver->name_path && !watch->name);
}

/* What goes into a header or is compared: one printable word. NULL: it is none. The caller's. */
static char *word_of(const char *text, size_t len) {
	if (len > WORD_MAX) return NULL;
	char *word = xstrndup(text, len);
	str_trim(word);
	for (const char *at = word; *at; at++) {
		if (isgraph((unsigned char)*at)) continue;
		free(word);
		return NULL;
	}
	if (*word) return word;
	free(word);
	return NULL;
}

static void need_done(struct http_request *request, const struct err *err) {
	struct asking *need = container_of(request, struct asking, request);
	struct preempt_watch *watch = need->watch;
	char **into = watch->driver->token_path ? &watch->token : &watch->name;

	if (watch->ending) {
		defer_start(watch->loop, &watch->end_defer);
	} else if (err) {
		failed(need, err->text);
	} else if (request->status != 200) {
		failed_status(need);
	} else if (!(*into = word_of(request->answer.at, request->answer.len))) {
		failed(need, "its answer is no word");
	} else {
		succeeded(need);
		for (size_t i = 0; i < watch->driver->row_count; i++) {
			if (!watch->rows[i].waits) continue;
			watch->rows[i].waits = false;
			ask(&watch->rows[i]);
		}
	}
}

static void need_start(struct preempt_watch *watch) {
	const struct preempt_driver *driver = watch->driver;
	bool token = driver->token_path != NULL;

	start(&watch->need, token ? "PUT" : "GET",
		xconcat(watch->endpoint, token ? driver->token_path : driver->name_path),
		token ? xasprintf("X-aws-ec2-metadata-token-ttl-seconds: %d", TOKEN_SECONDS)
		      : xstrdup(driver->header),
		need_done);
	if (token) watch->need.request.body = "";
	http_request_start(watch->http, &watch->need.request);
}

static void need_due(struct timer *timer) {
	need_start(container_of(timer, struct asking, timer)->watch);
}

static void need_wait(struct asking *asking) {
	struct preempt_watch *watch = asking->watch;

	asking->waits = true;
	if (!timer_running(&watch->need.timer) && !http_request_running(&watch->need.request))
		need_start(watch);
}

/* ---- the questions ---- */

static void notice_found(struct preempt_found *found, const struct power_notice *notice) {
	struct preempt_watch *watch = container_of(found, struct preempt_watch, found);

	watch->told(watch->user, notice);
}

/* The next time: a question that hangs goes again at once, if it did hang. */
static void again(struct asking *asking) {
	int64_t passed_ms = loop_now_ms(asking->watch->loop) - asking->asked_ms;
	int64_t wait_ms = asking->row->every_ms;

	if (!wait_ms) wait_ms = HANG_LEAST_MS - passed_ms;
	timer_start(&asking->timer, wait_ms > 0 ? wait_ms : 0);
}

static void read_answer(struct asking *asking) {
	struct preempt_watch *watch = asking->watch;
	const struct http_request *request = &asking->request;
	const char *etag = http_header(request, "etag");
	struct err err;

	watch->found.own_name = watch->name;
	watch->found.now_ns = loop_wall_ns(watch->loop);
	if (asking->row->read(&watch->found, request->answer.at, request->answer.len, &err)) {
		failed(asking, err.text);
		return;
	}
	free(asking->etag);
	asking->etag = etag ? word_of(etag, strlen(etag)) : NULL;
	succeeded(asking);
	again(asking);
}

static void row_done(struct http_request *request, const struct err *err) {
	struct asking *asking = container_of(request, struct asking, request);
	struct preempt_watch *watch = asking->watch;

	if (watch->ending) {
		defer_start(watch->loop, &watch->end_defer);
	} else if (err) {
		failed(asking, err->text);
	} else if (request->status == 200) {
		read_answer(asking);
	} else if (request->status == 404 && asking->row->none_404) {
		succeeded(asking);
		again(asking);
	} else if (request->status == 401 && watch->driver->token_path && !asking->renewed) {
		/* It has expired, or the service was started anew: another, and once more. */
		free(watch->token);
		watch->token = NULL;
		asking->renewed = true;
		need_wait(asking);
	} else {
		failed_status(asking);
	}
}

static char *url_of(const struct asking *asking) {
	const struct preempt_watch *watch = asking->watch;
	const char *path = asking->row->path;

	/* Without the tag of the last answer a change between two questions would be missed: it does not wait then. */
	if (asking->row->every_ms || !asking->etag) return xconcat(watch->endpoint, path);
	char *etag = str_percent_encode(asking->etag, "");
	char *url = xasprintf("%s%s?wait_for_change=true&timeout_sec=%d&last_etag=%s",
		watch->endpoint, path, HANG_S, etag);
	free(etag);
	return url;
}

static void ask(struct asking *asking) {
	struct preempt_watch *watch = asking->watch;
	bool hangs = !asking->row->every_ms && asking->etag;

	if (needs(watch)) {
		need_wait(asking);
		return;
	}
	start(asking, "GET", url_of(asking),
		watch->token ? xasprintf("X-aws-ec2-metadata-token: %s", watch->token)
			     : xstrdup(watch->driver->header),
		row_done);
	if (hangs) asking->request.total_ms = HANG_MS;
	http_request_start(watch->http, &asking->request);
}

static void row_due(struct timer *timer) {
	ask(container_of(timer, struct asking, timer));
}

/* ---- letting it go ---- */

static void ack_done(struct http_request *request, const struct err *err) {
	struct asking *ack = container_of(request, struct asking, request);
	struct preempt_watch *watch = ack->watch;

	if (watch->ending)
		defer_start(watch->loop, &watch->end_defer);
	else if (err)
		log_info("preempt: the provider was not told that all is done: %s", err->text);
	else
		log_info("preempt: the provider was told that all is done (%d)", request->status);
}

static void ack_due(struct timer *timer) {
	(void)timer;
}

void preempt_watch_ack(struct preempt_watch *watch, const char *event) {
	struct asking *ack = &watch->ack;

	if (!watch->driver->ack_path || ack->url || watch->ending) return;
	start(ack, "POST", xconcat(watch->endpoint, watch->driver->ack_path),
		xstrdup(watch->driver->header), ack_done);
	ack->headers[1] = "Content-Type: application/json";
	json_t *body = json_pack("{s:[{s:s}]}", "StartRequests", "EventId", event);
	ack->etag = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!ack->etag) return; /* an id that is no text */
	ack->request.body = ack->etag;
	ack->request.body_len = strlen(ack->etag);
	http_request_start(watch->http, &ack->request);
}

/* ---- life ---- */

struct preempt_watch *preempt_watch_new(struct loop *loop, struct http *http,
	const struct preempt_driver *driver, const char *endpoint,
	void (*told)(void *user, const struct power_notice *notice), void *user) {
	struct preempt_watch *watch = xcalloc(1, sizeof(*watch));

	watch->loop = loop;
	watch->http = http;
	watch->driver = driver;
	watch->endpoint = xstrdup(endpoint ? endpoint : driver->endpoint);
	size_t len = strlen(watch->endpoint);
	while (len > 0 && watch->endpoint[len - 1] == '/') watch->endpoint[--len] = '\0';
	watch->found.notice = notice_found;
	watch->told = told;
	watch->user = user;
	asking_init(&watch->need, watch, need_due);
	asking_init(&watch->ack, watch, ack_due);
	for (size_t i = 0; i < driver->row_count; i++) {
		watch->rows[i].row = &driver->rows[i];
		asking_init(&watch->rows[i], watch, row_due);
		timer_start(&watch->rows[i].timer, 0);
	}
	return watch;
}

static bool is_busy(const struct preempt_watch *watch) {
	bool busy = http_request_running(&watch->need.request) ||
		    http_request_running(&watch->ack.request);

	for (size_t i = 0; i < watch->driver->row_count; i++)
		busy |= http_request_running(&watch->rows[i].request);
	return busy;
}

static void end(struct defer *defer) {
	struct preempt_watch *watch = container_of(defer, struct preempt_watch, end_defer);
	void (*gone)(void *user) = watch->gone;
	void *user = watch->gone_user;

	if (is_busy(watch)) return;
	asking_release(&watch->need);
	asking_release(&watch->ack);
	for (size_t i = 0; i < watch->driver->row_count; i++) asking_release(&watch->rows[i]);
	free(watch->endpoint);
	free(watch->token);
	free(watch->name);
	free(watch);
	gone(user);
}

void preempt_watch_free(struct preempt_watch *watch, void (*gone)(void *user), void *user) {
	watch->ending = true;
	watch->gone = gone;
	watch->gone_user = user;
	defer_init(&watch->end_defer, end);
	timer_cancel(&watch->need.timer);
	http_request_cancel(&watch->need.request);
	http_request_cancel(&watch->ack.request);
	for (size_t i = 0; i < watch->driver->row_count; i++) {
		timer_cancel(&watch->rows[i].timer);
		http_request_cancel(&watch->rows[i].request);
	}
	defer_start(watch->loop, &watch->end_defer);
}

const char *preempt_watch_trouble(const struct preempt_watch *watch) {
	if (watch->need.failures >= TROUBLE_FROM) return watch->need.trouble;
	for (size_t i = 0; i < watch->driver->row_count; i++)
		if (watch->rows[i].failures >= TROUBLE_FROM) return watch->rows[i].trouble;
	return NULL;
}
