/* Further files: their order, what is given twice across them, and whose they must be when root
 * reads them. */
#include "unit/config_ini.h"

static void make_folder(const char *name, mode_t mode) {
	char *path = scratch_path(name);
	assert_int_equal(mkdir(path, mode), 0);
	assert_int_equal(chmod(path, mode), 0);
	free(path);
}

static void write_text(const char *name, const char *text) {
	scratch_write(name, text, strlen(text));
}

static struct config *read_main(bool strict_owner, struct config_errors *errors, struct err *err) {
	const struct config_options options = {
		.tables = tables, .home = scratch, .strict_owner = strict_owner
	};
	char *path = scratch_path("main.ini");
	struct config *config = config_read(path, &options, errors, err);
	free(path);
	return config;
}

static void files_come_in_name_order(void **state) {
	(void)state;
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	make_folder("conf.d", 0755);
	make_folder("more", 0755);
	write_text("main.ini", "[thing first]\n[tend]\ninclude = conf.d/*.ini\n  ~/more/x.ini\n  "
			       "conf.d/b.ini\n  none/*.ini\n[thing second]\n");
	/* Written in another order; upper case comes first in bytes, and last in many locales. */
	write_text("conf.d/c.ini", "[thing from-c]");
	write_text("conf.d/a.ini", "[thing from-a]\n[thing from-a2]\n");
	write_text("conf.d/B.ini", "[thing from-B]\n");
	write_text("conf.d/b.ini", "[thing from-b]\n");
	write_text("conf.d/.hidden.ini", "nonsense\n");
	write_text("conf.d/a.ini~", "nonsense\n");
	write_text("more/x.ini", "[thing from-x]\ntext = y\n");
	struct config *config = read_main(false, &errors, &err);
	if (!config) fail_msg("%s", err.text);
	static const char *const names[] = { "first", "second", "from-B", "from-a", "from-a2",
		"from-b", "from-c", "from-x" };
	struct config_section *section = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		section = config_next(config, "thing", section);
		assert_non_null(section);
		assert_string_equal(section->name, names[i]);
	}
	assert_null(config_next(config, "thing", section));
	char *path = scratch_path("more/x.ini");
	assert_string_equal(section->file, path);
	assert_int_equal(strv_count(config->files), 6);
	assert_string_equal(config->files[5], path);
	assert_true(str_ends(config->path, "/main.ini"));
	/* The key is an ordinary one of [tend] too. */
	assert_int_equal(
		strv_count(((struct main_settings *)config_find(config, "tend", "")->settings)
				   ->include),
		4);
	config_free(config);
	free(path);
}

static void wrongs_across_files(void **state) {
	(void)state;
	static const struct {
		const char *main, *other, *text;
	} rows[] = {
		{ "[tend]\ninclude = o.ini\n[thing a]\n", "\n[thing a]\n",
			"/o.ini:2: [thing a] is given twice, first at %s/main.ini:3" },
		{ "[tend]\ninclude = o.ini\n", "[tend]\ninclude = main.ini\n",
			"/o.ini:1: [tend] is given twice, first at %s/main.ini:1" },
		{ "[tend]\ninclude = o.ini\n[thing a]\n", "flag = no\n",
			"/o.ini:1: 'flag' stands before the first [section]" },
		{ "[tend]\ninclude = o.ini\n", "\n\n[thing a]\nflg = no",
			"/o.ini:4: unknown key 'flg' (did you mean 'flag'?)" },
		{ "[tend]\n\ninclude = p.ini\n", "", "/main.ini:3: no file '%s/p.ini' to include" },
		{ "[tend]\ninclude = conf.e\n", "",
			"/main.ini:2: cannot read '%s/conf.e': it is not a file" },
		{ "[tend]\ninclude = ${TEND_NOT_SET}/x\n", "",
			"/main.ini:2: 'include': '${TEND_NOT_SET}' is not set" },
	};
	make_folder("conf.e", 0755);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_errors errors = { 0 };
		struct err err = { 0 };
		write_text("main.ini", rows[i].main);
		write_text("o.ini", rows[i].other);
		assert_null(read_main(false, &errors, &err));
		const char *hole = strstr(rows[i].text, "%s");
		char *text = hole ? xasprintf("%s%.*s%s%s", scratch, (int)(hole - rows[i].text),
					    rows[i].text, scratch, hole + 2)
				  : xasprintf("%s%s", scratch, rows[i].text);
		assert_int_equal(strv_count(errors.lines), 1);
		assert_string_equal(errors.lines[0], text);
		config_errors_release(&errors);
		free(text);
	}
}

/* ---- strict_owner; as somebody else than root every file is refused, so the table says what
 * root is told ---- */

struct owner_row {
	mode_t folder, file;
	uid_t folder_uid, file_uid;
	const char *text; /* after the scratch folder; NULL: fine */
};

static const struct owner_row owner_rows[] = {
	{ 0755, 0644, 0, 0, NULL },
	{ 0700, 0600, 0, 0, NULL },
	{ 01777, 0644, 0, 0, NULL },
	{ 0755, 0664, 0, 0, "'%s/own/t.ini' can be written by others: chmod go-w %s/own/t.ini" },
	{ 0755, 0646, 0, 0, "'%s/own/t.ini' can be written by others: chmod go-w %s/own/t.ini" },
	{ 0777, 0644, 0, 0, "'%s/own' can be written by others: chmod go-w %s/own" },
	{ 0775, 0644, 0, 0, "'%s/own' can be written by others: chmod go-w %s/own" },
	{ 0755, 0644, 0, 12345,
		"'%s/own/t.ini' is not root's, and root would run what it says: chown root "
		"%s/own/t.ini" },
	{ 0755, 0644, 12345, 0,
		"'%s/own' is not root's, and root would run what it says: chown root %s/own" },
};

static char *filled(const char *text) {
	struct buf out;
	buf_init(&out, 1000);
	for (const char *hole; (hole = strstr(text, "%s")); text = hole + 2) {
		buf_add(&out, text, (size_t)(hole - text));
		buf_adds(&out, scratch);
	}
	buf_adds(&out, text);
	return buf_steal(&out);
}

static void check_owner_row(const char *path, const struct owner_row *row) {
	const struct config_options options = { .tables = tables, .strict_owner = true };
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	struct config *config = config_read(path, &options, &errors, &err);
	if (row->text) {
		char *text = filled(row->text);
		assert_null(config);
		assert_string_equal(err.text, text);
		free(text);
	} else if (!config) {
		fail_msg("%s", err.text);
	}
	config_free(config);
	config_errors_release(&errors);
}

static void root_reads_what_is_roots(void **state) {
	(void)state;
	make_folder("own", 0755);
	write_text("own/t.ini", "[thing a]\n");
	char *folder = scratch_path("own"), *file = scratch_path("own/t.ini"),
	     *link = scratch_path("link.ini");
	assert_int_equal(symlink(file, link), 0);
	if (geteuid() != 0) {
		const struct owner_row row = {
			.text = "'%s/own/t.ini' is not root's, and root would run what it says: "
				"chown root %s/own/t.ini"
		};
		check_owner_row(file, &row);
	}
	for (size_t i = 0; geteuid() == 0 && i < ARRAY_LEN(owner_rows); i++) {
		const struct owner_row *row = &owner_rows[i];
		assert_int_equal(chown(folder, row->folder_uid, 0), 0);
		assert_int_equal(chmod(folder, row->folder), 0);
		assert_int_equal(chown(file, row->file_uid, 0), 0);
		assert_int_equal(chmod(file, row->file), 0);
		check_owner_row(file, row);
		/* Through a link in a good folder nothing gets better. */
		if (!row->text) check_owner_row(link, row);
		if (row->text && strstr(row->text, "/own'")) check_owner_row(link, row);
	}
	assert_int_equal(chmod(folder, 0755), 0);
	free(link);
	free(file);
	free(folder);
}

static void includes_are_roots_too(void **state) {
	(void)state;
	struct config_errors errors = { 0 };
	struct err err = { 0 };
	make_folder("open", 0777);
	write_text("open/x.ini", "[thing a]\n");
	write_text("main.ini", "[tend]\ninclude = open/*.ini\n");
	assert_null(read_main(true, &errors, &err));
	char *text = filled(
		geteuid() == 0
			? "%s/main.ini:2: '%s/open' can be written by others: chmod go-w %s/open"
			: "'%s/main.ini' is not root's, and root would run what it says: chown "
			  "root %s/main.ini");
	assert_string_equal(errors.lines[0], text);
	config_errors_release(&errors);
	config_free(read_main(false, &errors, &err));
	assert_null(errors.lines);
	free(text);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_come_in_name_order),
		cmocka_unit_test(wrongs_across_files),
		cmocka_unit_test(root_reads_what_is_roots),
		cmocka_unit_test(includes_are_roots_too),
	};
	return cmocka_run_group_tests_name("config_include", tests, scratch_make, scratch_remove);
}
