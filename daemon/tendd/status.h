/* How everything stands, as JSON with stable names (sizes `_bytes`, moments RFC 3339 UTC). The
 * caller's to free. */
#ifndef TENDD_STATUS_H
#define TENDD_STATUS_H

#include "answers/answers.h"
#include "tendd/house.h"

json_t *status_whole(struct house *house);
json_t *status_units(struct house *house);

/* `troubles`: at most so many paths of a folder that did not go through; 0: none are listed. */
json_t *status_unit(struct house *house, struct unit *unit, size_t troubles);

/* USR2: status.json in state_dir, and a line for each unit in the log. */
void status_write(struct house *house);

#endif
