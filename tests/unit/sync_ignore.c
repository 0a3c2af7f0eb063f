/* The ignore rules: tables for what is ours, and git as the judge for what is git's. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/ignore.h"

#include "base/base.h"

/* ---- tables ---- */

static void exclude_and_include_work_together(void **state) {
	static const struct {
		const char *exclude, *include; /* one line each; NULL: none */
		const char *path;
		bool folder;
		enum ignore_verdict want;
	} cases[] = {
		{ NULL, NULL, "", true, IGNORE_TAKEN },
		{ "*", NULL, "", true, IGNORE_TAKEN },
		{ NULL, NULL, "a/b", false, IGNORE_TAKEN },
		{ NULL, NULL, ".tend", true, IGNORE_EXCLUDED },
		{ NULL, NULL, ".tend/versions/a", false, IGNORE_EXCLUDED },
		{ "!.tend", ".tend", ".tend", true, IGNORE_EXCLUDED },
		{ NULL, NULL, ".tendency", false, IGNORE_TAKEN },
		{ NULL, NULL, "a/.tend", true, IGNORE_TAKEN },
		{ NULL, NULL, ".tendignore", false, IGNORE_TAKEN },
		{ NULL, NULL, ".tend-tmp.00ff.restore", false, IGNORE_EXCLUDED },
		{ "!.tend-tmp.*", NULL, "a/.tend-tmp.00ff.x", false, IGNORE_EXCLUDED },
		{ NULL, NULL, "a/x.tend-tmp.00ff", false, IGNORE_TAKEN },
		/* Nothing of ours is a folder there: what lies in it would be taken. */
		{ NULL, NULL, "a/.tend-tmp.00ff", true, IGNORE_TAKEN },
		{ NULL, NULL, "a/.tend-tmp.00ff/x", false, IGNORE_TAKEN },
		{ "*.tmp", NULL, "a/x.tmp", false, IGNORE_EXCLUDED },
		{ "tmp/", NULL, "tmp", false, IGNORE_TAKEN },
		{ "tmp/", NULL, "tmp", true, IGNORE_EXCLUDED },
		{ "tmp/", NULL, "a/tmp/x", false, IGNORE_EXCLUDED },
		{ "/tmp", NULL, "a/tmp", true, IGNORE_TAKEN },
		/* include: what matches, and what lies in a folder that matches. */
		{ NULL, "*.jpg", "x.jpg", false, IGNORE_TAKEN },
		{ NULL, "*.jpg", "x.png", false, IGNORE_EXCLUDED },
		{ NULL, "*.jpg", "a/b", true, IGNORE_ENTERED },
		{ NULL, "*.jpg", "a/b/x.jpg", false, IGNORE_TAKEN },
		{ NULL, "docs/", "docs", true, IGNORE_TAKEN },
		{ NULL, "docs/", "docs", false, IGNORE_EXCLUDED },
		{ NULL, "docs/", "docs/a/b", false, IGNORE_TAKEN },
		{ NULL, "docs/", "other", true, IGNORE_ENTERED }, /* it may hold a docs */
		{ NULL, "/docs/", "other", true, IGNORE_EXCLUDED },
		{ NULL, "/docs/2020/*.pdf", "docs", true, IGNORE_ENTERED },
		{ NULL, "/docs/2020/*.pdf", "docs/2020", true, IGNORE_ENTERED },
		{ NULL, "/docs/2020/*.pdf", "docs/2021", true, IGNORE_EXCLUDED },
		{ NULL, "/docs/2020/*.pdf", "doc", true, IGNORE_EXCLUDED },
		{ NULL, "/docs/2020/*.pdf", "docs/2020/a.pdf", false, IGNORE_TAKEN },
		{ NULL, "/docs/2020/*.pdf", "docs/2020/a.txt", false, IGNORE_EXCLUDED },
		{ NULL, "a/**/z", "a/b/c", true, IGNORE_ENTERED },
		{ NULL, "a/**/z", "b", true, IGNORE_EXCLUDED },
		{ NULL, "!x", "x", false, IGNORE_EXCLUDED },
		{ NULL, "#", "#", false, IGNORE_TAKEN }, /* a comment is no line at all */
		/* exclude wins. */
		{ "*.jpg", "*.jpg", "x.jpg", false, IGNORE_EXCLUDED },
		{ "raw/", "photos/", "photos/raw/x", false, IGNORE_EXCLUDED },
		{ "raw/", "photos/", "photos/x", false, IGNORE_TAKEN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ignore *ignore = ignore_new();
		if (cases[i].exclude) ignore_add_exclude(ignore, cases[i].exclude);
		if (cases[i].include) ignore_add_include(ignore, cases[i].include);
		enum ignore_verdict got = ignore_check(ignore, cases[i].path, cases[i].folder);
		if (got != cases[i].want) {
			fail_msg("case %zu: '%s' with exclude '%s', include '%s': %d", i,
				cases[i].path, cases[i].exclude ? cases[i].exclude : "",
				cases[i].include ? cases[i].include : "", (int)got);
		}
		ignore_free(ignore);
	}
}

static void later_include_lines_and_nearer_ones_win(void **state) {
	struct ignore *ignore = ignore_new();

	ignore_add_include(ignore, "docs/");
	ignore_add_include(ignore, "!docs/drafts/");
	ignore_add_include(ignore, "docs/drafts/good.txt");
	assert_int_equal(ignore_check(ignore, "docs/a", false), IGNORE_TAKEN);
	assert_int_equal(ignore_check(ignore, "docs/drafts", true), IGNORE_ENTERED);
	assert_int_equal(ignore_check(ignore, "docs/drafts/a", false), IGNORE_EXCLUDED);
	assert_int_equal(ignore_check(ignore, "docs/drafts/good.txt", false), IGNORE_TAKEN);
	ignore_free(ignore);
}

static bool set_file(struct ignore *ignore, const char *base, const char *text) {
	return ignore_set_file(ignore, base, text, strlen(text));
}

static void files_come_and_go(void **state) {
	struct ignore *ignore = ignore_new();

	ignore_add_exclude(ignore, "*.log");
	assert_true(set_file(ignore, "a", "!keep.log\nx\n"));
	assert_false(set_file(ignore, "a", "!keep.log\nx\n"));
	assert_true(set_file(ignore, "a/b", "y"));
	assert_true(set_file(ignore, "ab", "x"));
	assert_int_equal(ignore_check(ignore, "a/keep.log", false), IGNORE_TAKEN);
	assert_int_equal(ignore_check(ignore, "keep.log", false), IGNORE_EXCLUDED);
	assert_int_equal(ignore_check(ignore, "a/b/x", false), IGNORE_EXCLUDED);
	assert_int_equal(ignore_check(ignore, "a/b/y", false), IGNORE_EXCLUDED);
	assert_int_equal(ignore_check(ignore, "a/y", false), IGNORE_TAKEN);
	assert_true(set_file(ignore, "a", ""));
	assert_int_equal(ignore_check(ignore, "a/b/x", false), IGNORE_TAKEN);
	assert_true(ignore_drop_file(ignore, "a"));
	assert_false(ignore_drop_file(ignore, "a"));
	assert_int_equal(ignore_check(ignore, "a/keep.log", false), IGNORE_EXCLUDED);
	ignore_drop_below(ignore, "a");
	assert_int_equal(ignore_check(ignore, "a/b/y", false), IGNORE_TAKEN);
	assert_int_equal(ignore_check(ignore, "ab/x", false), IGNORE_EXCLUDED);
	ignore_free(ignore);
}

/* Lines on which matchers that go back and try again do not end. */
static void hostile_lines_end(void **state) {
	struct ignore *ignore = ignore_new();
	struct buf line, path;

	buf_init(&line, 1 << 16);
	buf_init(&path, 1 << 16);
	for (int i = 0; i < 60; i++) buf_adds(&line, "**/a/*a*");
	for (int i = 0; i < 300; i++) buf_adds(&path, i ? "/a" : "a");
	buf_adds(&line, "b");
	ignore_add_exclude(ignore, line.at);
	assert_int_equal(ignore_check(ignore, path.at, false), IGNORE_TAKEN);
	/* Longer than what is matched at all. */
	for (int i = 0; i < 1000; i++) buf_adds(&line, "?*");
	ignore_add_exclude(ignore, line.at);
	assert_int_equal(ignore_check(ignore, path.at, false), IGNORE_TAKEN);
	buf_release(&line);
	buf_release(&path);
	ignore_free(ignore);
}

/* ---- git as the judge ---- */

static uint64_t seed = 20240229;

static unsigned pick(unsigned below) {
	/* splitmix64 */
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (unsigned)((z ^ (z >> 31)) % below);
}

/* Names from few letters, so that lines hit. Kind by name: capitals are folders. */
static const char *const files[] = { "a", "b", "ab", "a.b", "a-b", "aab", "!a", "#a", "b ", "a\\b",
	"*", "[a]", "a]", "\xc3\xa9", "x.tmp" };
static const char *const folders[] = { "A", "B", "AB", "A.B", "A-B", " A", "A ", "\xff" };

static void random_path(struct buf *path, bool *folder) {
	unsigned depth = pick(4);

	buf_clear(path);
	for (unsigned i = 0; i < depth; i++) {
		buf_addf(path, "%s/", folders[pick(ARRAY_LEN(folders))]);
	}
	*folder = pick(3) == 0;
	buf_adds(path, *folder ? folders[pick(ARRAY_LEN(folders))] : files[pick(ARRAY_LEN(files))]);
}

static void random_line(struct buf *line) {
	static const char *const pieces[] = { "a", "b", "A", "B", "ab", "*", "*", "**", "?", "/",
		"/", "/**/", "**/", "/**", "[ab]", "[!a]", "[^A]", "[a-z]", "[]a]", "[[:upper:]]",
		"[[:alpha:]b]", "[a-]", "[--a]", "[\\]a]", "[b-\\d]", "[[:none:]]", "[[:a]", "[a",
		".", "-", "\\a", "\\*", "\\!", "\\\\", "\\ ", " ", "***", "\xc3\xa9", "\xff", "tmp",
		"\\/", "**\\/", "[[]", "]", "#", "!" };
	unsigned count = 1 + pick(5);
	bool folder;

	buf_clear(line);
	if (pick(4) == 0) buf_adds(line, "!");
	if (pick(5) == 0) buf_adds(line, "/");
	if (pick(2) == 0) {
		/* A path, a bit bent. */
		struct buf path;
		buf_init(&path, 1000);
		random_path(&path, &folder);
		if (pick(2)) path.at[pick((unsigned)path.len)] = "*?/a"[pick(4)];
		buf_adds(line, path.at);
		buf_release(&path);
	} else {
		for (unsigned i = 0; i < count; i++)
			buf_adds(line, pieces[pick(ARRAY_LEN(pieces))]);
	}
	if (pick(5) == 0) buf_adds(line, "/");
	if (pick(8) == 0) buf_adds(line, " ");
	if (pick(30) == 0) buf_adds(line, "\r");
	if (pick(40) == 0) buf_adds(line, "\\");
}

static void write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_path(const char *path, bool folder) {
	char *copy = xstrdup(path);

	for (char *slash = copy; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		assert_true(mkdir(copy, 0700) == 0 || errno == EEXIST);
	}
	if (folder)
		assert_true(mkdir(copy, 0700) == 0 || errno == EEXIST);
	else
		write_file(copy, "");
	free(copy);
}

/* Runs git in the current folder, which is not ours but a temporary one; stdin and stdout are
 * files. */
static void run_git(const char *in, const char *out, char *const argv[]) {
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		(void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
		(void)setenv("GIT_CONFIG_SYSTEM", "/dev/null", 1);
		(void)setenv("HOME", "/nonexistent", 1);
		(void)unsetenv("GIT_DIR");
		int from = open(in, O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (from < 0 || to < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0) _exit(126);
		(void)execvp("git", argv);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	/* check-ignore: 1 when no path is ignored. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) fail_msg("git ended with %d", status);
}

enum { PATHS = 100, ROUNDS = 80, LEVELS = 4 };

struct level {
	char *base, *text;
};

struct round {
	struct ignore *ignore;
	char *paths[PATHS];
	bool folder[PATHS];
	struct level levels[LEVELS]; /* the first is the keys of the ini */
	size_t level_count;
};

static void new_rules(struct round *round) {
	struct buf text, line, base;
	bool folder;

	buf_init(&text, 1 << 16);
	buf_init(&line, 4000);
	buf_init(&base, 4000);
	round->ignore = ignore_new();
	round->level_count = 1 + pick(LEVELS);
	for (size_t i = 0; i < round->level_count; i++) {
		buf_clear(&base);
		if (i > 1) {
			do random_path(&base, &folder);
			while (!folder);
		}
		if (i == 1 && pick(6) == 0) buf_adds(&text, "\xef\xbb\xbf");
		for (unsigned n = 1 + pick(6); n > 0; n--) {
			random_line(&line);
			if (i == 0) ignore_add_exclude(round->ignore, line.at);
			buf_addf(&text, "%s%s", line.at, n > 1 || pick(4) ? "\n" : "");
		}
		round->levels[i] = (struct level){ xstrdup(base.at), buf_steal(&text) };
		if (i == 0) {
			write_file(".git/info/exclude", round->levels[i].text);
			continue;
		}
		(void)set_file(round->ignore, base.at, round->levels[i].text);
		char *path = path_join(base.at, ".gitignore");
		if (base.len) make_path(base.at, true);
		write_file(path, round->levels[i].text);
		free(path);
	}
	buf_release(&text);
	buf_release(&line);
	buf_release(&base);
}

static void end_rules(struct round *round) {
	for (size_t i = 0; i < round->level_count; i++) {
		char *path = path_join(round->levels[i].base, ".gitignore");
		if (i > 0) (void)unlink(path);
		free(path);
		free(round->levels[i].base);
		free(round->levels[i].text);
	}
	ignore_free(round->ignore);
}

static void disagree(const struct round *round, size_t i, bool git_says) {
	print_error("git says that '%s'%s is %s; the rules:\n", round->paths[i],
		round->folder[i] ? " (a folder)" : "", git_says ? "ignored" : "not ignored");
	for (size_t n = 0; n < round->level_count; n++) {
		char *text = str_printable(round->levels[n].text);
		print_error("%s '%s': %s\n", n ? "file in" : "keys", round->levels[n].base, text);
		free(text);
	}
	fail();
}

/* Answers are SOURCE LINE PATTERN PATH, each ended by a zero; a pattern with '!' in front takes
 * back. */
static size_t compare(const struct round *round) {
	struct buf answer;
	char block[65536];
	size_t len, ignored = 0;
	FILE *file = fopen(".git/answer", "r");

	assert_non_null(file);
	buf_init(&answer, 1 << 24);
	while ((len = fread(block, 1, sizeof(block), file)) > 0) buf_add(&answer, block, len);
	(void)fclose(file);
	const char *at = answer.at;
	for (size_t i = 0; i < PATHS; i++) {
		const char *field[4];
		for (size_t n = 0; n < ARRAY_LEN(field); n++) {
			assert_true(at < answer.at + answer.len);
			field[n] = at;
			at += strlen(at) + 1;
		}
		assert_string_equal(field[3], round->paths[i]);
		bool git_says = *field[0] && *field[2] != '!';
		bool we_say = ignore_check(round->ignore, round->paths[i], round->folder[i]) ==
			      IGNORE_EXCLUDED;
		if (git_says != we_say) disagree(round, i, git_says);
		ignored += git_says;
	}
	buf_release(&answer);
	return ignored;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
	return remove(path);
}

static void git_agrees(void **state) {
	char folder[] = "/tmp/tend-ignore-XXXXXX", was[4096];
	char *const init[] = { "git", "init", "-q", ".", NULL };
	char *const check[] = { "git", "check-ignore", "--stdin", "-z", "--no-index", "-v", "-n",
		NULL };
	struct round round = { 0 };
	size_t ignored = 0;

	assert_non_null(getcwd(was, sizeof(was)));
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	run_git("/dev/null", "/dev/null", init);
	struct buf path;
	buf_init(&path, 4000);
	for (int n = 0; n < ROUNDS; n++) {
		FILE *question = fopen(".git/question", "w");
		assert_non_null(question);
		for (size_t i = 0; i < PATHS; i++) {
			random_path(&path, &round.folder[i]);
			make_path(path.at, round.folder[i]);
			round.paths[i] = xstrdup(path.at);
			assert_true(fwrite(path.at, 1, path.len + 1, question) == path.len + 1);
		}
		assert_int_equal(fclose(question), 0);
		new_rules(&round);
		run_git(".git/question", ".git/answer", check);
		ignored += compare(&round);
		end_rules(&round);
		for (size_t i = 0; i < PATHS; i++) free(round.paths[i]);
	}
	buf_release(&path);
	/* Lines that hit nothing, or everything, would prove little. */
	assert_in_range(ignored, PATHS * ROUNDS / 6, PATHS * ROUNDS * 5 / 6);
	assert_int_equal(chdir(was), 0);
	assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exclude_and_include_work_together),
		cmocka_unit_test(later_include_lines_and_nearer_ones_win),
		cmocka_unit_test(files_come_and_go),
		cmocka_unit_test(hostile_lines_end),
		cmocka_unit_test(git_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
