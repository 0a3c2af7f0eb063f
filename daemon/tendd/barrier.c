/*
 * POST /v1/wait, the barrier. First it gives marks, which stay valid when tendd restarts; then it
 * is asked again with them, and answers when everything up to them is durable, or cannot become so
 * without somebody's help.
 */
#include <stdlib.h>
#include <string.h>

#include "tendd/routes.h"
#include "tendd/status.h"

struct barrier;

struct part {
	struct folder_wait wait;
	struct barrier *barrier;
	char *name;
	struct err err; /* ERR_NONE: durable */
};

struct barrier {
	struct list link;
	struct house *house;
	struct control_request *request; /* NULL: nobody waits any more */
	struct part *parts;
	size_t count, running;
	bool counted; /* in house->closing */
};

static void barrier_free(struct barrier *barrier) {
	struct house *house = barrier->house;
	bool counted = barrier->counted;
	list_remove(&barrier->link);
	for (size_t i = 0; i < barrier->count; i++) {
		folder_wait_release(&barrier->parts[i].wait);
		free(barrier->parts[i].name);
	}
	free(barrier->parts);
	free(barrier);
	if (counted) {
		house->closing--;
		house_close_step(house);
	}
}

static json_t *why_not(const struct part *part) {
	json_t *paths = json_array();
	for (size_t i = 0; part->wait.reasons && part->wait.reasons[i]; i++) {
		json_array_append_new(paths, answer_text(part->wait.reasons[i]));
	}
	return json_pack("{s:o, s:o}", "text", answer_text(part->err.text), "paths", paths);
}

static void answer(struct barrier *barrier) {
	json_t *folders = json_object();
	bool needs_person = false;
	for (size_t i = 0; i < barrier->count; i++) {
		const struct part *part = &barrier->parts[i];
		if (part->err.kind == ERR_NONE) continue;
		needs_person = needs_person || part->wait.needs_person;
		json_object_set_new(folders, part->name, why_not(part));
	}
	if (json_object_size(folders) == 0) {
		control_answer(barrier->request, 200, json_pack("{s:b}", "done", 1));
		json_decref(folders);
	} else {
		control_answer(barrier->request, 200,
			json_pack("{s:b, s:b, s:o}", "done", 0, "needs_person", needs_person,
				"folders", folders));
	}
	barrier->request = NULL;
}

static void part_done(struct folder_wait *wait, const struct err *err) {
	struct part *part = container_of(wait, struct part, wait);
	struct barrier *barrier = part->barrier;
	if (err) part->err = *err;
	if (--barrier->running > 0) return;
	if (barrier->request) answer(barrier);
	barrier_free(barrier);
}

static void asker_gone(void *user) {
	struct barrier *barrier = user;
	barrier->request = NULL;
	for (size_t i = 0; i < barrier->count; i++) folder_wait_cancel(&barrier->parts[i].wait);
}

void barriers_close(struct house *house) {
	list_each(&house->barriers, link) {
		struct barrier *barrier = list_entry(link, struct barrier, link);
		barrier->counted = true;
		house->closing++;
		asker_gone(barrier);
	}
}

static void refuse_folder(struct control_request *request, const char *name) {
	struct err err;
	err_set(&err, ERR_NOT_FOUND, "no folder '%s'", name);
	control_refuse(request, &err, "'tend status' lists them");
}

/* ---- first: marks ---- */

static void give_marks(struct house *house, struct control_request *request, const json_t *names) {
	json_t *marks = json_object(), *name;
	size_t i;
	json_array_foreach(names, i, name) {
		const char *text = json_string_value(name);
		struct house_folder *folder = house_folder_find(house, text ? text : "");
		if (!folder) {
			refuse_folder(request, text ? text : "");
			json_decref(marks);
			return;
		}
		json_object_set_new(marks, text, json_integer(folder_mark(folder->folder)));
	}
	if (json_array_size(names) == 0) {
		list_each(&house->folders, link) {
			struct house_folder *folder = list_entry(link, struct house_folder, link);
			/* A folder that is switched off is not asked about, unless by name. */
			if (folder->closing || !folder_unit(folder->folder)->enabled) continue;
			json_object_set_new(
				marks, folder->name, json_integer(folder_mark(folder->folder)));
		}
	}
	control_answer(request, 200, json_pack("{s:o}", "marks", marks));
}

/* ---- then: until they are durable ---- */

static void wait_for_marks(
	struct house *house, struct control_request *request, const json_t *marks) {
	const char *name;
	json_t *mark;
	json_object_foreach((json_t *)(uintptr_t)marks, name, mark) {
		if (json_is_integer(mark) && house_folder_find(house, name)) continue;
		refuse_folder(request, name);
		return;
	}
	struct barrier *barrier = xcalloc(1, sizeof(*barrier));
	barrier->house = house;
	barrier->request = request;
	barrier->count = barrier->running = json_object_size(marks);
	barrier->parts = xcalloc(barrier->count ? barrier->count : 1, sizeof(*barrier->parts));
	list_add_tail(&house->barriers, &barrier->link);
	if (barrier->count == 0) {
		answer(barrier);
		barrier_free(barrier);
		return;
	}
	control_on_gone(request, asker_gone, barrier);
	size_t i = 0;
	json_object_foreach((json_t *)(uintptr_t)marks, name, mark) {
		struct part *part = &barrier->parts[i++];
		part->barrier = barrier;
		part->name = xstrdup(name);
		part->wait.done = part_done;
		folder_wait_start(house_folder_find(house, name)->folder, &part->wait,
			json_integer_value(mark));
	}
}

void route_wait(void *user, struct control_request *request) {
	const json_t *body = control_body(request);
	const json_t *marks = json_object_get(body, "marks"),
		     *names = json_object_get(body, "folders");
	struct err err;
	if (json_is_object(marks)) {
		wait_for_marks(user, request, marks);
	} else if (!marks && (!names || json_is_array(names))) {
		give_marks(user, request, names);
	} else {
		err_set(&err, ERR_INVALID, "'marks' is an object, 'folders' a list of names");
		control_refuse(request, &err, NULL);
	}
}
