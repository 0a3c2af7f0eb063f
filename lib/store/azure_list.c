#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/azure.h"

/* LIST: a page of blobs, with their metadata, so that nobody need be asked one by one. */

enum { PAGE_MAX = 1000, ANSWER_MAX = 8 << 20, NAMES_MAX = 1 << 20, EMPTY_PAGES_MAX = 1000 };

#define ROOT "EnumerationResults/Blobs/"

struct page {
	struct azure_op *x;
	char *name; /* of the blob or prefix that is being read */
	struct store_entry next;
	char *marker;
	bool corrupt;
	size_t seen;
};

static void next_clear(struct page *page) {
	free(page->name);
	page->name = NULL;
	store_entry_release(&page->next);
}

static enum store_kind kind_of(char *name, bool prefix) {
	size_t len = strlen(name);

	if (len && name[len - 1] == '/') {
		name[len - 1] = '\0';
		return STORE_FOLDER;
	}
	if (prefix || !str_ends(name, STORE_LINK_SUFFIX)) return STORE_FILE;
	name[len - strlen(STORE_LINK_SUFFIX)] = '\0';
	return STORE_LINK;
}

static void row_ended(struct page *page, bool prefix) {
	struct store_entry *entry = &page->next;
	const char *below = page->x->object; /* "" or ending in '/' */

	page->seen++;
	if (!page->name || !str_starts(page->name, below)) {
		page->corrupt = true;
		next_clear(page);
		return;
	}
	char *name = xstrdup(page->name + strlen(below));
	entry->kind = kind_of(name, prefix);
	/* The folder's own marker; and names like "a//b" that are no paths, which others may have made. */
	if (!path_is_plain(name)) {
		free(name);
		next_clear(page);
		return;
	}
	entry->name = name;
	if (entry->kind == STORE_FOLDER) {
		entry->marker = !prefix;
		entry->size = 0;
		entry->hash.kind = STORE_HASH_NONE;
		free(entry->version);
		entry->version = NULL;
	}
	if (entry->kind == STORE_LINK) entry->mode = STORE_MODE_UNKNOWN;
	store_entry_add(page->x->flow.op, *entry);
	*entry =
		(struct store_entry){ .mtime_ns = STORE_MTIME_UNKNOWN, .mode = STORE_MODE_UNKNOWN };
	next_clear(page);
}

static void field_ended(struct page *page, const char *field, const char *text) {
	struct store_entry *entry = &page->next;

	if (str_equal(field, "Name")) {
		free(page->name);
		page->name = xstrdup(text);
	} else if (str_equal(field, "Properties/Content-Length")) {
		if (str_to_int(text, 0, INT64_MAX, &entry->size)) entry->size = 0;
	} else if (str_equal(field, "Properties/Etag")) {
		free(entry->version);
		entry->version = rest_etag(text);
	} else if (str_equal(field, "Properties/Content-MD5")) {
		if (base64_decode(text, entry->hash.bytes, sizeof(entry->hash.bytes)) == 16)
			entry->hash.kind = STORE_HASH_MD5;
	} else if (str_equal(field, "Metadata/mtime")) {
		entry->mtime_ns = azure_parse_time(text);
	} else if (str_equal(field, "Metadata/mode")) {
		entry->mode = azure_parse_mode(text);
	}
}

static void element_ended(void *user, const char *path, const char *text) {
	struct page *page = user;

	if (str_equal(path, "EnumerationResults/NextMarker") && *text) {
		free(page->marker);
		page->marker = xstrdup(text);
	}
	if (!str_starts(path, ROOT)) return;
	path += strlen(ROOT);
	if (str_starts(path, "Blob/"))
		field_ended(page, path + strlen("Blob/"), text);
	else if (str_starts(path, "BlobPrefix/"))
		field_ended(page, path + strlen("BlobPrefix/"), text);
	else if (str_equal(path, "Blob") || str_equal(path, "BlobPrefix"))
		row_ended(page, path[4] == 'P');
}

static void list_send(struct azure_op *x, const char *marker);

static void list_answered(struct azure_op *x) {
	struct store_op *op = x->flow.op;
	struct page page = { .x = x, .next = x->flow.seen };

	if (x->flow.err.kind == ERR_NONE) azure_read(x, "EnumerationResults", element_ended, &page);
	next_clear(&page);
	if (x->flow.err.kind == ERR_NONE && page.corrupt)
		err_set(&x->flow.err, ERR_CORRUPT, "a listing of '%.60s' with another name in it",
			x->object);
	/* The service may give pages without a blob before the end. */
	if (x->flow.err.kind == ERR_NONE && !op->entry_count && page.marker &&
		++x->pages < EMPTY_PAGES_MAX) {
		list_send(x, page.marker);
		free(page.marker);
		return;
	}
	/* Not even its own marker: this folder does not exist. */
	if (x->flow.err.kind == ERR_NONE && !op->page_token && !page.marker && !page.seen &&
		*op->key)
		err_set(&x->flow.err, ERR_NOT_FOUND, "the folder '%s' is not there", op->key);
	if (x->flow.err.kind == ERR_NONE) {
		op->complete = !page.marker;
		op->next_token = page.marker;
		flow_finish(&x->flow, NULL);
		return;
	}
	free(page.marker);
	struct err err = x->flow.err;
	store_op_clear_answer(op); /* half a page is none */
	flow_finish(&x->flow, &err);
}

static void list_send(struct azure_op *x, const char *marker) {
	const struct store_op *op = x->flow.op;
	int limit = op->limit > 0 && op->limit < PAGE_MAX ? op->limit : PAGE_MAX;
	char most[16];

	snprintf(most, sizeof(most), "%d", limit);
	buf_clear(&x->text);
	azure_query(&x->text, "comp", "list");
	if (!op->recursive) azure_query(&x->text, "delimiter", "/");
	azure_query(&x->text, "include", "metadata");
	if (marker) azure_query(&x->text, "marker", marker);
	azure_query(&x->text, "maxresults", most);
	azure_query(&x->text, "prefix", x->object);
	azure_query(&x->text, "restype", "container");
	azure_send(x,
		&(struct azure_call){
			.method = "GET", .query = x->text.at, .answer_max = ANSWER_MAX },
		list_answered);
}

void azure_list(struct azure_op *x) {
	list_send(x, x->flow.op->page_token);
}

/* ---- what a folder holds: two names of those that begin so tell all ---- */

struct names {
	struct azure_op *x;
	char *marker;
};

static void names_send(struct azure_op *x, const char *marker);

static void name_came(void *user, const char *path, const char *text) {
	struct names *names = user;
	struct azure_op *x = names->x;

	if (str_equal(path, "EnumerationResults/NextMarker") && *text) {
		free(names->marker);
		names->marker = xstrdup(text);
	} else if (!str_equal(path, ROOT "Blob/Name")) {
		return;
	} else if (str_equal(text, x->object)) {
		x->own++;
	} else {
		x->others++;
	}
}

static void names_answered(struct azure_op *x) {
	struct names names = { .x = x };
	struct err *err = &x->flow.err;

	if (err->kind == ERR_NONE) azure_read(x, "EnumerationResults", name_came, &names);
	/* A page may end before it is full, or have no name at all. */
	bool more = err->kind == ERR_NONE && names.marker && !x->others;
	if (more && ++x->pages < EMPTY_PAGES_MAX) {
		names_send(x, names.marker);
	} else {
		if (more) err_set(err, ERR_BUSY, "no end of the list of '%.60s'", x->object);
		x->named(x);
	}
	free(names.marker);
}

static void names_send(struct azure_op *x, const char *marker) {
	buf_clear(&x->text);
	azure_query(&x->text, "comp", "list");
	if (marker) azure_query(&x->text, "marker", marker);
	azure_query(&x->text, "maxresults", "2");
	azure_query(&x->text, "prefix", x->object);
	azure_query(&x->text, "restype", "container");
	azure_send(x,
		&(struct azure_call){
			.method = "GET", .query = x->text.at, .answer_max = NAMES_MAX },
		names_answered);
}

void azure_names(struct azure_op *x, void (*named)(struct azure_op *x)) {
	x->own = x->others = x->pages = 0;
	x->named = named;
	names_send(x, NULL);
}
