/* packages: names that the system's package manager has installed. What apt has is read from dpkg's own file, and what
 * brew has from its folders; dnf's database is its own affair, so there a definition is done once. */
#include "step/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_MAX = 128 << 10 };

struct manager {
	const char *name;
	const char *programs[4]; /* where it may lie; NULL-ended */
	bool root;               /* works for root only; else root is refused */
	/* Those that are not installed; NULL: it cannot be seen. */
	char **(*missing)(const struct manager *manager, const char *program, char *const *names);
	void (*script)(
		struct buf *script, const struct step_settings *settings, const char *program);
};

/* ---- names ---- */

/* They stand in a command line: nothing that a shell or the manager takes for more than a name. */
static bool is_name(const char *name) {
	if (!isalnum((unsigned char)*name) && *name != '@') return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("+.-_:=~/@", *name)) return false;
	return true;
}

static void add_names(struct buf *script, char *const *names) {
	for (; *names; names++) {
		buf_addc(script, ' ');
		step_add_word(script, *names);
	}
}

/* ---- apt ---- */

/* "name", "name:arch", "name=version", "name/suite" against one stanza of dpkg's file. */
static bool is_meant(const char *name, const char *package, const char *arch, const char *version) {
	size_t len = strcspn(name, ":=/");
	if (strlen(package) != len || strncmp(name, package, len) != 0) return false;
	const char *rest = name + len;
	if (*rest == ':') {
		size_t arch_len = strcspn(rest + 1, "=/");
		if (strlen(arch) != arch_len || strncmp(rest + 1, arch, arch_len) != 0)
			return false;
		rest += 1 + arch_len;
	}
	return *rest != '=' || str_equal(rest + 1, version);
}

/* Of a line "Provides: a, b (= 2)": is `name` among them? */
static bool is_provided(const char *name, const char *provides) {
	size_t len = strlen(name);
	while (*provides) {
		provides += strspn(provides, ", ");
		size_t word = strcspn(provides, ", (");
		if (word == len && strncmp(provides, name, len) == 0) return true;
		provides += strcspn(provides, ",");
	}
	return false;
}

struct stanza {
	char *package, *arch, *version, *provides;
	bool installed;
};

static void stanza_end(struct stanza *stanza, char *const *names, bool *found) {
	for (size_t i = 0; stanza->installed && stanza->package && names[i]; i++)
		if (is_meant(names[i], stanza->package, stanza->arch ? stanza->arch : "",
			    stanza->version ? stanza->version : "") ||
			(stanza->provides && is_provided(names[i], stanza->provides)))
			found[i] = true;
	free(stanza->package);
	free(stanza->arch);
	free(stanza->version);
	free(stanza->provides);
	*stanza = (struct stanza){ 0 };
}

static void stanza_line(struct stanza *stanza, const char *line) {
	static const char status[] = "Status: ";
	const struct {
		const char *head;
		char **field;
	} fields[] = { { "Package: ", &stanza->package }, { "Architecture: ", &stanza->arch },
		{ "Version: ", &stanza->version }, { "Provides: ", &stanza->provides } };
	if (str_starts(line, status)) stanza->installed = str_ends(line, " ok installed");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_starts(line, fields[i].head) && !*fields[i].field)
			*fields[i].field = xstrdup(line + strlen(fields[i].head));
}

char **step_dpkg_missing(const char *path, char *const *names) {
	size_t count = strv_count(names), room = 0;
	bool *found = xcalloc(count + 1, sizeof(*found));
	struct stanza stanza = { 0 };
	char *line = NULL, **missing = NULL;
	FILE *file = fopen(path, "re");
	ssize_t len;
	while (file && (len = getline(&line, &room, file)) >= 0) {
		if (len > 0 && line[len - 1] == '\n') line[len - 1] = '\0';
		if (*line)
			stanza_line(&stanza, line);
		else
			stanza_end(&stanza, names, found);
	}
	stanza_end(&stanza, names, found);
	for (size_t i = 0; i < count; i++)
		if (!found[i]) strv_add(&missing, names[i]);
	if (!missing) missing = xcalloc(1, sizeof(*missing));
	if (file) fclose(file);
	free(line);
	free(found);
	return missing;
}

static char **apt_missing(const struct manager *manager, const char *program, char *const *names) {
	(void)manager, (void)program;
	return step_dpkg_missing("/var/lib/dpkg/status", names);
}

/* At the first boot of a cloud machine others hold the locks for minutes; apt itself waits for all but that of the lists. What an
 * interrupted run left half done is finished first. */
static void apt_script(
	struct buf *script, const struct step_settings *settings, const char *program) {
	(void)program;
	buf_adds(script,
		"export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a "
		"APT_LISTCHANGES_FRONTEND=none\n"
		"apt() {\n"
		"apt-get -q -y -o DPkg::Lock::Timeout=-1 -o Acquire::Retries=3 "
		"-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \"$@\"\n"
		"}\n"
		"dpkg --configure -a || echo 'tend: dpkg is busy'\n");
	if (settings->update)
		buf_adds(script, "n=0\nuntil apt update; do\nn=$((n + 1))\n[ $n -lt 10 ] || "
				 "break\nsleep 5\ndone\n");
	if (settings->upgrade) buf_adds(script, "apt --with-new-pkgs upgrade\n");
	buf_adds(script, "apt install");
	add_names(script, settings->packages);
	buf_adds(script, " || apt --fix-missing install");
	add_names(script, settings->packages);
	buf_adds(script, "\n");
}

/* ---- dnf ---- */

static void dnf_script(
	struct buf *script, const struct step_settings *settings, const char *program) {
	(void)program;
	if (settings->upgrade) buf_adds(script, "dnf -y upgrade\n");
	buf_adds(script, "dnf -y install");
	add_names(script, settings->packages);
	buf_adds(script, "\n");
}

/* ---- brew ---- */

/* PREFIX/Cellar/NAME, or PREFIX/Caskroom/NAME; a tap before the name does not show there. */
static char **brew_missing(const struct manager *manager, const char *program, char *const *names) {
	static const char *const folders[] = { "Cellar", "Caskroom" };
	char *bin = path_parent(program), *prefix = path_parent(bin), **missing = NULL;
	struct stat st;
	(void)manager;
	for (; *names; names++) {
		bool there = false;
		for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
			char *path = xasprintf("%s/%s/%s", prefix, folders[i], path_name(*names));
			there = there || stat(path, &st) == 0;
			free(path);
		}
		if (!there) strv_add(&missing, *names);
	}
	free(bin);
	free(prefix);
	return missing ? missing : xcalloc(1, sizeof(*missing));
}

static void brew_script(
	struct buf *script, const struct step_settings *settings, const char *program) {
	buf_adds(script, "export NONINTERACTIVE=1 HOMEBREW_NO_ASK=1");
	if (!settings->update) buf_adds(script, " HOMEBREW_NO_AUTO_UPDATE=1");
	buf_addc(script, '\n');
	if (settings->upgrade) {
		step_add_word(script, program);
		buf_adds(script, " upgrade\n");
	}
	step_add_word(script, program);
	buf_adds(script, " install");
	add_names(script, settings->packages);
	buf_adds(script, "\n");
}

/* ---- all ---- */

static const struct manager managers[] = {
	{ "apt", { "/usr/bin/apt-get" }, true, apt_missing, apt_script },
	{ "dnf", { "/usr/bin/dnf" }, true, NULL, dnf_script },
	{ "brew",
		{ "/opt/homebrew/bin/brew", "/usr/local/bin/brew",
			"/home/linuxbrew/.linuxbrew/bin/brew" },
		false, brew_missing, brew_script },
};

static const struct manager *find_manager(const char **program) {
	for (size_t i = 0; i < ARRAY_LEN(managers); i++)
		for (size_t j = 0; managers[i].programs[j]; j++) {
			*program = managers[i].programs[j];
			if (access(*program, X_OK) == 0) return &managers[i];
		}
	return NULL;
}

static int packages_check(const struct step_settings *settings, const char **key, struct err *err) {
	const char *program;
	(void)key;
	for (char **name = settings->packages; *name; name++)
		if (!is_name(*name))
			return err_set(err, ERR_INVALID, "'%s' is no name of a package", *name);
	const struct manager *manager = find_manager(&program);
	if (manager && manager->root && geteuid() != 0)
		return err_set(
			err, ERR_DENIED, "%s needs a tendd that runs as root", manager->name);
	if (manager && manager->root && settings->as)
		return err_set(err, ERR_INVALID, "'as' is not for packages of %s, which root does",
			manager->name);
	return 0;
}

static void say_missing(struct step_work *work, char *const *missing) {
	struct buf why;
	buf_init(&why, 64 << 10);
	buf_adds(&why, "not installed: ");
	for (char *const *name = missing; *name; name++)
		buf_addf(&why, "%s%s", name == missing ? "" : ", ", *name);
	free(work->finding.why);
	work->finding.why = buf_steal(&why);
	work->finding.verdict = STEP_TODO;
}

static int packages_look(struct step_work *work, struct err *err) {
	const struct step_settings *settings = work->settings;
	const char *program;
	const struct manager *manager = find_manager(&program);
	if (!manager)
		return err_set(err, ERR_NOT_FOUND,
			"no package manager that tend knows is here: apt-get, dnf or brew");
	char **missing =
		manager->missing ? manager->missing(manager, program, settings->packages) : NULL;
	step_work_due(work, false);
	if (missing && *missing) {
		say_missing(work, missing);
	} else if (missing && !settings->upgrade) {
		/* By hand too: there is nothing to do. */
		free(work->finding.why);
		work->finding.why = xstrdup("all are installed");
		work->finding.verdict = STEP_SO;
	}
	strv_free(missing);
	if (work->finding.verdict != STEP_TODO || work->dry) return 0;
	struct buf script;
	buf_init(&script, SCRIPT_MAX);
	manager->script(&script, settings, program);
	work->script = buf_steal(&script);
	return 0;
}

const struct step_kind step_kind_packages = { .name = "packages",
	.network = true,
	.verified = true,
	.check = packages_check,
	.look = packages_look };
