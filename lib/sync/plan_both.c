#include "sync/plan_both.h"

#include "sync/mutant.h"

static bool is_content(enum both_kind kind) {
	return kind == BOTH_FILE || kind == BOTH_LINK;
}

static enum both_same changed(enum both_kind now, enum both_kind agreed, enum both_same same) {
	if (now != agreed || MUTANT(base_is_ignored)) return BOTH_CHANGED;
	return agreed == BOTH_NONE || agreed == BOTH_OTHER ? BOTH_SAME : same;
}

/* Two edits of one path. */
static enum both_action plan_clash(const struct both_question *q) {
	if (q->here == q->there && is_content(q->here)) {
		if (q->equal == BOTH_SAME) return BOTH_AGREE;
		if (q->equal == BOTH_ATTRIBUTES)
			return q->here_newer && !q->fetch ? BOTH_SEND : BOTH_BRING_ATTRIBUTES;
		if (MUTANT(clash_sends_ours)) return BOTH_SEND;
		return q->fetch || MUTANT(clash_takes_theirs) ? BOTH_BRING : BOTH_ASIDE_HERE;
	}
	/* Two folders are one, with the mode that the remote has. */
	if (q->here == BOTH_FOLDER && q->there == BOTH_FOLDER) return BOTH_BRING_ATTRIBUTES;
	/* A folder keeps its name, whichever side it is on: much may lie in it. */
	if (q->here == BOTH_FOLDER && !MUTANT(folder_gives_way))
		return q->fetch ? BOTH_REFUSE : BOTH_ASIDE_THERE;
	return q->fetch && q->there != BOTH_FOLDER ? BOTH_BRING : BOTH_ASIDE_HERE;
}

enum both_action plan_both(const struct both_question *q) {
	enum both_same here = changed(q->here, q->agreed, q->here_same);
	enum both_same there = changed(q->there, q->agreed, q->there_same);
	if (q->excluded) return q->agreed == BOTH_NONE ? BOTH_NOTHING : BOTH_FORGET;
	if (q->there == BOTH_OTHER)
		return here == BOTH_SAME && there == BOTH_SAME ? BOTH_NOTHING : BOTH_REFUSE;
	/* What cannot be kept took the place of what was agreed, which is gone here; nothing comes in its place. */
	if (q->here == BOTH_OTHER) {
		if (there == BOTH_SAME) return q->fetch ? BOTH_NOTHING : BOTH_SEND;
		return q->there == BOTH_NONE ? BOTH_AGREE : BOTH_REFUSE;
	}
	if (there == BOTH_SAME) {
		if (here == BOTH_SAME || (q->fetch && !MUTANT(fetch_sends))) return BOTH_NOTHING;
		return BOTH_SEND;
	}
	if (q->here == BOTH_NONE && q->there == BOTH_NONE) return BOTH_AGREE;
	/* Whoever only touched it, or its mode, has edited nothing: the other side's deletion or edit holds. */
	bool here_edited = here == BOTH_CHANGED, there_edited = there == BOTH_CHANGED;
	if (q->there == BOTH_NONE && (!here_edited || MUTANT(deletion_beats_our_edit)))
		return MUTANT(deletion_comes_back) ? BOTH_SEND : BOTH_REMOVE_HERE;
	if (q->here == BOTH_NONE && (!there_edited || MUTANT(deletion_beats_their_edit)))
		return q->fetch ? BOTH_NOTHING : BOTH_SEND;
	if (here == BOTH_SAME) return there == BOTH_ATTRIBUTES ? BOTH_BRING_ATTRIBUTES : BOTH_BRING;
	if (q->here == BOTH_NONE) return BOTH_BRING;
	/* Removed there, edited here: it stays. In fetch it is nobody's business any more. */
	if (q->there == BOTH_NONE) return q->fetch ? BOTH_AGREE : BOTH_SEND;
	if (here_edited != there_edited) {
		if (there_edited) return BOTH_BRING;
		return q->fetch ? BOTH_NOTHING : BOTH_SEND;
	}
	return plan_clash(q);
}
