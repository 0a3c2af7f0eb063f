#include <stdlib.h>
#include <string.h>

#include "store/s3.h"

/* S3 knows no folders: a folder is an object "name/" without bytes; a link is an object as rclone
 * writes it. */
char *s3_object(const struct s3 *s3, const char *key, enum store_kind kind) {
	const char *suffix = kind == STORE_LINK     ? STORE_LINK_SUFFIX
			     : kind == STORE_FOLDER ? "/"
						    : "";

	return xjoin((const char *const[]){ s3->prefix, key, *key ? suffix : "" }, 3);
}

/* What XML 1.0 cannot carry, not even escaped: a listing that held it could not be read. */
static bool has_control(const char *key) {
	for (const unsigned char *at = (const unsigned char *)key; *at; at++) {
		if (*at < ' ' && *at != '\t' && *at != '\n' && *at != '\r') return true;
		if (at[0] == 0xef && at[1] == 0xbf && (at[2] == 0xbe || at[2] == 0xbf)) return true;
	}
	return false;
}

int s3_refuse(struct store *store, const char *key, enum store_kind kind, struct err *err) {
	struct s3 *s3 = container_of(store, struct s3, store);
	char *object = s3_object(s3, key, kind);
	size_t len = strlen(object);
	int result = 0;

	if (len > S3_KEY_MAX) {
		result = err_set(err, ERR_INVALID, "path of %zu bytes: longer than the %d of S3",
			len, S3_KEY_MAX);
	} else if (!str_is_utf8(key, strlen(key))) {
		result = err_set(err, ERR_INVALID, "name is not UTF-8, as S3 wants it");
	} else if (has_control(key)) {
		result = err_set(
			err, ERR_INVALID, "name with a control character that S3 cannot list");
	} else if (kind == STORE_FILE && str_ends(key, STORE_LINK_SUFFIX)) {
		result = err_set(err, ERR_INVALID,
			"name ends in '" STORE_LINK_SUFFIX "', which stands for a symbolic link");
	}
	free(object);
	return result;
}

void s3_query(struct buf *query, const char *name, const char *value) {
	char *encoded = str_percent_encode(value, "");

	if (query->len) buf_addc(query, '&');
	buf_addf(query, "%s=%s", name, encoded);
	free(encoded);
}
