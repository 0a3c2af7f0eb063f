#include "tendd/progress.h"

#include <stdlib.h>

#include "tendd/news.h"

/* Over so many looks a speed is taken: one span of 4 MiB on a slow line must not make it jump. */
enum { TICK_MS = 1000, LOOKS = 10, QUIET_LOOKS = 60 };

struct look {
	int64_t at_ms, moved;
};

/* One folder's last looks, the newest last. */
struct pace {
	struct look looks[LOOKS];
	size_t count;
	int64_t left_told;
};

struct progress {
	struct house *house;
	struct timer timer;
	struct map paces; /* by the folder's name */
	int quiet;        /* looks in a row at which nothing had moved */
};

static void forget(struct progress *progress) {
	for (struct map_item *item = NULL; (item = map_next(&progress->paces, item));)
		free(map_value(item));
	map_release(&progress->paces);
	map_init(&progress->paces);
}

/* True: something moved since the last look. */
static bool note(struct pace *pace, int64_t now_ms, const struct folder_progress *now) {
	const struct look *last = pace->count ? &pace->looks[pace->count - 1] : NULL;
	bool moved = !last || last->moved != now->moved_bytes || pace->left_told != now->left_bytes;

	/* What failed is taken back: then it begins anew. */
	if (last && now->moved_bytes < last->moved) pace->count = 0;
	if (pace->count == LOOKS) {
		for (size_t i = 1; i < LOOKS; i++) pace->looks[i - 1] = pace->looks[i];
		pace->count--;
	}
	pace->looks[pace->count++] = (struct look){ now_ms, now->moved_bytes };
	pace->left_told = now->left_bytes;
	return moved;
}

static bool look_at(struct progress *progress, struct house_folder *folder, int64_t now_ms) {
	struct pace *pace = map_get(&progress->paces, folder->name);
	struct folder_progress now;

	folder_progress(folder->folder, &now);
	if (!now.pending && now.left_bytes <= 0) {
		free(map_take(&progress->paces, folder->name));
		return false;
	}
	folder_weigh(folder->folder);
	if (!pace) {
		pace = xcalloc(1, sizeof(*pace));
		map_put(&progress->paces, folder->name, pace);
	}
	if (!note(pace, now_ms, &now)) return false;
	news_unit(progress->house->news, folder_unit(folder->folder));
	return true;
}

static void ticked(struct timer *timer) {
	struct progress *progress = container_of(timer, struct progress, timer);
	int64_t now_ms = loop_now_ms(progress->house->loop);
	bool moved = false;

	list_each(&progress->house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing) moved |= look_at(progress, folder, now_ms);
	}
	progress->quiet = moved ? 0 : progress->quiet + 1;
	if (map_count(&progress->paces) > 0 && progress->quiet < QUIET_LOOKS)
		timer_start(timer, TICK_MS);
	else
		forget(progress);
}

void progress_wake(struct progress *progress) {
	if (!progress) return;
	progress->quiet = 0;
	if (!timer_running(&progress->timer)) timer_start(&progress->timer, TICK_MS);
}

void progress_of(
	struct progress *progress, struct folder *folder, struct progress_numbers *numbers) {
	const struct pace *pace = progress ? map_get(&progress->paces, folder_name(folder)) : NULL;
	struct folder_progress now;

	folder_progress(folder, &now);
	*numbers = (struct progress_numbers){
		.moved_bytes = now.moved_bytes, .left_bytes = now.left_bytes, .left_seconds = -1
	};
	if (!pace) return;
	const struct look *first = &pace->looks[0], *last = &pace->looks[pace->count - 1];
	int64_t span_ms = last->at_ms - first->at_ms;
	if (span_ms > 0)
		numbers->per_second =
			(int64_t)((double)(last->moved - first->moved) * 1000 / (double)span_ms);
	if (numbers->per_second > 0 && now.left_bytes > 0)
		numbers->left_seconds = now.left_bytes / numbers->per_second + 1;
}

struct progress *progress_new(struct house *house) {
	struct progress *progress = xcalloc(1, sizeof(*progress));

	progress->house = house;
	map_init(&progress->paces);
	timer_init(&progress->timer, house->loop, ticked);
	return progress;
}

void progress_free(struct progress *progress) {
	if (!progress) return;
	timer_cancel(&progress->timer);
	forget(progress);
	map_release(&progress->paces);
	free(progress);
}
