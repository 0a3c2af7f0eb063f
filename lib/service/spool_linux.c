#include <fcntl.h>

#include "service/internal.h"

int spool_take_room(int fd, int64_t bytes) {
	return posix_fallocate(fd, 0, bytes);
}
