#include <stdlib.h>
#include <string.h>

#include "store/azure.h"
#include "store/azure_sign.h"

/* The driver: settings to a store, an operation to its flow, and the end of every flow. */

enum {
	PART_SIZE = STORE_SPAN_MAX, /* a part travels in memory */
	PART_FROM = STORE_SPAN_MAX + 1,
	PART_MAX = 50000,
	PART_LANES = 4,
	SEGMENTS_MAX = 254,
};

#define SAS_SOON_NS (72 * 3600 * NS_PER_S) /* so long before its end it is told */

/* ---- operations ---- */

static void release(struct flow *flow) {
	struct azure_op *x = azure_op_of(flow);

	timer_cancel(&x->timer);
	rest_release(&x->rest);
	strv_free(x->metadata);
	buf_release(&x->text);
	free(x->object);
	free(x->to_object);
	free(x->session_id);
	free(x);
}

static const struct flow_driver flows = {
	.look = azure_look,
	.copy = azure_copy,
	.commit = azure_commit,
	.remove = azure_remove,
	.set = azure_set,
	.release = release,
};

char *azure_object(const struct azure *azure, const char *key, enum store_kind kind) {
	const char *suffix = kind == STORE_LINK     ? STORE_LINK_SUFFIX
			     : kind == STORE_FOLDER ? "/"
						    : "";

	return xasprintf("%s%s%s", azure->prefix, key, *key ? suffix : "");
}

/* ---- the verbs ---- */

static void start_put(struct azure_op *x) {
	const struct store_op *op = x->flow.op;

	if (op->verb == STORE_PART_END && azure_open_session(x)) {
		flow_refuse_start(&x->flow);
	} else if (op->verb == STORE_REMOVE && op->kind == STORE_FOLDER) {
		azure_rmdir(x);
	} else {
		x->flow.checks_absence = x->flow.checks_version = true;
		flow_put(&x->flow);
	}
}

static void start_stat(struct azure_op *x) {
	flow_stat(&x->flow);
}

static void start_set(struct azure_op *x) {
	flow_set(&x->flow);
}

static void start_copy(struct azure_op *x) {
	flow_copy_or_move(&x->flow);
}

static void (*const starts[])(struct azure_op *x) = {
	[STORE_LIST] = azure_list,
	[STORE_STAT] = start_stat,
	[STORE_GET] = azure_get,
	[STORE_PUT] = start_put,
	[STORE_SET] = start_set,
	[STORE_MKDIR] = azure_mkdir,
	[STORE_COPY] = start_copy,
	[STORE_MOVE] = start_copy,
	[STORE_REMOVE] = start_put,
	[STORE_PART_BEGIN] = azure_part_begin,
	[STORE_PART_PUT] = azure_part_put,
	[STORE_PART_QUERY] = azure_part_query,
	[STORE_PART_END] = start_put,
	[STORE_PART_ABORT] = azure_part_abort,
	[STORE_ABOUT] = azure_about,
};

static void azure_start(struct store *store, struct store_op *op) {
	struct azure *azure = container_of(store, struct azure, store);

	if (store_answer_known(store, op)) return;
	struct azure_op *x = xcalloc(1, sizeof(*x));
	flow_init(&x->flow, store, op, &flows);
	x->azure = azure;
	op->impl = x;
	rest_init(&x->rest);
	buf_init(&x->text, 8 << 20); /* 50,000 blocks by name */
	timer_init(&x->timer, store->loop, azure_copy_timer_due);
	if (op->key)
		x->object = azure_object(
			azure, op->key, op->verb == STORE_LIST ? STORE_FOLDER : op->kind);
	starts[op->verb](x);
}

static void azure_cancel(struct store *store, struct store_op *op) {
	struct azure_op *x = op->impl;

	if (!x || flow_cancel(&x->flow)) return; /* known at once, or its end is on the way */
	if (x->waiting) timer_start(&x->timer, 0);
	http_request_cancel(&x->rest.request);
}

static const char *odd_name(const char *key) {
	size_t segments = 1;

	if (!str_is_utf8(key, strlen(key))) return "name is not UTF-8, as Azure wants it";
	for (const char *at = key; *at; at++) {
		unsigned char c = (unsigned char)*at;
		if (c < ' ' || c == 0x7f)
			return "name with a control character, which Azure lists badly";
		if (c == '\\') return "name with a backslash, which Azure takes for a slash";
		if (c == '.' && (at[1] == '/' || !at[1]))
			return "name that ends in a dot, which Azure drops";
		if (at[0] == '\xef' && at[1] == '\xbf' && (at[2] == '\xbe' || at[2] == '\xbf'))
			return "name with a character that XML cannot carry";
		segments += c == '/';
	}
	return segments > SEGMENTS_MAX ? "path of more than 254 folders" : NULL;
}

/* As its service counts them. */
static size_t characters(const char *text) {
	size_t count = 0;

	for (const unsigned char *at = (const unsigned char *)text; *at; at++)
		count += (*at & 0xc0) == 0x80 ? 0 : *at >= 0xf0 ? 2 : 1;
	return count;
}

static int azure_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	const struct azure *azure = container_of(store, struct azure, store);
	const char *odd = odd_name(key);
	char *object = azure_object(azure, key, kind);
	size_t len = characters(object);

	free(object);
	if (odd) return err_set(err, ERR_INVALID, "%s", odd);
	if (len > AZURE_NAME_MAX)
		return err_set(err, ERR_INVALID,
			"path of %zu characters: longer than the %d of Azure", len, AZURE_NAME_MAX);
	if (kind == STORE_FILE && str_ends(key, STORE_LINK_SUFFIX))
		return err_set(err, ERR_INVALID,
			"name ends in '" STORE_LINK_SUFFIX "', which stands for a symbolic link");
	return 0;
}

/* ---- the store ---- */

static void azure_free(struct store *store) {
	struct azure *azure = container_of(store, struct azure, store);

	crypto_wipe(azure->key, sizeof(azure->key));
	secret_release(&azure->sas);
	char *const texts[] = { azure->account, azure->container, azure->prefix, azure->base,
		azure->base_path, azure->endpoint, azure->ca_file, azure->key_file,
		azure->sas_file };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
	free(azure);
}

static int read_key(struct azure *azure, struct err *err) {
	struct secret text;

	if (secret_read_file(azure->key_file, &text, err)) return -1;
	uint8_t key[sizeof(azure->key)];
	long len = base64_decode(text.text, key, sizeof(key));
	secret_release(&text);
	if (len <= 0)
		return err_set(err, ERR_INVALID,
			"'%s' holds no key of an account: that is 88 characters of base64",
			azure->key_file);
	memcpy(azure->key, key, (size_t)len);
	azure->key_len = (size_t)len;
	crypto_wipe(key, sizeof(key));
	return 0;
}

static int read_sas(struct azure *azure, struct err *err) {
	struct secret text;

	if (secret_read_file(azure->sas_file, &text, err)) return -1;
	/* People copy it as a whole address, or with its question mark. */
	const char *question = strchr(text.text, '?');
	const char *query = question ? question + 1 : text.text;
	if (!strstr(query, "sig=")) {
		secret_release(&text);
		return err_set(err, ERR_INVALID,
			"'%s' holds no SAS: that is a text as sv=...&se=...&sig=...",
			azure->sas_file);
	}
	secret_release(&azure->sas);
	secret_set(&azure->sas, query);
	secret_release(&text);
	azure->sas_ends_ns = azure_sas_expiry_ns(azure->sas.text);
	return 0;
}

static bool azure_ending(const struct store *store, struct err *err) {
	const struct azure *azure = container_of(store, struct azure, store);
	int64_t left_ns = azure->sas_ends_ns - loop_wall_ns(store->loop);
	char ends[TIME_TEXT_SIZE];

	if (!azure->sas_ends_ns || left_ns > SAS_SOON_NS) return false;
	time_format(azure->sas_ends_ns, ends);
	err_set(err, ERR_DENIED, "the SAS %s at %s: put a new one into `sas_file`",
		left_ns > 0 ? "ends" : "ended", ends);
	return true;
}

static int read_secret(struct azure *azure, struct err *err) {
	if (azure->key_file ? read_key(azure, err) : read_sas(azure, err)) return -1;
	struct err soon;
	if (azure_ending(&azure->store, &soon)) log_warn("%s: %s", azure->store.label, soon.text);
	return 0;
}

/* What cannot be read leaves the old one: it may still be good. */
static void azure_renew(struct store *store) {
	struct azure *azure = container_of(store, struct azure, store);
	struct err err;

	if (read_secret(azure, &err)) log_warn("%s: %s", store->label, err.text);
}

static const struct store_driver azure_driver = {
	.scheme = "azure",
	.start = azure_start,
	.cancel = azure_cancel,
	.free = azure_free,
	.refuse = azure_refuse,
	.renew = azure_renew,
	.ending = azure_ending,
};

static void set_address(struct azure *azure) {
	const char *at = strstr(azure->endpoint, "://") + 3, *path = at + strcspn(at, "/");
	char *clean = path_clean(path);
	char *container = str_percent_encode(azure->container, "");

	azure->base = xstrndup(azure->endpoint, (size_t)(path - azure->endpoint));
	azure->base_path = xasprintf("%s/%s", str_equal(clean, "/") ? "" : clean, container);
	free(container);
	free(clean);
}

struct store *store_azure_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err) {
	struct azure *azure = xcalloc(1, sizeof(*azure));
	const char *prefix = settings->prefix;

	azure->http = http;
	azure->account = xstrdup(settings->account);
	azure->container = xstrdup(settings->container);
	azure->prefix = prefix && *prefix ? xconcat(prefix, "/") : xstrdup("");
	azure->ca_file = xstrdup(settings->ca_file);
	azure->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : 30000;
	azure->key_file = xstrdup(settings->key_file);
	azure->sas_file = xstrdup(settings->sas_file);
	azure->endpoint = settings->endpoint
				  ? xstrdup(settings->endpoint)
				  : xasprintf("https://%s.blob.core.windows.net", azure->account);
	set_address(azure);
	azure->store = (struct store){
		.driver = &azure_driver,
		.loop = loop,
		.caps = STORE_CAP_FLAT_LIST | STORE_CAP_LIST_MTIME | STORE_CAP_HASH_FIRST,
		.part_size = PART_SIZE,
		.part_from = PART_FROM,
		.part_max = PART_MAX,
		.part_lanes = PART_LANES,
		.label = xasprintf(
			"azure://%s/%s/%s", azure->account, azure->container, azure->prefix),
	};
	if (!read_secret(azure, err)) return &azure->store;
	store_free(&azure->store);
	return NULL;
}
