#include <fcntl.h>
#include <sys/stat.h>

#include "service/internal.h"

int spool_take_room(int fd, int64_t bytes) {
	return posix_fallocate(fd, 0, bytes);
}

int64_t stat_changed_ns(const struct stat *stat) {
	return (int64_t)stat->st_ctim.tv_sec * NS_PER_S + stat->st_ctim.tv_nsec;
}
