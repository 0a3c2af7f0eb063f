#include <stdio.h>
#include <stdlib.h>

#include "store/gdrive.h"

/* Ids before things: what is made with one that was asked for before is made once, however often it is
 * tried, and says 409 the second time. So that this holds over the end of the process too, whoever wants
 * the thing keeps its id before it is made. */

enum { BATCH = 100 };

static void take(struct gdrive_op *x);

/* ---- whoever asked for the operation keeps it ---- */

static void kept(struct store_op *op) {
	struct gdrive_op *x = op->impl;

	x->take.then(x);
}

static void taken(struct gdrive_op *x) {
	struct store_op *op = x->op;
	const char *path = x->take.path;

	if (!path || !op->making) {
		x->take.then(x);
		return;
	}
	bool asked = op->verb == STORE_MKDIR && str_equal(path, x->at.path);
	char *place = xconcat(path, x->take.folder ? "/" : "");
	op->go_on = kept;
	op->making(op, place, x->take.folder && !asked, x->new_id);
	free(place);
}

/* ---- a free one ---- */

static struct gdrive_node *node_of(struct gdrive_op *x) {
	return x->take.path ? gdrive_node(x->gd, x->take.path, x->take.folder) : NULL;
}

static void pick(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	struct gdrive_node *node = node_of(x);

	free(x->new_id);
	x->new_id = gd->ids[--gd->id_count];
	if (!node) return;
	free(node->id);
	node->id = xstrdup(x->new_id);
	node->pending = true;
}

static void ids_came(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	const json_t *ids = json_object_get(x->answer, "ids");
	size_t count = json_array_size(ids);

	if (x->err.kind != ERR_NONE) {
		gdrive_fail(x);
		return;
	}
	gd->ids = xrealloc(gd->ids, (gd->id_count + count + 1) * sizeof(*gd->ids));
	for (size_t i = 0; i < count; i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		if (id) gd->ids[gd->id_count++] = xstrdup(id);
	}
	if (!gd->id_count) {
		err_set(&x->err, ERR_CORRUPT, "Google Drive gives no ids");
		gdrive_fail(x);
		return;
	}
	pick(x);
	gdrive_lock_release(x, &gd->ids_lock);
	taken(x);
}

static void take(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	const struct gdrive_node *node = node_of(x);
	char query[64];

	if (node && node->pending) {
		free(x->new_id);
		x->new_id = xstrdup(node->id);
		taken(x);
	} else if (gd->id_count) {
		pick(x);
		taken(x);
	} else if (gdrive_lock_take(x, &gd->ids_lock, take)) {
		x->step = ids_came;
		snprintf(query, sizeof(query), "count=%d&space=drive&type=files", BATCH);
		gdrive_send(
			x, &(struct gdrive_call){ .method = "GET",
				   .url = gdrive_url(x, "/drive/v3/files/generateIds", query) });
	}
}

void gdrive_take_id(
	struct gdrive_op *x, const char *path, bool folder, void (*then)(struct gdrive_op *x)) {
	x->take.path = path;
	x->take.folder = folder;
	x->take.then = then;
	take(x);
}
