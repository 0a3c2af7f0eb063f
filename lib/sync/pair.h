/*
 * Is a new path an agreed one under another name (SYNC.md §9)? As pure functions of what the index says of the origin and what is seen
 * here. No loop, no clock, no disk: table tests call them directly.
 */
#ifndef SYNC_PAIR_H
#define SYNC_PAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "index/index.h"

/* Below this the bytes are compared as well: ext4 gives a freed inode to the next file at once. */
#define PAIR_BY_IDENTITY (1 << 20)

/* What stands under the origin's name now. */
enum pair_origin {
	ORIGIN_UNKNOWN,
	ORIGIN_GONE, /* nothing, or something else: another inode took the name */
	ORIGIN_SAME, /* the same inode: a hard link */
};

struct pair_question {
	const struct index_entry *base; /* of the origin */
	/* what is seen under the new name */
	uint64_t ino;
	int64_t size, mtime_ns, btime_ns;
	bool is_database;    /* live: its size and times say nothing of the image */
	const uint8_t *hash; /* of its content, or of its image; NULL: not read yet */
	size_t hash_len;     /* of all that the store tells; a base with another is not known */
	bool taken;          /* something of ours stands under the new name at the remote */
	enum pair_origin origin;
};

enum pair_answer {
	PAIR_NO,
	PAIR_READ, /* perhaps: its bytes are needed to say so */
	PAIR_LOOK, /* perhaps: what stands under the origin's name? */
	PAIR_MOVE,
	PAIR_COPY,
};

enum pair_answer pair_file(const struct pair_question *question);
enum pair_answer pair_folder(const struct pair_question *question);

#endif
