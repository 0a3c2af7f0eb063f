/*
 * Check, compare, close, take over. Until the last worker has said that the new configuration is
 * good nothing is touched; from then on nothing can fail but opening a folder, which is said and
 * leaves the others alone.
 */
#include "tendd/reload.h"

#include <stdlib.h>

#include "tendd/check.h"
#include "tendd/news.h"
#include "tendd/power.h"
#include "tendd/preempt.h"
#include "tendd/reload_diff.h"
#include "tendd/web.h"

enum reload_state {
	RELOAD_CHECKING, /* workers resolve the places of the new configuration */
	RELOAD_CLOSING,  /* folders that go, or come back otherwise, are closed */
	RELOAD_ENDED,
};

struct reload {
	struct house *house;
	enum reload_state state;
	bool dry_run;
	bool cancelled;
	bool again; /* HUP came meanwhile */
	struct config *fresh;
	struct list
		stores; /* of remotes that are new or other: opened before anything is touched */
	char **lines;
	bool good;
	void (*ended)(void *user, const struct reload_result *result);
	void *user;
	struct defer finish;
};

static void stores_release(struct reload *reload) {
	list_each(&reload->stores, link) {
		struct house_remote *remote = list_entry(link, struct house_remote, link);
		house_remote_drop(reload->house, remote);
	}
}

/* ---- the end ---- */

static void remember_error(struct house *house, const char *error) {
	free(house->config_error);
	house->config_error = xstrdup(error);
}

static void reload_free(struct reload *reload) {
	reload->house->reload = NULL;
	defer_cancel(&reload->finish);
	stores_release(reload);
	config_free(reload->fresh);
	strv_free(reload->lines);
	free(reload);
}

static void finish(struct defer *defer) {
	struct reload *reload = container_of(defer, struct reload, finish);
	struct house *house = reload->house;
	struct reload_result result = { reload->good, reload->lines };
	bool again = reload->again, cancelled = reload->cancelled;
	if (!reload->dry_run) host_ready(house->host);
	if (reload->ended) reload->ended(reload->user, &result);
	reload_free(reload);
	if (cancelled) {
		house->closing--;
		house_close_step(house);
	} else if (again) {
		reload_by_signal(house);
	}
}

/* Said in the log whoever asked: HUP has no other voice. */
static void end(struct reload *reload, bool good) {
	reload->good = good;
	reload->state = RELOAD_ENDED;
	for (size_t i = 0; reload->lines && reload->lines[i]; i++) {
		if (good) {
			if (!reload->dry_run) log_info("reload: %s", reload->lines[i]);
		} else {
			log_error("%s", reload->lines[i]);
		}
	}
	if (good && !reload->dry_run) {
		remember_error(reload->house, NULL);
		if (!reload->lines) log_info("reload: nothing changed");
	} else if (!good && !reload->dry_run) {
		remember_error(reload->house,
			reload->lines ? reload->lines[0] : "the configuration is bad");
		log_error("the configuration was not taken: the one before stays");
	}
	defer_start(reload->house->loop, &reload->finish);
}

static void fail(struct reload *reload, const char *text) {
	if (!reload->lines) strv_add(&reload->lines, text);
	end(reload, false);
}

/* ---- touching what changed ---- */

static enum effect effect_of(const struct reload *reload, const char *kind, const char *name) {
	return diff_section(reload->house->config, reload->fresh, kind, name, NULL);
}

/* The live keys; shutdown_timeout and on_stop are read when they are needed. */
static void apply_tend(struct reload *reload) {
	struct house *house = reload->house;
	const struct tend_settings *fresh = settings_of(reload->fresh);
	enum log_format format =
		host_has_journal() ? LOG_JOURNAL : (enum log_format)fresh->log_format;
	log_open((enum log_level)fresh->log_level, format);
	house_line_set(house, fresh);
	network_set_timeout(house->network, fresh->network_timeout_ms);
	steps_set_environment(house->steps, fresh->path, fresh->environment);
	services_set_environment(house->services, fresh->path, fresh->environment);
}

static void apply_service(struct reload *reload, const struct config_section *section) {
	struct house *house = reload->house;
	const struct service_settings *settings = section->settings;
	struct service *service = service_find(house->services, section->name);
	if (!service) {
		service_add(house->services, section->name, settings);
		return;
	}
	int done = service_apply(service, settings);
	/* What [tend] gives to all services holds from their next start. */
	bool everybody = effect_of(reload, "tend", "") == EFFECT_RESTART;
	if (everybody && done != EFFECT_RESTART && service_unit(service)->wanted)
		service_restart(service);
}

static void apply_step(struct reload *reload, const struct config_section *section) {
	struct house *house = reload->house;
	struct step *step = step_find(house->steps, section->name);
	if (step)
		step_apply(step, section->settings);
	else
		step_add(house->steps, section->name, section->settings);
}

/* What left the file is stopped while folders close; the others wait for take_over. */
static void apply_services(struct reload *reload) {
	struct house *house = reload->house;
	const struct config_section *section = NULL;
	while ((section = config_next(house->config, "step", section))) {
		struct step *step = step_find(house->steps, section->name);
		if (!step || effect_of(reload, "step", section->name) != EFFECT_REMOVED) continue;
		news_gone(house->news, step_unit(step)->id);
		step_remove(step);
	}
	section = NULL;
	while ((section = config_next(house->config, "service", section))) {
		struct service *service = service_find(house->services, section->name);
		if (!service || effect_of(reload, "service", section->name) != EFFECT_REMOVED)
			continue;
		news_gone(house->news, service_unit(service)->id);
		service_remove(service);
	}
}

/* Folders that go, or come back otherwise, are closed; the others take their live keys. */
static void close_folders(struct reload *reload) {
	struct house *house = reload->house;
	struct err err;
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (folder->closing) continue;
		switch (effect_of(reload, "folder", folder->name)) {
		case EFFECT_REMOVED:
			news_gone(house->news, folder_unit(folder->folder)->id); /* fall through */
		case EFFECT_REBUILD: house_folder_drop(folder); break;
		case EFFECT_LIVE:
		case EFFECT_RESTART:
			if (folder_apply(folder->folder,
				    config_find(reload->fresh, "folder", folder->name)->settings,
				    &err)) {
				log_error("folder '%s': %s", folder->name, err.text);
			}
			break;
		default: break;
		}
	}
}

/* No folder uses an old store any more: all of them were closed. */
static void swap_remotes(struct reload *reload) {
	struct house *house = reload->house;
	list_each(&house->remotes, link) {
		struct house_remote *remote = list_entry(link, struct house_remote, link);
		enum effect effect = effect_of(reload, "remote", remote->name);
		if (effect == EFFECT_REMOVED || effect == EFFECT_REBUILD)
			house_remote_drop(house, remote);
	}
	list_take_all(&house->remotes, &reload->stores);
}

/* What is new, and what was closed to come back otherwise. */
static void open_folders(struct reload *reload) {
	struct house *house = reload->house;
	const struct config_section *section = NULL;
	struct err err;
	while ((section = config_next(house->config, "folder", section))) {
		if (house_folder_find(house, section->name)) continue;
		if (house_folder_add(house, section, &err)) {
			log_error("%s", err.text);
			strv_add_owned(&reload->lines,
				xasprintf("folder:%s failed: %s", section->name, err.text));
		}
	}
}

static bool any_folder_closing(const struct house *house) {
	list_each(&house->folders, link) {
		if (list_entry(link, struct house_folder, link)->closing) return true;
	}
	return false;
}

/* All that had to go is gone: the new configuration is the one that holds. */
static void take_over(struct reload *reload) {
	struct house *house = reload->house;
	const struct config_section *section = NULL;
	struct config *old_one = house->config;
	swap_remotes(reload);
	while ((section = config_next(reload->fresh, "step", section))) apply_step(reload, section);
	while ((section = config_next(reload->fresh, "service", section)))
		apply_service(reload, section);
	house->config = reload->fresh;
	reload->fresh = old_one; /* freed at the end */
	house->loaded_ns = loop_wall_ns(house->loop);
	open_folders(reload);
	house_link(house);
	while ((section = config_next(house->config, "folder", section))) {
		struct house_folder *folder = house_folder_find(house, section->name);
		if (folder && !folder_unit(folder->folder)->wanted)
			house_folder_begin(folder, section);
	}
	steps_begin(house->steps); /* those that are new */
	services_begin(house->services);
	notifies_configure(house->notifies, house->config);
	preempt_apply(house, old_one);
	power_configure(house);
	web_apply(house->web);
	house_orphans_begin(house);
	end(reload, true);
}

static void close_step(struct reload *reload) {
	if (reload->state == RELOAD_CLOSING && !reload->house->orphans_stop &&
		!any_folder_closing(reload->house))
		take_over(reload);
}

void reload_step(struct house *house) {
	if (house->reload) close_step(house->reload);
}

/* Order: what goes, then what comes; a name that goes and comes in one file is never there
 * twice. */
static void apply(struct reload *reload) {
	reload->state = RELOAD_CLOSING;
	/* The file of a secret may hold another one, though its name is the same. */
	list_each(&reload->house->remotes, link) {
		store_renew(list_entry(link, struct house_remote, link)->store);
	}
	apply_tend(reload);
	apply_services(reload);
	house_orphans_stop(reload->house);
	close_folders(reload);
	close_step(reload);
}

/* ---- checking ---- */

/* A secret that cannot be read is found out before anything is touched. */
static int open_stores(struct reload *reload, struct err *err) {
	const struct config_section *section = NULL;
	while ((section = config_next(reload->fresh, "remote", section))) {
		enum effect effect = effect_of(reload, "remote", section->name);
		if (effect != EFFECT_ADDED && effect != EFFECT_REBUILD) continue;
		struct store *store = house_store_open(reload->house, section, err);
		if (!store) return -1;
		struct house_remote *remote = xcalloc(1, sizeof(*remote));
		remote->name = xstrdup(section->name);
		remote->store = store;
		list_add_tail(&reload->stores, &remote->link);
	}
	return 0;
}

static void places_checked(void *user, const struct config_errors *errors) {
	struct reload *reload = user;
	struct house *house = reload->house;
	struct err err;
	if (reload->cancelled || house->state != HOUSE_RUNNING) {
		reload->dry_run = true; /* nothing is touched any more */
		fail(reload, "tendd is stopping");
		return;
	}
	if (errors->lines) {
		reload->lines = strv_dup(errors->lines);
		end(reload, false);
		return;
	}
	if (web_check(house, settings_of(reload->fresh), &err) || open_stores(reload, &err)) {
		fail(reload, err.text);
		return;
	}
	reload->lines = diff_lines(house->config, reload->fresh);
	if (reload->dry_run) {
		end(reload, true);
	} else {
		apply(reload);
	}
}

int reload_start(struct house *house, bool dry_run,
	void (*ended)(void *user, const struct reload_result *result), void *user,
	struct err *err) {
	struct config_errors errors = { 0 };
	if (house->reload || house->state != HOUSE_RUNNING) {
		return err_set(err, ERR_BUSY,
			house->reload ? "a reload is under way" : "tendd is stopping");
	}
	struct reload *reload = xcalloc(1, sizeof(*reload));
	reload->house = house;
	reload->dry_run = dry_run;
	reload->ended = ended;
	reload->user = user;
	list_init(&reload->stores);
	defer_init(&reload->finish, finish);
	house->reload = reload;
	if (!dry_run) host_reloading(house->host);
	reload->fresh = check_read(house->config->path, house->home, &errors, err);
	reload->lines = errors.lines;
	if (reload->fresh) {
		check_places(house->loop, reload->fresh, places_checked, reload);
	} else {
		fail(reload, err->text);
	}
	return 0;
}

void reload_forget(struct house *house) {
	if (house->reload) house->reload->ended = NULL;
}

void reload_by_signal(struct house *house) {
	struct err err;
	if (house->reload) {
		house->reload->again = true;
		return;
	}
	if (reload_start(house, false, NULL, NULL, &err)) log_warn("reload: %s", err.text);
}

void reload_cancel(struct house *house) {
	struct reload *reload = house->reload;
	if (!reload) return;
	if (reload->state != RELOAD_CHECKING) {
		reload_free(reload);
		return;
	}
	/* Workers still look at its configuration. */
	reload->ended = NULL;
	reload->again = false;
	reload->cancelled = true;
	house->closing++;
}
