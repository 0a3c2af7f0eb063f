/* The users that keys name, as the system's database has them. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/config.h"

enum { PASSWD_BYTES = 64 << 10, GROUPS_MAX = 65536 };

/* An entry may leave fields empty, and login(1) has an answer for each. */
static void take_entry(struct config_user *user, const struct passwd *entry) {
	user->name = xstrdup(entry->pw_name);
	user->home = xstrdup(entry->pw_dir && *entry->pw_dir ? entry->pw_dir : "/");
	user->shell = xstrdup(entry->pw_shell && *entry->pw_shell ? entry->pw_shell : "/bin/sh");
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
}

/* A container's arbitrary uid, say. */
static void take_ourselves(struct config_user *user) {
	const char *home = getenv("HOME");

	user->name = xasprintf("%lu", (unsigned long)geteuid());
	user->home = xstrdup(home ? home : "/");
	user->shell = xstrdup("/bin/sh");
	user->uid = geteuid();
	user->gid = getegid();
}

int config_user_find(const char *name, struct config_user *user, struct err *err) {
	struct passwd entry;
	struct passwd *found = NULL;
	char *room = xmalloc(PASSWD_BYTES);
	int errnum = name ? getpwnam_r(name, &entry, room, PASSWD_BYTES, &found)
			  : getpwuid_r(geteuid(), &entry, room, PASSWD_BYTES, &found);
	int result = 0;

	*user = (struct config_user){ 0 };
	if (found) {
		take_entry(user, found);
	} else if (!name) {
		take_ourselves(user);
	} else if (errnum && errnum != ENOENT && errnum != ESRCH) {
		/* "Not found" is no error by POSIX, and these two in some libraries. A directory
		 * service that does not answer is one, and passes. */
		result = err_sys(err, errnum, "cannot look up user '%s'", name);
	} else {
		result = err_set(err, ERR_NOT_FOUND, "there is no user '%s'", name);
	}
	free(room);
	return result;
}

void config_user_release(struct config_user *user) {
	free(user->name);
	free(user->home);
	free(user->shell);
	*user = (struct config_user){ 0 };
}

gid_t *config_user_groups(const char *name, gid_t gid, size_t *count) {
	int room = 64;
	gid_t *groups = xcalloc((size_t)room, sizeof(gid_t));

	/* The groups are int on macOS, of the same bytes. */
	while (getgrouplist(name, gid, (void *)groups, &room) < 0 && room <= GROUPS_MAX)
		groups = xrealloc(groups, (size_t)room * sizeof(gid_t));
	*count = (size_t)room;
	return groups;
}

int config_user_check(const char *name, struct err *err) {
	struct config_user user;

	if (config_user_find(name, &user, err) < 0) return -1;
	uid_t uid = user.uid;
	config_user_release(&user);
	if (geteuid() == 0 || uid == geteuid()) return 0;
	return err_set(err, ERR_DENIED,
		"user '%s' is another than yours: only a tendd that runs as root can do that",
		name);
}
