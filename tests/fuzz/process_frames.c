/* libFuzzer: any bytes as what the other side of the keeper's socket says. What is taken must be good to be sent again as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "process/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void take(struct frame *frame) {
	struct process_spec spec;
	gid_t *groups = NULL;
	struct frame again;
	struct buf wire;
	struct err err;

	frame_to_spec(frame, &spec, &groups, &err);
	free(groups);
	buf_init(&wire, FRAME_MAX);
	frame_encode(frame, &wire);
	if (frame_decode(&wire, &again, &err) != 1 || again.type != frame->type ||
		!str_equal(again.run, frame->run) || !strv_equal(again.argv, frame->argv))
		abort();
	frame_release(&again);
	buf_release(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	struct frame frame;
	struct buf wire;
	struct err err = { 0 };
	int got;

	if (len == 0 || len > 65536) return 0;
	buf_init(&wire, FRAME_MAX);
	if (buf_add(&wire, bytes, len)) abort();
	while ((got = frame_decode(&wire, &frame, &err)) == 1) {
		take(&frame);
		frame_release(&frame);
	}
	if (got < 0 && err.kind == ERR_NONE) abort();
	buf_release(&wire);
	return 0;
}
