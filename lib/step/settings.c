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
#define TEXT(word, member, text)                                              \
	{                                                                     \
		.name = (word), .type = CONFIG_TEXT, .offset = FIELD(member), \
		.reload = RELOAD_RESTART, .help = (text)                      \
	}

#define LIST(word, member, text)                                               \
	{                                                                      \
		.name = (word), .type = CONFIG_WORDS, .offset = FIELD(member), \
		.reload = RELOAD_RESTART, .help = (text)                       \
	}
#define FLAG(word, member, text)                                                              \
	{                                                                                     \
		.name = (word), .type = CONFIG_BOOL, .offset = FIELD(member), .preset = "no", \
		.reload = RELOAD_RESTART, .help = (text)                                      \
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
	LIST("packages", packages, "packages to be installed, by apt, dnf or brew"),
	{ .name = "update",
		.type = CONFIG_BOOL,
		.offset = FIELD(update),
		.preset = "yes",
		.help = "no: the lists of packages are not fetched before" },
	FLAG("upgrade", upgrade, "yes: all packages are brought up to date, once"),
	TEXT("user", user, "a user to be there"),
	LIST("groups", groups, "groups that it is in, beside those it is in already"),
	TEXT("shell", shell, "its shell"),
	FLAG("sudo", sudo, "yes: it may become root, without a password"),
	{ .name = "authorized_keys",
		.type = CONFIG_LINES,
		.offset = FIELD(authorized_keys),
		.reload = RELOAD_RESTART,
		.help = "keys that may log in as it, one a line, or files that hold them" },
	LIST("allow", allow, "ports that the firewall (ufw) lets in: 8888/tcp 60000:61000/udp"),
	LIST("from", from, "only from these addresses: 192.0.2.0/24"),
	TEXT("download", download, "an address whose file is to be there"),
	TEXT("sha256", sha256, "its digest; with it what was half fetched is gone on with"),
	FLAG("unpack", unpack, "yes: it is an archive, and what is in it goes `to` a folder"),
	TEXT("git", git, "a repository to be there"),
	TEXT("to", to, "where it goes"),
	TEXT("ref", ref, "its branch, tag or commit"),
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

enum shape { SHAPE_TEXT, SHAPE_LIST, SHAPE_BOOL, SHAPE_ENUM, SHAPE_NUMBER };

static const struct {
	const struct step_kind *kind;
	size_t offset; /* of what makes it one */
	enum shape shape;
} kinds[] = {
	{ &step_kind_file, FIELD(file), SHAPE_TEXT },
	{ &step_kind_link, FIELD(link), SHAPE_TEXT },
	{ &step_kind_run, FIELD(run), SHAPE_TEXT },
	{ &step_kind_git, FIELD(git), SHAPE_TEXT },
	{ &step_kind_download, FIELD(download), SHAPE_TEXT },
	{ &step_kind_packages, FIELD(packages), SHAPE_LIST },
	{ &step_kind_user, FIELD(user), SHAPE_TEXT },
	{ &step_kind_allow, FIELD(allow), SHAPE_LIST },
};

/* What is said beside the kind's own key; of another kind it would be passed over in silence. */
static const struct {
	const char *name;
	const struct step_kind *kind;
	size_t offset;
	enum shape shape;
} parts[] = {
	{ "content", &step_kind_file, FIELD(content), SHAPE_TEXT },
	{ "source", &step_kind_file, FIELD(source), SHAPE_TEXT },
	{ "mode", &step_kind_file, FIELD(mode), SHAPE_NUMBER },
	{ "owner", &step_kind_file, FIELD(owner), SHAPE_TEXT },
	{ "target", &step_kind_link, FIELD(target), SHAPE_TEXT },
	{ "creates", &step_kind_run, FIELD(creates), SHAPE_TEXT },
	{ "unless", &step_kind_run, FIELD(unless), SHAPE_TEXT },
	{ "to", &step_kind_git, FIELD(to), SHAPE_TEXT },
	{ "to", &step_kind_download, FIELD(to), SHAPE_TEXT },
	{ "sha256", &step_kind_download, FIELD(sha256), SHAPE_TEXT },
	{ "unpack", &step_kind_download, FIELD(unpack), SHAPE_BOOL },
	{ "ref", &step_kind_git, FIELD(ref), SHAPE_TEXT },
	{ "upgrade", &step_kind_packages, FIELD(upgrade), SHAPE_BOOL },
	{ "groups", &step_kind_user, FIELD(groups), SHAPE_LIST },
	{ "shell", &step_kind_user, FIELD(shell), SHAPE_TEXT },
	{ "sudo", &step_kind_user, FIELD(sudo), SHAPE_BOOL },
	{ "authorized_keys", &step_kind_user, FIELD(authorized_keys), SHAPE_LIST },
	{ "from", &step_kind_allow, FIELD(from), SHAPE_LIST },
};

static bool is_said(const struct step_settings *settings, size_t offset, enum shape shape) {
	const void *field = (const char *)settings + offset;
	switch (shape) {
	case SHAPE_TEXT: return *(char *const *)field != NULL;
	case SHAPE_LIST: return *(char **const *)field && **(char **const *)field;
	case SHAPE_BOOL: return *(const bool *)field;
	case SHAPE_NUMBER: return *(const int64_t *)field != 0;
	default: return false;
	}
}

static char *subject_of(const struct step_settings *settings, size_t kind) {
	const void *field = (const char *)settings + kinds[kind].offset;
	if (kinds[kind].shape == SHAPE_TEXT) return xstrdup(*(char *const *)field);
	struct buf words;
	buf_init(&words, 64 << 10);
	for (char *const *word = *(char **const *)field; *word; word++)
		buf_addf(&words, "%s%s", words.len ? " " : "", *word);
	return buf_steal(&words);
}

const struct step_kind *step_kind_of(const struct step_settings *settings, char **subject) {
	const struct step_kind *found = NULL;
	size_t at = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!is_said(settings, kinds[i].offset, kinds[i].shape)) continue;
		if (found) return NULL;
		found = kinds[i].kind;
		at = i;
	}
	if (found && subject) *subject = subject_of(settings, at);
	return found;
}

/* ---- checks ---- */

static bool is_part(const struct step_kind *kind, const char *name) {
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].kind == kind && str_equal(parts[i].name, name)) return true;
	return false;
}

static int check_kind(const struct step_settings *settings, const char **key, struct err *err) {
	const struct step_kind *kind = step_kind_of(settings, NULL);
	*key = NULL;
	if (!kind) {
		size_t count = 0;
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
			if (is_said(settings, kinds[i].offset, kinds[i].shape)) count++;
		return err_set(err, ERR_INVALID,
			count ? "a step is one thing: write a section for each"
			      : "this step does nothing: write packages, user, file, link, allow, "
				"download, "
				"git or run");
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (!is_said(settings, parts[i].offset, parts[i].shape) ||
			is_part(kind, parts[i].name))
			continue;
		*key = parts[i].name;
		return err_set(err, ERR_INVALID, "'%s' is for a step with '%s'", parts[i].name,
			parts[i].kind->name);
	}
	*key = kind->name;
	if (kind->root && geteuid() != 0)
		return err_set(err, ERR_DENIED, "'%s' needs a tendd that runs as root", kind->name);
	if (kind->root && settings->as) {
		*key = "as";
		return err_set(
			err, ERR_INVALID, "'as' is not for '%s', which root does", kind->name);
	}
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
		if (!config_env_valid(*item))
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

struct step_settings *step_settings_copy(const struct step_settings *settings) {
	struct step_settings *copy = xmalloc(sizeof(*copy));
	config_settings_copy(&step_table, copy, settings);
	return copy;
}

void step_settings_free(struct step_settings *settings) {
	if (!settings) return;
	config_settings_release(&step_table, settings);
	free(settings);
}

/* ---- the definition ---- */

static enum shape shape_of(const struct config_key *key) {
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
