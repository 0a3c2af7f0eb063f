/* A remote of settings, opened and asked about itself: what contract tests of real servers share. */
#ifndef SUPPORT_TOLD_H
#define SUPPORT_TOLD_H

#include "http/http.h"
#include "store/store.h"

/* With `probe` it has asked first which conditions its server keeps. NULL with err. */
struct store *told_open(struct loop *loop, struct http *http,
	const struct remote_settings *settings, bool probe, struct err *err);
/* ABOUT with these settings fails so, or not at all (ERR_NONE), and the text holds `says`. */
void told_expect(struct loop *loop, struct http *http, const struct remote_settings *settings,
	enum err_kind kind, const char *says);
/* The secret as a person would give it: in a file that nobody else can read. */
void told_write_secret(const char *path, const char *text);
/* The lines of $TEND_SERVER/server, the caller's; their number, 0 (said on stderr): there is none. */
size_t told_read_server(char **lines, size_t max);

#endif
