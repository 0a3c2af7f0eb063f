/* Where ssh is spoken on this machine. Worker. */
#ifndef STEP_PORTS_H
#define STEP_PORTS_H

#include "base/base.h"

/* Of every sshd that listens and of every connection to one: "22", "2222". NULL with err: there is none, which is
 * surely wrong where somebody shuts the rest. The caller's. */
char **step_ssh_ports(struct err *err);

#endif
