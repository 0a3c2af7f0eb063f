/* tendd counts bytes; how fast they go is the difference of two looks. */
#include <stdlib.h>

#include "tend/command.h"

enum { LEAST_MS = 200 }; /* nearer looks say nothing */

struct look {
	int64_t bytes, wall_ns;
	int64_t per_second;
};

void rates_init(struct rates *rates) {
	map_init(&rates->last);
}

void rates_release(struct rates *rates) {
	for (struct map_item *item = NULL; (item = map_next(&rates->last, item));)
		free(map_value(item));
	map_release(&rates->last);
}

static void note(struct look *look, int64_t bytes, int64_t wall_ns) {
	int64_t ms = (wall_ns - look->wall_ns) / NS_PER_MS;

	if (look->wall_ns && ms < LEAST_MS) return;
	/* After a restart of tendd it counts from nothing. */
	look->per_second = look->wall_ns && bytes > look->bytes
				   ? (int64_t)((double)(bytes - look->bytes) * 1000 / (double)ms)
				   : 0;
	look->bytes = bytes;
	look->wall_ns = wall_ns;
}

void rates_note(struct rates *rates, json_t *status, int64_t wall_ns) {
	json_t *unit;
	size_t i;

	json_array_foreach(json_object_get(status, "units"), i, unit) {
		json_t *folder = json_object_get(unit, "folder");
		const char *id = json_text(unit, "unit");
		if (!json_is_object(folder)) continue;
		struct look *look = map_get(&rates->last, id);
		if (!look) {
			look = xcalloc(1, sizeof(*look));
			map_put(&rates->last, id, look);
		}
		note(look, json_number(folder, "sent_bytes") + json_number(folder, "brought_bytes"),
			wall_ns);
		json_object_set_new(
			folder, "bytes_per_second", json_integer((json_int_t)look->per_second));
	}
}
