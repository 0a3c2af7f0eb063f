/* What is on its way, for whoever wants to see it: nothing here decides anything. */
#include <stdlib.h>

#include "sync/bring.h"
#include "sync/restore.h"
#include "sync/upload.h"

static const char *doing_of(const struct transfer *transfer) {
	if (transfer->bring) return "bringing";
	switch (transfer->state) {
	case TRANSFER_OPERATING:
	case TRANSFER_PARTS: return "sending";
	case TRANSFER_LOOKING:
	case TRANSFER_READING:
	case TRANSFER_HASHING:
	case TRANSFER_CAPTURING: return "reading";
	default: return "waiting";
	}
}

/* What a job found is the worker's until it has ended. */
static int64_t size_of(const struct transfer *transfer) {
	if (transfer->bring)
		return transfer->bring->what == BRING_FILE ? transfer->bring->size : -1;
	bool known = !transfer->job_running && !transfer->absent &&
		     transfer->stat.kind == DISK_FILE && transfer->state > TRANSFER_LOOKING;

	return known ? transfer->stat.size : -1;
}

/* -1: it is no file, or does nothing that could be told in bytes. Not each store tells of what goes in one piece. */
static int64_t done_of(const struct transfer *transfer) {
	const struct bring *bring = transfer->bring;
	if (bring) return bring->what == BRING_FILE ? flight_moved(transfer) : -1;
	if (transfer->job_running) return -1;
	if (transfer->upload && transfer->state == TRANSFER_HASHING)
		return transfer->upload->offset;
	if (transfer->upload && transfer->state == TRANSFER_PARTS) return flight_moved(transfer);
	int64_t moved = flight_moved(transfer);
	return moved > 0 ? moved : -1;
}

struct flights {
	struct folder_flight *at;
	size_t count, limit;
};

static void add(
	struct flights *flights, const char *path, int64_t size, int64_t done, const char *doing) {
	if (flights->count == flights->limit) return;
	flights->at = xrealloc(flights->at, (flights->count + 1) * sizeof(*flights->at));
	flights->at[flights->count++] = (struct folder_flight){
		.path = xstrdup(path), .size_bytes = size, .done_bytes = done, .doing = doing
	};
}

/* What a person asked for, or what an empty folder gets back. */
static void add_restore(struct flights *flights, const struct restore *restore) {
	for (size_t i = 0; restore->slots && i < restore->options.slots; i++) {
		const struct restore_slot *slot = &restore->slots[i];
		if (slot->state == SLOT_FREE || !slot->place.path) continue;
		if (slot->item.kind == PAST_FOLDER) continue;
		bool is_file = slot->item.kind == PAST_FILE;
		add(flights, slot->place.path, is_file ? slot->item.size : -1,
			is_file && slot->state == SLOT_FETCHING ? restore_past_moved(&slot->content)
								: -1,
			"bringing");
	}
}

size_t folder_flights(struct folder *f, size_t limit, struct folder_flight **flights) {
	struct flights found = { .limit = limit };

	list_each(&f->transfers, link) {
		const struct transfer *transfer = list_entry(link, struct transfer, link);
		add(&found, transfer->path, size_of(transfer), done_of(transfer),
			doing_of(transfer));
	}
	list_each(&f->restores, link) add_restore(&found, restore_home_of(link));
	*flights = found.at;
	return found.count;
}

void folder_flights_free(struct folder_flight *flights, size_t count) {
	for (size_t i = 0; i < count; i++) free(flights[i].path);
	free(flights);
}
