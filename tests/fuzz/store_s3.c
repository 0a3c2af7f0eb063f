/* libFuzzer: any bytes as what an S3 server answers to a list. What is taken from them must be
 * names that are safe to join below a root. */
#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	static struct loop *loop;
	if (!loop) loop = loop_new_simulated(1);
	struct s3 s3 = { .bucket = "b", .endpoint = "http://h", .region = "r", .store.loop = loop };
	struct store_op op;
	struct s3_op x = { .s3 = &s3, .op = &op };
	char below[] = "f/";

	store_op_init(&op, STORE_LIST, "f");
	x.object = below;
	http_request_init(&x.request, "GET", "");
	x.request.status = 200;
	x.request.answer.max = 1 << 20;
	if (buf_add(&x.request.answer, bytes, len)) return 0;
	bool taken = s3_list_read(&x) == 0;
	if (taken != (x.err.kind == ERR_NONE)) abort();
	if (!taken && (op.complete || op.entry_count || op.next_token)) abort();
	if (taken && op.complete == (op.next_token != NULL)) abort();
	for (size_t i = 0; i < op.entry_count; i++) {
		if (!path_is_plain(op.entries[i].name)) abort();
	}
	store_op_release(&op);
	http_request_release(&x.request);
	return 0;
}
