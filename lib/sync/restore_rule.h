/* What becomes of one thing that is brought back where something may stand already: a pure function. */
#ifndef SYNC_RESTORE_RULE_H
#define SYNC_RESTORE_RULE_H

#include "disk/disk.h"
#include "sync/sync.h"

struct restore_rule_question {
	enum past_kind kind; /* file or link: what is brought back */
	int64_t size;
	int64_t mtime_ns; /* STORE_MTIME_UNKNOWN: only its content's answer will tell */
	bool current;     /* it is what stands at the remote now */

	bool there; /* something stands in its place: */
	enum disk_kind here_kind;
	int64_t here_size, here_mtime_ns;
	/* In a folder of the daemon. agreed: what is here is what the remote has; unsent: it is nowhere else. */
	bool agreed, unsent;

	bool overwrite;
	bool seen; /* all that can be known is */
};

enum restore_verdict {
	RESTORE_WRITE, /* replaces what is there, if anything is */
	RESTORE_SAME,  /* it is there already */
	RESTORE_SEE,   /* it may be: fetched, then asked again */
	RESTORE_LEAVE, /* what is there stays */
};

/* What a person has there now is worth more than what is brought back. `why` (LEAVE): for people. */
enum restore_verdict restore_rule(const struct restore_rule_question *q, const char **why);

#endif
