/* Intrusive, circular, doubly linked list. A list head and a link are the same struct. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head) {
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head) {
	return head->next == head;
}

static inline void list_add_tail(struct list *head, struct list *link) {
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Harmless on a link that was initialised and is in no list. */
static inline void list_remove(struct list *link) {
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->prev = link->next = link;
}

/* Moves all links of `from` to the end of `to`; `from` is empty after. */
static inline void list_take_all(struct list *to, struct list *from) {
	if (list_empty(from)) return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* `link` may be removed inside. */
#define list_each(head, link)                                                             \
	for (struct list *link = (head)->next, *link##_next = link->next; link != (head); \
		link = link##_next, link##_next = link->next)

#endif
