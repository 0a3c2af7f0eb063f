#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/* Requests that change one thing, and what flows ask of what they found. */

void gdrive_look_send(struct gdrive_op *x, const char *id) {
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_file_url(x, id, "fields=" GDRIVE_FIELDS) });
}

void gdrive_copy_send(
	struct gdrive_op *x, const struct gdrive_file *from, const struct gdrive_place *to) {
	char *encoded = str_percent_encode(from->entry.id, "");
	char *path = xasprintf("/drive/v3/files/%s/copy", encoded);
	const struct store_entry *entry = &from->entry;
	json_t *json = gdrive_metadata(entry->kind, entry->mtime_ns, entry->mode);

	gdrive_metadata_place(json, to);
	json_object_set_new(json, "id", json_string(x->new_id));
	gdrive_send(x,
		&(struct gdrive_call){ .method = "POST",
			.url = gdrive_url(x, path, "supportsAllDrives=true&fields=" GDRIVE_FIELDS),
			.json = json });
	free(path);
	free(encoded);
}

void gdrive_move_send(
	struct gdrive_op *x, const char *id, const char *parent, const struct gdrive_place *to) {
	const char *name = path_name(to->path);
	char *encoded = gdrive_name_encode(name, strlen(name));
	char *add = str_percent_encode(to->parent_id, "");
	char *remove = parent ? str_percent_encode(parent, "") : NULL;
	bool moves = parent && !str_equal(parent, to->parent_id);
	char *query = moves ? xasprintf("addParents=%s&removeParents=%s&fields=" GDRIVE_FIELDS, add,
				      remove)
			    : xstrdup("fields=" GDRIVE_FIELDS);

	gdrive_send(x, &(struct gdrive_call){ .method = "PATCH",
			       .url = gdrive_file_url(x, id, query),
			       .json = json_pack("{ss}", "name", encoded) });
	free(query);
	free(remove);
	free(add);
	free(encoded);
}

/* Into the trash, where a person finds it for 30 days. */
void gdrive_trash_send(struct gdrive_op *x, const char *id) {
	gdrive_send(x, &(struct gdrive_call){ .method = "PATCH",
			       .url = gdrive_file_url(x, id, "fields=id"),
			       .json = gdrive_trashed(loop_wall_ns(x->gd->store.loop)) });
}

bool gdrive_same_content(const struct store_entry *left, const struct store_entry *right) {
	return left->size == right->size && store_hash_equal(&left->hash, &right->hash);
}

bool gdrive_is_rival(const struct store_op *op, const struct gdrive_place *at) {
	if (!at->there) return op->if_version != NULL;
	return op->if_absent ||
	       (op->if_version && !str_equal(op->if_version, at->file.entry.version));
}

int gdrive_expect_version(struct gdrive_op *x, const struct store_entry *entry) {
	const char *wanted = x->op->if_version;

	return wanted && !str_equal(wanted, entry->version) ? gdrive_changed(x) : 0;
}

int gdrive_changed(struct gdrive_op *x) {
	return err_set(&x->err, ERR_CHANGED, "'%s' is not what was expected there", x->op->key);
}
