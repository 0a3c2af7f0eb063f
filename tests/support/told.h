/* A real server's contract test: the server that $TEND_SERVER names, the settings of a remote there, secrets in files of their own. */
#ifndef SUPPORT_TOLD_H
#define SUPPORT_TOLD_H

#include "http/http.h"
#include "store/store.h"
#include "support/contract.h"
#include "support/proxy.h"

enum { TOLD_LINES_MAX = 8, TOLD_SECRETS_MAX = 4 };

struct told {
	struct contract contract; /* opens `settings`; the rest is the test's to set */
	struct http *http;
	struct remote_settings settings;
	bool probe; /* what the contract opens asks first which conditions the server keeps */
	char *lines[TOLD_LINES_MAX]; /* of $TEND_SERVER/server */
	size_t count;
	char folder[32]; /* of the secrets */
	char *secrets[TOLD_SECRETS_MAX];
	struct proxy *proxy; /* before that server, for what the server itself never says */
	int proxy_port;      /* of that server */
	enum contract_trouble trouble;
	int passes; /* so many go well before */
};

/* NULL: no server tells `least` lines, which was said on stderr. */
struct told *told_new(const char *name, size_t least);
void told_free(struct told *told);

/* Writes it as a person would give it: in a file that nobody else can read. Its path; told's. */
char *told_secret(struct told *told, const char *name, const char *text);
void told_write_secret(const char *path, const char *text);

/* With `probe` it has asked first which conditions its server keeps. NULL with err. */
struct store *told_open(
	struct told *told, const struct remote_settings *settings, bool probe, struct err *err);
/* ABOUT with these settings fails so, or not at all (ERR_NONE), and the text holds `says`. */
void told_expect(struct told *told, const struct remote_settings *settings, enum err_kind kind,
	const char *says);
/* The same, where the server may also find nothing wrong. */
void told_expect_if_wrong(struct told *told, const struct remote_settings *settings,
	enum err_kind kind, const char *says);

/* Lets the contract make its server say what it says on bad days. */
void told_trouble_init(struct told *told);

#endif
