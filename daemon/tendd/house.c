/*
 * Opening is one straight line that stops at the first thing that is wrong; closing takes whatever
 * stands, so that it also undoes half an opening. What must not happen twice on a machine (lock,
 * socket) comes before what starts anything.
 */
#include "tendd/house.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tendd/news.h"
#include "tendd/place.h"
#include "tendd/power.h"
#include "tendd/preempt.h"
#include "tendd/progress.h"
#include "tendd/reload.h"
#include "tendd/routes.h"
#include "tendd/signals.h"
#include "tendd/state.h"
#include "tendd/stop.h"
#include "tendd/upgrade.h"
#include "tendd/usage.h"
#include "tendd/web.h"

/* What does not end in this time (a disk that hangs) is left to the kernel. */
enum { CLOSE_PATIENCE_MS = 10000 };

/* Made by sysusers.d; where it does not exist only root may talk. */
static const char control_group[] = "tend";

/* ---- remotes ---- */

void house_line_set(struct house *house, const struct tend_settings *settings) {
	struct err err;
	if (bandwidth_set(house->line.up, settings->upload_limit, &err) ||
		bandwidth_set(house->line.down, settings->download_limit, &err))
		abort(); /* the table checked them */
}

struct house_remote *house_remote_find(struct house *house, const char *name) {
	list_each(&house->remotes, link) {
		struct house_remote *remote = list_entry(link, struct house_remote, link);
		if (str_equal(remote->name, name)) return remote;
	}
	return NULL;
}

struct store *house_store_open(
	struct house *house, const struct config_section *section, struct err *err) {
	return store_open(
		house->loop, house->http, section->name, section->settings, &house->line, err);
}

void house_remote_add(struct house *house, const char *name, struct store *store) {
	struct house_remote *remote = xcalloc(1, sizeof(*remote));
	remote->name = xstrdup(name);
	remote->store = store;
	list_add_tail(&house->remotes, &remote->link);
}

void house_remote_drop(struct house *house, struct house_remote *remote) {
	(void)house;
	list_remove(&remote->link);
	store_free(remote->store);
	free(remote->name);
	free(remote);
}

/* ---- folders ---- */

struct house_folder *house_folder_find(struct house *house, const char *name) {
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing && str_equal(folder->name, name)) return folder;
	}
	return NULL;
}

int house_folder_add(struct house *house, const struct config_section *section, struct err *err) {
	const struct folder_settings *settings = section->settings;
	char *remote_name = NULL, *key = NULL;
	struct house_folder *folder = NULL;
	if (folder_remote_split(settings->remote, &remote_name, &key, err)) return -1;
	struct house_remote *remote = house_remote_find(house, remote_name);
	struct folder *opened =
		remote ? folder_new(house->sync, section->name, settings, remote->store, err)
		       : NULL;
	if (opened) {
		folder = xcalloc(1, sizeof(*folder));
		folder->house = house;
		folder->name = xstrdup(section->name);
		folder->folder = opened;
		folder_unit(opened)->enabled = settings->enabled;
		list_add_tail(&house->folders, &folder->link);
	} else if (!remote) {
		err_set(err, ERR_INVALID, "unknown remote '%s'", remote_name);
	}
	free(remote_name);
	free(key);
	return folder ? 0 : -1;
}

/* Called for every end; the flag is what house_close runs the loop for. */
void house_close_step(struct house *house) {
	if (house->state == HOUSE_CLOSING && house->closing == 0) house->closed = true;
}

static void folder_closed(void *user) {
	struct house_folder *folder = user;
	struct house *house = folder->house;
	list_remove(&folder->link);
	free(folder->name);
	free(folder);
	house->closing--;
	reload_step(house);
	house_close_step(house);
}

void house_folder_drop(struct house_folder *folder) {
	if (folder->closing) return;
	folder->closing = true;
	folder->house->closing++;
	folder_close(folder->folder, folder_closed, folder);
}

void house_folder_begin(struct house_folder *folder, const struct config_section *section) {
	const struct folder_settings *settings = section->settings;
	if (settings->enabled) unit_want(folder_unit(folder->folder));
}

/* ---- what folders that are gone left ---- */

static bool orphans_is_folder(void *user, const char *name) {
	const struct house *house = user;
	return config_find(house->config, "folder", name) != NULL;
}

/* By its name, or by what it is: it may have got another name. */
static struct store *orphans_store(void *user, const char *remote, const char *label) {
	struct house *house = user;
	struct house_remote *found = NULL;
	char *name = NULL, *key = NULL;
	struct err err;
	if (remote && !folder_remote_split(remote, &name, &key, &err))
		found = house_remote_find(house, name);
	free(name);
	free(key);
	if (found && str_equal(found->store->label, label)) return found->store;
	list_each(&house->remotes, link) {
		found = list_entry(link, struct house_remote, link);
		if (str_equal(found->store->label, label)) return found->store;
	}
	return NULL;
}

void house_orphans_begin(struct house *house) {
	const struct sync_orphans_calls calls = { orphans_is_folder, orphans_store, house };
	sync_orphans_start(house->sync, &calls);
}

static void orphans_stopped(void *user) {
	struct house *house = user;
	house->orphans_stop = false;
	house->closing--;
	reload_step(house);
	house_close_step(house);
}

void house_orphans_stop(struct house *house) {
	if (!house->sync || house->orphans_stop) return;
	house->orphans_stop = sync_orphans_stop(house->sync, orphans_stopped, house);
	if (house->orphans_stop) house->closing++;
}

/* That every id exists was checked; one whose folder could not be opened is not waited for. */
void house_link(struct house *house) {
	const struct config_section *section = NULL;
	while ((section = config_next(house->config, "folder", section))) {
		const struct folder_settings *settings = section->settings;
		struct house_folder *folder = house_folder_find(house, section->name);
		if (!folder) continue;
		unit_link(folder_unit(folder->folder), settings->after, settings->requires, false);
	}
	steps_link(house->steps);
	services_link(house->services);
}

/* ---- opening ---- */

/* The keeper knows a run that no record of ours names: the ledger was lost, or its section
 * removed while we were down. */
static void stray_found(void *user, const char *run, const char *unit) {
	struct house *house = user;
	if (str_starts(unit, "step:"))
		steps_stray(house->steps, run, unit);
	else
		services_stray(house->services, run, unit);
}

static void processes_changed(void *user, const char *detail) {
	struct house *house = user;
	free(house->processes_trouble);
	house->processes_trouble = xstrdup(detail);
	if (detail) log_warn("services: %s", detail);
}

static const struct process_host_calls process_calls = { stray_found, processes_changed };

/* The keeper lies beside us, or where packages put programs that nobody calls by hand. The
 * caller's; NULL: not there. */
static char *find_keeper(void) {
	static const char *const places[] = { "tend-keeper", "../libexec/tend-keeper",
		"../libexec/tend/tend-keeper" };
	char *program = place_program(), *folder = program ? path_parent(program) : NULL,
	     *found = NULL;
	for (size_t i = 0; folder && !found && i < ARRAY_LEN(places); i++) {
		char *path = path_join(folder, places[i]);
		if (access(path, X_OK) == 0) {
			found = path;
		} else {
			free(path);
		}
	}
	free(folder);
	free(program);
	return found;
}

/* Contacts nobody yet: services that are asked for meanwhile wait for the keeper. */
static int open_processes(struct house *house, struct err *err) {
	const struct tend_settings *settings = house_settings(house);
	char *socket_path = path_join(settings->runtime_dir, "keeper.sock");
	char *log_path = path_join(settings->log_dir, "keeper.log");
	char *keeper = host_runs_keeper(house->host) ? NULL : find_keeper();
	int rc = -1;
	if (!keeper && !host_runs_keeper(house->host)) {
		err_set(err, ERR_NOT_FOUND, "no tend-keeper beside tendd: install it there");
	} else {
		const struct process_keeper_options options = {
			.socket_path = socket_path,
			.keeper_path = keeper,
			.log_path = log_path,
		};
		house->processes =
			process_host_new_keeper(house->loop, &options, &process_calls, house);
		rc = 0;
	}
	free(keeper);
	free(log_path);
	free(socket_path);
	return rc;
}

/* The lock is ours: whoever still answers at the socket may be ending. */
static int open_socket(struct house *house, struct err *err) {
	char *path = path_join(house_settings(house)->runtime_dir, "tend.sock");
	int rc, waited_ms = 0;
	do {
		rc = control_listen(house->control, path, control_group, err);
	} while (rc && err->kind == ERR_BUSY && state_again(&waited_ms, STATE_PATIENCE_MS));
	free(path);
	return rc;
}

/* What can say "another tendd is here" comes first, and what only reads and writes files. */
static int open_ground(struct house *house, struct err *err) {
	const struct tend_settings *settings = house_settings(house);
	if (state_make_folders(settings, err)) return -1;
	house->state_dir = xstrdup(settings->state_dir);
	house->lock_fd = state_lock(settings->state_dir, err);
	if (house->lock_fd < 0) return -1;
	if (open_socket(house, err)) return -1;
	house->machine_id = state_machine_id(house->loop, settings->state_dir, err);
	if (!house->machine_id) return -1;
	char *path = path_join(settings->state_dir, "ledger.db");
	house->ledger = ledger_open(path, err);
	free(path);
	if (!house->ledger) return -1;
	ledger_gather(house->ledger, house->loop);
	house_line_set(house, settings);
	house->http = http_new(house->loop);
	return 0;
}

static void open_steps(struct house *house) {
	const struct tend_settings *settings = house_settings(house);
	const struct config_section *section = NULL;
	const struct steps_options options = {
		.loop = house->loop,
		.graph = house->graph,
		.ledger = house->ledger,
		.host = house->processes,
		.http = house->http,
		.runtime_dir = settings->runtime_dir,
		.log_dir = settings->log_dir,
		.path = settings->path,
		.environment = settings->environment,
	};
	house->steps = steps_new(&options);
	while ((section = config_next(house->config, "step", section)))
		step_add(house->steps, section->name, section->settings);
}

static int open_services(struct house *house, struct err *err) {
	const struct tend_settings *settings = house_settings(house);
	const struct config_section *section = NULL;
	if (open_processes(house, err)) return -1;
	const struct services_options options = {
		.loop = house->loop,
		.graph = house->graph,
		.ledger = house->ledger,
		.host = house->processes,
		.http = house->http,
		.runtime_dir = settings->runtime_dir,
		.log_dir = settings->log_dir,
		.path = settings->path,
		.environment = settings->environment,
	};
	house->services = services_new(&options);
	while ((section = config_next(house->config, "service", section))) {
		service_add(house->services, section->name, section->settings);
	}
	open_steps(house);
	return 0;
}

/* Stores contact nobody until a folder asks; an unreachable remote is its folders' trouble, not
 * ours. */
static int open_folders(struct house *house, struct err *err) {
	const struct tend_settings *settings = house_settings(house);
	const struct config_section *section = NULL;
	bool impatient = process_without("prune-wait"); /* tests do not wait ten minutes */
	const struct sync_options options = {
		.state_dir = settings->state_dir,
		.machine_id = house->machine_id,
		.max_transfers = settings->max_transfers,
		.buffer_limit_bytes = settings->buffer_limit_bytes,
		.prune_after_ms = impatient ? 1 : 0,
		.prune_every_ms = impatient ? 500 : 0,
	};
	while ((section = config_next(house->config, "remote", section))) {
		struct store *store = house_store_open(house, section, err);
		if (!store) return -1;
		house_remote_add(house, section->name, store);
	}
	house->sync = sync_new(house->loop, house->graph, &options, err);
	if (!house->sync) return -1;
	section = NULL;
	while ((section = config_next(house->config, "folder", section))) {
		if (house_folder_add(house, section, err)) return -1;
	}
	return 0;
}

struct house *house_new(struct loop *loop, char *home, struct config *config, struct host *host) {
	struct house *house = xcalloc(1, sizeof(*house));
	house->loop = loop;
	house->home = home;
	house->config = config;
	house->host = host;
	house->lock_fd = -1;
	house->since_ns = house->loaded_ns = loop_wall_ns(loop);
	list_init(&house->remotes);
	list_init(&house->folders);
	list_init(&house->orders);
	list_init(&house->barriers);
	list_init(&house->logs);
	list_init(&house->pasts);
	list_init(&house->contents);
	list_init(&house->restores);
	list_init(&house->resolves);
	list_init(&house->plans);
	list_init(&house->doctors);
	house->line = (struct store_line){ bandwidth_new(loop), bandwidth_new(loop) };
	house->control = control_new(loop, tendd_routes, tendd_route_count, house);
	return house;
}

int house_open(struct house *house, struct err *err) {
	const struct config_section *section = NULL;
	if (open_ground(house, err)) return -1;
	house->graph = unit_graph_new(house->loop);
	house->network =
		network_new(house->loop, house->graph, house_settings(house)->network_timeout_ms);
	if (open_services(house, err) || open_folders(house, err)) return -1;
	house->notifies = notifies_new(house->loop, house->http, house->processes);
	notifies_configure(house->notifies, house->config);
	house->progress = progress_new(house);
	house->news = news_new(house);
	preempt_open(house);
	power_open(house);
	house->web = web_new(house);
	if (web_check(house, house_settings(house), err)) return -1;
	web_apply(house->web);
	house->usage = usage_new(house);
	if (signals_open(house, err)) return -1;
	/* All units stand before any is wanted: edges of one may lead to the last. */
	house_link(house);
	while ((section = config_next(house->config, "folder", section))) {
		house_folder_begin(house_folder_find(house, section->name), section);
	}
	steps_begin(house->steps);
	services_begin(house->services);
	house_orphans_begin(house);
	house->state = HOUSE_RUNNING;
	return 0;
}

/* ---- closing ---- */

/* Services and steps let their children go on; what is to be told has been told. */
static void part_closed(void *user) {
	struct house *house = user;
	house->closing--;
	house_close_step(house);
}

static void close_patience_ended(struct timer *timer) {
	struct house *house = container_of(timer, struct house, close_timer);
	log_warn("something hangs: ending without waiting for it");
	_exit(house->exit_code ? house->exit_code : 1);
}

void house_close(struct house *house) {
	house->state = HOUSE_CLOSING;
	timer_init(&house->close_timer, house->loop, close_patience_ended);
	timer_start(&house->close_timer, CLOSE_PATIENCE_MS);
	signals_close(house);
	reload_cancel(house);
	upgrade_cancel(house);
	house->closing++; /* ours: not before all have been told */
	power_close(house);
	routes_close(house);
	news_free(house->news);
	house->news = NULL;
	progress_free(house->progress);
	house->progress = NULL;
	web_free(house->web);
	house->web = NULL;
	control_free(house->control);
	house->control = NULL;
	/* Folders and services end in their own time; without a flush, which was the stop's
	 * affair. */
	usage_close(house->usage);
	house->usage = NULL;
	preempt_close(house);
	house_orphans_stop(house);
	list_each(&house->folders, link)
		house_folder_drop(list_entry(link, struct house_folder, link));
	if (house->services) {
		house->closing++;
		services_detach(house->services, part_closed, house);
	}
	if (house->notifies) {
		house->closing++;
		notifies_close(house->notifies, part_closed, house);
	}
	if (house->steps) {
		house->closing++;
		steps_detach(house->steps, part_closed, house);
	}
	house->closing--;
	house_close_step(house);
	loop_run_until(house->loop, &house->closed);
	timer_cancel(&house->close_timer);
}

/* Backwards through the opening. */
void house_free(struct house *house) {
	if (house->sync) sync_free(house->sync);
	list_each(&house->remotes, link) {
		house_remote_drop(house, list_entry(link, struct house_remote, link));
	}
	bandwidth_free(house->line.up);
	bandwidth_free(house->line.down);
	notifies_free(house->notifies);
	power_free(house);
	if (house->steps) steps_free(house->steps);
	if (house->services) services_free(house->services);
	if (house->processes) process_host_free(house->processes);
	network_free(house->network);
	unit_graph_free(house->graph);
	http_free(house->http);
	ledger_close(house->ledger);
	stop_free(house);
	host_free(house->host);
	config_free(house->config);
	if (house->lock_fd >= 0) close(house->lock_fd);
	free(house->processes_trouble);
	free(house->machine_id);
	free(house->state_dir);
	free(house->config_error);
	free(house->home);
	free(house);
}
