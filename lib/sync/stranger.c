/*
 * What only the remote has goes when a person approved the list of it, and stays otherwise (SYNC.md §7). It becomes a row of those that are
 * removed at the remote (forget.c), some in a turn; a restart in between leaves the rest as strangers, to be approved again.
 */
#include <stdlib.h>

#include "sync/internal.h"

enum { PAGE_ROWS = 256 };

void strangers_release(struct folder *f) {
	index_strangers_release(&f->strangers);
	f->strangers_upto = 0;
}

/* What the rules leave out may well be here, as may what something happens to just now. */
static int stays(
	struct folder *f, const char *path, const struct index_entry *entry, struct err *err) {
	struct index_dirty row;
	if (transfer_excluded(f, path, entry->kind == INDEX_FOLDER) || map_get(&f->by_path, path))
		return 1;
	if (!index_dirty_count(f->index)) return 0;
	int found = index_dirty_get(f->index, path, &row, err);
	if (found == 1) index_dirty_release(&row);
	return found;
}

bool strangers_step(struct folder *f) {
	struct index_strangers *page = &f->strangers;
	struct err err;
	if (!f->strangers_upto) return true;
	/* More came to light since: that was not shown. */
	if (index_totals(f->index).strangers_ever != f->strangers_upto ||
		f->phase != PHASE_RUNNING) {
		strangers_release(f);
		return true;
	}
	folder_turn(f);
	if (index_strangers_next(f->index, PAGE_ROWS, page, &err)) {
		strangers_release(f);
		folder_index_failed(f, &err);
		return false;
	}
	for (size_t i = 0; i < page->count; i++) {
		int rest = stays(f, page->paths[i], &page->entries[i], &err);
		if (rest < 0) folder_index_failed(f, &err);
		if (rest < 0 || (!rest && !forget_remove(f, page->paths[i], &page->entries[i]))) {
			strangers_release(f);
			return false;
		}
	}
	if (page->count)
		folder_wake(f);
	else
		strangers_release(f);
	f->commit_now = true;
	folder_changed(f);
	return true;
}

int folder_strangers(
	struct folder *f, size_t limit, struct folder_strangers *strangers, struct err *err) {
	struct index_strangers page = { 0 };
	struct index_strangers_sum sum;
	*strangers = (struct folder_strangers){ .upto = index_totals(f->index).strangers_ever };
	if (index_strangers_sum(f->index, &sum, err) ||
		index_strangers_next(f->index, limit, &page, err)) {
		index_strangers_release(&page);
		return -1;
	}
	strangers->files = sum.files;
	strangers->folders = sum.folders;
	strangers->bytes = sum.bytes;
	strangers->list = xcalloc(page.count + 1, sizeof(*strangers->list));
	for (size_t i = 0; i < page.count; i++) {
		bool folder = page.entries[i].kind == INDEX_FOLDER;
		strangers->list[strangers->count++] =
			(struct folder_deletion){ .path = xstrdup(page.paths[i]),
				.folder = folder,
				.bytes = folder ? 0 : page.entries[i].size };
	}
	index_strangers_release(&page);
	return 0;
}

int folder_remove_strangers(struct folder *f, int64_t upto, struct err *err) {
	struct index_totals totals = index_totals(f->index);
	int64_t left = index_dirty_count(f->index);
	if (f->phase != PHASE_RUNNING || f->judging || f->paused)
		return err_set(err, ERR_BUSY, "folder '%s' is %s: try again when it runs", f->name,
			f->judging ? "judging its owner" : folder_phase_name(f));
	/* Whatever was not looked at may be here as well. */
	if (!f->scans || f->scan.failed || !scan_is_idle(f) || left || f->away)
		return err_set(err, ERR_BUSY,
			"not all that is here is known: %lld paths are still to be seen to, %d "
			"disks are not mounted%s",
			(long long)left, f->away,
			f->scans && scan_is_idle(f) ? "" : ", and a scan runs");
	if (!totals.strangers || totals.strangers_ever != upto)
		return err_set(err, ERR_CHANGED,
			"what only the remote has is another list than was shown");
	log_info("folder '%s': a person approved that %lld files and folders that only the remote "
		 "has are removed there",
		f->name, (long long)totals.strangers);
	strangers_release(f);
	f->strangers_upto = upto;
	folder_wake(f);
	return 0;
}
