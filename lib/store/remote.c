#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

/* [remote NAME] as a table, and the way from its settings to a store in its wrappers. */

enum {
	MAX_TRIES = 6, /* about 10 s; then the folder says so and tries by itself */
	DIRECTORY_IN_FLIGHT = 16,
	S3_IN_FLIGHT = 64,
	WEBDAV_IN_FLIGHT = 16,
	AZURE_IN_FLIGHT = 64,
	/* It makes two or three files a second, however many are under way. */
	GDRIVE_IN_FLIGHT = 10,
	SFTP_IN_FLIGHT = 16,
};

#define FIELD(name) offsetof(struct remote_settings, name)

static const char *const type_names[] = {
	[REMOTE_DIRECTORY] = "directory",
	[REMOTE_S3] = "s3",
	[REMOTE_GDRIVE] = "gdrive",
	[REMOTE_WEBDAV] = "webdav",
	[REMOTE_AZURE] = "azure",
	[REMOTE_SFTP] = "sftp",
	NULL,
};

static const char *const scope_names[] = { "drive.file", "drive", NULL };
static const char *const vendor_names[] = { "auto", "nextcloud", "plain", NULL };

static const char *const addressing_names[] = { "auto", "path", "virtual", NULL };

static const struct config_key remote_keys[] = {
	{ .name = "type",
		.type = CONFIG_ENUM,
		.offset = FIELD(type),
		.names = type_names,
		.preset = "directory",
		.reload = RELOAD_REBUILD,
		.help = "what kind of storage it is" },
	{ .name = "max_in_flight",
		.type = CONFIG_INT,
		.offset = FIELD(max_in_flight),
		.min = 1,
		.max = 1024,
		.reload = RELOAD_RESTART,
		.help = "requests at the same time; directory, webdav and sftp 16, s3 and azure "
			"64, "
			"gdrive 10" },
	{ .name = "requests_per_second",
		.type = CONFIG_INT,
		.offset = FIELD(requests_per_second),
		.min = 1,
		.max = 100000,
		.reload = RELOAD_RESTART,
		.help = "at most so many requests begin in a second" },
	{ .name = "upload_limit",
		.type = CONFIG_TEXT,
		.offset = FIELD(upload_limit),
		.reload = RELOAD_RESTART,
		.help = "bytes a second, or a timetable: 08:00-18:00 1MiB, else none" },
	{ .name = "download_limit",
		.type = CONFIG_TEXT,
		.offset = FIELD(download_limit),
		.reload = RELOAD_RESTART,
		.help = "the same for what comes from there" },
	{ .name = "ca_file",
		.type = CONFIG_PATH,
		.offset = FIELD(ca_file),
		.reload = RELOAD_RESTART,
		.help = "certificates of the authorities to trust, PEM; else the system's" },
	{ .name = "timeout",
		.type = CONFIG_DURATION,
		.offset = FIELD(timeout_ms),
		.preset = "30s",
		.min = 1000,
		.max = 3600000,
		.reload = RELOAD_RESTART,
		.help = "a request on which no byte moves for so long is given up" },

	{ .name = "path",
		.type = CONFIG_PATH,
		.offset = FIELD(path),
		.only = "directory",
		.reload = RELOAD_REBUILD,
		.help = "a folder or mounted disk that plays a cloud" },

	{ .name = "bucket",
		.type = CONFIG_TEXT,
		.offset = FIELD(bucket),
		.only = "s3",
		.reload = RELOAD_REBUILD,
		.help = "name of the bucket, which must be there" },
	{ .name = "prefix",
		.type = CONFIG_TEXT,
		.offset = FIELD(prefix),
		.only = "s3",
		.reload = RELOAD_REBUILD,
		.help = "put before all keys in the bucket" },
	{ .name = "region",
		.type = CONFIG_TEXT,
		.offset = FIELD(region),
		.preset = "us-east-1",
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "the bucket's region" },
	{ .name = "endpoint",
		.type = CONFIG_TEXT,
		.offset = FIELD(endpoint),
		.only = "s3",
		.reload = RELOAD_REBUILD,
		.help = "http:// or https:// address of the service; else Amazon's for the "
			"region" },
	{ .name = "addressing",
		.type = CONFIG_ENUM,
		.offset = FIELD(addressing),
		.names = addressing_names,
		.preset = "auto",
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "bucket in the path or in the host name; auto: host name at Amazon" },
	{ .name = "storage_class",
		.type = CONFIG_TEXT,
		.offset = FIELD(storage_class),
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "for what is written from now on: STANDARD_IA, say" },
	{ .name = "sse",
		.type = CONFIG_TEXT,
		.offset = FIELD(sse),
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "encryption by the server: AES256, or aws:kms" },
	{ .name = "access_key_id",
		.type = CONFIG_TEXT,
		.offset = FIELD(access_key_id),
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "else the environment's, else that of the profile" },
	{ .name = "secret_access_key_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(secret_access_key_file),
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "file with the secret key, or credential:NAME" },
	{ .name = "profile",
		.type = CONFIG_TEXT,
		.offset = FIELD(profile),
		.only = "s3",
		.reload = RELOAD_RESTART,
		.help = "section of ~/.aws/credentials, where it is not 'default'" },

	{ .name = "client_id",
		.type = CONFIG_TEXT,
		.offset = FIELD(client_id),
		.only = "gdrive",
		.reload = RELOAD_RESTART,
		.help = "of your own project at Google; else that of the file below" },
	{ .name = "client_secret_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(client_secret_file),
		.only = "gdrive",
		.reload = RELOAD_RESTART,
		.help = "file with the client's secret, or the JSON as Google gives it" },
	{ .name = "token_file",
		.type = CONFIG_PATH,
		.offset = FIELD(token_file),
		.only = "gdrive",
		.reload = RELOAD_RESTART,
		.help = "where `tend auth` keeps the token" },
	{ .name = "scope",
		.type = CONFIG_ENUM,
		.offset = FIELD(scope),
		.names = scope_names,
		.preset = "drive.file",
		.only = "gdrive",
		.reload = RELOAD_RESTART,
		.help = "drive.file: only what tend made; drive: all that is there" },
	{ .name = "folder",
		.type = CONFIG_TEXT,
		.offset = FIELD(folder),
		.only = "gdrive",
		.reload = RELOAD_REBUILD,
		.help = "the folder that is the root, a/b or id:ID; made where it is missing" },
	{ .name = "shared_drive",
		.type = CONFIG_TEXT,
		.offset = FIELD(shared_drive),
		.only = "gdrive",
		.reload = RELOAD_REBUILD,
		.help = "name or id of a shared drive, in place of My Drive" },
	{ .name = "service_account_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(service_account_file),
		.only = "gdrive",
		.reload = RELOAD_RESTART,
		.help = "key of a service account, JSON; in place of `tend auth`" },
	{ .name = "impersonate",
		.type = CONFIG_TEXT,
		.offset = FIELD(impersonate),
		.only = "gdrive",
		.reload = RELOAD_REBUILD,
		.help = "the user that the service account acts for" },
	{ .name = "endpoint",
		.type = CONFIG_TEXT,
		.offset = FIELD(endpoint),
		.only = "gdrive",
		.reload = RELOAD_REBUILD,
		.help = "address of a proxy in front of all of Google's services; else Google's "
			"own" },
	{ .name = "url",
		.type = CONFIG_TEXT,
		.offset = FIELD(url),
		.only = "webdav",
		.reload = RELOAD_REBUILD,
		.help = "http:// or https:// address of the folder that is the root" },
	{ .name = "user",
		.type = CONFIG_TEXT,
		.offset = FIELD(user),
		.only = "webdav",
		.reload = RELOAD_RESTART,
		.help = "name to log in with" },
	{ .name = "password_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(password_file),
		.only = "webdav",
		.reload = RELOAD_RESTART,
		.help = "file with the password, or credential:NAME" },
	{ .name = "vendor",
		.type = CONFIG_ENUM,
		.offset = FIELD(vendor),
		.names = vendor_names,
		.preset = "auto",
		.only = "webdav",
		.reload = RELOAD_RESTART,
		.help = "whose server it is; auto: Nextcloud by the path of its address" },

	{ .name = "account",
		.type = CONFIG_TEXT,
		.offset = FIELD(account),
		.only = "azure",
		.reload = RELOAD_REBUILD,
		.help = "the storage account" },
	{ .name = "container",
		.type = CONFIG_TEXT,
		.offset = FIELD(container),
		.only = "azure",
		.reload = RELOAD_REBUILD,
		.help = "name of the container, which must be there" },
	{ .name = "prefix",
		.type = CONFIG_TEXT,
		.offset = FIELD(prefix),
		.only = "azure",
		.reload = RELOAD_REBUILD,
		.help = "put before all names in the container" },
	{ .name = "key_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(key_file),
		.only = "azure",
		.reload = RELOAD_RESTART,
		.help = "file with the account's key, or credential:NAME" },
	{ .name = "sas_file",
		.type = CONFIG_SECRET,
		.offset = FIELD(sas_file),
		.only = "azure",
		.reload = RELOAD_RESTART,
		.help = "file with a shared access signature, or credential:NAME" },
	{ .name = "endpoint",
		.type = CONFIG_TEXT,
		.offset = FIELD(endpoint),
		.only = "azure",
		.reload = RELOAD_REBUILD,
		.help = "http:// or https:// address of the service; else Microsoft's for the "
			"account" },

	{ .name = "host",
		.type = CONFIG_TEXT,
		.offset = FIELD(host),
		.only = "sftp",
		.reload = RELOAD_REBUILD,
		.help = "name of the server, as ssh and its configuration know it" },
	{ .name = "user",
		.type = CONFIG_TEXT,
		.offset = FIELD(user),
		.only = "sftp",
		.reload = RELOAD_REBUILD,
		.help = "name to log in with; else as ssh's configuration says" },
	{ .name = "port",
		.type = CONFIG_INT,
		.offset = FIELD(port),
		.min = 1,
		.max = 65535,
		.only = "sftp",
		.reload = RELOAD_REBUILD,
		.help = "of the server; else as ssh's configuration says" },
	{ .name = "path",
		.type = CONFIG_TEXT,
		.offset = FIELD(remote_path),
		.only = "sftp",
		.reload = RELOAD_REBUILD,
		.help = "the folder there, which must be there; else the one that a login leads "
			"to" },
	{ .name = "ssh",
		.type = CONFIG_TEXT,
		.offset = FIELD(ssh),
		.preset = "ssh",
		.only = "sftp",
		.reload = RELOAD_RESTART,
		.help = "the ssh program, with words of its own: ssh -F /etc/tend/ssh_config" },
};

static bool is_address(const char *text) {
	return str_starts(text, "http://") || str_starts(text, "https://");
}

static int check_webdav(const struct remote_settings *settings, const char **key, struct err *err) {
	*key = "url";
	if (!settings->url) return err_set(err, ERR_INVALID, "a remote of type webdav needs `url`");
	if (!is_address(settings->url))
		return err_set(err, ERR_INVALID,
			"'%s' is no address: it begins with http:// or https://", settings->url);
	if (strchr(strstr(settings->url, "://"), '@'))
		return err_set(err, ERR_INVALID,
			"write the name into `user`, and the password into a file for "
			"`password_file`");
	*key = settings->user ? "user" : "password_file";
	if (!settings->user != !settings->password_file)
		return err_set(err, ERR_INVALID, "`user` and `password_file` go together");
	return 0;
}

static int check_place(const struct remote_settings *settings, const char **key, struct err *err) {
	*key = "endpoint";
	if (settings->endpoint && !is_address(settings->endpoint)) {
		return err_set(err, ERR_INVALID,
			"'%s' is no address: it begins with http:// or https://",
			settings->endpoint);
	}
	*key = "prefix";
	if (settings->prefix && !path_is_plain(settings->prefix) && *settings->prefix) {
		return err_set(err, ERR_INVALID,
			"'%s' is no prefix: write it as a/b, without slashes at its ends",
			settings->prefix);
	}
	return 0;
}

static int check_azure(const struct remote_settings *settings, const char **key, struct err *err) {
	*key = "account";
	if (!settings->account)
		return err_set(err, ERR_INVALID, "a remote of type azure needs `account`");
	*key = "container";
	if (!settings->container)
		return err_set(err, ERR_INVALID, "a remote of type azure needs `container`");
	*key = settings->sas_file ? "sas_file" : "key_file";
	if (!settings->key_file == !settings->sas_file)
		return err_set(err, ERR_INVALID,
			"a remote of type azure needs one of `key_file` and `sas_file`");
	return check_place(settings, key, err);
}

static int check_s3(const struct remote_settings *settings, const char **key, struct err *err) {
	*key = "bucket";
	if (!settings->bucket || !*settings->bucket)
		return err_set(err, ERR_INVALID, "a remote of type s3 needs `bucket`");
	if (check_place(settings, key, err)) return -1;
	*key = settings->access_key_id ? "access_key_id" : "secret_access_key_file";
	if (!settings->access_key_id != !settings->secret_access_key_file) {
		return err_set(err, ERR_INVALID,
			"`access_key_id` and `secret_access_key_file` go together");
	}
	return 0;
}

static int check_gdrive(const struct remote_settings *settings, const char **key, struct err *err) {
	const char *folder = settings->folder;

	*key = "client_id";
	if (!settings->service_account_file && !settings->client_id &&
		!settings->client_secret_file)
		return err_set(err, ERR_INVALID,
			"a remote of type gdrive needs `client_id` and `client_secret_file` of a "
			"project "
			"of your own (see tend.ini(5)), or `service_account_file`");
	if (settings->client_id && !settings->client_secret_file)
		return err_set(err, ERR_INVALID, "`client_id` needs `client_secret_file`");
	*key = "impersonate";
	if (settings->impersonate && !settings->service_account_file)
		return err_set(err, ERR_INVALID, "`impersonate` needs `service_account_file`");
	*key = "folder";
	if (folder && *folder && !str_starts(folder, "id:") && !path_is_plain(folder))
		return err_set(err, ERR_INVALID,
			"'%s' is no folder: write it as a/b, without slashes at its ends, or as "
			"id:ID",
			folder);
	*key = "endpoint";
	if (settings->endpoint && !is_address(settings->endpoint))
		return err_set(err, ERR_INVALID,
			"'%s' is no address: it begins with http:// or https://",
			settings->endpoint);
	return 0;
}

static int check_sftp(const struct remote_settings *settings, const char **key, struct err *err) {
	*key = "host";
	if (!settings->host || !*settings->host)
		return err_set(err, ERR_INVALID, "a remote of type sftp needs `host`");
	/* ssh's own user@host and ssh:// would say twice what other keys say. */
	if (strpbrk(settings->host, "@/ "))
		return err_set(err, ERR_INVALID,
			"'%s' is no name of a host: write the user into `user`, the folder into "
			"`path`",
			settings->host);
	*key = "path";
	if (settings->remote_path && (!*settings->remote_path || *settings->remote_path == '~'))
		return err_set(err, ERR_INVALID,
			"write the folder in full, or as it is called in the folder that a login "
			"leads to");
	*key = "ssh";
	char **words = config_split_command(settings->ssh, err);
	if (!words) return -1;
	strv_free(words);
	return 0;
}

static int check(const void *at, const char *name, const char **key, struct err *err) {
	const struct remote_settings *settings = at;

	*key = "upload_limit";
	if (bandwidth_check(settings->upload_limit, err)) return -1;
	*key = "download_limit";
	if (bandwidth_check(settings->download_limit, err)) return -1;
	if (settings->type == REMOTE_S3) return check_s3(settings, key, err);
	if (settings->type == REMOTE_GDRIVE) return check_gdrive(settings, key, err);
	if (settings->type == REMOTE_AZURE) return check_azure(settings, key, err);
	if (settings->type == REMOTE_WEBDAV) return check_webdav(settings, key, err);
	if (settings->type == REMOTE_SFTP) return check_sftp(settings, key, err);
	*key = "path";
	if (settings->path) return 0;
	return err_set(err, ERR_INVALID, "a remote of type directory needs `path`");
}

const struct config_table store_remote_table = {
	.kind = "remote",
	.named = true,
	.size = sizeof(struct remote_settings),
	.keys = remote_keys,
	.key_count = ARRAY_LEN(remote_keys),
	.check = check,
	.help = "a storage that folders are kept in",
};

static struct store *open_driver(struct loop *loop, struct http *http, const char *name,
	const struct remote_settings *settings, struct err *err) {
	switch (settings->type) {
	case REMOTE_S3: return store_s3_new(loop, http, settings, err);
	case REMOTE_SFTP: return store_sftp_new(loop, settings, err);
	case REMOTE_GDRIVE: return store_gdrive_new(loop, http, name, settings, err);
	case REMOTE_WEBDAV: return store_webdav_new(loop, http, settings, err);
	case REMOTE_AZURE: return store_azure_new(loop, http, settings, err);
	default: return store_directory_new(loop, settings->path);
	}
}

static struct bandwidth *own_limit(struct loop *loop, const char *text) {
	struct err err;

	if (!text) return NULL;
	struct bandwidth *own = bandwidth_new(loop);
	if (bandwidth_set(own, text, &err)) abort(); /* it was checked */
	return own;
}

struct store *store_open(struct loop *loop, struct http *http, const char *name,
	const struct remote_settings *settings, const struct store_line *line, struct err *err) {
	static const int in_flight[] = {
		[REMOTE_DIRECTORY] = DIRECTORY_IN_FLIGHT,
		[REMOTE_S3] = S3_IN_FLIGHT,
		[REMOTE_GDRIVE] = GDRIVE_IN_FLIGHT,
		[REMOTE_WEBDAV] = WEBDAV_IN_FLIGHT,
		[REMOTE_AZURE] = AZURE_IN_FLIGHT,
		[REMOTE_SFTP] = SFTP_IN_FLIGHT,
	};
	struct store_limits limits = {
		.max_in_flight = (int)settings->max_in_flight,
		.requests_per_second = (double)settings->requests_per_second,
	};
	struct store *store = open_driver(loop, http, name, settings, err);

	if (!store) {
		err_wrap(err, "remote '%s'", name);
		return NULL;
	}
	if (limits.max_in_flight == 0) limits.max_in_flight = in_flight[settings->type];
	struct store_line own = { own_limit(loop, settings->upload_limit),
		own_limit(loop, settings->download_limit) };
	return store_retry(store_throttle(store_limit(store, limits), &own, line), MAX_TRIES);
}
