#include "sync/plan.h"

#include "sync/mutant.h"

/* A thing of one kind where the base has the other kind under the same name: the old one goes first. */
static enum plan_action plan_clear_folder(const struct plan_question *q) {
	return q->folder_has_children ? PLAN_EMPTY_FOLDER : PLAN_REMOVE_FOLDER;
}

static enum plan_action plan_content(const struct plan_question *q, bool link) {
	if (q->folder == BASE_AGREED) return plan_clear_folder(q);
	if (q->file == BASE_NONE) return PLAN_PUT;
	if (q->file_is_link != link) return q->file == BASE_AGREED ? PLAN_REMOVE : PLAN_PUT;
	if (q->file == BASE_STRANGER) {
		switch (q->same) {
		case SAME_ALL:
		case SAME_BYTES: return PLAN_ADOPT;
		case SAME_CONTENT: return PLAN_SET;
		case SAME_NOT: return PLAN_PUT;
		}
	}
	if (q->unsealed && q->same != SAME_NOT) return PLAN_CHECK;
	switch (q->same) {
	case SAME_ALL: return PLAN_NOTHING;
	case SAME_BYTES: return PLAN_RECORD;
	case SAME_CONTENT: return MUTANT(attributes_are_not_sent) ? PLAN_RECORD : PLAN_SET;
	case SAME_NOT: break;
	}
	return PLAN_PUT;
}

static enum plan_action plan_gone(const struct plan_question *q) {
	if (q->file == BASE_AGREED) return PLAN_REMOVE;
	if (q->folder == BASE_AGREED) return plan_clear_folder(q);
	return PLAN_NOTHING; /* strangers stay: without a base nothing is deleted */
}

enum plan_action plan_path(const struct plan_question *q) {
	switch (q->local) {
	case LOCAL_EXCLUDED:
		return q->file == BASE_AGREED || q->folder == BASE_AGREED ? PLAN_FORGET
									  : PLAN_NOTHING;
	case LOCAL_ABSENT: return plan_gone(q);
	case LOCAL_OTHER: {
		enum plan_action gone = plan_gone(q); /* what was there before is no longer */
		return gone == PLAN_NOTHING ? PLAN_REFUSE_KIND : gone;
	}
	case LOCAL_FILE: return plan_content(q, false);
	case LOCAL_LINK: return plan_content(q, true);
	case LOCAL_FOLDER: break;
	}
	if (q->file == BASE_AGREED) return PLAN_REMOVE;
	if (q->folder == BASE_STRANGER && !q->folder_differs) return PLAN_ADOPT;
	if (q->folder == BASE_AGREED && q->unsealed)
		return PLAN_MKDIR; /* made again: harmless twice */
	if (q->folder == BASE_AGREED && !q->folder_differs) return PLAN_NOTHING;
	return PLAN_MKDIR;
}
