/*
 * From settings to what a process host wants: argv, the whole environment (SERVICES.md §2), numeric
 * ids. Runs in a job: the user may be looked up over a network, the environment file may lie on
 * one.
 */
#include "service/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENV_FILE_MAX = 1 << 20, GROUP_BYTES = 64 << 10 };

static int find_group(const char *group, gid_t *gid, struct err *err) {
	struct group entry;
	struct group *found = NULL;
	char *room = xmalloc(GROUP_BYTES);
	int errnum = getgrnam_r(group, &entry, room, GROUP_BYTES, &found);
	int result = 0;
	if (found)
		*gid = found->gr_gid;
	else if (errnum && errnum != ENOENT && errnum != ESRCH)
		result = err_sys(err, errnum, "cannot look up group '%s'", group);
	else
		result = err_set(err, ERR_NOT_FOUND, "there is no group '%s'", group);
	free(room);
	return result;
}

static int plan_ids(struct service_plan *plan, const struct config_user *person, struct err *err) {
	plan->uid = person->uid;
	plan->gid = person->gid;
	if (plan->settings->group && find_group(plan->settings->group, &plan->gid, err) != 0)
		return -1;
	plan->become = plan->uid != geteuid() || plan->gid != getegid();
	/* Root that was asked for by name gets root's own groups, not those tendd happens to have.
	 */
	if (plan->settings->user && geteuid() == 0) plan->become = true;
	/* Numbers only, and now: initgroups(3) would look them up between fork and exec. */
	if (plan->become)
		plan->groups = config_user_groups(person->name, plan->gid, &plan->group_count);
	return 0;
}

int service_check_user(const struct service_settings *settings, const char **key, struct err *err) {
	if (geteuid() == 0) return 0;
	if (settings->user && config_user_check(settings->user, err) != 0) return -1;
	if (settings->nice < 0) {
		*key = "nice";
		return err_set(err, ERR_DENIED, "nice below 0 needs a tendd that runs as root");
	}
	return 0;
}

/* ---- the environment ---- */

char *service_expand(const struct service_settings *settings, const char *text, struct err *err) {
	struct config_user person;
	if (config_user_find(settings->user, &person, err) != 0) return NULL;
	char *path = config_user_expand(text, person.home, err);
	config_user_release(&person);
	return path;
}

/* Said in full and not inherited: tendd's own PATH depends on who started it, and a service that works
 * from a shell and not at boot is hard to explain. */
static int plan_path(struct service_plan *plan, const struct config_user *person, struct err *err) {
	struct buf path;
	buf_init(&path, 1 << 17);
	for (char **folder = plan->settings->path; folder && *folder; folder++) {
		char *whole = config_user_expand(*folder, person->home, err);
		if (!whole) {
			buf_release(&path);
			return -1;
		}
		buf_addf(&path, "%s:", whole);
		free(whole);
	}
	if (plan->conda) buf_addf(&path, "%s/bin:", plan->conda);
	for (char **folder = plan->tend_path; folder && *folder; folder++)
		buf_addf(&path, "%s:", *folder);
	buf_adds(&path, "/usr/local/bin:/usr/bin:/bin");
	if (plan->uid == 0) buf_adds(&path, ":/usr/local/sbin:/usr/sbin:/sbin");
	config_env_set(&plan->env, "PATH", path.at);
	buf_release(&path);
	return 0;
}

static void plan_basics(struct service_plan *plan, const struct config_user *person) {
	const char *lang = getenv("LANG");
	const char *zone = getenv("TZ");
	struct stat st;
	config_env_set(&plan->env, "HOME", person->home);
	config_env_set(&plan->env, "USER", person->name);
	config_env_set(&plan->env, "LOGNAME", person->name);
	config_env_set(&plan->env, "SHELL", person->shell);
	config_env_set(&plan->env, "LANG", lang && *lang ? lang : "C.UTF-8");
	if (zone) config_env_set(&plan->env, "TZ", zone);
	/* Only where logind has made it: a path that is not there is worse than none. */
	char *runtime = xasprintf("/run/user/%lu", (unsigned long)person->uid);
	if (stat(runtime, &st) == 0 && S_ISDIR(st.st_mode))
		config_env_set(&plan->env, "XDG_RUNTIME_DIR", runtime);
	free(runtime);
}

/* One pair around the whole, as systemd's EnvironmentFile and docker's --env-file have them; no escapes
 * inside, for those two disagree about them. */
static void strip_quotes(char *value) {
	size_t len = strlen(value);
	if (len < 2 || (*value != '"' && *value != '\'') || value[len - 1] != *value) return;
	memmove(value, value + 1, len - 2);
	value[len - 2] = '\0';
}

int service_env_parse(char *text, char ***env, struct err *err) {
	int number = 0;
	for (char *line = text; line;) {
		char *next = strchr(line, '\n');
		if (next) *next++ = '\0';
		number++;
		str_trim(line);
		if (str_starts(line, "export ")) memmove(line, line + 7, strlen(line + 7) + 1);
		if (*line && *line != '#' && *line != ';') {
			if (!config_env_valid(line))
				return err_set(
					err, ERR_INVALID, "line %d is not NAME=value", number);
			strip_quotes(strchr(line, '=') + 1);
			config_env_put(env, xstrdup(line));
		}
		line = next;
	}
	return 0;
}

static int read_env_file(
	struct service_plan *plan, const struct config_user *person, struct err *err) {
	const char *named = plan->settings->environment_file;
	char *path = str_starts(named, CREDENTIAL) ? config_credential_path("environment_file",
							     named + strlen(CREDENTIAL), err)
						   : config_user_expand(named, person->home, err);
	if (!path) return -1;
	char *text = xmalloc(ENV_FILE_MAX + 1);
	size_t len = 0;
	ssize_t got = 0;
	int result = -1;
	/* O_NONBLOCK: a FIFO in its place must not hold the worker for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err_sys(err, errno, "cannot open environment_file '%s'", path);
		goto out;
	}
	while (len < ENV_FILE_MAX && (got = read(fd, text + len, ENV_FILE_MAX - len)) > 0)
		len += (size_t)got;
	text[len] = '\0';
	if (got < 0)
		err_sys(err, errno, "cannot read environment_file '%s'", path);
	else if (len == ENV_FILE_MAX)
		err_set(err, ERR_INVALID, "environment_file '%s' is larger than 1 MiB", path);
	else if (service_env_parse(text, &plan->env, err) != 0)
		err_wrap(err, "environment_file '%s'", path);
	else
		result = 0;
	close(fd);
out:
	free(text);
	free(path);
	return result;
}

static int plan_command(struct service_plan *plan, struct err *err) {
	const char *command = plan->settings->command;
	if (!plan->settings->shell) {
		plan->argv = config_split_command(command, err);
		return plan->argv ? 0 : -1;
	}
	strv_add(&plan->argv, "/bin/sh");
	strv_add(&plan->argv, "-c");
	strv_add(&plan->argv, command);
	return 0;
}

void service_plan_init(struct service_plan *plan, const struct service *service) {
	*plan = (struct service_plan){
		.settings = service_settings_copy(service->settings),
		.tend_path = strv_dup(service->services->path),
		.tend_environment = strv_dup(service->services->environment),
	};
}

struct process_spec service_plan_spec(const struct service_plan *plan, const char *fifo) {
	return (struct process_spec){
		.argv = plan->argv,
		.env = plan->env,
		.directory = plan->directory,
		.become = plan->become,
		.uid = plan->uid,
		.gid = plan->gid,
		.groups = plan->groups,
		.group_count = plan->group_count,
		.umask = (mode_t)plan->settings->umask,
		.nice = (int)plan->settings->nice,
		.nofile = plan->settings->limit_nofile,
		.memory_max_bytes = plan->settings->memory_max_bytes,
		.cpu_max_percent = plan->settings->cpu_max_percent,
		.fifo = fifo,
	};
}

int service_plan_make(struct service_plan *plan, struct err *err) {
	const struct service_settings *settings = plan->settings;
	struct config_user person;
	int result = -1;
	if (config_user_find(settings->user, &person, err) != 0) return -1;
	if (plan_ids(plan, &person, err) != 0) goto out;
	plan_basics(plan, &person);
	if (settings->conda && service_conda_find(plan, &person, err) != 0) goto out;
	if (plan_path(plan, &person, err) != 0) goto out;
	if (settings->conda && service_conda_activate(plan, err) != 0) goto out;
	for (char **item = plan->tend_environment; item && *item; item++)
		config_env_put(&plan->env, xstrdup(*item));
	if (settings->environment_file && read_env_file(plan, &person, err) != 0) goto out;
	for (char **item = settings->environment; item && *item; item++)
		config_env_put(&plan->env, xstrdup(*item));
	if (plan_command(plan, err) != 0) goto out;
	service_conda_wrap(plan);
	if (settings->directory)
		plan->directory = config_user_expand(settings->directory, person.home, err);
	else
		plan->directory = xstrdup(plan->uid == 0 ? "/" : person.home);
	result = plan->directory ? 0 : -1;
out:
	config_user_release(&person);
	return result;
}

void service_plan_release(struct service_plan *plan) {
	service_settings_free(plan->settings);
	strv_free(plan->tend_path);
	strv_free(plan->tend_environment);
	strv_free(plan->argv);
	strv_free(plan->env);
	free(plan->directory);
	free(plan->conda);
	free(plan->groups);
	*plan = (struct service_plan){ 0 };
}
