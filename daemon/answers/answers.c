/* JSON is UTF-8; names on disks and texts of servers are not always. */
#include "answers/answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *answer_text(const char *text) {
	if (!text) return json_null();
	json_t *value = json_string(text);
	if (value) return value;
	char *printable = str_printable(text);
	value = json_string(printable);
	free(printable);
	return value ? value : json_null();
}

json_t *answer_moment(int64_t wall_ns) {
	char text[TIME_TEXT_SIZE];
	if (wall_ns == 0 || wall_ns == STORE_MTIME_UNKNOWN) return json_null();
	time_format(wall_ns, text);
	return json_string(text);
}

json_t *answer_past(const struct past_item *item) {
	static const char *const kinds[] = { "file", "folder", "link" };
	char mode[8] = "";
	if (item->mode != STORE_MODE_UNKNOWN)
		snprintf(mode, sizeof(mode), "%04o", (unsigned)item->mode & 07777);
	json_t *entry = json_pack("{s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:s?}", "path",
		answer_text(item->path), "kind", kinds[item->kind], "size_bytes",
		(json_int_t)item->size, "mtime", answer_moment(item->mtime_ns), "mode",
		*mode ? json_string(mode) : json_null(), "from", answer_moment(item->from_ns), "to",
		answer_moment(item->to_ns), "version", item->version);
	/* JSON cannot say every name. */
	if (!str_is_utf8(item->path, strlen(item->path))) {
		char *encoded = str_percent_encode(item->path, "/");
		json_object_set_new(entry, "path_percent", json_string(encoded));
		free(encoded);
	}
	return entry;
}

json_t *answer_restore(const char *folder, int64_t at_ns, const struct restore_counts *counts,
	json_t *left, json_t *failed) {
	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "folder",
		answer_text(folder), "at", answer_moment(at_ns == PAST_NOW ? 0 : at_ns), "files",
		(json_int_t)counts->files, "links", (json_int_t)counts->links, "folders",
		(json_int_t)counts->folders, "bytes", (json_int_t)counts->bytes, "same",
		(json_int_t)counts->same, "left_count", (json_int_t)counts->left, "failed_count",
		(json_int_t)counts->failed, "left", left, "failed", failed);
}

json_t *answer_plan(const char *name, const struct step_finding *finding, const struct err *err) {
	char *unit = xasprintf("step:%s", name);
	json_t *step = json_pack("{s:s, s:s?, s:o, s:s, s:o, s:o}", "unit", unit, "kind",
		finding->kind, "subject", answer_text(finding->subject), "verdict",
		err ? "unknown" : step_verdict_name(finding->verdict), "why",
		answer_text(err ? err->text : finding->why), "diff",
		answer_text(err ? NULL : finding->diff));
	free(unit);
	return step;
}

static json_t *words_of(char **words) {
	json_t *array = json_array();
	for (char **word = words; word && *word; word++)
		json_array_append_new(array, json_string(*word));
	strv_free(words);
	return array;
}

json_t *answer_order(const struct unit_graph *graph) {
	json_t *order = json_array();
	size_t count;
	struct unit_place *places = unit_graph_order(graph, &count);
	for (size_t i = 0; i < count; i++) {
		const struct unit *unit = places[i].unit;
		json_array_append_new(
			order, json_pack("{s:s, s:I, s:b, s:o, s:o}", "unit", unit->id, "wave",
				       (json_int_t)places[i].wave, "enabled", unit->enabled,
				       "requires", words_of(unit_needs(unit, true)), "after",
				       words_of(unit_needs(unit, false))));
	}
	free(places);
	return order;
}
