/* Settings that live on beside the configuration they were read from: by the rows of their table. */
#include <string.h>

#include "config/internal.h"

void config_settings_copy(const struct config_table *table, void *to, const void *from) {
	memcpy(to, from, table->size);
	for (size_t i = 0; i < table->key_count; i++)
		config_value_copy(&table->keys[i], (char *)to + table->keys[i].offset);
}

void config_settings_release(const struct config_table *table, void *settings) {
	for (size_t i = 0; i < table->key_count; i++)
		config_value_release(&table->keys[i], (char *)settings + table->keys[i].offset);
}

int config_settings_compare(const struct config_table *table, const void *left, const void *right) {
	int strongest = 0;

	for (size_t i = 0; i < table->key_count; i++) {
		const struct config_key *key = &table->keys[i];
		const char *one = (const char *)left + key->offset,
			   *other = (const char *)right + key->offset;
		int effect = config_value_equal(key, one, other) ? 0 : (int)key->reload + 1;
		if (effect > strongest) strongest = effect;
	}
	return strongest;
}
