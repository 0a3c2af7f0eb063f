/* What is to be done about a step, from what was found; no clock, no disk. */
#include "step/internal.h"

static const char *const state_names[] = { "down", "waiting", "looking", "fetching", "running",
	"ending", "delayed", "rebooting", "done", "held", "failed" };
static const char *const verdict_names[] = { "so", "todo", "held" };

const char *step_state_name(enum step_state state) {
	return state_names[state];
}

const char *step_verdict_name(enum step_verdict verdict) {
	return verdict_names[verdict];
}

enum step_verdict step_is_due(const struct step_due *due, const char **why) {
	*why = NULL;
	if (due->forced)
		*why = "asked for by hand";
	else if (due->there)
		return *why = "what it creates is there", STEP_SO;
	else if (!due->done)
		*why = "not done yet";
	else if (!due->same)
		*why = "its definition has changed";
	else if (!due->here)
		*why = "done on another machine";
	else if (due->when == STEP_WHEN_BOOT && !due->this_boot)
		*why = "done at each boot";
	if (*why) return STEP_TODO;
	*why = "done";
	return STEP_SO;
}

enum step_verdict step_compare_content(
	const struct step_content *content, bool *keep, const char **why) {
	*keep = false;
	if (!content->there) {
		*why = "it is not there";
		return STEP_TODO;
	}
	if (content->equal) {
		*why = content->rights ? "as it is wanted" : "its mode or owner is another";
		return content->rights ? STEP_SO : STEP_TODO;
	}
	if (content->ours && content->unchanged) {
		*why = "tend wrote another content there before";
		return STEP_TODO;
	}
	if (content->ours && !content->forced) {
		*why = "changed by a person since tend wrote it";
		return STEP_HELD;
	}
	*keep = true;
	*why = content->ours ? "changed by a person; asked for by hand" : "another one is there";
	return STEP_TODO;
}
