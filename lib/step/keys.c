/* What GitHub says of a name is public, and changes without us: it is asked once for a definition, so that whoever takes over the
 * account there one day does not come in here by the next boot. */
#include "step/keys.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 128 << 10, TOTAL_MS = 60000, NAME_LEN_MAX = 39 };

struct step_keys {
	struct step *step;
	void (*done)(struct step *step, char *keys, const struct err *err);
	char **line; /* of the settings: the one that is asked for */
	struct http_request request;
	char *url;
	struct buf text;
};

const char *step_keys_name(const char *line) {
	static const char prefix[] = "github:";
	if (!str_starts(line, prefix)) return NULL;
	const char *name = line + strlen(prefix);
	size_t len = strlen(name);
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-') return NULL;
	return len > 0 && len <= NAME_LEN_MAX ? name : NULL;
}

static void finish(struct step_keys *keys, const struct err *err) {
	struct step *step = keys->step;
	void (*done)(struct step * step, char *text, const struct err *err) = keys->done;
	char *text = err ? NULL : buf_steal(&keys->text);
	struct err copy;
	if (err) copy = *err;
	http_request_release(&keys->request);
	buf_release(&keys->text);
	free(keys->url);
	free(keys);
	done(step, text, err ? &copy : NULL);
}

/* Tests have a server of their own. */
static const char *server(void) {
	const char *own = getenv("TEND_GITHUB");
	return own ? own : "https://github.com";
}

static bool ask_next(struct step_keys *keys) {
	while (*keys->line && !step_keys_name(*keys->line)) keys->line++;
	if (!*keys->line) return false;
	free(keys->url);
	keys->url = xasprintf("%s/%s.keys", server(), step_keys_name(*keys->line++));
	keys->request.url = keys->url;
	http_request_start(keys->step->steps->options.http, &keys->request);
	return true;
}

/* Nobody there, or nobody with keys: an account that lets nobody in is not what was wanted. */
static void answered(struct http_request *request, const struct err *err) {
	struct step_keys *keys = container_of(request, struct step_keys, request);
	struct err own;
	if (!err && (request->status != 200 || request->answer.len == 0)) {
		err_set(&own, ERR_NOT_FOUND, "no keys at %s (status %d)", keys->url,
			request->status);
		err = &own;
	}
	if (err) {
		finish(keys, err);
		return;
	}
	buf_add(&keys->text, request->answer.at, request->answer.len);
	buf_addc(&keys->text, '\n');
	if (!ask_next(keys)) finish(keys, NULL);
}

struct step_keys *step_keys_start(
	struct step *step, void (*done)(struct step *step, char *keys, const struct err *err)) {
	struct step_keys *keys = xcalloc(1, sizeof(*keys));
	keys->step = step;
	keys->done = done;
	keys->line = step->work.settings->authorized_keys;
	buf_init(&keys->text, 1 << 20);
	http_request_init(&keys->request, "GET", "");
	keys->request.answer_max = ANSWER_MAX;
	keys->request.total_ms = TOTAL_MS;
	keys->request.done = answered;
	ask_next(keys);
	return keys;
}

void step_keys_cancel(struct step_keys *keys) {
	http_request_cancel(&keys->request);
}
