/* Circles of units that wait for each other: found on names alone, so that a configuration is
 * judged before units exist. */
#include <stdlib.h>

#include "unit/internal.h"

struct node {
	const char *name;
	size_t first_edge; /* index + 1 into edges; 0: none */
	size_t last_edge;
	size_t from; /* the node by which we came here */
	enum { UNSEEN, ON_PATH, FINISHED } mark;
};

struct search {
	const char *const (*edges)[2];
	size_t *target;    /* of each edge */
	size_t *next_edge; /* of each edge: the next one of the same node, index + 1 */
	struct node *nodes;
	size_t node_count;
	struct map index; /* name -> nodes + i */
};

static struct node *node_of(struct search *search, const char *name) {
	struct node *node = map_get(&search->index, name);
	if (node) return node;
	node = &search->nodes[search->node_count++];
	node->name = name;
	map_put(&search->index, name, node);
	return node;
}

static void search_init(struct search *search, const char *const (*edges)[2], size_t count) {
	*search = (struct search){ .edges = edges };
	search->target = xcalloc(count + 1, sizeof(*search->target));
	search->next_edge = xcalloc(count + 1, sizeof(*search->next_edge));
	search->nodes = xcalloc(2 * count + 1, sizeof(*search->nodes));
	map_init(&search->index);
	for (size_t i = 0; i < count; i++) {
		struct node *from = node_of(search, edges[i][0]);
		search->target[i] = (size_t)(node_of(search, edges[i][1]) - search->nodes);
		if (from->last_edge) {
			search->next_edge[from->last_edge - 1] = i + 1;
		} else {
			from->first_edge = i + 1;
		}
		from->last_edge = i + 1;
	}
}

static void search_release(struct search *search) {
	map_release(&search->index);
	free(search->nodes);
	free(search->next_edge);
	free(search->target);
}

/* `last` waits for `first`, and the way from `first` to `last` stands in `from`, backwards. */
static int circle_found(struct search *search, size_t first, size_t last, struct err *err) {
	size_t *way = xcalloc(search->node_count, sizeof(*way));
	size_t length = 0;
	struct buf text;
	way[length++] = last;
	while (way[length - 1] != first) {
		way[length] = search->nodes[way[length - 1]].from;
		length++;
	}
	buf_init(&text, sizeof(err->text));
	while (length > 0 && !text.full) {
		buf_addf(&text, "%s after ", search->nodes[way[--length]].name);
	}
	buf_adds(&text, search->nodes[first].name);
	err_set(err, ERR_INVALID, "'%s' waits for itself: %s%s", search->nodes[first].name, text.at,
		text.full ? "..." : "");
	buf_release(&text);
	free(way);
	return -1;
}

/* Depth first, without recursion: the chain may be as long as the configuration. */
static int walk_from(struct search *search, size_t start, struct err *err) {
	struct node *nodes = search->nodes;
	size_t at = start;
	nodes[at].mark = ON_PATH;
	for (;;) {
		size_t edge = nodes[at].first_edge;
		if (edge) {
			nodes[at].first_edge = search->next_edge[edge - 1]; /* consumed */
			size_t to = search->target[edge - 1];
			if (nodes[to].mark == ON_PATH) return circle_found(search, to, at, err);
			if (nodes[to].mark == FINISHED) continue;
			nodes[to].mark = ON_PATH;
			nodes[to].from = at;
			at = to;
		} else {
			nodes[at].mark = FINISHED;
			if (at == start) return 0;
			at = nodes[at].from;
		}
	}
}

int unit_check_names(const char *const (*edges)[2], size_t count, struct err *err) {
	struct search search;
	search_init(&search, edges, count);
	int result = 0;
	for (size_t i = 0; i < search.node_count && result == 0; i++) {
		if (search.nodes[i].mark == UNSEEN) result = walk_from(&search, i, err);
	}
	search_release(&search);
	return result;
}

int unit_check_cycles(const struct unit_graph *graph, struct err *err) {
	size_t count = 0;
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		list_each(&unit->needs, link) count++;
	}
	const char *(*edges)[2] = xcalloc(count + 1, sizeof(*edges));
	size_t at = 0;
	for (struct unit *unit = unit_next(graph, NULL); unit; unit = unit_next(graph, unit)) {
		list_each(&unit->needs, link) {
			edges[at][0] = unit->id;
			edges[at++][1] = list_entry(link, struct unit_edge, needs_link)->to->id;
		}
	}
	int result = unit_check_names((const char *const(*)[2])edges, count, err);
	free(edges);
	return result;
}

/* Those farthest away first: the order in which they would be stopped. */
static void collect_dependents(const struct unit *unit, struct map *seen, char ***out) {
	list_each(&unit->needed, link) {
		struct unit_edge *edge = list_entry(link, struct unit_edge, needed_link);
		struct unit *from = edge->from;
		if (!edge->requires || map_get(seen, from->id)) continue;
		map_put(seen, from->id, from);
		collect_dependents(from, seen, out);
		if (from->state != UNIT_DOWN && from->state != UNIT_WAITING)
			strv_add(out, from->id);
	}
}

char **unit_dependents(const struct unit *unit) {
	struct map seen;
	char **out = NULL;
	map_init(&seen);
	collect_dependents(unit, &seen, &out);
	map_release(&seen);
	return out;
}
