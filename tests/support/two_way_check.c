/* What several machines on one remote hold in the end, and whether that is as it must be. */
#include <stdlib.h>
#include <string.h>

#include "support/contents.h"
#include "support/duel.h"
#include "support/edits.h"
#include "support/trees.h"

static bool same_thing(
	struct duel *d, int one_side, int other_side, const char *path, const char **why) {
	const int sides[2] = { one_side, other_side };
	struct disk_stat stats[2];
	struct buf targets[2];
	struct err err;
	bool same = false;
	for (int i = 0; i < 2; i++)
		if (disk_stat(d->machines[sides[i]]->disk, path, &stats[i], &err)) {
			*why = "is on one side only";
			return false;
		}
	*why = "is of another kind on the other side";
	if (stats[0].kind != stats[1].kind) return false;
	*why = "is another one on the other side";
	if (stats[0].kind == DISK_FILE) {
		char *one = contents_hash(d->machines[one_side], path),
		     *two = contents_hash(d->machines[other_side], path);
		same = one && two && str_equal(one, two);
		free(one);
		free(two);
		if (!same) return false;
		*why = "has another time or mode on the other side";
		return stats[0].mtime_ns == stats[1].mtime_ns &&
		       (stats[0].mode & 0777) == (stats[1].mode & 0777);
	}
	if (stats[0].kind != DISK_LINK) return true;
	for (int i = 0; i < 2; i++) {
		buf_init(&targets[i], 4096);
		disk_read_link(d->machines[sides[i]]->disk, path, &targets[i], &err);
	}
	same = targets[0].len == targets[1].len &&
	       memcmp(targets[0].at, targets[1].at, targets[0].len) == 0;
	for (int i = 0; i < 2; i++) buf_release(&targets[i]);
	return same;
}

/* Not kept, or left out: neither is it of the other side's business. */
static bool counts(struct ground *g, const char *path) {
	struct disk_stat stat;
	struct err err;
	if (disk_stat(g->disk, path, &stat, &err) || stat.kind == DISK_OTHER) return false;
	return !story_excludes(path, stat.kind == DISK_FOLDER) && !disk_is_beside(path_name(path));
}

/* A folder that was gone there may stay here for what the rules leave out in it, also when that is gone by now. */
static bool is_hollow(const struct ground *g, const char *path) {
	struct index_entry row;
	struct err err;
	if (!g->folder || index_get(g->index, path, true, &row, &err) != 1) return false;
	bool hollow = (row.flags & INDEX_HOLLOW) != 0;
	index_entry_release(&row);
	return hollow;
}

static char *difference(struct duel *d, int one, int other, const char **why) {
	struct ground *here = d->machines[one], *there = d->machines[other];
	char *found = NULL, **paths = edit_paths(here);
	for (char **path = paths; path && *path && !found; path++) {
		if (!counts(here, *path)) continue;
		/* A socket or a folder that is left out, in its place, says nothing of it. */
		struct disk_stat stat, theirs;
		struct err err;
		bool is_here = !disk_stat(here->disk, *path, &stat, &err);
		bool is_there = !disk_stat(there->disk, *path, &theirs, &err);
		if (!is_here || (is_there && !counts(there, *path))) continue;
		if (same_thing(d, one, other, *path, why) || is_hollow(here, *path)) continue;
		ground_say(here, "'%s', of kind %d here, %s", *path, stat.kind, *why);
		found = xstrdup(*path);
	}
	strv_free(paths);
	return found;
}

char *duel_difference(struct duel *d, const char **why) {
	char *found = NULL;
	for (int i = 0; i < d->senders && !found; i++)
		for (int k = 0; k < d->senders && !found; k++)
			if (i != k) found = difference(d, i, k, why);
	return found;
}

/* Something of another kind stands in its place, or in that of a folder above it: that is a person's to move. */
static bool is_blocked(struct ground *g, const char *path, enum disk_kind kind) {
	struct disk_stat stat;
	struct err err;
	if (!disk_stat(g->disk, path, &stat, &err)) return stat.kind != kind;
	bool blocked = false;
	char *above = path_parent(path);
	while (*above && !blocked) {
		blocked = !disk_stat(g->disk, above, &stat, &err) && stat.kind != DISK_FOLDER;
		char *next = path_parent(above);
		free(above);
		above = next;
	}
	free(above);
	return blocked;
}

char *duel_not_fetched(struct duel *d, int machine, const char **why) {
	struct ground *here = d->machines[0], *there = d->machines[machine];
	char *found = NULL, **paths = edit_paths(here);
	for (char **path = paths; path && *path && !found; path++) {
		struct disk_stat stat;
		struct err err;
		if (!counts(here, *path) || disk_stat(here->disk, *path, &stat, &err)) continue;
		if (stat.kind != DISK_FILE || is_blocked(there, *path, stat.kind)) continue;
		if (same_thing(d, 0, machine, *path, why)) continue;
		ground_say(there, "'%s' %s", *path, *why);
		found = xstrdup(*path);
	}
	strv_free(paths);
	return found;
}

/* After a barrier that ended well, while nobody edits: what is here is there, or was replaced by somebody else since. */
void duel_stored(struct duel *d, int machine) {
	struct map here, there;
	if (d->blind) return;
	contents_gather(d->machines[machine], &here);
	contents_gather_remote(d->machines[machine], &there);
	for (struct map_item *it = NULL; (it = map_next(&here, it));) {
		const struct contents_holder *holder = map_value(it);
		if (!map_get(&there, map_key(it)))
			ground_wrong(d->machines[machine], "durable, and not at the remote",
				holder->path);
	}
	contents_release(&here);
	contents_release(&there);
}

/* All sides have the same by now: the remote has it too, name by name. */
void duel_remote_judge(struct duel *d) {
	struct map here, there;
	contents_paths(d->machines[0], &here);
	contents_paths_remote(d->machines[0], &there);
	const char *path = contents_differ(&here, &there, NULL);
	if (path) ground_wrong(d->machines[0], "is not the same at the remote", path);
	contents_paths_release(&here);
	contents_paths_release(&there);
}

/* What lies at the remote now. */
void duel_stood_note(struct duel *d) {
	struct map there;
	if (d->blind) return;
	contents_gather_remote(d->machines[0], &there);
	for (struct map_item *it = NULL; (it = map_next(&there, it));)
		map_put(&d->stood, map_key(it), d);
	contents_release(&there);
}

/* What lay there once lies there still, perhaps as a kept version, whoever replaced or removed it. */
static void versions_hold(struct duel *d) {
	struct map there;
	contents_gather_remote(d->machines[0], &there);
	for (struct map_item *it = NULL; (it = map_next(&d->stood, it));)
		if (!map_get(&there, map_key(it)))
			ground_wrong(d->machines[0], "was at the remote, and no version holds it",
				map_key(it));
	contents_release(&there);
}

/* Where the remote keeps no conditions, two that write at one moment do not see each other: what the later one replaced is a kept version,
 * or lies in the trash of the other. */
static void senders_lost_nothing(struct duel *d) {
	struct map found[MACHINES_MAX], kept;
	for (int i = 0; i < d->senders; i++) contents_gather(d->machines[i], &found[i]);
	contents_gather_remote(d->machines[0], &kept);
	for (struct map_item *it = NULL; (it = map_next(&d->contents, it));) {
		const char *hash = map_key(it);
		bool there = map_value(it) != duel_alive;
		for (int i = 0; i < d->senders; i++) there |= map_get(&found[i], hash) != NULL;
		bool past = map_get(&kept, hash) || map_get(&d->trash, hash);
		if (!there && !(d->blind && past))
			ground_wrong(d->machines[0], "what an edit wrote is nowhere", hash);
	}
	for (int i = 0; i < d->senders; i++) contents_release(&found[i]);
	contents_release(&kept);
}

/* What a person did where nothing is sent stays there, or is in the trash when the remote replaced it. */
static void fetchers_lost_nothing(struct duel *d) {
	struct map found[MACHINES_MAX];
	for (int i = d->senders; i < d->count; i++) contents_gather(d->machines[i], &found[i]);
	for (struct map_item *it = NULL; (it = map_next(&d->fetchers, it));) {
		const char *hash = map_key(it);
		bool there = map_value(it) != duel_alive || map_get(&d->trash, hash);
		for (int i = d->senders; i < d->count; i++)
			there |= map_get(&found[i], hash) != NULL;
		if (!there)
			ground_wrong(d->machines[d->senders],
				"what an edit wrote, where nothing is sent, is nowhere", hash);
	}
	for (int i = d->senders; i < d->count; i++) contents_release(&found[i]);
}

void duel_nothing_lost(struct duel *d) {
	senders_lost_nothing(d);
	versions_hold(d);
	fetchers_lost_nothing(d);
}
