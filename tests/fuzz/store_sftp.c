/* libFuzzer: any bytes as what an SFTP server sends. Nothing is read behind a packet's end, and what is
 * taken lies within it. */
#include <stdlib.h>

#include "store/sftp_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void within(const char *at, size_t len, const struct sftp_bytes *part) {
	if (part->at && (part->at < at || part->len > len || part->at + part->len > at + len))
		abort();
}

static void read_all(const char *at, size_t len, struct sftp_answer *answer) {
	struct sftp_bytes name, value;
	struct sftp_attrs attrs;
	uint64_t number;
	size_t before = len;

	within(at, len, &answer->text);
	within(at, len, &answer->rest);
	while (answer->type == SFTP_NAME && sftp_next_name(answer, &name, &attrs) == 1) {
		within(at, len, &name);
		if (answer->rest.len >= before) abort(); /* it must come to an end */
		before = answer->rest.len;
	}
	while (answer->type == SFTP_VERSION && sftp_next_extension(answer, &name, &value) == 1) {
		within(at, len, &name);
		within(at, len, &value);
	}
	while (answer->type == SFTP_EXTENDED_REPLY && sftp_next_u64(answer, &number) == 0) continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
	const char *at = (const char *)bytes;
	long packet;

	while ((packet = sftp_packet(at, len)) > 0) {
		struct sftp_answer answer;
		if ((size_t)packet > len) abort();
		/* A copy, so that the sanitizer knows where it ends. */
		char *copy = xmemdup(at, (size_t)packet);
		if (sftp_decode(copy, (size_t)packet, &answer) == 0)
			read_all(copy, (size_t)packet, &answer);
		free(copy);
		at += packet;
		len -= (size_t)packet;
	}
	return 0;
}
