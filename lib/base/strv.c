#include <stdlib.h>

#include "base/str.h"

void strv_add_owned(char ***vector, char *text) {
	size_t count = strv_count(*vector);

	*vector = xrealloc(*vector, (count + 2) * sizeof(**vector));
	(*vector)[count] = text;
	(*vector)[count + 1] = NULL;
}

void strv_add(char ***vector, const char *text) {
	strv_add_owned(vector, xstrdup(text));
}

size_t strv_count(char *const *vector) {
	size_t count = 0;

	while (vector && vector[count]) count++;
	return count;
}

char **strv_dup(char *const *vector) {
	if (!vector) return NULL;
	size_t count = strv_count(vector);
	char **copy = xmalloc((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++) copy[i] = xstrdup(vector[i]);
	copy[count] = NULL;
	return copy;
}

bool strv_has(const char *const *vector, const char *text) {
	for (; vector && *vector; vector++)
		if (str_equal(*vector, text)) return true;
	return false;
}

bool strv_equal(char *const *left, char *const *right) {
	size_t count = strv_count(left);

	if (count != strv_count(right)) return false;
	for (size_t i = 0; i < count; i++) {
		if (!str_equal(left[i], right[i])) return false;
	}
	return true;
}

void strv_free(char **vector) {
	if (!vector) return;
	for (size_t i = 0; vector[i]; i++) free(vector[i]);
	free(vector);
}
