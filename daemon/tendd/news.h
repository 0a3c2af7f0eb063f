/* What changed, to everybody who listens: the event stream, and requests that wait for a unit. */
#ifndef TENDD_NEWS_H
#define TENDD_NEWS_H

#include "tendd/house.h"

struct news;

/* Observes graph and sync from here on. */
struct news *news_new(struct house *house);
void news_free(struct news *news); /* NULL is fine */

/* Something of it that is no state changed, a number say: an event follows. */
void news_unit(struct news *news, struct unit *unit);

/* A unit left the configuration. */
void news_gone(struct news *news, const char *id);

/* Looks whether anything but units stands otherwise than it was last told, and tells it. */
void news_machine(struct news *news);

#endif
