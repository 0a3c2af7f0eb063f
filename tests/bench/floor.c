/*
 * The floor of bench directory: what a copy of small files that is neither torn nor half named after a crash must ask of the system, and
 * nothing else: no index, no events, no allocation. Each file is opened beneath its root, looked at, read and hashed; written beside,
 * given its mode and time, and renamed into place, where nothing may stand; looked at once more.
 * usage: floor FROM TO THREADS    TO/.tend/tmp is made; folders as in FROM, one below the other.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BODY_MAX = 8 << 20 };

static int from, to, beside;
static char **names;
static size_t count;
static atomic_size_t next_name;

static void stop(const char *what) {
	perror(what);
	exit(1);
}

static int open_beneath(int root, const char *path, unsigned flags) {
	struct open_how how = { .flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0) stop(path);
	return fd;
}

static void look(int fd, struct statx *seen) {
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, seen) < 0) stop("statx");
}

/* What lies in `folder`, as "folder/name". */
static void walk(const char *folder) {
	int fd = open_beneath(from, folder, O_RDONLY | O_DIRECTORY);
	DIR *dir = fdopendir(fd);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char path[512];
		if (entry->d_name[0] == '.') continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_type == DT_DIR) {
			if (mkdirat(to, path, 0755) < 0) stop(path);
			walk(path);
			continue;
		}
		if ((count & (count - 1)) == 0)
			names = realloc(names, (count ? 2 * count : 1) * sizeof(*names));
		names[count++] = strdup(path);
	}
	closedir(dir);
}

static void copy(const char *path, char *body, EVP_MD_CTX *digest) {
	struct statx before, after;
	unsigned char hash[32];
	char tmp[64], parent[512];

	int fd = open_beneath(from, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	look(fd, &before);
	if (pread(fd, body, before.stx_size, 0) != (ssize_t)before.stx_size) stop(path);
	look(fd, &after);
	close(fd);
	EVP_DigestInit_ex2(digest, NULL, NULL);
	EVP_DigestUpdate(digest, body, before.stx_size);
	EVP_DigestFinal_ex(digest, hash, NULL);

	snprintf(tmp, sizeof(tmp), "%p", (void *)path);
	fd = openat(beside, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, body, before.stx_size, 0) != (ssize_t)before.stx_size) stop(tmp);
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
		{ before.stx_mtime.tv_sec, before.stx_mtime.tv_nsec } };
	if (fchmod(fd, before.stx_mode & 0777) < 0 || futimens(fd, times) < 0) stop(tmp);
	const char *name = strrchr(path, '/') + 1;
	snprintf(parent, sizeof(parent), "%.*s", (int)(name - path - 1), path);
	int folder = open_beneath(to, parent, O_PATH | O_DIRECTORY);
	if (renameat2(beside, tmp, folder, name, RENAME_NOREPLACE) < 0) stop(path);
	close(folder);
	look(fd, &after);
	close(fd);
}

static void *work(void *user) {
	char *body = malloc(BODY_MAX);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	EVP_DigestInit_ex2(digest, EVP_MD_fetch(NULL, "SHA256", NULL), NULL);
	for (size_t at; (at = atomic_fetch_add(&next_name, 1)) < count;)
		copy(names[at], body, digest);
	return user;
}

int main(int argc, char **argv) {
	pthread_t threads[64];
	int number = argc > 3 ? atoi(argv[3]) : 0;

	if (number < 1 || number > 64) return 2;
	from = open(argv[1], O_PATH | O_DIRECTORY);
	to = open(argv[2], O_PATH | O_DIRECTORY);
	if (from < 0 || to < 0) stop(argv[1]);
	if (mkdirat(to, ".tend", 0700) < 0 || mkdirat(to, ".tend/tmp", 0700) < 0) stop(argv[2]);
	beside = open_beneath(to, ".tend/tmp", O_PATH | O_DIRECTORY);
	walk(".");
	for (int i = 0; i < number; i++) pthread_create(&threads[i], NULL, work, NULL);
	for (int i = 0; i < number; i++) pthread_join(threads[i], NULL);
	return 0;
}
