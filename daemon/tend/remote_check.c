/*
 * tend remote check: does this remote do what tend needs? A file of our own is made in .tend/, read back, and removed again; each finding
 * is a line. The first that fails ends it, with what to do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/crypto.h"
#include "tend/remote.h"

enum {
	SPEED_BYTES = 4 << 20,
	CLOCK_WARN_MS = 5000, /* what a listing's times may be off before people wonder */
};

#define CHECK_FOLDER ".tend"

struct check {
	struct call *call;
	struct store *store;
	char *key;
	uint8_t *body;
	json_t *found; /* what is told as JSON */
	bool made;     /* our file may be there */
	struct err err;
};

/* ---- telling ---- */

/* A field's name for people: words, and without the unit, which stands with the number. */
static const char *label_of(const char *name, char *label, size_t size) {
	static const char *const units[] = { "_bytes_per_second", "_seconds", "_bytes" };
	size_t len = strlen(name);
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		size_t unit = strlen(units[i]);
		if (len > unit && str_equal(name + len - unit, units[i])) len -= unit;
	}
	snprintf(label, size, "%.*s", (int)len, name);
	for (char *at = label; *at; at++)
		if (*at == '_') *at = ' ';
	return label;
}

static void tell(struct check *check, const char *name, json_t *value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void tell(struct check *check, const char *name, json_t *value, const char *format, ...) {
	char label[32];
	va_list args;
	json_object_set_new(check->found, name, value);
	if (check->call->json) return;
	va_start(args, format);
	char *text = xvasprintf(format, args);
	va_end(args);
	printf("%-22s%s\n", label_of(name, label, sizeof(label)), text);
	free(text);
	fflush(stdout);
}

/* ---- the steps: 0, or -1 with check->err ---- */

static int ended(struct check *check, struct remote_step *step, int rc) {
	if (rc) check->err = step->err;
	remote_step_release(step);
	return rc;
}

static void tell_clock(struct check *check, int64_t server_ns) {
	if (!server_ns) return;
	int64_t off_ms = (server_ns - loop_wall_ns(check->store->loop)) / NS_PER_MS;
	bool far = llabs((long long)off_ms) > CLOCK_WARN_MS;
	tell(check, "clock_skew_seconds", json_real((double)off_ms / 1000), "%.1f s%s",
		(double)off_ms / 1000,
		far ? " (set this machine's clock: timedatectl set-ntp true)" : "");
}

/* Where only files tell the time, it is known once something of ours stands there. */
static int look_at_clock(struct check *check) {
	struct remote_step step;
	if (json_object_get(check->found, "clock_skew_seconds")) return 0;
	remote_step_init(&step, STORE_ABOUT, "");
	int rc = remote_step_run(&step, check->store);
	if (rc == 0) tell_clock(check, step.op.about.server_ns);
	return ended(check, &step, rc);
}

static int look(struct check *check) {
	struct remote_step step;
	remote_step_init(&step, STORE_ABOUT, "");
	int64_t from_ms = loop_now_ms(check->store->loop);
	if (remote_step_run(&step, check->store)) return ended(check, &step, -1);
	int64_t took_ms = loop_now_ms(check->store->loop) - from_ms;
	const struct store_about *about = &step.op.about;
	tell(check, "reachable", json_true(), "yes, %s, in %" PRId64 " ms", check->store->label,
		took_ms);
	tell_clock(check, about->server_ns);
	if (about->free_bytes >= 0) {
		char size[32];
		size_format(about->free_bytes, size, sizeof(size));
		tell(check, "free_bytes", json_integer(about->free_bytes), "%s", size);
	}
	if (about->conditions_known)
		tell(check, "conditional_writes", json_boolean(about->conditions), "%s",
			about->conditions
				? "kept by the server: two machines cannot overwrite each other "
				  "unseen"
				: "not kept by the server: tend looks before it writes, and what "
				  "another machine writes in that moment is kept as a version "
				  "or overwritten");
	return ended(check, &step, 0);
}

static void put_init(struct check *check, struct remote_step *step, size_t len, int64_t mtime_ns) {
	remote_step_init(step, STORE_PUT, check->key);
	step->op.kind = STORE_FILE;
	step->op.body = check->body;
	step->op.body_len = len;
	step->op.size = (int64_t)len;
	step->op.mtime_ns = mtime_ns;
	step->op.mode = 0640;
	uint8_t hash[DIGEST_MAX];
	digest_of(check->store->digest, check->body, len, hash);
	step->op.hash = store_hash_from(check->store, hash);
}

static int write_first(struct check *check, int64_t mtime_ns) {
	struct remote_step step;
	if (check->store->caps & STORE_CAP_FOLDERS) {
		remote_step_init(&step, STORE_MKDIR, CHECK_FOLDER);
		step.op.kind = STORE_FOLDER;
		step.op.mode = 0700;
		if (ended(check, &step, remote_step_run(&step, check->store))) return -1;
	}
	put_init(check, &step, 100, mtime_ns);
	step.op.if_absent = true;
	check->made = true;
	int rc = remote_step_run(&step, check->store);
	if (rc == 0) tell(check, "write", json_true(), "yes");
	return ended(check, &step, rc);
}

/* As it was given, or how exactly. */
static const char *time_word(int64_t wanted_ns, int64_t got_ns) {
	if (got_ns == wanted_ns) return "kept to the nanosecond";
	if (got_ns == STORE_MTIME_UNKNOWN) return "not kept";
	if (got_ns / NS_PER_MS == wanted_ns / NS_PER_MS) return "kept to the millisecond";
	return got_ns / NS_PER_S == wanted_ns / NS_PER_S ? "kept to the second" : "not kept";
}

static int look_at_it(struct check *check, int64_t mtime_ns) {
	struct remote_step step;
	remote_step_init(&step, STORE_STAT, check->key);
	step.op.kind = STORE_FILE;
	int rc = remote_step_run(&step, check->store);
	const struct store_entry *entry = &step.op.entry;
	if (rc == 0 && entry->size != 100)
		rc = err_set(&step.err, ERR_CORRUPT,
			"a file of 100 bytes was written, and has %" PRId64 " now", entry->size);
	if (rc == 0) {
		const char *word = time_word(mtime_ns, entry->mtime_ns);
		tell(check, "file_times", json_string(word), "%s", word);
		bool mode = entry->mode == 0640;
		tell(check, "permissions", json_boolean(mode), "%s", mode ? "kept" : "not kept");
		bool hash = entry->hash.kind != STORE_HASH_NONE;
		tell(check, "hashes", json_boolean(hash), "%s",
			hash ? "told by the server"
			     : "not told: equal size and time count as equal");
	}
	return ended(check, &step, rc);
}

/* A file that is there is not replaced by one that must be new. */
static int write_again(struct check *check, int64_t mtime_ns) {
	struct remote_step step;
	check->body[0] ^= 1;
	put_init(check, &step, 100, mtime_ns);
	step.op.if_absent = true;
	int rc = remote_step_run(&step, check->store);
	check->body[0] ^= 1;
	if (rc && step.err.kind == ERR_CHANGED)
		rc = 0;
	else if (rc == 0)
		rc = err_set(&step.err, ERR_CORRUPT,
			"it replaced a file that was there by one that had to be new");
	return ended(check, &step, rc);
}

static double per_second(int64_t bytes, int64_t ms) {
	return (double)bytes * 1000 / (double)(ms > 0 ? ms : 1);
}

static void tell_speed(struct check *check, const char *name, int64_t from_ms) {
	char size[32];
	double rate = per_second(SPEED_BYTES, loop_now_ms(check->store->loop) - from_ms);
	size_format((int64_t)rate, size, sizeof(size));
	tell(check, name, json_integer((json_int_t)rate), "%s a second, one file of 4 MiB", size);
}

static int send_and_fetch(struct check *check, int64_t mtime_ns) {
	struct remote_step step;
	int64_t from_ms = loop_now_ms(check->store->loop);
	put_init(check, &step, SPEED_BYTES, mtime_ns + 1);
	if (ended(check, &step, remote_step_run(&step, check->store))) return -1;
	tell_speed(check, "upload_bytes_per_second", from_ms);
	remote_step_init(&step, STORE_GET, check->key);
	step.op.kind = STORE_FILE;
	step.op.length = SPEED_BYTES;
	from_ms = loop_now_ms(check->store->loop);
	int rc = remote_step_run(&step, check->store);
	const struct buf *body = &step.op.answer_body;
	if (rc == 0 &&
		(body->len != SPEED_BYTES || memcmp(body->at, check->body, SPEED_BYTES) != 0))
		rc = err_set(&step.err, ERR_CORRUPT, "what was read back is not what was written");
	if (rc == 0) tell_speed(check, "download_bytes_per_second", from_ms);
	return ended(check, &step, rc);
}

static int take_away(struct check *check) {
	struct remote_step step;
	remote_step_init(&step, STORE_REMOVE, check->key);
	step.op.kind = STORE_FILE;
	int rc = remote_step_run(&step, check->store);
	check->made = check->made && rc != 0;
	return ended(check, &step, rc);
}

static void tell_abilities(struct check *check) {
	unsigned caps = check->store->caps;
	bool moves = caps & STORE_CAP_MOVE, revisions = caps & STORE_CAP_REVISIONS;
	tell(check, "moves_folders", json_boolean(moves), "%s",
		moves ? "in one request" : "file by file, by copies on the server");
	tell(check, "revisions", json_boolean(revisions), "%s",
		revisions ? "the server may keep old versions by itself as well"
			  : "old versions are kept by tend alone");
}

/* Some servers take no parts, which only a try shows. */
static int begin_large(struct check *check, int64_t mtime_ns) {
	struct remote_step step, abort;
	if (check->store->part_size == 0) {
		tell(check, "resumes_uploads", json_false(), "no");
		return 0;
	}
	put_init(check, &step, SPEED_BYTES, mtime_ns);
	step.op.verb = STORE_PART_BEGIN;
	step.op.body = NULL;
	step.op.body_len = 0;
	step.op.size = check->store->part_from;
	step.op.part_size = check->store->part_size;
	if (remote_step_run(&step, check->store)) {
		bool refused = step.err.kind == ERR_INVALID;
		if (refused) tell(check, "resumes_uploads", json_false(), "no: %s", step.err.text);
		return ended(check, &step, refused ? 0 : -1);
	}
	tell(check, "resumes_uploads", json_true(),
		"large files go in parts, and on from the last one");
	remote_step_init(&abort, STORE_PART_ABORT, check->key);
	abort.op.session = step.op.answer_session;
	int rc = ended(check, &abort, remote_step_run(&abort, check->store));
	remote_step_release(&step);
	return rc;
}

static int run(struct check *check) {
	int64_t mtime_ns = 1700000000123456789;
	if (look(check) || write_first(check, mtime_ns) || look_at_clock(check) ||
		look_at_it(check, mtime_ns) || write_again(check, mtime_ns) ||
		send_and_fetch(check, mtime_ns) || take_away(check))
		return -1;
	tell_abilities(check);
	return begin_large(check, mtime_ns);
}

int remote_check(struct call *call, struct store *store) {
	struct check check = { .call = call, .store = store, .found = json_object() };
	char number[17];
	uint64_t random;
	loop_random(store->loop, &random, sizeof(random));
	snprintf(number, sizeof(number), "%016" PRIx64, random);
	check.key = xasprintf(CHECK_FOLDER "/check-%s", number);
	check.body = xmalloc(SPEED_BYTES);
	loop_random(store->loop, check.body, SPEED_BYTES);
	int code = EXIT_DONE;
	if (run(&check)) {
		struct err err = check.err;
		if (check.made) take_away(&check);
		code = remote_failure(call->words[1], &err);
	}
	json_object_set_new(check.found, "usable", json_boolean(code == EXIT_DONE));
	if (call->json) print_json(check.found);
	json_decref(check.found);
	free(check.body);
	free(check.key);
	return code;
}
