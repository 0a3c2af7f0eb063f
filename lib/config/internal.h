/* What the files of `config` share: the reader's events, one value's text to its field, and who
 * may write a file. */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include "config/config.h"

enum {
	CONFIG_FILE_MAX = 4 << 20,   /* bytes of one file */
	CONFIG_VALUE_MAX = 64 << 10, /* bytes of one value */
	CONFIG_NAME_MAX = 128,       /* bytes of a unit's name */
	CONFIG_KEY_MAX = 64,         /* bytes of a key */
	CONFIG_ERRORS_MAX = 100,     /* then only counted: a wrong file must not fill the log */
};

/* A key as it stands in the file. */
struct config_value {
	char *name;
	char *text;
	int line;
	const struct config_key
		*key; /* the row, once the section's type is known; NULL before and when wrong */
};

/* ---- reader.c ---- */

struct config_events {
	/* `head` is what stands between the brackets. */
	void (*section)(void *user, const char *head, int line);
	/* `text` is whole: pieces joined, common indentation lost. */
	void (*value)(void *user, const char *key, const char *text, int line);
	void (*wrong)(void *user, int line, const char *text);
	void *user;
};

/* Reads the `len` bytes of an ini file. */
void config_read_text(const char *text, size_t len, const struct config_events *events);

/* ---- value.c ---- */

/* Fills the field at `field`, which holds nothing that must be freed. -1: nothing was put there. */
int config_value_parse(const struct config_key *key, const char *text, const char *home,
	void *field, struct err *err);
/* The field holds another's: from now on it holds its own. */
void config_value_copy(const struct config_key *key, void *field);
void config_value_release(const struct config_key *key, void *field);
bool config_value_equal(const struct config_key *key, const void *left, const void *right);

/* Does this row hold in a section of this type, and is it built? Else its field is not touched. */
bool config_key_applies(const struct config_key *key, const char *type);

/* ---- section.c ---- */

struct config_reading {
	const struct config_options *options;
	struct config_errors *errors;
	struct err *err;
	bool failed;
};

/* "file:line: text" into the errors of this reading. */
void config_wrong(struct config_reading *reading, const char *file, int line, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* Makes typed settings of the values as they were read; reports everything that is wrong with
 * them. */
void config_section_fill(struct config_reading *reading, struct config_section *section);
void config_section_free(struct config_section *section);

/* The text of its `type` key, or that key's default; NULL: its table has none. */
const char *config_section_type(const struct config_section *section);

/* NULL when the key was not set. */
struct config_value *config_value_find(const struct config_section *section, const char *key);

/* " (did you mean 'path'?)" or "" in `out`. */
void config_did_you_mean(const char *word, const char *const *names, char *out, size_t size);

/* ---- secret.c, owner.c ---- */

/* Resolves the text of a CONFIG_SECRET to a path. The caller's; NULL with err. */
char *config_secret_path(const char *key, const char *text, const char *home, struct err *err);

/* Root reads only what root alone may change: `fd` is the open file at `path`. */
int config_check_owner(const char *path, int fd, struct err *err);

#endif
