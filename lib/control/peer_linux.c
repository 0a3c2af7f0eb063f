#include <sys/socket.h>

#include "control/internal.h"

int peer_of(int fd, uid_t *uid, pid_t *pid) {
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) return -1;
	*uid = peer.uid;
	*pid = peer.pid;
	return 0;
}
