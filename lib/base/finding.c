#include "base/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void findings_init(struct findings *findings) {
	list_init(&findings->list);
	findings->check = "";
}

void findings_release(struct findings *findings) {
	list_each(&findings->list, link) {
		struct finding *finding = list_entry(link, struct finding, link);
		list_remove(&finding->link);
		free(finding->text);
		free(finding->cure);
		free(finding);
	}
}

void finding_add(
	struct findings *findings, enum finding_level level, char *cure, const char *format, ...) {
	struct finding *finding = xcalloc(1, sizeof(*finding));
	va_list args;

	va_start(args, format);
	finding->text = xvasprintf(format, args);
	va_end(args);
	finding->level = level;
	finding->check = findings->check;
	finding->cure = cure;
	list_add_tail(&findings->list, &finding->link);
}

enum finding_level findings_worst(const struct findings *findings) {
	enum finding_level worst = FINDING_GOOD;

	list_each(&findings->list, link) {
		const struct finding *finding = list_entry(link, struct finding, link);
		if (finding->level > worst) worst = finding->level;
	}
	return worst;
}

const char *finding_level_name(enum finding_level level) {
	static const char *const names[] = { "good", "advice", "wrong", "person" };

	return names[level];
}

/* ---- the ground ---- */

static void release_paths(struct doctor_path *paths, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(paths[i].name);
		free(paths[i].path);
	}
	free(paths);
}

void doctor_ground_release(struct doctor_ground *ground) {
	free(ground->root);
	free(ground->user);
	free(ground->home);
	free(ground->file);
	strv_free(ground->files);
	free(ground->state_dir);
	release_paths(ground->folders, ground->folder_count);
	release_paths(ground->secrets, ground->secret_count);
	*ground = (struct doctor_ground){ 0 };
}

static void add_path(struct doctor_path **paths, size_t *count, struct doctor_path path) {
	*paths = xrealloc(*paths, (*count + 1) * sizeof(**paths));
	(*paths)[(*count)++] = path;
}

void doctor_add_folder(
	struct doctor_ground *ground, const char *name, const char *path, int64_t folders) {
	const struct doctor_path folder = { xstrdup(name), xstrdup(path), folders };

	add_path(&ground->folders, &ground->folder_count, folder);
}

void doctor_add_secret(struct doctor_ground *ground, char *name, char *path) {
	const struct doctor_path secret = { name, path, -1 };

	add_path(&ground->secrets, &ground->secret_count, secret);
}

char *doctor_path(const struct doctor_ground *ground, const char *path) {
	return xconcat(ground->root ? ground->root : "", path);
}

int64_t doctor_number(const struct doctor_ground *ground, const char *path, int64_t otherwise) {
	char text[32] = "", *whole = doctor_path(ground, path);
	FILE *file = fopen(whole, "re");
	int64_t number = otherwise;

	if (file && fgets(text, sizeof(text), file)) {
		str_trim(text);
		if (str_to_int(text, INT64_MIN, INT64_MAX, &number) != 0) number = otherwise;
	}
	if (file) (void)fclose(file);
	free(whole);
	return number;
}

void checks_run(const struct doctor_check *checks, const struct doctor_ground *ground,
	struct findings *findings) {
	for (; checks->name; checks++) {
		findings->check = checks->name;
		checks->look(ground, findings);
	}
}
