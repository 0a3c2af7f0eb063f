#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * LIST: one page of one folder. Names need not be unique: of those that are alike one is the path, the
 * others are told as something that is not ours, and so are documents, shortcuts, and names that
 * cannot be a path. Names come in order, so that what is alike stands together; the last name goes
 * along in the token, for a pair that two pages part.
 */

#define PAGE_MAX   1000
#define TOKEN_MARK '\n'

/* Names with their kind before them. */
struct page {
	char *before; /* the last of the page before */
	char *last;
};

/* Something that is there and is nobody's path. */
static void tell_other(struct gdrive_op *x, const struct gdrive_file *file, const char *why) {
	char *name = xasprintf("%s (%s %s)", file->name, why, file->entry.id);

	for (char *at = name; *at; at++) {
		if (*at == '/') *at = '|';
	}
	store_entry_add(x->op, (struct store_entry){ .name = name,
				       .kind = STORE_OTHER,
				       .id = xstrdup(file->entry.id),
				       .mtime_ns = STORE_MTIME_UNKNOWN,
				       .mode = STORE_MODE_UNKNOWN });
}

static char *mark_of(const struct gdrive_file *file) {
	return xasprintf("%c%s", file->entry.kind == STORE_FOLDER ? 'd' : 'f', file->name);
}

static void tell(struct gdrive_op *x, struct page *page, struct gdrive_file *file) {
	char *mark = mark_of(file);
	if (file->entry.kind == STORE_OTHER) {
		tell_other(x, file, "document");
	} else if (!gdrive_name_is_path(file->name)) {
		tell_other(x, file, "no path");
	} else if (str_equal(mark, page->last) || str_equal(mark, page->before)) {
		tell_other(x, file, "duplicate");
	} else {
		file->entry.name = gdrive_file_name(file);
		if (file->entry.kind == STORE_FOLDER && !gdrive_is_late(x)) {
			char *path = path_join(x->at.path, file->name);
			gdrive_node_told(x->gd, path, true, file->entry.id);
			free(path);
		}
		store_entry_add(x->op, file->entry);
		file->entry = (struct store_entry){ 0 };
	}
	free(page->last);
	page->last = mark;
}

/* Alike ones together, and of those the one first that a look at the path would find. */
static int compare(const void *left, const void *right) {
	const struct gdrive_file *a = left, *b = right;
	bool a_folder = a->entry.kind == STORE_FOLDER, b_folder = b->entry.kind == STORE_FOLDER;
	int order = strcmp(a->name, b->name);

	if (order) return order;
	if (a_folder != b_folder) return a_folder ? -1 : 1;
	if (!a->created || !b->created) return 0;
	if (a_folder) return strcmp(a->created, b->created);
	if ((a->entry.kind == STORE_OTHER) != (b->entry.kind == STORE_OTHER))
		return a->entry.kind == STORE_OTHER ? 1 : -1;
	if (a->ours != b->ours) return a->ours ? -1 : 1;
	return strcmp(b->created, a->created);
}

static void take_page(struct gdrive_op *x) {
	const json_t *files = json_object_get(x->answer, "files"), *one;
	const char *token = json_string_value(json_object_get(x->answer, "nextPageToken"));
	const char *mark = x->op->page_token ? strchr(x->op->page_token, TOKEN_MARK) : NULL;
	struct page page = { .before = mark && mark[1] ? xstrdup(mark + 1) : NULL };
	char *border = NULL;
	struct gdrive_file *all = xcalloc(json_array_size(files) + 1, sizeof(*all));
	size_t count = 0, i;

	json_array_foreach(files, i, one) {
		if (!gdrive_file_read(one, &all[count])) {
			gdrive_file_release(&all[count]);
			continue;
		}
		gdrive_name_decode(all[count].name);
		free(border);
		border = mark_of(&all[count++]);
	}
	qsort(all, count, sizeof(*all), compare);
	for (i = 0; i < count; i++) {
		if (!all[i].trashed) tell(x, &page, &all[i]);
		gdrive_file_release(&all[i]);
	}
	x->op->complete = token == NULL;
	if (token) x->op->next_token = xasprintf("%s%c%s", token, TOKEN_MARK, border ? border : "");
	free(border);
	free(page.before);
	free(page.last);
	free(all);
}

static void page_came(struct gdrive_op *x) {
	if (x->err.kind == ERR_NONE && !json_is_array(json_object_get(x->answer, "files")))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a list");
	/* A part of the folders was not looked at: what is missing is not known to be gone. */
	if (x->err.kind == ERR_NONE && json_is_true(json_object_get(x->answer, "incompleteSearch")))
		err_set(&x->err, ERR_BUSY, "Google Drive could not list all of '%s'", x->op->key);
	if (x->err.kind == ERR_NONE) take_page(x);
	gdrive_end(x);
}

static void list_page(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	int limit = op->limit > 0 && op->limit < PAGE_MAX ? op->limit : PAGE_MAX;
	size_t token_len = op->page_token ? strcspn(op->page_token, "\n") : 0;
	char *token = op->page_token ? xstrndup(op->page_token, token_len) : NULL;
	char *quoted = gdrive_quote(x->file_id);
	char *q = xasprintf("%s in parents and trashed = false", quoted);

	x->step = page_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_query_url(x, q, limit,
				       "nextPageToken,incompleteSearch,files(" GDRIVE_FIELDS ")",
				       token) });
	free(q);
	free(quoted);
	free(token);
}

/* A query says "empty" of a folder that has gone, too. */
static void folder_looked(struct gdrive_op *x) {
	bool gone =
		x->err.kind == ERR_NOT_FOUND || json_is_true(json_object_get(x->answer, "trashed"));

	if (gone) {
		gdrive_node_forget(x->gd, x->at.path, true);
		err_set(&x->err, ERR_NOT_FOUND, "the folder '%s' is not there", x->op->key);
	}
	if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
	} else {
		list_page(x);
	}
}

static void walked(struct gdrive_op *x, const char *id, bool fresh) {
	if (!id) {
		err_set(&x->err, ERR_NOT_FOUND, "the folder '%s' is not there", x->op->key);
		gdrive_fail(x);
		return;
	}
	x->file_id = xstrdup(id);
	if (x->op->page_token || str_equal(id, "root")) {
		list_page(x);
		return;
	}
	x->step = folder_looked;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_file_url(x, id, "fields=id%2Ctrashed") });
}

void gdrive_list(struct gdrive_op *x) {
	gdrive_place_set(x, &x->at, x->op->key, STORE_FOLDER);
	gdrive_walk(x, x->at.path, false, walked);
}
