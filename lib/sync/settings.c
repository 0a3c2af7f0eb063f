/* The keys of [folder NAME]. A key of the contract that this version does not build says so. */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

static const char *const modes[] = { "backup", "mirror", "two-way", "fetch", NULL };
static const char *const restores[] = { "never", "if-empty", NULL };
static const char *const symlinks[] = { "keep", "skip", NULL };
static const char *const databases[] = { "snapshot", "skip", "copy", NULL };

#define FIELD(member) offsetof(struct folder_settings, member)

static const struct config_key keys[] = {
	{ .name = "enabled",
		.type = CONFIG_BOOL,
		.offset = FIELD(enabled),
		.preset = "yes",
		.reload = RELOAD_REBUILD,
		.help = "no: known, not synced" },
	{ .name = "path",
		.type = CONFIG_PATH,
		.offset = FIELD(path),
		.flags = CONFIG_REQUIRED,
		.reload = RELOAD_REBUILD,
		.help = "local folder" },
	{ .name = "remote",
		.type = CONFIG_TEXT,
		.offset = FIELD(remote),
		.flags = CONFIG_REQUIRED,
		.reload = RELOAD_REBUILD,
		.help = "NAME:path/in/it" },
	{ .name = "mode",
		.type = CONFIG_ENUM,
		.offset = FIELD(mode),
		.preset = "backup",
		.names = modes,
		.reload = RELOAD_REBUILD,
		.help = "backup: local to remote, old versions kept; mirror: the same without "
			"versions; two-way: both sides alike; fetch: remote to local" },
	{ .name = "include",
		.type = CONFIG_LINES,
		.offset = FIELD(include),
		.help = "what to sync, gitignore syntax, one a line; all when not set" },
	{ .name = "exclude",
		.type = CONFIG_LINES,
		.offset = FIELD(exclude),
		.help = "what not to sync, gitignore syntax, one a line; wins over include" },
	{ .name = "settle",
		.type = CONFIG_DURATION,
		.offset = FIELD(settle_ms),
		.preset = "1s",
		.help = "quiet time before a change is sent" },
	{ .name = "max_settle",
		.type = CONFIG_DURATION,
		.offset = FIELD(max_settle_ms),
		.preset = "30s",
		.at_least = "settle",
		.help = "a path that never goes quiet is captured this often; a settle that is "
			"longer raises the default" },
	{ .name = "rescan",
		.type = CONFIG_DURATION,
		.offset = FIELD(rescan_ms),
		.preset = "6h",
		.help = "safety scan of the local tree; none: never" },
	{ .name = "keep",
		.type = CONFIG_DURATION,
		.offset = FIELD(keep_ms),
		.preset = "30d",
		.min = 3600000,
		.max = INT64_C(36500) * 86400000,
		.help = "how long replaced and deleted files stay (mode backup): all of the last "
			"hour, "
			"one an hour for a day, one a day after" },
	{ .name = "max_transfers",
		.type = CONFIG_INT,
		.offset = FIELD(max_transfers),
		.preset = "32",
		.min = 1,
		.max = 1024,
		.help = "operations in flight for this folder" },
	{ .name = "after",
		.type = CONFIG_WORDS,
		.offset = FIELD(after),
		.help = "units that come first: folder:NAME service:NAME network" },
	{ .name = "requires",
		.type = CONFIG_WORDS,
		.offset = FIELD(requires),
		.help = "units that must be ready, however long it takes" },
	{ .name = "restore",
		.type = CONFIG_ENUM,
		.offset = FIELD(restore),
		.preset = "if-empty",
		.names = restores,
		.help = "if-empty: a folder that is missing or empty, and agreed on nothing yet, "
			"is "
			"brought back from the remote before anything is sent; never: it waits" },
	{ .name = "pace",
		.type = CONFIG_PERCENT,
		.offset = FIELD(pace_percent),
		.preset = "10%",
		.min = 1,
		.max = 100,
		.help = "share of the time that a file which keeps changing may be sent" },
	{ .name = "poll",
		.type = CONFIG_DURATION,
		.offset = FIELD(poll_ms),
		.preset = "60s",
		.help = "modes two-way and fetch: how often the remote is asked for changes; none: "
			"only when 'tend sync' or 'tend wait' asks" },
	{ .name = "verify",
		.type = CONFIG_DURATION,
		.offset = FIELD(verify_ms),
		.preset = "7d",
		.help = "how often the remote is compared with what was stored there; none: "
			"never" },
	{ .name = "verify_read",
		.type = CONFIG_PERCENT,
		.offset = FIELD(verify_read),
		.preset = "0%",
		.help = "so many files are read back and hashed in that" },
	{ .name = "max_delete",
		.type = CONFIG_TEXT,
		.offset = FIELD(max_delete),
		.help = "more deletions in an hour stop the folder until tend approve: a share (at "
			"least 100 files), a count, both or none; 50%, in mirror and two-way also "
			"1000" },
	{ .name = "sqlite",
		.type = CONFIG_ENUM,
		.offset = FIELD(sqlite),
		.preset = "snapshot",
		.names = databases,
		.help = "SQLite databases: snapshot: a consistent image; skip: not sent; copy: as "
			"they "
			"lie there" },
	{ .name = "symlinks",
		.type = CONFIG_ENUM,
		.offset = FIELD(symlinks),
		.preset = "keep",
		.names = symlinks,
		.help = "symbolic links: keep: as links, which are never followed; skip: left out "
			"on both "
			"sides" },
	{ .name = "user",
		.type = CONFIG_TEXT,
		.offset = FIELD(user),
		.reload = RELOAD_REBUILD,
		.help = "whose rights file access has; the daemon's when not set" },
};

/* Two words with a wildcard each: someone who wrote two patterns, of which neither would ever match. */
static int patterns_check(char *const *lines, struct err *err) {
	for (; lines && *lines; lines++) {
		int words = 0;
		bool wild = false; /* this word has one */
		for (const char *at = *lines; *at; at++) {
			if (*at == '\\' && at[1]) {
				at++;
				continue;
			}
			if (*at == ' ' || *at == '\t') wild = false;
			if (*at != '*' || wild) continue;
			wild = true;
			words++;
		}
		if (words > 1)
			return err_set(err, ERR_INVALID,
				"'%s' is one pattern with a space in it: write one pattern a line, "
				"or "
				"'\\ ' for a space that is meant",
				*lines);
	}
	return 0;
}

static int folder_check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct folder_settings *folder = settings;
	char *remote = NULL, *path = NULL;
	*key = "user";
	if (folder->user && user_check(folder->user, err)) return -1;
	*key = "remote";
	if (folder_remote_split(folder->remote, &remote, &path, err)) return -1;
	struct brake_rule rule;
	free(remote);
	free(path);
	*key = "include";
	if (patterns_check(folder->include, err)) return -1;
	*key = "exclude";
	if (patterns_check(folder->exclude, err)) return -1;
	*key = "max_delete";
	if (brake_rule_parse(&rule, folder->max_delete, true, err)) return -1;
	if (folder->max_settle_ms < folder->settle_ms) {
		*key = "max_settle";
		return err_set(err, ERR_INVALID,
			"max_settle is shorter than settle: leave it out, or make it as long");
	}
	return 0;
}

const struct config_table sync_folder_table = {
	.kind = "folder",
	.named = true,
	.size = sizeof(struct folder_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = folder_check,
	.help = "a folder that is kept in the cloud",
};

int folder_remote_split(const char *remote, char **name, char **key, struct err *err) {
	const char *colon = strchr(remote, ':');
	if (!colon || colon == remote)
		return err_set(err, ERR_INVALID,
			"'%s' names no remote: write NAME:path, where [remote NAME] stands in the "
			"file",
			remote);
	const char *path = colon + 1;
	while (*path == '/') path++;
	char *clean = path_clean(path);
	if (!*path || str_equal(clean, ".")) clean[0] = 0;
	if (*clean && !path_is_plain(clean)) {
		free(clean);
		return err_set(err, ERR_INVALID, "'%s' has '..' in its path", remote);
	}
	if (path_is_within(clean, ".tend")) {
		free(clean);
		return err_set(err, ERR_INVALID, "'%s': '.tend' at a remote is tend's own", remote);
	}
	*name = xstrndup(remote, (size_t)(colon - remote));
	*key = clean;
	return 0;
}
