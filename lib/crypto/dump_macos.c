#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include "crypto/crypto.h"

void crypto_forbid_core_dumps(void) {
	/* There is no flag that a child does not inherit but this one, which also keeps debuggers out. */
	(void)ptrace(PT_DENY_ATTACH, 0, 0, 0);
}
