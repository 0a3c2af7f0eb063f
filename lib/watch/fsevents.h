/*
 * Inside watch, on macOS: what FSEvents' flags say, and what is used of its framework, declared by
 * hand: it stands in CoreServices (FSEvents.h) and CoreFoundation (CFString.h, CFArray.h, CFBase.h)
 * of Apple's SDK, which a compiler on another system does not have. Structs there are opaque, so
 * that only names of functions, sizes and numbers count.
 */
#ifndef WATCH_FSEVENTS_H
#define WATCH_FSEVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FSEvents.h, FSEventStreamEventFlags */
enum {
	FSEVENTS_MUST_SCAN = 0x1,
	FSEVENTS_USER_DROPPED = 0x2,
	FSEVENTS_KERNEL_DROPPED = 0x4,
	FSEVENTS_IDS_WRAPPED = 0x8,
	FSEVENTS_HISTORY_DONE = 0x10,
	FSEVENTS_ROOT_CHANGED = 0x20,
	FSEVENTS_MOUNT = 0x40,
	FSEVENTS_UNMOUNT = 0x80,
	FSEVENTS_CREATED = 0x100,
	FSEVENTS_REMOVED = 0x200,
	FSEVENTS_RENAMED = 0x800,
	FSEVENTS_IS_FOLDER = 0x20000,
	FSEVENTS_CLONED = 0x400000,
};

/* What is to be reported, in this order: a set. */
enum {
	FSEVENTS_SAYS_GONE = 1, /* a folder */
	FSEVENTS_SAYS_NEW = 2,  /* a folder */
	FSEVENTS_SAYS_CHANGED = 4,
	FSEVENTS_SAYS_OVERFLOW = 8,
	FSEVENTS_SAYS_ROOT_GONE = 16,
};

/* Pure (fsevents_say.c: its test runs on every system). `root`: the path is
 * the root's own. */
unsigned fsevents_say(uint32_t flags, bool root);
/* The part of `path` below `root`, "" of the root itself; NULL when it is not there. macOS folds
 * case, and tells the root as it was asked for or as it is spelled on the disk. */
const char *fsevents_below(const char *root, const char *path);

struct __FSEventStream;
struct __CFString;
struct __CFArray;

/* FSEvents.h; its CFIndex is a long, its CFTimeInterval a double. */
struct fsevents_context {
	long version; /* 0 */
	void *info;
	const void *(*retain)(const void *info);
	void (*release)(const void *info);
	const struct __CFString *(*copy_description)(const void *info);
};
typedef void fsevents_callback(const struct __FSEventStream *stream, void *info, size_t count,
	void *paths, const uint32_t *flags, const uint64_t *ids);

enum { FSEVENTS_NO_DEFER = 0x2, FSEVENTS_WATCH_ROOT = 0x4, FSEVENTS_FILE_EVENTS = 0x10 };
#define FSEVENTS_SINCE_NOW UINT64_MAX

struct __FSEventStream *FSEventStreamCreate(const void *allocator, fsevents_callback *callback,
	struct fsevents_context *context, const struct __CFArray *paths, uint64_t since,
	double latency_s, uint32_t flags);
struct dispatch_queue_s;
void FSEventStreamSetDispatchQueue(struct __FSEventStream *stream, struct dispatch_queue_s *queue);
unsigned char FSEventStreamStart(struct __FSEventStream *stream);
void FSEventStreamFlushSync(struct __FSEventStream *stream);
void FSEventStreamStop(struct __FSEventStream *stream);
void FSEventStreamInvalidate(struct __FSEventStream *stream);
void FSEventStreamRelease(struct __FSEventStream *stream);

/* CFString.h, CFArray.h, CFBase.h */
extern const struct fsevents_array_calls kCFTypeArrayCallBacks;
const struct __CFString *CFStringCreateWithFileSystemRepresentation(
	const void *allocator, const char *path);
const struct __CFArray *CFArrayCreate(const void *allocator, const void **values, long count,
	const struct fsevents_array_calls *calls);
void CFRelease(const void *object);

#endif
