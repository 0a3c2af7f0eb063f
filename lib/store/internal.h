/* What drivers and wrappers share: nobody outside this room includes it. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "store/store.h"

/* A symbolic link is a small file with its text, where a store has none: as rclone names it. */
#define STORE_LINK_SUFFIX ".rclonelink"

/*
 * A wrapper's memory of an operation that passes through it. Frames stack on op->frame, the
 * innermost wrapper's on top; each keeps the `done` that it stands before.
 */
struct store_frame {
	struct store_frame *below;
	struct store *owner;
	struct store_op *op;
	void (*done)(struct store_op *op, const struct err *err);
};

void store_frame_push(struct store_frame *frame, struct store *owner, struct store_op *op,
	void (*done)(struct store_op *op, const struct err *err));
/* Puts back the `done` below. The frame must be the top one; it stays the wrapper's to free. */
void store_frame_pop(struct store_frame *frame);
/* The frame of `owner` in the stack of `op`; NULL: not in flight there. */
struct store_frame *store_frame_find(const struct store_op *op, const struct store *owner);

/* Calls op->done in the next turn. For what is known inside start or cancel. err NULL: success. */
void store_done_later(struct store *store, struct store_op *op, const struct err *err);

/* For services reached by HTTP, in start: answers what needs no request, in the next turn. Their root is
 * there, or is made by the first that comes below it; what they answered is on their disks. False:
 * it needs one. */
bool store_answer_known(struct store *store, struct store_op *op);

/* Frees the answer and makes it empty, as before the first start. */
void store_op_clear_answer(struct store_op *op);

void store_entry_add(struct store_op *op, struct store_entry entry); /* LIST: takes `entry` */
void store_part_add(struct store_op *op, int number, int64_t size, const char *receipt);

/* Does what stands there tell that it is what `op` wants to put: our own earlier try, whose answer
 * was lost? Content by its hash, mtime where it is known. */
bool store_is_ours(const struct store_op *op, const struct store_entry *entry);
/* SET: makes `entry` what it will be. True when it is that already. */
bool store_set_entry(const struct store_op *op, struct store_entry *entry);
bool store_hash_equal(const struct store_hash *left, const struct store_hash *right);
/* What tells whether bytes have this hash. False: nothing, of a whole in parts too. */
bool store_hash_digest(const struct store_hash *hash, enum digest_kind *digest);

/* A store that passes everything on to `inner` looks like it. */
void store_look_like(struct store *store, const struct store *inner);

/* sftp.c. */
struct store *store_sftp_new(
	struct loop *loop, const struct remote_settings *settings, struct err *err);

/* s3.c, webdav.c, azure.c. */
struct store *store_s3_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err);

struct store *store_azure_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err);
struct store *store_webdav_new(struct loop *loop, struct http *http,
	const struct remote_settings *settings, struct err *err);

/* gdrive.c. `name`: of the remote, for `tend auth NAME`. */
struct store *store_gdrive_new(struct loop *loop, struct http *http, const char *name,
	const struct remote_settings *settings, struct err *err);

#endif
