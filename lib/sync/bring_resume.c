/*
 * A large file that was on its way when the program, or the power, went: its first bytes lie in a file that has no place yet, and the index
 * tells how many of them were on the disk before it said so. Nothing else of that file is believed. They are taken over when the remote
 * still has the version they are of, and are read once more for the hash of the whole; the last byte is always asked for, with that
 * version, so that the remote itself agrees.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/bring.h"

enum { READ_BYTES = 32 << 20 }; /* in one job, which a stop waits for */

/* ---- noted ---- */

int bring_note(struct transfer *t, int64_t upto, struct err *err) {
	struct bring *b = t->bring;
	const struct index_bringing row = { .path = t->path,
		.beside = b->beside,
		.version = b->expected,
		.size = b->size,
		.mtime_ns = b->mtime_ns,
		.mode = b->mode,
		.ino = b->ino,
		.upto = upto };
	if (index_bringing_put(t->folder->index, &row, err)) return -1;
	b->noted = upto;
	return 0;
}

/* Short work, on the loop; it may be gone already. */
static int drop(
	struct folder *f, struct disk *disk, const struct index_bringing *row, struct err *err) {
	struct err ignored;
	if (disk_is_beside(path_name(row->beside))) disk_remove(disk, row->beside, &ignored);
	return index_bringing_drop(f->index, row->path, err);
}

int bring_resume_over(struct transfer *t, struct err *err) {
	struct index_bringing row;
	int got = index_bringing_get(t->folder->index, t->path, &row, err);
	if (got != 1) return got;
	int rc = drop(t->folder, t->disk, &row, err);
	index_bringing_release(&row);
	return rc;
}

/* ---- taken over ---- */

static bool is_of(const struct index_bringing *row, const struct index_entry *there) {
	return str_equal(row->version, there->version) && there->version &&
	       row->size == there->size && row->upto > 0;
}

static void take(struct bring *b, struct index_bringing *row) {
	b->resumes = row->upto < row->size ? row->upto : row->size - 1;
	b->noted = row->upto;
	b->beside = row->beside;
	row->beside = NULL;
	b->size = row->size;
	b->mtime_ns = row->mtime_ns;
	b->mode = row->mode;
	b->ino = row->ino;
}

bool bring_resume_find(struct transfer *t) {
	struct folder *f = t->folder;
	const struct index_entry *there = both_there(t);
	struct index_bringing row;
	struct err err;
	int got = index_bringing_get(f->index, t->path, &row, &err);
	int failed = got < 0;
	if (got == 1 && there && is_of(&row, there))
		take(t->bring, &row);
	else if (got == 1)
		failed = drop(f, t->disk, &row, &err);
	index_bringing_release(&row);
	if (failed) folder_index_failed(f, &err);
	return !failed;
}

static int read_work(struct job *job, struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct bring *b = t->bring;
	struct disk_stat stat;
	int64_t left;
	if (b->fd < 0) {
		b->fd = disk_beside_again(t->disk, b->beside, &stat, err);
		if (b->fd < 0) return -1;
		if (stat.ino != b->ino || stat.size < b->resumes)
			return err_set(err, ERR_CHANGED, "is another file than it was");
	}
	left = b->resumes - b->offset;
	if (left > READ_BYTES) left = READ_BYTES;
	if (disk_hash_span(t->disk, b->fd, b->offset, left, &b->digest, NULL, &b->reread, err))
		return -1;
	return b->reread == left ? 0 : err_set(err, ERR_CHANGED, "is shorter than it was");
}

/* Whatever is the matter with it, all of it comes again. */
static void begin_anew(struct transfer *t, const struct err *err) {
	struct bring *b = t->bring;
	struct err ignored;
	log_debug("folder '%s': what had come of '%s' is not taken over: %s", t->folder->name,
		t->path, err->text);
	if (b->fd >= 0) disk_close_file(t->disk, b->fd);
	disk_remove(t->disk, b->beside, &ignored);
	free(b->beside);
	b->beside = NULL;
	b->fd = -1;
	b->noted = b->resumes = b->offset = 0;
	digest_release(&b->digest);
	digest_init(&b->digest, t->digest);
	bring_get_first(t);
}

static void read_done(struct job *job, const struct err *err) {
	struct transfer *t = container_of(job, struct transfer, job);
	struct bring *b = t->bring;
	t->job_running = false;
	if (transfer_is_abandoned(t)) {
		transfer_forget(t);
		return;
	}
	folder_turn(t->folder);
	b->offset += err ? 0 : b->reread; /* here, since others look at it while the job runs */
	if (err) {
		begin_anew(t, err);
	} else if (b->offset < b->resumes) {
		bring_resume_start(t);
	} else {
		log_info("folder '%s': '%s' goes on to come after %lld bytes that are here",
			t->folder->name, t->path, (long long)b->offset);
		/* Before ours gets another name the news must outlive a power cut. */
		if (t->conflict) t->folder->intents = true;
		bring_ranges_start(t);
	}
}

void bring_resume_start(struct transfer *t) {
	t->state = TRANSFER_READING;
	t->job.work = read_work;
	t->job.done = read_done;
	t->job_running = true;
	job_start(t->folder->loop, &t->job);
}

/* ---- after a start ---- */

/* Each of these paths is looked at, if only to find that nothing comes there any more. */
int bring_resume_load(struct folder *f, struct err *err) {
	struct index_bringing *rows;
	size_t count;
	f->brought_before_ns = loop_wall_ns(f->loop);
	if (index_bringing_list(f->index, &rows, &count, err)) return -1;
	int rc = 0;
	for (size_t i = 0; i < count && !rc; i++)
		rc = index_mark(
			f->index, rows[i].path, folder_clock_ms(f), 0, 0, PRIO_LARGE, NULL, err);
	index_bringing_free(rows, count);
	return rc || !count ? rc : index_commit(f->index, false, err);
}

void bring_resume_clear(struct index *index) {
	struct index_bringing *rows;
	struct err err;
	size_t count;
	if (index_bringing_list(index, &rows, &count, &err) || !count) return;
	char *root = index_meta_get(index, "place"); /* folder_place(): its first line */
	if (root) root[strcspn(root, "\n")] = 0;
	struct disk *disk = root ? disk_open(root, &err) : NULL;
	for (size_t i = 0; i < count && disk; i++) {
		bool gone = !disk_is_beside(path_name(rows[i].beside)) ||
			    !disk_remove(disk, rows[i].beside, &err) || err.kind == ERR_NOT_FOUND;
		if (gone && index_bringing_drop(index, rows[i].path, &err)) break;
	}
	disk_close(disk);
	free(root);
	index_bringing_free(rows, count);
}

char **bring_resume_known(const struct sync *sync) {
	char **names = NULL;
	list_each(&sync->folders, link) {
		const struct folder *f = list_entry(link, struct folder, link);
		struct index_bringing *rows;
		struct err err;
		size_t count;
		if (index_bringing_list(f->index, &rows, &count, &err)) continue;
		for (size_t i = 0; i < count; i++) strv_add(&names, path_name(rows[i].beside));
		index_bringing_free(rows, count);
	}
	return names;
}

bool bring_is_known(char *const *known, const char *name) {
	for (; known && *known; known++)
		if (str_equal(*known, name)) return true;
	return false;
}

bool bring_is_leftover(const struct disk_item *item, int64_t before_ns) {
	return disk_is_beside(item->name) && str_ends(item->name, "." BRING_HINT) &&
	       (item->stat.kind == DISK_FILE || item->stat.kind == DISK_LINK) &&
	       item->stat.ctime_ns < before_ns;
}
