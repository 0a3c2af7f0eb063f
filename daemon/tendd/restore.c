/*
 * POST .../restore: brings back, in a folder's own place, what its remote has or had. Who asks says which paths inside the folder and as of
 * when; where to, and as whom, stands in the ini (SERVICES.md §6). It goes on when the asker leaves; with "wait" the answer tells what came
 * of it, else the history does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/answers.h"
#include "tendd/routes.h"

enum { PATHS_MAX = 1000, TOLD_MAX = 100, STATUS_ACCEPTED = 202 };

struct restoring {
	struct list link;
	struct house *house;
	struct control_request *request; /* NULL: it was answered, or nobody waits */
	struct restore *restore;
	char *folder, *who;
	int64_t at_ns;
	json_t *left, *failed, *aside, *reasons;
};

static void restoring_free(struct restoring *restoring) {
	list_remove(&restoring->link);
	restore_free(restoring->restore);
	json_decref(restoring->left);
	json_decref(restoring->failed);
	json_decref(restoring->aside);
	json_decref(restoring->reasons);
	free(restoring->folder);
	free(restoring->who);
	free(restoring);
}

static void told(void *user, enum restore_news news, const char *path, const char *text) {
	struct restoring *restoring = user;
	json_t *list = news == RESTORE_LEFT    ? restoring->left
		       : news == RESTORE_ASIDE ? restoring->aside
					       : restoring->failed;
	if (json_array_size(list) >= TOLD_MAX) return;
	json_array_append_new(list, answer_text(news == RESTORE_ASIDE ? text : path));
	if (news == RESTORE_ASIDE) return;
	char *reason = xasprintf("%s: %s", path, text);
	json_array_append_new(restoring->reasons, answer_text(reason));
	free(reason);
}

static void note(struct restoring *restoring, const struct err *err) {
	const struct restore_counts *counts = restore_counts(restoring->restore);
	struct house *house = restoring->house;
	struct err ignored;
	char size[32];
	size_format(counts->bytes, size, sizeof(size));
	char *unit = xasprintf("folder:%s", restoring->folder);
	char *text = xasprintf(
		"%lld file%s, %lld link%s, %s for %s; %lld left as they are, %lld failed%s%s",
		(long long)counts->files, str_plural(counts->files), (long long)counts->links,
		str_plural(counts->links), size, restoring->who, (long long)counts->left,
		(long long)counts->failed, err ? ": " : "", err ? err->text : "");
	log_info("%s: brought back %s", unit, text);
	if (ledger_history_add(
		    house->ledger, loop_wall_ns(house->loop), unit, "restored", text, &ignored))
		log_warn("history of '%s': %s", unit, ignored.text);
	free(text);
	free(unit);
}

static void done(void *user, const struct err *err) {
	struct restoring *restoring = user;
	note(restoring, err);
	if (restoring->request && err) {
		control_refuse(restoring->request, err, NULL);
	} else if (restoring->request) {
		json_t *body = answer_restore(restoring->folder, restoring->at_ns,
			restore_counts(restoring->restore), json_incref(restoring->left),
			json_incref(restoring->failed));
		json_object_set(body, "aside", restoring->aside);
		json_object_set(body, "reasons", restoring->reasons);
		control_answer(restoring->request, 200, body);
	}
	restoring_free(restoring);
}

static const struct restore_calls restore_calls = { .told = told, .done = done };

static void asker_gone(void *user) {
	struct restoring *restoring = user;
	restoring->request = NULL;
}

/* `question` is filled; its paths are the caller's, also after an error. */
static int read_body(const json_t *body, struct restore_question *question, struct err *err) {
	const json_t *paths = json_object_get(body, "paths"), *at = json_object_get(body, "at"),
		     *path;
	size_t i;
	question->at_ns = PAST_NOW;
	question->overwrite = json_is_true(json_object_get(body, "overwrite"));
	if ((paths && !json_is_array(paths)) || json_array_size(paths) > PATHS_MAX)
		return err_set(err, ERR_INVALID,
			"'paths' is a list of at most %d paths inside the folder", PATHS_MAX);
	json_array_foreach(paths, i, path) {
		if (!json_is_string(path) ||
			strlen(json_string_value(path)) != json_string_length(path))
			return err_set(
				err, ERR_INVALID, "'paths' is a list of paths inside the folder");
		strv_add(&question->paths, json_string_value(path));
	}
	if (!at || json_is_null(at)) return 0;
	const char *text = json_string_value(at);
	if (!text || time_parse(text, &question->at_ns))
		return err_set(err, ERR_INVALID, "'%s' is no time: write 2026-11-22T14:03:07Z",
			text ? text : "at");
	return 0;
}

void route_restore(void *user, struct control_request *request) {
	struct house *house = user;
	struct folder *folder = route_folder(house, request);
	const json_t *body = control_body(request);
	struct restore_question question = { 0 };
	struct err err;
	if (!folder) return;
	struct restoring *restoring = xcalloc(1, sizeof(*restoring));
	restoring->house = house;
	restoring->folder = xstrdup(folder_name(folder));
	restoring->who = route_who(request);
	restoring->left = json_array();
	restoring->failed = json_array();
	restoring->aside = json_array();
	restoring->reasons = json_array();
	list_init(&restoring->link);
	if (read_body(body, &question, &err) == 0)
		restoring->restore =
			folder_restore(folder, &question, &restore_calls, restoring, &err);
	restoring->at_ns = question.at_ns;
	strv_free(question.paths);
	if (!restoring->restore) {
		control_refuse(request, &err, NULL);
		restoring_free(restoring);
		return;
	}
	list_add_tail(&house->restores, &restoring->link);
	route_ordered(house, request, folder_unit(folder)->id, "restore");
	if (json_is_true(json_object_get(body, "wait"))) {
		restoring->request = request;
		control_on_gone(request, asker_gone, restoring);
	} else {
		control_answer(request, STATUS_ACCEPTED, json_pack("{s:s}", "state", "restoring"));
	}
}

/* Each ends with its folder; control refuses who still waits. */
void restores_close(struct house *house) {
	list_each(&house->restores, link) asker_gone(list_entry(link, struct restoring, link));
}
