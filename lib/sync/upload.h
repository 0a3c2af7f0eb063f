/* What the files of a large upload share: upload.c, upload_hash.c, upload_parts.c. */
#ifndef SYNC_UPLOAD_H
#define SYNC_UPLOAD_H

#include "sync/internal.h"

#define UPLOAD_LANES_MAX 8

/* One part on its way: read, then sent. */
struct upload_lane {
	struct transfer *transfer;
	enum { LANE_FREE, LANE_READING, LANE_SUBMITTED, LANE_SENDING } state;
	int number; /* of the part, from 1 */
	struct submit submit;
	struct store_op op;
	bool op_ready; /* op was initialised */
	char *body;    /* room for a part; NULL where the store reads bodies by itself */

	/* ---- the job's ---- */
	struct job job;
	struct disk *disk;
	int fd;
	int64_t offset;
	size_t length;
};

struct upload {
	struct transfer *transfer;
	struct disk *disk; /* that `fd` belongs to */
	int fd;
	int64_t size;
	int64_t part_wish, part_most; /* what the store likes */
	enum digest_kind part_kind;   /* what it checks parts by */
	int64_t part_size;
	struct disk_stat opened;
	struct err failed; /* the first job or part that did */

	/* ---- pass 1 ---- */
	int64_t offset, span; /* both jobs read this */
	struct digest whole, part;
	struct job part_job;
	int jobs; /* that run */
	uint8_t (*part_hashes)[DIGEST_MAX];
	size_t part_count;
	bool hashed;

	/* ---- pass 2 ---- */
	struct store_part *parts; /* those the server holds */
	size_t held;
	int next_number; /* those before it are held or on their way */
	struct upload_lane lanes[UPLOAD_LANES_MAX];
	size_t lane_count, busy;
	char *session;
	struct err abort_err; /* why it is given up, while PART_ABORT is on its way */
};

/* upload.c */
void upload_parts_ended(struct transfer *transfer, const struct err *err); /* NULL: all are held */

/* upload_parts.c */
void upload_parts_start(struct transfer *transfer); /* sends what the server does not hold */
void upload_parts_release(struct upload *upload);   /* none on its way */

#endif
