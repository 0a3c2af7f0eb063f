/*
 * A ring in a shared mapping of a file in runtime_dir: what was taken from the pipe and is not yet
 * in the log. The kernel copies a pipe's bytes into these pages in the very call that takes them
 * out, and a kill of ours leaves pages as they are. So nothing is lost; and because it is noted how
 * long the log was when both agreed, nothing is doubled.
 *
 * A power cut may lose it all: the pipe's other end is gone then, too.
 */
#include "service/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEAD_BYTES = 64 << 10 /* of any page size */, MAGIC = 0x746e6431 };

struct slot {
	uint64_t begin, end; /* counted from the first byte ever; the ring holds [begin, end) */
	uint64_t inode, file_bytes;
};

/* One slot is in force; a change is made in the other and takes effect by one store. */
struct head {
	uint32_t magic;
	_Atomic uint32_t current;
	struct slot slots[2];
	_Atomic uint64_t want_at,
		want; /* a read of that many bytes at that place was about to happen */
};

struct spool {
	struct head *head;
	char *ring; /* mapped twice in a row, so that every stretch of it is one piece */
};

static struct slot *current(const struct spool *spool) {
	return &spool->head->slots[atomic_load(&spool->head->current)];
}

static void put(struct spool *spool, struct slot slot) {
	uint32_t other = 1 - atomic_load(&spool->head->current);
	spool->head->slots[other] = slot;
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store(&spool->head->current, other);
}

static char *at(const struct spool *spool, uint64_t place) {
	return spool->ring + place % SPOOL_BYTES;
}

static bool is_sound(const struct head *head) {
	if (head->magic != MAGIC || head->current > 1) return false;
	const struct slot *slot = &head->slots[head->current];
	return slot->begin <= slot->end && slot->end - slot->begin <= SPOOL_BYTES;
}

/* Killed around a read: the place was wiped before, so anything there says that it happened, and it
 * is never cut short. */
static void finish_read(struct spool *spool) {
	struct head *head = spool->head;
	struct slot slot = *current(spool);
	uint64_t want = head->want;
	if (want > 0 && head->want_at == slot.end &&
		want <= SPOOL_BYTES - (slot.end - slot.begin)) {
		const char *bytes = at(spool, slot.end);
		bool happened = false;
		for (uint64_t i = 0; i < want && !happened; i++) happened = bytes[i] != 0;
		if (happened) slot.end += want;
		put(spool, slot);
	}
	atomic_store(&head->want, 0);
}

static int map(struct spool *spool, int fd) {
	void *head = mmap(NULL, HEAD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED) return -1;
	char *ring = mmap(NULL, 2 * SPOOL_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
	if (ring == MAP_FAILED) goto unmap_head;
	for (int half = 0; half < 2; half++)
		if (mmap(ring + (size_t)half * SPOOL_BYTES, SPOOL_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_FIXED, fd, HEAD_BYTES) == MAP_FAILED)
			goto unmap_ring;
	spool->head = head;
	spool->ring = ring;
	return 0;
unmap_ring:
	munmap(ring, 2 * SPOOL_BYTES);
unmap_head:
	munmap(head, HEAD_BYTES);
	return -1;
}

struct spool *spool_open(const char *path, struct err *err) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err_sys(err, errno, "cannot open '%s'", path);
		return NULL;
	}
	struct spool *spool = xcalloc(1, sizeof(*spool));
	/* Room is taken now: a mapping that finds none later would end us. */
	int errnum = spool_take_room(fd, HEAD_BYTES + SPOOL_BYTES);
	if (errnum == 0 && map(spool, fd) != 0) errnum = errno;
	close(fd);
	if (errnum) {
		err_sys(err, errnum, "cannot make room for '%s'", path);
		free(spool);
		return NULL;
	}
	if (!is_sound(spool->head)) {
		*spool->head = (struct head){ 0 };
		spool->head->magic = MAGIC;
	}
	finish_read(spool);
	return spool;
}

void spool_close(struct spool *spool) {
	if (!spool) return;
	munmap(spool->ring, 2 * SPOOL_BYTES);
	munmap(spool->head, HEAD_BYTES);
	free(spool);
}

size_t spool_room(const struct spool *spool) {
	const struct slot *slot = current(spool);
	return SPOOL_BYTES - (size_t)(slot->end - slot->begin);
}

size_t spool_read(struct spool *spool, int fd) {
	struct head *head = spool->head;
	struct slot slot = *current(spool);
	int waiting = 0;
	/* Exactly what is there: we alone read, so none of it can be missing. */
	if (ioctl(fd, FIONREAD, &waiting) != 0 || waiting <= 0) return 0;
	size_t want = (size_t)waiting < spool_room(spool) ? (size_t)waiting : spool_room(spool);
	if (want == 0) return 0;
	memset(at(spool, slot.end), 0, want);
	atomic_store(&head->want_at, slot.end);
	atomic_store(&head->want, want);
	ssize_t got = read(fd, at(spool, slot.end), want);
	if (got > 0) {
		slot.end += (uint64_t)got;
		put(spool, slot);
	}
	atomic_store(&head->want, 0);
	return got > 0 ? (size_t)got : 0;
}

const char *spool_bytes(const struct spool *spool, size_t *len) {
	const struct slot *slot = current(spool);
	*len = (size_t)(slot->end - slot->begin);
	return at(spool, slot->begin);
}

void spool_commit(struct spool *spool, size_t len, uint64_t inode, uint64_t file_bytes) {
	struct slot slot = *current(spool);
	slot.begin += len;
	slot.inode = inode;
	slot.file_bytes = file_bytes;
	put(spool, slot);
}

void spool_skip(struct spool *spool, size_t len) {
	struct slot slot = *current(spool);
	slot.begin += len;
	put(spool, slot);
}

void spool_agreed(const struct spool *spool, uint64_t *inode, uint64_t *file_bytes) {
	const struct slot *slot = current(spool);
	*inode = slot->inode;
	*file_bytes = slot->file_bytes;
}
