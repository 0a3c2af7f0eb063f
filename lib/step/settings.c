/* The keys of [step NAME], which of them say what is done (RELOAD_RESTART: a change of it is another definition), and
 * copies of what one section says. */
#include "step/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const whens[] = { "changed", "boot", NULL };
static const char *const reboots[] = { "no", "if-required", NULL };

enum { DAY_MS = 24 * 3600 * 1000 };

#define FIELD(member) offsetof(struct step_settings, member)
#define NOT_BUILT(word, text) \
	{ .name = (word), .type = CONFIG_TEXT, .flags = CONFIG_NOT_BUILT, .help = (text) }
#define TEXT(word, member, text)                                              \
	{                                                                     \
		.name = (word), .type = CONFIG_TEXT, .offset = FIELD(member), \
		.reload = RELOAD_RESTART, .help = (text)                      \
	}

static const struct config_key keys[] = {
	TEXT("file", file, "a file to be there, with `content` or `source`"),
	TEXT("content", content, "what is in it"),
	TEXT("source", source, "or the file that has what is in it"),
	{ .name = "mode",
		.type = CONFIG_OCTAL,
		.offset = FIELD(mode),
		.max = 07777,
		.reload = RELOAD_RESTART,
		.help = "its permissions; 0644 when it is made" },
	TEXT("owner", owner, "USER or USER:GROUP that it belongs to"),
	TEXT("link", link, "a symbolic link to be there"),
	TEXT("target", target, "where it leads"),
	TEXT("run", run, "a command for sh -eu, once for each definition"),
	TEXT("creates", creates, "not when this path is there"),
	TEXT("unless", unless, "not when this command exits 0"),
	NOT_BUILT("packages", "names to be installed"),
	NOT_BUILT("update", "the list of packages is read anew before"),
	NOT_BUILT("upgrade", "all packages are brought up to date"),
	NOT_BUILT("user", "a user to be there"),
	NOT_BUILT("groups", "that it is in"),
	NOT_BUILT("shell", "its shell"),
	NOT_BUILT("sudo", "may it become root"),
	NOT_BUILT("authorized_keys", "keys that may log in"),
	NOT_BUILT("allow", "ports that the firewall lets in"),
	NOT_BUILT("from", "only from these addresses"),
	NOT_BUILT("download", "an address to fetch"),
	NOT_BUILT("sha256", "digest of what is fetched"),
	NOT_BUILT("to", "where it goes"),
	NOT_BUILT("unpack", "an archive is unpacked there"),
	NOT_BUILT("git", "a repository to be there"),
	NOT_BUILT("ref", "branch, tag or commit of it"),
	{ .name = "enabled",
		.type = CONFIG_BOOL,
		.offset = FIELD(enabled),
		.preset = "yes",
		.help = "no: known, not done" },
	TEXT("as", as, "as this user, with its groups and HOME"),
	{ .name = "environment",
		.type = CONFIG_LINES,
		.offset = FIELD(environment),
		.reload = RELOAD_RESTART,
		.help = "NAME=value, one a line" },
	{ .name = "timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(timeout_ms),
		.preset = "30m",
		.min = 100,
		.max = 7LL * DAY_MS,
		.help = "then it is ended, and has failed" },
	{ .name = "retries",
		.type = CONFIG_INT,
		.offset = FIELD(retries),
		.preset = "3",
		.max = 1000,
		.help = "how often it is tried again when it failed" },
	{ .name = "when",
		.type = CONFIG_ENUM,
		.offset = FIELD(when),
		.preset = "changed",
		.names = whens,
		.help = "changed: once, and again when its definition changes; boot: at each "
			"boot" },
	{ .name = "reboot",
		.type = CONFIG_ENUM,
		.offset = FIELD(reboot),
		.preset = "no",
		.names = reboots,
		.help = "if-required: the machine is restarted when the system asks for it after "
			"the step" },
	{ .name = "after",
		.type = CONFIG_WORDS,
		.offset = FIELD(after),
		.help = "units that come first: step:NAME folder:NAME service:NAME network" },
	{ .name = "requires",
		.type = CONFIG_WORDS,
		.offset = FIELD(requires),
		.help = "units that must be ready, however long it takes" },
};

/* ---- what it is ---- */

static const struct {
	const struct step_kind *kind;
	size_t offset; /* of the text that makes it one */
} kinds[] = {
	{ &step_kind_file, FIELD(file) },
	{ &step_kind_link, FIELD(link) },
	{ &step_kind_run, FIELD(run) },
};

/* What is said beside the kind's own key; of another kind it would be passed over in silence. */
static const struct {
	const char *name;
	const struct step_kind *kind;
	size_t offset;
} parts[] = {
	{ "content", &step_kind_file, FIELD(content) },
	{ "source", &step_kind_file, FIELD(source) },
	{ "owner", &step_kind_file, FIELD(owner) },
	{ "target", &step_kind_link, FIELD(target) },
	{ "creates", &step_kind_run, FIELD(creates) },
	{ "unless", &step_kind_run, FIELD(unless) },
};

static const char *text_at(const struct step_settings *settings, size_t offset) {
	return *(char *const *)((const char *)settings + offset);
}

const struct step_kind *step_kind_of(const struct step_settings *settings, const char **subject) {
	const struct step_kind *found = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *text = text_at(settings, kinds[i].offset);
		if (!text) continue;
		if (found) return NULL;
		found = kinds[i].kind;
		if (subject) *subject = text;
	}
	return found;
}

/* ---- checks ---- */

static int check_kind(const struct step_settings *settings, const char **key, struct err *err) {
	const struct step_kind *kind = step_kind_of(settings, NULL);
	*key = NULL;
	if (!kind) {
		size_t count = 0;
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (text_at(settings, kinds[i].offset)) count++;
		return err_set(err, ERR_INVALID,
			count ? "a step is one thing: write a section for each"
			      : "this step does nothing: write file, link or run");
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].kind == kind || !text_at(settings, parts[i].offset)) continue;
		*key = parts[i].name;
		return err_set(err, ERR_INVALID, "'%s' is for a step with '%s'", parts[i].name,
			parts[i].kind->name);
	}
	if (settings->mode && kind != &step_kind_file) {
		*key = "mode";
		return err_set(err, ERR_INVALID, "'mode' is for a step with 'file'");
	}
	*key = kind->name;
	return kind->check ? kind->check(settings, key, err) : 0;
}

/* As root the user may still be made by another step. */
static int check_rights(const struct step_settings *settings, const char **key, struct err *err) {
	if (geteuid() == 0) return 0;
	*key = "as";
	if (settings->as && config_user_check(settings->as, err) != 0) return -1;
	*key = "reboot";
	if (settings->reboot != STEP_REBOOT_NO)
		return err_set(err, ERR_DENIED, "a reboot needs a tendd that runs as root");
	return 0;
}

static int step_check(const void *settings, const char *name, const char **key, struct err *err) {
	const struct step_settings *step = settings;
	(void)name;
	*key = "environment";
	for (char **item = step->environment; item && *item; item++)
		if (!step_env_valid(*item))
			return err_set(err, ERR_INVALID, "'%s' is not NAME=value", *item);
	if (check_kind(step, key, err) != 0) return -1;
	return check_rights(step, key, err);
}

const struct config_table step_table = {
	.kind = "step",
	.named = true,
	.size = sizeof(struct step_settings),
	.keys = keys,
	.key_count = ARRAY_LEN(keys),
	.check = step_check,
	.help = "something that the machine needs",
};

/* ---- copies ---- */

enum shape { SHAPE_NONE, SHAPE_TEXT, SHAPE_LIST, SHAPE_BOOL, SHAPE_ENUM, SHAPE_NUMBER };

static enum shape shape_of(const struct config_key *key) {
	if (key->flags & CONFIG_NOT_BUILT) return SHAPE_NONE;
	switch (key->type) {
	case CONFIG_TEXT: return SHAPE_TEXT;
	case CONFIG_WORDS:
	case CONFIG_LINES: return SHAPE_LIST;
	case CONFIG_BOOL: return SHAPE_BOOL;
	case CONFIG_ENUM: return SHAPE_ENUM;
	default: return SHAPE_NUMBER;
	}
}

static void *field_of(const struct step_settings *settings, const struct config_key *key) {
	return (char *)settings + key->offset;
}

struct step_settings *step_settings_copy(const struct step_settings *settings) {
	struct step_settings *copy = xmemdup(settings, sizeof(*settings));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		void *field = field_of(copy, &keys[i]);
		if (shape_of(&keys[i]) == SHAPE_TEXT) *(char **)field = xstrdup(*(char **)field);
		if (shape_of(&keys[i]) == SHAPE_LIST) *(char ***)field = strv_dup(*(char ***)field);
	}
	return copy;
}

void step_settings_free(struct step_settings *settings) {
	if (!settings) return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		void *field = field_of(settings, &keys[i]);
		if (shape_of(&keys[i]) == SHAPE_TEXT) free(*(char **)field);
		if (shape_of(&keys[i]) == SHAPE_LIST) strv_free(*(char ***)field);
	}
	free(settings);
}

static bool same_field(const struct config_key *key, const void *left, const void *right) {
	switch (shape_of(key)) {
	case SHAPE_NONE: return true;
	case SHAPE_TEXT: return str_equal(*(char *const *)left, *(char *const *)right);
	case SHAPE_LIST: return strv_equal(*(char **const *)left, *(char **const *)right);
	case SHAPE_BOOL: return *(const bool *)left == *(const bool *)right;
	case SHAPE_ENUM: return *(const int *)left == *(const int *)right;
	default: return *(const int64_t *)left == *(const int64_t *)right;
	}
}

int step_settings_compare(const struct step_settings *left, const struct step_settings *right) {
	int strongest = 0;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (same_field(&keys[i], field_of(left, &keys[i]), field_of(right, &keys[i])))
			continue;
		int effect = keys[i].reload == RELOAD_LIVE ? 1 : 2;
		if (effect > strongest) strongest = effect;
	}
	return strongest;
}

/* ---- the definition ---- */

static void add_piece(struct digest *digest, const char *text) {
	digest_add(digest, text, strlen(text) + 1); /* the NUL parts it from the next one */
}

/* Keys that are not set do not count: a version of tend that knows more of them runs nothing again. */
static void add_key(
	struct digest *digest, const struct config_key *key, const struct step_settings *settings) {
	const void *field = field_of(settings, key);
	char *number = NULL;
	switch (shape_of(key)) {
	case SHAPE_TEXT:
		if (!*(char *const *)field) return;
		add_piece(digest, key->name);
		add_piece(digest, *(char *const *)field);
		return;
	case SHAPE_LIST:
		if (!*(char **const *)field) return;
		add_piece(digest, key->name);
		for (char *const *item = *(char **const *)field; *item; item++)
			add_piece(digest, *item);
		return;
	case SHAPE_BOOL:
		if (*(const bool *)field) add_piece(digest, key->name);
		return;
	case SHAPE_NUMBER:
		if (*(const int64_t *)field == 0) return;
		number = xasprintf("%s=%lld", key->name, (long long)*(const int64_t *)field);
		add_piece(digest, number);
		free(number);
		return;
	default: return;
	}
}

void step_definition(const struct step_settings *settings, char definition[LEDGER_DIGEST_SIZE]) {
	struct digest digest;
	uint8_t bytes[DIGEST_MAX];
	digest_init(&digest, DIGEST_SHA256);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].reload != RELOAD_LIVE) add_key(&digest, &keys[i], settings);
	hex_encode(bytes, digest_end(&digest, bytes), definition);
}
