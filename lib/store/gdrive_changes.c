#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * CHANGES: what has changed in the whole drive since a token. One request, also where that is
 * nothing. Drive tells each thing as it is now, and of what was deleted for good only its id.
 */

enum { PAGE_MAX = 1000 };

static void token_came(struct gdrive_op *x) {
	const char *token = json_string_value(json_object_get(x->answer, "startPageToken"));

	if (x->err.kind == ERR_NONE && !token)
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without a token");
	if (x->err.kind == ERR_NONE) {
		x->op->next_token = xstrdup(token);
		x->op->complete = true;
	}
	gdrive_end(x);
}

/* Takes `file`. */
static void tell(struct gdrive_op *x, struct gdrive_file *file) {
	struct store_entry *entry = &file->entry;

	if (file->name) {
		gdrive_name_decode(file->name);
		bool plain = path_is_plain(file->name) && !strchr(file->name, '/');
		if (!plain) entry->kind = STORE_OTHER;
		entry->name = gdrive_file_name(file);
	}
	entry->parent_id = xstrdup(file->parent);
	entry->gone = file->trashed;
	store_entry_add(x->op, *entry);
	*entry = (struct store_entry){ 0 };
}

static void take_changes(struct gdrive_op *x, const json_t *changes) {
	struct gdrive_file *files = xcalloc(json_array_size(changes) + 1, sizeof(*files));
	const json_t *one;
	size_t count = 0, i;

	json_array_foreach(changes, i, one) {
		const char *id = json_string_value(json_object_get(one, "fileId"));
		struct gdrive_file *file = &files[count];
		if (!id) continue; /* of a shared drive itself */
		if (!gdrive_file_read(json_object_get(one, "file"), file)) {
			file->entry.kind = STORE_OTHER;
			file->entry.id = xstrdup(id);
		}
		file->trashed |= !file->name || json_is_true(json_object_get(one, "removed"));
		count++;
	}
	gdrive_nodes_changed(x->gd, files, count);
	for (i = 0; i < count; i++) {
		tell(x, &files[i]);
		gdrive_file_release(&files[i]);
	}
	free(files);
}

static void page_came(struct gdrive_op *x) {
	const json_t *changes = json_object_get(x->answer, "changes");
	const char *more = json_string_value(json_object_get(x->answer, "nextPageToken"));
	const char *last = json_string_value(json_object_get(x->answer, "newStartPageToken"));

	/* 400 "Invalid Value" is what Google says of a token that it knows no more. */
	if (x->err.kind == ERR_INVALID || x->err.kind == ERR_NOT_FOUND)
		err_set(&x->err, ERR_NOT_FOUND, "Google Drive does not know this token any more");
	if (x->err.kind == ERR_NONE && (!json_is_array(changes) || (!more && !last)))
		err_set(&x->err, ERR_CORRUPT, "Google Drive answers without changes");
	if (x->err.kind == ERR_NONE) {
		take_changes(x, changes);
		x->op->next_token = xstrdup(more ? more : last);
		x->op->complete = !more;
	}
	gdrive_end(x);
}

static void base_known(struct gdrive_op *x) {
	const struct store_op *op = x->op;
	const char *token = op->page_token;
	char *drive = x->gd->drive_id ? str_percent_encode(x->gd->drive_id, "") : NULL;
	char *encoded = token ? str_percent_encode(token, "") : NULL, *query;
	int size = op->limit > 0 && op->limit < PAGE_MAX ? op->limit : PAGE_MAX;

	if (token)
		query = xasprintf(
			"supportsAllDrives=true&includeItemsFromAllDrives=true%s%s"
			"&pageToken=%s&pageSize=%d&fields=nextPageToken,newStartPageToken,"
			"changes(removed,fileId,file(" GDRIVE_FIELDS "))",
			drive ? "&driveId=" : "", drive ? drive : "", encoded, size);
	else
		query = xasprintf("supportsAllDrives=true%s%s&fields=startPageToken",
			drive ? "&driveId=" : "", drive ? drive : "");
	x->step = token ? page_came : token_came;
	gdrive_send(
		x, &(struct gdrive_call){ .method = "GET",
			   .url = gdrive_url(x,
				   token ? "/drive/v3/changes" : "/drive/v3/changes/startPageToken",
				   query) });
	free(query);
	free(encoded);
	free(drive);
}

/* A shared drive has changes of its own, so its id must be known; a name is asked for once. */
void gdrive_changes(struct gdrive_op *x) {
	if (x->gd->drive_name)
		gdrive_base(x, base_known);
	else
		base_known(x);
}
