/* Another version of tendd takes the place of this one, in the same process. */
#ifndef TENDD_UPGRADE_H
#define TENDD_UPGRADE_H

#include "tendd/house.h"

void upgrade_cancel(struct house *house);

/* With the arguments and the environment that we were started with. Comes back only when it could not. */
void upgrade_become(const char *program, char **argv, char **env);

#endif
