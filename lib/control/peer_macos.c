/* Two calls where Linux has one; the pid is only for a message. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/internal.h"

int peer_of(int fd, uid_t *uid, pid_t *pid) {
	socklen_t len = sizeof(*pid);
	gid_t gid;

	if (getpeereid(fd, uid, &gid)) return -1;
	if (getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, pid, &len)) *pid = 0;
	return 0;
}
