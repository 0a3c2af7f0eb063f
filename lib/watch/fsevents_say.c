/* What a flag of FSEvents means for the tree: pure. Flags of one path gather until they are told, so
 * that nothing in them says in which order things happened, or what is there now. */
#include <string.h>
#include <strings.h>

#include "base/base.h"
#include "watch/fsevents.h"

unsigned fsevents_say(uint32_t flags, bool root) {
	if (flags & FSEVENTS_ROOT_CHANGED) return FSEVENTS_SAYS_ROOT_GONE;
	/* "/" is told then, which is of no tree in particular. */
	if (flags & (FSEVENTS_USER_DROPPED | FSEVENTS_KERNEL_DROPPED))
		return FSEVENTS_SAYS_OVERFLOW;
	if (flags & FSEVENTS_UNMOUNT) return FSEVENTS_SAYS_OVERFLOW;
	if (flags & (FSEVENTS_MUST_SCAN | FSEVENTS_MOUNT))
		return root ? FSEVENTS_SAYS_OVERFLOW : FSEVENTS_SAYS_NEW;
	/* Marks in the stream; numbers that wrap matter to who asks for what was long ago. */
	if ((flags & ~(uint32_t)(FSEVENTS_HISTORY_DONE | FSEVENTS_IDS_WRAPPED)) == 0 && flags)
		return 0;
	/* Its own end is told by ROOT_CHANGED. */
	if (root) return 0;
	if (!(flags & FSEVENTS_IS_FOLDER)) return FSEVENTS_SAYS_CHANGED;
	unsigned says = 0;
	/* A rename is told of either place, without a word of which. */
	if (flags & (FSEVENTS_REMOVED | FSEVENTS_RENAMED)) says |= FSEVENTS_SAYS_GONE;
	if (flags & (FSEVENTS_CREATED | FSEVENTS_RENAMED | FSEVENTS_CLONED))
		says |= FSEVENTS_SAYS_NEW;
	return says ? says : FSEVENTS_SAYS_CHANGED;
}

const char *fsevents_below(const char *root, const char *path) {
	static const char data[] = "/System/Volumes/Data"; /* where "/" keeps what is no system's */
	size_t length = str_equal(root, "/") ? 0 : strlen(root);

	if (strncasecmp(path, root, length) != 0 && strncmp(path, data, sizeof(data) - 1) == 0)
		path += sizeof(data) - 1;
	if (strncasecmp(path, root, length) != 0) return NULL;
	path += length;
	if (*path != '/' && *path) return NULL;
	while (*path == '/') path++;
	return path;
}
