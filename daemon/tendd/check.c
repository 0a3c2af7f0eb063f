/* References between sections. Errors go on being collected after the first: who mends a file
 * wants to see them all. */
#include "tendd/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "power/power.h"
#include "service/service.h"
#include "step/step.h"
#include "store/store.h"
#include "sync/sync.h"
#include "tendd/settings.h"
#include "unit/unit.h"

struct checking {
	const struct config *config;
	struct config_errors *errors;
	struct err *err;
	bool failed;
	char **ends; /* from, to, from, to, ...: ids of units */
};

/* " (did you mean 'x'?)" for a name that no section of `kind` has, with `prefix` before it; else "". */
static void nearest_name(const struct config *config, const char *kind, const char *prefix,
	const char *name, char *out, size_t size) {
	char **names = NULL;
	const struct config_section *section = NULL;
	*out = '\0';
	while ((section = config_next(config, kind, section))) strv_add(&names, section->name);
	const char *nearest = names ? str_nearest(name, (const char *const *)names) : NULL;
	if (nearest) snprintf(out, size, " (did you mean '%s%s'?)", prefix, nearest);
	strv_free(names);
}

static void check_remote(struct checking *checking, const struct config_section *section) {
	const struct folder_settings *folder = section->settings;
	char *name = NULL, *key = NULL, hint[200];
	struct err err;
	if (folder_remote_split(folder->remote, &name, &key, &err))
		return; /* the table has said it */
	if (!config_find(checking->config, "remote", name)) {
		nearest_name(checking->config, "remote", "", name, hint, sizeof(hint));
		config_error(checking->errors, checking->err, section, "remote",
			"unknown remote '%s'%s", name, hint);
		checking->failed = true;
	}
	free(name);
	free(key);
}

/* One that is not there yet is fine where a step makes it. */
static void check_user(struct checking *checking, const struct config_section *section) {
	const struct folder_settings *folder = section->settings;
	const struct config_section *step = NULL;
	struct err err;
	if (!folder->user || config_user_check(folder->user, &err) == 0) return;
	while ((step = config_next(checking->config, "step", step))) {
		const struct step_settings *settings = step->settings;
		if (str_equal(settings->user, folder->user)) return;
	}
	config_error(checking->errors, checking->err, section, "user", "%s", err.text);
	checking->failed = true;
}

/* Is `id` a unit of this configuration? Says why not. */
static bool check_reference(struct checking *checking, const struct config_section *section,
	const char *key, const char *id) {
	static const char *const kinds[] = { "folder", "step", "service" };
	const char *colon = strchr(id, ':');
	char hint[200] = "";
	if (str_equal(id, "network")) return true;
	checking->failed = true;
	for (size_t i = 0; colon && i < ARRAY_LEN(kinds); i++) {
		size_t len = strlen(kinds[i]);
		if ((size_t)(colon - id) != len || strncmp(id, kinds[i], len) != 0) continue;
		if (config_find(checking->config, kinds[i], colon + 1)) {
			checking->failed = false;
			return true;
		}
		char *prefix = xstrndup(id, len + 1);
		nearest_name(checking->config, kinds[i], prefix, colon + 1, hint, sizeof(hint));
		free(prefix);
		if (strchr(id, ','))
			snprintf(hint, sizeof(hint),
				": units stand with spaces between them, without commas");
		config_error(checking->errors, checking->err, section, key, "unknown unit '%s'%s",
			id, hint);
		return false;
	}
	config_error(checking->errors, checking->err, section, key,
		"unknown unit '%s': write folder:NAME, step:NAME, service:NAME or network", id);
	return false;
}

static void check_references(struct checking *checking, const struct config_section *section,
	const char *key, char *const *ids) {
	bool failed = checking->failed;
	for (size_t i = 0; ids && ids[i]; i++) {
		if (!check_reference(checking, section, key, ids[i])) {
			failed = true;
			continue;
		}
		strv_add_owned(
			&checking->ends, xasprintf("%s:%s", section->table->kind, section->name));
		strv_add(&checking->ends, ids[i]);
	}
	checking->failed = failed || checking->failed;
}

/* The section that the text of a circle begins with: its line is shown. */
static const struct config_section *section_of_circle(
	const struct config *config, const char *text) {
	static const char *const kinds[] = { "folder", "step", "service" };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *kind = kinds[i];
		const struct config_section *section = NULL;
		while ((section = config_next(config, kind, section))) {
			char *id = xasprintf("%s:%s", kind, section->name);
			const char *at = strstr(text, id);
			bool found = at && (at == text || at[-1] == ' ' || at[-1] == '\'') &&
				     strchr(" '", at[strlen(id)]);
			free(id);
			if (found) return section;
		}
	}
	return NULL;
}

/* Disabled units count too: a circle that appears by `enabled = yes` would be worse. */
static void check_circles(struct checking *checking) {
	size_t count = strv_count(checking->ends) / 2;
	const char *(*edges)[2] = xcalloc(count ? count : 1, sizeof(*edges));
	struct err err;
	for (size_t i = 0; checking->ends && i < count; i++) {
		edges[i][0] = checking->ends[2 * i];
		edges[i][1] = checking->ends[2 * i + 1];
	}
	if (unit_check_names((const char *const(*)[2])edges, count, &err)) {
		const struct config_section *section =
			section_of_circle(checking->config, err.text);
		if (!section) section = config_find(checking->config, "tend", "");
		config_error(checking->errors, checking->err, section,
			config_is_set(section, "after") ? "after" : "requires", "%s", err.text);
		checking->failed = true;
	}
	free(edges);
}

/* A service that is not there would count as use for ever. */
static void check_idle(struct checking *checking) {
	const struct config_section *section = config_find(checking->config, "idle", "");
	char **ids = section ? idle_services(section->settings) : NULL;
	bool failed = checking->failed;
	for (char **id = ids; id && *id; id++)
		failed = !check_reference(checking, section, "active", *id) || failed;
	checking->failed = failed;
	strv_free(ids);
}

static int check_sections(
	const struct config *config, struct config_errors *errors, struct err *err) {
	struct checking checking = { .config = config, .errors = errors, .err = err };
	const struct config_section *section = NULL;
	while ((section = config_next(config, "folder", section))) {
		const struct folder_settings *folder = section->settings;
		check_remote(&checking, section);
		check_user(&checking, section);
		check_references(&checking, section, "after", folder->after);
		check_references(&checking, section, "requires", folder->requires);
	}
	section = NULL;
	while ((section = config_next(config, "service", section))) {
		const struct service_settings *service = section->settings;
		check_references(&checking, section, "after", service->after);
		check_references(&checking, section, "requires", service->requires);
	}
	section = NULL;
	while ((section = config_next(config, "step", section))) {
		const struct step_settings *step = section->settings;
		check_references(&checking, section, "after", step->after);
		check_references(&checking, section, "requires", step->requires);
	}
	check_idle(&checking);
	check_circles(&checking);
	strv_free(checking.ends);
	return checking.failed ? -1 : 0;
}

struct config *check_read(
	const char *path, const char *home, struct config_errors *errors, struct err *err) {
	struct config_options options = {
		.tables = tendd_tables,
		.strict_owner = geteuid() == 0,
		.home = home,
	};
	struct config *config = config_read(path, &options, errors, err);
	if (!config) return NULL;
	settings_complete(settings_of(config), home);
	if (check_sections(config, errors, err)) {
		config_free(config);
		return NULL;
	}
	return config;
}
