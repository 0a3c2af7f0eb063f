/* 5,000 damaged ini files: each is read to settings or to errors with a line, the same ones
 * twice, and nothing else happens (the sanitizers watch). tests/fuzz/config.c looks further, by
 * coverage. */
#include "unit/config_ini.h"

enum { ROUNDS = 5000, INI_MAX = 4096 };

static const char *const seeds[] = {
	"[tend]\nworkers = 4\ninclude = other.ini\n\n[thing a]\ntext = sh -c 'x ; y' # z\npath = "
	"~/x/${HOME}\n",
	"[thing a]\ntype = s3\nbucket = b\nwords =\n    one\n\n    two words\n  # three\nlines = "
	"a\n\tb\n",
	"\xef\xbb\xbf# top\r\n[thing c]\r\nflag = no\r\ncount = 64\r\nsize = 64KiB\r\nspan = "
	"1h30m\r\nmask = 077\r\n",
	"[folder f]\npath = /a//b/../c\n[thing d]\nmode = mirror\nshare = 50%\nsecret_file = "
	"/no/such\n[step s]\nrun = x\n",
	"[thing e]\ntext =\n        deep\n    less\n\n\n\tmixed\n    = : [x]\nuser = root\npath = "
	"~/y\n",
};

static const char *const pieces[] = { "\n", "\r\n", "\n\n  ", "[", "]", "[thing ", "[tend]\n", "=",
	" = ", ":", ";", " ;", "#", "\t", "    ", "${", "}", "~", "~root", "'", "\\", "none", "%",
	"-", "99999999999999999999", "KiB", "text = ", "text =\n ", "type = s3\n",
	"include = other.ini\n", "\x01", "\x02", "\x03", "\xff", "\xc3", "\xef\xbb\xbf" };

static uint64_t random_state = 88172645463325252;

static size_t below(size_t limit) {
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (size_t)(random_state % limit);
}

static void insert(struct buf *ini, size_t at, const char *bytes, size_t len) {
	char *tail = xmemdup(ini->at + at, ini->len - at);
	size_t tail_len = ini->len - at;
	struct buf out;
	buf_init(&out, INI_MAX);
	buf_add(&out, ini->at, at);
	buf_add(&out, bytes, len);
	buf_add(&out, tail, tail_len);
	buf_release(ini);
	*ini = out;
	free(tail);
}

static void mutate(struct buf *ini) {
	if (ini->len == 0) return;
	size_t at = below(ini->len);
	size_t len = 1 + below(ini->len - at < 40 ? ini->len - at : 40);
	const char *piece = pieces[below(ARRAY_LEN(pieces))];
	switch (below(5)) {
	case 0: ini->at[at] = (char)below(256); break;
	case 1:
		memmove(ini->at + at, ini->at + at + len, ini->len - at - len);
		ini->len -= len;
		break;
	case 2: insert(ini, at, piece, strlen(piece)); break;
	case 3: {
		char *copy = xmemdup(ini->at + at, len);
		insert(ini, below(ini->len), copy, len);
		free(copy);
		break;
	}
	default: {
		/* A line longer than the library's buffer. */
		char run[300];
		memset(run, ini->at[at] ? ini->at[at] : 'x', sizeof(run));
		insert(ini, at, run, sizeof(run));
	}
	}
}

static bool read_once(struct config_errors *errors) {
	const struct config_options options = { .tables = tables, .home = "/home/of/daemon" };
	struct err err = { 0 };
	char *path = scratch_path("a.ini");
	struct config *config = config_read(path, &options, errors, &err);
	assert_true((config != NULL) == (errors->lines == NULL));
	assert_true((config != NULL) == (err.kind == ERR_NONE));
	for (size_t i = 0; i < strv_count(errors->lines); i++) {
		const char *line = errors->lines[i];
		assert_true(str_starts(line, scratch) || str_starts(line, "there is more"));
	}
	struct config_section *section = NULL;
	while (config && (section = config_next(config, "thing", section))) {
		const struct thing *thing = section->settings;
		assert_true(!thing->path || thing->path[0] == '/');
		assert_true(thing->count >= 1 && thing->count <= 64);
		assert_int_equal(config_compare(section, section, NULL), 0);
	}
	bool good = config != NULL;
	config_free(config);
	free(path);
	return good;
}

static void damage_is_told(void **state) {
	(void)state;
	int good = 0, bad = 0;
	scratch_write("other.ini", "[thing other]\n", 14);
	for (int round = 0; round < ROUNDS; round++) {
		const char *seed = seeds[below(ARRAY_LEN(seeds))];
		struct config_errors first = { 0 }, second = { 0 };
		struct buf ini;
		buf_init(&ini, INI_MAX);
		buf_adds(&ini, seed);
		for (size_t times = below(6); times > 0; times--) mutate(&ini);
		scratch_write("a.ini", ini.at, ini.len);
		bool was_good = read_once(&first);
		assert_int_equal(read_once(&second), was_good);
		assert_true(strv_equal(first.lines, second.lines));
		good += was_good;
		bad += !was_good;
		config_errors_release(&first);
		config_errors_release(&second);
		buf_release(&ini);
	}
	/* Neither all harmless nor all hopeless: the mutations reach the inside. */
	assert_true(good > ROUNDS / 20);
	assert_true(bad > ROUNDS / 5);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(damage_is_told) };
	return cmocka_run_group_tests_name("config_mutations", tests, scratch_make, scratch_remove);
}
