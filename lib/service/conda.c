/*
 * `conda = NAME`: what `conda activate` does to an environment, without conda and without a shell's start-up files. On a worker. As
 * root everything is looked at with the rights of the service's user: the folders are theirs, and may lead anywhere.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "service/internal.h"

enum { LIST_BYTES = 1 << 20, VALUES_BYTES = 256 << 10 };

/* Where installers put it, below the user's home and for all. */
static const char *const own_roots[] = { "miniconda3", "miniforge3", "mambaforge", "anaconda3",
	"micromamba", ".local/share/mamba", ".conda", NULL };
static const char *const all_roots[] = { "/opt/conda", "/opt/miniconda3", "/opt/miniforge3",
	"/opt/mambaforge", "/opt/anaconda3", NULL };

/* By bash where it is: packages write their scripts for it. In a function, as conda does it, so that a script that sets arguments sets
 * its own. What bash sets for itself goes last: its exec writes SHLVL anew. */
static const char activation[] =
	"tend_activate() {\n"
	"for tend_script in \"$CONDA_PREFIX\"/etc/conda/activate.d/*.sh; do\n"
	"[ -r \"$tend_script\" ] && . \"$tend_script\"\n"
	"done\n"
	"}\n"
	"tend_activate\n"
	"unset -f tend_activate\n"
	"unset tend_script PWD OLDPWD\n"
	"exec /usr/bin/env -u SHLVL -u _ \"$@\"\n";

static struct disk *open_as(const struct service_plan *plan, const char *path, struct err *err) {
	struct disk_rights *rights = NULL;
	if (plan->become && plan->uid != geteuid()) {
		rights =
			disk_rights_new(plan->uid, plan->gid, plan->groups, plan->group_count, err);
		if (!rights) return NULL;
	}
	return disk_open_as(path, rights, err);
}

/* Every environment has this folder, and nothing else does. */
static bool is_environment(const struct service_plan *plan, const char *path) {
	struct disk_stat stat;
	struct err err;
	struct disk *disk = open_as(plan, path, &err);
	bool yes =
		disk && disk_stat(disk, "conda-meta", &stat, &err) == 0 && stat.kind == DISK_FOLDER;
	disk_close(disk);
	return yes;
}

/* ---- which one is meant ---- */

static char *find_below(const struct service_plan *plan, const char *root, const char *name) {
	char *path = str_equal(name, "base") ? xstrdup(root) : xasprintf("%s/envs/%s", root, name);
	if (is_environment(plan, path)) return path;
	free(path);
	return NULL;
}

/* A bin of conda's own in the search path tells where it is. */
static char *find_beside_path(const struct service_plan *plan, char *const *folders,
	const struct config_user *person, const char *name) {
	char *found = NULL;
	struct err err;
	for (; !found && folders && *folders; folders++) {
		char *whole = config_user_expand(*folders, person->home, &err);
		char *root = whole && (str_ends(whole, "/bin") || str_ends(whole, "/condabin"))
				     ? path_parent(whole)
				     : NULL;
		if (root) found = find_below(plan, root, name);
		free(root);
		free(whole);
	}
	return found;
}

/* Where conda itself writes down what it made. */
static char *find_listed(
	const struct service_plan *plan, const struct config_user *person, const char *name) {
	struct disk *disk;
	struct disk_stat stat;
	struct buf text;
	struct err err;
	char *found = NULL;
	char *folder = path_join(person->home, ".conda");
	buf_init(&text, LIST_BYTES);
	disk = open_as(plan, folder, &err);
	if (disk && disk_read(disk, "environments.txt", LIST_BYTES, &text, DIGEST_SHA256, NULL,
			    &stat, &err) == 0) {
		for (char *line = text.at; line && !found;) {
			char *next = strchr(line, '\n');
			if (next) *next++ = '\0';
			str_trim(line);
			if (*line == '/' && str_equal(path_name(line), name) &&
				is_environment(plan, line))
				found = xstrdup(line);
			line = next;
		}
	}
	disk_close(disk);
	buf_release(&text);
	free(folder);
	return found;
}

static char *find_named(
	const struct service_plan *plan, const struct config_user *person, const char *name) {
	char *found = find_beside_path(plan, plan->settings->path, person, name);
	if (!found) found = find_beside_path(plan, plan->tend_path, person, name);
	for (size_t i = 0; !found && own_roots[i]; i++) {
		char *root = path_join(person->home, own_roots[i]);
		found = find_below(plan, root, name);
		free(root);
	}
	for (size_t i = 0; !found && all_roots[i]; i++)
		found = find_below(plan, all_roots[i], name);
	return found ? found : find_listed(plan, person, name);
}

int service_conda_find(
	struct service_plan *plan, const struct config_user *person, struct err *err) {
	const char *name = plan->settings->conda;
	if (!strchr(name, '/')) {
		plan->conda = find_named(plan, person, name);
		if (plan->conda) return 0;
		return err_set(err, ERR_NOT_FOUND,
			"there is no conda environment '%s': not below conda's usual folders in "
			"'%s' and /opt, nor beside 'path', nor in '%s/.conda/environments.txt': "
			"write its folder",
			name, person->home, person->home);
	}
	plan->conda = config_user_expand(name, person->home, err);
	if (!plan->conda || is_environment(plan, plan->conda)) return plan->conda ? 0 : -1;
	return err_set(err, ERR_NOT_FOUND,
		"'%s' is no conda environment: no folder conda-meta that the service's user can "
		"see is in it",
		plan->conda);
}

/* ---- what it says ---- */

/* The folder of conda itself, from that of an environment; NULL: it lies elsewhere. The caller's. */
static char *root_of(const struct service_plan *plan) {
	char *parent = path_parent(plan->conda);
	char *root = str_equal(path_name(parent), "envs") ? path_parent(parent) : NULL;
	free(parent);
	return root ? root : xstrdup(plan->conda);
}

static void take_values(struct service_plan *plan, const json_t *values) {
	const char *name;
	const json_t *value;
	json_object_foreach((json_t *)values, name, value) {
		const char *text = json_string_value(value);
		char *item = text ? xasprintf("%s=%s", name, text) : NULL;
		if (item && config_env_valid(item) && !str_equal(text, "***unset***"))
			config_env_set(&plan->env, name, text);
		free(item);
	}
}

/* {"NAME": "value"}, or with `key` such an object in that member. What cannot be read is conda's affair, as it is when conda reads it. */
static void read_values(
	struct service_plan *plan, struct disk *disk, const char *path, const char *key) {
	struct disk_stat stat;
	struct buf text;
	struct err err;
	buf_init(&text, VALUES_BYTES);
	if (disk_read(disk, path, VALUES_BYTES, &text, DIGEST_SHA256, NULL, &stat, &err) == 0) {
		json_t *json = json_loadb(text.at, text.len, 0, NULL);
		take_values(plan, key ? json_object_get(json, key) : json);
		json_decref(json);
	} else if (err.kind != ERR_NOT_FOUND) {
		log_warn("conda environment '%s': '%s': %s", plan->conda, path, err.text);
	}
	buf_release(&text);
}

/* Of its packages in the order of their names, then its own (`conda env config vars set`), which win. */
static void take_own_values(struct service_plan *plan, struct disk *disk) {
	struct disk_list list;
	struct err err;
	if (disk_list(disk, "etc/conda/env_vars.d", &list, &err) == 0) {
		for (size_t i = 0; i < list.count; i++) {
			const char *name = list.items[i].name;
			char *path = path_join("etc/conda/env_vars.d", name);
			if (str_ends(name, ".json")) read_values(plan, disk, path, NULL);
			free(path);
		}
		disk_list_release(&list);
	}
	read_values(plan, disk, "conda-meta/state", "env_vars");
}

static bool has_scripts(struct disk *disk) {
	struct disk_list list;
	struct err err;
	bool found = false;
	if (disk_list(disk, "etc/conda/activate.d", &list, &err) != 0) return false;
	for (size_t i = 0; i < list.count; i++) found |= str_ends(list.items[i].name, ".sh");
	disk_list_release(&list);
	return found;
}

int service_conda_activate(struct service_plan *plan, struct err *err) {
	const char *given = plan->settings->conda;
	struct disk_stat stat;
	struct err none;
	char *root = root_of(plan), *parent = path_parent(plan->conda);
	struct disk *disk = open_as(plan, plan->conda, err);
	if (disk) {
		bool by_name = !strchr(given, '/');
		bool named = by_name || str_equal(path_name(parent), "envs");
		config_env_set(&plan->env, "CONDA_PREFIX", plan->conda);
		config_env_set(&plan->env, "CONDA_SHLVL", "1");
		config_env_set(&plan->env, "CONDA_DEFAULT_ENV",
			by_name ? given
			: named ? path_name(plan->conda)
				: plan->conda);
		struct disk *conda = open_as(plan, root, &none);
		if (conda && disk_stat(conda, "bin/conda", &stat, &none) == 0) {
			char *program = path_join(root, "bin/conda"),
			     *python = path_join(root, "bin/python");
			config_env_set(&plan->env, "CONDA_EXE", program);
			config_env_set(&plan->env, "CONDA_PYTHON_EXE", python);
			free(program);
			free(python);
		}
		disk_close(conda);
		take_own_values(plan, disk);
		plan->conda_scripts = has_scripts(disk);
		disk_close(disk);
	}
	free(root);
	free(parent);
	return disk ? 0 : -1;
}

void service_conda_wrap(struct service_plan *plan) {
	char **argv = NULL;
	if (!plan->conda_scripts) return;
	strv_add(&argv, access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh");
	strv_add(&argv, "-c");
	strv_add(&argv, activation);
	strv_add(&argv, "tend");
	for (char **word = plan->argv; *word; word++) strv_add(&argv, *word);
	strv_free(plan->argv);
	plan->argv = argv;
}
