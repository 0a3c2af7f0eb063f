#include "support/ground.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/naming.h"
#include "support/troubles.h"

enum {
	PAST_COMMITS = 6,
	STOP_MS = 3600000, /* where each tenth answer is lost, and that costs up to a minute */
	NEARLY_AN_HOUR_MS = 58 * 60000,
	BARRIER_MS = 5 * 3600000,
	EDITS_BY_LOOKS = 2000
};

/* ---- chance ---- */

static uint64_t next(uint64_t *random) {
	uint64_t z = (*random += GROUND_STEP);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t ground_draw(struct ground *g, uint64_t below) {
	g->draws++;
	return next(&g->random) % below;
}

bool ground_chance(struct ground *g, unsigned of_a_million) {
	return of_a_million && ground_draw(g, 1000000) < of_a_million;
}

uint64_t ground_fate(struct ground *g, uint64_t below) {
	return next(&g->fate) % below;
}

bool ground_strikes(struct ground *g, unsigned of_a_million) {
	return of_a_million && ground_fate(g, 1000000) < of_a_million;
}

void ground_say(struct ground *g, const char *format, ...) {
	va_list args;
	if (!g->tell) return;
	printf("%9lld  %s", (long long)loop_now_ms(g->loop), g->name ? g->name : "");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void ground_wrong(struct ground *g, const char *what, const char *path) {
	ground_say(g, "WRONG: %s: '%s'", what, path);
	if (g->wrong) return;
	g->wrong = what;
	g->wrong_path = xstrdup(path);
	g->stop = true;
}

bool ground_covers(char **paths, const char *path) {
	for (; paths && *paths; paths++)
		if (path_is_within(path, *paths)) return true;
	return false;
}

/* ---- the disk and the watch ---- */

static int64_t disk_now(void *user) {
	struct ground *g = user;
	return loop_wall_ns(g->loop) + (g->fine_clock ? ++g->ticks % NS_PER_MS : g->apart_ns);
}

static enum watch_what told_as(enum disk_change what) {
	switch (what) {
	case DISK_FOLDER_MADE: return WATCH_FOLDER_NEW;
	case DISK_FOLDER_GONE: return WATCH_FOLDER_GONE;
	case DISK_FOLDER_MOVED: return WATCH_FOLDER_MOVED;
	case DISK_CHANGED: break;
	}
	return WATCH_CHANGED;
}

bool ground_any_below(char **paths, const char *path) {
	for (; paths && *paths; paths++)
		if (path_is_within(*paths, path)) return true;
	return false;
}

/* What is known of a path is known of it below the new name of its folder: the remote may move it
 * as a whole. */
static void follow(char ***paths, const char *from, const char *to) {
	char **moved = NULL;
	for (char **path = *paths; path && *path; path++) {
		if (!path_is_within(*path, from)) continue;
		const char *below = *path + strlen(from);
		strv_add_owned(&moved, path_join(to, *below == '/' ? below + 1 : below));
	}
	for (char **path = moved; path && *path; path++) strv_add(paths, *path);
	strv_free(moved);
}

void ground_meddled(struct ground *g, const char *path) {
	strv_add(&g->meddled, path);
	for (char **move = g->moves; move && *move; move += 2)
		follow(&g->meddled, move[0], move[1]);
}

/* Gone, or another thing under the same name. */
static void note_gone(struct ground *g, enum disk_change what, const char *path, const char *from) {
	struct disk_stat stat;
	struct err err;
	if (from) {
		char ***all[] = { &g->gone, &g->orphans, &g->fresh, &g->less_fresh, &g->meddled };
		strv_add(&g->gone, from);
		strv_add(&g->moves, from);
		strv_add(&g->moves, path);
		for (size_t i = 0; i < ARRAY_LEN(all); i++) follow(all[i], from, path);
		return;
	}
	if (disk_stat(g->disk, path, &stat, &err)) {
		strv_add(&g->gone, path);
		map_take(&g->inodes, path);
		return;
	}
	void *now = (void *)(uintptr_t)stat.ino, *before = map_put(&g->inodes, path, now);
	if (before && before != now) strv_add(&g->gone, path);
}

static bool is_here(struct ground *g, const char *path) {
	struct disk_stat stat;
	struct err err;
	bool paused = g->paused;
	g->paused = true;
	bool here = disk_stat(g->disk, path, &stat, &err) == 0;
	g->paused = paused;
	return here;
}

/* Of the last hour, by the engine of this machine. What came in the place of a thing right after it makes it no deletion. */
static void judge_deletions(struct ground *g) {
	int64_t now = loop_now_ms(g->loop), count = 0, most = g->most_deletions;
	if (!g->newest_deletion) return;
	/* What is here again was refused by the remote, or brought back by somebody. */
	for (struct map_item *it = NULL; (it = map_next(&g->removed, it));)
		count += now - (int64_t)(uintptr_t)map_value(it) < NEARLY_AN_HOUR_MS &&
			 !is_here(g, map_key(it));
	ground_say(g, "  deletion: '%s', number %lld of %lld", g->newest_deletion, (long long)count,
		(long long)most);
	/* Some that were counted the remote refused; and in what was counted last before the power went the engine may be wrong. */
	int64_t slack = g->counts.commits_lost ? most + 2 : 2;
	if (count > most + slack)
		ground_wrong(g, "more deletions than max_delete", g->newest_deletion);
	free(g->newest_deletion);
	g->newest_deletion = NULL;
}

static void count_deletion(struct ground *g, const char *path) {
	judge_deletions(g);
	if (!g->most_deletions || map_get(&g->approved, path)) return;
	map_put(&g->removed, path, (void *)(uintptr_t)loop_now_ms(g->loop));
	g->newest_deletion = xstrdup(path);
}

/* A file or link that the engine took away here, and put nothing in its place. */
static void note_removed_here(
	struct ground *g, enum disk_change what, const char *path, const char *from) {
	bool brings = g->settings.mode == FOLDER_TWO_WAY || g->settings.mode == FOLDER_FETCH;
	bool ours = brings && !g->editing && !from && !disk_is_beside(path_name(path));
	if (what == DISK_FOLDER_MADE && str_equal(g->newest_deletion, path)) {
		map_take(&g->removed, path);
		free(g->newest_deletion);
		g->newest_deletion = NULL;
	} else if (!str_equal(g->newest_deletion, path)) {
		judge_deletions(g);
	}
	if (is_here(g, path)) map_take(&g->in_trash, path);
	if (!ours || what != DISK_CHANGED || is_here(g, path)) return;
	g->counts.removed_here++;
	/* One that only gets another name is not in the trash. */
	if (map_take(&g->in_trash, path)) count_deletion(g, path);
}

static void disk_changed(void *user, enum disk_change what, const char *path, const char *from) {
	static const char *const words[] = { "changed", "made", "gone", "moved" };
	struct ground *g = user;
	bool paused = g->paused;
	g->paused = true;
	g->counts.edits++;
	g->changes++;
	strv_add(&g->hit, path);
	if (from) strv_add(&g->hit, from);
	if (g->editing && g->notes_touched) {
		strv_add(&g->touched, path);
		if (from) strv_add(&g->touched, from);
	}
	note_gone(g, what, path, from);
	note_removed_here(g, what, path, from);
	g->paused = paused;
	ground_say(g, "  disk: %s '%s'%s%s", words[what], path, from ? " from " : "",
		from ? from : "");
	if (!g->watch) return;
	if (ground_chance(g, g->odds.overflow) && cuts_happens(g, PART_FAULT)) {
		ground_say(g, "  watch: overflow");
		g->counts.overflows++;
		watch_feed(g->watch, WATCH_OVERFLOW, "", NULL);
		return;
	}
	if (ground_strikes(g, g->odds.missing) && cuts_happens(g, PART_FAULT)) {
		ground_say(g, "  watch: nobody is told");
		g->missed = true;
		return;
	}
	watch_feed(g->watch, told_as(what), path, from);
}

/* Where each look brings an edit with it, and each edit several looks, there is no end of them. */
static void disk_looking(void *user) {
	struct ground *g = user;
	if (g->edit && !g->paused && g->counts.edits < EDITS_BY_LOOKS &&
		ground_chance(g, g->odds.edit_while_looking)) {
		ground_say(g, "(while it is looked at)");
		g->edit(g);
	}
}

static struct disk *open_disk(void *user, const char *path, struct err *err) {
	struct disk *disk = disk_memory_open(((struct ground *)user)->memory, err);
	if (disk) disk_memory_may_fail(disk);
	return disk;
}

/* Where there is no room nothing is made any more, and all that is there can be read. */
static int disk_fails(void *user, enum disk_part part, const char *path) {
	static const char *const parts[] = { "open", "read", "list", "create", "write", "sync",
		"remove" };
	struct ground *g = user;
	if (g->disk_fault) return g->disk_fault(g, part, path);
	bool makes = part == DISK_PART_CREATE || part == DISK_PART_WRITE || part == DISK_PART_SYNC;
	int errnum = makes && ground_strikes(g, g->odds.full) ? ENOSPC
		     : ground_strikes(g, g->odds.broken)      ? EIO
							      : 0;
	if (!errnum || !cuts_happens(g, PART_FAULT)) return 0;
	ground_say(g, "  disk: %s, to %s '%s'", errnum == EIO ? "broken" : "full", parts[part],
		path ? path : "");
	g->counts.faults++;
	return errnum;
}

static struct watch *new_watch(void *user, struct loop *loop, const char *root,
	const struct watch_calls *calls, void *calls_user, struct err *err) {
	struct ground *g = user;
	struct watch *watch = watch_new_simulated(loop, calls, calls_user);
	watch_feed_slot(watch, &g->watch);
	watch_feed_late(watch, g->late_ms);
	return watch;
}

static struct index *open_index(void *user, const char *name, struct err *err) {
	struct ground *g = user;
	g->index = index_past_open(g->past, err);
	if (g->index_fails) {
		g->index_random =
			g->index_random * UINT64_C(6364136223846793005) + 1442695040888963407;
		index_past_fail(g->past, 8 + (g->index_random >> 33) % g->index_fails);
	}
	return g->index;
}

static void keep_trash(void *user, const char *path) {
	struct ground *g = user;
	map_put(&g->in_trash, path, g);
	if (g->trashed) g->trashed(g, path);
}

/* ---- the store ---- */

static const char *const verbs[] = { "LIST", "STAT", "GET", "PUT", "SET", "MKDIR", "COPY", "MOVE",
	"REMOVE", "PART_BEGIN", "PART_PUT", "PART_COPY", "PART_QUERY", "PART_END", "PART_ABORT",
	"SYNC", "ABOUT", "REVISIONS", "CHANGES" };

static void mix(struct ground *g, const void *bytes, size_t len) {
	const unsigned char *at = bytes;
	uint64_t bits;
	for (; len >= sizeof(bits); at += sizeof(bits), len -= sizeof(bits)) {
		memcpy(&bits, at, sizeof(bits));
		g->trace = (g->trace ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
		g->trace ^= g->trace >> 32;
	}
	for (size_t i = 0; i < len; i++) /* FNV-1a */
		g->trace = (g->trace ^ at[i]) * UINT64_C(0x100000001b3);
}

static void mix_text(struct ground *g, const char *text) {
	mix(g, text ? text : "", text ? strlen(text) + 1 : 1);
}

static bool is_write(enum store_verb verb) {
	switch (verb) {
	case STORE_PUT:
	case STORE_SET:
	case STORE_MKDIR:
	case STORE_COPY:
	case STORE_MOVE:
	case STORE_REMOVE:
	case STORE_PART_BEGIN:
	case STORE_PART_PUT:
	case STORE_PART_COPY:
	case STORE_PART_END: return true;
	default: return false;
	}
}

/* The path in the folder; NULL: the key lies outside of it. */
static const char *path_of(const struct ground *g, const char *key) {
	const char *base = strchr(g->settings.remote, ':') + 1;
	if (!key || path_is_within(key, ".tend") || !path_is_within(key, base)) return NULL;
	if (str_equal(key, base)) return NULL;
	return key + (*base ? strlen(base) + 1 : 0);
}

/* Another thing under its name makes it no deletion. */
static void note_removed_there(struct ground *g, const char *path) {
	if (is_here(g, path)) return;
	g->counts.deletions++;
	count_deletion(g, path);
}

static void note(struct ground *g, const struct store_op *op) {
	int64_t now = loop_now_ms(g->loop);
	const char *path = path_of(g, op->key);
	judge_deletions(g);
	mix(g, &op->verb, sizeof(op->verb));
	mix(g, &now, sizeof(now));
	mix_text(g, op->key);
	mix_text(g, op->if_version);
	mix_text(g, op->keep_key);
	mix_text(g, op->to_key);
	mix(g, op->body, op->body ? op->body_len : 0);
	g->counts.ops++;
	bool makes = op->verb == STORE_PUT || op->verb == STORE_MKDIR || op->verb == STORE_PART_END;
	bool elsewhere = op->verb == STORE_COPY || op->verb == STORE_MOVE;
	const char *made = elsewhere ? path_of(g, op->to_key) : makes ? path : NULL;
	if (made) strv_add(&g->fresh, made);
	if (op->verb == STORE_MOVE && op->kind == STORE_FOLDER && path_of(g, op->to_key))
		strv_add(&g->moved_there, path_of(g, op->to_key));
	if (op->verb == STORE_SYNC) {
		strv_free(g->less_fresh);
		g->less_fresh = g->fresh;
		g->fresh = NULL;
	}
	if (path && is_write(op->verb)) g->counts.writes++;
	if (g->settings.mode == FOLDER_FETCH && is_write(op->verb))
		ground_wrong(g, "one that only fetches writes at the remote", op->key);
	if (op->verb == STORE_REMOVE && path) {
		g->counts.removes++;
		if (op->kind != STORE_FOLDER) note_removed_there(g, path);
		/* In the place of what is replaced here something else comes over there. */
		if (!ground_covers(g->gone, path) && !is_here(g, path))
			ground_wrong(g, "removed at the remote, never gone here", path);
	}
}

static struct err fault(
	struct ground *g, const struct store_op *op, bool *after, int64_t *delay_ms) {
	static const enum err_kind odd[] = { ERR_INVALID, ERR_DENIED, ERR_FULL, ERR_CORRUPT };
	struct err err = { .kind = ERR_NONE };
	if (g->fault) return g->fault(g, op, after);
	if (ground_chance(g, g->odds.slow)) *delay_ms = (int64_t)ground_draw(g, 4000);
	if (ground_chance(g, g->odds.lost)) {
		*after = true;
		err_set(&err, ERR_OFFLINE, "the answer was lost");
	} else if (ground_chance(g, g->odds.away)) {
		err_set(&err, ERR_OFFLINE, "nobody answered");
	} else if (ground_chance(g, g->odds.refused)) {
		err_set(&err, ERR_BUSY, "too many requests");
	} else if (ground_chance(g, g->odds.odd)) {
		*after = ground_draw(g, 2);
		err_set(&err, odd[ground_draw(g, ARRAY_LEN(odd))], "the server is out of order");
	}
	if (err.kind == ERR_NONE) return err;
	if (!cuts_happens(g, PART_FAULT)) {
		*after = false;
		err_clear(&err);
		return err;
	}
	g->counts.faults++;
	return err;
}

static struct err decide(void *user, const struct store_op *op, bool *after, int64_t *delay_ms) {
	struct ground *g = user;
	struct err err = { .kind = ERR_NONE };
	if (g->frozen) {
		err_set(&err, ERR_CANCELLED, "its process is gone");
		return err;
	}
	note(g, op);
	err = fault(g, op, after, delay_ms);
	ground_say(g, "  store: %s '%s'%s%s%s%s%s%s%s%s%s", verbs[op->verb], op->key ? op->key : "",
		op->kind == STORE_FOLDER ? "/" : "", op->to_key ? " to '" : "",
		op->to_key ? op->to_key : "", op->to_key ? "'" : "", op->if_version ? " if " : "",
		op->if_version ? op->if_version : "", op->if_absent ? " if absent" : "",
		op->keep_key ? " keep" : "",
		err.kind == ERR_NONE ? ""
		: *after             ? ": lost"
				     : ": refused");
	if (g->kill_at_op && (int64_t)g->counts.ops >= g->kill_at_op) g->stop = true;
	return err;
}

/* ---- life ---- */

/* Of stories that were told: to make an index is a tenth of the next one. */
static struct index_past *told_pasts[4];

static struct index_past *take_past(void) {
	for (size_t i = 0; i < ARRAY_LEN(told_pasts); i++) {
		struct index_past *past = told_pasts[i];
		if (!past) continue;
		told_pasts[i] = NULL;
		return past;
	}
	return index_past_new(PAST_COMMITS);
}

static void give_past(struct index_past *past) {
	for (size_t i = 0; i < ARRAY_LEN(told_pasts); i++) {
		if (told_pasts[i]) continue;
		index_past_reset(past);
		told_pasts[i] = past;
		return;
	}
	index_past_free(past);
}

static void time_passed(struct timer *timer) {
	container_of(timer, struct ground, timer)->stop = true;
}

static struct ground *make(uint64_t seed, struct ground *first, bool retries,
	const struct store_memory_options *options) {
	struct ground *g = xcalloc(1, sizeof(*g));
	struct disk_memory_calls calls = { .now_ns = disk_now,
		.changed = disk_changed,
		.looking = disk_looking,
		.fails = disk_fails,
		.user = g };
	struct store_fault_plan plan = { .user = g, .decide = decide };
	struct err err;
	map_init(&g->inodes);
	map_init(&g->removed);
	map_init(&g->approved);
	map_init(&g->in_trash);
	g->random = seed * 2 + 1;
	g->fate = ~g->random;
	g->trace = UINT64_C(0xcbf29ce484222325);
	g->beside = first != NULL;
	g->loop = first ? first->loop : loop_new_simulated(seed);
	g->memory = disk_memory_new(&calls);
	g->disk = disk_memory_open(g->memory, &err);
	g->past = take_past();
	g->content = first ? first->content : store_memory_new(g->loop);
	if (!first) store_memory_set(g->content, options);
	g->naming = naming_new(g, g->content);
	g->lying = lying_new(g, g->naming);
	g->store = store_fault(g->lying, plan);
	if (retries) g->store = store_retry(g->store, 4);
	g->face = (struct sync_ground){ .disk_open = open_disk,
		.watch_new = new_watch,
		.index_open = open_index,
		.trash_keep = keep_trash,
		.user = g };
	timer_init(&g->timer, g->loop, time_passed);
	return g;
}

struct ground *ground_new(uint64_t seed, const struct store_memory_options *options, bool retries) {
	return make(seed, NULL, retries, options);
}

struct ground *ground_new_beside(struct ground *first, uint64_t seed, bool retries) {
	return make(seed, first, retries, NULL);
}

void ground_free(struct ground *g) {
	store_free(g->store);
	give_past(g->past);
	disk_close(g->disk);
	disk_memory_free(g->memory);
	if (!g->beside) loop_free(g->loop);
	for (size_t i = 0; i < g->paths.count; i++) free(g->paths.paths[i]);
	free(g->paths.paths);
	free(g->paths.kinds);
	strv_free(g->fresh);
	strv_free(g->less_fresh);
	strv_free(g->orphans);
	strv_free(g->meddled);
	strv_free(g->moves);
	strv_free(g->moved_there);
	map_release(&g->inodes);
	map_release(&g->removed);
	map_release(&g->approved);
	map_release(&g->in_trash);
	strv_free(g->gone);
	strv_free(g->touched);
	strv_free(g->hit);
	free(g->wrong_path);
	free(g->newest_deletion);
	free(g);
}

void ground_run(struct ground *g, int64_t ms) {
	g->stop = false;
	troubles_run(g);
	timer_start(&g->timer, ms);
	if (!g->wrong) loop_run_until(g->loop, &g->stop);
	timer_cancel(&g->timer);
}

void ground_open(struct ground *g) {
	struct sync_options options = {
		.ground = &g->face, .machine_id = "machine", .span_bytes = g->span_bytes
	};
	struct err err;
	g->graph = unit_graph_new(g->loop);
	g->sync = sync_new(g->loop, g->graph, &options, &err);
	g->folder = folder_new(g->sync, "model", &g->settings, g->store, &err);
	if (!g->folder) {
		ground_wrong(g, "cannot open the folder", err.text);
		return;
	}
	naming_opened(g->naming);
	g->missed = false;
	unit_want(folder_unit(g->folder));
}

static void ended(void *user) {
	*(bool *)user = true;
}

/* What is in flight ends before it; a server that never answers would hold it for ever. */
void ground_close(struct ground *g) {
	bool done = false;
	if (g->folder) {
		folder_close(g->folder, ended, &done);
		loop_run_until(g->loop, &done);
		if (!done) ground_wrong(g, "does not end", "");
	}
	g->folder = NULL;
	sync_free(g->sync);
	unit_graph_free(g->graph);
}

void ground_mend_index(struct ground *g) {
	g->index_fails = 0;
	index_past_fail(g->past, 0);
}

void ground_kill(struct ground *g, bool power, size_t lost) {
	bool paused = g->paused;
	ground_say(g, "KILLED%s", power ? ", and the power went" : "");
	g->counts.kills++;
	g->frozen = g->paused = true;
	index_past_end(g->past);
	ground_close(g);
	if (power) {
		for (char **at = g->fresh; at && *at; at++) strv_add(&g->orphans, *at);
		for (char **at = g->less_fresh; at && *at; at++) strv_add(&g->orphans, *at);
	}
	if (power) disk_memory_power_cut(g->memory);
	g->counts.commits_lost += (unsigned)index_past_crash(g->past, power ? lost : 0);
	g->frozen = false;
	g->paused = paused;
}

static void all_down(void *user) {
	struct ground *g = user;
	g->down = g->stop = true;
}

void ground_stop(struct ground *g) {
	ground_say(g, "stopped");
	g->down = false;
	unit_graph_stop(g->graph, false, all_down, g);
	ground_run(g, STOP_MS);
	if (!g->down) ground_wrong(g, "does not stop", "");
	ground_close(g);
}

/* ---- the barrier ---- */

struct barrier {
	struct folder_wait wait;
	struct ground *g;
	bool done;
	struct err err;
};

static void barrier_done(struct folder_wait *wait, const struct err *err) {
	struct barrier *b = container_of(wait, struct barrier, wait);
	b->done = b->g->stop = true;
	if (err) b->err = *err;
}

static void say_status(struct ground *g) {
	struct folder_status status;
	struct folder_trouble *troubles;
	folder_status(g->folder, &status);
	ground_say(g, "state %s, %lld pending, %lld refused, trouble '%s'%s", status.state,
		(long long)status.pending, (long long)status.refused, status.trouble.text,
		status.stopped_deletions ? ", deletions are held" : "");
	folder_status_release(&status);
	size_t count = folder_troubles(g->folder, 100, &troubles);
	for (size_t i = 0; i < count; i++)
		ground_say(g, "  %s: %s", troubles[i].path, troubles[i].reason);
	folder_troubles_free(troubles, count);
}

enum ground_outcome ground_barrier(struct ground *g, struct err *err) {
	struct barrier b = { .wait = { .done = barrier_done }, .g = g };
	strv_free(g->hit);
	g->hit = NULL;
	ground_say(g, "barrier");
	folder_wait_start(g->folder, &b.wait, folder_mark(g->folder));
	ground_run(g, BARRIER_MS);
	bool ended = b.done;
	if (!ended) {
		bool killed =
			g->wrong || (g->kill_at_op && (int64_t)g->counts.ops >= g->kill_at_op);
		if (!killed) say_status(g);
		if (!killed) ground_wrong(g, "a barrier does not end", "");
		folder_wait_cancel(&b.wait);
		g->stop = false;
		loop_run_until(g->loop, &b.done);
	}
	*err = b.err;
	for (char **reason = b.wait.reasons; reason && *reason; reason++)
		ground_say(g, "barrier: %s", *reason);
	folder_wait_release(&b.wait);
	ground_say(g, "barrier: %s", !ended ? "interrupted" : b.err.kind ? b.err.text : "durable");
	if (!ended) return GROUND_INTERRUPTED;
	return b.err.kind == ERR_NONE ? GROUND_DURABLE : GROUND_REFUSED;
}

/* ---- the brake ---- */

char **ground_held(struct ground *g) {
	struct folder_deletion *deletions;
	char **paths = NULL;
	int64_t upto;
	size_t count = folder_deletions(g->folder, 1000, &deletions, &upto);
	for (size_t i = 0; i < count; i++) strv_add(&paths, deletions[i].path);
	folder_deletions_free(deletions, count);
	return paths;
}

char **ground_approve(struct ground *g) {
	struct folder_deletion *deletions;
	char **paths = NULL;
	struct err err;
	int64_t upto;
	size_t count = folder_deletions(g->folder, 1000, &deletions, &upto);
	for (size_t i = 0; i < count; i++) {
		strv_add(&paths, deletions[i].path);
		map_put(&g->approved, deletions[i].path, g);
	}
	folder_deletions_free(deletions, count);
	if (!count) return NULL;
	ground_say(g, "a person approves %zu deletions", count);
	g->counts.asked++;
	if (folder_approve(g->folder, upto, &err)) ground_say(g, "not approved: %s", err.text);
	return paths;
}
