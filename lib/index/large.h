/*
 * What the index notes of large contents, so that a restart goes on with them: uploads that are under way, and files that come here.
 * Included by index.h, the face, whose rules hold: on the loop's thread, 0 or -1 with err, and -1 undoes all since the last commit.
 */
#ifndef INDEX_LARGE_H
#define INDEX_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct index;

/* ---- large uploads ---- */

enum { INDEX_SEAL_LEN = 16 };

struct index_session {
	char *session; /* the store's, opaque, secret */
	int64_t size, mtime_ns, ctime_ns, part_size;
	uint64_t ino;
	uint8_t hash[32];
	size_t hash_len;
	/* Begun before the whole was read: what tells its parts instead (index_session_parts). */
	uint8_t seal_key[32];
	bool sealed;
};
int index_session_put(struct index *index, const char *path, const struct index_session *session,
	struct err *err);
int index_session_get(struct index *index, const char *path, struct index_session *session,
	struct err *err); /* 1, 0, -1 */
/* One of them, with its path, the caller's: 1, 0, -1. */
int index_session_any(
	struct index *index, char **path, struct index_session *session, struct err *err);
int index_session_drop(struct index *index, const char *path, struct err *err);
/* The seal of a part, before it is sent; goes with the session. */
int index_session_part_put(struct index *index, const char *path, int number,
	const uint8_t seal[INDEX_SEAL_LEN], struct err *err);
/* All of them, in order. */
int index_session_parts(struct index *index, const char *path,
	void (*came)(void *user, int number, const uint8_t seal[INDEX_SEAL_LEN]), void *user,
	struct err *err);
void index_session_release(struct index_session *session);

/* ---- large contents on their way here ---- */

/* Of one version of a content the first bytes, in a file that has no place yet. */
struct index_bringing {
	char *path, *beside; /* where it belongs, and where it lies */
	char *version;       /* the remote's, opaque */
	int64_t size;        /* of all of it, in bytes */
	int64_t mtime_ns;
	int mode;
	uint64_t ino; /* of the file beside */
	int64_t upto; /* so many bytes of it are on the disk, for sure */
};
/* Instead of what was noted of this path. After the bytes were synced, never before. */
int index_bringing_put(struct index *index, const struct index_bringing *row, struct err *err);
/* 1 (the row is the caller's), 0, -1. Says 0 before index_bringing_list was called once. */
int index_bringing_get(
	struct index *index, const char *path, struct index_bringing *row, struct err *err);
int index_bringing_drop(struct index *index, const char *path, struct err *err);
/* All; the caller's. Once after index_open, and whenever. */
int index_bringing_list(
	struct index *index, struct index_bringing **rows, size_t *count, struct err *err);
void index_bringing_free(struct index_bringing *rows, size_t count);
void index_bringing_release(struct index_bringing *row);

#endif
