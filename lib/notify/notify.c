/* Who wants to know of what, and when to be quiet. */
#include "notify/notify.h"

#include <stdlib.h>
#include <string.h>

#include "notify/internal.h"

enum { DAY_MS = 24 * 3600 * 1000, WAS_FINE = 1, WAS_BAD = 2 };

/* ---- settings ---- */

static const char *const events[] = { "service.failed", "folder.stopped", "folder.behind",
	"step.failed", "idle", "idle.blind", "preempt", NULL };

#define FIELD(member) offsetof(struct notify_settings, member)

static const struct config_key keys[] = {
	{ .name = "on",
		.type = CONFIG_WORDS,
		.offset = FIELD(on),
		.help = "which events; all when not set: service.failed folder.stopped "
			"folder.behind step.failed idle idle.blind preempt" },
	{ .name = "command",
		.type = CONFIG_TEXT,
		.offset = FIELD(command),
		.help = "what to run, with the event in TEND_EVENT and TEND_EVENT_..." },
	{ .name = "webhook",
		.type = CONFIG_TEXT,
		.offset = FIELD(webhook),
		.help = "URL that gets the event as JSON by POST" },
	{ .name = "quiet",
		.type = CONFIG_DURATION,
		.offset = FIELD(quiet_ms),
		.preset = "10m",
		.max = 30LL * DAY_MS,
		.help = "the same of the same unit is told once in so long" },
	{ .name = "behind",
		.type = CONFIG_DURATION,
		.offset = FIELD(behind_ms),
		.preset = "15m",
		.min = 1000,
		.max = 30LL * DAY_MS,
		.help = "how long changes of a folder may wait while nothing is sent" },
};

static int notify_check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct notify_settings *notify = settings;
	(void)name;
	*key = "on";
	for (char **word = notify->on; word && *word; word++) {
		if (strv_has(events, *word)) continue;
		return err_set(err, ERR_INVALID,
			"there is no event '%s': write service.failed, folder.stopped, "
			"folder.behind, step.failed, idle, idle.blind or preempt",
			*word);
	}
	*key = "webhook";
	if (notify->webhook && !str_starts(notify->webhook, "http://") &&
		!str_starts(notify->webhook, "https://"))
		return err_set(err, ERR_INVALID, "'webhook' is no URL: it begins with https://");
	if (!notify->webhook && !notify->command)
		return err_set(err, ERR_INVALID, "nobody is told: write webhook or command");
	*key = "command";
	char **words = notify->command ? config_split_command(notify->command, err) : NULL;
	bool good = !notify->command || (words && words[0] && *words[0]);
	if (words && !good) err_set(err, ERR_INVALID, "command is empty");
	strv_free(words);
	return good ? 0 : -1;
}

const struct config_table notify_table = {
	.kind = "notify",
	.named = true,
	.size = sizeof(struct notify_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = notify_check,
	.help = "tell people",
};

/* ---- topics: an event of a unit that was told a moment ago ---- */

struct topic {
	struct list link;
	struct notify *notify;
	struct message *more; /* what happened since; NULL: nothing */
	char *event, *unit;
	struct timer quiet;
};

static void topic_free(struct topic *topic) {
	timer_cancel(&topic->quiet);
	list_remove(&topic->link);
	if (topic->more) notify_message_free(topic->more);
	free(topic->event);
	free(topic->unit);
	free(topic);
}

static void quiet_over(struct timer *timer) {
	struct topic *topic = container_of(timer, struct topic, quiet);
	struct message *more = topic->more;
	if (!more) {
		topic_free(topic);
		return;
	}
	topic->more = NULL;
	timer_start(&topic->quiet, topic->notify->settings.quiet_ms);
	notify_send(topic->notify, more);
}

static struct topic *topic_find(struct notify *notify, const char *event, const char *unit) {
	list_each(&notify->topics, link) {
		struct topic *topic = list_entry(link, struct topic, link);
		if (str_equal(topic->event, event) && str_equal(topic->unit, unit)) return topic;
	}
	return NULL;
}

static void topic_begin(struct notify *notify, const char *event, const char *unit) {
	struct topic *topic = xcalloc(1, sizeof(*topic));
	topic->notify = notify;
	topic->event = xstrdup(event);
	topic->unit = xstrdup(unit);
	timer_init(&topic->quiet, notify->notifies->loop, quiet_over);
	list_add_tail(&notify->topics, &topic->link);
	timer_start(&topic->quiet, notify->settings.quiet_ms);
}

static void tell_one(struct notify *notify, const char *event, const char *unit, const char *text) {
	struct topic *topic = topic_find(notify, event, unit);
	struct message *message = xcalloc(1, sizeof(*message));
	message->event = xstrdup(event);
	message->unit = xstrdup(unit);
	message->text = xstrdup(text);
	message->at_ns = loop_wall_ns(notify->notifies->loop);
	message->count = 1;
	if (topic) {
		if (topic->more) {
			message->count += topic->more->count;
			notify_message_free(topic->more);
		}
		topic->more = message;
		return;
	}
	if (notify->settings.quiet_ms > 0) topic_begin(notify, event, unit);
	notify_send(notify, message);
}

void notify_tell(struct notify *notify, const char *event, const char *unit, const char *text) {
	char **on = notify->settings.on;
	if (notify->leaving || (on && !strv_has((const char *const *)on, event))) return;
	tell_one(notify, event, unit, text ? text : "");
}

void notifies_tell(
	struct notifies *notifies, const char *event, const char *unit, const char *text) {
	list_each(&notifies->all, link)
		notify_tell(list_entry(link, struct notify, link), event, unit, text);
}

/* ---- what units say ---- */

/* True when it turns bad with this word. */
static bool turns_bad(struct notifies *notifies, const char *id, bool bad) {
	static char words[3];
	void *before = map_put(&notifies->state, id, &words[bad ? WAS_BAD : WAS_FINE]);
	return bad && before != &words[WAS_BAD];
}

void notifies_unit_changed(struct notifies *notifies, const struct unit *unit) {
	if (unit->kind != UNIT_SERVICE && unit->kind != UNIT_STEP) return;
	/* Its next try is the same trouble until it is up. */
	if (unit->state != UNIT_FAILED && unit->state != UNIT_READY && unit->state != UNIT_DOWN)
		return;
	if (turns_bad(notifies, unit->id, unit->state == UNIT_FAILED))
		notifies_tell(notifies, unit->kind == UNIT_STEP ? "step.failed" : "service.failed",
			unit->id, unit->detail);
}

void notifies_folder_changed(
	struct notifies *notifies, const struct unit *unit, bool needs_person) {
	if (turns_bad(notifies, unit->id, needs_person))
		notifies_tell(notifies, "folder.stopped", unit->id, unit->detail);
}

/* ---- all of them ---- */

struct notifies *notifies_new(struct loop *loop, struct http *http, struct process_host *host) {
	struct notifies *notifies = xcalloc(1, sizeof(*notifies));
	notifies->loop = loop;
	notifies->http = http;
	notifies->host = host;
	list_init(&notifies->all);
	map_init(&notifies->state);
	return notifies;
}

static void add(struct notifies *notifies, const struct config_section *section) {
	struct notify *notify = xcalloc(1, sizeof(*notify));
	notify->notifies = notifies;
	notify->name = xstrdup(section->name);
	config_settings_copy(&notify_table, &notify->settings, section->settings);
	list_init(&notify->topics);
	list_init(&notify->lates);
	notify_send_init(notify);
	list_add_tail(&notifies->all, &notify->link);
}

static void closed_check(struct notifies *notifies) {
	if (notifies->closing && list_empty(&notifies->all))
		defer_start(notifies->loop, &notifies->closed_defer);
}

void notify_ended(struct notify *notify) {
	struct notifies *notifies = notify->notifies;
	process_release(&notify->process);
	list_remove(&notify->link);
	config_settings_release(&notify_table, &notify->settings);
	free(notify->name);
	free(notify);
	closed_check(notifies);
}

static void leave(struct notify *notify) {
	if (notify->leaving) return;
	notify->leaving = true;
	list_each(&notify->topics, link) topic_free(list_entry(link, struct topic, link));
	notify_late_end(notify);
	notify_send_end(notify);
}

void notifies_configure(struct notifies *notifies, const struct config *config) {
	const struct config_section *section = NULL;
	list_each(&notifies->all, link) {
		struct notify *notify = list_entry(link, struct notify, link);
		section = config_find(config, "notify", notify->name);
		if (!section || config_settings_compare(
					&notify_table, &notify->settings, section->settings))
			leave(notify);
	}
	section = NULL;
	while ((section = config_next(config, "notify", section))) {
		bool there = false;
		list_each(&notifies->all, link) {
			struct notify *notify = list_entry(link, struct notify, link);
			there |= !notify->leaving && str_equal(notify->name, section->name);
		}
		if (!there) add(notifies, section);
	}
}

static void say_closed(struct defer *defer) {
	struct notifies *notifies = container_of(defer, struct notifies, closed_defer);
	notifies->closed(notifies->user);
}

void notifies_close(struct notifies *notifies, void (*closed)(void *user), void *user) {
	notifies->closing = true;
	notifies->closed = closed;
	notifies->user = user;
	defer_init(&notifies->closed_defer, say_closed);
	list_each(&notifies->all, link) leave(list_entry(link, struct notify, link));
	closed_check(notifies);
}

void notifies_free(struct notifies *notifies) {
	if (!notifies) return;
	map_release(&notifies->state);
	free(notifies);
}
