/*
 * What is to be done for one path in the modes that bring things here, two-way and fetch: a pure function of the three trees. No loop, no
 * clock, no disk: table tests and the model call it directly.
 *
 * An edit beats a deletion; equal content is no conflict; of two edits both stay. In fetch what is done here stays until the remote changes
 * the same path, and nothing is ever sent.
 */
#ifndef SYNC_PLAN_BOTH_H
#define SYNC_PLAN_BOTH_H

#include <stdbool.h>

/* What stands at one side, or was agreed. */
enum both_kind {
	BOTH_NONE,
	BOTH_FILE,
	BOTH_LINK,
	BOTH_FOLDER,
	BOTH_OTHER, /* here: socket, FIFO, device; there: what is nobody's file, a Google document say */
};

/* How a side compares with what was agreed, where it is of the agreed kind. */
enum both_same {
	BOTH_SAME,       /* in all that is kept */
	BOTH_ATTRIBUTES, /* the same bytes or target, another mtime or mode */
	BOTH_CHANGED,
};

struct both_question {
	bool fetch;    /* else two-way */
	bool excluded; /* the rules leave it out */
	enum both_kind agreed, here, there;
	enum both_same here_same, there_same; /* where the kind is the agreed one */
	/* Where a file or a link stands on both sides, of one kind: here against there. */
	enum both_same equal;
	bool here_newer; /* by its mtime; where only attributes differ the newer ones hold */
};

enum both_action {
	BOTH_NOTHING,
	BOTH_FORGET, /* the rules leave it out: the base goes, neither side is touched */
	BOTH_AGREE,  /* both sides are alike, or both are gone: the base says so from now on */
	BOTH_SEND,   /* what is here goes there, as in the one-way modes: a deletion too */
	BOTH_BRING,  /* what is there comes here; what it replaces goes to the trash */
	BOTH_BRING_ATTRIBUTES,
	BOTH_REMOVE_HERE, /* to the trash; a folder only when nothing else lies in it */
	BOTH_ASIDE_HERE,  /* ours gets the name of a conflict; then theirs comes */
	BOTH_ASIDE_THERE, /* theirs gets it there; then our folder goes there */
	BOTH_REFUSE,      /* what stands there, or here, cannot be kept: said, and left alone */
};

enum both_action plan_both(const struct both_question *question);

#endif
