#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * From a path to the id of its folder, one folder after the other from the last that is known. One
 * operation looks or makes, whoever wants the same folder meanwhile waits for it: two that made it
 * would leave two of that name.
 */

enum { FRESH_MS = 600000 };

enum walk_state { WALK_CONFIRM, WALK_QUERY, WALK_MAKE };

/* ---- the base: My Drive, a shared drive ---- */

static void base_known(struct gdrive_op *x, const char *id) {
	x->gd->base_id = xstrdup(id);
	gdrive_lock_release(x, &x->gd->base_lock);
	x->base_known(x);
}

static void root_came(struct gdrive_op *x) {
	const char *id = json_string_value(json_object_get(x->answer, "id"));

	/* A login that sees only what it made does not see the root; its other name is good for all. */
	if (x->err.kind == ERR_NOT_FOUND)
		id = "root";
	else if (x->err.kind == ERR_NONE && !id)
		err_set(&x->err, ERR_CORRUPT, "Google Drive does not tell its root");
	if (id) err_clear(&x->err);
	if (x->err.kind != ERR_NONE)
		gdrive_fail(x);
	else
		base_known(x, id);
}

static void drives_came(struct gdrive_op *x) {
	const json_t *drives = json_object_get(x->answer, "drives"), *one;
	const char *wanted = x->gd->drive_name, *found = NULL;
	size_t i;

	if (x->err.kind != ERR_NONE && x->err.kind != ERR_NOT_FOUND) {
		gdrive_fail(x);
		return;
	}
	json_array_foreach(drives, i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		if (str_equal(name, wanted)) found = json_string_value(json_object_get(one, "id"));
	}
	if (!found) {
		err_set(&x->err, ERR_INVALID,
			"no shared drive '%s' that this login is a member of: correct "
			"`shared_drive` (its "
			"name, or the id in its address)",
			wanted);
		gdrive_fail(x);
		return;
	}
	x->gd->drive_id = xstrdup(found);
	base_known(x, found);
}

static void drive_came(struct gdrive_op *x) {
	if (x->err.kind == ERR_NONE) {
		x->gd->drive_id = xstrdup(x->gd->drive_name);
		base_known(x, x->gd->drive_id);
		return;
	}
	if (x->err.kind != ERR_NOT_FOUND) {
		gdrive_fail(x);
		return;
	}
	x->step = drives_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_url(x, "/drive/v3/drives",
				       "pageSize=100&fields=drives(id%2Cname)") });
}

static void base_ask(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;

	if (gd->base_id) {
		x->base_known(x);
		return;
	}
	if (!gdrive_lock_take(x, &gd->base_lock, base_ask)) return;
	if (!gd->drive_name) {
		x->step = root_came;
		gdrive_send(x, &(struct gdrive_call){ .method = "GET",
				       .url = gdrive_file_url(x, "root", "fields=id") });
		return;
	}
	char *encoded = str_percent_encode(gd->drive_name, "");
	char *path = xasprintf("/drive/v3/drives/%s", encoded);
	x->step = drive_came;
	gdrive_send(x,
		&(struct gdrive_call){ .method = "GET", .url = gdrive_url(x, path, "fields=id") });
	free(path);
	free(encoded);
}

void gdrive_base(struct gdrive_op *x, void (*then)(struct gdrive_op *x)) {
	x->base_known = then;
	base_ask(x);
}

/* ---- one folder ---- */

static void walk_on(struct gdrive_op *x);

static void walk_end(struct gdrive_op *x, const char *id, bool fresh) {
	err_clear(&x->err);
	if (x->walk.node) gdrive_lock_release(x, &x->walk.node->lock);
	x->walk.node = NULL;
	x->walk.then(x, id, fresh);
}

static void folder_known(struct gdrive_op *x, const char *id, bool fresh) {
	struct gdrive_node *node = x->walk.node;

	if (node->id != id) {
		free(node->id);
		node->id = xstrdup(id);
	}
	node->pending = false;
	node->fresh_until_ms = fresh ? loop_now_ms(x->gd->store.loop) + FRESH_MS : 0;
	x->walk.node = NULL;
	/* Whoever waits is woken last: they might free what is looked at here. */
	gdrive_lock_release(x, &node->lock);
	walk_on(x);
}

static void make_now(struct gdrive_op *x) {
	const char *name = path_name(x->walk.at);
	char *encoded = gdrive_name_encode(name, strlen(name));
	bool last = str_equal(x->walk.at, x->walk.path);

	json_t *json = gdrive_metadata(
		STORE_FOLDER, STORE_MTIME_UNKNOWN, last ? x->walk.mode : STORE_MODE_UNKNOWN);
	json_object_set_new(json, "id", json_string(x->new_id));
	json_object_set_new(json, "name", json_string(encoded));
	json_object_set_new(json, "mimeType", json_string(GDRIVE_FOLDER));
	json_object_set_new(json, "parents", json_pack("[s]", x->walk.parent));
	free(encoded);
	x->walk.state = WALK_MAKE;
	gdrive_send(x, &(struct gdrive_call){ .method = "POST",
			       .url = gdrive_url(x, "/drive/v3/files",
				       "supportsAllDrives=true&fields=" GDRIVE_FIELDS),
			       .json = json });
}

static void walk_answer(struct gdrive_op *x);

static void id_taken(struct gdrive_op *x) {
	x->step = walk_answer;
	make_now(x);
}

static void not_there(struct gdrive_op *x) {
	const struct gdrive *gd = x->gd;
	/* The folder that is the root is made by whoever comes first. */
	bool above = strlen(x->walk.at) <= strlen(gd->prefix);

	if (!x->walk.make && !above) {
		walk_end(x, NULL, false);
	} else {
		gdrive_take_id(x, x->walk.at, true, id_taken);
	}
}

/* Of several folders of this name the oldest: so all agree, today and after a restart. */
static char *oldest(const struct gdrive_op *x) {
	const json_t *files = json_object_get(x->answer, "files"), *one;
	char *found = NULL, *created = NULL;
	size_t i;

	json_array_foreach(files, i, one) {
		struct gdrive_file file;
		if (!gdrive_file_read(one, &file)) continue;
		gdrive_name_decode(file.name);
		/* The server's "=" does not look at the case. */
		bool same = file.entry.kind == STORE_FOLDER && !file.trashed &&
			    str_equal(file.name, path_name(x->walk.at));
		if (same && (!found || (file.created && created &&
					       strcmp(file.created, created) < 0))) {
			free(found);
			free(created);
			found = xstrdup(file.entry.id);
			created = xstrdup(file.created);
		}
		gdrive_file_release(&file);
	}
	free(created);
	return found;
}

/* What was asked for may have been moved by us meanwhile, or what it lies in. */
static void walk_anew(struct gdrive_op *x) {
	struct gdrive_node *node = x->walk.node;

	x->walk.node = NULL;
	gdrive_lock_release(x, &node->lock);
	walk_on(x);
}

static void made(struct gdrive_op *x) {
	struct gdrive_node *node = x->walk.node;

	if (x->err.kind == ERR_NOT_FOUND) {
		/* Its parent has gone: by another hand, for we hold what we made. */
		char *parent = path_parent(x->walk.at);
		free(node->id);
		node->id = NULL;
		node->pending = false;
		gdrive_node_forget(x->gd, parent, true);
		free(parent);
		gdrive_fail(x);
		return;
	}
	if (x->err.kind == ERR_CHANGED) { /* 409: an earlier try made it */
		folder_known(x, x->new_id, false);
		return;
	}
	if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
		return;
	}
	gdrive_file_release(&x->walk.made);
	gdrive_file_read(x->answer, &x->walk.made);
	folder_known(x, x->new_id, true);
}

static void walk_query(struct gdrive_op *x);

/* An earlier try has made it, perhaps one of an earlier life: it may have been moved since. */
static bool is_confirmed(const struct gdrive_op *x) {
	struct gdrive_file file;
	bool there = gdrive_file_read(x->answer, &file) &&
		     gdrive_file_is_at(&file, x->walk.at, x->walk.parent, true);

	gdrive_file_release(&file);
	return there;
}

static void walk_answer(struct gdrive_op *x) {
	bool gone = x->err.kind == ERR_NOT_FOUND;

	if (x->walk.state == WALK_MAKE) {
		made(x);
		return;
	}
	if (x->err.kind != ERR_NONE && !(gone && x->walk.state == WALK_CONFIRM)) {
		gdrive_fail(x);
		return;
	}
	if (gdrive_is_late(x)) {
		walk_anew(x);
		return;
	}
	if (x->walk.state == WALK_CONFIRM) {
		if (gone) {
			not_there(x);
			return;
		}
		if (is_confirmed(x)) {
			folder_known(x, x->walk.node->id, false);
			return;
		}
		free(x->walk.node->id);
		x->walk.node->id = NULL;
		x->walk.node->pending = false;
		walk_query(x);
		return;
	}
	char *id = oldest(x);
	if (id)
		folder_known(x, id, false);
	else
		not_there(x);
	free(id);
}

static void walk_query(struct gdrive_op *x) {
	const char *name = path_name(x->walk.at);
	char *encoded = gdrive_name_encode(name, strlen(name));
	char *quoted = gdrive_quote(encoded), *parent = gdrive_quote(x->walk.parent);
	char *q = xasprintf("%s in parents and name = %s and mimeType = '" GDRIVE_FOLDER
			    "' and trashed = false",
		parent, quoted);
	char *url = gdrive_query_url(x, q, 100, "files(" GDRIVE_FIELDS ")", NULL);

	x->walk.state = WALK_QUERY;
	x->step = walk_answer;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET", .url = url });
	free(q);
	free(quoted);
	free(parent);
	free(encoded);
}

/* The last known folder on the way, and in x->walk.at the one behind it. True: all is known. */
static bool next_unknown(struct gdrive_op *x, const char **id, bool *fresh) {
	struct gdrive *gd = x->gd;
	char *path = xstrdup(x->walk.path);
	const struct gdrive_node *node = NULL;

	free(x->walk.at);
	x->walk.at = NULL;
	while (*path) {
		node = gdrive_node_known(gd, path, true);
		if (node && !node->pending) break;
		node = NULL;
		free(x->walk.at);
		x->walk.at = path;
		path = path_parent(x->walk.at);
	}
	*id = node ? node->id : gd->base_id;
	*fresh = node && node->fresh_until_ms > loop_now_ms(gd->store.loop);
	free(path);
	return x->walk.at == NULL;
}

static void walk_on(struct gdrive_op *x) {
	const char *id;
	bool fresh;

	bool known = next_unknown(x, &id, &fresh);
	if (!id) {
		gdrive_base(x, walk_on);
		return;
	}
	if (known) {
		walk_end(x, id, fresh);
		return;
	}
	free(x->walk.parent);
	x->walk.parent = xstrdup(id);
	x->walk.parent_fresh = fresh;
	struct gdrive_node *node = gdrive_node(x->gd, x->walk.at, true);
	if (!gdrive_lock_take(x, &node->lock, walk_on)) return;
	x->walk.node = node;
	x->step = walk_answer;
	if (node->pending) {
		x->walk.state = WALK_CONFIRM;
		gdrive_look_send(x, node->id);
	} else if (fresh && x->walk.make) {
		not_there(x);
	} else {
		walk_query(x);
	}
}

void gdrive_walk(struct gdrive_op *x, const char *path, bool make,
	void (*then)(struct gdrive_op *x, const char *id, bool fresh)) {
	free(x->walk.path);
	x->walk.path = xstrdup(path);
	x->walk.make = make;
	x->walk.then = then;
	walk_on(x);
}
