/* Which route a path belongs to. Paths come unescaped and no longer than libmicrohttpd's buffer. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/internal.h"

/* The next component of *at as a length, *at moves behind it; -1 at the end. */
static long next_component(const char **at, const char **start) {
	if (**at != '/') return -1;
	*start = *at + 1;
	size_t len = strcspn(*start, "/");
	*at = *start + len;
	return (long)len;
}

struct found {
	struct {
		const char *name, *value;
		size_t name_len, value_len;
	} at[PARAMETERS_MAX];
	size_t count;
};

static bool matches(const char *pattern, const char *path, struct found *found) {
	const char *want = NULL, *have = NULL;

	found->count = 0;
	for (;;) {
		long want_len = next_component(&pattern, &want);
		long have_len = next_component(&path, &have);
		if (want_len < 0 || have_len < 0) {
			return want_len == have_len && !*pattern && !*path;
		}
		if (want_len > 0 && want[0] == ':') {
			if (have_len == 0) return false;
			assert(found->count < PARAMETERS_MAX);
			found->at[found->count].name = want + 1;
			found->at[found->count].name_len = (size_t)want_len - 1;
			found->at[found->count].value = have;
			found->at[found->count].value_len = (size_t)have_len;
			found->count++;
		} else if (want_len != have_len || strncmp(want, have, (size_t)want_len) != 0) {
			return false;
		}
	}
}

unsigned route_find_in(struct control_request *request, const struct control_route *routes,
	size_t count, void *user, const char *method, const char *path) {
	unsigned status = MHD_HTTP_NOT_FOUND;
	struct found found;

	for (size_t i = 0; i < count; i++) {
		const struct control_route *route = &routes[i];
		if (!matches(route->pattern, path, &found)) continue;
		if (!str_equal(route->method, method)) {
			status = MHD_HTTP_METHOD_NOT_ALLOWED;
			continue;
		}
		request->route = route;
		request->route_user = user;
		for (size_t k = 0; k < found.count; k++) {
			request->parameters[k].name =
				xstrndup(found.at[k].name, found.at[k].name_len);
			request->parameters[k].value =
				xstrndup(found.at[k].value, found.at[k].value_len);
		}
		request->parameter_count = found.count;
		return 0;
	}
	return status;
}

unsigned route_find(struct control_request *request, const char *method, const char *path) {
	const struct control *control = request->control;

	return route_find_in(
		request, control->routes, control->route_count, control->user, method, path);
}
