#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/* The driver: settings to a store, an operation to its flow, and the end of every flow. */

enum {
	PART_SIZE = STORE_SPAN_MAX, /* a part travels in memory; Nextcloud wants 5 MiB at least */
	PART_FROM = STORE_SPAN_MAX + 1,
	PART_MAX = 10000,
	CHUNK_LANES = 4,
	NAME_MAX_BYTES = 240, /* servers put files of their own beside, whose names are longer */
	VENDOR_AUTO = 0,
	VENDOR_NEXTCLOUD,
};

/* ---- operations ---- */

static void release(struct flow *flow) {
	struct webdav_op *x = webdav_op_of(flow);

	webdav_request_release(x);
	store_entry_release(&x->found);
	store_entry_release(&x->meta);
	buf_release(&x->text);
	free(x->path);
	free(x->to_path);
	free(x->folder);
	free(x->session_id);
	free(x);
}

static const struct flow_driver flows = {
	.look = webdav_look,
	.copy = webdav_copy,
	.commit = webdav_commit,
	.remove = webdav_remove,
	.set = webdav_set,
	.times = webdav_times,
	.release = release,
};

char *webdav_path(const struct webdav *dav, const char *key, enum store_kind kind) {
	const char *suffix = kind == STORE_LINK     ? STORE_LINK_SUFFIX
			     : kind == STORE_FOLDER ? "/"
						    : "";

	if (!*key) return xconcat(dav->root, "/");
	return xasprintf("%s/%s%s", dav->root, key, suffix);
}

/* ---- the verbs ---- */

static void start_put(struct webdav_op *x) {
	const struct webdav *dav = x->dav;
	const struct store_op *op = x->flow.op;
	bool put = op->verb == STORE_PUT;

	if (op->verb == STORE_PART_END && webdav_open_session(x)) {
		flow_refuse_start(&x->flow);
		return;
	}
	if (op->verb == STORE_REMOVE && op->kind == STORE_FOLDER) {
		webdav_rmdir(x);
		return;
	}
	x->flow.checks_absence = put && dav->creates_only;
	/* A version made of a time is no ETag. */
	x->flow.checks_version = put && dav->matches && !dav->no_etags;
	flow_put(&x->flow);
}

static void start_stat(struct webdav_op *x) {
	flow_stat(&x->flow);
}

static void start_set(struct webdav_op *x) {
	flow_set(&x->flow);
}

static void start_copy(struct webdav_op *x) {
	flow_copy_or_move(&x->flow);
}

static void (*const starts[])(struct webdav_op *x) = {
	[STORE_LIST] = webdav_list,
	[STORE_STAT] = start_stat,
	[STORE_GET] = webdav_get,
	[STORE_PUT] = start_put,
	[STORE_SET] = start_set,
	[STORE_MKDIR] = webdav_mkdir,
	[STORE_COPY] = start_copy,
	[STORE_MOVE] = start_copy,
	[STORE_REMOVE] = start_put,
	[STORE_PART_BEGIN] = webdav_part_begin,
	[STORE_PART_PUT] = webdav_part_put,
	[STORE_PART_QUERY] = webdav_part_query,
	[STORE_PART_END] = start_put,
	[STORE_PART_ABORT] = webdav_part_abort,
	[STORE_ABOUT] = webdav_about,
};

static void webdav_start(struct store *store, struct store_op *op) {
	struct webdav *dav = container_of(store, struct webdav, store);

	if (store_answer_known(store, op)) return;
	struct webdav_op *x = xcalloc(1, sizeof(*x));
	flow_init(&x->flow, store, op, &flows);
	x->dav = dav;
	op->impl = x;
	rest_init(&x->rest);
	buf_init(&x->text, 64 << 10);
	x->found = x->meta = x->flow.seen;
	x->free_bytes = -1;
	starts[op->verb](x);
}

static void webdav_cancel(struct store *store, struct store_op *op) {
	struct webdav_op *x = op->impl;

	if (!x || flow_cancel(&x->flow)) return; /* known at once, or its end is on the way */
	http_request_cancel(&x->rest.request);
	if (x->job.impl) job_cancel(&x->job);
}

static int webdav_refuse(
	struct store *store, const char *key, enum store_kind kind, struct err *err) {
	size_t suffix = kind == STORE_LINK ? strlen(STORE_LINK_SUFFIX) : 0;

	if (!str_is_utf8(key, strlen(key)))
		return err_set(err, ERR_INVALID, "name is not UTF-8, as WebDAV wants it");
	for (const unsigned char *at = (const unsigned char *)key; *at; at++) {
		/* They would travel, percent-encoded; lighttpd makes '_' of them, Nextcloud refuses them. */
		if (*at < ' ' || *at == 0x7f)
			return err_set(err, ERR_INVALID,
				"name with a control character, which WebDAV servers refuse");
	}
	const struct webdav *dav = container_of(store, struct webdav, store);
	if (dav->hides_dots && (*key == '.' || strstr(key, "/.")) &&
		!path_is_within(key, WEBDAV_OWN))
		return err_set(err, ERR_INVALID,
			"name begins with a dot, and the server lists no such names");
	if (strlen(path_name(key)) + suffix > NAME_MAX_BYTES)
		return err_set(err, ERR_INVALID, "name longer than %d bytes", NAME_MAX_BYTES);
	if (kind == STORE_FILE && str_ends(key, STORE_LINK_SUFFIX))
		return err_set(err, ERR_INVALID,
			"name ends in '" STORE_LINK_SUFFIX "', which stands for a symbolic link");
	return 0;
}

/* ---- the store ---- */

static void webdav_free(struct store *store) {
	struct webdav *dav = container_of(store, struct webdav, store);

	webdav_auth_release(&dav->auth);
	secret_release(&dav->password);
	char *const texts[] = { dav->base, dav->root, dav->uploads, dav->ca_file, dav->user,
		dav->password_file };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) free(texts[i]);
	free(dav);
}

/* What cannot be read leaves the old one: it may still be good. */
static void webdav_renew(struct store *store) {
	struct webdav *dav = container_of(store, struct webdav, store);
	struct secret fresh;
	struct err err;

	if (!dav->password_file) return;
	if (secret_read_file(dav->password_file, &fresh, &err)) {
		log_warn("%s: %s", store->label, err.text);
		return;
	}
	secret_release(&dav->password);
	dav->password = fresh;
	webdav_auth_release(&dav->auth);
}

static const struct store_driver webdav_driver = {
	.scheme = "webdav",
	.start = webdav_start,
	.cancel = webdav_cancel,
	.free = webdav_free,
	.refuse = webdav_refuse,
	.renew = webdav_renew,
};

/* "https://host/a%20b/" to "https://host" and "/a b". -1: it is no address. */
static int set_address(struct webdav *dav, const char *url, struct err *err) {
	const char *at = strstr(url, "://") + 3, *path = at + strcspn(at, "/");

	dav->base = xstrndup(url, (size_t)(path - url));
	dav->root = xstrdup(path);
	long len = str_percent_decode(dav->root);
	if (len < 0 || (size_t)len != strlen(dav->root) || strpbrk(path, "?#"))
		return err_set(
			err, ERR_INVALID, "`url` is no plain address: escape odd characters");
	while (len > 0 && dav->root[len - 1] == '/') dav->root[--len] = '\0';
	return 0;
}

/* Where Nextcloud and ownCloud take parts, by the way their addresses are built; NULL: it is none. */
static char *uploads_of(const char *root) {
	static const char files[] = "/remote.php/dav/files/";
	const char *at = strstr(root, files);

	if (!at || !at[strlen(files)]) return NULL;
	const char *user = at + strlen(files);
	return xasprintf("%.*s/remote.php/dav/uploads/%.*s", (int)(at - root), root,
		(int)strcspn(user, "/"), user);
}

struct store *store_webdav_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err) {
	struct webdav *dav = xcalloc(1, sizeof(*dav));

	dav->http = http;
	dav->ca_file = xstrdup(settings->ca_file);
	dav->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : 30000;
	dav->user = xstrdup(settings->user);
	dav->password_file = xstrdup(settings->password_file);
	dav->store = (struct store){
		.driver = &webdav_driver,
		.loop = loop,
		.may_fold = true,
		.caps = STORE_CAP_FOLDERS | STORE_CAP_LIST_MTIME | STORE_CAP_HASH_FIRST |
			STORE_CAP_MOVE,
		.part_size = PART_SIZE,
		.part_from = PART_FROM,
		.part_max = PART_MAX,
		.part_hash = STORE_HASH_SEAL, /* the server compares nothing, we do */
		.label = xstrdup(settings->url),
	};
	int failed = set_address(dav, settings->url, err);
	if (!failed && settings->vendor <= VENDOR_NEXTCLOUD) dav->uploads = uploads_of(dav->root);
	/* Ranges of one file go one by one: servers that copy it, change the copy and put that in its
	 * place (Tomcat, lighttpd on request) would lose one of two. */
	if (dav->uploads) dav->store.part_lanes = CHUNK_LANES;
	/* Nextcloud tells and compares MD5; elsewhere the hash is in a property of ours, and so ours to choose. Measured, a
	 * processor with instructions for it: 1.8 GB/s, MD5 0.8. */
	dav->store.digest = dav->uploads ? DIGEST_MD5 : DIGEST_SHA256;
	dav->store.deep_versions = dav->uploads != NULL;
	if (!failed && settings->vendor == VENDOR_NEXTCLOUD && !dav->uploads)
		failed = err_set(err, ERR_INVALID,
			"`url` of a Nextcloud is https://HOST/remote.php/dav/files/USER");
	if (!failed && dav->password_file)
		failed = secret_read_file(dav->password_file, &dav->password, err);
	if (!failed) return &dav->store;
	store_free(&dav->store);
	return NULL;
}
