#include <stdlib.h>

#include "store/gdrive.h"

/* ABOUT: does the login hold, is the base there, how much room is left? */

static int64_t number_of(const json_t *json, const char *name) {
	const char *text = json_string_value(json_object_get(json, name));
	int64_t value;

	return text && !str_to_int(text, 0, INT64_MAX, &value) ? value : -1;
}

static void about_came(struct gdrive_op *x) {
	const json_t *quota = json_object_get(x->answer, "storageQuota");
	int64_t limit = number_of(quota, "limit"), usage = number_of(quota, "usage");

	if (x->err.kind == ERR_NONE) {
		/* A shared drive's room is its organisation's. */
		bool known = limit >= 0 && usage >= 0 && !x->gd->drive_id;
		x->op->about.free_bytes = !known ? -1 : usage < limit ? limit - usage : 0;
		x->op->about.server_ns = gdrive_server_ns(x);
		/* There are none: what stands there is looked at just before. */
		x->op->about.conditions_known = true;
	}
	gdrive_end(x);
}

static void base_found(struct gdrive_op *x) {
	x->step = about_came;
	gdrive_send(x, &(struct gdrive_call){ .method = "GET",
			       .url = gdrive_url(x, "/drive/v3/about",
				       "fields=storageQuota(limit%2Cusage)") });
}

void gdrive_about(struct gdrive_op *x) {
	gdrive_base(x, base_found);
}
