/*
 * When power says that the machine goes: services are told by their on_preempt, folders send what is small and new first, near the end
 * the services are stopped and what they wrote goes too. Nothing here is undone by a kill: folders go on from their index, and that the
 * event was decided on stands in a file.
 */
#include "tendd/preempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers/answers.h"
#include "power/power.h"
#include "tendd/routes.h"
#include "tendd/state.h"

enum { LOOK_MS = 1000, DECIDED_MAX = 512 };

static const char own_unit[] = "tendd"; /* in the history and for [notify] */

struct preemption {
	struct house *house;
	struct power_preempt *power;
	char *notice; /* for people; NULL: none is in force */
	bool halted, down;
	struct timer timer;
};

/* ---- what is known of this boot ---- */

static char *decided_path(const struct house *house) {
	return path_join(house->state_dir, "preempt");
}

/* "BOOT END", and an id a line: of another boot it says nothing. The caller's vector. */
static char **decided_read(const struct house *house, int64_t *end_ns) {
	char line[DECIDED_MAX] = "", **ids = NULL;
	char *path = decided_path(house);
	FILE *file = fopen(path, "re");
	bool ours = false;
	if (file && fgets(line, sizeof(line), file)) {
		char *end = strchr(line, ' ');
		if (end) *end++ = '\0';
		if (end) end[strcspn(end, "\n")] = '\0';
		ours = end && str_equal(line, process_boot_id()) &&
		       !str_to_int(end, 0, INT64_MAX, end_ns);
	}
	while (ours && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		strv_add(&ids, line);
	}
	if (file) fclose(file);
	free(path);
	return ids;
}

static void decided(void *user, char *const *ids, int64_t end_ns) {
	const struct preemption *p = user;
	struct err err;
	char *path = decided_path(p->house);
	char *text = xasprintf("%s %lld\n", process_boot_id(), (long long)end_ns);
	for (; *ids; ids++) {
		char *more = xasprintf("%s%s\n", text, *ids);
		free(text);
		text = more;
	}
	if (state_write_file(path, text, strlen(text), &err))
		log_warn("preempt: %s: a restart of tendd would take the event for a new one",
			err.text);
	free(text);
	free(path);
}

/* ---- what is done ---- */

static void note(struct house *house, const char *event, const char *text) {
	struct err err;
	if (ledger_history_add(
		    house->ledger, loop_wall_ns(house->loop), own_unit, event, text, &err))
		log_warn("history of tendd: %s", err.text);
}

static void urge(struct house *house, bool urgent) {
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing) folder_urge(folder->folder, urgent);
	}
	/* What the line owes for a large part that was given up holds nobody. */
	if (urgent) house_line_set(house, house_settings(house));
}

/* A hint is no reason to treat the rest of the day as the last minute. */
static void flush(void *user, const struct power_notice *notice) {
	struct preemption *p = user;
	struct house *house = p->house;
	if (!notice || !notice->hint) {
		urge(house, true);
		return;
	}
	char *text = xasprintf("%s: perhaps; sending what there is", notice->what);
	log_info("preempt: %s", text);
	note(house, "preempt", text);
	free(text);
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing) folder_sync(folder->folder);
	}
}

/* What they saved lies in the folders by now. */
static void services_warned(void *user) {
	struct house *house = user;
	if (preempt_is_going(house)) urge(house, true);
}

static void told(void *user, const struct power_notice *notice, int64_t limit_ms, int64_t left_ms) {
	struct preemption *p = user;
	struct house *house = p->house;
	struct power_preempt_status status;
	char at[TIME_TEXT_SIZE];
	power_preempt_status(p->power, &status);
	time_format_local(status.deadline_ns, at);
	free(p->notice);
	p->notice = xasprintf(
		"this machine is taken away by %s (%s): all must be sent by %s, in %lld s",
		status.provider, notice->what, at, (long long)(left_ms / 1000));
	log_warn("preempt: %s", p->notice);
	host_say(house->host, p->notice);
	note(house, "preempt", p->notice);
	p->halted = p->down = false;
	timer_start(&p->timer, LOOK_MS);
	if (!limit_ms) return;
	int asked = services_warn(house->services, limit_ms, services_warned, house);
	if (asked) log_info("preempt: on_preempt of %d services has begun", asked);
	notifies_tell(house->notifies, "preempt", own_unit, p->notice);
}

static void stop(void *user) {
	struct preemption *p = user;
	log_warn("preempt: the end is near: stopping the services");
	p->halted = true;
	services_halt(p->house->services);
}

static bool are_down(const struct house *house) {
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		bool ends = unit->state == UNIT_STOPPING || unit->state == UNIT_STARTING ||
			    unit->state == UNIT_READY;
		if (unit->kind == UNIT_SERVICE && ends) return false;
	}
	return true;
}

static bool are_sent(const struct house *house) {
	bool sent = true;
	list_each(&house->folders, link) {
		struct folder_status status;
		folder_status(list_entry(link, struct house_folder, link)->folder, &status);
		sent = sent && status.pending == 0 && str_equal(status.state, "idle");
		folder_status_release(&status);
	}
	return sent;
}

static void look(struct timer *timer) {
	struct preemption *p = container_of(timer, struct preemption, timer);
	struct house *house = p->house;
	bool was_down = p->down;
	p->down = p->halted && are_down(house);
	if (p->down && !was_down) {
		urge(house, true); /* what they wrote when they stopped */
	} else if (p->down && are_sent(house)) {
		log_info("preempt: the services are stopped, and all is sent");
		power_preempt_done(p->power);
		return;
	}
	timer_start(timer, LOOK_MS);
}

static void calm(struct preemption *p) {
	if (!p->notice) return;
	timer_cancel(&p->timer);
	free(p->notice);
	p->notice = NULL;
	urge(p->house, false);
	services_go_on(p->house->services);
	host_say(p->house->host, "");
}

static void stayed(void *user) {
	struct preemption *p = user;
	log_warn("preempt: the machine was not taken away: all goes on as before");
	note(p->house, "preempt", "the machine was not taken away: all goes on as before");
	calm(p);
}

static const struct power_preempt_calls calls = { flush, told, decided, stop, stayed };

/* ---- life ---- */

void preempt_open(struct house *house) {
	const struct config_section *section = config_find(house->config, "preempt", "");
	if (!section->line) return; /* nobody asked for it */
	struct preemption *p = xcalloc(1, sizeof(*p));
	int64_t end_ns = 0;
	char **ids = decided_read(house, &end_ns);
	const struct power_preempt_options options = {
		.loop = house->loop,
		.http = house->http,
		.settings = section->settings,
		.decided = ids,
		.decided_end_ns = end_ns,
		.calls = &calls,
		.user = p,
	};
	p->house = house;
	timer_init(&p->timer, house->loop, look);
	p->power = power_preempt_new(&options);
	strv_free(ids);
	house->preemption = p;
}

static void gone(void *user) {
	struct house *house = user;
	house->closing--;
	house_close_step(house);
}

void preempt_close(struct house *house) {
	struct preemption *p = house->preemption;
	if (!p) return;
	house->preemption = NULL;
	timer_cancel(&p->timer);
	house->closing++;
	power_preempt_free(p->power, gone, house);
	free(p->notice);
	free(p);
}

void preempt_apply(struct house *house, const struct config *before) {
	const struct config_section *old_one = config_find(before, "preempt", "");
	const struct config_section *new_one = config_find(house->config, "preempt", "");
	bool same = !old_one->line == !new_one->line && !config_compare(old_one, new_one, NULL);
	if (same) return;
	if (house->preemption) calm(house->preemption);
	preempt_close(house);
	preempt_open(house);
}

void preempt_leaving(struct house *house) {
	if (house->preemption) power_preempt_leaving(house->preemption->power);
}

bool preempt_is_going(const struct house *house) {
	return house->preemption && house->preemption->notice;
}

json_t *preempt_status(const struct house *house) {
	const struct preemption *p = house->preemption;
	struct power_preempt_status status;
	if (!p) return json_null();
	power_preempt_status(p->power, &status);
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o}", "provider", status.provider, "state",
		status.state, "what", status.what, "deadline", answer_moment(status.deadline_ns),
		"text", answer_text(p->notice), "trouble", answer_text(status.trouble));
}
