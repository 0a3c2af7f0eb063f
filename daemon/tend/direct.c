/* Without tendd: the folder's remote is opened by the configuration, as the caller, on a loop of the command's own. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "config/config.h"
#include "service/service.h"
#include "step/step.h"
#include "store/store.h"
#include "tend/source.h"

enum { NAMES_MAX = 255 }; /* that are looked through for the nearest */

struct tend_keys {
	char *state_dir;
	char **path, **environment;
};

/* The daemon's own table has them all. */
static const struct config_key keys[] = {
	{ .name = "state_dir",
		.type = CONFIG_PATH,
		.offset = offsetof(struct tend_keys, state_dir) },
	{ .name = "path", .type = CONFIG_WORDS, .offset = offsetof(struct tend_keys, path) },
	{ .name = "environment",
		.type = CONFIG_LINES,
		.offset = offsetof(struct tend_keys, environment) },
};

static const struct config_table tend_table = {
	.kind = "tend", .size = sizeof(struct tend_keys), .keys = keys, .key_count = ARRAY_LEN(keys)
};

struct direct {
	struct loop *loop;
	struct config *config;
	const struct folder_settings *settings; /* in `config` */
	struct store *store;
	char *remote_key, *scratch_dir, *scratch, *index_path;
	struct past_options options;
	bool gathered;
	struct err err;
};

char *direct_file(struct call *call, struct err *err) {
	const char *named = call_option(call, "config");
	bool system = call_option(call, "system") || (geteuid() == 0 && !call_option(call, "user"));
	if (named) return xstrdup(named);
	if (call_option(call, "socket")) {
		err_set(err, ERR_OFFLINE,
			"tendd is not running there: with -c FILE the remote is asked without it");
		return NULL;
	}
	char *own = system ? NULL : place_user_file();
	if (own && (call_option(call, "user") || access(own, F_OK) == 0)) return own;
	free(own);
	return xstrdup(place_system_file());
}

char *direct_state_dir(const struct config *config) {
	const struct config_section *section = config_find(config, "tend", "");
	const struct tend_keys *tend = section ? section->settings : NULL;
	if (tend && tend->state_dir) return xstrdup(tend->state_dir);
	return geteuid() == 0 ? xstrdup(place_system_state_dir()) : place_user_state_dir();
}

/* [KIND NAME]; `word` may be KIND:NAME. NULL with err, which names the nearest. */
static const struct config_section *find_section(
	const struct config *config, const char *kind, const char *word, struct err *err) {
	size_t len = strlen(kind);
	const char *name = str_starts(word, kind) && word[len] == ':' ? word + len + 1 : word;
	const struct config_section *section = config_find(config, kind, name), *at = NULL;
	const char *names[NAMES_MAX + 1];
	size_t count = 0;
	/* That a service runs as somebody else is no trouble of who only asks what it gets. */
	if (section && section->trouble && !str_equal(kind, "service")) {
		err_set(err, ERR_INVALID, "%s", section->trouble);
		return NULL;
	}
	if (section) return section;
	while ((at = config_next(config, kind, at)) && count < NAMES_MAX) names[count++] = at->name;
	names[count] = NULL;
	const char *nearest = str_nearest(name, names);
	if (nearest)
		err_set(err, ERR_INVALID, "there is no %s '%s': did you mean '%s'?", kind, name,
			nearest);
	else
		err_set(err, ERR_INVALID, "there is no %s '%s' in '%s'", kind, name, config->path);
	return NULL;
}

static int open_store(struct direct *direct, struct call *call,
	const struct folder_settings *settings, struct err *err) {
	char *name = NULL;
	if (folder_remote_split(settings->remote, &name, &direct->remote_key, err)) return -1;
	const struct config_section *remote = config_find(direct->config, "remote", name);
	if (!remote)
		err_set(err, ERR_INVALID, "there is no [remote %s] in '%s'", name,
			direct->config->path);
	else if (remote->trouble)
		err_set(err, ERR_INVALID, "%s", remote->trouble);
	else
		direct->store = store_open(
			call->client.loop, call->client.http, name, remote->settings, NULL, err);
	free(name);
	return direct->store ? 0 : -1;
}

static int make_scratch(struct direct *direct, struct err *err) {
	const char *base = getenv("TMPDIR");
	char *dir = xasprintf("%s/tend-XXXXXX", base && *base == '/' ? base : "/tmp");
	if (!mkdtemp(dir)) {
		err_set(err, ERR_SYSTEM, "cannot make a folder '%s': is the disk full?", dir);
		free(dir);
		return -1;
	}
	direct->scratch_dir = dir;
	direct->scratch = path_join(dir, "past.db");
	return 0;
}

struct config *direct_config(const char *file, struct err *err) {
	static const struct config_table *const tables[] = { &tend_table, &store_remote_table,
		&sync_folder_table, &service_table, &step_table, NULL };
	const struct config_options options = {
		.tables = tables, .lenient = true, .home = getenv("HOME")
	};
	struct config_errors errors = { 0 };
	struct config *config = config_read(file, &options, &errors, err);
	config_errors_release(&errors);
	return config;
}

/* [remote NAME], in a configuration that is the caller's in any case. */
static const struct config_section *remote_section(
	struct call *call, const char *word, struct config **config, struct err *err) {
	char *file = direct_file(call, err);
	*config = file ? direct_config(file, err) : NULL;
	free(file);
	return *config ? find_section(*config, "remote", word, err) : NULL;
}

struct store *direct_remote(struct call *call, const char *word, struct err *err) {
	struct config *config;
	const struct config_section *section = remote_section(call, word, &config, err);
	struct store *store = section ? store_open(call->client.loop, call->client.http,
						section->name, section->settings, NULL, err)
				      : NULL;
	config_free(config);
	return store;
}

struct gdrive_auth *direct_auth(struct call *call, const char *word, struct err *err) {
	struct config *config;
	const struct config_section *section = remote_section(call, word, &config, err);
	struct gdrive_auth *auth = section ? gdrive_auth_new(call->client.loop, call->client.http,
						     section->name, section->settings, err)
					   : NULL;
	config_free(config);
	return auth;
}

int direct_service_open(
	struct direct_service *service, struct call *call, const char *word, struct err *err) {
	char *file = direct_file(call, err);
	*service = (struct direct_service){ .config = file ? direct_config(file, err) : NULL };
	free(file);
	const struct config_section *section =
		service->config ? find_section(service->config, "service", word, err) : NULL;
	if (!section) {
		direct_service_close(service);
		return -1;
	}
	const struct tend_keys *tend = config_find(service->config, "tend", "")->settings;
	service->name = section->name;
	service->settings = section->settings;
	service->path = tend->path;
	service->environment = tend->environment;
	return 0;
}

void direct_service_close(struct direct_service *service) {
	config_free(service->config);
	service->config = NULL;
}

static int open_by(struct direct *direct, struct call *call, const char *file, const char *folder,
	char **local, struct err *err) {
	direct->config = direct_config(file, err);
	const struct config_section *section =
		direct->config ? find_section(direct->config, "folder", folder, err) : NULL;
	if (!section) return -1;
	const struct folder_settings *settings = section->settings;
	if (!settings->path || !settings->remote)
		return err_set(err, ERR_INVALID, "[folder %s] in '%s' has no path or remote",
			section->name, file);
	if (open_store(direct, call, settings, err) || make_scratch(direct, err)) return -1;
	direct->settings = settings;
	*local = xstrdup(settings->path);
	char *state = direct_state_dir(direct->config);
	if (state) direct->index_path = xasprintf("%s/folders/%s.db", state, section->name);
	free(state);
	return 0;
}

struct direct *direct_open(struct call *call, const char *folder, char **local, struct err *err) {
	char *file = direct_file(call, err);
	if (!file) return NULL;
	struct direct *direct = xcalloc(1, sizeof(*direct));
	direct->loop = call->client.loop;
	int rc = open_by(direct, call, file, folder, local, err);
	free(file);
	if (rc) {
		direct_close(direct);
		return NULL;
	}
	/* Only its owner can open the index; for others it is not known since when things stand there. */
	bool ours = direct->index_path && access(direct->index_path, W_OK) == 0;
	direct->options = (struct past_options){ .loop = direct->loop,
		.store = direct->store,
		.remote_key = direct->remote_key,
		.scratch = direct->scratch,
		.index_path = ours ? direct->index_path : NULL };
	return direct;
}

void direct_close(struct direct *direct) {
	if (!direct) return;
	store_free(direct->store);
	config_free(direct->config);
	if (direct->scratch_dir) rmdir(direct->scratch_dir);
	free(direct->scratch_dir);
	free(direct->scratch);
	free(direct->index_path);
	free(direct->remote_key);
	free(direct);
}

int direct_dry(struct direct *direct,
	void (*found)(void *user, enum dry_what what, const char *path, int64_t bytes), void *user,
	struct dry_totals *totals, struct err *err) {
	return dry_run(direct->loop, direct->options.index_path, direct->settings, direct->store,
		found, user, totals, err);
}

const struct past_options *direct_options(const struct direct *direct) {
	return &direct->options;
}

static void gathered(struct past *past, void *user, const struct err *err) {
	struct direct *direct = user;
	(void)past;
	err_clear(&direct->err);
	if (err) direct->err = *err;
	direct->gathered = true;
}

struct past *direct_past(struct direct *direct, const char *path, int64_t at_ns,
	enum past_reach reach, struct err *err) {
	struct past_options options = direct->options;
	options.path = path;
	options.at_ns = at_ns;
	options.recursive = reach == REACH_BELOW || reach == REACH_WAY;
	options.way = reach == REACH_WAY;
	options.versions = reach == REACH_VERSIONS;
	direct->gathered = false;
	struct past *past = past_start(&options, gathered, direct, err);
	if (!past) return NULL;
	loop_run_until(direct->loop, &direct->gathered);
	if (direct->err.kind == ERR_NONE) return past;
	*err = direct->err;
	past_free(past);
	return NULL;
}
