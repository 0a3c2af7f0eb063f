/*
 * config: ini text to typed structs, by tables. A key is a row; parsing, errors with file:line,
 * defaults, `--help-config` and what a reload does all follow from the row.
 *
 * Loop thread, but for the users; blocking (reads files): at start, reload and in commands only. Durations are
 * milliseconds, sizes bytes.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

enum config_type {
	/* C type of the field behind `offset` */
	CONFIG_TEXT,    /* char *, NULL when not set; may be several lines */
	CONFIG_PATH,    /* char *, ~ and ${VAR} expanded by config_expand(), absolute or an error */
	CONFIG_BOOL,    /* bool: yes, no */
	CONFIG_INT,     /* int64_t within [min, max] */
	CONFIG_PERCENT, /* int64_t, "10%" is 10 */
	CONFIG_SIZE,    /* int64_t bytes; "none" is 0 */
	CONFIG_DURATION, /* int64_t ms; "none" and "never" are 0 */
	CONFIG_ENUM,     /* int: index into `names` */
	CONFIG_WORDS,    /* char **, NULL-ended: words, or one item a line */
	CONFIG_LINES,    /* char **, NULL-ended: one item a line, inner spaces kept */
	CONFIG_OCTAL,    /* int64_t: "022" */
	/* char *: a path, or "credential:NAME" (systemd's); the file must be closed to group and
	 * others */
	CONFIG_SECRET,
};

/* What a reload does when only this key differs (SERVICES.md §3). */
enum config_reload { RELOAD_LIVE, RELOAD_RESTART, RELOAD_REBUILD };

enum {
	CONFIG_REQUIRED = 1,
};

struct config_key {
	const char *name;
	enum config_type type;
	size_t offset;
	const char *preset;       /* the default, as one would write it; NULL: none */
	const char *at_least;     /* CONFIG_DURATION: the default alone is no less than this key */
	const char *const *names; /* CONFIG_ENUM: NULL-ended words */
	int64_t min, max;         /* CONFIG_INT, SIZE, DURATION: bounds where max > 0 */
	unsigned flags;
	enum config_reload reload;
	const char *only; /* valid only when the section's `type` key is this word; NULL: always */
	const char *help; /* one line for --help-config */
};

/* A section a room understands. `size`: of the struct that one section fills. */
struct config_table {
	const char *kind; /* "folder" of [folder NAME] */
	bool named;       /* false: [tend] */
	size_t size;
	const struct config_key *keys;
	size_t key_count;
	/* Checks one section beyond its single keys; may be NULL. Errors without file:line: it
	 * is put before. `key` may be set to the key whose line is to blame. */
	int (*check)(const void *settings, const char *name, const char **key, struct err *err);
	const char *help;
};

struct config_section {
	struct list link;
	const struct config_table *table;
	char *name; /* "" for [tend] */
	char *file;
	/* Of its head. 0: no file has it; [tend] and the like are there all the same, with their
	 * defaults. */
	int line;
	/* "file:line: text" of the first thing that is wrong with it, where it was read leniently all the same; NULL: nothing is. */
	char *trouble;
	void *settings;              /* the table's struct, all keys filled */
	struct config_value *values; /* private: raw text and line of every key that was set */
	size_t value_count;
};

struct config {
	struct list sections; /* of struct config_section, in file order */
	char *path;
	char **files; /* all that were read */
};

/* Everything that was wrong; the first is in `err`, all of them here, each "file:line: text".
 * Begin with zeroes. */
struct config_errors {
	char **lines;
};

struct config_options {
	const struct config_table *const *tables; /* NULL-ended */
	/* as root: files and their folders must be root's and not writable by others */
	bool strict_owner;
	/* What no table names and what is wrong is passed over, so that a command finds the
	 * daemon whose file was broken after its start. Only a file that cannot be read is an
	 * error. */
	bool lenient;
	const char *home; /* what ~ means: the daemon's home */
};

/* Reads `path` and what `include` of [tend] names (that key is config's own). NULL with `err`
 * and `errors`. The caller's. */
struct config *config_read(const char *path, const struct config_options *options,
	struct config_errors *errors, struct err *err);
void config_free(struct config *config);
void config_errors_release(struct config_errors *errors);

struct config_section *config_find(const struct config *config, const char *kind, const char *name);

/* Next section of `kind` after `section` (NULL: the first); NULL at the end. */
struct config_section *config_next(
	const struct config *config, const char *kind, const struct config_section *section);

bool config_is_set(const struct config_section *section, const char *key);
/* The line of `key`, or of the section's head when it is not set. */
int config_line(const struct config_section *section, const char *key);
/* "file:line" for messages about a whole configuration (references, cycles): err_set with that
 * before. Returns -1. */
int config_error(struct config_errors *errors, struct err *err,
	const struct config_section *section, const char *key, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Two versions of a section of one table. 0: equal (order of keys and sections does not count);
 * else the strongest effect: 1 live, 2 restart, 3 rebuild. `changed` (may be NULL) gets the
 * names of the keys that differ; the caller's. */
int config_compare(const struct config_section *old_one, const struct config_section *new_one,
	char ***changed);

/* ---- settings that outlive their configuration, of a table whose rows all hold (no `only`) and have a field each ---- */

/* `to` is the caller's memory, and what it holds then the caller's to release. */
void config_settings_copy(const struct config_table *table, void *to, const void *from);
void config_settings_release(const struct config_table *table, void *settings);
/* As config_compare. */
int config_settings_compare(const struct config_table *table, const void *left, const void *right);

/* ---- environments: vectors of "NAME=value" ---- */

/* Could a shell have set it? Other names are typing errors, and some programs trip over them. */
bool config_env_valid(const char *item);
/* The last one said wins, in the place of the first. Takes `item`. */
void config_env_put(char ***env, char *item);
void config_env_set(char ***env, const char *name, const char *value);

/* ~, ~user and ${VAR} (${HOSTNAME} too); `home` is what ~ alone means. NULL with err. The
 * caller's. */
char *config_expand(const char *text, const char *home, struct err *err);

/* Splits a command line as sh would (quotes and backslashes, no expansion). NULL with err. The
 * caller's vector. */
char **config_split_command(const char *text, struct err *err);

/* The file that systemd hands over under `name`, for `key` in messages; any thread. NULL with err. The caller's. */
char *config_credential_path(const char *key, const char *name, struct err *err);

/* ---- the users that keys name. Any thread; the system's database may ask a network ---- */

struct config_user {
	char *name, *home, *shell; /* never NULL */
	uid_t uid;
	gid_t gid;
};
/* NULL: ourselves, who need not stand in that database. ERR_NOT_FOUND. */
int config_user_find(const char *name, struct config_user *user, struct err *err);
void config_user_release(struct config_user *user);
/* config_expand() for workers, and for a unit's user, whose `home` "~" is. NULL with err. The caller's. */
char *config_user_expand(const char *text, const char *home, struct err *err);
/* All groups that the user is in, `gid` among them. The caller's. */
gid_t *config_user_groups(const char *name, gid_t gid, size_t *count);
/* May this process act as that user? Root as everybody who exists, others as themselves. */
int config_user_check(const char *name, struct err *err);

/* ---- for `tend doctor` ---- */

extern const struct doctor_check config_doctor[];
/* Files and secrets of a configuration, also of one that was read leniently. */
void config_doctor_ground(
	const struct config *config, const char *home, struct doctor_ground *ground);

/* Prints all keys of `tables` as text, one a line with default, effect and help. */
void config_print_help(const struct config_table *const *tables, struct buf *out);

#endif
