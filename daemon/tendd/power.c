/*
 * [idle] in the house. A flush is the barrier on every folder, which goes on as long as bytes move; what a person must decide, and
 * what the remote refuses for good, is told and holds nothing up. Then the services are stopped, as the graph has them, and
 * folders go on, so that all of it can be taken back.
 */
#include "tendd/power.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "power/power.h"
#include "tendd/flush.h"
#include "tendd/routes.h"
#include "tendd/state.h"
#include "tendd/status.h"

enum { AWAKE_USUAL_S = 2 * 3600, AWAKE_MAX_S = 30 * 24 * 3600, AWAKE_FILE_MAX = 200 };

struct power {
	struct house *house;
	struct idle *idle;
	struct flush *flush; /* the one under way; NULL: none */
	bool steps_busy;
	int64_t step_ended_ms; /* -1: none ended while we looked */
};

/* ---- how the house stands, at a sample ---- */

static bool is_busy(enum step_state state) {
	return state != STEP_DOWN && state != STEP_DONE && state != STEP_IS_HELD &&
	       state != STEP_FAILED;
}

/* When a step did something last stands in the ledger by the wall clock, since that may be before our start. */
static void look_at_steps(struct power *power, struct idle_house *facts) {
	struct house *house = power->house;
	int64_t now_ms = loop_now_ms(house->loop), wall_ns = loop_wall_ns(house->loop);
	struct step *step = NULL;
	while ((step = step_each(house->steps, step))) {
		struct step_status status;
		step_status(step, &status);
		if (is_busy(status.state)) {
			facts->step_busy = true;
			snprintf(facts->step, sizeof(facts->step), "%.150s", step_unit(step)->id);
		}
		if (!status.done_ns) continue;
		int64_t age_ms =
			wall_ns > status.done_ns ? (wall_ns - status.done_ns) / NS_PER_MS : 0;
		if (now_ms - age_ms > facts->step_ended_ms) facts->step_ended_ms = now_ms - age_ms;
	}
	if (power->steps_busy && !facts->step_busy) power->step_ended_ms = now_ms;
	power->steps_busy = facts->step_busy;
	if (power->step_ended_ms > facts->step_ended_ms)
		facts->step_ended_ms = power->step_ended_ms;
}

static void answer(
	struct idle_answer *to, enum idle_word word, const char *what, const char *text) {
	to->word = word;
	to->age_ms = word == IDLE_IDLE ? -1 : 0;
	snprintf(to->text, sizeof(to->text), "%.100s%s%.50s", what, *what ? ": " : "", text);
}

/* What a person has to decide waits for that person; it does not keep the machine up. */
static void look_at_folder(struct house_folder *folder, struct idle_house *facts) {
	struct folder_status status;
	const char *id = folder_unit(folder->folder)->id;
	folder_status(folder->folder, &status);
	bool waits = status.paused || status.needs_person;
	/* "failed" is tried again; what there is to store may not be known before that. */
	bool works = status.pending > status.refused || str_equal(status.state, "failed") ||
		     str_equal(status.state, "scanning") || str_equal(status.state, "syncing") ||
		     str_equal(status.state, "contact");
	if (status.restoring) {
		facts->restoring = true;
		snprintf(facts->restore, sizeof(facts->restore), "%.150s", id);
	}
	if (!waits && works)
		answer(&facts->sync, IDLE_ACTIVE, id,
			status.trouble.kind == ERR_NONE ? "not all is stored yet"
							: "its remote cannot be reached");
	folder_status_release(&status);
}

static void look(void *user, struct idle_house *facts) {
	struct power *power = user;
	struct house *house = power->house;
	answer(&facts->sync, IDLE_IDLE, "", "all is stored");
	look_at_steps(power, facts);
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing && folder_unit(folder->folder)->enabled)
			look_at_folder(folder, facts);
	}
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		/* Folders are the signal sync's, steps have been looked at. */
		if (unit->kind != UNIT_SERVICE || unit->state != UNIT_STARTING) continue;
		facts->starting = true;
		snprintf(facts->start, sizeof(facts->start), "%.150s", unit->id);
	}
	facts->starting = facts->starting || house->reload || house->upgrade;
}

static void look_at_service(void *user, const char *name, struct idle_answer *to) {
	struct power *power = user;
	struct service *service = service_find(power->house->services, name);
	const struct unit *unit = service ? service_unit(service) : NULL;
	struct service_status status;
	if (!service) {
		answer(to, IDLE_UNKNOWN, name, "there is no such service");
		return;
	}
	service_status(service, &status);
	/* A task that is through is ready, as far as the graph is concerned. */
	bool over = status.state == SERVICE_DOWN || status.state == SERVICE_DONE ||
		    status.state == SERVICE_FAILED;
	answer(to, over ? IDLE_IDLE : IDLE_ACTIVE, unit->id, status.state_name);
}

/* ---- what it asks for ---- */

static void flushed(void *user, const struct err *err) {
	struct power *power = user;
	power->flush = NULL;
	idle_done(power->idle, err);
}

static void flush(void *user, bool services_stopped) {
	struct power *power = user;
	log_info("idle: %s", services_stopped ? "storing what services wrote when they stopped"
					      : "storing everything");
	power->flush = flush_start(power->house, flushed, power);
}

static void flush_off(void *user) {
	struct power *power = user;
	if (power->flush) flush_cancel(power->flush);
	power->flush = NULL;
}

static void stopped(void *user) {
	struct power *power = user;
	idle_done(power->idle, NULL);
}

static void stop_services(void *user) {
	struct power *power = user;
	log_info("idle: stopping services");
	unit_graph_stop_services(power->house->graph, stopped, power);
}

static void start_services(void *user) {
	struct power *power = user;
	if (power->house->state == HOUSE_RUNNING) services_begin(power->house->services);
}

static void told(void *user, const char *event, const char *text) {
	struct power *power = user;
	struct house *house = power->house;
	struct err err;
	if (house->notifies) notifies_tell(house->notifies, event, "tendd", text);
	if (ledger_history_add(
		    house->ledger, loop_wall_ns(house->loop), "tendd", "idle", text, &err))
		log_warn("history of tendd: %s", err.text);
}

/* ---- tend awake, remembered: by the wall clock, and for this boot where it has no end ---- */

static char *awake_path(const struct house *house) {
	return path_join(house->state_dir, "awake");
}

static void awake_changed(void *user, int64_t until_ns) {
	struct power *power = user;
	char *path = awake_path(power->house);
	char *text = xasprintf("%lld %s\n", (long long)until_ns, process_boot_id());
	struct err err;
	if (state_write_file(path, text, strlen(text), &err))
		log_warn("cannot remember 'tend awake': %s", err.text);
	free(text);
	free(path);
}

static void recall_awake(struct power *power) {
	char *path = awake_path(power->house), text[AWAKE_FILE_MAX] = "", *boot = text;
	FILE *file = fopen(path, "re");
	int64_t wall_ns = loop_wall_ns(power->house->loop);
	bool read = file && fgets(text, sizeof(text), file);
	if (file) fclose(file);
	free(path);
	if (!read) return;
	int64_t until_ns = strtoll(text, &boot, 10);
	str_trim(boot);
	/* A clock that was wrong must not keep the machine up for years. */
	bool sane = until_ns == INT64_MAX || until_ns < wall_ns + (AWAKE_MAX_S * NS_PER_S);
	if (sane && str_equal(boot, process_boot_id())) idle_awake(power->idle, until_ns, true);
}

/* ---- the API ---- */

static json_t *signal_answer(struct idle *idle, size_t at) {
	static const char *const words[] = {
		[IDLE_IDLE] = "idle", [IDLE_ACTIVE] = "active", [IDLE_UNKNOWN] = "unknown"
	};
	struct idle_signal_status signal;
	idle_status_signal(idle, at, &signal);
	return json_pack("{s:o, s:s, s:o, s:o}", "signal", answer_text(signal.name), "state",
		words[signal.answer->word], "text", answer_text(signal.answer->text), "active",
		answer_moment(signal.active_ns));
}

static json_t *seconds(int64_t ms) {
	return ms < 0 ? json_null() : json_integer(ms / 1000);
}

json_t *power_status(struct house *house) {
	struct idle_status status;
	if (!house->power) return json_null();
	idle_status(house->power->idle, &status);
	if (!status.enabled) return json_null();
	bool idle = status.reason == IDLE_BY_NOTHING || status.reason == IDLE_BY_WINDOW ||
		    status.reason == IDLE_BY_SAMPLES;
	bool forever = status.awake_until_ns == INT64_MAX;
	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o}", "phase",
		idle_phase_name(status.phase), "idle", idle, "why", answer_text(status.text),
		"left_seconds", seconds(status.left_ms), "after_seconds", seconds(status.after_ms),
		"awake_until", forever ? json_null() : answer_moment(status.awake_until_ns),
		"awake", status.awake_until_ns != 0, "dry_run", status.dry_run, "action",
		answer_text(status.action), "cloud", answer_text(status.cloud), "warning",
		answer_text(status.warning));
}

void route_why_awake(void *user, struct control_request *request) {
	struct house *house = user;
	struct idle_status status;
	json_t *signals = json_array();
	idle_status(house->power->idle, &status);
	for (size_t i = 0; i < status.signals; i++)
		json_array_append_new(signals, signal_answer(house->power->idle, i));
	control_answer(request, 200,
		json_pack("{s:o, s:o}", "idle", power_status(house), "signals", signals));
}

void route_awake(void *user, struct control_request *request) {
	struct house *house = user;
	const json_t *body = control_body(request),
		     *duration = json_object_get(body, "duration_seconds");
	bool off = json_is_true(json_object_get(body, "off"));
	int64_t seconds = duration ? json_integer_value(duration) : AWAKE_USUAL_S;
	struct err err;
	if (duration && (!json_is_integer(duration) || seconds <= 0 || seconds > AWAKE_MAX_S)) {
		err_set(&err, ERR_INVALID, "'duration_seconds' is a number up to 30 days");
		control_refuse(request, &err, NULL);
		return;
	}
	route_ordered(house, request, "tendd", off ? "awake off" : "awake");
	idle_awake(house->power->idle, off ? 0 : loop_wall_ns(house->loop) + seconds * NS_PER_S,
		false);
	control_answer(request, 200,
		json_pack("{s:o, s:o}", "awake_until",
			off ? json_null()
			    : answer_moment(loop_wall_ns(house->loop) + seconds * NS_PER_S),
			"idle", power_status(house)));
}

/* ---- its life ---- */

static const struct idle_calls calls = {
	.look = look,
	.service = look_at_service,
	.flush = flush,
	.flush_off = flush_off,
	.stop = stop_services,
	.start = start_services,
	.told = told,
	.awake_changed = awake_changed,
};

void power_configure(struct house *house) {
	const struct config_section *section = config_find(house->config, "idle", "");
	/* A section without a key of its own stands there all the same, with its defaults; line 0: no file has it. */
	bool there = section && section->line > 0;
	idle_configure(house->power->idle, there ? section->settings : NULL);
}

void power_open(struct house *house) {
	struct power *power = xcalloc(1, sizeof(*power));
	const struct idle_options options = {
		.loop = house->loop,
		.http = house->http,
		.host = house->processes,
		.calls = &calls,
		.user = power,
	};
	power->house = house;
	power->step_ended_ms = -1;
	power->idle = idle_new(&options);
	house->power = power;
	recall_awake(power);
	power_configure(house);
}

void power_end(struct house *house) {
	if (!house->power) return;
	flush_off(house->power);
	idle_end(house->power->idle);
}

static void closed(void *user) {
	struct house *house = user;
	house->closing--;
	house_close_step(house);
}

void power_close(struct house *house) {
	if (!house->power) return;
	flush_off(house->power);
	house->closing++;
	idle_close(house->power->idle, closed, house);
}

void power_free(struct house *house) {
	if (!house->power) return;
	idle_free(house->power->idle);
	free(house->power);
	house->power = NULL;
}
