/* What programs are started with. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

bool config_env_valid(const char *item) {
	if (!isalpha((unsigned char)*item) && *item != '_') return false;
	while (isalnum((unsigned char)*item) || *item == '_') item++;
	return *item == '=';
}

void config_env_put(char ***env, char *item) {
	size_t len = strcspn(item, "=") + 1;

	for (char **at = *env; at && *at; at++) {
		if (strncmp(*at, item, len) != 0) continue;
		free(*at);
		*at = item;
		return;
	}
	strv_add_owned(env, item);
}

void config_env_set(char ***env, const char *name, const char *value) {
	config_env_put(env, xasprintf("%s=%s", name, value));
}

char *config_user_expand(const char *text, const char *home, struct err *err) {
	char *folder = NULL;

	if (*text == '~') {
		size_t len = strcspn(text, "/");
		struct config_user person = { .home = NULL };
		char *name = xstrndup(text + 1, len - 1);
		int result = *name ? config_user_find(name, &person, err) : 0;
		free(name);
		if (result != 0) return NULL;
		folder = xstrdup(person.home ? person.home : home);
		config_user_release(&person);
		text += len;
	}
	char *rest = config_expand(text, NULL, err);
	char *whole = rest ? xasprintf("%s%s", folder ? folder : "", rest) : NULL;
	free(folder);
	free(rest);
	return whole;
}
