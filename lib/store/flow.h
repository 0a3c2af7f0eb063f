/*
 * What is the same for every store whose server knows single requests only: PUT with its conditions
 * and what it keeps, REMOVE, COPY, MOVE, SET and STAT as flows over five small acts of a driver.
 * Each step first believes what it finds: a try before may have done it, and its answer was lost.
 *
 * Loop thread. The driver's struct of an operation holds `struct flow`; an act ends in one call of
 * flow_next(), with flow->err, and sets off only what ends in a later turn.
 */
#ifndef STORE_FLOW_H
#define STORE_FLOW_H

#include "crypto/crypto.h"
#include "store/internal.h"

struct flow;

struct flow_copy {
	const char *from, *to;
	enum store_kind kind;
	bool move;
	bool absent;  /* only when nothing is at `to`, else ERR_CHANGED */
	bool parents; /* those of `to` are made */
};

struct flow_driver {
	/* flow->seen: what stands there, of whichever kind; ERR_NOT_FOUND. A link is looked for by
	 * its own name. */
	void (*look)(struct flow *flow, const char *key, enum store_kind kind);
	/* flow->seen: what is at `to` now. flow->present, where flow->looked: what was at `from`. */
	void (*copy)(struct flow *flow, const struct flow_copy *copy);
	/* PUT or PART_END of flow->op, with those of its conditions that the server checks, unless
	 * flow->distrust; ERR_CHANGED when they fail. Fills op->entry. */
	void (*commit)(struct flow *flow);
	/* One file or link; what is gone may be ERR_NOT_FOUND. */
	void (*remove)(struct flow *flow, const char *key, enum store_kind kind);
	/* Makes the times of what is there those of flow->present, and tells there what came of it. */
	void (*set)(struct flow *flow);
	/* Where times and modes go to the server after the content, by themselves, which may have failed
	 * in an earlier try: makes those of what stands at `key` what `entry` says, and tells there what
	 * came of it. Until then the server tells no mode, and perhaps a time of whole seconds. NULL: they
	 * go with the content. */
	void (*times)(struct flow *flow, const char *key, struct store_entry *entry);
	/* Frees the driver's struct of the operation. */
	void (*release)(struct flow *flow);
};

struct flow {
	struct store *store;
	struct store_op *op;
	const struct flow_driver *driver;
	void (*step)(struct flow *flow);
	int state; /* of the verb's own enum */
	struct err err;
	struct err saved;                    /* of a flow that looks once more before it gives up */
	struct store_entry seen;             /* what the last act found */
	struct store_entry present;          /* what stands at op->key */
	struct store_entry other;            /* what stands at the other place */
	bool looked;                         /* `present` is known */
	bool distrust;                       /* a condition of the server's was found wrong */
	bool checks_absence, checks_version; /* set by the driver: commit() carries them */
	struct flow_copy copy;

	/* ---- reading what is there, for its hash ---- */
	struct store_op get;
	bool reading;
	struct store_entry *read_entry;
	struct digest digest;
	void (*after_read)(struct flow *flow);
};

void flow_init(struct flow *flow, struct store *store, struct store_op *op,
	const struct flow_driver *driver);
/* An act has ended. */
void flow_next(struct flow *flow);
/* True: it is reading, and the end comes by that. */
bool flow_cancel(struct flow *flow);
/* Answers the operation and frees it. err NULL: success. */
void flow_finish(struct flow *flow, const struct err *err);
void flow_fail(struct flow *flow); /* with flow->err */
void flow_end(struct flow *flow);  /* with flow->err, if there is one */
/* Inside start: what cannot even be asked. Answers later, with flow->err. */
void flow_refuse_start(struct flow *flow);
/* Ends it with `entry`, which is taken. */
void flow_finish_with(struct flow *flow, struct store_entry *entry);
/* flow->seen becomes `entry`. */
void flow_take_seen(struct flow *flow, struct store_entry *entry);
/* Makes the times of `entry`, which stands at `key`, those of `from`, where they are not yet; then flow_next().
 * False: they are. */
bool flow_times(struct flow *flow, const char *key, struct store_entry *entry,
	const struct store_entry *from);
/* Reads what stands at `key` for the MD5 of `entry`; then `after`, with flow->err. */
void flow_read(struct flow *flow, const char *key, enum store_kind kind, struct store_entry *entry,
	void (*after)(struct flow *flow));

void flow_stat(struct flow *flow);
void flow_put(struct flow *flow); /* also PART_END, and REMOVE of what is no folder */
void flow_set(struct flow *flow);
void flow_copy_or_move(struct flow *flow);

#endif
