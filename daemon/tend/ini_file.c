/* A configuration is never half written: it is made beside its place, and takes it when tendd finds nothing wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tend/command.h"

enum { INI_MAX = 4 << 20 };

/* The name begins with a dot: no `include = *.ini` takes it in. */
int ini_beside(
	const char *file, const struct stat *like, unsigned mode, char **path, struct err *err) {
	char *folder = path_parent(file);
	*path = xasprintf("%s%s.%s-XXXXXX", folder, *folder ? "/" : "", path_name(file));
	int fd = mkstemp(*path);

	free(folder);
	if (fd < 0) {
		err_sys(err, errno, "cannot write beside '%s'", file);
		goto failed;
	}
	/* Whose it is first: a change of owner may take rights away. */
	if (like && fchown(fd, like->st_uid, like->st_gid) != 0 && geteuid() == 0) {
		err_sys(err, errno, "cannot give '%s' to the owner of '%s'", *path, file);
		goto remove;
	}
	if (fchmod(fd, like ? like->st_mode & 07777 : (mode_t)mode) == 0) return fd;
	err_sys(err, errno, "cannot set the rights of '%s'", *path);
remove:
	(void)close(fd);
	(void)unlink(*path);
failed:
	free(*path);
	*path = NULL;
	return -1;
}

static int sync_path(const char *path, int flags, struct err *err) {
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0) {
		err_sys(err, errno, "cannot write '%s' to its disk", path);
		if (fd >= 0) (void)close(fd);
		return -1;
	}
	(void)close(fd);
	return 0;
}

int ini_put(const char *beside, const char *file, struct err *err) {
	if (sync_path(beside, 0, err) != 0) return -1;
	if (rename(beside, file) != 0) return err_sys(err, errno, "cannot replace '%s'", file);
	char *folder = path_parent(file);
	int result = sync_path(*folder ? folder : ".", O_DIRECTORY, err);
	free(folder);
	return result;
}

char *ini_read(const char *file, struct err *err) {
	FILE *in = fopen(file, "re");
	char piece[4096];
	struct buf text;

	if (!in) {
		err_sys(err, errno, "cannot read '%s'", file);
		return NULL;
	}
	buf_init(&text, INI_MAX);
	for (size_t got; (got = fread(piece, 1, sizeof(piece), in)) > 0;) {
		if (buf_add(&text, piece, got) != 0) break;
	}
	bool bad = ferror(in) || text.full;
	(void)fclose(in);
	if (!bad) return buf_steal(&text);
	buf_release(&text);
	err_set(err, ERR_INVALID, "'%s' cannot be read, or is larger than %d bytes", file, INI_MAX);
	return NULL;
}
