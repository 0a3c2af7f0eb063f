/* Changes come many at once (a graph that starts, a folder that sends): they are gathered, and
 * told as the state that they led to. */
#include "tendd/news.h"

#include <stdlib.h>

#include "tendd/progress.h"
#include "tendd/routes.h"
#include "tendd/status.h"

/* A folder that works changes many times a second; people and dashboards do not look that often. */
enum { GATHER_MS = 100 };

struct news {
	struct house *house;
	struct map changed; /* ids, to be told */
	struct timer timer;
	struct defer look; /* at what requests wait for */
	char *machine;     /* the last that was told of it as a whole */
};

static void tell_of_folder(struct notifies *notifies, const struct unit *unit, const json_t *body) {
	static const char *const done[] = { "sent_files", "sent_bytes", "set_only", "moved",
		"removed", "brought_files", "removed_here" };
	const json_t *part = json_object_get(body, "folder");
	int64_t sum = 0;
	for (size_t i = 0; i < ARRAY_LEN(done); i++)
		sum += json_integer_value(json_object_get(part, done[i]));
	notifies_folder_changed(
		notifies, unit, json_is_true(json_object_get(body, "needs_person")));
	notifies_folder_waits(
		notifies, unit, json_integer_value(json_object_get(part, "pending")), sum);
}

static void tell(struct timer *timer) {
	struct news *news = container_of(timer, struct news, timer);
	struct map_item *item = NULL;
	struct map changed = news->changed;
	map_init(&news->changed);
	while ((item = map_next(&changed, item))) {
		struct unit *unit = unit_find(news->house->graph, map_key(item));
		if (!unit) continue;
		json_t *body = status_unit(news->house, unit, 0);
		control_event(news->house->control, "unit", body);
		if (unit->kind == UNIT_FOLDER) history_folder(news->house, unit);
		if (unit->kind == UNIT_FOLDER) tell_of_folder(news->house->notifies, unit, body);
		json_decref(body);
	}
	map_release(&changed);
}

/* Not inside the report: an order may restart the very unit that is reporting. */
static void look_at_orders(struct defer *defer) {
	orders_step(container_of(defer, struct news, look)->house);
}

void news_unit(struct news *news, struct unit *unit) {
	map_put(&news->changed, unit->id, news);
	if (!timer_running(&news->timer)) timer_start(&news->timer, GATHER_MS);
}

static void unit_changed(void *user, struct unit *unit) {
	struct news *news = user;
	news_unit(news, unit);
	notifies_unit_changed(news->house->notifies, unit);
	defer_start(news->house->loop, &news->look);
}

static void folder_changed(void *user, struct folder *folder) {
	struct news *news = user;
	unit_changed(news, folder_unit(folder));
	progress_wake(news->house->progress);
}

struct news *news_new(struct house *house) {
	struct news *news = xcalloc(1, sizeof(*news));
	news->house = house;
	map_init(&news->changed);
	timer_init(&news->timer, house->loop, tell);
	defer_init(&news->look, look_at_orders);
	unit_graph_observe(house->graph, unit_changed, news);
	sync_observe(house->sync, folder_changed, news);
	return news;
}

void news_free(struct news *news) {
	if (!news) return;
	unit_graph_observe(news->house->graph, NULL, NULL);
	sync_observe(news->house->sync, NULL, NULL);
	timer_cancel(&news->timer);
	defer_cancel(&news->look);
	map_release(&news->changed);
	free(news->machine);
	free(news);
}

/* All of the status but units, which are told one by one. */
void news_machine(struct news *news) {
	json_t *body = status_whole(news->house);
	json_object_del(body, "units");
	char *text = json_dumps(body, JSON_COMPACT);
	if (!text) abort(); /* out of memory, as in base */
	if (!str_equal(text, news->machine)) control_event(news->house->control, "machine", body);
	free(news->machine);
	news->machine = text;
	json_decref(body);
}

void news_gone(struct news *news, const char *id) {
	json_t *body = json_pack("{s:s}", "unit", id);
	control_event(news->house->control, "gone", body);
	json_decref(body);
	defer_start(news->house->loop, &news->look);
}
