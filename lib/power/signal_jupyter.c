/*
 * Jupyter servers, found by the files that they leave in their users' runtime folders, and asked over their own API. A busy kernel
 * is active whatever its last message says: a long computation is silent. An idle one by its age; an open tab is nothing.
 */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "power/idle.h"

enum { FILE_MAX = 64 << 10, SERVERS_MAX = 32 };

/* ---- finding ---- */

static char *text_of(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? xstrdup(text) : NULL;
}

/* A file that a crash left names a process that is gone. */
static bool is_alive(const struct idle_sample *sample, json_int_t pid) {
	return pid > 0 && idle_procs_find(&sample->procs, (pid_t)pid);
}

static void add_server(struct idle_sample *sample, const char *path) {
	char *text = idle_file(sample->root, path, FILE_MAX);
	json_t *file = text ? json_loads(text, 0, NULL) : NULL;
	char *url = text_of(file, "url");
	bool alive = is_alive(sample, json_integer_value(json_object_get(file, "pid")));
	if (alive && url && sample->server_count < SERVERS_MAX) {
		sample->servers = xrealloc(
			sample->servers, (sample->server_count + 1) * sizeof(*sample->servers));
		sample->servers[sample->server_count++] = (struct idle_server){ xstrdup(url),
			text_of(file, "token"), text_of(file, "sock") };
	}
	/* Half a file is one that is being written; no line of it is known. */
	if (!file) sample->servers_failed = true;
	json_decref(file);
	free(url);
	free(text);
}

/* "jpserver-123.json", and "nbserver-123.json" of the servers before. */
static void look_in(struct idle_sample *sample, const char *path) {
	char *whole = path_join(sample->root, path);
	DIR *folder = opendir(whole);
	struct dirent *entry;
	/* What may not be read is somebody else's, where we are not root; a folder that is not there is the common case. */
	while (folder && (entry = readdir(folder))) {
		bool named = str_starts(entry->d_name, "jpserver-") ||
			     str_starts(entry->d_name, "nbserver-");
		if (!named || !str_ends(entry->d_name, ".json")) continue;
		char *file = path_join(path, entry->d_name);
		add_server(sample, file);
		free(file);
	}
	if (folder) closedir(folder);
	free(whole);
}

static void look_below(struct idle_sample *sample, const char *path, const char *runtime) {
	char *whole = path_join(sample->root, path);
	DIR *folder = opendir(whole);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] == '.') continue;
		char *place = xasprintf("%s/%s/%s", path, entry->d_name, runtime);
		look_in(sample, place);
		free(place);
	}
	if (folder) closedir(folder);
	free(whole);
}

/* Of who runs us, where that is none of the usual places. */
static void look_at_home(struct idle_sample *sample) {
	const char *home = getenv("HOME");
	bool usual = !home || str_equal(home, "/root") || str_starts(home, "/home/") ||
		     str_starts(home, "/Users/");
	if (usual || !str_equal(sample->root, "/")) return;
	char *path = path_join(home, ".local/share/jupyter/runtime");
	look_in(sample, path);
	free(path);
}

void signal_jupyter_find(struct idle_sample *sample) {
	look_at_home(sample);
	look_below(sample, "home", ".local/share/jupyter/runtime");
	look_in(sample, "root/.local/share/jupyter/runtime");
	look_below(sample, "Users", "Library/Jupyter/runtime");
	look_below(sample, "run/user", "jupyter");
}

/* ---- what they say ---- */

static const char *text_in(const json_t *object, const char *key) {
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* "2026-11-22T14:03:07.123456Z": microseconds are more than time_parse takes. -1: no time. */
static int64_t age_of(const json_t *object, int64_t wall_ns) {
	const char *text = text_in(object, "last_activity");
	size_t seconds = strcspn(text, ".+Z");
	char *plain = xasprintf("%.*sZ", (int)seconds, text);
	int64_t at_ns;
	int rc = *text ? time_parse(plain, &at_ns) : -1;
	free(plain);
	if (rc) return -1;
	return at_ns < wall_ns ? (wall_ns - at_ns) / NS_PER_MS : 0;
}

static void kernel_says(
	const json_t *kernel, int64_t wall_ns, int64_t kernel_idle_ms, struct idle_answer *one) {
	const char *state = text_in(kernel, "execution_state"), *name = text_in(kernel, "name");
	int64_t age_ms = age_of(kernel, wall_ns);
	char age[32];
	if (str_equal(state, "dead")) {
		idle_say(one, IDLE_IDLE, -1, "a kernel is dead");
	} else if (!str_equal(state, "idle")) {
		bool known = str_equal(state, "busy") || str_equal(state, "starting") ||
			     str_equal(state, "restarting") || str_equal(state, "autorestarting");
		idle_say(one, known ? IDLE_ACTIVE : IDLE_UNKNOWN, 0, "kernel %.40s is %.20s", name,
			*state ? state : "in no state");
	} else if (age_ms < 0) {
		idle_say(one, IDLE_UNKNOWN, 0, "kernel %.40s does not tell when it worked last",
			name);
	} else {
		duration_format(age_ms / 1000 * 1000, age, sizeof(age));
		idle_say(one, age_ms < kernel_idle_ms ? IDLE_ACTIVE : IDLE_IDLE, age_ms,
			"kernel %.40s idle for %s", name, age);
	}
}

void signal_jupyter_kernels(
	const char *json, int64_t wall_ns, int64_t kernel_idle_ms, struct idle_answer *answer) {
	json_t *kernels = json_loads(json, 0, NULL), *kernel;
	size_t i;
	idle_say(answer, IDLE_IDLE, -1, "no kernel");
	if (!json_is_array(kernels))
		idle_say(answer, IDLE_UNKNOWN, 0, "a Jupyter server does not list its kernels");
	json_array_foreach(kernels, i, kernel) {
		struct idle_answer one;
		kernel_says(kernel, wall_ns, kernel_idle_ms, &one);
		idle_worse(answer, &one);
	}
	json_decref(kernels);
}

/* Old servers tell no time: their terminals are terminals of the system, which the signal tty sees. */
void signal_jupyter_terminals(
	const char *json, int64_t wall_ns, int64_t after_ms, struct idle_answer *answer) {
	json_t *terminals = json_loads(json, 0, NULL), *terminal;
	size_t i;
	idle_say(answer, IDLE_IDLE, -1, "no terminal");
	if (!json_is_array(terminals))
		idle_say(answer, IDLE_UNKNOWN, 0, "a Jupyter server does not list its terminals");
	json_array_foreach(terminals, i, terminal) {
		struct idle_answer one;
		char age[32];
		int64_t age_ms = age_of(terminal, wall_ns);
		if (age_ms < 0) continue;
		duration_format(age_ms / 1000 * 1000, age, sizeof(age));
		idle_say(&one, age_ms < after_ms ? IDLE_ACTIVE : IDLE_IDLE, age_ms,
			"terminal %.20s idle for %s", text_in(terminal, "name"), age);
		idle_worse(answer, &one);
	}
	json_decref(terminals);
}
