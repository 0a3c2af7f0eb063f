/* How large the parts are that other programs send, as a pure function: table tests call it directly. */
#ifndef SYNC_PARTS_H
#define SYNC_PARTS_H

#include <stddef.h>
#include <stdint.h>

#define PARTS_NO_HABIT SIZE_MAX
/* The first habit, from number `from` on, that makes `parts` parts of `size` bytes. */
size_t parts_habit(int64_t size, int parts, size_t from);
int64_t parts_habit_bytes(size_t habit);

#endif
