#include <stdlib.h>
#include <string.h>

#include "store/webdav.h"

/* PROPFIND and GET: what is there. */

enum {
	PAGE_ENTRIES = 100000, /* of one folder; about 20 MB while it is read */
	READ_TRIES = 4,
};

static const char wanted[] =
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\" "
	"xmlns:T=\"" WEBDAV_NAMESPACE "\" xmlns:O=\"http://owncloud.org/ns\"><D:prop>"
	"<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:getetag/>"
	"<D:quota-available-bytes/><T:stat/><O:checksums/></D:prop></D:propfind>\n";

void webdav_propfind(struct webdav_op *x, const char *path, const char *depth,
	void (*came)(struct webdav_op *x, const struct webdav_item *item),
	void (*answered)(struct webdav_op *x)) {
	x->item_came = came;
	rest_header(&x->rest, "Content-Type: application/xml; charset=utf-8");
	webdav_send(x,
		&(struct webdav_call){ .method = "PROPFIND",
			.path = path,
			.depth = depth,
			.body = wanted,
			.body_len = sizeof(wanted) - 1,
			.multistatus = true },
		answered);
}

/* ---- one thing ---- */

static void found(struct webdav_op *x, const struct webdav_item *item) {
	if (x->was_found || (item->status && item->status > 299)) {
		if (item->status > x->member_status) x->member_status = item->status;
		return;
	}
	x->was_found = true;
	x->free_bytes = item->free_bytes;
	store_entry_release(&x->found);
	x->found = webdav_entry(x->dav, item, x->kind);
}

void webdav_find(struct webdav_op *x, const char *path, enum store_kind kind,
	void (*answered)(struct webdav_op *x)) {
	x->kind = kind;
	x->was_found = false;
	webdav_propfind(x, path, "0", found, answered);
}

static void root_is_missing(struct webdav_op *x) {
	err_set(&x->flow.err, ERR_INVALID,
		"the folder '%s' does not exist: create it or correct `url`", x->dav->store.label);
}

static void looked(struct webdav_op *x) {
	struct flow *flow = &x->flow;

	if (flow->err.kind == ERR_NONE && !x->was_found)
		err_set(&flow->err, ERR_NOT_FOUND, "not there");
	if (flow->err.kind == ERR_NOT_FOUND && !*flow->op->key) root_is_missing(x);
	if (flow->err.kind == ERR_NONE) {
		store_entry_release(&flow->seen);
		flow->seen = x->found;
		x->found = (struct store_entry){ 0 };
	} else if (flow->err.kind == ERR_NOT_FOUND) {
		err_set(&flow->err, ERR_NOT_FOUND, "'%s' is not there", flow->op->key);
	}
	flow_next(flow);
}

void webdav_look(struct flow *flow, const char *key, enum store_kind kind) {
	struct webdav_op *x = webdav_op_of(flow);

	free(x->path);
	x->path = webdav_path(x->dav, key, kind);
	webdav_find(x, x->path, kind, looked);
}

/* ---- GET ---- */

static int64_t span_length(const struct store_op *op) {
	return op->length > 0 && op->length < STORE_SPAN_MAX ? op->length : STORE_SPAN_MAX;
}

/* As a listing would say it. */
static char *version_of_headers(const struct webdav_op *x, int64_t size) {
	const struct http_request *request = &x->rest.request;
	const char *asked = x->flow.op->if_version;
	const char *modified = http_header(request, "last-modified");
	bool by_time = asked ? str_starts(asked, "t") && strchr(asked, '-') && x->dav->no_etags
			     : x->dav->no_etags;
	int64_t ns = 0;

	if (!by_time) return rest_etag(http_header(request, "etag"));
	if (modified && time_parse_http(modified, &ns)) ns = 0;
	return xasprintf("t%lld-%lld", (long long)(ns / NS_PER_S), (long long)size);
}

static void get_known(struct webdav_op *x) {
	struct store_op *op = x->flow.op;
	struct store_entry *entry = &op->entry;

	if (op->if_version && entry->version && !str_equal(op->if_version, entry->version)) {
		err_set(&x->flow.err, ERR_CHANGED, "'%s' is not the version that was expected",
			op->key);
		flow_fail(&x->flow);
	} else {
		flow_finish(&x->flow, NULL);
	}
}

static void get_send(struct webdav_op *x);

/* lighttpd, for one, tells no ETag of a file whose type it does not know, but in a listing. */
static void version_found(struct webdav_op *x) {
	struct store_entry *entry = &x->flow.op->entry;

	if (x->flow.err.kind == ERR_NONE && !x->was_found)
		err_set(&x->flow.err, ERR_NOT_FOUND, "'%s' is not there", x->flow.op->key);
	/* It was replaced between the two answers: once more. */
	if (x->flow.err.kind == ERR_NONE && x->found.size != entry->size) {
		if (++x->again < READ_TRIES) {
			store_op_clear_answer(x->flow.op);
			get_send(x);
			return;
		}
		err_set(&x->flow.err, ERR_BUSY, "'%s' keeps changing while it is read",
			x->flow.op->key);
	}
	if (x->flow.err.kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	entry->version = x->found.version;
	x->found.version = NULL;
	get_known(x);
}

static void get_ended(struct webdav_op *x) {
	struct store_op *op = x->flow.op;
	struct store_entry *entry = &op->entry;

	entry->kind = op->kind;
	entry->size = rest_size(&x->rest.request);
	if (entry->size < 0) entry->size = op->offset + (int64_t)op->answer_body.len;
	entry->version = version_of_headers(x, entry->size);
	if (entry->version) {
		get_known(x);
	} else {
		webdav_find(x, x->path, op->kind, version_found);
	}
}

static void behind_answered(struct webdav_op *x) {
	if (x->flow.err.kind == ERR_NONE) {
		get_ended(x);
	} else {
		flow_fail(&x->flow);
	}
}

static void get_answered(struct webdav_op *x) {
	struct store_op *op = x->flow.op;
	struct http_request *request = &x->rest.request;
	struct err *err = &x->flow.err;

	if (x->status == 416) {
		/* The span is behind the end: no bytes, but an answer. */
		webdav_send(x, &(struct webdav_call){ .method = "HEAD", .path = x->path },
			behind_answered);
		return;
	}
	if (err->kind == ERR_NOT_FOUND) {
		err_set(err, ERR_NOT_FOUND, "'%s' is not there", op->key);
	} else if (err->kind == ERR_NONE && x->status == 200 &&
		   (op->offset > 0 || (int64_t)request->answer.len > span_length(op))) {
		err_set(err, ERR_CORRUPT, "'%s' does not give parts of files", x->dav->store.label);
	}
	if (err->kind != ERR_NONE) {
		flow_fail(&x->flow);
		return;
	}
	buf_release(&op->answer_body);
	op->answer_body = request->answer;
	op->answer_body.max = STORE_SPAN_MAX;
	buf_init(&request->answer, 0);
	get_ended(x);
}

static void get_send(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;
	int64_t from = op->offset, length = span_length(op);

	rest_header(&x->rest, "Range: bytes=%lld-%lld", (long long)from,
		(long long)(from + length - 1));
	webdav_send(x,
		&(struct webdav_call){
			.method = "GET", .path = x->path, .answer_max = (size_t)length },
		get_answered);
}

void webdav_get(struct webdav_op *x) {
	x->path = webdav_path(x->dav, x->flow.op->key, x->flow.op->kind);
	get_send(x);
}

/* ---- LIST ---- */

/*
 * WebDAV has no pages. What is more than a page is asked for again, and of all that comes the
 * smallest names behind the last page's are taken: so no name is missed that is there all the while.
 */

static int by_name(const void *left, const void *right) {
	const struct store_entry *a = left, *b = right;
	return strcmp(a->name, b->name);
}

static void member_came(struct webdav_op *x, const struct webdav_item *item) {
	struct store_op *op = x->flow.op;
	size_t own = strlen(x->path);

	if (item->status > 299) {
		if (item->status > x->member_status) x->member_status = item->status;
		return;
	}
	while (own && x->path[own - 1] == '/') own--;
	if (strncmp(item->path, x->path, own) != 0 || (item->path[own] && item->path[own] != '/')) {
		err_set(&x->xml_err, ERR_CORRUPT,
			"'%s' lists a name outside of it: set `url` to the path that the server "
			"itself "
			"uses",
			x->dav->store.label);
		return;
	}
	const char *name = item->path + own;
	while (*name == '/') name++;
	if (!*name) {
		x->was_found = item->is_folder;
		return;
	}
	if (!path_is_plain(name) || strchr(name, '/')) return; /* more than was asked for */
	bool link = !item->is_folder && str_ends(name, STORE_LINK_SUFFIX);
	size_t len = strlen(name) - (link ? strlen(STORE_LINK_SUFFIX) : 0);
	if (len == 0) return;
	struct store_entry entry = webdav_entry(x->dav, item, link ? STORE_LINK : STORE_FILE);
	entry.name = xstrndup(name, len);
	if (op->page_token && strcmp(entry.name, op->page_token) <= 0) {
		store_entry_release(&entry);
	} else {
		store_entry_add(op, entry);
	}
}

static void list_answered(struct webdav_op *x) {
	struct store_op *op = x->flow.op;
	size_t limit = op->limit > 0 ? (size_t)op->limit : PAGE_ENTRIES;

	if (x->flow.err.kind == ERR_NONE && !x->was_found)
		err_set(&x->flow.err, ERR_NOT_FOUND, "the folder '%s' is not there", op->key);
	if (x->flow.err.kind == ERR_NOT_FOUND && !*op->key) root_is_missing(x);
	if (x->flow.err.kind != ERR_NONE) {
		struct err err = x->flow.err;
		store_op_clear_answer(op); /* half a list is none */
		flow_finish(&x->flow, &err);
		return;
	}
	if (op->entry_count) qsort(op->entries, op->entry_count, sizeof(*op->entries), by_name);
	if (op->entry_count > limit) {
		for (size_t i = limit; i < op->entry_count; i++)
			store_entry_release(&op->entries[i]);
		op->entry_count = limit;
		op->next_token = xstrdup(op->entries[limit - 1].name);
	}
	op->complete = op->next_token == NULL;
	flow_finish(&x->flow, NULL);
}

void webdav_list(struct webdav_op *x) {
	const struct store_op *op = x->flow.op;

	if (op->recursive) {
		err_set(&x->flow.err, ERR_INVALID, "a webdav store lists folder by folder");
		flow_refuse_start(&x->flow);
		return;
	}
	x->path = webdav_path(x->dav, op->key, STORE_FOLDER);
	x->was_found = false;
	webdav_propfind(x, x->path, "1", member_came, list_answered);
}
