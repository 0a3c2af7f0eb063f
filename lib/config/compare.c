/* What changed between two readings of a section. Settings are compared, not their texts: 60s is
 * 1m. */
#include <assert.h>

#include "config/internal.h"

int config_compare(const struct config_section *old_one, const struct config_section *new_one,
	char ***changed) {
	const struct config_table *table = new_one->table;
	int strongest = 0;
	assert(old_one->table == table);
	if (changed) *changed = NULL;
	for (size_t i = 0; i < table->key_count; i++) {
		const struct config_key *key = &table->keys[i];
		bool in_old = config_key_applies(key, config_section_type(old_one));
		bool in_new = config_key_applies(key, config_section_type(new_one));
		/* A key of another type went or came together with `type`, whose own row says
		 * what that means. */
		if (!in_old || !in_new) continue;
		if (config_value_equal(key, (const char *)old_one->settings + key->offset,
			    (const char *)new_one->settings + key->offset)) {
			continue;
		}
		if ((int)key->reload + 1 > strongest) strongest = (int)key->reload + 1;
		if (changed) strv_add(changed, key->name);
	}
	return strongest;
}
