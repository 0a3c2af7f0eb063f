/*
 * An orderly stop is the graph's walk backwards; here is only its clock. There is no limit for the
 * whole: a flush of a night's work may take long. What ends it is that nothing moves any more.
 */
#include "tendd/stop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tendd/power.h"
#include "tendd/preempt.h"

enum { LOOK_MS = 1000, MARGIN_MS = 30000 };

struct stopping {
	struct house *house;
	enum stop_services services;
	bool keep;
	bool walking; /* the graph stops */
	struct stop_progress progress;
	int64_t moved_ms; /* when something moved last */
	struct timer timer;
};

/* Cheap enough for once a second: folders keep these numbers, they are not counted. */
struct stop_progress stop_measure(struct house *house) {
	struct stop_progress progress = { 0 };
	for (struct unit *unit = unit_next(house->graph, NULL); unit;
		unit = unit_next(house->graph, unit)) {
		if (unit->state != UNIT_DOWN) progress.units_left++;
	}
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		struct folder_status status;
		struct folder_progress bytes;
		if (folder->closing) continue;
		folder_status(folder->folder, &status);
		folder_progress(folder->folder, &bytes);
		progress.pending += status.pending;
		progress.sent +=
			status.sent_files + status.set_only + status.removed + status.moved;
		progress.moved_bytes += bytes.moved_bytes;
		folder_status_release(&status);
	}
	return progress;
}

bool stop_moves(struct stop_progress *last, const struct stop_progress *now) {
	int64_t most = last->moved_bytes > now->moved_bytes ? last->moved_bytes : now->moved_bytes;
	bool moves = last->units_left != now->units_left || last->pending != now->pending ||
		     last->sent != now->sent || now->moved_bytes > last->moved_bytes;
	*last = *now;
	last->moved_bytes = most;
	return moves;
}

static void say_progress(struct stopping *stopping) {
	char text[160];
	snprintf(text, sizeof(text), "stopping: %" PRId64 " units left, %" PRId64 " paths to send",
		stopping->progress.units_left, stopping->progress.pending);
	host_say(stopping->house->host, text);
}

/* systemd is asked for more time only when something has moved: a stop that hangs must end. */
static void extend(struct stopping *stopping) {
	int64_t timeout_ms = house_settings(stopping->house)->shutdown_timeout_ms;
	host_extend(stopping->house->host, timeout_ms + MARGIN_MS);
}

/* The rest is house_close, after the loop has returned. */
static void end(struct stopping *stopping) {
	timer_cancel(&stopping->timer);
	loop_stop(stopping->house->loop);
}

static void all_stopped(void *user) {
	struct stopping *stopping = user;
	struct house *house = stopping->house;
	if (house->state != HOUSE_STOPPING) return;
	/* A keeper that systemd runs does not obey; ours has nothing left to keep. */
	if (!stopping->keep) process_host_quit(house->processes);
	log_info("stopped%s", stopping->keep ? "; services go on" : "");
	end(stopping);
}

/* Nothing is lost: what was not sent is marked in the index. */
static void give_up(struct stopping *stopping) {
	struct house *house = stopping->house;
	log_error("stop: nothing has moved for shutdown_timeout: giving up with %" PRId64
		  " units left and %" PRId64 " paths not sent; they are sent at the next start",
		stopping->progress.units_left, stopping->progress.pending);
	house->exit_code = 1;
	end(stopping);
}

static void look(struct timer *timer) {
	struct stopping *stopping = container_of(timer, struct stopping, timer);
	struct house *house = stopping->house;
	int64_t now_ms = loop_now_ms(house->loop);
	struct stop_progress progress = stop_measure(house);
	if (stop_moves(&stopping->progress, &progress)) {
		stopping->moved_ms = now_ms;
		say_progress(stopping);
		extend(stopping);
	} else if (now_ms - stopping->moved_ms >= house_settings(house)->shutdown_timeout_ms) {
		give_up(stopping);
		return;
	}
	timer_start(timer, LOOK_MS);
}

/* From here on it moves, or it ends. */
static void walk(struct stopping *stopping, bool keep) {
	struct house *house = stopping->house;
	stopping->keep = keep;
	stopping->walking = true;
	stopping->progress = stop_measure(house);
	stopping->moved_ms = loop_now_ms(house->loop);
	extend(stopping);
	timer_start(&stopping->timer, LOOK_MS);
	unit_graph_stop(house->graph, keep, all_stopped, stopping);
}

static void restart_answered(void *user, bool restart) {
	struct stopping *stopping = user;
	if (stopping->house->state != HOUSE_STOPPING) return;
	if (restart) log_info("this is a restart: services are kept");
	/* Kept services would go down with the machine, and what they write then with them. */
	bool keep = house_settings(stopping->house)->on_stop == ON_STOP_KEEP &&
		    !preempt_is_going(stopping->house);
	walk(stopping, restart || keep);
}

void stop_start(struct house *house, enum stop_services services) {
	if (house->stopping) {
		log_warn("asked to stop again: ending at once, without what is not sent yet");
		house->exit_code = 1;
		end(house->stopping);
		return;
	}
	struct stopping *stopping = xcalloc(1, sizeof(*stopping));
	stopping->house = house;
	stopping->services = services;
	timer_init(&stopping->timer, house->loop, look);
	house->stopping = stopping;
	house->state = HOUSE_STOPPING;
	log_info("stopping");
	power_end(house);
	host_stopping(house->host);
	preempt_leaving(house);
	/* A restart keeps services whatever on_stop says, and only systemd knows that it is one. */
	if (services == STOP_AS_CONFIGURED) {
		host_ask_restart(house->host, restart_answered, stopping);
	} else {
		walk(stopping, services == STOP_KEEP_SERVICES);
	}
}

void stop_now(struct house *house) {
	log_info("ending at once; services go on, what is not sent yet is sent at the next start");
	if (house->stopping) timer_cancel(&house->stopping->timer);
	loop_stop(house->loop);
}

void stop_free(struct house *house) {
	if (!house->stopping) return;
	timer_cancel(&house->stopping->timer);
	free(house->stopping);
	house->stopping = NULL;
}
