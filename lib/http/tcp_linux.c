#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "http/internal.h"

int64_t os_unsent_bytes(int fd) {
	int bytes = 0;

	return ioctl(fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}

void os_acknowledge(int fd) {
	int on = 1; /* until the system thinks better of it; elsewhere than in TCP it is refused */

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}
