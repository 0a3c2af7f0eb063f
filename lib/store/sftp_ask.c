#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* The requests of an operation. Keys become paths of the server here, and nowhere else. */

static struct buf *out_of(const struct sftp_op *x) {
	return &x->session->out;
}

static void add_path(const struct sftp_op *x, const char *key) {
	const char *root = x->sftp->settings.root;
	char *path = *key ? path_join(root, key) : xstrdup(root);

	sftp_add_text(out_of(x), path);
	free(path);
}

static void add_handle(const struct sftp_op *x, int handle) {
	const struct sftp_handle *open = &x->handles[handle];

	sftp_add_bytes(out_of(x), open->bytes, open->len);
}

static size_t begin(struct sftp_op *x, int slot, enum sftp_type type) {
	size_t begun;

	sftp_request_begin(x->session, type, x, slot, &begun);
	x->results[slot] = (struct sftp_result){ 0 };
	x->pending++;
	return begun;
}

static size_t begin_extended(struct sftp_op *x, int slot, const char *name) {
	size_t begun = begin(x, slot, SFTP_EXTENDED);

	sftp_add_text(out_of(x), name);
	return begun;
}

static void end(const struct sftp_op *x, size_t begun) {
	sftp_request_end(x->session, begun);
}

void sftp_ask(struct sftp_op *x, int slot, enum sftp_type type, const char *key) {
	size_t begun = begin(x, slot, type);

	add_path(x, key);
	end(x, begun);
}

void sftp_ask_two(
	struct sftp_op *x, int slot, enum sftp_type type, const char *from, const char *to) {
	size_t begun = begin(x, slot, type);

	add_path(x, from);
	add_path(x, to);
	end(x, begun);
}

void sftp_ask_open(struct sftp_op *x, int slot, const char *key, int flags, int mode) {
	const struct sftp_attrs attrs = { .has_mode = mode >= 0, .mode = (uint32_t)mode };
	size_t begun = begin(x, slot, SFTP_OPEN);

	add_path(x, key);
	sftp_add_u32(out_of(x), (uint32_t)flags);
	sftp_add_attrs(out_of(x), &attrs);
	end(x, begun);
}

void sftp_ask_mkdir(struct sftp_op *x, int slot, const char *key, int mode) {
	const struct sftp_attrs attrs = { .has_mode = true, .mode = (uint32_t)mode };
	size_t begun = begin(x, slot, SFTP_MKDIR);

	add_path(x, key);
	sftp_add_attrs(out_of(x), &attrs);
	end(x, begun);
}

void sftp_ask_handle(struct sftp_op *x, int slot, enum sftp_type type, int handle) {
	size_t begun = begin(x, slot, type);

	add_handle(x, handle);
	end(x, begun);
	if (type == SFTP_CLOSE) x->handles[handle].open = false;
}

void sftp_close(struct sftp_op *x, int handle) {
	size_t begun;

	if (!x->handles[handle].open) return;
	x->handles[handle].open = false;
	sftp_request_begin(x->session, SFTP_CLOSE, NULL, 0, &begun);
	add_handle(x, handle);
	end(x, begun);
}

void sftp_drop(struct sftp_op *x, const char *key) {
	size_t begun;

	sftp_request_begin(x->session, SFTP_REMOVE, NULL, 0, &begun);
	add_path(x, key);
	end(x, begun);
}

void sftp_ask_set(struct sftp_op *x, int slot, const char *key, const struct sftp_attrs *attrs) {
	size_t begun = begin(x, slot, SFTP_SETSTAT);

	add_path(x, key);
	sftp_add_attrs(out_of(x), attrs);
	end(x, begun);
}

void sftp_ask_set_link(
	struct sftp_op *x, int slot, const char *key, const struct sftp_attrs *attrs) {
	size_t begun = begin_extended(x, slot, "lsetstat@openssh.com");

	add_path(x, key);
	sftp_add_attrs(out_of(x), attrs);
	end(x, begun);
}

void sftp_ask_set_open(struct sftp_op *x, int slot, int handle, const struct sftp_attrs *attrs) {
	size_t begun = begin(x, slot, SFTP_FSETSTAT);

	add_handle(x, handle);
	sftp_add_attrs(out_of(x), attrs);
	end(x, begun);
}

/* OpenSSH's order: the draft has it the other way round, and nobody follows it (PROTOCOL §4.1). */
void sftp_ask_symlink(struct sftp_op *x, int slot, const char *target, const char *key) {
	size_t begun = begin(x, slot, SFTP_SYMLINK);

	sftp_add_text(out_of(x), target);
	add_path(x, key);
	end(x, begun);
}

static void ask_two_extended(
	struct sftp_op *x, int slot, const char *name, const char *from, const char *to) {
	size_t begun = begin_extended(x, slot, name);

	add_path(x, from);
	add_path(x, to);
	end(x, begun);
}

void sftp_ask_rename_over(struct sftp_op *x, int slot, const char *from, const char *to) {
	ask_two_extended(x, slot, "posix-rename@openssh.com", from, to);
}

void sftp_ask_hardlink(struct sftp_op *x, int slot, const char *from, const char *to) {
	ask_two_extended(x, slot, "hardlink@openssh.com", from, to);
}

void sftp_ask_fsync(struct sftp_op *x, int slot, int handle) {
	size_t begun = begin_extended(x, slot, "fsync@openssh.com");

	add_handle(x, handle);
	end(x, begun);
}

void sftp_ask_statvfs(struct sftp_op *x, int slot, const char *key) {
	size_t begun = begin_extended(x, slot, "statvfs@openssh.com");

	add_path(x, key);
	end(x, begun);
}

void sftp_ask_copy(struct sftp_op *x, int slot, int from, int64_t offset, int64_t len, int to) {
	size_t begun = begin_extended(x, slot, "copy-data");

	add_handle(x, from);
	sftp_add_u64(out_of(x), (uint64_t)offset);
	sftp_add_u64(out_of(x), (uint64_t)len);
	add_handle(x, to);
	sftp_add_u64(out_of(x), (uint64_t)offset);
	end(x, begun);
}

static struct sftp_request *begin_at(
	struct sftp_op *x, enum sftp_type type, int64_t offset, uint32_t len, size_t *begun) {
	struct sftp_request *request = sftp_request_begin(x->session, type, x, 0, begun);

	request->offset = offset;
	request->len = len;
	x->pending++;
	return request;
}

void sftp_ask_read(struct sftp_op *x, int handle, int64_t offset, uint32_t len) {
	size_t begun;

	begin_at(x, SFTP_READ, offset, len, &begun);
	add_handle(x, handle);
	sftp_add_u64(out_of(x), (uint64_t)offset);
	sftp_add_u32(out_of(x), len);
	end(x, begun);
}

void sftp_ask_write(
	struct sftp_op *x, int handle, int64_t offset, const char *bytes, uint32_t len) {
	size_t begun;

	begin_at(x, SFTP_WRITE, offset, len, &begun);
	add_handle(x, handle);
	sftp_add_u64(out_of(x), (uint64_t)offset);
	sftp_add_bytes(out_of(x), bytes, len);
	end(x, begun);
}
