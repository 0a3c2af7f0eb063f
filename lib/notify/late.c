/*
 * folder.behind: changes of a folder wait, and for as long as `behind` nothing of them has reached the
 * cloud. A folder that is written all the time, or sends much for hours, gets on and is not behind.
 */
#include <stdlib.h>

#include "notify/internal.h"

struct late {
	struct list link;
	struct notify *notify;
	char *unit;
	char *detail;    /* why it does not go on, as far as it says so; NULL */
	int64_t pending; /* as last told */
	int64_t done;
	struct timer timer;
};

static void late_free(struct late *late) {
	timer_cancel(&late->timer);
	list_remove(&late->link);
	free(late->unit);
	free(late->detail);
	free(late);
}

void notify_late_end(struct notify *notify) {
	list_each(&notify->lates, link) late_free(list_entry(link, struct late, link));
}

static void waited(struct timer *timer) {
	struct late *late = container_of(timer, struct late, timer);
	char span[32];
	duration_format(late->notify->settings.behind_ms, span, sizeof(span));
	char *text = xasprintf("%lld %s for %s, and nothing was sent%s%s", (long long)late->pending,
		late->pending == 1 ? "change has waited" : "changes have waited", span,
		late->detail ? ": " : "", late->detail ? late->detail : "");
	notify_tell(late->notify, "folder.behind", late->unit, text);
	free(text);
}

static struct late *find(struct notify *notify, const char *unit) {
	list_each(&notify->lates, link) {
		struct late *late = list_entry(link, struct late, link);
		if (str_equal(late->unit, unit)) return late;
	}
	return NULL;
}

static struct late *begin(struct notify *notify, const char *unit) {
	struct late *late = xcalloc(1, sizeof(*late));
	late->notify = notify;
	late->unit = xstrdup(unit);
	timer_init(&late->timer, notify->notifies->loop, waited);
	timer_start(&late->timer, notify->settings.behind_ms);
	list_add_tail(&notify->lates, &late->link);
	return late;
}

static void take_word(
	struct notify *notify, const struct unit *unit, int64_t pending, int64_t done) {
	struct late *late = find(notify, unit->id);
	if (pending == 0) {
		if (late) late_free(late);
		return;
	}
	bool got_on = !late || late->done != done;
	if (!late) late = begin(notify, unit->id);
	if (got_on) timer_start(&late->timer, notify->settings.behind_ms);
	late->pending = pending;
	late->done = done;
	free(late->detail);
	late->detail = xstrdup(unit->detail);
}

void notifies_folder_waits(
	struct notifies *notifies, const struct unit *unit, int64_t pending, int64_t done) {
	list_each(&notifies->all, link) {
		struct notify *notify = list_entry(link, struct notify, link);
		if (!notify->leaving) take_word(notify, unit, pending, done);
	}
}
