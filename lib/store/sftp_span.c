#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/*
 * Bytes to and from an open file: many requests of SFTP_CHUNK at once, so that the time of a round
 * trip is paid once and not for each. And what is built on it: the hash of a file over there.
 */

enum {
	WINDOW = 64, /* requests: 2 MiB, as much as a channel of ssh takes */
	BLOCK_BYTES = 1 << 20,
	BURST_BYTES = 64 << 10, /* sent at once under a limit */
};

static void pump(struct sftp_op *x);

static void pace_over(struct timer *timer) {
	struct sftp_op *x = container_of(timer, struct sftp_op, span.pace);

	x->span.pacing = false;
	pump(x);
	sftp_one_less(x);
}

void sftp_span_init(struct sftp_op *x) {
	timer_init(&x->span.pace, x->sftp->store.loop, pace_over);
}

void sftp_span_stop(struct sftp_op *x) {
	timer_cancel(&x->span.pace);
	x->span.pacing = false;
}

/* Under a limit of bytes a second: must what comes next wait? Only an operation's own body does. */
static bool must_wait(struct sftp_op *x) {
	struct sftp_span *span = &x->span;
	int64_t rate = x->op->bytes_per_second;

	if (rate <= 0 || x->block) return false;
	int64_t passed_ms = loop_now_ms(x->sftp->store.loop) - span->began_ms;
	int64_t ahead = span->asked - BURST_BYTES - passed_ms * rate / 1000;
	if (ahead < 0) return false;
	if (!span->pacing) {
		span->pacing = true;
		x->pending++; /* the batch is not over while it waits */
		timer_start(&span->pace, ahead * 1000 / rate + 1);
	}
	return true;
}

static void pump(struct sftp_op *x) {
	struct sftp_span *span = &x->span;

	while (span->code == SFTP_OK && span->in_flight < WINDOW && span->asked < span->end &&
		!x->op->cancelled) {
		int64_t left = span->end - span->asked, at = span->offset + span->asked;
		uint32_t len = left < SFTP_CHUNK ? (uint32_t)left : SFTP_CHUNK;
		if (must_wait(x)) return;
		if (span->from) {
			/* As it goes: 8 MiB in one piece would hold the loop for 13 ms. */
			if (x->digest.context)
				digest_add(&x->digest, span->from + span->asked, len);
			sftp_ask_write(x, span->handle, at, span->from + span->asked, len);
		} else {
			sftp_ask_read(x, span->handle, at, len);
		}
		span->asked += len;
		span->in_flight++;
	}
}

/* Fewer bytes than were asked for are no end: the rest is asked for again. */
static void take_bytes(
	struct sftp_op *x, const struct sftp_request *request, const struct sftp_bytes *bytes) {
	struct sftp_span *span = &x->span;
	int64_t at = request->offset - span->offset;

	if (bytes->len == 0 || bytes->len > request->len) {
		span->code = SFTP_FAILURE;
		return;
	}
	memcpy(span->to + at, bytes->at, bytes->len);
	if (bytes->len == request->len) return;
	sftp_ask_read(x, span->handle, request->offset + (int64_t)bytes->len,
		request->len - (uint32_t)bytes->len);
	span->in_flight++;
}

static void take(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	struct sftp_span *span = &x->span;

	span->in_flight--;
	if (!x->block && span->asked >= SFTP_CHUNK * (int64_t)span->in_flight)
		x->op->moved_bytes = span->asked - SFTP_CHUNK * (int64_t)span->in_flight;
	if (answer->type == SFTP_DATA && request->type == SFTP_READ) {
		take_bytes(x, request, &answer->text);
	} else if (request->type == SFTP_READ && answer->type == SFTP_STATUS &&
		   answer->code == SFTP_EOF) {
		if (request->offset - span->offset < span->end)
			span->end = request->offset - span->offset;
	} else if (answer->type != SFTP_STATUS || answer->code != SFTP_OK) {
		if (span->code == SFTP_OK)
			span->code = answer->type == SFTP_STATUS ? answer->code : SFTP_FAILURE;
	}
	pump(x);
}

static void run_span(struct sftp_op *x) {
	enum { MOVE, MOVED };
	struct sftp_span *span = &x->span;

	if (x->state == MOVE) {
		x->state = MOVED;
		span->asked = 0;
		span->end = span->len;
		span->in_flight = 0;
		span->code = SFTP_OK;
		span->began_ms = loop_now_ms(x->sftp->store.loop);
		x->take = take;
		pump(x);
		if (x->pending > 0) return;
	}
	x->take = NULL;
	sftp_return(x);
}

void sftp_write_span(struct sftp_op *x) {
	x->span.to = NULL;
	run_span(x);
}

void sftp_read_span(struct sftp_op *x) {
	x->span.from = NULL;
	run_span(x);
}

/* ---- the hash of what is over there ---- */

static void hash_link(struct sftp_op *x) {
	enum { ASK, ASKED };

	if (x->state == ASK) {
		x->state = ASKED;
		sftp_ask(x, 0, SFTP_READLINK, x->hash_key);
		return;
	}
	if (x->results[0].code != SFTP_OK)
		sftp_fail_code(x, x->results[0].code, "cannot read the link '%s'", x->hash_key);
	else
		digest_of(SFTP_DIGEST, x->text, strlen(x->text), x->hash);
	sftp_return(x);
}

static void hash_file(struct sftp_op *x) {
	enum { OPEN, OPENED, READ };
	struct sftp_span *span = &x->span;

	switch (x->state) {
	case OPEN:
		x->state = OPENED;
		sftp_ask_open(x, 0, x->hash_key, SFTP_FOR_READ, -1);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK) {
			sftp_fail_code(x, x->results[0].code, "cannot read '%s'", x->hash_key);
			break;
		}
		if (!x->block) x->block = xmalloc(BLOCK_BYTES);
		digest_init(&x->digest, SFTP_DIGEST);
		*span = (struct sftp_span){
			.handle = 0, .to = x->block, .len = BLOCK_BYTES, .pace = span->pace
		};
		x->state = READ;
		sftp_call(x, sftp_read_span);
		return;
	default:
		if (span->code != SFTP_OK) {
			sftp_fail_code(x, span->code, "cannot read '%s'", x->hash_key);
			digest_release(&x->digest);
			break;
		}
		digest_add(&x->digest, x->block, (size_t)span->end);
		if (span->end == span->len) {
			span->offset += span->len;
			sftp_call(x, sftp_read_span);
			return;
		}
		digest_end(&x->digest, x->hash);
	}
	sftp_close(x, 0);
	free(x->block);
	x->block = NULL;
	sftp_return(x);
}

void sftp_hash(struct sftp_op *x) {
	if (x->hash_link)
		hash_link(x);
	else
		hash_file(x);
}
