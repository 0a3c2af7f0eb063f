#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/gdrive.h"

/*
 * A file's JSON as an entry, and back. Drive keeps a time of its own to the millisecond; ours, to
 * the nanosecond, stands in a property that only this client id sees, and counts as long as the
 * other agrees with it.
 */

#define PROPERTY_MTIME "tend-mtime"
#define PROPERTY_MODE  "tend-mode"
#define PROPERTY_KIND  "tend-kind"
#define PROPERTY_TRASH \
	"tend-trashed" /* when we put it into the trash; shared drives alone tell it */

static int64_t floor_ms(int64_t ns) {
	return ns >= 0 ? ns / NS_PER_MS : -((-ns + NS_PER_MS - 1) / NS_PER_MS);
}

static const char *text_of(const json_t *json, const char *name) {
	return json_string_value(json_object_get(json, name));
}

static bool is_link(const char *name) {
	return str_ends(name, STORE_LINK_SUFFIX) && strlen(name) > strlen(STORE_LINK_SUFFIX);
}

static enum store_kind kind_of(const char *type, const char *name) {
	if (str_equal(type, GDRIVE_FOLDER)) return STORE_FOLDER;
	/* Documents, shortcuts, maps: they have no bytes, and are never touched. */
	if (str_starts(type, "application/vnd.google-apps.")) return STORE_OTHER;
	return is_link(name) ? STORE_LINK : STORE_FILE;
}

static int64_t mtime_of(const json_t *json, const json_t *properties) {
	const char *theirs = text_of(json, "modifiedTime"),
		   *ours = text_of(properties, PROPERTY_MTIME);
	int64_t there, exact;

	if (!theirs || time_parse(theirs, &there)) return STORE_MTIME_UNKNOWN;
	if (!ours || str_to_int(ours, INT64_MIN + 1, INT64_MAX, &exact)) return there;
	return floor_ms(exact) == floor_ms(there) ? exact : there;
}

static int mode_of(const json_t *properties) {
	const char *text = text_of(properties, PROPERTY_MODE);
	char *end;
	unsigned long mode = text && *text ? strtoul(text, &end, 8) : 010000;

	return mode <= 07777 && !*end ? (int)mode : STORE_MODE_UNKNOWN;
}

bool gdrive_file_read(const json_t *json, struct gdrive_file *file) {
	const json_t *properties = json_object_get(json, "appProperties");
	const char *id = text_of(json, "id"), *name = text_of(json, "name");
	const char *type = text_of(json, "mimeType"), *size = text_of(json, "size");
	const char *md5 = text_of(json, "md5Checksum"), *revision = text_of(json, "headRevisionId");

	*file = (struct gdrive_file){ .entry.mtime_ns = STORE_MTIME_UNKNOWN,
		.entry.mode = STORE_MODE_UNKNOWN };
	if (!id || !name || !type) return false;
	struct store_entry *entry = &file->entry;
	file->name = xstrdup(name);
	file->parent =
		xstrdup(json_string_value(json_array_get(json_object_get(json, "parents"), 0)));
	file->created = xstrdup(text_of(json, "createdTime"));
	file->trashed = json_is_true(json_object_get(json, "trashed"));
	file->ours = text_of(properties, PROPERTY_MODE) || text_of(properties, PROPERTY_MTIME) ||
		     text_of(properties, PROPERTY_KIND);
	entry->id = xstrdup(id);
	entry->kind = kind_of(type, name);
	entry->mode = mode_of(properties);
	if (entry->kind == STORE_FOLDER || entry->kind == STORE_OTHER) return true;
	if (!size || str_to_int(size, 0, INT64_MAX, &entry->size)) entry->size = 0;
	entry->mtime_ns = mtime_of(json, properties);
	if (md5 && hex_decode(md5, entry->hash.bytes, 16) == 16) entry->hash.kind = STORE_HASH_MD5;
	entry->version = xstrdup(revision ? revision : md5);
	if (entry->kind == STORE_LINK) entry->mode = STORE_MODE_UNKNOWN;
	return true;
}

bool gdrive_file_is_at(
	const struct gdrive_file *file, const char *path, const char *parent_id, bool folder) {
	char *name = xstrdup(file->name);
	bool known = file->parent && parent_id && !str_equal(parent_id, "root");

	gdrive_name_decode(name);
	bool same = !file->trashed && str_equal(name, path_name(path)) &&
		    (!known || str_equal(file->parent, parent_id)) &&
		    file->entry.kind != STORE_OTHER && (file->entry.kind == STORE_FOLDER) == folder;
	free(name);
	return same;
}

char *gdrive_file_name(const struct gdrive_file *file) {
	size_t suffix = file->entry.kind == STORE_LINK ? strlen(STORE_LINK_SUFFIX) : 0;

	return xstrndup(file->name, strlen(file->name) - suffix);
}

void gdrive_file_release(struct gdrive_file *file) {
	store_entry_release(&file->entry);
	free(file->name);
	free(file->parent);
	free(file->created);
	*file = (struct gdrive_file){ .entry.mtime_ns = STORE_MTIME_UNKNOWN,
		.entry.mode = STORE_MODE_UNKNOWN };
}

static void property_set(json_t *properties, const char *name, const char *text) {
	json_object_set_new(properties, name, json_string(text));
}

json_t *gdrive_metadata(enum store_kind kind, int64_t mtime_ns, int mode) {
	json_t *json = json_object(), *properties = json_object();
	char text[TIME_TEXT_SIZE];

	if (mtime_ns != STORE_MTIME_UNKNOWN) {
		time_format(floor_ms(mtime_ns) * NS_PER_MS, text);
		json_object_set_new(json, "modifiedTime", json_string(text));
		snprintf(text, sizeof(text), "%lld", (long long)mtime_ns);
		property_set(properties, PROPERTY_MTIME, text);
	}
	if (mode != STORE_MODE_UNKNOWN) {
		snprintf(text, sizeof(text), "%o", (unsigned)mode & 07777);
		property_set(properties, PROPERTY_MODE, text);
	}
	property_set(properties, PROPERTY_KIND, kind == STORE_LINK ? "link" : "file");
	json_object_set_new(json, "appProperties", properties);
	return json;
}

int64_t gdrive_trashed_ns(const json_t *json) {
	const char *theirs = text_of(json, "trashedTime"),
		   *ours = text_of(json_object_get(json, "appProperties"), PROPERTY_TRASH);
	int64_t at_ns;

	if (theirs && !time_parse(theirs, &at_ns)) return at_ns;
	return ours && !str_to_int(ours, 0, INT64_MAX, &at_ns) ? at_ns : 0;
}

json_t *gdrive_trashed(int64_t now_ns) {
	char text[TIME_TEXT_SIZE];

	snprintf(text, sizeof(text), "%lld", (long long)now_ns);
	return json_pack("{s:b, s:{s:s}}", "trashed", 1, "appProperties", PROPERTY_TRASH, text);
}

void gdrive_metadata_place(json_t *json, const struct gdrive_place *place) {
	const char *name = path_name(place->path);
	char *encoded = gdrive_name_encode(name, strlen(name));

	json_object_set_new(json, "name", json_string(encoded));
	json_object_set_new(json, "parents", json_pack("[s]", place->parent_id));
	free(encoded);
}
