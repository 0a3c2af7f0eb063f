/*
 * client: questions to tendd over its socket, answers as JSON.
 *
 * Loop thread. A `struct ask` is embedded or lies on the stack of a command; times are
 * milliseconds.
 */
#ifndef TEND_CLIENT_H
#define TEND_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/base.h"
#include "http/http.h"
#include "loop/loop.h"

/* Which tendd: what was said on the command line. */
struct client_place {
	const char *file;   /* -c: its runtime_dir */
	bool may_lack;      /* that file need not be there */
	const char *socket; /* --socket */
	bool system, user;
};

struct client {
	struct client_place place;
	struct loop *loop;
	struct http *http;
	char *socket;
};

/* Finds the socket; asks nothing yet. */
int client_open(struct client *client, const struct client_place *place, struct err *err);
void client_release(struct client *client);

void client_sleep(struct client *client, int64_t ms);

/* Is anybody there? ERR_OFFLINE when not, ERR_DENIED when we may not ask. */
int client_probe(const struct client *client, struct err *err);

struct ask {
	struct client *client;
	struct http_request request;
	char *url, *body;
	bool ended;
	bool *wake;     /* set when it ended; NULL: none */
	int status;     /* of the answer; 0: none */
	json_t *answer; /* NULL: none, or no JSON */
	struct err err; /* ERR_NONE: a good answer. Texts of tendd's own errors included */
};

/* `path`: "/v1/...", `body` is taken and may be NULL. */
void ask_init(
	struct ask *ask, struct client *client, const char *method, const char *path, json_t *body);
void ask_release(struct ask *ask);                    /* ended, or never started */
void ask_start(struct ask *ask, int64_t patience_ms); /* 0: as long as it takes */
/* Has it ended? Waits for that, at most `ms`; others that are in flight go on meanwhile. */
bool ask_wait(struct ask *ask, int64_t ms);
void ask_cancel(struct ask *ask); /* ends it, if it has not */
/* Starts and waits. */
int ask_run(struct ask *ask, int64_t patience_ms, struct err *err);

/* ask_init, ask_run, ask_release with the usual patience. NULL with err. The caller's. */
json_t *client_ask(
	struct client *client, const char *method, const char *path, json_t *body, struct err *err);

/* An answer that may go on for weeks: it is handed on as it comes, never kept. */
struct stream {
	struct ask ask; /* its err tells how it ended; ask_release ends it */
	int (*part)(void *user, const char *bytes, size_t len); /* -1: no more of it */
	void (*done)(void *user);                               /* may be NULL */
	void *user;
	bool enough; /* part said so */
};
void stream_start(struct stream *stream, struct client *client, const char *path);

/* Text that comes bit by bit until the other side ends it; `part` returns -1 to have no more of
 * it. */
int client_stream(struct client *client, const char *path,
	int (*part)(void *user, const char *text, size_t len), void *user, struct err *err);
/* The same of a POST; `body` is taken. */
int client_stream_order(struct client *client, const char *path, json_t *body,
	int (*part)(void *user, const char *text, size_t len), void *user, struct err *err);

/* ---- place.c, place_linux.c, place_macos.c ---- */

/* The socket of the tendd that is meant. NULL with err. The caller's. */
char *place_socket(const struct client_place *place, struct err *err);
/* Connects and closes again: 0 or errno. */
int place_probe(const char *socket_path);
/* What to do when it is not running. The caller's. */
char *place_advice(const struct client_place *place, const char *socket_path);

/* Where this system's and this user's things lie when no file says otherwise. NULL: there is no
 * such place. The caller's. */
const char *place_system_file(void);
const char *place_system_runtime_dir(void);
const char *place_system_start(void); /* the command that starts it */
const char *place_user_start(void);
char *place_user_file(void);
char *place_user_runtime_dir(void);
const char *place_system_state_dir(void);
char *place_user_state_dir(void);
/* `name` in the folder of the program that runs; NULL: the system does not tell where that is. The caller's. */
char *place_beside(const char *name);

#endif
