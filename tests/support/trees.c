#include "support/trees.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "support/edits.h"

struct thing {
	enum disk_kind kind;
	int64_t mtime_ns;
	int mode; /* STORE_MODE_UNKNOWN: a folder that exists by what lies in it */
	char hash[33];
};

static void things_release(struct map *things) {
	for (struct map_item *it = NULL; (it = map_next(things, it));) free(map_value(it));
	map_release(things);
}

void story_release(struct story *s) {
	map_release(&s->durable);
	map_release(&s->theirs);
	map_release(&s->strange);
}

static const char *base_of(const struct story *s) {
	return strchr(s->g->settings.remote, ':') + 1;
}

/* Nobody attacks a story: MD5 was a twelfth of its time. */
static void hash_of(const void *bytes, size_t len, char hash[33]) {
	uint64_t sums[2] = { UINT64_C(0xcbf29ce484222325) ^ len,
		UINT64_C(0x9ae16a3b2f90404f) + len };
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t bits = 0;
		memcpy(&bits, (const char *)bytes + at, len - at < 8 ? len - at : 8);
		sums[0] = (sums[0] ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
		sums[0] ^= sums[0] >> 32;
		sums[1] = (sums[1] + bits) * UINT64_C(0xc2b2ae3d27d4eb4f);
		sums[1] ^= sums[1] >> 29;
	}
	hex_encode((const uint8_t *)sums, sizeof(sums), hash);
}

bool story_excludes(const char *path, bool folder) {
	const char *at = path;
	while (*at) {
		size_t len = strcspn(at, "/");
		if (len >= 4 && strncmp(at + len - 4, ".tmp", 4) == 0) return true;
		if (at == path && len == 5 && strncmp(at, "cache", 5) == 0 && (at[len] || folder))
			return true;
		at += len + (at[len] == '/');
	}
	return false;
}

/* ---- the folder ---- */

static struct thing *local_thing(struct story *s, const char *path) {
	struct thing *thing = xcalloc(1, sizeof(*thing));
	struct disk_stat stat;
	struct buf bytes;
	struct err err;
	int failed = disk_stat(s->g->disk, path, &stat, &err);
	buf_init(&bytes, 1 << 20);
	*thing = (struct thing){
		.kind = stat.kind, .mtime_ns = stat.mtime_ns, .mode = stat.mode & 0777
	};
	if (!failed && stat.kind == DISK_FILE)
		failed =
			disk_read(s->g->disk, path, 1 << 20, &bytes, DIGEST_MD5, NULL, &stat, &err);
	if (!failed && stat.kind == DISK_LINK)
		failed = disk_read_link(s->g->disk, path, &bytes, &err);
	if (failed) {
		free(thing);
		thing = NULL;
	} else {
		hash_of(bytes.at ? bytes.at : "", bytes.len, thing->hash);
	}
	buf_release(&bytes);
	return thing;
}

/* `unknown` gets what cannot be read. */
static void local_things(struct story *s, const char *folder, struct map *things, char ***unknown) {
	struct disk_list list;
	struct err err;
	if (disk_list(s->g->disk, folder, &list, &err)) {
		strv_add(unknown, folder);
		return;
	}
	for (size_t i = 0; i < list.count; i++) {
		char *path = path_join(folder, list.items[i].name);
		bool is_folder = list.items[i].stat.kind == DISK_FOLDER;
		bool out = story_excludes(path, is_folder) || list.items[i].stat.kind == DISK_OTHER;
		struct thing *thing = out ? NULL : local_thing(s, path);
		char *name = xasprintf("%s%s", path, is_folder ? "/" : "");
		if (thing) map_put(things, name, thing);
		if (!thing && !out) strv_add(unknown, path);
		free(name);
		if (!out && is_folder) local_things(s, path, things, unknown);
		free(path);
	}
	disk_list_release(&list);
}

/* ---- the remote ---- */

static void remote_bytes(struct story *s, const char *key, enum store_kind kind, char hash[33]) {
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_GET, key);
	op.kind = kind;
	if (store_memory_now(s->g->content, &op, &err)) ground_wrong(s->g, err.text, key);
	hash_of(op.answer_body.at ? op.answer_body.at : "", op.answer_body.len, hash);
	store_op_release(&op);
}

static void remote_thing(struct story *s, const struct store_entry *entry, struct map *things) {
	struct thing *thing = xcalloc(1, sizeof(*thing));
	bool folder = entry->kind == STORE_FOLDER;
	thing->kind = folder ? DISK_FOLDER : entry->kind == STORE_LINK ? DISK_LINK : DISK_FILE;
	thing->mtime_ns = entry->mtime_ns;
	thing->mode = entry->mode;
	if (!folder) remote_bytes(s, entry->name, entry->kind, thing->hash);
	/* Where there are keys only, a file may have the name of a folder. */
	char *name = xasprintf("%s%s", entry->name, folder ? "/" : "");
	free(map_put(things, name, thing));
	free(name);
}

/* Without the slash of a folder. */
static size_t plain_len(const char *name) {
	size_t len = strlen(name);
	return len && name[len - 1] == '/' ? len - 1 : len;
}

static char *plain(const char *name) {
	return xstrndup(name, plain_len(name));
}

static void add_above(char ***keys, const char *key) {
	char *at = path_parent(key);
	while (*at) {
		char *above = path_parent(at);
		strv_add_owned(keys, at);
		at = above;
	}
	free(at);
}

/* Folders that exist by what lies in them. */
static void add_parents(struct map *things) {
	char **missing = NULL;
	for (struct map_item *it = NULL; (it = map_next(things, it));) {
		char *self = plain(map_key(it));
		add_above(&missing, self);
		free(self);
	}
	for (char **path = missing; path && *path; path++) {
		char *name = xasprintf("%s/", *path);
		if (!map_get(things, name)) {
			struct thing *thing = xcalloc(1, sizeof(*thing));
			*thing = (struct thing){ .kind = DISK_FOLDER, .mode = STORE_MODE_UNKNOWN };
			map_put(things, name, thing);
		}
		free(name);
	}
	strv_free(missing);
}

/* All keys. */
static void remote_things(struct story *s, struct map *things) {
	struct store_op op;
	struct err err;
	char *token = NULL;
	do {
		store_op_init(&op, STORE_LIST, "");
		op.kind = STORE_FOLDER;
		op.recursive = true;
		op.page_token = token;
		if (store_memory_now(s->g->content, &op, &err)) ground_wrong(s->g, err.text, "");
		free(token);
		token = xstrdup(op.next_token);
		for (size_t i = 0; i < op.entry_count; i++) remote_thing(s, &op.entries[i], things);
		store_op_release(&op);
	} while (token);
	if (s->g->content->caps & STORE_CAP_FOLDERS) return;
	add_parents(things);
}

/* ---- the same? ---- */

static bool is_strangers_name(const char *name) {
	return strstr(name, "strange ") != NULL;
}

static bool is_let_be(const struct story *s, char **unknown, char **except, const char *path) {
	return ground_covers(unknown, path) || ground_covers(except, path) ||
	       ground_covers(s->g->meddled, path) || path_is_within(path, "cache");
}

static const char *difference(const struct thing *local, const struct thing *remote) {
	if (!remote) return "is not at the remote";
	if (local->kind != remote->kind) return "is of another kind at the remote";
	if (!str_equal(local->hash, remote->hash) && local->kind != DISK_FOLDER)
		return "has other bytes at the remote";
	if (local->kind != DISK_FOLDER && local->mtime_ns != remote->mtime_ns)
		return "has another time at the remote";
	if (local->kind != DISK_LINK && remote->mode != STORE_MODE_UNKNOWN &&
		local->mode != (remote->mode & 0777))
		return "has other permissions at the remote";
	return NULL;
}

/* Theirs, or a folder that one of theirs lies in. */
static bool is_strange(const struct story *s, struct map *remote, const char *key) {
	const char *base = base_of(s), *path = key + (*base ? strlen(base) + 1 : 0);
	if (ground_any_below(s->g->meddled, path) || ground_any_below(s->g->orphans, path))
		return true;
	if (ground_covers(s->g->moved_there, path) || ground_any_below(s->g->moved_there, path))
		return true;
	for (struct map_item *it = NULL; (it = map_next(remote, it));)
		if (path_is_within(map_key(it), key) && is_strangers_name(map_key(it))) return true;
	return false;
}

static void compare_local(struct story *s, const char *name, const struct thing *here,
	struct map *remote, char **unknown, char **except) {
	char *key = path_join(base_of(s), name), *path = plain(name);
	const char *differs = difference(here, map_get(remote, key));
	/* Where a folder exists by what lies in it, somebody else may have removed that. And one that stayed for what is theirs in it has
	 * the permissions of before. One whose last thing went since has its marker a moment later. */
	bool keys_only = !(s->g->content->caps & STORE_CAP_FOLDERS);
	bool shared = here->kind == DISK_FOLDER &&
		      (is_strange(s, remote, key) || (keys_only && ground_any_below(except, path)));
	if (!is_let_be(s, unknown, except, path) && !shared) {
		if (differs) ground_wrong(s->g, differs, path);
		if (here->kind == DISK_FILE) map_put(&s->durable, here->hash, s);
	}
	free(key);
	free(path);
}

/* A server without conditions moves what somebody else put there meanwhile along with the name that was ours; whoever finds it under
 * the new one leaves it. */
static bool went_along(struct story *s, const struct thing *there) {
	return !s->theirs_kept && *there->hash && map_get(&s->theirs, there->hash);
}

static void compare_remote(struct story *s, const char *name, struct map *local, struct map *remote,
	char **unknown, char **except) {
	const char *base = base_of(s);
	char *key = plain(name);
	bool ours =
		path_is_within(key, base) && !path_is_within(key, ".tend") && !str_equal(key, base);
	size_t skip = *base ? strlen(base) + 1 : 0;
	if (ours && !map_get(local, name + skip) && !is_strange(s, remote, key) &&
		!went_along(s, map_get(remote, name)) && !is_let_be(s, unknown, except, key + skip))
		ground_wrong(s->g, "is at the remote, and not here", key + skip);
	free(key);
}

void story_compare(struct story *s, char **except) {
	struct map local, remote;
	char **unknown = NULL;
	map_init(&local);
	map_init(&remote);
	local_things(s, "", &local, &unknown);
	remote_things(s, &remote);
	for (struct map_item *it = NULL; (it = map_next(&local, it));)
		compare_local(s, map_key(it), map_value(it), &remote, unknown, except);
	for (struct map_item *it = NULL; (it = map_next(&remote, it));)
		compare_remote(s, map_key(it), &local, &remote, unknown, except);
	strv_free(unknown);
	things_release(&local);
	things_release(&remote);
}

static void must_hold(struct story *s, struct map *all, struct map *hashes, const char *what) {
	for (struct map_item *it = NULL; (it = map_next(hashes, it));)
		if (!map_get(all, map_key(it))) ground_wrong(s->g, what, map_key(it));
}

void story_nothing_lost(struct story *s) {
	struct map remote, hashes;
	map_init(&remote);
	map_init(&hashes);
	remote_things(s, &remote);
	for (struct map_item *it = NULL; (it = map_next(&remote, it));) {
		const struct thing *thing = map_value(it);
		if (*thing->hash) map_put(&hashes, thing->hash, s);
	}
	if (s->backup) must_hold(s, &hashes, &s->durable, "was durable and is lost");
	if (s->backup && s->theirs_kept)
		must_hold(s, &hashes, &s->theirs, "was somebody else's and is lost");
	must_hold(s, &hashes, &s->strange, "was a stranger and is gone");
	map_release(&hashes);
	things_release(&remote);
}

/* ---- others at the remote ---- */

static void foreign_put(struct story *s, const char *key, struct map *hashes) {
	char *text = xasprintf("somebody else's, number %u", ++s->foreign);
	struct store_op op;
	struct err err;
	char hash[33];
	store_op_init(&op, STORE_PUT, key);
	op.kind = STORE_FILE;
	op.body = text;
	op.body_len = strlen(text);
	op.size = (int64_t)op.body_len;
	op.mtime_ns = loop_wall_ns(s->g->loop) - NS_PER_S * 1000;
	op.mode = 0644;
	if (store_memory_now(s->g->content, &op, &err)) ground_wrong(s->g, err.text, key);
	hash_of(text, strlen(text), hash);
	map_put(hashes, hash, s);
	store_op_release(&op);
	free(text);
}

static void foreign_remove(struct story *s, const char *key) {
	struct store_op op;
	struct err err;
	store_op_init(&op, STORE_REMOVE, key);
	op.kind = STORE_FILE;
	if (store_memory_now(s->g->content, &op, &err)) ground_wrong(s->g, err.text, key);
	store_op_release(&op);
}

static void meddle_with(struct story *s, const char *key, const struct thing *thing) {
	const char *base = base_of(s), *path = key + (*base ? strlen(base) + 1 : 0);
	bool removes = ground_draw(s->g, 2);
	/* What stood there is lost by their doing, not ours. */
	map_take(&s->durable, thing->hash);
	map_take(&s->theirs, thing->hash);
	ground_meddled(s->g, path);
	ground_say(s->g, "somebody else %s '%s'", removes ? "removes" : "changes", key);
	if (removes)
		foreign_remove(s, key);
	else
		foreign_put(s, key, &s->theirs);
}

static void make_strange(struct story *s, const char *folder) {
	char *name = xasprintf("strange %u", s->foreign), *key = path_join(folder, name);
	ground_say(s->g, "somebody else makes '%s'", key);
	foreign_put(s, key, &s->strange);
	free(name);
	free(key);
}

void story_meddle(struct story *s) {
	struct map remote;
	size_t count = 0;
	const char *chosen = NULL, *base = base_of(s);
	map_init(&remote);
	remote_things(s, &remote);
	for (struct map_item *it = NULL; (it = map_next(&remote, it));) {
		const struct thing *thing = map_value(it);
		const char *name = map_key(it);
		bool ours = path_is_within(name, base) && plain_len(name) > strlen(base) &&
			    !path_is_within(name, ".tend");
		if (!ours || thing->kind == DISK_LINK || strstr(name, "strange")) continue;
		if (ground_draw(s->g, ++count) == 0) chosen = name;
	}
	const struct thing *thing = chosen ? map_get(&remote, chosen) : NULL;
	char *key = plain(chosen ? chosen : "");
	s->g->counts.foreign++;
	if (thing && thing->kind == DISK_FILE)
		meddle_with(s, key, thing);
	else if (thing)
		make_strange(s, key);
	free(key);
	things_release(&remote);
}

static enum disk_kind kind_here(struct story *s, const char *path) {
	struct disk_stat stat;
	struct err err;
	return disk_stat(s->g->disk, path, &stat, &err) ? DISK_OTHER : stat.kind;
}

/* A file of theirs where we have a folder goes; of ours where they have a folder. */
static void make_room_at(struct story *s, struct map *remote, const char *key) {
	const char *base = base_of(s), *path = key + (*base ? strlen(base) + 1 : 0);
	if (!path_is_within(key, base) || str_equal(key, base)) return;
	char *folder = xasprintf("%s/", key);
	enum disk_kind here = kind_here(s, path);
	if (here == DISK_FOLDER && map_get(remote, key)) {
		struct thing *thing = map_get(remote, key);
		map_take(&s->durable, thing->hash);
		map_take(&s->theirs, thing->hash);
		foreign_remove(s, key);
	}
	if ((here == DISK_FILE || here == DISK_LINK) && map_get(remote, folder))
		edit_remove_path(s->g, path);
	free(folder);
}

void story_make_room(struct story *s) {
	struct map remote;
	char **keys = NULL;
	if (!(s->g->content->caps & STORE_CAP_FOLDERS)) return;
	map_init(&remote);
	remote_things(s, &remote);
	for (char **path = s->g->meddled; path && *path; path++)
		strv_add_owned(&keys, path_join(base_of(s), *path));
	for (char **path = s->g->orphans; path && *path; path++)
		strv_add_owned(&keys, path_join(base_of(s), *path));
	char **theirs = strv_dup(keys);
	for (char **key = theirs; key && *key; key++) add_above(&keys, *key);
	strv_free(theirs);
	for (struct map_item *it = NULL; (it = map_next(&remote, it));) {
		const struct thing *thing = map_value(it);
		/* Also where theirs went along with a folder that was moved. */
		bool theirs_too = *thing->hash && map_get(&s->theirs, thing->hash);
		if (theirs_too || is_strangers_name(map_key(it))) add_above(&keys, map_key(it));
	}
	for (char **key = keys; key && *key; key++) make_room_at(s, &remote, *key);
	strv_free(keys);
	things_release(&remote);
}

void story_answer_meddling(struct story *s) {
	char **meddled = s->g->meddled;
	s->g->meddled = NULL;
	for (char **path = meddled; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		bool here = !disk_stat(s->g->disk, *path, &stat, &err) && stat.kind == DISK_FILE &&
			    !story_excludes(*path, false);
		if (here)
			edit_put(s->g, *path);
		else
			strv_add(&s->g->meddled, *path); /* it is theirs now */
	}
	strv_free(meddled);
}

/* Does another file have its size and time? Whichever of them lies here later, nobody could tell from what was sent. */
static bool has_double(
	struct ground *g, char **paths, const char *path, const struct disk_stat *stat) {
	struct disk_stat other;
	struct err err;
	for (; *paths; paths++)
		if (!str_equal(*paths, path) && !disk_stat(g->disk, *paths, &other, &err) &&
			other.kind == DISK_FILE && other.size == stat->size &&
			other.mtime_ns == stat->mtime_ns)
			return true;
	return false;
}

static void send(struct story *s, const char *path, const struct disk_stat *stat, bool older) {
	char *key = path_join(base_of(s), path);
	struct store_op op;
	struct buf bytes;
	struct err err;
	buf_init(&bytes, 1 << 20);
	store_op_init(&op, stat->kind == DISK_FOLDER ? STORE_MKDIR : STORE_PUT, key);
	op.kind = stat->kind == DISK_FOLDER ? STORE_FOLDER : STORE_FILE;
	bool same_time = ground_draw(s->g, 4) && !older;
	op.mtime_ns = stat->mtime_ns - (same_time ? 0 : NS_PER_S);
	op.mode = stat->mode & 0777;
	if (stat->kind == DISK_FILE) {
		struct disk_stat read;
		if (disk_read(s->g->disk, path, 1 << 20, &bytes, DIGEST_MD5, NULL, &read, &err))
			bytes.len = 0;
		if (ground_draw(s->g, 4) == 0) buf_adds(&bytes, "older");
		op.body = bytes.at ? bytes.at : "";
		op.body_len = bytes.len;
		op.size = (int64_t)bytes.len;
	}
	/* One whose folder was left out stays away as well. */
	if (!store_memory_now(s->g->content, &op, &err)) strv_add(&s->g->orphans, path);
	store_op_release(&op);
	buf_release(&bytes);
	free(key);
}

void story_send_some(struct story *s) {
	char **paths = edit_paths(s->g);
	for (char **path = paths; path && *path; path++) {
		struct disk_stat stat;
		struct err err;
		if (disk_stat(s->g->disk, *path, &stat, &err)) continue;
		bool fits = stat.kind == DISK_FOLDER || stat.kind == DISK_FILE;
		if (!fits || story_excludes(*path, stat.kind == DISK_FOLDER) ||
			!ground_draw(s->g, 3))
			continue;
		send(s, *path, &stat,
			stat.kind == DISK_FILE && has_double(s->g, paths, *path, &stat));
	}
	/* Nor from what is edited next within the same tick. */
	s->g->apart_ns = NS_PER_MS;
	strv_free(paths);
}
