/*
 * POST .../resolve: of two edits of one path that were both kept, which one stays. Answered when it is done here; what follows at the remote
 * is an edit like any other.
 */
#include <stdlib.h>

#include "tendd/routes.h"

struct resolving {
	struct list link;
	struct house *house;
	struct control_request *request; /* NULL: nobody waits any more */
	struct unit *unit;
};

static void done(void *user, const struct err *err) {
	struct resolving *resolving = user;
	if (resolving->request && err)
		control_refuse(resolving->request, err, NULL);
	else if (resolving->request)
		route_answer_unit(resolving->house, resolving->request, resolving->unit);
	list_remove(&resolving->link);
	free(resolving);
}

static void asker_gone(void *user) {
	struct resolving *resolving = user;
	resolving->request = NULL;
}

/* -1: none of the three words. */
static int keep_of(const char *word) {
	if (str_equal(word, "mine")) return FOLDER_KEEP_MINE;
	if (str_equal(word, "theirs")) return FOLDER_KEEP_THEIRS;
	return str_equal(word, "both") ? FOLDER_KEEP_BOTH : -1;
}

void route_resolve(void *user, struct control_request *request) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	const json_t *body = control_body(request);
	const char *path = json_string_value(json_object_get(body, "path")),
		   *word = json_string_value(json_object_get(body, "keep"));
	struct err err;
	if (!folder) return;
	int keep = keep_of(word);
	if (!path || keep < 0) {
		err_set(&err, ERR_INVALID,
			"'path' is that of a conflict of this folder, and 'keep' is 'mine', "
			"'theirs' or 'both'");
		control_refuse(request, &err, "'tend resolve' lists them");
		return;
	}
	struct resolving *resolving = xcalloc(1, sizeof(*resolving));
	resolving->house = house;
	resolving->request = request;
	resolving->unit = folder_unit(folder);
	if (folder_resolve(folder, path, keep, done, resolving, &err)) {
		control_refuse(request, &err, NULL);
		free(resolving);
		return;
	}
	list_add_tail(&house->resolves, &resolving->link);
	char *order = xasprintf("'%s': keep %s", path, word);
	route_ordered(house, request, resolving->unit->id, order);
	free(order);
	control_on_gone(request, asker_gone, resolving);
}

/* Each ends with its folder; control refuses who still waits. */
void resolves_close(struct house *house) {
	list_each(&house->resolves, link) asker_gone(list_entry(link, struct resolving, link));
}
