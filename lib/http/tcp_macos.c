#include <sys/socket.h>

#include "http/internal.h"

int64_t os_unsent_bytes(int fd) {
	int bytes = 0;
	socklen_t size = sizeof(bytes);

	return getsockopt(fd, SOL_SOCKET, SO_NWRITE, &bytes, &size) ? 0 : bytes;
}

void os_acknowledge(int fd) {
	(void)fd; /* it cannot be asked for */
}
