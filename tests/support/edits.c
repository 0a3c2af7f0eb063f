#include "support/edits.h"

#include "support/trees.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "a", "b", "c", "d e", "\xc3\xa9", "f", "g.tmp", "-", "h\ni",
	"%2F", "cache", "~" };
enum { BYTES_MAX = 70000, DEPTH_MAX = 4 };

/* ---- what is there ---- */

static void gather(struct ground *g, const char *folder, struct ground_paths *all) {
	struct disk_list list;
	struct err err;
	if (disk_list(g->disk, folder, &list, &err)) return;
	for (size_t i = 0; i < list.count; i++) {
		/* What the engine is writing is nobody else's. */
		if (disk_is_beside(list.items[i].name)) continue;
		if (all->count == all->cap) {
			all->cap = all->cap ? 2 * all->cap : 64;
			all->paths = xrealloc(all->paths, all->cap * sizeof(*all->paths));
			all->kinds = xrealloc(all->kinds, all->cap * sizeof(*all->kinds));
		}
		char *path = path_join(folder, list.items[i].name);
		all->paths[all->count] = path;
		all->kinds[all->count++] = list.items[i].stat.kind;
		if (list.items[i].stat.kind == DISK_FOLDER) gather(g, path, all);
	}
	disk_list_release(&list);
}

/* An edit asks for them several times: they are gathered again when something has changed. */
static const struct ground_paths *all_paths(struct ground *g) {
	struct ground_paths *all = &g->paths;
	bool paused = g->paused;
	if (all->known && all->changes == g->changes) return all;
	for (size_t i = 0; i < all->count; i++) free(all->paths[i]);
	all->count = 0;
	g->paused = true;
	gather(g, "", all);
	g->paused = paused;
	all->known = true;
	all->changes = g->changes;
	return all;
}

char **edit_paths(struct ground *g) {
	const struct ground_paths *all = all_paths(g);
	if (!all->count) return NULL;
	char **paths = xcalloc(all->count + 1, sizeof(*paths));
	for (size_t i = 0; i < all->count; i++) paths[i] = xstrdup(all->paths[i]);
	return paths;
}

bool edit_any_files(struct ground *g) {
	char **paths = edit_paths(g);
	bool any = false;
	for (char **path = paths; path && *path && !any; path++) {
		struct disk_stat stat;
		struct err err;
		any = !disk_stat(g->disk, *path, &stat, &err) && stat.kind == DISK_FILE &&
		      !story_excludes(*path, false);
	}
	strv_free(paths);
	return any;
}

static bool is_kind(struct ground *g, const char *path, enum disk_kind kind) {
	struct disk_stat stat;
	struct err err;
	return !disk_stat(g->disk, path, &stat, &err) && stat.kind == kind;
}

static bool is_there(struct ground *g, const char *path) {
	struct disk_stat stat;
	struct err err;
	return !disk_stat(g->disk, path, &stat, &err);
}

/* One of `kind`; NULL: there is none. The caller's. */
static char *any_of(struct ground *g, enum disk_kind kind) {
	const struct ground_paths *all = all_paths(g);
	const char *found = NULL;
	size_t count = 0;
	for (size_t i = 0; i < all->count; i++)
		if (all->kinds[i] == kind && ground_draw(g, ++count) == 0) found = all->paths[i];
	return xstrdup(found);
}

static char *any_folder(struct ground *g) {
	char *folder = ground_draw(g, 3) ? any_of(g, DISK_FOLDER) : NULL;
	return folder ? folder : xstrdup("");
}

static size_t depth(const char *path) {
	size_t count = 0;
	for (; *path; path++) count += *path == '/';
	return count;
}

/* A place in a folder that is there; something may stand in it. */
static char *any_place(struct ground *g) {
	char *folder = any_folder(g);
	if (depth(folder) >= DEPTH_MAX) folder[0] = '\0';
	char *path = path_join(folder, names[ground_draw(g, ARRAY_LEN(names))]);
	free(folder);
	return path;
}

/* ---- edits ---- */

static size_t any_size(struct ground *g) {
	if (g->large && !ground_draw(g, 4)) return (64 << 10) + 1 + ground_draw(g, 60000);
	switch (ground_draw(g, 12)) {
	case 0: return 0;
	case 1: return ground_draw(g, 6000);
	case 2: return ground_draw(g, 4) ? 900 : ground_draw(g, BYTES_MAX);
	default: return 1 + ground_draw(g, 200);
	}
}

static void write_bytes(
	struct ground *g, const char *path, int64_t offset, size_t size, bool truncate) {
	char *bytes = xmalloc(size + 1);
	struct err err;
	for (size_t i = 0; i < size; i += 8) {
		uint64_t bits = ground_draw(g, UINT64_MAX);
		memcpy(bytes + i, &bits, size - i < 8 ? size - i : 8);
	}
	disk_memory_write(g->memory, path, offset, bytes, size, truncate, &err);
	free(bytes);
}

void edit_put(struct ground *g, const char *path) {
	char *parent = path_parent(path);
	struct err err;
	for (char *at = parent; *at;) {
		at += strcspn(at, "/");
		char end = *at;
		*at = '\0';
		disk_mkdir(g->disk, parent, 0755, &err);
		*at = end;
		at += end != 0;
	}
	free(parent);
	write_bytes(g, path, 0, 1 + ground_draw(g, 100), true);
}

void edit_remove_tree(struct ground *g, const char *path) {
	struct disk_list list;
	struct err err;
	if (!disk_list(g->disk, path, &list, &err)) {
		for (size_t i = 0; i < list.count; i++) {
			char *below = path_join(path, list.items[i].name);
			if (list.items[i].stat.kind == DISK_FOLDER)
				edit_remove_tree(g, below);
			else
				disk_remove(g->disk, below, &err);
			free(below);
		}
		disk_list_release(&list);
	}
	if (*path) disk_rmdir(g->disk, path, &err);
}

void edit_remove_path(struct ground *g, const char *path) {
	struct err err;
	if (is_kind(g, path, DISK_FOLDER))
		edit_remove_tree(g, path);
	else if (is_there(g, path))
		disk_remove(g->disk, path, &err);
}

void edit_make_readable(struct ground *g) {
	struct err err;
	for (bool again = true; again;) {
		char **paths = edit_paths(g);
		again = false;
		for (char **path = paths; path && *path; path++) {
			struct disk_stat stat;
			if (disk_stat(g->disk, *path, &stat, &err)) continue;
			int want = stat.kind == DISK_FOLDER ? 0700 : 0600;
			if (stat.kind == DISK_LINK || (stat.mode & want) == want) continue;
			disk_set(g->disk, *path, DISK_TIME_KEEP, stat.mode | want, &err);
			again = true;
		}
		strv_free(paths);
	}
}

static void make_tree(struct ground *g, const char *at, unsigned levels) {
	struct err err;
	disk_mkdir(g->disk, at, 0755, &err);
	for (uint64_t i = ground_draw(g, 4); i > 0; i--) {
		char *path = path_join(at, names[ground_draw(g, ARRAY_LEN(names))]);
		if (levels && ground_draw(g, 2))
			make_tree(g, path, levels - 1);
		else if (!is_kind(g, path, DISK_FOLDER))
			write_bytes(g, path, 0, any_size(g), true);
		free(path);
	}
}

/* A write aside that takes the name: how editors save. */
static void save(struct ground *g, const char *path) {
	char *aside = xasprintf("%s~new", path);
	struct err err;
	write_bytes(g, aside, 0, any_size(g), true);
	if (!is_there(g, path) || is_kind(g, path, DISK_FILE))
		disk_rename(g->disk, aside, path, true, &err);
	else
		disk_remove(g->disk, aside, &err);
	free(aside);
}

/* rename(2) where the kinds agree; another kind is removed first. */
static void move(struct ground *g, const char *from, const char *to) {
	struct disk_stat one, two;
	struct err err;
	if (path_is_within(to, from) || path_is_within(from, to)) return;
	if (disk_stat(g->disk, from, &one, &err)) return;
	if (!disk_stat(g->disk, to, &two, &err) && (one.kind != two.kind || ground_draw(g, 2)))
		edit_remove_path(g, to);
	disk_rename(g->disk, from, to, true, &err);
}

static void swap(struct ground *g, const char *one, const char *two) {
	struct err err;
	if (path_is_within(one, two) || path_is_within(two, one)) return;
	if (!is_there(g, one) || !is_there(g, two)) return;
	/* By way of a name that says nothing of its kind. */
	if (disk_rename(g->disk, one, "swapped~", false, &err)) return;
	disk_rename(g->disk, two, one, false, &err);
	disk_rename(g->disk, "swapped~", two, false, &err);
}

static void set_mode(struct ground *g, const char *path) {
	static const int modes[] = { 0644, 0600, 0755, 0700, 0444, 0640 };
	struct err err;
	bool folder = is_kind(g, path, DISK_FOLDER);
	int mode = modes[ground_draw(g, ARRAY_LEN(modes))];
	if (ground_draw(g, 20) == 0) mode = 0; /* nobody may read it */
	disk_set(g->disk, path, DISK_TIME_KEEP, folder && mode ? mode | 0700 : mode, &err);
}

static void touch(struct ground *g, const char *path) {
	struct err err;
	int64_t back_ns = (int64_t)ground_draw(g, 100000) * NS_PER_S;
	disk_set(g->disk, path, loop_wall_ns(g->loop) - back_ns, -1, &err);
}

static void change_kind(struct ground *g, const char *path) {
	struct err err;
	bool folder = is_kind(g, path, DISK_FOLDER);
	edit_remove_path(g, path);
	switch (ground_draw(g, 4)) {
	case 0: disk_symlink(g->disk, "elsewhere", path, &err); break;
	case 1: disk_memory_mkother(g->memory, path, &err); break;
	default:
		if (folder)
			write_bytes(g, path, 0, any_size(g), true);
		else
			make_tree(g, path, 1);
	}
}

static void file_edit(struct ground *g, const char *file, unsigned what) {
	struct disk_stat stat;
	struct err err;
	if (disk_stat(g->disk, file, &stat, &err)) return;
	switch (what) {
	case 0: write_bytes(g, file, 0, any_size(g), true); break;
	case 1: write_bytes(g, file, 0, (size_t)stat.size, true); break; /* as many, others */
	case 2: write_bytes(g, file, stat.size, 1 + ground_draw(g, 300), false); break;
	case 3: write_bytes(g, file, stat.size / 2, 0, true); break;
	case 4: touch(g, file); break;
	case 5: set_mode(g, file); break;
	case 6: edit_remove_path(g, file); break;
	default: save(g, file); break;
	}
}

static void tree_edit(struct ground *g, char *folder, unsigned what) {
	char *place = any_place(g);
	switch (what) {
	case 0: edit_remove_tree(g, folder); break;
	case 1: set_mode(g, folder); break;
	case 2:
	case 3: move(g, folder, place); break;
	case 4: change_kind(g, folder); break;
	default: { /* gone, and made again at once */
		edit_remove_tree(g, folder);
		make_tree(g, folder, 1);
	}
	}
	free(place);
}

static void two_edit(struct ground *g, unsigned what) {
	char *one = any_of(g, ground_draw(g, 4) ? DISK_FILE : DISK_LINK);
	char *two = any_of(g, DISK_FILE), *place = any_place(g);
	struct err err;
	if (one && what == 0) move(g, one, place);
	if (one && two && what == 1) swap(g, one, two);
	if (two && what == 2 && !is_there(g, place)) disk_link(g->disk, two, place, &err);
	if (two && what == 3) change_kind(g, two);
	free(one);
	free(two);
	free(place);
}

static void edit_one(struct ground *g) {
	unsigned what = (unsigned)ground_draw(g, 30);
	char *place = any_place(g), *file = any_of(g, DISK_FILE), *folder = any_of(g, DISK_FOLDER);
	struct err err;
	if (what < 6 || (!file && what < 18)) {
		if (!is_kind(g, place, DISK_FOLDER)) write_bytes(g, place, 0, any_size(g), true);
	} else if (what < 18) {
		file_edit(g, file, what % 8);
	} else if (what < 22 || !folder) {
		two_edit(g, what % 4);
	} else if (what < 25) {
		if (!is_there(g, place)) make_tree(g, place, 2);
	} else if (what < 26) {
		if (!is_there(g, place)) disk_symlink(g->disk, "target of it", place, &err);
	} else {
		tree_edit(g, folder, (unsigned)ground_draw(g, 6));
	}
	free(place);
	free(file);
	free(folder);
}

/* Nobody edits while this one looks for what to edit. */
void edit_random(struct ground *g) {
	bool paused = g->paused;
	g->paused = true;
	edit_one(g);
	g->paused = paused;
}

static void take_away_one(struct ground *g) {
	char *place = any_place(g), *path = any_of(g, ground_draw(g, 3) ? DISK_FILE : DISK_FOLDER);
	if (path && ground_draw(g, 2))
		edit_remove_path(g, path);
	else if (path && !is_there(g, place))
		move(g, path, place);
	free(place);
	free(path);
}

void edit_take_away(struct ground *g) {
	bool paused = g->paused;
	g->paused = true;
	take_away_one(g);
	g->paused = paused;
}
