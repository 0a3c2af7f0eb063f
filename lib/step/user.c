/* user: somebody with a home, groups, a shell, keys to log in with. What is there beside that is left: no group, no key is
 * taken away. Accounts are changed by the system's own tools; the keys lie in the user's folder and are written with that
 * user's rights. */
#include "step/keys.h"
#include "step/place.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX = 64 << 10, GROUP_BYTES = 64 << 10, NAME_LEN_MAX = 32, KEYS_MAX = 256 << 10 };

/* What a look found to be done; pure from here to the script. */
struct account {
	bool there;
	bool shell;        /* another one is wanted */
	bool sudo, unsudo; /* the file that lets it is to be written, or removed */
	char **groups;     /* it is not in these yet */
};

/* As useradd takes them; a dot would hide the file for sudo. */
static bool is_name(const char *name) {
	size_t len = strlen(name);
	if (len == 0 || len > NAME_LEN_MAX || !(islower((unsigned char)*name) || *name == '_'))
		return false;
	for (; *name; name++)
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
			*name != '_' && *name != '-')
			return false;
	return true;
}

static bool is_key(const char *line) {
	static const char *const kinds[] = { "ssh-", "ecdsa-", "sk-" };
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strstr(line, kinds[i]) && strchr(line, ' ')) return true;
	return false;
}

static bool is_path(const char *line) {
	return *line == '/' || *line == '~' || str_starts(line, "${");
}

static int user_check(const struct step_settings *settings, const char **key, struct err *err) {
	*key = "user";
	if (!is_name(settings->user))
		return err_set(err, ERR_INVALID, "'%s' is no name of a user", settings->user);
	*key = "groups";
	for (char **group = settings->groups; group && *group; group++)
		if (!is_name(*group))
			return err_set(err, ERR_INVALID, "'%s' is no name of a group", *group);
	*key = "shell";
	if (settings->shell && *settings->shell != '/')
		return err_set(err, ERR_INVALID, "'%s' is not absolute", settings->shell);
	*key = "authorized_keys";
	for (char **line = settings->authorized_keys; line && *line; line++) {
		if (step_keys_name(*line)) continue;
		if (!is_key(*line) && !is_path(*line))
			return err_set(err, ERR_INVALID,
				"'%.40s' is neither a key nor a path to keys", *line);
	}
	return 0;
}

/* ---- looking ---- */

static char *sudo_path(const char *name) {
	return xasprintf("/etc/sudoers.d/tend-%s", name);
}

static bool is_in(const char *name, gid_t gid, const char *group) {
	struct group entry, *found = NULL;
	char *room = xmalloc(GROUP_BYTES);
	size_t count = 0;
	bool in = false;
	getgrnam_r(group, &entry, room, GROUP_BYTES, &found);
	gid_t *groups = found ? config_user_groups(name, gid, &count) : NULL;
	for (size_t i = 0; i < count; i++) in = in || groups[i] == entry.gr_gid;
	free(groups);
	free(room);
	return in;
}

static void look_account(const struct step_settings *settings, struct account *account) {
	struct config_user person;
	struct err err;
	char *path = sudo_path(settings->user);
	bool may = access(path, F_OK) == 0;
	free(path);
	account->there = config_user_find(settings->user, &person, &err) == 0;
	account->shell =
		settings->shell && (!account->there || !str_equal(person.shell, settings->shell));
	account->sudo = settings->sudo && !may;
	account->unsudo = !settings->sudo && may;
	for (char **group = settings->groups; group && *group; group++)
		if (!account->there || !is_in(settings->user, person.gid, *group))
			strv_add(&account->groups, *group);
	if (account->there) config_user_release(&person);
}

static void add_why(struct buf *why, const char *text) {
	buf_addf(why, "%s%s", why->len ? ", " : "", text);
}

static char *explain(const struct account *account) {
	struct buf why;
	buf_init(&why, 4096);
	if (!account->there) add_why(&why, "there is no such user");
	if (account->there && account->shell) add_why(&why, "another shell");
	for (char **group = account->groups; account->there && group && *group; group++)
		buf_addf(&why, "%snot in group %s", why.len ? ", " : "", *group);
	if (account->sudo) add_why(&why, "may not become root yet");
	if (account->unsudo) add_why(&why, "may become root");
	return buf_steal(&why);
}

/* ---- the account ---- */

static void add_line(struct buf *script, const char *before, const char *word, const char *after) {
	buf_adds(script, before);
	step_add_word(script, word);
	buf_adds(script, after);
}

/* A group of the user's name may be there already, from an image. */
static void add_account(struct buf *script, const char *name) {
	add_line(script, "if getent group ", name, " >/dev/null; then\n");
	add_line(script, "useradd -m -g ", name, " ");
	add_line(script, "", name, "\nelse\n");
	add_line(script, "useradd -m -U ", name, "\nfi\n");
}

static void add_sudo(struct buf *script, const char *name) {
	char *path = sudo_path(name);
	buf_adds(script,
		"command -v sudo >/dev/null || { echo 'sudo is not installed'; exit 1; }\n");
	buf_addf(script, "umask 227\nprintf '%%s\\n' '%s ALL=(ALL:ALL) NOPASSWD:ALL' >%s.new\n",
		name, path);
	buf_addf(script, "visudo -cqf %s.new\nmv -f %s.new %s\n", path, path, path);
	free(path);
}

static char *make_script(const struct step_settings *settings, const struct account *account) {
	const char *name = settings->user;
	struct buf script;
	buf_init(&script, SCRIPT_MAX);
	if (!account->there) add_account(&script, name);
	if (account->shell) {
		add_line(&script, "[ -x ", settings->shell, " ] || { echo 'there is no shell '");
		add_line(&script, "", settings->shell, "; exit 1; }\n");
		add_line(&script, "usermod -s ", settings->shell, " ");
		add_line(&script, "", name, "\n");
	}
	for (char **group = account->groups; group && *group; group++) {
		add_line(&script, "getent group ", *group, " >/dev/null || ");
		add_line(&script, "groupadd -r ", *group, "\n");
		add_line(&script, "usermod -aG ", *group, " ");
		add_line(&script, "", name, "\n");
	}
	if (account->sudo) add_sudo(&script, name);
	if (account->unsudo) buf_addf(&script, "rm -f /etc/sudoers.d/tend-%s\n", name);
	return buf_steal(&script);
}

/* ---- its keys ---- */

static bool has_line(const char *text, const char *line, size_t len) {
	while (*text) {
		size_t here = strcspn(text, "\n");
		if (here == len && strncmp(text, line, len) == 0) return true;
		text += here + (text[here] == '\n');
	}
	return false;
}

/* Those of `keys` that are not in `text` go behind it. */
static size_t add_keys(struct buf *text, const char *keys) {
	size_t added = 0;
	while (*keys) {
		size_t len = strcspn(keys, "\r\n");
		if (len > 0 && *keys != '#' && !has_line(text->at, keys, len)) {
			if (text->len && text->at[text->len - 1] != '\n') buf_addc(text, '\n');
			buf_add(text, keys, len);
			buf_addc(text, '\n');
			added++;
		}
		keys += len + strspn(keys + len, "\r\n");
	}
	return added;
}

static int write_keys(struct place *place, const struct buf *text, struct err *err) {
	char *beside = NULL;
	if (place_make_parents(place, 0700, err) != 0) return -1;
	char *folder = path_parent(place->name);
	int fd = disk_create_beside(place->disk, folder, path_name(place->name), &beside, err);
	free(folder);
	if (fd < 0) return -1;
	int result = disk_write_span(fd, 0, text->at, text->len, err);
	if (result == 0) result = disk_sync_bytes(fd, err);
	disk_close_file(place->disk, fd);
	if (result == 0) result = place_take(place, beside, NULL, err);
	struct err ignored;
	if (result != 0) (void)disk_remove(place->disk, beside, &ignored);
	free(beside);
	return result;
}

static int find_keys(struct step_work *work, struct buf *text, size_t *added, struct err *err) {
	for (char **line = work->settings->authorized_keys; line && *line; line++) {
		if (step_keys_name(*line)) continue;
		if (!is_path(*line)) {
			*added += add_keys(text, *line);
			continue;
		}
		char *path = step_work_expand(work, *line, err);
		if (!path) return -1;
		char *keys = step_read_text(path, KEYS_MAX);
		if (!*keys) err_set(err, ERR_NOT_FOUND, "no keys in '%s'", path);
		bool none = !*keys;
		*added += add_keys(text, keys);
		free(keys);
		free(path);
		if (none) return -1;
	}
	return 0;
}

/* GitHub is asked once for each definition, and not by a plan: what somebody takes away there stays here. */
static bool must_ask(struct step_work *work) {
	if (work->keys) return false;
	if (!work->forced && str_equal(work->record.definition, work->definition)) return false;
	for (char **line = work->settings->authorized_keys; *line; line++)
		if (step_keys_name(*line)) return true;
	return false;
}

/* As the user from here on: it may have made a trap of its own folder. */
static int become(struct step_work *work, struct err *err) {
	config_user_release(&work->person);
	free(work->groups);
	work->groups = NULL;
	if (config_user_find(work->settings->user, &work->person, err) != 0) return -1;
	work->become = true;
	work->groups = config_user_groups(work->person.name, work->person.gid, &work->group_count);
	return 0;
}

static int look_keys(struct step_work *work, struct err *err) {
	struct place place;
	struct disk_stat stat;
	struct buf text;
	size_t added = 0;
	if (become(work, err) != 0 || place_open(&place, work, "~/.ssh/authorized_keys", err) != 0)
		return -1;
	buf_init(&text, KEYS_MAX);
	int result = 0;
	if (place.there)
		result = disk_read(
			place.disk, place.name, KEYS_MAX, &text, DIGEST_SHA256, NULL, &stat, err);
	if (result == 0) result = find_keys(work, &text, &added, err);
	if (result == 0 && work->keys) added += add_keys(&text, work->keys);
	if (result == 0 && added > 0) {
		free(work->finding.why);
		work->finding.why = xasprintf("%zu keys are missing", added);
		work->finding.verdict = STEP_TODO;
		if (!work->dry) result = write_keys(&place, &text, err);
		if (result == 0 && !work->dry)
			work->told = xasprintf("%zu keys added to '%s'", added, place.path);
	}
	/* That they were asked for is remembered too. */
	if (result == 0 && work->keys && !work->told) work->told = xstrdup("its keys are there");
	buf_release(&text);
	place_release(&place);
	return result;
}

static int user_look(struct step_work *work, struct err *err) {
	struct account account = { 0 };
	look_account(work->settings, &account);
	bool differs =
		!account.there || account.shell || account.sudo || account.unsudo || account.groups;
	work->finding.verdict = differs ? STEP_TODO : STEP_SO;
	work->finding.why = differs ? explain(&account) : xstrdup("as it is wanted");
	if (differs && !work->dry) work->script = make_script(work->settings, &account);
	strv_free(account.groups);
	if (!differs && work->settings->authorized_keys && must_ask(work)) {
		free(work->finding.why);
		work->finding.why = xstrdup("keys are to be asked for at GitHub");
		work->finding.verdict = STEP_TODO;
		work->asks = !work->dry;
		return 0;
	}
	/* The keys come with the look after it. */
	return differs || !work->settings->authorized_keys ? 0 : look_keys(work, err);
}

const struct step_kind step_kind_user = {
	.name = "user", .root = true, .verified = true, .check = user_check, .look = user_look
};
