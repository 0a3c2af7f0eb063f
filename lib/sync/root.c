/*
 * Is the root still the folder that was synced? Its identity is a hint (SYNC.md §8): where it
 * differs from the one that was noted, some of the agreed files decide. An empty mount point and
 * another disk look like a folder from which everything was deleted; a restored machine or a file
 * system with numbers of its own looks like another folder, and is the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sync/internal.h"

enum { SAMPLES = 16 };

char *root_name(const struct disk_identity *identity) {
	return xasprintf("%" PRIx64 ":%" PRIx64 ":%" PRId64, identity->fsid, identity->ino,
		identity->btime_ns);
}

/* On the loop, before the job. */
int root_ask(struct folder *f, struct open_job *open, struct err *err) {
	uint64_t random[SAMPLES];
	free(open->known);
	strv_free(open->samples);
	open->samples = NULL;
	open->known = index_meta_get(f->index, "root");
	open->present = 0;
	loop_random(f->loop, random, sizeof(random));
	return open->known ? index_sample(f->index, random, SAMPLES, &open->samples, err) : 0;
}

/* In the job. */
void root_look(struct open_job *open) {
	char *now = root_name(&open->identity);
	open->differs = open->known && !str_equal(now, open->known);
	free(now);
	for (size_t i = 0; open->differs && open->samples && open->samples[i]; i++) {
		struct disk_stat stat;
		struct err err;
		if (!disk_stat(open->disk, open->samples[i], &stat, &err) &&
			stat.kind != DISK_FOLDER)
			open->present++;
	}
}

enum root_verdict root_judge(bool differs, size_t sampled, size_t present) {
	if (!differs) return ROOT_SAME;
	/* Some may have been deleted meanwhile: half of them is more than chance. */
	return present * 2 >= sampled ? ROOT_RENEWED : ROOT_OTHER;
}

/* On the loop, after it. False: it is another folder, and a person is asked. */
bool root_accept(struct folder *f, const struct open_job *open) {
	char *now = root_name(&open->identity);
	size_t sampled = strv_count(open->samples);
	struct err err;
	bool good = true;
	free(f->root_refused);
	f->root_refused = NULL;
	switch (root_judge(open->differs, sampled, open->present)) {
	case ROOT_OTHER:
		err_set(&err, ERR_DENIED,
			"the folder '%s' is not the one that was synced: %zu of %zu files looked "
			"for are "
			"not in it. Nothing is sent or deleted. Is its disk mounted? If this is "
			"meant: "
			"tend approve %s",
			f->settings.path, sampled - open->present, sampled, f->name);
		f->root_refused = now;
		folder_stop_for_person(f, &err);
		return false;
	case ROOT_RENEWED:
		log_info("folder '%s': '%s' has another identity and the same files: noted",
			f->name, f->settings.path);
		break;
	case ROOT_SAME: break;
	}
	if (!str_equal(now, open->known)) {
		turn_end_want(&f->turn_end);
		good = !index_meta_set(f->index, "root", now, &err);
		if (!good) folder_index_failed(f, &err);
	}
	free(now);
	return good;
}

int folder_approve_root(struct folder *f, const char *root, struct err *err) {
	if (!f->root_refused || !str_equal(root, f->root_refused))
		return err_set(err, ERR_CHANGED,
			"the folder '%s' is another one than was shown, or needs no approval",
			f->name);
	if (index_meta_set(f->index, "root", root, err)) return -1;
	turn_end_want(&f->turn_end);
	log_info("folder '%s': a person approved '%s' as it is", f->name, f->settings.path);
	folder_sync(f);
	return 0;
}
