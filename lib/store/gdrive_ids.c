#include <stdio.h>
#include <stdlib.h>

#include "store/gdrive.h"

/* Ids before things: what is made with one that was asked for before is made once, however often it is
 * tried, and says 409 the second time. */

enum { BATCH = 100 };

static void take(struct gdrive_op *x);

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
	free(x->new_id);
	x->new_id = gd->ids[--gd->id_count];
	gdrive_lock_release(x, &gd->ids_lock);
	x->id_taken(x);
}

static void take(struct gdrive_op *x) {
	struct gdrive *gd = x->gd;
	char query[64];

	if (gd->id_count) {
		free(x->new_id);
		x->new_id = gd->ids[--gd->id_count];
		x->id_taken(x);
	} else if (gdrive_lock_take(x, &gd->ids_lock, take)) {
		x->step = ids_came;
		snprintf(query, sizeof(query), "count=%d&space=drive&type=files", BATCH);
		gdrive_send(
			x, &(struct gdrive_call){ .method = "GET",
				   .url = gdrive_url(x, "/drive/v3/files/generateIds", query) });
	}
}

void gdrive_take_id(struct gdrive_op *x, void (*then)(struct gdrive_op *x)) {
	x->id_taken = then;
	take(x);
}
