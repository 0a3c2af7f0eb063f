#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * LIST: one page of ListObjectsV2, in XML with the names percent-encoded where the server offers
 * it: else names with control characters would break the document.
 */

enum { ANSWER_MAX = 16 << 20 };

struct raw {
	char *key; /* as the XML has it */
	char *etag;
	int64_t size;
	bool prefix; /* stands for all that begins so */
};

struct page {
	struct raw *raws;
	size_t count;
	struct raw next; /* being read */
	bool encoded, truncated;
	char *token;
};

static void page_add(struct page *page, bool prefix) {
	if ((page->count & (page->count - 1)) == 0) {
		page->raws = xrealloc(
			page->raws, (page->count ? 2 * page->count : 1) * sizeof(*page->raws));
	}
	page->next.prefix = prefix;
	page->raws[page->count++] = page->next;
	page->next = (struct raw){ 0 };
}

static void keep_text(char **at, const char *text) {
	free(*at);
	*at = xstrdup(text);
}

#define ROOT "ListBucketResult/"

static void element_ended(void *user, const char *path, const char *text) {
	struct page *page = user;

	if (!str_starts(path, ROOT)) return;
	path += strlen(ROOT);
	if (str_equal(path, "Contents/Key") || str_equal(path, "CommonPrefixes/Prefix")) {
		keep_text(&page->next.key, text);
	} else if (str_equal(path, "Contents/ETag")) {
		free(page->next.etag);
		page->next.etag = rest_etag(text);
	} else if (str_equal(path, "Contents/Size")) {
		if (str_to_int(text, 0, INT64_MAX, &page->next.size)) page->next.size = 0;
	} else if (str_equal(path, "Contents") || str_equal(path, "CommonPrefixes")) {
		if (page->next.key) page_add(page, path[1] == 'o' && path[2] == 'm');
	} else if (str_equal(path, "IsTruncated")) {
		page->truncated = str_equal(text, "true");
	} else if (str_equal(path, "NextContinuationToken")) {
		keep_text(&page->token, text);
	} else if (str_equal(path, "EncodingType")) {
		page->encoded = str_equal(text, "url");
	}
}

static void page_release(struct page *page) {
	for (size_t i = 0; i < page->count; i++) {
		free(page->raws[i].key);
		free(page->raws[i].etag);
	}
	free(page->raws);
	free(page->next.key);
	free(page->next.etag);
	free(page->token);
}

/* Forms, and so some servers, write a blank as '+'; all write a plus as %2B. */
static int decode(char *key) {
	size_t len = strlen(key);

	for (char *at = key; *at; at++) {
		if (*at == '+') *at = ' ';
	}
	long decoded = str_percent_decode(key);
	return decoded >= 0 && strlen(key) == (size_t)decoded && decoded <= (long)len ? 0 : -1;
}

static enum store_kind kind_of(const struct raw *raw, char *name) {
	size_t len = strlen(name);

	if (len && name[len - 1] == '/') {
		name[len - 1] = '\0';
		return STORE_FOLDER;
	}
	if (raw->prefix || !str_ends(name, STORE_LINK_SUFFIX)) return STORE_FILE;
	name[len - strlen(STORE_LINK_SUFFIX)] = '\0';
	return STORE_LINK;
}

/* One raw entry to an entry of the answer; -1 with x->err. */
static int tell(struct s3_op *x, const struct page *page, const struct raw *raw) {
	const char *below = x->object; /* "" or ending in '/' */

	if (page->encoded && decode(raw->key)) {
		return err_set(&x->err, ERR_CORRUPT, "a listing with a name that is badly encoded");
	}
	if (!str_starts(raw->key, below)) {
		return err_set(&x->err, ERR_CORRUPT, "a listing of '%.60s' with '%.60s' in it",
			below, raw->key);
	}
	char *name = xstrdup(raw->key + strlen(below));
	enum store_kind kind = kind_of(raw, name);
	/* The folder's own marker; and keys like "a//b" that are no paths, which others may have
	 * made. */
	if (!path_is_plain(name)) {
		free(name);
		return 0;
	}
	struct store_entry entry = {
		.name = name,
		.kind = kind,
		.size = kind == STORE_FOLDER ? 0 : raw->size,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN,
		.marker = kind == STORE_FOLDER && !raw->prefix,
	};
	if (kind != STORE_FOLDER) {
		entry.version = xstrdup(raw->etag);
		entry.hash = s3_hash_of_etag(x->s3, raw->etag);
	}
	store_entry_add(x->op, entry);
	return 0;
}

static int take_page(struct s3_op *x, const struct page *page) {
	struct store_op *op = x->op;

	if (page->truncated && !(page->token && *page->token)) {
		return err_set(
			&x->err, ERR_CORRUPT, "a listing that says it goes on, but not where");
	}
	for (size_t i = 0; i < page->count; i++) {
		if (tell(x, page, &page->raws[i])) return -1;
	}
	/* Not even its own marker: this folder does not exist. */
	if (!op->page_token && !page->truncated && page->count == 0 && *op->key) {
		return err_set(&x->err, ERR_NOT_FOUND, "the folder '%s' is not there", op->key);
	}
	op->complete = !page->truncated;
	if (page->truncated) op->next_token = xstrdup(page->token);
	return 0;
}

int s3_list_read(struct s3_op *x) {
	struct page page = { 0 };
	int result = s3_read(x, "ListBucketResult", element_ended, &page);

	if (!result) result = take_page(x, &page);
	page_release(&page);
	if (result) store_op_clear_answer(x->op); /* half a page is none */
	return result;
}

static void list_step(struct s3_op *x) {
	if (x->err.kind == ERR_NONE) s3_list_read(x);
	s3_finish(x, x->err.kind == ERR_NONE ? NULL : &x->err);
}

void s3_list(struct s3_op *x) {
	const struct store_op *op = x->op;
	int limit = op->limit > 0 && op->limit < S3_PAGE_MAX ? op->limit : S3_PAGE_MAX;
	char max_keys[16];

	x->step = list_step;
	if (op->page_token) s3_query(&x->text, "continuation-token", op->page_token);
	if (!op->recursive) s3_query(&x->text, "delimiter", "/");
	s3_query(&x->text, "encoding-type", "url");
	s3_query(&x->text, "list-type", "2");
	snprintf(max_keys, sizeof(max_keys), "%d", limit);
	s3_query(&x->text, "max-keys", max_keys);
	s3_query(&x->text, "prefix", x->object);
	s3_send(x, &(struct s3_call){
			   .method = "GET", .query = x->text.at, .answer_max = ANSWER_MAX });
}
