/* What differs between two configurations, section by section; a pure comparison. */
#ifndef TENDD_RELOAD_DIFF_H
#define TENDD_RELOAD_DIFF_H

#include "config/config.h"

enum effect {
	EFFECT_NONE,
	EFFECT_LIVE,
	EFFECT_RESTART,
	EFFECT_REBUILD,
	EFFECT_ADDED,
	EFFECT_REMOVED
};

/* What happens to the section `kind`, `name`. A folder is also rebuilt when the remote it uses
 * is. `keys` (may be NULL) gets the names that differ; the caller's. */
enum effect diff_section(const struct config *old_one, const struct config *new_one,
	const char *kind, const char *name, char ***keys);

/* All effects as lines for people, in the order of the file; the caller's, NULL: none. */
char **diff_lines(const struct config *old_one, const struct config *new_one);

#endif
