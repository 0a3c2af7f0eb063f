/*
 * The house: everything that runs, wired together from one configuration. The files of tendd share
 * it; they own nothing else.
 *
 * Loop thread only. Born with house_new, filled by house_open, emptied by house_close (services may
 * live on), freed last.
 */
#ifndef TENDD_HOUSE_H
#define TENDD_HOUSE_H

#include "control/control.h"
#include "http/http.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "notify/notify.h"
#include "process/process.h"
#include "service/service.h"
#include "step/step.h"
#include "store/store.h"
#include "sync/sync.h"
#include "tendd/host.h"
#include "tendd/network.h"
#include "tendd/settings.h"
#include "unit/unit.h"

enum house_state { HOUSE_STARTING, HOUSE_RUNNING, HOUSE_STOPPING, HOUSE_CLOSING };

struct house_remote {
	struct list link;
	char *name;
	struct store *store;
};

struct house_folder {
	struct list link;
	struct house *house;
	char *name;
	struct folder *folder;
	bool closing;
	bool failed; /* so its history says */
};

struct house {
	struct loop *loop;
	enum house_state state;
	char *home;
	struct config *config; /* what holds; settings lie in it */
	int64_t since_ns, loaded_ns;
	char *config_error; /* of the last reload: "file:line: text"; NULL: it was good */

	int lock_fd;
	char *state_dir; /* as at the start: a reload does not move it */
	char *machine_id;
	struct host *host;
	struct unit_graph *graph;
	struct network *network;
	struct ledger *ledger;
	struct process_host *processes;
	char *processes_trouble; /* why nothing can be started now; NULL: all is well */
	struct services *services;
	struct steps *steps;
	struct http *http;
	struct sync *sync;
	struct store_line line; /* upload_limit and download_limit of [tend] */
	struct list remotes;    /* struct house_remote */
	struct list folders;    /* struct house_folder */
	struct control *control;
	struct signals *signals;
	struct news *news;
	struct progress *progress;
	struct web *web;
	struct usage *usage;
	struct notifies *notifies;
	struct preemption *preemption; /* NULL: there is no [preempt] */
	struct power *power;           /* [idle]; NULL: not yet, or no more */
	/* Of open requests: orders.c, barrier.c, log.c, past.c, content.c, restore.c, resolve.c, plan.c, doctor.c. */
	struct list orders, barriers, logs, pasts, contents, restores, resolves, plans, doctors;
	struct reload *reload; /* the one under way; NULL: none */
	bool orphans_stop;     /* what folders that are gone left is still being let go */
	struct stopping *stopping;
	struct upgrade *upgrade; /* the one under way; NULL: none */
	char *become; /* the program to go on as; NULL: none, or the caller's in the end */

	unsigned closing; /* ends that house_close waits for */
	struct timer close_timer;
	bool closed;
	int exit_code;
};

/* Takes `home`, `config` and `host`. */
struct house *house_new(struct loop *loop, char *home, struct config *config, struct host *host);

/* Builds everything and lets the graph begin. -1: what stands must still be closed. */
int house_open(struct house *house, struct err *err);

/* Ends everything without flushing and runs the loop until it has ended; services live on where
 * they still run. */
void house_close(struct house *house);
/* One of the ends counted in `closing` has come. */
void house_close_step(struct house *house);
void house_free(struct house *house);

static inline const struct tend_settings *house_settings(const struct house *house) {
	return settings_of(house->config);
}

/* ---- its parts, for reload ---- */

void house_line_set(struct house *house, const struct tend_settings *settings);
struct house_remote *house_remote_find(struct house *house, const char *name);
/* The store of a [remote]; contacts nobody. NULL with err. */
struct store *house_store_open(
	struct house *house, const struct config_section *section, struct err *err);
void house_remote_add(struct house *house, const char *name, struct store *store);
void house_remote_drop(struct house *house, struct house_remote *remote); /* no folder uses it */

struct house_folder *house_folder_find(struct house *house, const char *name);
/* Not yet wanted, without edges. */
int house_folder_add(struct house *house, const struct config_section *section, struct err *err);
/* Ends it without flushing; it is out of the list when it is gone. */
void house_folder_drop(struct house_folder *folder);

/* What folders that are gone left begun at the remotes of this configuration; once it all stands. */
void house_orphans_begin(struct house *house);
void house_orphans_stop(struct house *house); /* before any of it changes */

/* Makes all edges of folders, steps and services anew. */
void house_link(struct house *house);
/* Wants a folder up unless it is disabled. */
void house_folder_begin(struct house_folder *folder, const struct config_section *section);

#endif
