#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/s3.h"

/* The driver: settings to a store, an operation to its flow, and the end of every flow. */

enum {
	PART_SIZE = STORE_SPAN_MAX, /* a part travels in memory */
	PART_FROM = STORE_SPAN_MAX + 1,
	PART_COPY_SIZE = 5 << 20, /* the least that servers take */
	PART_MAX = 10000,
	PART_LANES = 4,
};

/* ---- operations ---- */

static void release(struct s3_op *x) {
	s3_request_release(x);
	s3_copy_release(x);
	store_entry_release(&x->present);
	store_entry_release(&x->other);
	strv_free(x->preserved);
	buf_release(&x->text);
	free(x->upload_id);
	free(x->object);
	free(x->to_object);
	free(x);
}

void s3_finish(struct s3_op *x, const struct err *err) {
	struct store_op *op = x->op;
	struct err copy;

	if (err) copy = *err; /* it may stand in `x` */
	op->impl = NULL;
	release(x);
	op->done(op, err ? &copy : NULL);
}

void s3_fail(struct s3_op *x) {
	assert(x->err.kind != ERR_NONE);
	s3_finish(x, &x->err);
}

void s3_refuse_start(struct s3_op *x) {
	struct store *store = &x->s3->store;
	struct store_op *op = x->op;
	struct err err = x->err;

	op->impl = NULL;
	release(x);
	store_done_later(store, op, &err);
}

static void start_remove(struct s3_op *x) {
	if (x->op->kind == STORE_FOLDER) {
		s3_remove_folder(x);
	} else {
		s3_put(x);
	}
}

static void (*const flows[])(struct s3_op *x) = {
	[STORE_LIST] = s3_list,
	[STORE_STAT] = s3_stat,
	[STORE_GET] = s3_get,
	[STORE_PUT] = s3_put,
	[STORE_SET] = s3_set,
	[STORE_MKDIR] = s3_make_folder,
	[STORE_COPY] = s3_copy_or_move,
	[STORE_MOVE] = s3_copy_or_move,
	[STORE_REMOVE] = start_remove,
	[STORE_PART_BEGIN] = s3_part_begin,
	[STORE_PART_PUT] = s3_part_put,
	[STORE_PART_COPY] = s3_part_copy,
	[STORE_PART_QUERY] = s3_part_query,
	[STORE_PART_END] = s3_put,
	[STORE_PART_ABORT] = s3_part_abort,
	[STORE_ABOUT] = s3_about,
	[STORE_REVISIONS] = s3_revisions,
};

void s3_flow(struct s3_op *x) {
	flows[x->op->verb](x);
}

static void s3_start(struct store *store, struct store_op *op) {
	struct s3 *s3 = container_of(store, struct s3, store);

	if (store_answer_known(store, op)) return;
	struct s3_op *x = xcalloc(1, sizeof(*x));
	x->s3 = s3;
	x->op = op;
	op->impl = x;
	http_request_init(&x->request, "GET", "");
	buf_init(&x->text, 4 << 20);
	x->present.mtime_ns = x->other.mtime_ns = STORE_MTIME_UNKNOWN;
	if (op->key)
		x->object =
			s3_object(s3, op->key, op->verb == STORE_LIST ? STORE_FOLDER : op->kind);
	list_init(&x->role_link);
	if (!s3_role_waits(x)) s3_flow(x);
}

static void s3_cancel(struct store *store, struct store_op *op) {
	struct s3_op *x = op->impl;

	if (!x || s3_role_cancel(x)) return; /* known at once, or its end is on the way */
	http_request_cancel(&x->request);
	if (x->job.impl) job_cancel(&x->job);
}

/* ---- the store ---- */

static void s3_free(struct store *store) {
	struct s3 *s3 = container_of(store, struct s3, store);

	s3_role_free(s3);
	s3_credentials_release(&s3->credentials);
	crypto_wipe(s3->key, sizeof(s3->key));
	char *const texts[] = { s3->bucket, s3->prefix, s3->region, s3->storage_class, s3->sse,
		s3->ca_file, s3->endpoint, s3->host, s3->base_path, s3->access_key_setting,
		s3->secret_file, s3->profile, s3->probe_key, s3->probe_copy_key };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
	free(s3);
}

/* What cannot be read leaves the old ones: they may still be good. */
static void s3_renew(struct store *store) {
	struct s3 *s3 = container_of(store, struct s3, store);
	struct s3_credentials fresh;
	struct err err;

	if (s3->role) return; /* asks in time by itself */
	if (s3_credentials_read(s3, &fresh, &err)) {
		log_warn("%s: %s", store->label, err.text);
		return;
	}
	s3_credentials_release(&s3->credentials);
	s3->credentials = fresh;
	s3->key_day[0] = '\0';
}

static const struct store_driver s3_driver = {
	.scheme = "s3",
	.start = s3_start,
	.cancel = s3_cancel,
	.free = s3_free,
	.refuse = s3_refuse,
	.renew = s3_renew,
};

/* Host and path of requests. A bucket in the host's name is Amazon's way; a dot in it would fit no
 * TLS certificate there. */
static void set_address(struct s3 *s3, int addressing) {
	const char *at = strstr(s3->endpoint, "://") + 3;
	size_t host_len = strcspn(at, "/");
	char *host = xstrndup(at, host_len), *path = path_clean(at + host_len);
	enum { AUTO, IN_PATH, IN_HOST };
	bool amazon = str_ends(host, ".amazonaws.com") || str_ends(host, ".amazonaws.com.cn");

	if (addressing == AUTO) {
		addressing = amazon && !strchr(s3->bucket, '.') ? IN_HOST : IN_PATH;
	}
	if (str_equal(path, "/")) path[0] = '\0';
	s3->secure = str_starts(s3->endpoint, "https:");
	/* As every client writes it, and as the server will compare: without the scheme's own
	 * port. */
	const char *port = s3->secure ? ":443" : ":80";
	if (str_ends(host, port)) host[strlen(host) - strlen(port)] = '\0';
	if (addressing == IN_HOST) {
		s3->host = xasprintf("%s.%s", s3->bucket, host);
		s3->base_path = xstrdup(path);
	} else {
		char *encoded = str_percent_encode(s3->bucket, "");
		s3->host = xstrdup(host);
		s3->base_path = xasprintf("%s/%s", path, encoded);
		free(encoded);
	}
	free(host);
	free(path);
}

static char *trimmed_prefix(const char *prefix) {
	return prefix && *prefix ? xasprintf("%s/", prefix) : xstrdup("");
}

struct store *store_s3_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err) {
	struct s3 *s3 = xcalloc(1, sizeof(*s3));
	uint64_t bits;

	s3->http = http;
	s3->bucket = xstrdup(settings->bucket);
	s3->prefix = trimmed_prefix(settings->prefix);
	s3->region = xstrdup(settings->region ? settings->region : "us-east-1");
	s3->storage_class = xstrdup(settings->storage_class);
	s3->sse = xstrdup(settings->sse);
	s3->opaque_etags = s3->sse && strncasecmp(s3->sse, "aws:", 4) == 0;
	s3->ca_file = xstrdup(settings->ca_file);
	s3->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : 30000;
	s3->access_key_setting = xstrdup(settings->access_key_id);
	s3->secret_file = xstrdup(settings->secret_access_key_file);
	s3->profile = xstrdup(settings->profile ? settings->profile : "default");
	s3->profile_named = settings->profile != NULL;
	s3->endpoint = settings->endpoint ? xstrdup(settings->endpoint)
					  : xasprintf("https://s3.%s.amazonaws.com", s3->region);
	set_address(s3, settings->addressing);
	loop_random(loop, &bits, sizeof(bits));
	s3->probe_key = xasprintf("%s.tend/probe-%016llx", s3->prefix, (unsigned long long)bits);
	s3->probe_copy_key = xasprintf("%s-copy", s3->probe_key);
	s3->store = (struct store){
		.driver = &s3_driver,
		.loop = loop,
		.caps = STORE_CAP_FLAT_LIST | STORE_CAP_HASH_FIRST | STORE_CAP_REVISIONS,
		.part_size = PART_SIZE,
		.part_from = PART_FROM,
		.part_max = PART_MAX,
		.part_lanes = PART_LANES,
		/* What signs the payload also tells when it is another one: one hash serves both. */
		.part_hash = s3->secure ? STORE_HASH_MD5 : STORE_HASH_SHA256,
		.begin_wants_hash = true, /* metadata is given there once and for all */
		.part_copy_size = PART_COPY_SIZE,
		.label = xasprintf("s3://%s/%s", s3->bucket, s3->prefix),
	};
	if (s3_credentials_none(s3)) {
		s3_role_new(s3);
		return &s3->store;
	}
	if (!s3_credentials_read(s3, &s3->credentials, err)) return &s3->store;
	store_free(&s3->store);
	return NULL;
}
