/*
 * The bytes of SFTP version 3: requests are written, answers are read. No state, no I/O.
 *
 * Source: draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL §4 for the extensions. Where the two
 * differ (the order of SYMLINK's paths) OpenSSH counts, as everybody follows it. Numbers are
 * big-endian, times whole seconds since 1970 in 32 bits, names bytes. What comes from the server
 * is bounded before it is believed.
 */
#ifndef STORE_SFTP_WIRE_H
#define STORE_SFTP_WIRE_H

#include "base/base.h"

enum sftp_type {
	SFTP_INIT = 1,
	SFTP_VERSION = 2,
	SFTP_OPEN = 3,
	SFTP_CLOSE = 4,
	SFTP_READ = 5,
	SFTP_WRITE = 6,
	SFTP_LSTAT = 7,
	SFTP_FSTAT = 8,
	SFTP_SETSTAT = 9,
	SFTP_FSETSTAT = 10,
	SFTP_OPENDIR = 11,
	SFTP_READDIR = 12,
	SFTP_REMOVE = 13,
	SFTP_MKDIR = 14,
	SFTP_RMDIR = 15,
	SFTP_STAT = 17,
	SFTP_RENAME = 18,
	SFTP_READLINK = 19,
	SFTP_SYMLINK = 20,
	SFTP_STATUS = 101,
	SFTP_HANDLE = 102,
	SFTP_DATA = 103,
	SFTP_NAME = 104,
	SFTP_ATTRS = 105,
	SFTP_EXTENDED = 200,
	SFTP_EXTENDED_REPLY = 201,
};

enum sftp_code {
	SFTP_OK,
	SFTP_EOF,
	SFTP_NO_SUCH_FILE,
	SFTP_PERMISSION_DENIED,
	SFTP_FAILURE,
	SFTP_BAD_MESSAGE,
	SFTP_NO_CONNECTION,
	SFTP_CONNECTION_LOST,
	SFTP_UNSUPPORTED,
};

enum {
	SFTP_FOR_READ = 1,
	SFTP_FOR_WRITE = 2,
	SFTP_MAKE = 8,
	SFTP_EMPTY = 16,
	SFTP_EXCLUSIVE = 32,
};

enum {
	SFTP_PACKET_MAX = 256 << 10, /* OpenSSH's own bound, length field not counted */
	SFTP_HANDLE_MAX = 256,
	SFTP_CHUNK = 32 << 10, /* bytes of a READ or WRITE that every server takes */
};

struct sftp_bytes {
	const char *at;
	size_t len;
};

struct sftp_attrs {
	bool has_size, has_mode, has_times;
	uint64_t size;
	uint32_t mode; /* with the bits of its kind */
	uint32_t atime, mtime;
};

/* One answer; points into the packet. */
struct sftp_answer {
	enum sftp_type type;
	uint32_t id;            /* VERSION: the version */
	uint32_t code;          /* STATUS */
	struct sftp_bytes text; /* STATUS: its message; HANDLE, DATA */
	struct sftp_attrs attrs;
	struct sftp_bytes rest; /* NAME, VERSION, EXTENDED_REPLY: what is not read yet */
	uint32_t count;         /* NAME: so many are in `rest` */
};

/* ---- requests: begin, add, end ---- */

size_t sftp_begin(struct buf *out, enum sftp_type type, uint32_t id);
void sftp_add_u32(struct buf *out, uint32_t value);
void sftp_add_u64(struct buf *out, uint64_t value);
void sftp_add_bytes(struct buf *out, const void *bytes, size_t len);
void sftp_add_text(struct buf *out, const char *text);
void sftp_add_attrs(struct buf *out, const struct sftp_attrs *attrs);
void sftp_end(struct buf *out, size_t begun);

/* ---- answers ---- */

/* Length of the packet that begins at `at`, its length field counted; 0: more bytes are needed; -1:
 * longer than SFTP_PACKET_MAX, or empty. */
long sftp_packet(const char *at, size_t len);
/* A whole packet. -1: it is none that a server sends. */
int sftp_decode(const char *at, size_t len, struct sftp_answer *answer);
/* The next of NAME: 1, 0: that was all, -1: malformed. */
int sftp_next_name(struct sftp_answer *answer, struct sftp_bytes *name, struct sftp_attrs *attrs);
/* The next of VERSION's extensions, alike. */
int sftp_next_extension(
	struct sftp_answer *answer, struct sftp_bytes *name, struct sftp_bytes *value);
/* The next number of EXTENDED_REPLY: 0, -1. */
int sftp_next_u64(struct sftp_answer *answer, uint64_t *value);
/* How many bytes still go there, as an answer to statvfs tells it; -1: it does not. */
int64_t sftp_next_room(struct sftp_answer *answer);

#endif
