#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/internal.h"

/* fcntl(2): F_PREALLOCATE takes room behind the end of the file, and does not move the end. */
int spool_take_room(int fd, int64_t bytes) {
	struct stat stat;

	if (fstat(fd, &stat) < 0) return errno;
	fstore_t room = { .fst_flags = F_ALLOCATEALL,
		.fst_posmode = F_PEOFPOSMODE,
		.fst_length = bytes - stat.st_size };
	if (room.fst_length > 0 && fcntl(fd, F_PREALLOCATE, &room) < 0) return errno;
	return ftruncate(fd, bytes) < 0 ? errno : 0;
}

int64_t stat_changed_ns(const struct stat *stat) {
	return (int64_t)stat->st_ctimespec.tv_sec * NS_PER_S + stat->st_ctimespec.tv_nsec;
}
