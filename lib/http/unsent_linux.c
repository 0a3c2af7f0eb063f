#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "http/internal.h"

int64_t os_unsent_bytes(int fd) {
	int bytes = 0;

	return ioctl(fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}
