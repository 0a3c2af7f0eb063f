#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * Keys of the instance's role (IMDSv2): a token, the role's name, its keys as JSON. Operations that
 * come while there are none, or while they are about to expire, wait for the answer; a server that
 * does not answer keeps them no longer than FETCH_MS, and no more than one tries at a time.
 */

#define METADATA_ENDPOINT "http://169.254.169.254"

enum {
	CONNECT_MS = 1000,
	FETCH_MS = 3000,  /* each of the three requests */
	AGAIN_MS = 30000, /* after a fetch that failed, where the old keys still hold */
	ANSWER_MAX = 64 << 10,
	TOKEN_SECONDS = 21600,
};

/* AWS has new keys ready five minutes before the old ones expire. */
#define EARLY_NS (5 * 60 * NS_PER_S)

enum role_state { ROLE_REST, ROLE_TOKEN, ROLE_NAME, ROLE_KEYS };

struct s3_role {
	struct s3 *s3;
	enum role_state state;
	struct http_request request;
	char *endpoint, *url, *line;
	const char *headers[2];
	struct secret token;
	int64_t expires_ns; /* 0: there are none */
	int64_t tried_ms;
	bool failed;
	struct list waiting; /* struct s3_op.role_link */
};

static void step(struct http_request *request, const struct err *err);

/* ---- the three requests ---- */

static void ask(struct s3_role *r, enum role_state state, const char *method, const char *path) {
	r->state = state;
	free(r->url);
	r->url = xasprintf("%s%s", r->endpoint, path);
	http_request_release(&r->request);
	http_request_init(&r->request, method, r->url);
	r->request.headers = r->headers;
	r->request.connect_ms = CONNECT_MS;
	r->request.total_ms = FETCH_MS;
	r->request.answer_max = ANSWER_MAX;
	if (state == ROLE_TOKEN) r->request.body = "";
	r->request.done = step;
	http_request_start(r->s3->http, &r->request);
}

static void header(struct s3_role *r, char *line) {
	if (r->line) crypto_wipe(r->line, strlen(r->line));
	free(r->line);
	r->line = line;
	r->headers[0] = line;
}

static void fetch(struct s3_role *r) {
	r->tried_ms = loop_now_ms(r->s3->store.loop);
	header(r, xasprintf("X-aws-ec2-metadata-token-ttl-seconds: %d", TOKEN_SECONDS));
	ask(r, ROLE_TOKEN, "PUT", "/latest/api/token");
}

/* ---- answers ---- */

static const char *text_of(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static int keys_read(struct s3_role *r, struct err *err) {
	struct s3 *s3 = r->s3;
	json_t *keys = json_loadb(r->request.answer.at, r->request.answer.len, 0, NULL);
	const char *code = text_of(keys, "Code"), *id = text_of(keys, "AccessKeyId");
	const char *secret = text_of(keys, "SecretAccessKey");
	int64_t expires_ns = 0;
	int result = -1;

	if (*code && !str_equal(code, "Success")) {
		err_set(err, ERR_DENIED, "the role of this machine gives no keys: %s", code);
	} else if (!*id || !*secret || time_parse(text_of(keys, "Expiration"), &expires_ns)) {
		err_set(err, ERR_DENIED, "'%s' answers without keys", r->endpoint);
	} else {
		s3_credentials_release(&s3->credentials);
		s3->credentials.access_key_id = xstrdup(id);
		secret_set(&s3->credentials.secret, secret);
		if (*text_of(keys, "Token"))
			secret_set(&s3->credentials.token, text_of(keys, "Token"));
		s3->key_day[0] = '\0';
		r->expires_ns = expires_ns;
		result = 0;
	}
	json_decref(keys);
	return result;
}

static char *first_line(const struct buf *answer) {
	char *line = xstrndup(answer->at, strcspn(answer->at, "\r\n"));
	str_trim(line);
	return line;
}

/* Goes on with the next request: 1; was the last: 0; -1. */
static int advance(struct s3_role *r, struct err *err) {
	char *line;

	if (r->request.status != 200) {
		if (r->request.status == 404 && r->state == ROLE_NAME)
			return err_set(err, ERR_DENIED,
				"no credentials: this machine has no role; give it one, or set "
				"`access_key_id` and `secret_access_key_file`");
		return err_set(err, ERR_DENIED, "'%s' refuses the keys of this machine's role (%d)",
			r->endpoint, r->request.status);
	}
	switch (r->state) {
	case ROLE_REST: break;
	case ROLE_TOKEN:
		line = first_line(&r->request.answer);
		secret_release(&r->token);
		secret_set(&r->token, line);
		free(line);
		header(r, xasprintf("X-aws-ec2-metadata-token: %s",
				  r->token.len ? r->token.text : ""));
		ask(r, ROLE_NAME, "GET", "/latest/meta-data/iam/security-credentials/");
		return 1;
	case ROLE_NAME: {
		line = first_line(&r->request.answer);
		char *name = str_percent_encode(line, "");
		char *path = xasprintf("/latest/meta-data/iam/security-credentials/%s", name);
		bool any = *line;
		if (any) ask(r, ROLE_KEYS, "GET", path);
		free(path);
		free(name);
		free(line);
		if (any) return 1;
		return err_set(err, ERR_DENIED, "no credentials: this machine has no role");
	}
	case ROLE_KEYS: return keys_read(r, err);
	}
	return -1;
}

static bool still_good(const struct s3_role *r) {
	return r->expires_ns > loop_wall_ns(r->s3->store.loop);
}

/* Everybody who waited goes on, or fails, in the order they came. */
static void ended(struct s3_role *r, const struct err *err) {
	struct list waiting;

	r->state = ROLE_REST;
	r->failed = err != NULL;
	header(r, NULL);
	/* Else whoever waited says it. */
	if (err && still_good(r)) log_warn("%s: %s", r->s3->store.label, err->text);
	list_init(&waiting);
	list_take_all(&waiting, &r->waiting);
	while (!list_empty(&waiting)) {
		struct s3_op *x = list_entry(waiting.next, struct s3_op, role_link);
		list_remove(&x->role_link);
		if (x->role_cancelled)
			err_set(&x->err, ERR_CANCELLED, "cancelled");
		else if (err && !still_good(r))
			x->err = *err;
		if (x->err.kind != ERR_NONE)
			s3_fail(x);
		else
			s3_flow(x);
	}
}

static void step(struct http_request *request, const struct err *err) {
	struct s3_role *r = container_of(request, struct s3_role, request);
	struct err failed;

	if (err) {
		err_set(&failed, ERR_DENIED,
			"no credentials: set `access_key_id` and `secret_access_key_file`; neither "
			"the "
			"environment nor ~/.aws/credentials has any, and no role of this machine "
			"answers at '%s' (%s)",
			r->endpoint, err->text);
		ended(r, &failed);
		return;
	}
	int got = advance(r, &failed);
	if (got <= 0) ended(r, got < 0 ? &failed : NULL);
}

/* ---- for the driver ---- */

bool s3_role_waits(struct s3_op *x) {
	struct s3_role *r = x->s3->role;

	if (!r) return false;
	int64_t now_ns = loop_wall_ns(x->s3->store.loop);
	int64_t since_ms = loop_now_ms(x->s3->store.loop) - r->tried_ms;
	bool fresh = r->expires_ns > now_ns + EARLY_NS;
	bool later = still_good(r) && r->failed && since_ms < AGAIN_MS;
	if (r->state == ROLE_REST && (fresh || later)) return false;
	if (r->state != ROLE_REST && fresh) return false;
	list_add_tail(&r->waiting, &x->role_link);
	if (r->state == ROLE_REST) fetch(r);
	return true;
}

/* True: it waits, and its end comes with the answer. */
bool s3_role_cancel(struct s3_op *x) {
	struct s3_role *r = x->s3->role;
	bool any = false;

	if (!r || list_empty(&x->role_link)) return false;
	x->role_cancelled = true;
	list_each(&r->waiting, link)
		any |= !list_entry(link, struct s3_op, role_link)->role_cancelled;
	if (!any) http_request_cancel(&r->request);
	return true;
}

void s3_role_new(struct s3 *s3) {
	const char *endpoint = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	struct s3_role *r = xcalloc(1, sizeof(*r));

	r->s3 = s3;
	r->endpoint = xstrdup(endpoint && *endpoint ? endpoint : METADATA_ENDPOINT);
	size_t len = strlen(r->endpoint);
	while (len > 0 && r->endpoint[len - 1] == '/') r->endpoint[--len] = '\0';
	list_init(&r->waiting);
	http_request_init(&r->request, "GET", "");
	s3->role = r;
}

void s3_role_free(struct s3 *s3) {
	struct s3_role *r = s3->role;

	if (!r) return;
	header(r, NULL);
	http_request_release(&r->request);
	secret_release(&r->token);
	free(r->endpoint);
	free(r->url);
	free(r);
	s3->role = NULL;
}
