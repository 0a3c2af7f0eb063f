/*
 * The peer of bench s3: nothing but PUTs. N connections kept alive, SigV4 over the payload's hash, the file read and sent, no index, no
 * metadata. usage: ACCESS= SECRET= REGION= put_loop ENDPOINT BUCKET PREFIX FOLDER N
 */
#include <curl/curl.h>
#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct put {
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	size_t len;
};

static char **names;
static size_t count, next_name;
static const char *endpoint, *bucket, *prefix, *folder, *region;

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
			strcat(name, "/");
			walk(full, name);
			continue;
		}
		names = realloc(names, (count + 1) * sizeof(*names));
		names[count++] = strdup(name);
	}
	if (dir) closedir(dir);
}

static int put_next(CURLM *multi, struct put *put) {
	char path[8192], url[8192], hash[65], canonical[16384], scope[256], text[1024], line[8192],
		date[32];
	unsigned char key[32], signature[32];
	char secret[256], signature_hex[65];
	if (next_name == count) return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, names[next_name]);
	FILE *file = fopen(path, "rb");
	struct stat st;
	fstat(fileno(file), &st);
	put->len = (size_t)st.st_size;
	put->body = realloc(put->body, put->len + 1);
	if (fread(put->body, 1, put->len, file) != put->len) exit(1);
	fclose(file);
	sha(put->body, put->len, hash);
	time_t now = time(NULL);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", gmtime(&now));
	const char *host = strstr(endpoint, "://") + 3;
	snprintf(path, sizeof(path), "/%s/%s/%s", bucket, prefix, names[next_name++]);
	snprintf(canonical, sizeof(canonical),
		"PUT\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\nhost;x-amz-content-"
		"sha256;x-amz-date\n%s",
		path, host, hash, date, hash);
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
	curl_slist_free_all(put->headers);
	put->headers = NULL;
	snprintf(line, sizeof(line), "x-amz-date: %s", date);
	put->headers = curl_slist_append(put->headers, line);
	sha(put->body, put->len, hash);
	snprintf(line, sizeof(line), "x-amz-content-sha256: %s", hash);
	put->headers = curl_slist_append(put->headers, line);
	snprintf(line, sizeof(line),
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, "
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
		"Signature=%s",
		getenv("ACCESS"), scope, signature_hex);
	put->headers = curl_slist_append(put->headers, line);
	put->headers = curl_slist_append(put->headers, "Expect:");
	snprintf(url, sizeof(url), "%s%s", endpoint, path);
	if (!put->easy) put->easy = curl_easy_init();
	curl_easy_setopt(put->easy, CURLOPT_URL, url);
	curl_easy_setopt(put->easy, CURLOPT_CUSTOMREQUEST, "PUT");
	curl_easy_setopt(put->easy, CURLOPT_POSTFIELDS, put->body);
	curl_easy_setopt(put->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)put->len);
	curl_easy_setopt(put->easy, CURLOPT_HTTPHEADER, put->headers);
	curl_easy_setopt(put->easy, CURLOPT_PRIVATE, put);
	curl_multi_add_handle(multi, put->easy);
	return 1;
}

int main(int argc, char **argv) {
	if (argc != 6) return 2;
	endpoint = argv[1], bucket = argv[2], prefix = argv[3], folder = argv[4],
	region = getenv("REGION");
	int parallel = atoi(argv[5]), running = 0, busy = 0;
	walk(folder, "");
	curl_global_init(CURL_GLOBAL_ALL);
	CURLM *multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)parallel);
	struct put *puts = calloc((size_t)parallel, sizeof(*puts));
	for (int i = 0; i < parallel; i++) busy += put_next(multi, &puts[i]);
	while (busy) {
		curl_multi_perform(multi, &running);
		int left;
		for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
			struct put *put;
			long status = 0;
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&put);
			curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
			if (message->data.result != CURLE_OK || status != 200) {
				fprintf(stderr, "PUT failed: %s, status %ld\n",
					curl_easy_strerror(message->data.result), status);
				return 1;
			}
			curl_multi_remove_handle(multi, put->easy);
			busy += put_next(multi, put) - 1;
		}
		if (busy) curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	return 0;
}
