/* Memory that is there or the program ends, and small work on strings. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* These abort when memory is out (one line to stderr). Every size from outside is bounded before it
 * gets here. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *at, size_t size);
void *xmemdup(const void *bytes, size_t len);
char *xstrdup(const char *text); /* NULL gives NULL */
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args);
char *xconcat(const char *left, const char *right); /* both, one behind the other */
/* All of them. For what is said of every request: printf takes ten times the instructions. */
char *xjoin(const char *const parts[], size_t count);

bool str_equal(const char *left, const char *right); /* NULL equals NULL only */
bool str_starts(const char *text, const char *prefix);
/* What follows a counted noun: "" behind one, else "s". */
const char *str_plural(long long count);
bool str_ends(const char *text, const char *suffix);
void str_trim(char *text); /* white space at both ends, in place */

/* Decimal, all of it, within [min, max]: 0 or -1. */
int str_to_int(const char *text, int64_t min, int64_t max, int64_t *value);

/* Writes `value` in decimals at `to`, which has room for 20 bytes, and returns the end; no NUL. For
 * what is said of every file: printf takes six times the instructions. */
char *str_put_int(char *to, int64_t value);

/* Of NULL-ended `names`, the one nearest to `word` by edit distance, if it is near enough to
 * suggest; else NULL. */
const char *str_nearest(const char *word, const char *const *names);

/* NULL-ended vectors of strings. */
void strv_add(char ***vector, const char *text);
void strv_add_owned(char ***vector, char *text);            /* takes `text` */
size_t strv_count(char *const *vector);                     /* NULL counts 0 */
char **strv_dup(char *const *vector);                       /* NULL gives NULL */
bool strv_has(const char *const *vector, const char *text); /* NULL has nothing */
bool strv_equal(char *const *left, char *const *right);
void strv_free(char **vector);

/* Every byte but A-Z a-z 0-9 - _ . ~ and those in `keep` becomes %XX (upper case). The caller's. */
char *str_percent_encode(const char *text, const char *keep);

/* Undoes %XX in place, returns the new length (a decoded NUL is possible), -1 on a bad escape. */
long str_percent_decode(char *text);

/* Bytes that are not UTF-8, and control characters, become \xNN: for a terminal or a log. The
 * caller's. */
char *str_printable(const char *text);
bool str_is_utf8(const char *text, size_t len);

#endif
