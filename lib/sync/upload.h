/* What the files of a large upload share: upload.c, upload_hash.c, upload_stream.c, upload_parts.c. */
#ifndef SYNC_UPLOAD_H
#define SYNC_UPLOAD_H

#include "sync/internal.h"

#define UPLOAD_LANES_MAX 8

enum lane_state {
	LANE_FREE,
	LANE_READING,
	LANE_READY,     /* to be sent */
	LANE_SUBMITTED, /* waits for this turn's commit */
	LANE_SENDING,
	LANE_SENT,
};

/* One part on its way: read, then sent. */
struct upload_lane {
	struct transfer *transfer;
	enum lane_state state;
	int number;  /* of the part, from 1 */
	bool copies; /* it is taken from what stands there */
	bool held;   /* the server has it: it is read all the same, for the whole's hash */
	bool summed; /* and is in that */
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
	bool streams;
	const char *path; /* the upload's, and so are these two */
	const struct disk_stat *opened;
	const uint8_t *seal_key;
	enum digest_kind kind;
	uint8_t hash[DIGEST_MAX], seal[SEAL_LEN];
};

/* What the index knows of a part that was to be sent in this session. */
struct upload_note {
	bool known;
	uint8_t seal[SEAL_LEN];
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

	/* ---- hashes ---- */
	int64_t offset, span; /* both jobs of pass 1 read this */
	struct digest whole, part;
	struct job part_job;
	int jobs; /* that run */
	uint8_t (*part_hashes)[DIGEST_MAX];
	size_t part_count;
	bool hashed;
	uint8_t hash[DIGEST_MAX]; /* of the whole */

	/* ---- one that is hashed while it is sent ---- */
	bool streams;
	bool stale; /* what was sent in an earlier run is not what stands here */
	uint8_t seal_key[SEAL_KEY_LEN];
	struct upload_note *notes; /* of each part */
	struct job sum_job;
	struct upload_lane *summing; /* whose bytes go into the whole's hash now */
	int sum_number;              /* the part that comes next there */

	/* ---- parts ---- */
	struct store_part *parts; /* those the server holds */
	size_t held;
	int next_number; /* those before it are held or on their way */
	struct upload_lane lanes[UPLOAD_LANES_MAX];
	size_t lane_count, busy;
	size_t send_most; /* so many lanes may send at once */
	int64_t part_ms;  /* when the last part was sent */
	int64_t gap_ms;   /* from one to the next on the average; -1: not known */
	char *session;
	bool copy_none;       /* the store takes no part from what stands there */
	int64_t copied_bytes; /* parts that it took from there */
	struct err abort_err; /* why it is given up, while PART_ABORT is on its way */
	bool anew;            /* and then begins once more */
};

/* upload.c */
void upload_new(struct transfer *transfer); /* instead of one that is there */
/* In a job. */
int upload_open(struct upload *upload, struct disk *disk, const char *path, struct err *err);
void upload_session_find(struct transfer *transfer);
void upload_parts_ended(struct transfer *transfer, const struct err *err); /* NULL: all are held */

/* upload_stream.c */
void upload_stream_start(struct transfer *transfer);
int upload_stream_read(struct upload_lane *lane, struct err *err); /* in a lane's job */
/* False: the part is another one than was sent before. */
bool upload_stream_came(struct upload_lane *lane);
/* Notes the part before it is sent. False: the index failed, the transfer is gone. */
bool upload_stream_note(struct upload_lane *lane);
/* What an earlier run noted. False: as above. */
bool upload_stream_remember(struct transfer *transfer);
bool upload_stream_knows_held(const struct upload *upload);
void upload_sum_go(struct upload *upload); /* the next part's bytes into the whole's hash */

/* upload_parts.c */
void upload_parts_start(struct transfer *transfer); /* sends what the server does not hold */
void upload_parts_release(struct upload *upload);   /* none on its way */
void upload_lane_summed(struct upload_lane *lane);

/* ---- delta.c ---- */

/* May some of it stand there already, now or next time? Then parts are small, and told by their MD5. */
bool delta_wants(const struct transfer *transfer);
/* How large parts are to be, so that those of what stands there can be taken over. */
int64_t delta_part_size(const struct transfer *transfer);
bool delta_has(const struct transfer *transfer, int number); /* this part stands there */
/* Taking it failed: is it to be sent instead? */
bool delta_refused(struct transfer *transfer, const struct err *err);

#endif
