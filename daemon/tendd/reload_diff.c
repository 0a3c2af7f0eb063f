/* Which effect a key has stands in its table; here it is only added up, by section. */
#include "tendd/reload_diff.h"

#include <stdlib.h>

#include "sync/sync.h"

static const char *const kinds[] = { "tend", "remote", "folder", "step", "service", "idle",
	"preempt", "notify" };

/* The name of the remote a folder uses; the caller's. */
static char *remote_name(const struct config_section *folder) {
	const struct folder_settings *settings = folder->settings;
	char *name = NULL, *key = NULL;
	struct err err;
	if (folder_remote_split(settings->remote, &name, &key, &err)) return NULL;
	free(key);
	return name;
}

enum effect diff_section(const struct config *old_one, const struct config *new_one,
	const char *kind, const char *name, char ***keys) {
	struct config_section *before = config_find(old_one, kind, name);
	struct config_section *now = config_find(new_one, kind, name);
	if (keys) *keys = NULL;
	if (!before) return now ? EFFECT_ADDED : EFFECT_NONE;
	if (!now) return EFFECT_REMOVED;
	enum effect effect = (enum effect)config_compare(before, now, keys);
	/* A remote has one store that all its folders use: any change of it is another store. */
	if (str_equal(kind, "remote") && effect != EFFECT_NONE) effect = EFFECT_REBUILD;
	if (str_equal(kind, "folder") && effect != EFFECT_REBUILD) {
		char *remote = remote_name(now);
		if (remote &&
			diff_section(old_one, new_one, "remote", remote, NULL) == EFFECT_REBUILD) {
			effect = EFFECT_REBUILD;
			if (keys) strv_add_owned(keys, xasprintf("remote:%s", remote));
		}
		free(remote);
	}
	return effect;
}

static char *join(char *const *words) {
	char *whole = xstrdup("");
	for (size_t i = 0; words && words[i]; i++) {
		char *longer = xasprintf("%s%s%s", whole, i ? ", " : "", words[i]);
		free(whole);
		whole = longer;
	}
	return whole;
}

/* A section that went and one that came with the same settings: somebody gave it a new name. */
static const struct config_section *renamed_from(const struct config *old_one,
	const struct config *new_one, const struct config_section *added) {
	const struct config_section *before = NULL;
	while ((before = config_next(old_one, added->table->kind, before))) {
		if (config_find(new_one, before->table->kind, before->name)) continue;
		if (config_compare(before, added, NULL) == 0) return before;
	}
	return NULL;
}

/* One line a section: "service:jupyter restart (command)". */
static void describe(const struct config *old_one, const struct config *new_one,
	const struct config_section *section, char ***lines) {
	static const char *const words[] = { "", "live", "restart", "rebuild", "added", "removed" };
	const char *kind = section->table->kind;
	char **keys = NULL;
	enum effect effect = diff_section(old_one, new_one, kind, section->name, &keys);
	char *names = join(keys);
	const char *word = words[effect], *why = "";
	if (effect == EFFECT_ADDED) {
		const struct config_section *before = renamed_from(old_one, new_one, section);
		if (before) {
			free(names);
			names = xasprintf("was %s:%s: a new name is a removal and an addition",
				kind, before->name);
		}
	}
	if (str_equal(kind, "tend") && effect == EFFECT_REBUILD) {
		why = ": holds from the next start of tendd";
	} else if (str_equal(kind, "tend") && effect == EFFECT_RESTART) {
		why = ": all services restart";
	}
	if (effect != EFFECT_NONE) {
		strv_add_owned(lines, xasprintf("%s%s%s %s%s%s%s%s", kind,
					      *section->name ? ":" : "", section->name, word,
					      *names ? " (" : "", names, *names ? ")" : "", why));
	}
	free(names);
	strv_free(keys);
}

char **diff_lines(const struct config *old_one, const struct config *new_one) {
	char **lines = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct config_section *section = NULL;
		while ((section = config_next(old_one, kinds[i], section))) {
			if (!config_find(new_one, kinds[i], section->name)) {
				describe(old_one, new_one, section, &lines);
			}
		}
		while ((section = config_next(new_one, kinds[i], section))) {
			describe(old_one, new_one, section, &lines);
		}
	}
	return lines;
}
