/* Settings that outlive their configuration, environments, and what ~ means to a unit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"

struct kept {
	char *text, *path;
	char **words;
	int64_t number;
	bool flag;
};

#define FIELD(member) offsetof(struct kept, member)
static const struct config_key keys[] = {
	{ .name = "text", .type = CONFIG_TEXT, .offset = FIELD(text), .reload = RELOAD_REBUILD },
	{ .name = "path", .type = CONFIG_PATH, .offset = FIELD(path), .reload = RELOAD_RESTART },
	{ .name = "words", .type = CONFIG_WORDS, .offset = FIELD(words), .reload = RELOAD_RESTART },
	{ .name = "number", .type = CONFIG_INT, .offset = FIELD(number), .reload = RELOAD_LIVE },
	{ .name = "flag", .type = CONFIG_BOOL, .offset = FIELD(flag), .reload = RELOAD_LIVE },
};
static const struct config_table table = {
	.kind = "kept", .size = sizeof(struct kept), .keys = keys, .key_count = ARRAY_LEN(keys)
};

static void a_copy_is_its_own(void **state) {
	(void)state;
	char text[] = "text", one[] = "one", other[] = "other";
	char *words[] = { one, other, NULL };
	const struct kept from = { .text = text, .words = words, .number = 7, .flag = true };
	struct kept copy;
	config_settings_copy(&table, &copy, &from);
	assert_int_equal(config_settings_compare(&table, &copy, &from), 0);
	assert_ptr_not_equal(copy.text, text);
	assert_ptr_not_equal(copy.words[1], other);
	text[0] = 'n';
	other[0] = 'n';
	assert_string_equal(copy.text, "text");
	assert_string_equal(copy.words[1], "other");
	assert_null(copy.path);
	config_settings_release(&table, &copy);
	assert_null(copy.text);
}

static void the_strongest_difference_counts(void **state) {
	(void)state;
	char text[] = "text", path[] = "/path";
	const struct kept was = { .text = text, .number = 7 };
	struct kept now = was;
	assert_int_equal(config_settings_compare(&table, &was, &now), 0);
	now.number = 8;
	assert_int_equal(config_settings_compare(&table, &was, &now), 1);
	now.path = path;
	assert_int_equal(config_settings_compare(&table, &was, &now), 2);
	now.text = NULL;
	assert_int_equal(config_settings_compare(&table, &was, &now), 3);
}

static void the_last_one_said_wins(void **state) {
	(void)state;
	char **env = NULL;
	config_env_set(&env, "A", "1");
	config_env_set(&env, "AB", "2");
	config_env_put(&env, xstrdup("A=3"));
	assert_int_equal(strv_count(env), 2);
	assert_string_equal(env[0], "A=3");
	assert_string_equal(env[1], "AB=2");
	strv_free(env);
}

static void names_are_those_of_a_shell(void **state) {
	(void)state;
	static const char *const good[] = { "A=", "_a1=x", "PATH=/bin=x", NULL };
	static const char *const bad[] = { "", "=", "A", "1A=", "A-B=", " A=", NULL };
	for (size_t i = 0; good[i]; i++) assert_true(config_env_valid(good[i]));
	for (size_t i = 0; bad[i]; i++) assert_false(config_env_valid(bad[i]));
}

static void home_is_the_units(void **state) {
	(void)state;
	static const struct {
		const char *text, *whole;
	} rows[] = { { "~", "/of/it" }, { "~/a", "/of/it/a" }, { "/b", "/b" },
		{ "~root/c", "/root/c" }, { "c/~", "c/~" } };
	struct err err;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *whole = config_user_expand(rows[i].text, "/of/it", &err);
		assert_string_equal(whole, rows[i].whole);
		free(whole);
	}
	assert_null(config_user_expand("~nobody-of-that-name/x", "/of/it", &err));
	assert_null(config_user_expand("~/${NOT_SET_HERE}", "/of/it", &err));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_its_own),
		cmocka_unit_test(the_strongest_difference_counts),
		cmocka_unit_test(the_last_one_said_wins),
		cmocka_unit_test(names_are_those_of_a_shell),
		cmocka_unit_test(home_is_the_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
