/*
 * The peer of bench s3, and the floor of bench fetch: nothing but requests, one for each file below FOLDER, on N connections kept alive,
 * with SigV4 over the payload's hash; no list, no index, no metadata. A PUT reads the file and sends it. With TO each is a GET: what comes
 * is hashed, written beside, made durable, and renamed to its name in TO, where the folders are.
 * usage: ACCESS= SECRET= REGION= s3_loop ENDPOINT BUCKET PREFIX FOLDER N [TO]
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct request {
	CURL *easy;
	struct curl_slist *headers;
	const char *name;
	char *body;
	size_t len;
};

static char **names;
static size_t count, next_name;
static const char *endpoint, *bucket, *prefix, *folder, *region, *to;

static void stop(const char *what) {
	perror(what);
	exit(1);
}

static void hex(const unsigned char *in, size_t len, char *out) {
	for (size_t i = 0; i < len; i++) sprintf(out + 2 * i, "%02x", in[i]);
}

static void hmac(const void *key, size_t key_len, const char *text, unsigned char *out) {
	unsigned len = 32;
	HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out, &len);
}

static void sha(const void *bytes, size_t len, char *out) {
	unsigned char hash[32];
	EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL);
	hex(hash, 32, out);
}

static void walk(const char *path, const char *below) {
	DIR *dir = opendir(path);
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		char full[4096], name[4096];
		if (entry->d_name[0] == '.') continue;
		snprintf(full, sizeof(full), "%s/%s", path, entry->d_name);
		snprintf(name, sizeof(name), "%s%s", below, entry->d_name);
		if (entry->d_type == DT_DIR) {
			char made[8192];
			snprintf(made, sizeof(made), "%s/%s", to ? to : "", name);
			if (to && mkdir(made, 0755) < 0) stop(made);
			strcat(name, "/");
			walk(full, name);
			continue;
		}
		names = realloc(names, (count + 1) * sizeof(*names));
		names[count++] = strdup(name);
	}
	if (dir) closedir(dir);
}

static void read_body(struct request *request) {
	char path[8192];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", folder, request->name);
	FILE *file = fopen(path, "rb");
	if (!file || fstat(fileno(file), &st) < 0) stop(path);
	request->len = (size_t)st.st_size;
	request->body = realloc(request->body, request->len + 1);
	if (fread(request->body, 1, request->len, file) != request->len) stop(path);
	fclose(file);
}

static size_t came(char *bytes, size_t one, size_t len, void *user) {
	struct request *request = user;
	request->body = realloc(request->body, request->len + len);
	memcpy(request->body + request->len, bytes, len);
	request->len += len;
	return one * len;
}

static void place(struct request *request) {
	char beside[8200], path[8192], hash[65];
	sha(request->body, request->len, hash);
	snprintf(path, sizeof(path), "%s/%s", to, request->name);
	snprintf(beside, sizeof(beside), "%s.beside", path);
	int fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, request->body, request->len) != (ssize_t)request->len) stop(beside);
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1700000000 } };
	if (fchmod(fd, 0644) < 0 || futimens(fd, times) < 0 || fdatasync(fd) < 0) stop(beside);
	close(fd);
	if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) < 0) stop(path);
}

static int next(CURLM *multi, struct request *request) {
	char path[8192], url[8192], hash[65], canonical[16384], scope[256], text[1024], line[8192],
		date[32];
	unsigned char key[32], signature[32];
	char secret[256], signature_hex[65];
	if (next_name == count) return 0;
	request->name = names[next_name++];
	request->len = 0;
	if (!to) read_body(request);
	sha(request->body, request->len, hash);
	time_t now = time(NULL);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime(&now));
	const char *host = strstr(endpoint, "://") + 3;
	snprintf(path, sizeof(path), "/%s/%s/%s", bucket, prefix, request->name);
	snprintf(canonical, sizeof(canonical),
		"%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\nhost;x-amz-content-"
		"sha256;x-amz-date\n%s",
		to ? "GET" : "PUT", path, host, hash, date, hash);
	snprintf(scope, sizeof(scope), "%.8s/%s/s3/aws4_request", date, region);
	sha(canonical, strlen(canonical), hash);
	snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hash);
	snprintf(secret, sizeof(secret), "AWS4%s", getenv("SECRET"));
	snprintf(line, sizeof(line), "%.8s", date);
	hmac(secret, strlen(secret), line, key);
	hmac(key, 32, region, key);
	hmac(key, 32, "s3", key);
	hmac(key, 32, "aws4_request", key);
	hmac(key, 32, text, signature);
	hex(signature, 32, signature_hex);
	curl_slist_free_all(request->headers);
	request->headers = NULL;
	snprintf(line, sizeof(line), "x-amz-date: %s", date);
	request->headers = curl_slist_append(request->headers, line);
	sha(request->body, request->len, hash);
	snprintf(line, sizeof(line), "x-amz-content-sha256: %s", hash);
	request->headers = curl_slist_append(request->headers, line);
	snprintf(line, sizeof(line),
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=%s",
		getenv("ACCESS"), scope, signature_hex);
	request->headers = curl_slist_append(request->headers, line);
	request->headers = curl_slist_append(request->headers, "Expect:");
	snprintf(url, sizeof(url), "%s%s", endpoint, path);
	if (!request->easy) request->easy = curl_easy_init();
	curl_easy_setopt(request->easy, CURLOPT_URL, url);
	if (to) {
		curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, came);
		curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request);
	} else {
		curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, "PUT");
		curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(
			request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
	}
	curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
	curl_easy_setopt(request->easy, CURLOPT_PRIVATE, request);
	curl_multi_add_handle(multi, request->easy);
	return 1;
}

int main(int argc, char **argv) {
	if (argc != 6 && argc != 7) return 2;
	endpoint = argv[1], bucket = argv[2], prefix = argv[3], folder = argv[4],
	region = getenv("REGION"), to = argc == 7 ? argv[6] : NULL;
	int parallel = atoi(argv[5]), running = 0, busy = 0;
	walk(folder, "");
	curl_global_init(CURL_GLOBAL_ALL);
	CURLM *multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)parallel);
	struct request *requests = calloc((size_t)parallel, sizeof(*requests));
	for (int i = 0; i < parallel; i++) busy += next(multi, &requests[i]);
	while (busy) {
		curl_multi_perform(multi, &running);
		int left;
		for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
			struct request *request;
			long status = 0;
			curl_easy_getinfo(
				message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
			curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
			if (message->data.result != CURLE_OK || status != 200) {
				fprintf(stderr, "a request failed: %s, status %ld\n",
					curl_easy_strerror(message->data.result), status);
				return 1;
			}
			curl_multi_remove_handle(multi, request->easy);
			if (to) place(request);
			busy += next(multi, request) - 1;
		}
		if (busy) curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	return 0;
}
