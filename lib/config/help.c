/* The tables as text: `tendd --help-config`. */
#include "config/internal.h"

static const char *const effects[] = { "live", "restart", "rebuild" };

static void print_key(const struct config_key *key, struct buf *out) {
	const char *preset = key->flags & CONFIG_REQUIRED ? "required"
			     : key->preset                ? key->preset
							  : "-";
	buf_addf(out, "  %-20s %-12s %-8s", key->name, preset, effects[key->reload]);
	if (key->only) buf_addf(out, " (type %s)", key->only);
	if (key->help) buf_addf(out, " %s", key->help);
	for (int i = 0; key->names && key->names[i]; i++) {
		buf_addf(out, "%s%s", i == 0 ? ": " : ", ", key->names[i]);
	}
	buf_addc(out, '\n');
}

void config_print_help(const struct config_table *const *tables, struct buf *out) {
	for (size_t t = 0; tables[t]; t++) {
		const struct config_table *table = tables[t];
		buf_addf(out, "%s[%s%s]%s%s\n", t > 0 ? "\n" : "", table->kind,
			table->named ? " NAME" : "", table->help ? " " : "",
			table->help ? table->help : "");
		for (size_t i = 0; i < table->key_count; i++) print_key(&table->keys[i], out);
	}
}
