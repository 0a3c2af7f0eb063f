#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * REVISIONS of a folder: what lies in Drive's trash of it and of the folders that went with it, for 30 days. What lies in the folders that
 * are still there is asked of those. When something went, Drive tells in shared drives alone: what we put there ourselves says it in a
 * property; of the rest it is only known that it is gone now. Only the last content is told, not what stood there before.
 */

#define FIELDS "nextPageToken,incompleteSearch,files(" GDRIVE_FIELDS ",trashedTime)"

enum { PAGE_MAX = 1000, DEPTH_MAX = 4096 };

struct trash_folder {
	char *id, *path; /* path: from the folder that is asked about, as names are here */
	int64_t gone_ns; /* what lies in it is gone since then, too; 0: it is still there */
};

struct trashed {
	struct store_entry entry; /* name: its path */
	int64_t gone_ns;
};

struct gdrive_trash {
	struct trash_folder *folders;
	size_t folder_count, at;
	struct trashed *found;
	size_t count;
};

void gdrive_trash_release(struct gdrive_trash *trash) {
	if (!trash) return;
	for (size_t i = 0; i < trash->folder_count; i++) {
		free(trash->folders[i].id);
		free(trash->folders[i].path);
	}
	for (size_t i = 0; i < trash->count; i++) store_entry_release(&trash->found[i].entry);
	free(trash->folders);
	free(trash->found);
	free(trash);
}

static void folder_add(
	struct gdrive_trash *trash, const char *id, const char *path, int64_t gone_ns) {
	trash->folders =
		xrealloc(trash->folders, (trash->folder_count + 1) * sizeof(*trash->folders));
	trash->folders[trash->folder_count++] = (struct trash_folder){
		.id = xstrdup(id), .path = xstrdup(path), .gone_ns = gone_ns
	};
}

static void found_add(
	struct gdrive_trash *trash, const char *path, struct gdrive_file *file, int64_t gone_ns) {
	struct store_entry *entry = &file->entry;
	char *revision = xasprintf("%c%s", GDRIVE_TRASHED, entry->id);
	/* A time of the bytes that is after their end is that of the removal. */
	if (entry->mtime_ns >= gone_ns &&
		(!file->created || time_parse(file->created, &entry->mtime_ns)))
		entry->mtime_ns = 0;
	trash->found = xrealloc(trash->found, (trash->count + 1) * sizeof(*trash->found));
	trash->found[trash->count++] = (struct trashed){ .gone_ns = gone_ns,
		.entry = { .name = xstrdup(path),
			.kind = entry->kind,
			.size = entry->size,
			.mtime_ns = STORE_MTIME_UNKNOWN,
			.mode = STORE_MODE_UNKNOWN,
			.hash = entry->hash,
			.version = xstrdup(entry->version),
			.revision = revision,
			.since_ns =
				entry->mtime_ns == STORE_MTIME_UNKNOWN ? 0 : entry->mtime_ns } };
}

/* ---- the answer ---- */

/* Each path's newest first. */
static int compare(const void *left, const void *right) {
	const struct trashed *a = left, *b = right;
	int order = strcmp(a->entry.name, b->entry.name);

	if (order) return order;
	if (a->entry.kind != b->entry.kind) return (int)a->entry.kind - (int)b->entry.kind;
	if (a->gone_ns != b->gone_ns) return a->gone_ns > b->gone_ns ? -1 : 1;
	return strcmp(a->entry.revision, b->entry.revision);
}

static void answer(struct gdrive_op *x) {
	struct gdrive_trash *trash = x->trash;

	if (trash->count) qsort(trash->found, trash->count, sizeof(*trash->found), compare);
	for (size_t i = 0; i < trash->count; i++) {
		struct trashed *one = &trash->found[i];
		store_entry_add(x->op, (struct store_entry){ .name = xstrdup(one->entry.name),
					       .kind = one->entry.kind,
					       .mtime_ns = STORE_MTIME_UNKNOWN,
					       .mode = STORE_MODE_UNKNOWN,
					       .since_ns = one->gone_ns,
					       .gone = true });
		store_entry_add(x->op, one->entry);
		one->entry = (struct store_entry){ 0 };
	}
	x->op->complete = true;
	gdrive_finish(x, NULL);
}

/* ---- page by page, folder by folder ---- */

static int64_t gone_since(
	struct gdrive_op *x, const json_t *json, const struct trash_folder *folder) {
	int64_t now_ns = loop_wall_ns(x->gd->store.loop);
	int64_t at_ns = gdrive_trashed_ns(json);

	if (!at_ns || at_ns > now_ns) at_ns = now_ns;
	return folder->gone_ns && folder->gone_ns < at_ns ? folder->gone_ns : at_ns;
}

static void take(struct gdrive_op *x, const json_t *json) {
	const struct trash_folder *folder = &x->trash->folders[x->trash->at];
	struct gdrive_file file;

	if (!gdrive_file_read(json, &file)) return;
	gdrive_name_decode(file.name);
	char *name = gdrive_file_name(&file);
	if (file.trashed && file.entry.kind != STORE_OTHER && gdrive_name_is_path(name)) {
		char *path = path_join(folder->path, name);
		int64_t gone_ns = gone_since(x, json, folder);
		if (file.entry.kind != STORE_FOLDER)
			found_add(x->trash, path, &file, gone_ns);
		else if (strlen(path) < DEPTH_MAX)
			folder_add(x->trash, file.entry.id, path, gone_ns);
		free(path);
	}
	free(name);
	gdrive_file_release(&file);
}

static void ask(struct gdrive_op *x, const char *token);

static void page_came(struct gdrive_op *x) {
	const json_t *files = json_object_get(x->answer, "files"), *one;
	const char *next = json_string_value(json_object_get(x->answer, "nextPageToken"));
	size_t i;

	if (x->err.kind == ERR_NONE && !json_is_array(files))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a list");
	if (x->err.kind == ERR_NONE && json_is_true(json_object_get(x->answer, "incompleteSearch")))
		err_set(&x->err, ERR_BUSY, "Google Drive could not list the trash of '%s'",
			x->op->key);
	if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
		return;
	}
	json_array_foreach(files, i, one) take(x, one);
	if (!next) x->trash->at++;
	if (x->trash->at < x->trash->folder_count)
		ask(x, next);
	else
		answer(x);
}

static void ask(struct gdrive_op *x, const char *token) {
	char *quoted = gdrive_quote(x->trash->folders[x->trash->at].id);
	char *q = xasprintf("%s in parents and trashed = true", quoted);

	x->step = page_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_query_url(x, q, PAGE_MAX, FIELDS, token) });
	free(q);
	free(quoted);
}

static void walked(struct gdrive_op *x, const char *id, bool fresh) {
	(void)fresh;
	if (!id) {
		err_set(&x->err, ERR_NOT_FOUND, "the folder '%s' is not there", x->op->key);
		gdrive_fail(x);
		return;
	}
	x->trash = xcalloc(1, sizeof(*x->trash));
	folder_add(x->trash, id, "", 0);
	ask(x, NULL);
}

void gdrive_trash(struct gdrive_op *x) {
	gdrive_place_set(x, &x->at, x->op->key, STORE_FOLDER);
	gdrive_walk(x, x->at.path, false, walked);
}
