/*
 * `restore = if-empty`: a folder that is missing or empty, and agreed on nothing yet, is brought back before anything is sent (SYNC.md
 * §7). "pulling" is committed before the first byte and stands until the folder is contacted: a restart goes on with what is not here yet.
 * What is agreed meanwhile (restore_pull.c) outlives no end but a good one, behind which all is on the disk: nothing can be taken for
 * deleted that a power cut took along. What is not agreed is adopted like anything else.
 */
#include <stdlib.h>
#include <string.h>

#include "sync/internal.h"

enum { TOLD_MAX = 20, PROGRESS_EVERY_MS = 1000, LISTED_MS = 60000 };

bool pull_is_busy(const struct folder *f) {
	return f->pull.restore || f->pull.making;
}

/* ---- a root that is not there ---- */

static void root_missing(struct folder *f) {
	struct err err;
	err_set(&err, ERR_NOT_FOUND,
		"the folder '%s' does not exist: create it, or mount the disk it lies on",
		f->settings.path);
	folder_hold(f, &err);
}

/* From the deepest folder that is there: links on the way to it are followed, below it there are none. */
static int make_work(struct job *job, struct err *err) {
	const struct pull *pull = container_of(job, struct pull, job);
	struct disk *disk = NULL;
	char *above = xstrdup(pull->path);
	while (!disk) {
		char *parent = path_parent(above);
		free(above);
		above = parent;
		if (!*above) {
			free(above);
			above = xstrdup("/");
		}
		disk = user_disk_open(above, pull->user, err);
		if (!disk && (err->kind != ERR_NOT_FOUND || str_equal(above, "/"))) break;
	}
	int rc = disk ? 0 : -1;
	if (disk) {
		const char *below = pull->path + (str_equal(above, "/") ? 0 : strlen(above));
		while (*below == '/') below++;
		char *inside = path_join(below, "in it");
		rc = disk_mkdir_parents(disk, inside, err);
		free(inside);
		disk_close(disk);
	}
	free(above);
	return rc;
}

static void make_done(struct job *job, const struct err *err) {
	struct folder *f = container_of(job, struct folder, pull.job);
	f->pull.making = false;
	free(f->pull.path);
	free(f->pull.user);
	f->pull.path = f->pull.user = NULL;
	folder_wake(f);
	if (f->phase != PHASE_OPENING) return;
	if (err) {
		struct err why = *err;
		err_wrap(&why, "cannot create the folder '%s'", f->settings.path);
		folder_hold(f, &why);
		return;
	}
	log_info("folder '%s': '%s' was made, and is brought back from '%s'", f->name,
		f->settings.path, f->settings.remote);
}

static bool listed_any(const struct folder *f) {
	for (size_t i = 0; i < f->op.entry_count; i++) {
		if (*f->remote_key || !str_equal(f->op.entries[i].name, ".tend")) return true;
	}
	return false;
}

static void looked(struct folder *f, const struct err *err) {
	if (f->phase != PHASE_OPENING) return;
	if (err && err->kind != ERR_NOT_FOUND) {
		folder_hold(f, err);
		return;
	}
	if (err || !listed_any(f)) {
		root_missing(f);
		return;
	}
	f->pull.making = true;
	f->pull.path = xstrdup(f->settings.path);
	f->pull.user = xstrdup(f->settings.user);
	f->pull.job.work = make_work;
	f->pull.job.done = make_done;
	job_start(f->loop, &f->pull.job);
}

/* It is made only where there is something to put into it: a path that is misspelt is told. */
void pull_root_missing(struct folder *f) {
	bool wanted = f->settings.restore == FOLDER_RESTORE_IF_EMPTY && !f->sync->ground &&
		      !index_meta_int(f->index, "contacted", 0);
	if (!wanted || f->op_in_flight) {
		root_missing(f);
		return;
	}
	folder_op_start(f, STORE_LIST, f->remote_key, looked);
	f->op.kind = STORE_FOLDER;
	f->op.limit = 10;
	folder_op_go(f);
}

/* ---- what is agreed ---- */

bool pull_disagree(struct folder *f) {
	struct err err;
	f->pull.agrees = f->pull.rules_came = false;
	if (!index_meta_int(f->index, "pulling", 0)) return true;
	turn_end_want(&f->turn_end);
	if (!index_estrange(f->index, &err)) return true;
	folder_index_failed(f, &err);
	return false;
}

/* Rules that came with the rest may leave out what was agreed before they were read. */
static bool rules_stand(struct folder *f) {
	return !f->pull.rules_came || pull_disagree(f);
}

/* ---- bringing it back ---- */

void pull_listed(struct folder *f, const char *path, const struct store_entry *entry) {
	if (entry->kind == STORE_FOLDER && entry->marker && entry->mode == STORE_MODE_UNKNOWN &&
		f->settings.restore == FOLDER_RESTORE_IF_EMPTY)
		path_stack_push(&f->pull.marked, xstrdup(path));
}

/* The list of the first contact is as good as another one now. */
static bool is_known(struct folder *f) {
	int64_t listed_ms = f->pull.listed_ms;
	f->pull.listed_ms = 0;
	return listed_ms && folder_clock_ms(f) - listed_ms < LISTED_MS;
}

bool pull_wants(const struct folder *f) {
	if (f->settings.restore != FOLDER_RESTORE_IF_EMPTY || f->pull.through) return false;
	return !f->scan.seen || index_meta_int(f->index, "pulling", 0);
}

const struct restore_counts *pull_counts(const struct folder *f) {
	return f->pull.restore ? restore_counts(f->pull.restore) : NULL;
}

static void progress(void *user) {
	struct folder *f = user;
	const struct restore_counts *counts = pull_counts(f);
	int64_t now_ms = folder_clock_ms(f);
	if (!counts || now_ms - f->pull.told_ms < PROGRESS_EVERY_MS) return;
	f->pull.told_ms = now_ms;
	free(f->pull.text);
	int64_t here = counts->files + counts->links + counts->same;
	f->pull.text = xasprintf(
		"%lld of %lld files are here again", (long long)here, (long long)f->pull.all.files);
	folder_report(f);
	folder_changed(f);
}

static void told(void *user, enum restore_news news, const char *path, const char *text) {
	struct folder *f = user;
	if (news == RESTORE_ASIDE) {
		log_info("folder '%s': '%s' is brought back as '%s': the database is in use",
			f->name, path, text);
		return;
	}
	if (++f->pull.told > TOLD_MAX) return;
	/* What is left alone "is there already", say; what failed tells of an error. */
	log_warn("folder '%s': '%s' is not brought back: %s%s", f->name, path,
		news == RESTORE_LEFT ? "it " : "", text);
}

static void ended(void *user, const struct err *err) {
	struct folder *f = user;
	struct restore *restore = f->pull.restore;
	struct restore_counts counts = *restore_counts(restore);
	char size[32];
	f->pull.restore = NULL;
	free(f->pull.text);
	f->pull.text = NULL;
	folder_wake(f);
	if (f->phase != PHASE_PULLING) {
		restore_free(restore);
		return;
	}
	f->phase = PHASE_EMPTY;
	if (err ? !pull_disagree(f) : !rules_stand(f)) {
		restore_free(restore);
		return;
	}
	if (err && err->kind != ERR_CANCELLED) {
		struct err why = *err;
		err_wrap(&why, "'%s' is not all here yet", f->settings.path);
		timer_start(&f->attempt_timer, FIRST_ATTEMPT_MS);
		folder_hold(f, &why);
	} else if (!err) {
		f->pull.through = true;
		size_format(counts.bytes, size, sizeof(size));
		log_info("folder '%s': %lld files (%s) were brought back from '%s', %lld were here "
			 "already, %lld were not brought back",
			f->name, (long long)(counts.files + counts.links), size, f->settings.remote,
			(long long)counts.same, (long long)(counts.left + counts.failed));
		scan_request(f, "");
	}
	folder_report(f);
	restore_free(restore);
}

void pull_start(struct folder *f) {
	static const struct restore_calls calls = {
		.told = told, .went_on = progress, .done = ended
	};
	struct restore_question question = { .at_ns = PAST_NOW,
		.covered = true,
		.known = is_known(f),
		.at_once = true,
		.slots = (size_t)f->settings.max_transfers,
		.memory_bytes = f->sync->buffer_limit };
	struct err err;
	if (f->paused) return;
	f->pull.agrees = true;
	if (index_meta_set(f->index, "pulling", "1", &err) ||
		index_strangers_sum(f->index, &f->pull.all, &err)) {
		folder_index_failed(f, &err);
		return;
	}
	f->intents = true;
	turn_end_want(&f->turn_end);
	f->pull.told = f->pull.told_ms = 0;
	f->pull.restore = folder_restore(f, &question, &calls, f, &err);
	if (!f->pull.restore) {
		folder_hold(f, &err);
		return;
	}
	log_info("folder '%s': '%s' %s: it is brought back from '%s'", f->name, f->settings.path,
		f->scan.seen ? "was not all brought back" : "is empty", f->settings.remote);
	/* The remote answers: whoever waits for this folder waits until all is here. */
	timer_cancel(&f->attempt_timer);
	folder_phase_set(f, PHASE_PULLING);
}

void pull_stop(struct folder *f) {
	if (f->pull.restore) restore_cancel(f->pull.restore);
}
