/* The walk over what past.c gathered: what stood there at the time, in order, a folder before what lies in it. */
#include <stdlib.h>
#include <string.h>

#include "sync/past.h"

enum { PAGE_ROWS = 256 };

/* ---- one path ---- */

static void spans_of(const struct index_versions *versions, struct version_span *spans) {
	for (size_t i = 0; i < versions->count; i++) {
		const char *name = versions->rows[i].key;
		if (version_name_parse(name, &spans[i]))
			spans[i].deleted = str_starts(name, PAST_REVISION_PREFIX "d");
		spans[i].born_ns = versions->rows[i].born_ns;
		spans[i].ended_ns = versions->rows[i].ended_ns;
	}
}

static void item_of_version(struct past *p, const char *path, const struct index_versions *versions,
	size_t at, struct past_item *item) {
	const struct index_version *version = &versions->rows[at];
	int64_t before_ns = at ? versions->rows[at - 1].ended_ns : 0;
	free(p->item_path);
	free(p->item_version);
	p->item_path = xstrdup(path);
	p->item_version = xstrdup(version->key);
	*item = (struct past_item){ .path = p->item_path,
		.kind = version->kind == STORE_LINK ? PAST_LINK : PAST_FILE,
		.size = version->bytes,
		.mtime_ns = STORE_MTIME_UNKNOWN,
		.mode = STORE_MODE_UNKNOWN,
		.from_ns = version->born_ns > before_ns ? version->born_ns : before_ns,
		.to_ns = version->ended_ns,
		.version = p->item_version };
}

static void item_of_current(struct past *p, const char *path, const struct index_entry *entry,
	const struct index_versions *versions, struct past_item *item) {
	int64_t before_ns = versions->count ? versions->rows[versions->count - 1].ended_ns : 0;
	free(p->item_path);
	p->item_path = xstrdup(path);
	*item = (struct past_item){ .path = p->item_path,
		.kind = entry->kind == INDEX_LINK ? PAST_LINK : PAST_FILE,
		.size = entry->size,
		.mtime_ns = entry->mtime_ns,
		.mode = entry->mode,
		.from_ns = entry->born_ns > before_ns ? entry->born_ns : before_ns };
}

/* What stood at this path? 1, 0, -1. */
static int resolve(struct past *p, const char *path, const struct index_entry *entry,
	struct past_item *item, struct err *err) {
	struct index_versions versions = { 0 };
	bool gone = (entry->flags & PAST_GONE) != 0;
	if (p->at_ns == PAST_NOW) {
		if (!gone) item_of_current(p, path, entry, &versions, item);
		return !gone;
	}
	if (index_versions(p->work, path, &versions, err)) return -1;
	struct version_span *spans = xcalloc(versions.count + 1, sizeof(*spans));
	spans_of(&versions, spans);
	long found =
		version_at(spans, versions.count, gone ? VERSION_NONE : entry->born_ns, p->at_ns);
	if (found >= 0 && (size_t)found < versions.count)
		item_of_version(p, path, &versions, (size_t)found, item);
	else if (found >= 0)
		item_of_current(p, path, entry, &versions, item);
	free(spans);
	index_versions_release(&versions);
	return found >= 0;
}

/* ---- folders on the way ---- */

static void frame_push(struct past *p, char *folder, const struct index_entry *entry) {
	if (p->depth == p->room) {
		p->room = p->room ? p->room * 2 : 16;
		p->frames = xrealloc(p->frames, p->room * sizeof(*p->frames));
	}
	p->frames[p->depth++] = (struct past_frame){ .folder = folder,
		.told = entry == NULL,
		.gone = entry && (entry->flags & PAST_GONE),
		.empty = true,
		.mode = entry ? entry->mode : STORE_MODE_UNKNOWN,
		.mtime_ns = entry ? entry->mtime_ns : STORE_MTIME_UNKNOWN };
}

static void frame_pop(struct past *p) {
	struct past_frame *frame = &p->frames[--p->depth];
	free(frame->folder);
	free(frame->after);
	index_rows_release(&frame->rows);
}

static void item_of_frame(struct past *p, struct past_frame *frame, struct past_item *item) {
	frame->told = true;
	free(p->item_path);
	p->item_path = xstrdup(frame->folder);
	*item = (struct past_item){ .path = p->item_path,
		.kind = PAST_FOLDER,
		.mtime_ns = frame->mtime_ns,
		.mode = frame->mode };
}

/* The outermost folder that is not told yet; NULL: all are. */
static struct past_frame *untold(struct past *p, bool way) {
	for (size_t i = 0; i < p->depth; i++) {
		if (!p->frames[i].told && (p->frames[i].way || !way)) return &p->frames[i];
	}
	return NULL;
}

/* The next row of the innermost folder; NULL: it has no more. */
static struct index_row *row_next(struct past *p, struct err *err) {
	struct past_frame *frame = &p->frames[p->depth - 1];
	if (frame->way) return NULL;
	if (frame->at == frame->rows.count) {
		if (frame->rows.count) {
			const struct index_row *last = &frame->rows.rows[frame->rows.count - 1];
			free(frame->after);
			frame->after = xasprintf(
				"%s%s", last->name, last->entry.kind == INDEX_FOLDER ? "/" : "");
		}
		index_rows_release(&frame->rows);
		frame->at = 0;
		if (index_list(p->work, frame->folder, frame->after, PAGE_ROWS, &frame->rows, err))
			return NULL;
	}
	return frame->at < frame->rows.count ? &frame->rows.rows[frame->at] : NULL;
}

/* The folder is through. 1: it is an answer after all: nothing lies in it, and it is there. */
static int frame_end(struct past *p, struct past_item *item) {
	struct past_frame *frame = &p->frames[p->depth - 1];
	bool answer = !frame->told && frame->empty && !frame->gone && !frame->way;
	if (answer) {
		item_of_frame(p, untold(p, false), item);
		while (!p->recursive && p->depth > 1) frame_pop(p);
		return 1; /* itself is popped when it comes again, told */
	}
	frame_pop(p);
	return 0;
}

static int walk_begin(struct past *p, struct err *err) {
	struct index_entry entry;
	p->walking = true;
	for (const char *at = p->path; p->way && at; at = strchr(at, '/')) {
		at += *at == '/';
		char *folder = xstrndup(p->path, strcspn(at, "/") + (size_t)(at - p->path));
		int found = index_get(p->work, folder, true, &entry, err);
		if (found < 0) {
			free(folder);
			return -1;
		}
		frame_push(p, folder, found ? &entry : NULL);
		p->frames[p->depth - 1].way = strchr(at, '/') != NULL;
		if (found) index_entry_release(&entry);
	}
	if (!p->way) frame_push(p, xstrdup(p->path), NULL);
	return 0;
}

/* The path that was asked for, where it was no folder. */
static int path_tell(struct past *p, struct past_item *item, struct err *err) {
	struct index_entry entry;
	int found = *p->path ? index_get(p->work, p->path, false, &entry, err) : 0;
	if (found == 1) {
		found = resolve(p, p->path, &entry, item, err);
		index_entry_release(&entry);
	}
	struct past_frame *above = found == 1 ? untold(p, true) : NULL;
	if (above)
		item_of_frame(p, above, item);
	else
		p->path_told = true;
	return found;
}

int past_next(struct past *p, struct past_item *item, struct err *err) {
	err_clear(err);
	p->row = NULL;
	if (!p->walking && walk_begin(p, err)) return -1;
	if (!p->path_told) {
		int found = path_tell(p, item, err);
		if (found) return found;
	}
	while (p->depth) {
		struct past_frame *frame = &p->frames[p->depth - 1];
		struct index_row *row = row_next(p, err);
		if (err->kind != ERR_NONE) return -1;
		if (!row) {
			if (frame_end(p, item)) return 1;
			continue;
		}
		frame->empty = false;
		char *path = path_join(frame->folder, row->name);
		if (row->entry.kind == INDEX_FOLDER) {
			frame->at++;
			frame_push(p, path, &row->entry);
			if (!p->shallow) continue;
			item_of_frame(p, &p->frames[p->depth - 1], item);
			frame_pop(p);
			return 1;
		}
		int found = resolve(p, path, &row->entry, item, err);
		free(path);
		if (found < 0) return -1;
		struct past_frame *above = found ? untold(p, false) : NULL;
		if (above) {
			item_of_frame(p, above, item);
			if (p->recursive) return 1; /* this row comes again */
			while (p->depth > 1) frame_pop(p);
			return 1;
		}
		frame->at++;
		p->row = &row->entry;
		if (found) return 1;
	}
	return 0;
}

bool past_take_row(struct past *p, struct index_entry *row) {
	if (!p->borrowed || !p->row) return false;
	*row = *p->row;
	*p->row = (struct index_entry){ .kind = row->kind }; /* by which the next page is found */
	return true;
}

int past_next_version(struct past *p, struct past_item *item, struct err *err) {
	struct index_entry entry;
	if (!p->walking) {
		p->walking = true;
		if (index_versions(p->work, p->path, &p->versions, err)) return -1;
	}
	if (p->next_version < p->versions.count) {
		item_of_version(p, p->path, &p->versions, p->next_version++, item);
		return 1;
	}
	if (p->next_version++ > p->versions.count) return 0;
	int found = index_get(p->work, p->path, false, &entry, err);
	if (found != 1) return found;
	bool gone = (entry.flags & PAST_GONE) != 0;
	if (!gone) item_of_current(p, p->path, &entry, &p->versions, item);
	index_entry_release(&entry);
	return !gone;
}

void past_walk_release(struct past *p) {
	while (p->depth) frame_pop(p);
	free(p->frames);
	index_versions_release(&p->versions);
	free(p->item_path);
	free(p->item_version);
}
