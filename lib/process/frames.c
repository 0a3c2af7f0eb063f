/*
 * The wire between tendd and the keeper: frames of fields. A frame is its length (u32), then fields
 * of tag (u8), length (u32) and bytes, all little-endian; an unknown tag is passed by, so that a
 * newer tendd and an older keeper understand each other. A list is its tag repeated. Everything is
 * bounded before it is stored.
 */
#include "process/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum field_kind { FIELD_NUMBER, FIELD_TEXT, FIELD_LIST };

struct field {
	unsigned char tag; /* never given a second meaning */
	enum field_kind kind;
	size_t offset;
};

static const struct field fields[] = {
	{ 1, FIELD_NUMBER, offsetof(struct frame, type) },
	{ 2, FIELD_TEXT, offsetof(struct frame, run) },
	{ 3, FIELD_TEXT, offsetof(struct frame, unit) },
	{ 4, FIELD_NUMBER, offsetof(struct frame, version) },
	{ 5, FIELD_NUMBER, offsetof(struct frame, pid) },
	{ 6, FIELD_NUMBER, offsetof(struct frame, start_time) },
	{ 7, FIELD_NUMBER, offsetof(struct frame, signum) },
	{ 8, FIELD_NUMBER, offsetof(struct frame, all) },
	{ 9, FIELD_NUMBER, offsetof(struct frame, code) },
	{ 10, FIELD_NUMBER, offsetof(struct frame, oom) },
	{ 11, FIELD_NUMBER, offsetof(struct frame, err_kind) },
	{ 12, FIELD_NUMBER, offsetof(struct frame, err_sys) },
	{ 13, FIELD_TEXT, offsetof(struct frame, text) },
	{ 14, FIELD_LIST, offsetof(struct frame, argv) },
	{ 15, FIELD_LIST, offsetof(struct frame, env) },
	{ 16, FIELD_TEXT, offsetof(struct frame, directory) },
	{ 17, FIELD_TEXT, offsetof(struct frame, fifo) },
	{ 18, FIELD_NUMBER, offsetof(struct frame, become) },
	{ 19, FIELD_NUMBER, offsetof(struct frame, uid) },
	{ 20, FIELD_NUMBER, offsetof(struct frame, gid) },
	{ 21, FIELD_LIST, offsetof(struct frame, groups) },
	{ 22, FIELD_NUMBER, offsetof(struct frame, umask) },
	{ 23, FIELD_NUMBER, offsetof(struct frame, nice) },
	{ 24, FIELD_NUMBER, offsetof(struct frame, nofile) },
	{ 25, FIELD_NUMBER, offsetof(struct frame, memory_max) },
	{ 26, FIELD_NUMBER, offsetof(struct frame, cpu_max) },
	{ 27, FIELD_NUMBER, offsetof(struct frame, limited) },
	{ 28, FIELD_NUMBER, offsetof(struct frame, notify) },
	{ 29, FIELD_NUMBER, offsetof(struct frame, watchdog_us) },
	{ 30, FIELD_NUMBER, offsetof(struct frame, ready) },
	{ 31, FIELD_NUMBER, offsetof(struct frame, stopping) },
	{ 32, FIELD_NUMBER, offsetof(struct frame, broken) },
	{ 33, FIELD_NUMBER, offsetof(struct frame, pings) },
	{ 34, FIELD_TEXT, offsetof(struct frame, status) },
	{ 35, FIELD_NUMBER, offsetof(struct frame, oom_kills) },
};

static int64_t *number_at(struct frame *frame, const struct field *field) {
	return (int64_t *)((char *)frame + field->offset);
}

static char **text_at(struct frame *frame, const struct field *field) {
	return (char **)((char *)frame + field->offset);
}

static char ***list_at(struct frame *frame, const struct field *field) {
	return (char ***)((char *)frame + field->offset);
}

static void put_number(unsigned char *at, uint64_t value, size_t bytes) {
	for (size_t i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_number(const unsigned char *at, size_t bytes) {
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static void add_field(struct buf *out, unsigned char tag, const void *bytes, size_t len) {
	unsigned char head[5] = { tag };
	put_number(head + 1, len, 4);
	buf_add(out, head, sizeof(head));
	buf_add(out, bytes, len);
}

static void encode_field(struct buf *out, struct frame *frame, const struct field *field) {
	unsigned char number[8];
	switch (field->kind) {
	case FIELD_NUMBER:
		if (*number_at(frame, field) == 0) break;
		put_number(number, (uint64_t)*number_at(frame, field), sizeof(number));
		add_field(out, field->tag, number, sizeof(number));
		break;
	case FIELD_TEXT:
		if (*text_at(frame, field))
			add_field(out, field->tag, *text_at(frame, field),
				strlen(*text_at(frame, field)));
		break;
	case FIELD_LIST:
		for (char **item = *list_at(frame, field); item && *item; item++)
			add_field(out, field->tag, *item, strlen(*item));
		break;
	}
}

void frame_encode(const struct frame *frame, struct buf *out) {
	unsigned char length[4] = { 0 };
	size_t begin = out->len;
	buf_add(out, length, sizeof(length));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		encode_field(out, (struct frame *)frame, &fields[i]);
	if (out->full) return;
	put_number(length, out->len - begin - sizeof(length), sizeof(length));
	memcpy(out->at + begin, length, sizeof(length));
}

static int decode_field(struct frame *frame, unsigned char tag, const char *bytes, size_t len,
	size_t *items, struct err *err) {
	const struct field *field = NULL;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].tag == tag) field = &fields[i];
	if (!field) return 0;
	if (field->kind == FIELD_NUMBER) {
		if (len != 8) return err_set(err, ERR_CORRUPT, "a number of %zu bytes", len);
		*number_at(frame, field) = (int64_t)get_number((const unsigned char *)bytes, 8);
		return 0;
	}
	if (memchr(bytes, '\0', len)) return err_set(err, ERR_CORRUPT, "a NUL in field %d", tag);
	if (field->kind == FIELD_TEXT) {
		free(*text_at(frame, field));
		*text_at(frame, field) = xstrndup(bytes, len);
		return 0;
	}
	if (++*items > FRAME_LIST_MAX) return err_set(err, ERR_CORRUPT, "too many items");
	strv_add_owned(list_at(frame, field), xstrndup(bytes, len));
	return 0;
}

static int decode_fields(struct frame *frame, const char *at, size_t left, struct err *err) {
	size_t items = 0;
	while (left > 0) {
		if (left < 5) return err_set(err, ERR_CORRUPT, "a field is cut");
		size_t len = get_number((const unsigned char *)at + 1, 4);
		if (len > left - 5)
			return err_set(err, ERR_CORRUPT, "a field is longer than its frame");
		if (decode_field(frame, (unsigned char)*at, at + 5, len, &items, err) != 0)
			return -1;
		at += 5 + len;
		left -= 5 + len;
	}
	if (frame->run && !run_id_valid(frame->run))
		return err_set(err, ERR_CORRUPT, "a run's name of other than 32 hex digits");
	return 0;
}

int frame_decode(struct buf *in, struct frame *frame, struct err *err) {
	*frame = (struct frame){ 0 };
	if (in->len < 4) return 0;
	size_t len = get_number((const unsigned char *)in->at, 4);
	if (len > FRAME_MAX) return err_set(err, ERR_CORRUPT, "a frame of %zu bytes", len);
	if (in->len - 4 < len) return 0;
	if (decode_fields(frame, in->at + 4, len, err) != 0) {
		frame_release(frame);
		return -1;
	}
	buf_consume(in, 4 + len);
	return 1;
}

void frame_release(struct frame *frame) {
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (fields[i].kind == FIELD_TEXT) free(*text_at(frame, &fields[i]));
		if (fields[i].kind == FIELD_LIST) strv_free(*list_at(frame, &fields[i]));
	}
	*frame = (struct frame){ 0 };
}

void frame_from_spec(struct frame *frame, const struct process_spec *spec) {
	frame->argv = strv_dup(spec->argv);
	frame->env = strv_dup(spec->env);
	frame->directory = xstrdup(spec->directory);
	frame->fifo = xstrdup(spec->fifo);
	frame->become = spec->become;
	frame->uid = spec->uid;
	frame->gid = spec->gid;
	for (size_t i = 0; i < spec->group_count; i++)
		strv_add_owned(&frame->groups, xasprintf("%lu", (unsigned long)spec->groups[i]));
	frame->umask = spec->umask;
	frame->nice = spec->nice;
	frame->nofile = spec->nofile;
	frame->memory_max = spec->memory_max_bytes;
	frame->cpu_max = spec->cpu_max_percent;
	frame->notify = spec->notify;
	frame->watchdog_us = spec->watchdog_us;
}

int frame_to_spec(
	const struct frame *frame, struct process_spec *spec, gid_t **groups, struct err *err) {
	static char *const no_env[] = { NULL };
	size_t count = strv_count(frame->groups);
	*groups = xcalloc(count + 1, sizeof(**groups));
	if (!frame->argv) return err_set(err, ERR_INVALID, "no command");
	for (size_t i = 0; i < count; i++) {
		int64_t gid;
		if (str_to_int(frame->groups[i], 0, UINT32_MAX, &gid) != 0)
			return err_set(
				err, ERR_INVALID, "group '%s' is no number", frame->groups[i]);
		(*groups)[i] = (gid_t)gid;
	}
	*spec = (struct process_spec){
		.argv = frame->argv,
		.env = frame->env ? frame->env : no_env,
		.directory = frame->directory,
		.become = frame->become != 0,
		.uid = (uid_t)frame->uid,
		.gid = (gid_t)frame->gid,
		.groups = *groups,
		.group_count = count,
		.umask = (mode_t)frame->umask & 0777,
		.nice = (int)frame->nice,
		.nofile = frame->nofile,
		.memory_max_bytes = frame->memory_max,
		.cpu_max_percent = frame->cpu_max,
		.notify = frame->notify != 0,
		.watchdog_us = frame->watchdog_us,
		.fifo = frame->fifo,
	};
	return 0;
}
