#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/*
 * REVISIONS: what a bucket that keeps versions itself still has, by pages of ListObjectVersions: of each key newest
 * first, deletions among them. A bucket that keeps none is asked once, and its answer is empty.
 */

enum revisions_state { REVISIONS_ASK, REVISIONS_LIST };
enum { ANSWER_MAX = 16 << 20 };

#define ROOT "ListVersionsResult/"

struct revision {
	char *key, *id, *etag;
	int64_t size, since_ns;
	bool gone;
};

struct page {
	struct revision *rows;
	size_t count;
	struct revision next; /* being read */
	bool encoded, truncated;
	char *key_marker, *id_marker;
};

static void keep_text(char **at, const char *text) {
	free(*at);
	*at = xstrdup(text);
}

static void revision_release(struct revision *revision) {
	free(revision->key);
	free(revision->id);
	free(revision->etag);
	*revision = (struct revision){ 0 };
}

static void row_ended(struct page *page, bool gone) {
	if (!page->next.key || !page->next.id) {
		revision_release(&page->next);
		return;
	}
	if ((page->count & (page->count - 1)) == 0)
		page->rows = xrealloc(
			page->rows, (page->count ? 2 * page->count : 1) * sizeof(*page->rows));
	page->next.gone = gone;
	page->rows[page->count++] = page->next;
	page->next = (struct revision){ 0 };
}

static void field_ended(struct revision *row, const char *field, const char *text) {
	if (str_equal(field, "Key")) keep_text(&row->key, text);
	if (str_equal(field, "VersionId")) keep_text(&row->id, text);
	if (str_equal(field, "LastModified") && time_parse(text, &row->since_ns)) row->since_ns = 0;
	if (str_equal(field, "Size") && str_to_int(text, 0, INT64_MAX, &row->size)) row->size = 0;
	if (str_equal(field, "ETag")) {
		free(row->etag);
		row->etag = rest_etag(text);
	}
}

static void element_ended(void *user, const char *path, const char *text) {
	struct page *page = user;

	if (!str_starts(path, ROOT)) return;
	path += strlen(ROOT);
	if (str_starts(path, "Version/"))
		field_ended(&page->next, path + strlen("Version/"), text);
	else if (str_starts(path, "DeleteMarker/"))
		field_ended(&page->next, path + strlen("DeleteMarker/"), text);
	else if (str_equal(path, "Version") || str_equal(path, "DeleteMarker"))
		row_ended(page, path[0] == 'D');
	else if (str_equal(path, "IsTruncated"))
		page->truncated = str_equal(text, "true");
	else if (str_equal(path, "NextKeyMarker"))
		keep_text(&page->key_marker, text);
	else if (str_equal(path, "NextVersionIdMarker"))
		keep_text(&page->id_marker, text);
	else if (str_equal(path, "EncodingType"))
		page->encoded = str_equal(text, "url");
}

static void page_release(struct page *page) {
	for (size_t i = 0; i < page->count; i++) revision_release(&page->rows[i]);
	revision_release(&page->next);
	free(page->rows);
	free(page->key_marker);
	free(page->id_marker);
}

/* The name relative to what was asked for, "" for itself; NULL: it is another. The caller's. */
static char *name_of(const struct s3_op *x, const char *key, enum store_kind *kind) {
	size_t asked = strlen(x->object);
	const char *rest = strncmp(key, x->object, asked) == 0 ? key + asked : NULL;

	*kind = STORE_FILE;
	if (!rest) return NULL;
	if (*x->op->key && *rest == '/')
		rest++;
	else if (*x->op->key && *rest && !str_equal(rest, STORE_LINK_SUFFIX))
		return NULL;
	char *name = xstrdup(rest);
	size_t len = strlen(name);
	if (str_ends(name, STORE_LINK_SUFFIX)) {
		*kind = STORE_LINK;
		name[len - strlen(STORE_LINK_SUFFIX)] = '\0';
	}
	if (!*name || path_is_plain(name)) return name;
	free(name); /* a folder's marker, or no path */
	return NULL;
}

static int decode(const struct page *page, char *key) {
	if (!page->encoded) return 0;
	for (char *at = key; *at; at++) {
		if (*at == '+') *at = ' ';
	}
	return str_percent_decode(key) < 0 ? -1 : 0;
}

static int take_page(struct s3_op *x, struct page *page) {
	if (page->truncated && !page->key_marker)
		return err_set(
			&x->err, ERR_CORRUPT, "a listing that says it goes on, but not where");
	for (size_t i = 0; i < page->count; i++) {
		struct revision *row = &page->rows[i];
		enum store_kind kind;
		if (decode(page, row->key))
			return err_set(&x->err, ERR_CORRUPT,
				"a listing with a name that is badly encoded");
		char *name = name_of(x, row->key, &kind);
		if (!name) continue;
		struct store_entry entry = { .name = name,
			.kind = kind,
			.size = row->size,
			.mtime_ns = STORE_MTIME_UNKNOWN,
			.mode = STORE_MODE_UNKNOWN,
			.version = xstrdup(row->etag),
			.revision = xstrdup(row->id),
			.since_ns = row->since_ns,
			.gone = row->gone };
		store_entry_add(x->op, entry);
	}
	if (page->truncated && decode(page, page->key_marker))
		return err_set(&x->err, ERR_CORRUPT, "a listing with a name that is badly encoded");
	x->op->complete = !page->truncated;
	if (page->truncated)
		x->op->next_token = xasprintf(
			"%s %s", page->id_marker ? page->id_marker : "", page->key_marker);
	return 0;
}

static void list_start(struct s3_op *x) {
	const char *token = x->op->page_token, *space = token ? strchr(token, ' ') : NULL;
	char *id = space ? xstrndup(token, (size_t)(space - token)) : NULL;

	x->state = REVISIONS_LIST;
	s3_query(&x->text, "encoding-type", "url");
	if (space) s3_query(&x->text, "key-marker", space + 1);
	s3_query(&x->text, "max-keys", "1000");
	s3_query(&x->text, "prefix", x->object);
	if (id && *id) s3_query(&x->text, "version-id-marker", id);
	s3_query(&x->text, "versions", "");
	free(id);
	s3_send(x, &(struct s3_call){
			   .method = "GET", .query = x->text.at, .answer_max = ANSWER_MAX });
}

static void status_ended(void *user, const char *path, const char *text) {
	if (str_ends(path, "/Status") &&
		(str_equal(text, "Enabled") || str_equal(text, "Suspended")))
		*(bool *)user = true;
}

static void revisions_step(struct s3_op *x) {
	struct page page = { 0 };
	bool keeps = false;

	if (x->err.kind != ERR_NONE) {
		s3_fail(x);
		return;
	}
	if (x->state == REVISIONS_ASK) {
		s3_read(x, "VersioningConfiguration", status_ended, &keeps);
		x->op->complete = !keeps;
		if (x->err.kind != ERR_NONE)
			s3_fail(x);
		else if (keeps)
			list_start(x);
		else
			s3_finish(x, NULL);
		return;
	}
	int rc = s3_read(x, "ListVersionsResult", element_ended, &page);
	if (!rc) rc = take_page(x, &page);
	page_release(&page);
	if (rc) store_op_clear_answer(x->op); /* half a page is none */
	s3_finish(x, rc ? &x->err : NULL);
}

void s3_revisions(struct s3_op *x) {
	x->step = revisions_step;
	if (x->op->page_token) {
		list_start(x);
		return;
	}
	x->state = REVISIONS_ASK;
	s3_send(x, &(struct s3_call){ .method = "GET", .query = "versioning=" });
}
