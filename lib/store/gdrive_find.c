#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * What stands at a path. An id that is known is looked at first, for that never lags; whether the thing
 * is still at this path its name and folder tell. Else a query by name.
 */

enum find_state { FIND_HINT, FIND_KNOWN, FIND_QUERY };

static void look(struct gdrive_op *x, enum find_state state, const char *id);
static void query(struct gdrive_op *x);

static void end(struct gdrive_op *x, bool there) {
	struct gdrive_place *place = x->find.place;

	err_clear(&x->err);
	place->looked = true;
	place->there = there;
	if (there && !place->file.trashed) {
		bool folder = place->file.entry.kind == STORE_FOLDER;
		if (!folder || !gdrive_is_late(x))
			gdrive_node_set(x->gd, place->path, folder, place->file.entry.id);
	}
	x->find.then(x);
}

static bool is_at(const struct gdrive_file *file, const struct gdrive_place *place, bool folder) {
	return gdrive_file_is_at(file, place->path, place->parent_id, folder);
}

static void next(struct gdrive_op *x) {
	const struct gdrive_place *place = x->find.place;
	const struct gdrive_node *node = gdrive_node_known(x->gd, place->path, place->folder);

	if (x->find.hint) {
		const char *hint = x->find.hint;
		x->find.hint = NULL;
		look(x, FIND_HINT, hint);
	} else if (node && x->find.state != FIND_KNOWN) {
		look(x, FIND_KNOWN, node->id);
	} else if (place->parent_fresh && place->written) {
		end(x, false);
	} else {
		query(x);
	}
}

static void looked(struct gdrive_op *x) {
	struct gdrive_place *place = x->find.place;
	const struct gdrive_node *node = gdrive_node_known(x->gd, place->path, place->folder);
	bool gone = x->err.kind == ERR_NOT_FOUND, known = x->find.state == FIND_KNOWN;
	struct gdrive_file file = { 0 };

	if (x->err.kind != ERR_NONE && !gone) {
		gdrive_fail(x);
		return;
	}
	bool there = !gone && gdrive_file_read(x->answer, &file);
	if (there && is_at(&file, place, place->folder)) {
		gdrive_file_release(&place->file);
		place->file = file;
		end(x, true);
		return;
	}
	gdrive_file_release(&file);
	/* One whose create may not have happened yet is used again by the next try. */
	if (known && !(gone && node && node->pending))
		gdrive_node_forget(x->gd, place->path, place->folder);
	next(x);
}

static void look(struct gdrive_op *x, enum find_state state, const char *id) {
	x->find.state = (int)state;
	x->step = looked;
	gdrive_look_send(x, id);
}

/* ---- by name ---- */

static bool is_better(const struct gdrive_file *file, const struct gdrive_file *best) {
	if (file->ours != best->ours) return file->ours;
	return file->created && best->created && strcmp(file->created, best->created) > 0;
}

/* Ours before strangers', the newest before older ones: a large file is put at its place before what
 * was there goes. The other one of ours is told too. */
static void choose(struct gdrive_op *x, const struct gdrive_file *file, bool *found) {
	struct gdrive_place *place = x->find.place;
	const struct gdrive_file *other = file;

	if (!*found || is_better(file, &place->file)) {
		struct gdrive_file before = place->file;
		place->file = *file;
		other = *found ? &before : NULL;
		*found = true;
		if (other && other->ours) {
			free(place->twin);
			place->twin = xstrdup(other->entry.id);
		}
		if (other) gdrive_file_release(&before);
		return;
	}
	if (file->ours && !place->twin) place->twin = xstrdup(file->entry.id);
	gdrive_file_release((struct gdrive_file *)other);
}

static void queried(struct gdrive_op *x) {
	struct gdrive_place *place = x->find.place;
	const json_t *files = json_object_get(x->answer, "files"), *one;
	bool found = false;
	size_t i;

	if (x->err.kind != ERR_NONE) {
		if (x->err.kind == ERR_NOT_FOUND) { /* the folder has gone */
			char *parent = path_parent(place->path);
			gdrive_node_forget(x->gd, parent, true);
			free(parent);
		}
		gdrive_fail(x);
		return;
	}
	gdrive_file_release(&place->file);
	for (int other = 0; other <= (place->either ? 1 : 0) && !found; other++) {
		json_array_foreach(files, i, one) {
			struct gdrive_file file;
			if (!gdrive_file_read(one, &file)) continue;
			if (is_at(&file, place, place->folder != (other == 1)))
				choose(x, &file, &found);
			else
				gdrive_file_release(&file);
		}
	}
	end(x, found);
}

static void query(struct gdrive_op *x) {
	const struct gdrive_place *place = x->find.place;
	const char *name = path_name(place->path);
	char *encoded = gdrive_name_encode(name, strlen(name));
	char *quoted = gdrive_quote(encoded), *parent = gdrive_quote(place->parent_id);
	char *q = xasprintf("%s in parents and name = %s and trashed = false", parent, quoted);

	x->find.state = FIND_QUERY;
	x->step = queried;
	gdrive_send(
		x, &(struct gdrive_call){ .method = "GET",
			   .url = gdrive_query_url(x, q, 100, "files(" GDRIVE_FIELDS ")", NULL) });
	free(q);
	free(quoted);
	free(parent);
	free(encoded);
}

static void parent_found(struct gdrive_op *x, const char *id, bool fresh) {
	struct gdrive_place *place = x->find.place;

	free(place->parent_id);
	place->parent_id = xstrdup(id);
	place->parent_fresh = fresh;
	if (!id) {
		end(x, false);
		return;
	}
	next(x);
}

void gdrive_find(struct gdrive_op *x, struct gdrive_place *place, const char *hint,
	void (*then)(struct gdrive_op *x)) {
	char *parent = path_parent(place->path);

	free(place->twin);
	place->twin = NULL;
	x->find.place = place;
	x->find.hint = hint;
	x->find.then = then;
	x->find.state = FIND_HINT;
	gdrive_walk(x, parent, place->make, parent_found);
	free(parent);
}
