#include <stdlib.h>

#include "store/s3.h"

/*
 * One object copied within the bucket by the server. One request up to 5 GiB; above that the server
 * says so, and the copy goes in parts, each a range of the source. Then COPY and MOVE as verbs.
 */

enum { COPY_PART_BYTES = 1 << 30 };

enum copy_state {
	COPY_WHOLE,
	COPY_CHECK,
	COPY_MEASURE,
	COPY_BEGIN,
	COPY_PART,
	COPY_END,
	COPY_ABORT
};

struct s3_copy {
	enum copy_state state;
	char *from, *to, *version;
	void (*describe)(struct s3_op *x);
	void (*after)(struct s3_op *x);
	char *etag;
	int64_t size, part_bytes;
	struct store_part *parts;
	int count, next;
	struct err err; /* why it was given up */
};

static void free_parts(struct s3_copy *copy) {
	for (int i = 0; i < copy->count; i++) free(copy->parts[i].receipt);
	free(copy->parts);
	copy->parts = NULL;
	copy->count = 0;
}

void s3_copy_release(struct s3_op *x) {
	struct s3_copy *copy = x->copy;

	if (!copy) return;
	free_parts(copy);
	free(copy->from);
	free(copy->to);
	free(copy->version);
	free(copy->etag);
	free(copy);
	x->copy = NULL;
}

const char *s3_copy_etag(const struct s3_op *x) {
	return x->copy ? x->copy->etag : NULL;
}

/* ---- requests ---- */

static void source_headers(struct s3_op *x) {
	s3_copy_source(x, x->copy->from, x->copy->version);
}

static void send_whole(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	int64_t size = x->present.version ? x->present.size : x->op->copied_size;

	copy->state = COPY_WHOLE;
	source_headers(x);
	s3_header(x, "x-amz-metadata-directive: %s", copy->describe ? "REPLACE" : "COPY");
	if (copy->describe) {
		copy->describe(x);
	} else {
		s3_class_headers(x);
	}
	s3_send(x, &(struct s3_call){ .method = "PUT",
			   .object = copy->to,
			   .body = "",
			   .no_md5 = true,
			   .patience_ms = rest_patience_ms(size) });
}

static void describe_as_it_was(struct s3_op *x) {
	for (size_t i = 0; x->preserved && x->preserved[i]; i++)
		s3_header(x, "%s", x->preserved[i]);
	s3_class_headers(x);
}

static void send_begin(struct s3_op *x) {
	x->copy->state = COPY_BEGIN;
	(x->copy->describe ? x->copy->describe : describe_as_it_was)(x);
	s3_upload_begin(x, x->copy->to);
}

static void send_part(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	int64_t from = (int64_t)copy->next * copy->part_bytes, to = from + copy->part_bytes;

	copy->state = COPY_PART;
	source_headers(x);
	s3_upload_copy(
		x, copy->to, copy->next + 1, from, (to < copy->size ? to : copy->size) - from);
}

/* ---- what comes back ---- */

static void copy_ended(struct s3_op *x) {
	x->step = x->copy->after;
	x->step(x);
}

/* What is unfinished would be billed for ever. */
static void give_up(struct s3_op *x) {
	struct s3_copy *copy = x->copy;

	if (!x->upload_id || x->op->cancelled) {
		copy_ended(x);
		return;
	}
	copy->state = COPY_ABORT;
	copy->err = x->err;
	s3_send(x,
		&(struct s3_call){
			.method = "DELETE", .object = copy->to, .query = s3_upload_query(x, 0) });
}

static bool is_too_large(const struct s3_op *x) {
	return x->err.kind == ERR_INVALID && (str_equal(x->error.code, "InvalidRequest") ||
						     str_equal(x->error.code, "EntityTooLarge"));
}

static void measured(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	struct store_entry source = s3_meta_entry(x, STORE_FILE);

	copy->size = source.size;
	store_entry_release(&source);
	if (!copy->describe && s3_meta_preserve(x, true)) {
		copy_ended(x);
		return;
	}
	copy->part_bytes = COPY_PART_BYTES;
	while (copy->size / copy->part_bytes >= 10000) copy->part_bytes *= 2;
	int count = (int)((copy->size + copy->part_bytes - 1) / copy->part_bytes);
	copy->parts = xcalloc((size_t)count + 1, sizeof(*copy->parts));
	copy->count = count;
	send_begin(x);
}

static void part_copied(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	struct store_part *part = &copy->parts[copy->next];

	part->receipt = s3_upload_copied(x);
	if (!part->receipt) {
		give_up(x);
		return;
	}
	part->number = ++copy->next;
	if (copy->next < copy->count) {
		send_part(x);
		return;
	}
	copy->state = COPY_END;
	s3_upload_end(x, copy->to, copy->parts, (size_t)copy->count);
}

/* The server says that the source is another version. Swift says so of its own ETag, when the
 * source came in parts: then it is copied without the condition. */
static void checked(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	struct store_entry source = s3_meta_entry(x, STORE_FILE);
	bool same = str_equal(source.version, copy->version);

	store_entry_release(&source);
	if (same) {
		free(copy->version);
		copy->version = NULL;
		send_whole(x);
	} else {
		x->err = copy->err;
		copy_ended(x);
	}
}

static void copy_step(struct s3_op *x) {
	struct s3_copy *copy = x->copy;
	bool good = x->err.kind == ERR_NONE;

	switch (copy->state) {
	case COPY_WHOLE:
		if (good) good = !s3_read(x, "CopyObjectResult", s3_etag_ended, &copy->etag);
		if (!good && is_too_large(x)) {
			copy->state = COPY_MEASURE;
			s3_look(x, copy->from);
		} else if (!good && x->request.status == 412 && copy->version) {
			copy->state = COPY_CHECK;
			copy->err = x->err;
			s3_look(x, copy->from);
		} else {
			copy_ended(x);
		}
		return;
	case COPY_CHECK:
		if (good) {
			checked(x);
		} else {
			copy_ended(x);
		}
		return;
	case COPY_MEASURE:
		if (good) {
			measured(x);
		} else {
			copy_ended(x);
		}
		return;
	case COPY_BEGIN:
		if (good && !s3_upload_began(x)) {
			send_part(x);
		} else {
			give_up(x);
		}
		return;
	case COPY_PART:
		if (good) {
			part_copied(x);
		} else {
			give_up(x);
		}
		return;
	case COPY_END:
		if (good && !s3_upload_ended(x, &copy->etag)) {
			copy_ended(x);
		} else {
			give_up(x);
		}
		return;
	case COPY_ABORT:
		x->err = copy->err;
		copy_ended(x);
		return;
	}
}

void s3_copy(struct s3_op *x, const char *from, const char *to, const char *version,
	void (*describe)(struct s3_op *x)) {
	s3_copy_release(x);
	x->copy = xcalloc(1, sizeof(*x->copy));
	x->copy->from = xstrdup(from);
	x->copy->to = xstrdup(to);
	x->copy->version = xstrdup(version);
	x->copy->describe = describe;
	x->copy->after = x->step;
	x->step = copy_step;
	send_whole(x);
}
