#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"

void crypto_wipe(void *bytes, size_t len) {
	OPENSSL_cleanse(bytes, len);
}

bool crypto_equal(const void *left, const void *right, size_t len) {
	return CRYPTO_memcmp(left, right, len) == 0;
}

static int check_file(int fd, const char *path, struct err *err) {
	struct stat st;

	if (fstat(fd, &st)) return err_sys(err, errno, "cannot read secret file '%s'", path);
	if (!S_ISREG(st.st_mode)) {
		return err_set(err, ERR_INVALID, "secret file '%s' is not a regular file", path);
	}
	if (st.st_mode & 077) {
		return err_set(err, ERR_DENIED,
			"secret file '%s' can be read by others: chmod 600 '%s'", path, path);
	}
	return 0;
}

/* Into `bytes` of `size`; the length, or -1. */
static ssize_t read_all(int fd, char *bytes, size_t size) {
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, bytes + len, size - len);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return -1;
		if (got == 0) break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

int secret_read_file(const char *path, struct secret *secret, struct err *err) {
	char bytes[SECRET_MAX + 2]; /* one for a byte too many, one for the NUL */
	int rc = -1;

	*secret = (struct secret){ 0 };
	/* Not blocking, should somebody have put a FIFO there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return err_sys(err, errno, "cannot read secret file '%s'", path);
	if (check_file(fd, path, err)) goto close_file;

	ssize_t len = read_all(fd, bytes, SECRET_MAX + 1);
	if (len < 0) {
		err_sys(err, errno, "cannot read secret file '%s'", path);
		goto close_file;
	}
	if (len > SECRET_MAX) {
		err_set(err, ERR_INVALID, "secret file '%s' is larger than %d bytes", path,
			SECRET_MAX);
		goto wipe;
	}
	if (len > 0 && bytes[len - 1] == '\n') len--;
	bytes[len] = '\0';
	if (len == 0 || strlen(bytes) != (size_t)len) {
		err_set(err, ERR_INVALID, "secret file '%s' %s", path,
			len ? "holds a NUL byte: it must be text" : "is empty");
		goto wipe;
	}
	secret_set(secret, bytes);
	rc = 0;
wipe:
	crypto_wipe(bytes, sizeof(bytes));
close_file:
	close(fd);
	return rc;
}

void secret_set(struct secret *secret, const char *text) {
	secret->text = xstrdup(text);
	secret->len = strlen(text);
	log_secret(text);
}

void secret_release(struct secret *secret) {
	if (secret->text) crypto_wipe(secret->text, secret->len);
	free(secret->text);
	*secret = (struct secret){ 0 };
}
