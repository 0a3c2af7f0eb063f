#include "store/sftp_wire.h"

#include <string.h>

enum {
	ATTR_SIZE = 1,
	ATTR_OWNER = 2,
	ATTR_MODE = 4,
	ATTR_TIMES = 8,
};

#define ATTR_EXTENDED 0x80000000u

/* ---- writing ---- */

void sftp_add_u32(struct buf *out, uint32_t value) {
	const uint8_t bytes[] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16),
		(uint8_t)(value >> 8), (uint8_t)value };

	buf_add(out, bytes, sizeof(bytes));
}

void sftp_add_u64(struct buf *out, uint64_t value) {
	sftp_add_u32(out, (uint32_t)(value >> 32));
	sftp_add_u32(out, (uint32_t)value);
}

void sftp_add_bytes(struct buf *out, const void *bytes, size_t len) {
	sftp_add_u32(out, (uint32_t)len);
	buf_add(out, bytes, len);
}

void sftp_add_text(struct buf *out, const char *text) {
	sftp_add_bytes(out, text, strlen(text));
}

void sftp_add_attrs(struct buf *out, const struct sftp_attrs *attrs) {
	uint32_t flags = (attrs->has_size ? ATTR_SIZE : 0) | (attrs->has_mode ? ATTR_MODE : 0) |
			 (attrs->has_times ? ATTR_TIMES : 0);

	sftp_add_u32(out, flags);
	if (attrs->has_size) sftp_add_u64(out, attrs->size);
	if (attrs->has_mode) sftp_add_u32(out, attrs->mode);
	if (attrs->has_times) {
		sftp_add_u32(out, attrs->atime);
		sftp_add_u32(out, attrs->mtime);
	}
}

size_t sftp_begin(struct buf *out, enum sftp_type type, uint32_t id) {
	size_t begun = out->len;

	sftp_add_u32(out, 0);
	buf_addc(out, (char)type);
	sftp_add_u32(out, id);
	return begun;
}

void sftp_end(struct buf *out, size_t begun) {
	uint32_t len = (uint32_t)(out->len - begun - 4);

	for (int i = 0; i < 4; i++) out->at[begun + (size_t)i] = (char)(len >> (24 - 8 * i));
}

/* ---- reading ---- */

static int take_u32(struct sftp_bytes *rest, uint32_t *value) {
	if (rest->len < 4) return -1;
	const uint8_t *at = (const uint8_t *)rest->at;
	*value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	rest->at += 4;
	rest->len -= 4;
	return 0;
}

static int take_u64(struct sftp_bytes *rest, uint64_t *value) {
	uint32_t high, low;

	if (take_u32(rest, &high) < 0 || take_u32(rest, &low) < 0) return -1;
	*value = (uint64_t)high << 32 | low;
	return 0;
}

static int take_bytes(struct sftp_bytes *rest, struct sftp_bytes *bytes) {
	uint32_t len;

	if (take_u32(rest, &len) < 0 || len > rest->len) return -1;
	*bytes = (struct sftp_bytes){ rest->at, len };
	rest->at += len;
	rest->len -= len;
	return 0;
}

static int take_attrs(struct sftp_bytes *rest, struct sftp_attrs *attrs) {
	uint32_t flags, count;
	uint64_t owner;
	struct sftp_bytes word;

	*attrs = (struct sftp_attrs){ 0 };
	if (take_u32(rest, &flags) < 0) return -1;
	attrs->has_size = (flags & ATTR_SIZE) != 0;
	attrs->has_mode = (flags & ATTR_MODE) != 0;
	attrs->has_times = (flags & ATTR_TIMES) != 0;
	if (attrs->has_size && take_u64(rest, &attrs->size) < 0) return -1;
	/* User and group, as numbers of another machine. */
	if ((flags & ATTR_OWNER) && take_u64(rest, &owner) < 0) return -1;
	if (attrs->has_mode && take_u32(rest, &attrs->mode) < 0) return -1;
	if (attrs->has_times &&
		(take_u32(rest, &attrs->atime) < 0 || take_u32(rest, &attrs->mtime) < 0))
		return -1;
	if (!(flags & ATTR_EXTENDED)) return 0;
	if (take_u32(rest, &count) < 0) return -1;
	/* Each pair takes eight bytes at least, so a large count ends soon. */
	for (uint64_t i = 0; i < 2 * (uint64_t)count; i++)
		if (take_bytes(rest, &word) < 0) return -1;
	return 0;
}

long sftp_packet(const char *at, size_t len) {
	struct sftp_bytes rest = { at, len };
	uint32_t payload;

	if (take_u32(&rest, &payload) < 0) return 0;
	if (payload == 0 || payload > SFTP_PACKET_MAX) return -1;
	return rest.len < payload ? 0 : (long)payload + 4;
}

static int decode_status(struct sftp_answer *answer, struct sftp_bytes *rest) {
	if (take_u32(rest, &answer->code) < 0) return -1;
	/* Old servers end it here, without message and language. */
	if (rest->len > 0 && take_bytes(rest, &answer->text) < 0) return -1;
	return 0;
}

int sftp_decode(const char *at, size_t len, struct sftp_answer *answer) {
	struct sftp_bytes rest = { at, len };

	*answer = (struct sftp_answer){ 0 };
	if (len < 5) return -1;
	rest.at += 4;
	rest.len -= 4;
	answer->type = (enum sftp_type)(uint8_t)*rest.at++;
	rest.len--;
	if (take_u32(&rest, &answer->id) < 0) return -1;
	answer->rest = rest;
	switch (answer->type) {
	case SFTP_VERSION:
	case SFTP_EXTENDED_REPLY: return 0;
	case SFTP_STATUS: return decode_status(answer, &rest);
	case SFTP_HANDLE:
		if (take_bytes(&rest, &answer->text) < 0) return -1;
		return answer->text.len <= SFTP_HANDLE_MAX ? 0 : -1;
	case SFTP_DATA: return take_bytes(&rest, &answer->text);
	case SFTP_ATTRS: return take_attrs(&rest, &answer->attrs);
	case SFTP_NAME: return take_u32(&answer->rest, &answer->count);
	default: return -1;
	}
}

int sftp_next_name(struct sftp_answer *answer, struct sftp_bytes *name, struct sftp_attrs *attrs) {
	struct sftp_bytes line;

	if (answer->count == 0) return 0;
	answer->count--;
	/* The line is `ls -l` for people. */
	if (take_bytes(&answer->rest, name) < 0 || take_bytes(&answer->rest, &line) < 0 ||
		take_attrs(&answer->rest, attrs) < 0)
		return -1;
	return 1;
}

int sftp_next_extension(
	struct sftp_answer *answer, struct sftp_bytes *name, struct sftp_bytes *value) {
	if (answer->rest.len == 0) return 0;
	if (take_bytes(&answer->rest, name) < 0 || take_bytes(&answer->rest, value) < 0) return -1;
	return 1;
}

int sftp_next_u64(struct sftp_answer *answer, uint64_t *value) {
	return take_u64(&answer->rest, value);
}

int64_t sftp_next_room(struct sftp_answer *answer) {
	/* bsize, frsize, blocks, bfree, bavail (OpenSSH's PROTOCOL §4.4). */
	uint64_t numbers[5];

	if (answer->type != SFTP_EXTENDED_REPLY) return -1;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (sftp_next_u64(answer, &numbers[i]) < 0) return -1;
	if (numbers[1] == 0 || numbers[4] > INT64_MAX / numbers[1]) return -1;
	return (int64_t)(numbers[4] * numbers[1]);
}
