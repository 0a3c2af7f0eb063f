/* Do the remotes answer, as whoever asks? All are asked at once. */
#include <stdlib.h>

#include "store/store.h"

enum {
	SKEW_ADVICE_S = 5,
	SKEW_WRONG_S = 300, /* S3 and others refuse requests whose time is 15 minutes off */
};

struct asked {
	struct store_doctor *doctor;
	struct store *store; /* NULL: it could not be opened, `err` says why */
	struct store_op op;
	char *name;
	bool running;
	struct err err;
};

struct store_doctor {
	struct loop *loop;
	struct http *http;
	struct asked **asked;
	size_t count, left;
	struct defer defer;
	void (*done)(struct store_doctor *doctor, void *user);
	void *user;
};

struct store_doctor *store_doctor_new(struct loop *loop, struct http *http) {
	struct store_doctor *doctor = xcalloc(1, sizeof(*doctor));

	doctor->loop = loop;
	doctor->http = http;
	return doctor;
}

void store_doctor_free(struct store_doctor *doctor) {
	if (!doctor) return;
	for (size_t i = 0; i < doctor->count; i++) {
		struct asked *asked = doctor->asked[i];
		store_op_release(&asked->op);
		store_free(asked->store);
		free(asked->name);
		free(asked);
	}
	free(doctor->asked);
	free(doctor);
}

void store_doctor_add(
	struct store_doctor *doctor, const char *name, const struct remote_settings *settings) {
	struct asked *asked = xcalloc(1, sizeof(*asked));

	asked->doctor = doctor;
	asked->name = xstrdup(name);
	asked->store = store_open(doctor->loop, doctor->http, name, settings, NULL, &asked->err);
	store_op_init(&asked->op, STORE_ABOUT, "");
	doctor->asked = xrealloc(doctor->asked, (doctor->count + 1) * sizeof(struct asked *));
	doctor->asked[doctor->count++] = asked;
}

/* Whoever is told frees the stores, and one that has just answered is still in the middle of that. */
static void ended(struct defer *defer) {
	struct store_doctor *doctor = container_of(defer, struct store_doctor, defer);

	if (doctor->left == 0) doctor->done(doctor, doctor->user);
}

static void answered(struct store_op *op, const struct err *err) {
	struct asked *asked = container_of(op, struct asked, op);

	asked->running = false;
	err_clear(&asked->err);
	if (err) asked->err = *err;
	if (--asked->doctor->left == 0) defer_start(asked->doctor->loop, &asked->doctor->defer);
}

void store_doctor_start(struct store_doctor *doctor,
	void (*done)(struct store_doctor *doctor, void *user), void *user) {
	doctor->done = done;
	doctor->user = user;
	defer_init(&doctor->defer, ended);
	for (size_t i = 0; i < doctor->count; i++) {
		struct asked *asked = doctor->asked[i];
		if (!asked->store) continue;
		asked->op.done = answered;
		asked->running = true;
		doctor->left++;
		store_start(asked->store, &asked->op);
	}
	if (doctor->left == 0) defer_start(doctor->loop, &doctor->defer);
}

void store_doctor_cancel(struct store_doctor *doctor) {
	for (size_t i = 0; i < doctor->count; i++) {
		struct asked *asked = doctor->asked[i];
		if (asked->running) store_cancel(asked->store, &asked->op);
	}
}

/* ---- what it means ---- */

void store_doctor_skew(
	const char *name, int64_t server_ns, int64_t wall_ns, struct findings *findings) {
	int64_t off_s = (server_ns - wall_ns) / NS_PER_S, far_s = off_s < 0 ? -off_s : off_s;
	enum finding_level level = far_s > SKEW_WRONG_S ? FINDING_WRONG : FINDING_ADVICE;

	if (server_ns == 0 || far_s <= SKEW_ADVICE_S) return;
	finding_add(findings, level, xstrdup("timedatectl set-ntp true"),
		"this machine's clock is %lld s %s that of remote '%s'", (long long)far_s,
		off_s > 0 ? "behind" : "before", name);
}

static void add_trouble(const char *name, const struct err *err, struct findings *findings) {
	bool person = err->kind == ERR_DENIED || err->kind == ERR_INVALID;

	finding_add(findings, person ? FINDING_PERSON : FINDING_WRONG,
		xasprintf("tend remote check %s", name), "remote '%s': %s", name, err->text);
}

void store_doctor_tell(const struct store_doctor *doctor, struct findings *findings) {
	int64_t wall_ns = loop_wall_ns(doctor->loop);

	findings->check = "remotes";
	for (size_t i = 0; i < doctor->count; i++) {
		const struct asked *asked = doctor->asked[i];
		if (asked->err.kind != ERR_NONE) {
			add_trouble(asked->name, &asked->err, findings);
			continue;
		}
		finding_add(findings, FINDING_GOOD, NULL, "remote '%s': %s answers", asked->name,
			asked->store->label);
		store_doctor_skew(asked->name, asked->op.about.server_ns, wall_ns, findings);
	}
}
