#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/*
 * How something new gets its name. With OpenSSH's extensions the name is never absent: a hard link
 * creates and keeps, posix-rename replaces. Without them, or where the server's disk takes no hard
 * link, the old one is renamed away and the new one to its place by two requests in one packet, after
 * that was written down: what breaks off between the two is put back (sftp_swap.c).
 */

enum { TRIES = 8 };

enum {
	LOOK,
	LOOKED,
	KEEP,
	KEPT,
	KEEP_SEEN,
	KEEP_MET,
	REPLACED,
	CREATED,
	TAKEN,
	NOTED,
	SWAP_SECOND,
	SWAPPED,
	BACK,
	MET,
	PLACED,
};

static void has_its_name(struct sftp_op *x) {
	free(x->made.tmp);
	x->made.tmp = NULL;
}

/* The name is there; a link's attributes are still to be seen. */
static void placed(struct sftp_op *x) {
	if (!x->made.link) {
		sftp_return(x);
		return;
	}
	x->state = PLACED;
	sftp_ask(x, 0, SFTP_LSTAT, x->made.to);
}

static void meet(struct sftp_op *x) {
	x->state = MET;
	sftp_call(x, sftp_meet_own);
}

static void create(struct sftp_op *x) {
	x->committing = true;
	x->state = CREATED;
	/* What has its name by a link is removed under the other when the operation ends. RENAME
	 * of version 3 refuses a name that is taken, and where it does not we have looked. */
	if (x->session->has.hardlink && !x->made.swap)
		sftp_ask_hardlink(x, 0, x->made.tmp, x->made.to);
	else
		sftp_ask_two(x, 0, SFTP_RENAME, x->made.tmp, x->made.to);
}

/* What stands there goes to keep_key; else it is removed. */
static bool goes_to_keep(const struct sftp_op *x) {
	return x->op->keep_key && !x->op->kept;
}

static void swap(struct sftp_op *x) {
	free(x->made.aside);
	x->made.aside = goes_to_keep(x) ? xstrdup(x->op->keep_key) : sftp_tmp_key(x, "old");
	x->committing = true;
	x->state = NOTED;
	sftp_call(x, sftp_swap_note);
}

static void noted(struct sftp_op *x) {
	if (sftp_has_failed(x)) {
		sftp_return(x);
		return;
	}
	x->state = SWAPPED;
	sftp_ask_two(x, 0, SFTP_RENAME, x->made.to, x->made.aside);
	/* OpenSSH takes the name of a link that leads nowhere for a free one: one by one there. */
	if (sftp_kind(&x->other) == STORE_LINK)
		x->state = SWAP_SECOND;
	else
		sftp_ask_two(x, 1, SFTP_RENAME, x->made.tmp, x->made.to);
}

static void swap_second(struct sftp_op *x) {
	x->state = SWAPPED;
	if (x->results[0].code == SFTP_OK) {
		sftp_ask_two(x, 1, SFTP_RENAME, x->made.tmp, x->made.to);
		return;
	}
	x->results[1].code = SFTP_FAILURE;
	x->step(x);
}

static void replace(struct sftp_op *x) {
	if (!x->session->has.posix_rename) {
		swap(x);
		return;
	}
	x->committing = true;
	x->state = REPLACED;
	sftp_ask_rename_over(x, 0, x->made.tmp, x->made.to);
}

static void keep(struct sftp_op *x) {
	if (!x->session->has.hardlink || x->made.swap) {
		swap(x);
		return;
	}
	x->state = KEPT;
	sftp_ask_hardlink(x, 0, x->made.to, x->op->keep_key);
}

static void look(struct sftp_op *x) {
	if (++x->made.tries > TRIES) {
		sftp_fail_changed(x, x->made.to);
		sftp_return(x);
	} else if (x->made.absent && x->session->has.hardlink) {
		create(x);
	} else {
		x->state = LOOKED;
		sftp_ask(x, 0, SFTP_LSTAT, x->made.to);
	}
}

static void looked(struct sftp_op *x) {
	const struct store_op *op = x->op;
	int there = sftp_seen(x, 0, x->made.to, &x->other);
	/* A copy's is that of its source. */
	const char *version = op->to_key ? NULL : op->if_version;

	if (there < 0) {
		sftp_return(x);
	} else if (there && sftp_kind(&x->other) == STORE_FOLDER) {
		sftp_fail_folder(x, x->made.to);
		sftp_return(x);
	} else if ((there && x->made.absent) ||
		   (version && !(there && sftp_is_version(&x->other, version)))) {
		meet(x);
	} else if (!there) {
		create(x);
	} else if (op->keep_key && !op->kept) {
		keep(x);
	} else {
		replace(x);
	}
}

/* The old one did not get its other name: is that taken, or its folder not there? */
static void keep_seen(struct sftp_op *x) {
	int there = sftp_seen(x, 0, x->op->keep_key, &x->made.attrs_kept);

	if (there < 0) {
		sftp_return(x);
	} else if (there > 0) {
		x->state = KEEP_MET;
		sftp_call(x, sftp_meet_kept);
	} else if (!x->made.parents) {
		x->made.parents = true;
		x->parents_of = x->op->keep_key;
		x->state = KEEP;
		sftp_call(x, sftp_parents);
	} else if (!x->made.swap) {
		x->made.swap =
			true; /* a file system without hard links, or with too many of this */
		swap(x);
	} else {
		sftp_fail_code(x, SFTP_FAILURE, "the old version of '%s' is not kept", x->made.to);
		sftp_return(x);
	}
}

static void keep_met(struct sftp_op *x) {
	if (x->err.kind == ERR_CHANGED) {
		meet(x);
	} else if (sftp_has_failed(x)) {
		sftp_return(x);
	} else {
		x->op->kept = true;
		replace(x);
	}
}

static void created(struct sftp_op *x) {
	bool linked = x->session->has.hardlink && !x->made.swap;

	if (x->results[0].code == SFTP_OK) {
		if (!linked) has_its_name(x);
		placed(x);
	} else if (x->results[0].code == SFTP_NO_SUCH_FILE) {
		sftp_fail_code(x, SFTP_NO_SUCH_FILE, "the folder of '%s'", x->made.to);
		sftp_return(x);
	} else {
		x->state = TAKEN;
		sftp_ask(x, 0, SFTP_LSTAT, x->made.to);
	}
}

static void taken(struct sftp_op *x) {
	int there = sftp_seen(x, 0, x->made.to, &x->other);

	if (there < 0) {
		sftp_return(x);
	} else if (there && x->made.absent) {
		meet(x);
	} else if (there) {
		look(x);
	} else if (!x->made.swap) {
		x->made.swap = true;
		create(x);
	} else {
		sftp_fail_code(x, SFTP_FAILURE, "cannot give '%s' its name", x->made.to);
		sftp_return(x);
	}
}

static void swapped(struct sftp_op *x) {
	/* Else it was gone meanwhile, and there was nothing to keep. */
	bool moved = x->results[0].code == SFTP_OK;

	if (x->results[1].code == SFTP_OK) {
		if (moved && goes_to_keep(x))
			x->op->kept = true;
		else if (moved)
			sftp_drop(x, x->made.aside);
		sftp_swap_over(x);
		has_its_name(x);
		placed(x);
	} else if (moved) {
		x->state = BACK;
		sftp_ask_two(x, 0, SFTP_RENAME, x->made.aside, x->made.to);
	} else if (goes_to_keep(x)) {
		sftp_swap_over(x);
		x->state = KEEP_SEEN;
		sftp_ask(x, 0, SFTP_LSTAT, x->op->keep_key);
	} else {
		sftp_swap_over(x);
		look(x);
	}
}

static void back(struct sftp_op *x) {
	if (x->results[0].code == SFTP_OK) {
		sftp_swap_over(x);
		sftp_fail_code(x, x->results[1].code, "cannot give '%s' its name", x->made.to);
		sftp_return(x);
		return;
	}
	/* Another put it back, or something else; where neither, sftp_mend() has still to do it. */
	free(x->made.record);
	x->made.record = NULL;
	look(x);
}

void sftp_place(struct sftp_op *x) {
	switch (x->state) {
	case LOOK: look(x); return;
	case LOOKED: looked(x); return;
	case KEEP: keep(x); return;
	case KEPT:
		if (x->results[0].code == SFTP_OK) {
			x->op->kept = true;
			replace(x);
			return;
		}
		x->state = KEEP_SEEN;
		sftp_ask(x, 0, SFTP_LSTAT, x->op->keep_key);
		return;
	case KEEP_SEEN: keep_seen(x); return;
	case KEEP_MET: keep_met(x); return;
	case REPLACED:
		if (x->results[0].code == SFTP_OK) {
			has_its_name(x);
			placed(x);
			return;
		}
		sftp_fail_code(x, x->results[0].code, "cannot give '%s' its name", x->made.to);
		break;
	case CREATED: created(x); return;
	case TAKEN: taken(x); return;
	case NOTED: noted(x); return;
	case SWAP_SECOND: swap_second(x); return;
	case SWAPPED: swapped(x); return;
	case BACK: back(x); return;
	case PLACED:
		x->made.attrs = x->results[0].attrs;
		if (x->results[0].code != SFTP_OK || !x->made.attrs.has_mode)
			sftp_fail_changed(x, x->made.to);
		break;
	default: break; /* MET */
	}
	sftp_return(x);
}
