/* Sockets by /proc/net/tcp, their owners by /proc/PID/fd: at boot there is no connection yet, so listeners count; a socket that
 * systemd holds for ssh.socket counts when sshd's configuration names its port. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "step/ports.h"

enum { STATE_ESTABLISHED = 1, STATE_LISTEN = 10, FILES_MAX = 256 };

struct socket {
	unsigned long inode;
	unsigned port;
	bool listens;
	bool loopback; /* only this machine reaches it, firewall or not */
};

struct sockets {
	struct socket *at;
	size_t count, room;
	unsigned own_first, own_last; /* ports that the system gives to outgoing connections */
};

static void add_socket(struct sockets *sockets, const struct socket *socket) {
	if (sockets->count == sockets->room) {
		sockets->room = sockets->room ? 2 * sockets->room : 64;
		sockets->at = xrealloc(sockets->at, sockets->room * sizeof(*sockets->at));
	}
	sockets->at[sockets->count++] = *socket;
}

/* "  0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...": the second word is our
 * side, the fourth the state, the tenth the inode. */
static void read_socket(char *line, struct sockets *sockets) {
	static const char *const loopbacks[] = { "0100007F", "00000000000000000000000001000000",
		"0000000000000000FFFF00000100007F" };
	char *words[10], *rest = NULL;
	size_t count = 0;
	for (char *word = strtok_r(line, " \n", &rest); word && count < ARRAY_LEN(words);
		word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	char *colon = count == ARRAY_LEN(words) ? strchr(words[1], ':') : NULL;
	if (!colon) return;
	*colon = '\0';
	unsigned long state = strtoul(words[3], NULL, 16);
	struct socket socket = { .inode = strtoul(words[9], NULL, 10),
		.port = (unsigned)strtoul(colon + 1, NULL, 16),
		.listens = state == STATE_LISTEN };
	for (size_t i = 0; i < ARRAY_LEN(loopbacks); i++)
		if (str_equal(words[1], loopbacks[i])) socket.loopback = true;
	if (socket.listens || state == STATE_ESTABLISHED) add_socket(sockets, &socket);
}

static void read_sockets(const char *path, struct sockets *sockets) {
	FILE *file = fopen(path, "re");
	char line[512];
	while (file && fgets(line, sizeof(line), file)) read_socket(line, sockets);
	if (file) fclose(file);
}

static void read_range(struct sockets *sockets) {
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char line[64] = "", *end;
	if (file && !fgets(line, sizeof(line), file)) line[0] = '\0';
	if (file) fclose(file);
	sockets->own_first = (unsigned)strtoul(line, &end, 10);
	sockets->own_last = (unsigned)strtoul(end, NULL, 10);
}

static void add_port(char ***ports, unsigned port) {
	char text[16];
	snprintf(text, sizeof(text), "%u", port);
	for (char **at = *ports; at && *at; at++)
		if (str_equal(*at, text)) return;
	strv_add(ports, text);
}

/* ---- sshd's own configuration: for sockets that systemd holds ---- */

static void read_config(const char *path, char ***ports) {
	FILE *file = fopen(path, "re");
	char line[512], *rest = NULL;
	while (file && fgets(line, sizeof(line), file)) {
		const char *key = strtok_r(line, " \t=\n", &rest),
			   *value = strtok_r(NULL, " \t\n", &rest);
		int64_t port;
		if (key && value && strcasecmp(key, "Port") == 0 &&
			str_to_int(value, 1, 65535, &port) == 0)
			add_port(ports, (unsigned)port);
	}
	if (file) fclose(file);
}

static char **configured_ports(void) {
	char **ports = NULL;
	DIR *folder = opendir("/etc/ssh/sshd_config.d");
	struct dirent *entry;
	read_config("/etc/ssh/sshd_config", &ports);
	for (int i = 0; folder && i < FILES_MAX && (entry = readdir(folder)); i++) {
		char *path = xasprintf("/etc/ssh/sshd_config.d/%s", entry->d_name);
		if (str_ends(path, ".conf")) read_config(path, &ports);
		free(path);
	}
	if (folder) closedir(folder);
	if (!ports) add_port(&ports, 22);
	return ports;
}

/* ---- owners ---- */

static bool is_sshd(const char *pid) {
	char name[32] = "";
	char *path = xasprintf("/proc/%s/comm", pid);
	FILE *file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file)) name[0] = '\0';
	if (file) fclose(file);
	free(path);
	return str_starts(name, "sshd") || str_starts(name, "dropbear");
}

static const struct socket *socket_of(const struct sockets *sockets, const char *link) {
	static const char prefix[] = "socket:[";
	char target[64];
	ssize_t len = readlink(link, target, sizeof(target) - 1);
	if (len <= 0) return NULL;
	target[len] = '\0';
	if (!str_starts(target, prefix)) return NULL;
	unsigned long inode = strtoul(target + strlen(prefix), NULL, 10);
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->at[i].inode == inode) return &sockets->at[i];
	return NULL;
}

/* The sockets of a process. The caller's, `count` long. */
static const struct socket **sockets_of(
	const char *pid, const struct sockets *sockets, size_t *count) {
	const struct socket **found = xcalloc(FILES_MAX, sizeof(*found));
	char *path = xasprintf("/proc/%s/fd", pid);
	DIR *folder = opendir(path);
	struct dirent *entry;
	*count = 0;
	while (folder && *count < FILES_MAX && (entry = readdir(folder))) {
		char *link = xasprintf("%s/%s", path, entry->d_name);
		const struct socket *socket = socket_of(sockets, link);
		if (socket) found[(*count)++] = socket;
		free(link);
	}
	if (folder) closedir(folder);
	free(path);
	return found;
}

/* A process that carries a connection is a session: what it listens on is somebody's forwarding, as is a connection from a port
 * of the system's own choice. */
static void take_ports(const char *pid, const struct sockets *sockets, char ***ports) {
	size_t count;
	const struct socket **found = sockets_of(pid, sockets, &count);
	bool session = false;
	for (size_t i = 0; i < count; i++) session = session || !found[i]->listens;
	for (size_t i = 0; i < count; i++) {
		unsigned port = found[i]->port;
		bool own = port >= sockets->own_first && port <= sockets->own_last;
		if (session ? !found[i]->listens && !own : !found[i]->loopback)
			add_port(ports, port);
	}
	free(found);
}

/* What systemd holds for ssh.socket: the ports of sshd's configuration among all that it holds. */
static void take_held_ports(const struct sockets *sockets, char ***ports) {
	char text[16];
	char **configured = configured_ports();
	size_t count;
	const struct socket **found = sockets_of("1", sockets, &count);
	for (size_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%u", found[i]->port);
		for (char **port = configured; *port; port++)
			if (found[i]->listens && str_equal(*port, text))
				add_port(ports, found[i]->port);
	}
	free(found);
	strv_free(configured);
}

char **step_ssh_ports(struct err *err) {
	struct sockets sockets = { 0 };
	char **ports = NULL;
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	read_range(&sockets);
	read_sockets("/proc/net/tcp", &sockets);
	read_sockets("/proc/net/tcp6", &sockets);
	while (folder && (entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]) && is_sshd(entry->d_name))
			take_ports(entry->d_name, &sockets, &ports);
	if (folder) closedir(folder);
	take_held_ports(&sockets, &ports);
	free(sockets.at);
	if (!ports)
		err_set(err, ERR_NOT_FOUND,
			"no sshd listens here: a firewall would shut the only way in; a step that "
			"starts sshd comes first");
	return ports;
}
