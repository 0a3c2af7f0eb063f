/* What an S3 server's refusal means, as pure functions. */
#ifndef STORE_S3_ERROR_H
#define STORE_S3_ERROR_H

#include "base/base.h"

/* The <Error> in an answer's body. */
struct s3_error {
	char code[64];
	char message[160];
	char region[40];
};

/* Nothing in it: all empty. Also finds an error in the body of a 200. */
void s3_error_read(const char *body, size_t len, struct s3_error *error);

/* What is known beside the error itself. */
struct s3_case {
	int status;
	bool wordless; /* the answer had no body */
	struct s3_error error;
	const char *bucket, *endpoint;
	const char *region;        /* that we signed for */
	const char *region_header; /* x-amz-bucket-region, or NULL */
	uint32_t retry_after_ms;
	int64_t server_ns, own_ns; /* both clocks; 0: unknown */
};

void s3_error_judge(const struct s3_case *facts, struct err *err);

#endif
