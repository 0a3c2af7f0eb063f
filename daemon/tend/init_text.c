/* One row a kind of remote: how its word is read, which keys it becomes, what a person still has to do. */
#include <stdlib.h>
#include <string.h>

#include "tend/init.h"

enum { TEXT_MAX = 64 << 10 };

struct way {
	const char *scheme;
	const char *form; /* how it is written, for messages */
	/* Adds the keys of the section; -1: it is not written so. */
	int (*keys)(const char *rest, const char *folder, struct buf *out);
	const char *next; /* NULL: nothing more is needed */
};

/* `rest` cut at `mark`: both sides must hold something. The caller frees *left and *right. */
static int split(const char *rest, const char *mark, char **left, char **right) {
	const char *at = strstr(rest, mark);

	*left = *right = NULL;
	if (!at || at == rest || !at[strlen(mark)]) return -1;
	*left = xstrndup(rest, (size_t)(at - rest));
	*right = xstrdup(at + strlen(mark));
	return 0;
}

static int directory_keys(const char *rest, const char *folder, struct buf *out) {
	(void)folder;
	if (*rest != '/' && *rest != '~' && *rest != '$') return -1;
	return buf_addf(out, "type = directory\npath = %s\n", rest);
}

static int s3_keys(const char *rest, const char *folder, struct buf *out) {
	if (!*rest || strpbrk(rest, "/: \t")) return -1;
	return buf_addf(out,
		"type = s3\nbucket = %s\n"
		"; Another provider than Amazon, and a key of its own instead of "
		"~/.aws/credentials:\n"
		"; endpoint = https://s3.example.org\n; access_key_id = AKIA...\n"
		"; secret_access_key_file = %s/secrets/s3\n",
		rest, folder);
}

static int gdrive_keys(const char *rest, const char *folder, struct buf *out) {
	if (*rest) return -1;
	return buf_addf(
		out, "type = gdrive\nclient_secret_file = %s/secrets/google.json\n", folder);
}

static int sftp_keys(const char *rest, const char *folder, struct buf *out) {
	char *login, *path, *user, *host;
	int result = -1;

	(void)folder;
	if (split(rest, ":", &login, &path) == 0) {
		if (split(login, "@", &user, &host) == 0)
			result = buf_addf(out, "type = sftp\nhost = %s\nuser = %s\npath = %s\n",
				host, user, path);
		else
			result = buf_addf(out, "type = sftp\nhost = %s\npath = %s\n", login, path);
		free(user);
		free(host);
	}
	free(login);
	free(path);
	return result;
}

/* "https://user@host/path": the user has a key of its own. */
static int webdav_keys(const char *rest, const char *folder, struct buf *out) {
	char *scheme, *behind, *user, *host;
	int result = -1;

	if (!str_starts(rest, "http://") && !str_starts(rest, "https://")) return -1;
	if (split(rest, "://", &scheme, &behind) != 0) return -1;
	if (split(behind, "@", &user, &host) == 0 && !strchr(user, '/'))
		result = buf_addf(out,
			"type = webdav\nurl = %s://%s\nuser = %s\npassword_file = "
			"%s/secrets/webdav\n",
			scheme, host, user, folder);
	else
		result = buf_addf(out,
			"type = webdav\nurl = %s\n; user = me\n; password_file = "
			"%s/secrets/webdav\n",
			rest, folder);
	free(scheme);
	free(behind);
	free(user);
	free(host);
	return result;
}

static int azure_keys(const char *rest, const char *folder, struct buf *out) {
	char *account, *container;
	int result = split(rest, "/", &account, &container);

	if (result == 0)
		result = buf_addf(out,
			"type = azure\naccount = %s\ncontainer = %s\nkey_file = %s/secrets/azure\n",
			account, container, folder);
	free(account);
	free(container);
	return result;
}

static const struct way ways[] = {
	{ "directory", "directory:/mnt/disk", directory_keys, NULL },
	{ "s3", "s3:BUCKET", s3_keys,
		"its key is taken from the environment, ~/.aws/credentials or the machine's role; "
		"or write one into 'secrets' beside the file and name it there" },
	{ "gdrive", "gdrive", gdrive_keys,
		"now put the client's JSON into 'secrets/google.json' beside the file (the README "
		"says how to get one), chmod 600 it, and sign in: tend auth cloud" },
	{ "sftp", "sftp:USER@HOST:PATH", sftp_keys,
		"ssh must get there without a password: ssh-copy-id USER@HOST" },
	{ "webdav", "webdav:https://USER@HOST/PATH", webdav_keys,
		"now put the password into 'secrets/webdav' beside the file, and chmod 600 it" },
	{ "azure", "azure:ACCOUNT/CONTAINER", azure_keys,
		"now put the account's key into 'secrets/azure' beside the file, and chmod 600 "
		"it" },
};

static const struct way *find_way(const char *where, const char **rest) {
	if (*where == '/' ||
		*where == '~') { /* a path is a folder that plays a cloud, the first way */
		*rest = where;
		return &ways[0];
	}
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		size_t len = strlen(ways[i].scheme);
		if (!str_starts(where, ways[i].scheme) || (where[len] && where[len] != ':'))
			continue;
		*rest = where + len + (where[len] == ':');
		return &ways[i];
	}
	return NULL;
}

int init_remote_check(const char *where, struct err *err) {
	const char *rest;
	const struct way *way = find_way(where, &rest);
	struct buf out;

	if (!way)
		return err_set(err, ERR_INVALID,
			"'%s' is none of directory, s3, gdrive, sftp, webdav and azure: write "
			"s3:BUCKET, say",
			where);
	buf_init(&out, TEXT_MAX);
	int result = way->keys(rest, "", &out);
	buf_release(&out);
	return result == 0 ? 0
			   : err_set(err, ERR_INVALID, "'%s' cannot be read: write %s", where,
				     way->form);
}

/* What a unit may be called, of the last part of a path. The caller's. */
static char *unit_name(const char *path, const char *otherwise) {
	char *clean = path_clean(path), *name = xstrdup(path_name(clean));

	free(clean);
	for (char *at = name; *at; at++) {
		bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
			     (*at >= '0' && *at <= '9') || strchr("-_.", *at);
		if (!plain) *at = '-';
		if (*at >= 'A' && *at <= 'Z') *at = (char)(*at - 'A' + 'a');
	}
	if (*name && strspn(name, "-.") < strlen(name)) return name;
	free(name);
	return xstrdup(otherwise);
}

char *init_text(const struct init_answers *answers, const char *folder) {
	const char *rest = "";
	const struct way *way = find_way(answers->where, &rest);
	char *name = unit_name(answers->folder, "files");
	struct buf out;

	buf_init(&out, TEXT_MAX);
	buf_adds(&out,
		"; Made by 'tend init'; tend.ini(5) explains every key, 'tend edit' changes it.\n\n"
		"[remote cloud]\n");
	if (way) way->keys(rest, folder, &out);
	buf_addf(
		&out, "\n[folder %s]\npath = %s\nremote = cloud:%s\n", name, answers->folder, name);
	if (!str_equal(answers->command, "none")) {
		char *word = xstrndup(answers->command, strcspn(answers->command, " \t"));
		char *service = unit_name(word, "service");
		buf_addf(&out, "\n[service %s]\ncommand = %s\n", service, answers->command);
		free(service);
		free(word);
	}
	free(name);
	return buf_steal(&out);
}

void init_remote_next(const char *where, FILE *out) {
	const char *rest;
	const struct way *way = find_way(where, &rest);

	if (way && way->next) fprintf(out, "%s\n", way->next);
}
