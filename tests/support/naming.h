/*
 * A store that tells an id before it makes something, as one does where the id is the identity, over one that has
 * none; and a judge of whoever is told: nothing goes on before that is committed, and what was on its way when a
 * life ended is told to the next.
 */
#ifndef SUPPORT_NAMING_H
#define SUPPORT_NAMING_H

#include "support/ground.h"

/* Takes `inner`. Until ground->names is set it passes all on. */
struct store *naming_new(struct ground *ground, struct store *inner);
/* The engine was opened: is all told again that a life before had on its way? Then there is none. */
void naming_opened(struct store *naming);

#endif
