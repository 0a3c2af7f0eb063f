#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/internal.h"

enum { GATHER_MIN = 256 };

struct name {
	char *text;
	bool folder;
};

/* Names are gathered and sorted before anything is looked at, so that a page costs one statx for
 * each of its entries and none for the others. */
struct names {
	struct name *at;
	size_t count, cap;
	bool dropped; /* more were there than the limit lets through */
};

int disk_name_compare(const char *left, bool left_folder, const char *right, bool right_folder) {
	size_t left_len = strlen(left), right_len = strlen(right);
	size_t same = left_len < right_len ? left_len : right_len;
	int order = memcmp(left, right, same);

	if (order != 0) return order;
	int left_byte = left_len > same ? (unsigned char)left[same] : left_folder ? '/' : -1;
	int right_byte = right_len > same ? (unsigned char)right[same] : right_folder ? '/' : -1;
	return left_byte - right_byte;
}

static int compare_names(const void *left, const void *right) {
	const struct name *l = left, *r = right;
	return disk_name_compare(l->text, l->folder, r->text, r->folder);
}

static int compare_items(const void *left, const void *right) {
	const struct disk_item *l = left, *r = right;
	return disk_name_compare(
		l->name, l->stat.kind == DISK_FOLDER, r->name, r->stat.kind == DISK_FOLDER);
}

void disk_list_sort(struct disk_list *list) {
	if (list->count) qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

static void names_release(struct names *names) {
	for (size_t i = 0; i < names->count; i++) free(names->at[i].text);
	free(names->at);
}

static void sort_and_cut(struct names *names, size_t limit) {
	if (names->count == 0) return;
	qsort(names->at, names->count, sizeof(*names->at), compare_names);
	if (limit == 0) return;
	while (names->count > limit) {
		free(names->at[--names->count].text);
		names->dropped = true;
	}
}

/* Holds at most about twice `limit` names, however many the folder has. */
static void add(struct names *names, const char *text, bool folder, size_t limit) {
	if (names->count == names->cap) {
		if (limit > 0 && names->count >= 2 * limit) sort_and_cut(names, limit);
	}
	if (names->count == names->cap) {
		names->cap = names->cap ? names->cap * 2 : GATHER_MIN;
		names->at = xrealloc(names->at, names->cap * sizeof(*names->at));
	}
	names->at[names->count++] = (struct name){ .text = xstrdup(text), .folder = folder };
}

/* Some file systems (older XFS, FUSE) do not tell the kind with the name. */
static bool is_folder(int folder, const struct dirent *entry) {
	struct disk_stat stat;

	if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
	return os_stat(folder, entry->d_name, &stat) == 0 && stat.kind == DISK_FOLDER;
}

static int gather(DIR *dir, const char *after, size_t limit, struct names *names) {
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry) return errno ? -1 : 0;
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..")) continue;
		bool folder = is_folder(dirfd(dir), entry);
		/* `after` is written as it sorts: a folder's with its slash. */
		if (after && disk_name_compare(entry->d_name, folder, after, false) <= 0) continue;
		add(names, entry->d_name, folder, limit);
	}
}

/* Each name's own state. What vanished since it was read is left out. */
static void look_at_all(int folder, struct names *names, struct disk_list *list) {
	bool in_order = true;

	list->items = xcalloc(names->count ? names->count : 1, sizeof(*list->items));
	for (size_t i = 0; i < names->count; i++) {
		struct disk_item *item = &list->items[list->count];
		struct name *name = &names->at[i];
		if (os_stat(folder, name->text, &item->stat) < 0) {
			if (errno == ENOENT) continue;
			disk_fail(&item->err, errno, "look at", name->text);
			item->stat.kind = name->folder ? DISK_FOLDER : DISK_OTHER;
		}
		/* A file became a folder between the two looks: it sorts elsewhere now. */
		if ((item->stat.kind == DISK_FOLDER) != name->folder) in_order = false;
		item->name = name->text;
		name->text = NULL;
		list->count++;
	}
	if (!in_order) disk_list_sort(list);
}

static int list_folder(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err) {
	struct names names = { 0 };
	int rc = -1;

	memset(list, 0, sizeof(*list));
	int fd = disk_open_beneath(disk, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	if (fd < 0) return disk_fail(err, errno, "list folder", path);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		disk_fail(err, errno, "list folder", path);
		close(fd);
		return -1;
	}
	if (os_stat(fd, "", &list->self) < 0 || gather(dir, after, limit, &names) < 0) {
		disk_fail(err, errno, "list folder", path);
		goto close;
	}
	sort_and_cut(&names, limit);
	look_at_all(fd, &names, list);
	list->more = names.dropped;
	rc = 0;
close:
	names_release(&names);
	closedir(dir);
	return rc;
}

int posix_list(struct disk *disk, const char *path, const char *after, size_t limit,
	struct disk_list *list, struct err *err) {
	rights_enter(disk->rights);
	int rc = list_folder(disk, path, after, limit, list, err);
	rights_leave(disk->rights);
	return rc;
}

int posix_is_empty(struct disk *disk, const char *path, struct err *err) {
	const struct dirent *entry;

	int fd = disk_open_beneath(disk, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	if (fd < 0) return disk_fail(err, errno, "list folder", path);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		disk_fail(err, errno, "list folder", path);
		close(fd);
		return -1;
	}
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (str_equal(entry->d_name, ".") || str_equal(entry->d_name, "..")));
	int rc = entry ? 0 : 1;
	if (!entry && errno != 0) rc = disk_fail(err, errno, "list folder", path);
	closedir(dir);
	return rc;
}
