/* What the files of a large upload share: upload.c, upload_hash.c, upload_parts.c. */
#ifndef SYNC_UPLOAD_H
#define SYNC_UPLOAD_H

#include "sync/internal.h"

#define UPLOAD_LANES_MAX 8

/* One part on its way: read, then sent. */
struct upload_lane {
	struct transfer *transfer;
	enum { LANE_FREE, LANE_READING, LANE_SUBMITTED, LANE_SENDING } state;
	int number;  /* of the part, from 1 */
	bool copies; /* it is taken from what stands there */
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
	uint8_t hash[DIGEST_MAX]; /* of the whole */

	/* ---- pass 2 ---- */
	struct store_part *parts; /* those the server holds */
	size_t held;
	int next_number; /* those before it are held or on their way */
	struct upload_lane lanes[UPLOAD_LANES_MAX];
	size_t lane_count, busy, bodies; /* lanes, those at work, and those of them that send */
	int64_t part_ms;                 /* when the last part was sent */
	int64_t gap_ms;                  /* from one to the next on the average; -1: not known */
	char *session;
	bool copy_none;       /* the store takes no part from what stands there */
	int64_t copied_bytes; /* parts that it took from there */
	struct err abort_err; /* why it is given up, while PART_ABORT is on its way */
};

/* upload.c */
void upload_parts_ended(struct transfer *transfer, const struct err *err); /* NULL: all are held */

/* upload_parts.c */
void upload_parts_start(struct transfer *transfer); /* sends what the server does not hold */
void upload_parts_release(struct upload *upload);   /* none on its way */

/* ---- delta.c ---- */

/* May some of it stand there already, now or next time? Then parts are small, and told by their MD5. */
bool delta_wants(const struct transfer *transfer);
/* How large parts are to be, so that those of what stands there can be taken over. */
int64_t delta_part_size(const struct transfer *transfer);
bool delta_has(const struct transfer *transfer, int number); /* this part stands there */
/* Taking it failed: is it to be sent instead? */
bool delta_refused(struct transfer *transfer, const struct err *err);

#endif
