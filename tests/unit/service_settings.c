/* The keys of [service NAME]: what they give the child, what is refused, what a reload does for
 * each. */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/internal.h"

static char folder[64], path[96];
static const struct config_table *const tables[] = { &service_table, NULL };

static int set_up(void **state) {
	strcpy(folder, "/tmp/tend-service-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.ini", folder);
	return 0;
}

static int tear_down(void **state) {
	unlink(path);
	return rmdir(folder);
}

static struct config *read_keys(const char *keys, struct err *err) {
	const struct config_options options = { .tables = tables, .home = "/home/us" };
	struct config_errors errors = { 0 };
	FILE *file = fopen(path, "w");
	fprintf(file, "[service s]\n%s", keys);
	fclose(file);
	struct config *config = config_read(path, &options, &errors, err);
	config_errors_release(&errors);
	return config;
}

static void bad_values_are_refused(void **state) {
	static const struct {
		const char *keys, *says;
	} cases[] = {
		{ "shell = no\n", "command" },
		{ "command = a 'b\n", "quote" },
		{ "command = a\nbefore_start = 'x\n", "quote" },
		{ "command = a\nafter_stop = ''\n", "command is empty" },
		{ "command = a\non_preempt = ''\n", "command is empty" },
		{ "command = a\nok_exit = 0 x\n", "'x' is no exit code" },
		{ "command = a\nno_restart_exit = 256\n", "'256' is no exit code" },
		{ "command = a\nenvironment = A\n", "'A' is not NAME=value" },
		{ "command = a\nenvironment = 1A=b\n", "is not NAME=value" },
		{ "command = a\ndirectory = here\n", "'here' is not absolute" },
		{ "command = a\npath = bin\n", "'bin' is not absolute" },
		{ "command = a\ngive_up_after = often\n", "'often' is no count" },
		{ "command = a\ngive_up_after = 0\n", "'0' is no count" },
		{ "command = a\nrestart = sometimes\n", "sometimes" },
		{ "command = a\nstop_signal = TREM\n", "TERM" },
		{ "command = a\nrestart_delay = 2m\nrestart_max_delay = 1m\n",
			"restart_max_delay is shorter" },
		{ "command = a\nnice = 20\n", "nice" },
		{ "command = a\numask = 999\n", "umask" },
		{ "command = a\nready = soon\n", "'soon' is no way to tell" },
		{ "command = a\nready = tcp:\n", "'tcp:' is no way to tell" },
		{ "command = a\nready = tcp:http\n", "has no port" },
		{ "command = a\nready = tcp:65536\n", "has no port" },
		{ "command = a\nready = tcp:example.org:80\n", "'example.org' is no address" },
		{ "command = a\nready = file:here\n", "'here' is not absolute" },
		{ "command = a\nlog = syslog\n", "file, journal or both" },
		{ "command = a\nlog = journal\nready = log:up\n", "log = journal makes none" },
		{ "command = a\nrestart = never\nready = notify\n", "ready when it ends well" },
		{ "command = a\nrestart = never\nready = tcp:80\n", "ready when it ends well" },
		{ "command = a\ncheck = log:up\n", "tells nothing of a service that is up" },
		{ "command = a\ncheck = file:/x\n", "tells nothing of a service that is up" },
		{ "command = a\ncheck_failures = 0\n", "check_failures" },
		{ "command = a\nconda = two words\n", "'two words' names no conda" },
		{ "command = a\nconda = here/x\n", "'here/x' is not absolute" },
		{ "command = a\nenvironment_file = credential:x\n", "LoadCredential=x:PATH" },
		{ "command = a\nmemory_max = 1KiB\n", "memory_max" },
		{ "command = a\ncpu_max = 0%\n", "per cent, from 1% to 100000%" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };
		struct config *config = read_keys(cases[i].keys, &err);
		if (config) fail_msg("taken: %s", cases[i].keys);
		if (!strstr(err.text, cases[i].says)) fail_msg("%s: %s", cases[i].keys, err.text);
	}
}

/* Trap 12: each key changed alone does what the contract says for it. */
static void each_key_has_its_effect(void **state) {
	static const struct {
		const char *key, *value;
		int effect;
	} cases[] = {
		{ "command", "other", 2 },
		{ "shell", "yes", 2 },
		{ "enabled", "no", 1 },
		{ "user", NULL, 2 },
		{ "group", "root", 2 },
		{ "directory", "/usr", 2 },
		{ "environment", "B=1", 2 },
		{ "environment_file", "/x", 2 },
		{ "path", "/y", 2 },
		{ "conda", "ml", 2 },
		{ "before_start", "true", 1 },
		{ "memory_max", "1GiB", 2 },
		{ "cpu_max", "50%", 2 },
		{ "after_stop", "true", 1 },
		{ "on_preempt", "true", 1 },
		{ "umask", "077", 2 },
		{ "nice", "3", 2 },
		{ "limit_nofile", "99", 2 },
		{ "restart", "never", 1 },
		{ "restart_delay", "1s", 1 },
		{ "restart_max_delay", "2m", 1 },
		{ "healthy_after", "1s", 1 },
		{ "give_up_after", "3", 1 },
		{ "ok_exit", "0 1", 1 },
		{ "no_restart_exit", "9", 1 },
		{ "stop_signal", "INT", 1 },
		{ "stop_timeout", "1s", 1 },
		{ "log_max_size", "1MiB", 1 },
		{ "log_keep", "1", 1 },
		{ "log", "journal", 1 },
		{ "after", "network", 1 },
		{ "requires", "network", 1 },
		{ "network", "no", 1 },
		{ "ready", "tcp:1", 1 },
		{ "ready_timeout", "1s", 1 },
		{ "check", "tcp:1", 1 },
		{ "check_every", "1s", 1 },
		{ "check_failures", "1", 1 },
	};
	struct err err = { 0 };
	struct config *base = read_keys("command = one\n", &err);
	struct config *same = read_keys("restart_max_delay = 1m\ncommand = one\n", &err);
	const struct service_settings *left = config_find(base, "service", "s")->settings;
	assert_int_equal(config_settings_compare(
				 &service_table, left, config_find(same, "service", "s")->settings),
		0);
	config_free(same);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char keys[256];
		const struct passwd *me = getpwuid(geteuid()); /* another would need root */
		const char *value = cases[i].value ? cases[i].value : me->pw_name;
		snprintf(keys, sizeof(keys), "%s%s = %s\n",
			strcmp(cases[i].key, "command") == 0 ? "" : "command = one\n", cases[i].key,
			value);
		struct config *config = read_keys(keys, &err);
		if (!config) fail_msg("%s", err.text);
		const struct service_settings *right =
			config_find(config, "service", "s")->settings;
		if (config_settings_compare(&service_table, left, right) != cases[i].effect)
			fail_msg("%s: %d", cases[i].key,
				config_settings_compare(&service_table, left, right));
		struct service_settings *copy = service_settings_copy(right);
		assert_int_equal(config_settings_compare(&service_table, copy, right), 0);
		service_settings_free(copy);
		config_free(config);
	}
	config_free(base);
	assert_int_equal(service_table.key_count, ARRAY_LEN(cases));
}

static void environment_files_are_read(void **state) {
	char text[] = "# c\n\n A=1\nB = no\n";
	char good[] = "; c\nA=one two\nB=\"q x\"\nC='z'\nexport D=4\nE=\nA=last\r\n";
	char **env = NULL;
	struct err err;
	assert_int_equal(service_env_parse(text, &env, &err), -1);
	assert_string_equal(err.text, "line 4 is not NAME=value");
	strv_free(env);
	env = NULL;
	assert_int_equal(service_env_parse(good, &env, &err), 0);
	char *const want[] = { "A=last", "B=q x", "C=z", "D=4", "E=", NULL };
	assert_true(strv_equal(env, want));
	strv_free(env);
}

static const char *value_of(char *const *env, const char *name) {
	size_t len = strlen(name);
	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') return *env + len + 1;
	return NULL;
}

/* The whole environment, from nothing of ours but LANG and TZ. */
static void the_environment_is_all_that_is_documented(void **state) {
	struct err err = { 0 };
	setenv("NOTIFY_SOCKET", "/x", 1);
	setenv("SECRET", "x", 1);
	setenv("LANG", "de_DE.UTF-8", 1);
	setenv("TZ", "Europe/Berlin", 1);
	struct config *config = read_keys(
		"command = sh -c 'a b'\npath = ~/bin /opt/bin\nenvironment = LANG=C\n  X=y=z w\n",
		&err);
	char *tend_path[] = { "/tend/bin", NULL };
	char *tend_env[] = { "X=tend", "T=1", NULL };
	struct service_plan plan = {
		.settings = service_settings_copy(config_find(config, "service", "s")->settings),
		.tend_path = strv_dup(tend_path),
		.tend_environment = strv_dup(tend_env),
	};
	assert_int_equal(service_plan_make(&plan, &err), 0);
	char *const argv[] = { "sh", "-c", "a b", NULL };
	assert_true(strv_equal(plan.argv, argv));
	char *paths = xasprintf("%s/bin:/opt/bin:/tend/bin:/usr/local/bin:/usr/bin:/bin%s",
		value_of(plan.env, "HOME"),
		geteuid() == 0 ? ":/usr/local/sbin:/usr/sbin:/sbin" : "");
	assert_string_equal(value_of(plan.env, "PATH"), paths);
	free(paths);
	assert_string_equal(value_of(plan.env, "LANG"), "C");
	assert_string_equal(value_of(plan.env, "TZ"), "Europe/Berlin");
	assert_string_equal(value_of(plan.env, "X"), "y=z w");
	assert_string_equal(value_of(plan.env, "T"), "1");
	assert_string_equal(value_of(plan.env, "USER"), value_of(plan.env, "LOGNAME"));
	assert_null(value_of(plan.env, "NOTIFY_SOCKET"));
	assert_null(value_of(plan.env, "SECRET"));
	static const char *const known[] = { "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG",
		"TZ", "XDG_RUNTIME_DIR", "X", "T" };
	for (char **item = plan.env; *item; item++) {
		bool found = false;
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			found |= strncmp(*item, known[i], strlen(known[i])) == 0;
		if (!found) fail_msg("%s", *item);
	}
	assert_false(plan.become);
	service_plan_release(&plan);
	config_free(config);
}

static void an_unknown_user_is_told(void **state) {
	struct err err = { 0 };
	if (geteuid() != 0) return; /* refused by the check already */
	struct config *config = read_keys("command = a\nuser = nobody-of-that-name\n", &err);
	struct service_plan plan = { .settings = service_settings_copy(
					     config_find(config, "service", "s")->settings) };
	assert_int_equal(service_plan_make(&plan, &err), -1);
	assert_string_equal(err.text, "there is no user 'nobody-of-that-name'");
	service_plan_release(&plan);
	config_free(config);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bad_values_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_key_has_its_effect, set_up, tear_down),
		cmocka_unit_test(environment_files_are_read),
		cmocka_unit_test_setup_teardown(
			the_environment_is_all_that_is_documented, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unknown_user_is_told, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
