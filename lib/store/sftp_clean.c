#include <stdlib.h>
#include <string.h>

#include "store/sftp.h"

/* Names in SFTP_TMP: ".tend-tmp.HINT.SECONDS.RANDOM", seconds since 1970 in eight hex digits. Younger
 * ones may be the work of another machine. */

enum { LEFTOVER_PARTS_S = 7 * 24 * 3600 };

static bool is_left_over(const char *name, int64_t now_s) {
	const char *hint = name + strlen(SFTP_TMP_PREFIX);

	if (!str_starts(name, SFTP_TMP_PREFIX)) return false;
	const char *dot = strchr(hint, '.');
	if (!dot || strspn(dot + 1, "0123456789abcdef") != 8 || dot[9] != '.') return false;
	int64_t age_s = now_s - strtoll(dot + 1, NULL, 16);
	return age_s > (str_starts(hint, "parts.") ? LEFTOVER_PARTS_S : SFTP_LEFTOVER_S);
}

static void take_names(
	struct sftp_op *x, const struct sftp_request *request, struct sftp_answer *answer) {
	int64_t now_s = loop_wall_ns(x->sftp->store.loop) / NS_PER_S;
	struct sftp_bytes name;
	struct sftp_attrs attrs;

	if (request->type != SFTP_READDIR || answer->type != SFTP_NAME) return;
	while (sftp_next_name(answer, &name, &attrs) > 0) {
		char *copy = xstrndup(name.at, name.len);
		if (!strchr(copy, '/') && is_left_over(copy, now_s)) {
			char *key = path_join(SFTP_TMP, copy);
			sftp_ask(x, 1, SFTP_REMOVE, key);
			free(key);
		}
		free(copy);
	}
	sftp_ask_handle(x, 2, SFTP_READDIR, 0);
}

void sftp_clean(struct sftp_op *x) {
	enum { OPEN, OPENED, READ };

	switch (x->state) {
	case OPEN:
		x->state = OPENED;
		sftp_ask(x, 0, SFTP_OPENDIR, SFTP_TMP);
		return;
	case OPENED:
		if (x->results[0].code != SFTP_OK) break;
		x->state = READ;
		x->take = take_names;
		sftp_ask_handle(x, 2, SFTP_READDIR, 0);
		return;
	default: break;
	}
	x->take = NULL;
	sftp_close(x, 0);
	for (int slot = 0; slot < 3; slot++) x->results[slot].code = SFTP_OK;
	sftp_return(x);
}
