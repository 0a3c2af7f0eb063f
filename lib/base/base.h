/*
 * base: words that every room uses: errors, memory, buffers, strings, lists, maps, paths, times,
 * log.
 *
 * No I/O but log lines. Everything here may be used from any thread unless it says otherwise.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/finding.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "base/time.h"

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that contains `member` at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
