#include "sync/restore_rule.h"

static bool same_kind(const struct restore_rule_question *q) {
	return q->here_kind == (q->kind == PAST_LINK ? DISK_LINK : DISK_FILE);
}

/* Listings and some stores tell no less than a millisecond. */
static bool same_time(const struct restore_rule_question *q) {
	if (q->mtime_ns == STORE_MTIME_UNKNOWN) return false;
	if (q->mtime_ns % NS_PER_MS) return q->mtime_ns == q->here_mtime_ns;
	return q->here_mtime_ns - q->mtime_ns < NS_PER_MS && q->here_mtime_ns >= q->mtime_ns;
}

enum restore_verdict restore_rule(const struct restore_rule_question *q, const char **why) {
	*why = NULL;
	if (!q->there) return RESTORE_WRITE;
	if (same_kind(q)) {
		if (q->current && q->agreed) return RESTORE_SAME;
		if (q->size == q->here_size && same_time(q)) return RESTORE_SAME;
		/* An old version's name tells no time, nor do the listings of some stores. */
		if (q->size == q->here_size && q->mtime_ns == STORE_MTIME_UNKNOWN && !q->seen)
			return RESTORE_SEE;
	}
	if (q->here_kind == DISK_FOLDER) {
		*why = "is a folder now";
		return RESTORE_LEAVE;
	}
	if (q->here_kind == DISK_OTHER) {
		*why = "is neither file nor link now";
		return RESTORE_LEAVE;
	}
	if (!q->overwrite) {
		*why = "is there already";
		return RESTORE_LEAVE;
	}
	if (q->unsent) {
		*why = "was changed here and is not in the remote yet";
		return RESTORE_LEAVE;
	}
	return RESTORE_WRITE;
}
