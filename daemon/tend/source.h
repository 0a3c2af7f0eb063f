/*
 * source: what stood in a folder's remote, from tendd over the API, or, when none runs, from the remote itself by the configuration: for
 * `ls`, `versions`, `restore`.
 *
 * Loop thread. Entries are JSON as GET /v1/units/folder:NAME/tree gives them, whichever way they came.
 */
#ifndef TEND_SOURCE_H
#define TEND_SOURCE_H

#include "sync/sync.h"
#include "tend/command.h"

struct direct; /* direct.c */
struct gdrive_auth;
struct config;
struct service_settings;

struct source {
	struct call *call;
	char *folder;          /* its name */
	char *local;           /* its path on this machine */
	struct direct *direct; /* NULL: tendd answers */
};

/* -1 with err: no such folder, or nobody to ask. */
int source_open(struct source *source, struct call *call, const char *word, struct err *err);
void source_close(struct source *source);
/* Says it; the exit code. A remote that is offline is not a tendd that does not run. */
int source_failure(const struct source *source, const struct err *err);

/* A path as a person wrote it: inside the folder, or a whole one that leads into it. NULL with err. The caller's. */
char *source_path(const struct source *source, const char *word, struct err *err);

/* The time of `--at`; PAST_NOW without. -1 with err. */
int source_at(struct call *call, int64_t *at_ns, struct err *err);

/* How far: what lies right in a path, all below it, with the folders on the way to it, or the contents of one file. */
enum past_reach { REACH_LEVEL, REACH_BELOW, REACH_WAY, REACH_VERSIONS };

/* What stood at or below `path`, in order. `entry` borrows; -1 ends it. */
int source_tree(struct source *source, const char *path, int64_t at_ns, enum past_reach reach,
	int (*entry)(void *user, json_t *entry), void *user, struct err *err);
/* {"folder","path","versions":[...]}; NULL with err. The caller's. */
json_t *source_versions(struct source *source, const char *path, struct err *err);

char *entry_path(const json_t *entry); /* its bytes; the caller's */

/* Contents for a restore: fetch, cancel and release of its source. */
void source_content_fetch(struct source *source, struct restore_content *content);
void source_content_cancel(struct source *source, struct restore_content *content);
void source_content_release(struct source *source, struct restore_content *content);

/* ---- direct.c ---- */

/* The file that tendd would read. NULL with err. The caller's. */
char *direct_file(struct call *call, struct err *err);
/* That file, with what is wrong in it passed over. NULL with err. The caller's. */
struct config *direct_config(const char *file, struct err *err);
char *direct_state_dir(const struct config *config); /* NULL: not known. The caller's */
/* The store of [remote NAME], opened by the configuration as the caller. NULL with err. The caller's. */
struct store *direct_remote(struct call *call, const char *word, struct err *err);
/* Signing in to [remote NAME]. NULL with err. The caller's. */
struct gdrive_auth *direct_auth(struct call *call, const char *word, struct err *err);
struct direct *direct_open(struct call *call, const char *folder, char **local, struct err *err);
void direct_close(struct direct *direct); /* NULL is fine */
/* Gathers and runs the loop until that is done; the caller frees. NULL with err. */
struct past *direct_past(struct direct *direct, const char *path, int64_t at_ns,
	enum past_reach reach, struct err *err);
/* dry_run of the folder (sync.h). */
int direct_dry(struct direct *direct,
	void (*found)(void *user, enum dry_what what, const char *path, int64_t bytes), void *user,
	struct dry_totals *totals, struct err *err);
/* direct_plan.c: what GET /v1/plan answers, found here by the configuration and, where it can be read, the ledger. NULL with err.
 * The caller's. */
json_t *direct_plan(struct call *call, struct err *err);
const struct past_options *direct_options(const struct direct *direct);

/* [service NAME], and what [tend] says for all of them, by the configuration alone. */
struct direct_service {
	struct config *config;
	const char *name;
	const struct service_settings *settings; /* in `config`, as the rest */
	char *const *path, *const *environment;
};

int direct_service_open(
	struct direct_service *service, struct call *call, const char *word, struct err *err);
void direct_service_close(struct direct_service *service);

#endif
