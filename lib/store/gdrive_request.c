#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/* One request: given a token, sent, and its answer judged. */

#define API "https://www.googleapis.com"

enum {
	CONNECT_MS = 10000,
	JSON_MAX = 16 << 20,
	ERROR_BODY_MAX = 64 << 10,
	INLINE_HASH_MAX = 256 << 10, /* above it a job hashes */
	PATIENCE_MS =
		300000, /* the end of a large file is answered when the server has put it together */
};

struct gdrive_ask {
	struct gdrive_op *x;
	struct http_request request;
	char *url, *form;
};

char *gdrive_url(const struct gdrive_op *x, const char *path, const char *query) {
	return xasprintf("%s%s%s%s", x->gd->endpoint ? x->gd->endpoint : API, path,
		query ? "?" : "", query ? query : "");
}

char *gdrive_file_url(const struct gdrive_op *x, const char *id, const char *query) {
	char *encoded = str_percent_encode(id, "");
	char *path = xasprintf("/drive/v3/files/%s", encoded);
	char *all = xasprintf("supportsAllDrives=true%s%s", query ? "&" : "", query ? query : "");
	char *url = gdrive_url(x, path, all);

	free(encoded);
	free(path);
	free(all);
	return url;
}

char *gdrive_revision_url(
	const struct gdrive_op *x, const char *id, const char *revision, const char *query) {
	char *file = str_percent_encode(id, ""),
	     *one = revision ? str_percent_encode(revision, "") : NULL;
	char *path =
		xasprintf("/drive/v3/files/%s/revisions%s%s", file, one ? "/" : "", one ? one : "");
	char *url = gdrive_url(x, path, query);

	free(file);
	free(one);
	free(path);
	return url;
}

static void add_parameter(struct buf *out, const char *name, const char *value) {
	char *encoded = str_percent_encode(value, "");

	buf_addf(out, "&%s=%s", name, encoded);
	free(encoded);
}

char *gdrive_query_url(
	const struct gdrive_op *x, const char *q, int size, const char *fields, const char *token) {
	const struct gdrive *gd = x->gd;
	struct buf query;
	char number[16];

	buf_init(&query, 64 << 10);
	buf_adds(&query, "supportsAllDrives=true&includeItemsFromAllDrives=true");
	if (gd->drive_id) {
		add_parameter(&query, "corpora", "drive");
		add_parameter(&query, "driveId", gd->drive_id);
	}
	snprintf(number, sizeof(number), "%d", size);
	add_parameter(&query, "pageSize", number);
	add_parameter(&query, "q", q);
	add_parameter(&query, "fields", fields);
	/* Those of one name behind each other. */
	add_parameter(&query, "orderBy", "name");
	if (token) add_parameter(&query, "pageToken", token);
	char *url = gdrive_url(x, "/drive/v3/files", query.at);
	buf_release(&query);
	return url;
}

/* ---- the answer ---- */

static void drop_headers(struct gdrive_op *x) {
	for (size_t i = 0; i < ARRAY_LEN(x->headers) && x->headers[i]; i++) {
		crypto_wipe(x->headers[i], strlen(x->headers[i]));
		free(x->headers[i]);
		x->headers[i] = NULL;
	}
}

int64_t gdrive_server_ns(const struct gdrive_op *x) {
	const char *date = http_header(&x->request, "date");
	int64_t ns;

	return date && !time_parse_http(date, &ns) ? ns : 0;
}

static void pause_words(const struct gdrive *gd, struct err *err) {
	int64_t left_ms = gd->paused_until_ms - loop_now_ms(gd->store.loop);
	char when[TIME_TEXT_SIZE];

	time_format_local(loop_wall_ns(gd->store.loop) + left_ms * NS_PER_MS, when);
	err_set(err, ERR_BUSY,
		"Google takes no more uploads for now, as after 750 GB in a day: goes on at %.16s",
		when);
	err->retry_ms = (uint32_t)left_ms;
}

/* Was it refused for its speed once more? Then perhaps for the day's amount. That an upload may begin says nothing of its bytes. */
static void count_refusal(struct gdrive_op *x, bool refused) {
	struct gdrive *gd = x->gd;
	int64_t now_ms = loop_now_ms(gd->store.loop);

	if (!x->call.upload) return;
	if (!refused) {
		if (!x->call.upload_size) gd->refused_ms = gd->paused_until_ms = 0;
		return;
	}
	if (!gd->refused_ms) gd->refused_ms = now_ms ? now_ms : 1;
	int64_t pause_ms = gdrive_error_pause(gd->refused_ms, now_ms);
	if (!pause_ms) return;
	gd->paused_until_ms = now_ms + pause_ms;
	pause_words(gd, &x->err);
}

static void judge(struct gdrive_op *x) {
	const struct http_request *request = &x->request;
	char reason[64], message[160];
	bool known = gdrive_error_read(request->answer.at, request->answer.len, reason,
		sizeof(reason), message, sizeof(message));
	struct gdrive_case facts = {
		.status = request->status,
		.reason = reason,
		.message = message,
		.remote = x->gd->login->remote,
		.service_account = x->gd->login->email && !x->gd->login->impersonate,
		.retry_after_ms = http_retry_after(request, loop_wall_ns(x->gd->store.loop)),
	};

	/* A hotel's network answers everything by itself: "not found" there would end in deletions. */
	bool theirs = known || (x->call.session && http_header(request, "x-guploader-uploadid"));
	if (!theirs && request->status < 429) {
		err_set(&x->err, ERR_OFFLINE,
			"'%s' does not answer as Google Drive does (%d): check the network",
			x->gd->endpoint ? x->gd->endpoint : API, request->status);
		return;
	}
	gdrive_error_judge(&facts, &x->err);
	if (gdrive_error_is_rate(request->status, reason)) count_refusal(x, true);
}

static void read_answer(struct gdrive_op *x) {
	struct http_request *request = &x->request;

	count_refusal(x, false);
	if (x->call.answer_max || request->answer.len == 0) return;
	x->answer = json_loadb(request->answer.at, request->answer.len, 0, NULL);
	if (x->answer) return;
	err_set(&x->err, ERR_OFFLINE,
		"'%s' does not answer as Google Drive does: check the network",
		x->gd->endpoint ? x->gd->endpoint : API);
}

/* Is it still the token that the others use? One that came meanwhile is good. */
static bool was_sent_last(const struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	const char *now = gdrive_login_header(gd->login, loop_wall_ns(gd->store.loop));

	return !x->call.session && now && str_equal(x->headers[0], now);
}

static void answered(struct http_request *request, const struct err *err) {
	struct gdrive_op *x = container_of(request, struct gdrive_op, request);
	bool token_ended = !err && request->status == 401 && was_sent_last(x);

	drop_headers(x);
	err_clear(&x->err);
	if (err) {
		x->err = *err;
	} else if (request->status >= 200 && request->status <= 299) {
		read_answer(x);
	} else if (request->status == 401 && !x->renewed) {
		/* It may have ended early: with another one once more. */
		x->renewed = true;
		if (token_ended) gdrive_login_forget(x->gd->login);
		gdrive_send_again(x);
		return;
	} else if (request->status == 308 && x->call.session) {
		count_refusal(x, false);
	} else {
		judge(x);
	}
	x->step(x);
}

/* ---- the question ---- */

static void send_now(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	struct http_request *request = &x->request;
	const struct gdrive_call *call = &x->call;
	int64_t now_ns = loop_wall_ns(gd->store.loop);
	size_t count = 0;

	if (!call->session) x->headers[count++] = xstrdup(gdrive_login_header(gd->login, now_ns));
	if (call->type) x->headers[count++] = xasprintf("Content-Type: %s", call->type);
	if (call->range) x->headers[count++] = xstrdup(call->range);
	if (call->upload_size)
		x->headers[count++] =
			xasprintf("X-Upload-Content-Length: %lld", (long long)call->upload_size);
	http_request_release(request);
	http_request_init(request, call->method, call->url);
	request->headers = (const char *const *)x->headers;
	request->body = call->raw;
	request->body_len = call->raw_len;
	request->ca_file = gd->ca_file;
	request->connect_ms = gd->timeout_ms < CONNECT_MS ? gd->timeout_ms : CONNECT_MS;
	request->moved = &x->op->moved_bytes;
	request->idle_ms = gd->timeout_ms + (call->session ? PATIENCE_MS : 0);
	request->body_speed = x->op->bytes_per_second;
	request->answer_max = call->answer_max > ERROR_BODY_MAX ? call->answer_max
			      : call->answer_max                ? ERROR_BODY_MAX
								: JSON_MAX;
	request->done = answered;
	x->forgets = gd->forgets;
	http_request_start(gd->http, request);
}

static void failed_before(struct gdrive_op *x) {
	drop_headers(x);
	x->step(x);
}

static void with_token(struct gdrive_op *x);

static void ask_free(struct gdrive_ask *ask) {
	http_request_release(&ask->request);
	if (ask->form) crypto_wipe(ask->form, strlen(ask->form));
	free(ask->form);
	free(ask->url);
	free(ask);
}

static void asked(struct http_request *request, const struct err *err) {
	struct gdrive_ask *ask = container_of(request, struct gdrive_ask, request);
	struct gdrive_op *x = ask->x;
	struct gdrive *gd = x->gd;

	err_clear(&x->err);
	if (err) {
		x->err = *err;
	} else {
		gdrive_login_take(gd->login, request->status, request->answer.at,
			request->answer.len, loop_wall_ns(gd->store.loop), &x->err);
	}
	x->ask = NULL;
	ask_free(ask);
	bool failed = x->err.kind != ERR_NONE;
	if (failed) {
		/* Those who wait each try for themselves: with a refusal they end at once. */
		gdrive_lock_release(x, &gd->login_lock);
		failed_before(x);
	} else {
		send_now(x);
		gdrive_lock_release(x, &gd->login_lock);
	}
}

/* One asks for everybody. */
static void ask(struct gdrive_op *x) {
	static const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded",
		NULL };
	struct gdrive *gd = x->gd;
	char *form = gdrive_login_form(gd->login, loop_wall_ns(gd->store.loop), &x->err);

	/* What stands in the file may be good still. */
	if (!form || gdrive_login_header(gd->login, loop_wall_ns(gd->store.loop))) {
		bool failed = !form;
		if (form) crypto_wipe(form, strlen(form));
		free(form);
		gdrive_lock_release(x, &gd->login_lock);
		if (failed) {
			failed_before(x);
		} else {
			with_token(x);
		}
		return;
	}
	struct gdrive_ask *a = x->ask = xcalloc(1, sizeof(*a));
	a->x = x;
	a->form = form;
	a->url = gdrive_login_url(gd->login, "token");
	http_request_init(&a->request, "POST", a->url);
	a->request.headers = headers;
	a->request.body = form;
	a->request.body_len = strlen(form);
	a->request.ca_file = gd->ca_file;
	a->request.connect_ms = CONNECT_MS;
	a->request.total_ms = gd->timeout_ms;
	a->request.answer_max = ERROR_BODY_MAX;
	a->request.done = asked;
	http_request_start(gd->http, &a->request);
}

static void with_token(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;

	if (x->call.session || gdrive_login_header(gd->login, loop_wall_ns(gd->store.loop))) {
		send_now(x);
	} else if (gdrive_lock_take(x, &gd->login_lock, with_token)) {
		ask(x);
	}
}

void gdrive_send_again(struct gdrive_op *x) {
	json_decref(x->answer);
	x->answer = NULL;
	err_clear(&x->err);
	if (x->op->cancelled) {
		err_set(&x->err, ERR_CANCELLED, "cancelled");
	} else if (x->call.upload && x->gd->paused_until_ms > loop_now_ms(x->gd->store.loop)) {
		pause_words(x->gd, &x->err);
	}
	if (x->err.kind != ERR_NONE) {
		failed_before(x);
	} else {
		with_token(x);
	}
}

void gdrive_send(struct gdrive_op *x, const struct gdrive_call *call) {
	free(x->call.url);
	x->call = *call;
	x->call.json = NULL;
	if (call->range) { /* it may be sent once more, with another token */
		snprintf(x->range, sizeof(x->range), "%s", call->range);
		x->call.range = x->range;
	}
	if (call->json) {
		char *text = json_dumps(call->json, JSON_COMPACT);
		buf_clear(&x->body);
		buf_adds(&x->body, text);
		free(text);
		json_decref(call->json);
		x->call.raw = x->body.at;
		x->call.raw_len = x->body.len;
		x->call.type = "application/json; charset=UTF-8";
	}
	gdrive_send_again(x);
}

void gdrive_request_cancel(struct gdrive_op *x) {
	if (x->ask) http_request_cancel(&x->ask->request);
	http_request_cancel(&x->request);
	if (x->job.impl) job_cancel(&x->job);
}

void gdrive_request_release(struct gdrive_op *x) {
	drop_headers(x);
	http_request_release(&x->request);
	json_decref(x->answer);
	free(x->call.url);
	buf_release(&x->body);
}

/* ---- the body's hash: what is written over something must be what was hashed ---- */

static int hash_work(struct job *job, struct err *err) {
	struct gdrive_op *x = container_of(job, struct gdrive_op, job);
	enum digest_kind kind = x->op->hash.kind == STORE_HASH_SEAL ? DIGEST_SEAL : DIGEST_MD5;
	uint8_t hash[DIGEST_MAX];

	digest_of(kind, x->op->body ? x->op->body : "", x->op->body_len, hash);
	if (memcmp(hash, x->op->hash.bytes, 16) == 0) return 0;
	return err_set(err, ERR_CHANGED, "what is to be sent is not what was hashed");
}

static void hash_done(struct job *job, const struct err *err) {
	struct gdrive_op *x = container_of(job, struct gdrive_op, job);

	x->job.impl = NULL;
	if (err) {
		gdrive_finish(x, err);
	} else if (x->op->cancelled) {
		err_set(&x->err, ERR_CANCELLED, "cancelled");
		gdrive_fail(x);
	} else {
		x->hashed(x);
	}
}

void gdrive_check_body(struct gdrive_op *x, void (*then)(struct gdrive_op *x)) {
	bool known = x->op->hash.kind == STORE_HASH_MD5 || x->op->hash.kind == STORE_HASH_SEAL;

	x->hashed = then;
	if (known && x->op->body_len > INLINE_HASH_MAX) {
		x->job = (struct job){ .work = hash_work, .done = hash_done };
		job_start(x->gd->store.loop, &x->job);
	} else if (known && hash_work(&x->job, &x->err)) {
		gdrive_fail(x);
	} else {
		then(x);
	}
}
