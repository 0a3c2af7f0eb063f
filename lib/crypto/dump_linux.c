#include <sys/prctl.h>

#include "crypto/crypto.h"

void crypto_forbid_core_dumps(void) {
	/* Not by the limit: services would inherit that from a keeper that we start. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
