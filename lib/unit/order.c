/* The order of a start, for people: which units can begin together. */
#include <stdlib.h>

#include "unit/internal.h"

/* Each edge once, without recursion: a unit has its wave when all that it waits for have theirs. */
static void waves_find(struct unit_place *places, size_t count, const struct map *index) {
	struct unit_place **queue = xcalloc(count + 1, sizeof(*queue));
	size_t *left = xcalloc(count + 1, sizeof(*left)), first = 0, last = 0;
	for (size_t i = 0; i < count; i++) {
		list_each(&places[i].unit->needs, link) left[i]++;
		if (!left[i]) queue[last++] = &places[i];
	}
	while (first < last) {
		const struct unit_place *place = queue[first++];
		list_each(&place->unit->needed, link) {
			const struct unit_edge *edge =
				list_entry(link, struct unit_edge, needed_link);
			struct unit_place *from = map_get(index, edge->from->id);
			if (from->wave <= place->wave) from->wave = place->wave + 1;
			if (--left[from - places] == 0) queue[last++] = from;
		}
	}
	free(left);
	free(queue);
}

static int compare_places(const void *left, const void *right) {
	const struct unit_place *a = left, *b = right;
	if (a->wave != b->wave) return a->wave < b->wave ? -1 : 1;
	if (a->unit->kind != b->unit->kind) return a->unit->kind < b->unit->kind ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

struct unit_place *unit_graph_order(const struct unit_graph *graph, size_t *count) {
	struct unit *unit = NULL;
	struct map index;
	*count = 0;
	while ((unit = unit_next(graph, unit))) ++*count;
	struct unit_place *places = xcalloc(*count + 1, sizeof(*places));
	map_init(&index);
	for (size_t i = 0; (unit = unit_next(graph, unit)); i++) {
		places[i] = (struct unit_place){ .unit = unit, .wave = 1, .number = i };
		map_put(&index, unit->id, &places[i]);
	}
	waves_find(places, *count, &index);
	map_release(&index);
	if (*count) qsort(places, *count, sizeof(*places), compare_places);
	return places;
}

char **unit_needs(const struct unit *unit, bool requires) {
	char **ids = NULL;
	list_each(&unit->needs, link) {
		const struct unit_edge *edge = list_entry(link, struct unit_edge, needs_link);
		if (edge->requires == requires) strv_add(&ids, edge->to->id);
	}
	return ids;
}
