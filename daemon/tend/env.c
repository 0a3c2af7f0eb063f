/* tend env: the environment that a service would get, by the configuration as it stands. Nobody is asked: it may hold secrets, which
 * are for those who may read the files and be that user. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/service.h"
#include "tend/source.h"

struct telling {
	struct call *call;
	bool done;
	int code;
};

static void print_environment(char *const *env) {
	json_t *values = json_object();
	for (; *env; env++) {
		char *name = xstrdup(*env);
		char *value = strchr(name, '=');
		if (value) {
			*value++ = '\0';
			char *clean = str_is_utf8(value, strlen(value)) ? xstrdup(value)
									: str_printable(value);
			json_object_set_new(values, name, json_string(clean));
			free(clean);
		}
		free(name);
	}
	json_t *answer = json_pack("{s:i, s:o}", "api", 1, "environment", values);
	print_json(answer);
	json_decref(answer);
}

static void told(void *user, char *const *env, const struct err *err) {
	struct telling *telling = user;
	telling->done = true;
	if (err) {
		say("%s", err->text);
		telling->code = EXIT_FAILED;
	} else if (telling->call->json) {
		print_environment(env);
	} else {
		for (; *env; env++) puts(*env);
	}
}

static int env_run(struct call *call) {
	struct telling telling = { .call = call, .code = EXIT_DONE };
	struct direct_service service;
	struct err err;
	if (direct_service_open(&service, call, call->words[0], &err) != 0) {
		say("%s", err.text);
		return EXIT_USAGE;
	}
	const struct service_settings *settings = service.settings;
	if (settings->user && config_user_check(settings->user, &err) != 0) {
		say(err.kind == ERR_DENIED ? "'%s' runs as user '%s': ask as that user, or as root"
					   : "'%s' wants user '%s', who is not there",
			service.name, settings->user);
		telling.code = EXIT_FAILED;
	} else {
		/* The keeper listens beside tendd. */
		char *dir = path_parent(call->client.socket);
		char *notify_path = path_join(dir, "notify.sock");
		const struct service_show_options options = { .loop = call->client.loop,
			.name = service.name,
			.settings = settings,
			.path = service.path,
			.environment = service.environment,
			.notify_path = notify_path };
		struct service_show *show = service_show_start(&options, told, &telling);
		loop_run_until(call->client.loop, &telling.done);
		service_show_free(show);
		free(notify_path);
		free(dir);
	}
	direct_service_close(&service);
	return telling.code;
}

const struct command command_env = {
	.name = "env",
	.usage = "SERVICE",
	.help = "the environment that a service gets",
	.least = 1,
	.most = 1,
	.run = env_run,
};
