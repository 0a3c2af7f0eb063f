/* What Google's refusals mean: pure, by a table. */
#ifndef STORE_GDRIVE_ERROR_H
#define STORE_GDRIVE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct gdrive_case {
	int status;
	const char *reason;  /* the first of error.errors, "" where there is none */
	const char *message; /* error.message */
	const char *remote;  /* name of the remote, for `tend auth NAME` */
	bool service_account;
	uint32_t retry_after_ms;
};

/* Of a status that is not 2xx. */
void gdrive_error_judge(const struct gdrive_case *facts, struct err *err);
/* One that says "too fast" and may mean "enough for today". */
bool gdrive_error_is_rate(int status, const char *reason);
/* 750 GB a day look like a burst at first: refused so long without one that went well, it is the day's amount. The ms for which nothing
 * need be tried then; 0: it may be a burst. */
int64_t gdrive_error_pause(int64_t refused_since_ms, int64_t now_ms);
/* reason and message out of an answer's body; false: it is not Google that speaks. */
bool gdrive_error_read(const char *body, size_t len, char *reason, size_t reason_size,
	char *message, size_t message_size);

#endif
