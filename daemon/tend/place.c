/* Which socket is meant: SERVICES.md §6 has the order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/config.h"
#include "tend/client.h"

struct place_settings {
	char *runtime_dir;
};

/* The command needs one key; the daemon's own table has them all. */
static const struct config_key place_keys[] = {
	{
		.name = "runtime_dir",
		.type = CONFIG_PATH,
		.offset = offsetof(struct place_settings, runtime_dir),
	},
};

static const struct config_table place_table = {
	.kind = "tend",
	.size = sizeof(struct place_settings),
	.keys = place_keys,
	.key_count = ARRAY_LEN(place_keys),
};

/* The runtime_dir that stands in `file`; NULL without err when none does. */
static char *dir_of_file(const char *file, struct err *err) {
	static const struct config_table *const tables[] = { &place_table, NULL };
	const struct config_options options = {
		.tables = tables, .lenient = true, .home = getenv("HOME")
	};
	struct config_errors errors = { 0 };
	char *dir = NULL;

	err_clear(err);
	struct config *config = config_read(file, &options, &errors, err);
	if (config) {
		const struct config_section *section = config_find(config, "tend", "");
		if (section)
			dir = xstrdup(
				((const struct place_settings *)section->settings)->runtime_dir);
		err_clear(err);
	}
	config_errors_release(&errors);
	config_free(config);
	return dir;
}

/* A standing file that cannot be read says nothing against the usual place. */
static char *dir_of_place(const char *file, const char *usual) {
	struct err err;
	char *dir = file && access(file, R_OK) == 0 ? dir_of_file(file, &err) : NULL;

	return dir ? dir : xstrdup(usual);
}

/* Takes `dir`. */
static char *socket_in(char *dir) {
	char *path = dir ? path_join(dir, "tend.sock") : NULL;

	free(dir);
	return path;
}

static char *system_socket(void) {
	return socket_in(dir_of_place(place_system_file(), place_system_runtime_dir()));
}

static char *user_socket(void) {
	char *file = place_user_file(), *usual = place_user_runtime_dir();
	char *path = usual ? socket_in(dir_of_place(file, usual)) : NULL;

	free(file);
	free(usual);
	return path;
}

static char *file_socket(const char *file, bool may_lack, struct err *err) {
	char *dir = dir_of_file(file, err);

	if (err->kind == ERR_NOT_FOUND && may_lack) err_clear(err);
	if (err->kind != ERR_NONE) return NULL;
	if (!dir)
		dir = geteuid() == 0 ? xstrdup(place_system_runtime_dir())
				     : place_user_runtime_dir();
	if (!dir)
		(void)err_set(err, ERR_INVALID,
			"no runtime_dir in '%s' and XDG_RUNTIME_DIR is not set", file);
	return socket_in(dir);
}

char *place_socket(const struct client_place *place, struct err *err) {
	const char *environment = getenv("TEND_SOCKET");

	err_clear(err);
	if (place->socket) return xstrdup(place->socket);
	if (place->file) return file_socket(place->file, place->may_lack, err);
	if (environment && *environment) return xstrdup(environment);
	if (place->system || (geteuid() == 0 && !place->user)) return system_socket();

	/* Most machines have one tendd, root's; whoever runs one of his own means that. */
	char *own = user_socket();
	if (place->user) {
		if (!own)
			(void)err_set(err, ERR_INVALID,
				"no place for a user's tendd: XDG_RUNTIME_DIR is not set");
		return own;
	}
	if (own && place_probe(own) == 0) return own;
	free(own);
	return system_socket();
}

/* A local connect does not wait: somebody listens or nobody does. */
int place_probe(const char *socket_path) {
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int errnum = 0;

	if (strlen(socket_path) >= sizeof(address.sun_path)) return ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0) return errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) errnum = errno;
	close(fd);
	return errnum;
}

/* In the words of whatever would start that one. */
char *place_advice(const struct client_place *place, const char *socket_path) {
	char *usual = system_socket();
	bool is_system = str_equal(usual, socket_path);

	free(usual);
	if (place->file) return xasprintf("'tendd -c %s'", place->file);
	return xasprintf(
		"'%s' or 'tendd -c FILE'", is_system ? place_system_start() : place_user_start());
}
