/*
 * Adopting what another program sent in parts. The ETag of such an object is the MD5 of its parts'
 * MD5s and their count ("md5-N"), and says nothing of the whole unless one knows how large the parts
 * were. The tools have few habits (SYNC.md §7), and the count leaves one or two of them: the local
 * file is read once more in such parts, which costs less than to send it.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"
#include "sync/parts.h"

/* awscli 8, rclone 5, s3cmd 15 or 16, browsers and large rclone settings 64. In order of how often. */
static const int64_t habits[] = { 8 << 20, 5 << 20, 16 << 20, 15 << 20, 64 << 20 };

struct parts_match {
	struct store_hash theirs;
	size_t habit;
	int64_t offset, filled; /* of the file; of the present part */
	struct digest part, all;
	bool equal;
	void (*then)(struct transfer *transfer, bool equal);
};

size_t parts_habit(int64_t size, int parts, size_t from) {
	for (size_t i = from; i < ARRAY_LEN(habits); i++)
		if ((size + habits[i] - 1) / habits[i] == parts) return i;
	return PARTS_NO_HABIT;
}

int64_t parts_habit_bytes(size_t habit) {
	return habits[habit];
}

void parts_release(struct transfer *t) {
	struct parts_match *m = t->parts_match;
	if (!m) return;
	digest_release(&m->part);
	digest_release(&m->all);
	free(m);
	t->parts_match = NULL;
}

static void part_ended(struct parts_match *m) {
	uint8_t hash[DIGEST_MAX];
	digest_end(&m->part, hash);
	digest_add(&m->all, hash, 16);
	digest_init(&m->part, DIGEST_MD5);
	m->filled = 0;
}

/* All of it was read: this habit gave theirs, or the next one is tried. */
static void file_ended(struct parts_match *m, int64_t size) {
	uint8_t hash[DIGEST_MAX];
	digest_end(&m->all, hash);
	digest_release(&m->part);
	m->equal = memcmp(hash, m->theirs.bytes, 16) == 0;
	m->offset = 0;
	m->habit = m->equal ? PARTS_NO_HABIT : parts_habit(size, m->theirs.parts, m->habit + 1);
}

/*
 * One bounded span a job. The file is opened for each: a descriptor that stays open between jobs
 * would have to be told to captures, whose lock its close might drop (SYNC.md §6).
 */
static int match_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct parts_match *m = t->parts_match;
	struct disk_stat opened;
	int64_t done = 0;
	int fd = disk_open_file(t->disk, t->path, &opened, err);
	if (fd < 0) return -1;
	int result = disk_stat_same(&opened, &t->stat)
			     ? 0
			     : err_set(err, ERR_CHANGED, "changed while it was read");
	int64_t part = habits[m->habit], span = t->stat.size - m->offset;
	if (m->offset == 0) {
		digest_init(&m->part, DIGEST_MD5);
		digest_init(&m->all, DIGEST_MD5);
		m->filled = 0;
	}
	if (span > STORE_SPAN_MAX) span = STORE_SPAN_MAX;
	if (span > part - m->filled) span = part - m->filled;
	if (!result)
		result = disk_hash_span(t->disk, fd, m->offset, span, &m->part, NULL, &done, err);
	disk_close_file(t->disk, fd);
	if (!result && done != span)
		result = err_set(err, ERR_CHANGED, "changed while it was read");
	if (result) return -1;
	m->offset += span;
	m->filled += span;
	if (m->filled == part || m->offset == t->stat.size) part_ended(m);
	if (m->offset == t->stat.size) file_ended(m, t->stat.size);
	return 0;
}

static void match_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct parts_match *m = t->parts_match;
	t->job_running = false;
	capture_moved(t->folder->sync);
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	if (!err && m->habit != PARTS_NO_HABIT) {
		t->job_running = true;
		job_start(t->folder->loop, &t->job);
		return;
	}
	/* One that changed meanwhile has a mark of its own: it is not equal to what was read before. */
	bool equal = !err && m->equal;
	void (*then)(struct transfer *, bool) = m->then;
	parts_release(t);
	then(t, equal);
}

bool parts_match_start(struct transfer *t, const struct store_entry *theirs,
	void (*then)(struct transfer *transfer, bool equal)) {
	/* An image of a database is made anew each time; nobody else sent that one. */
	if (theirs->hash.kind != STORE_HASH_MD5_PARTS || t->absent || !t->have_hash ||
		t->is_database || t->stat.kind != DISK_FILE || theirs->size != t->stat.size)
		return false;
	size_t habit = parts_habit(t->stat.size, theirs->hash.parts, 0);
	if (habit == PARTS_NO_HABIT) return false;
	t->parts_match = xcalloc(1, sizeof(*t->parts_match));
	t->parts_match->theirs = theirs->hash;
	t->parts_match->habit = habit;
	t->parts_match->then = then;
	t->state = TRANSFER_HASHING;
	t->job.work = match_work;
	t->job.done = match_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
	return true;
}
