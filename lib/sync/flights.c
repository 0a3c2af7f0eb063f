/* What is on its way, for whoever wants to see it: nothing here decides anything. */
#include <stdlib.h>

#include "sync/internal.h"

static const char *doing_of(const struct transfer *transfer) {
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
	bool known = !transfer->job_running && !transfer->absent &&
		     transfer->stat.kind == DISK_FILE && transfer->state > TRANSFER_LOOKING;

	return known ? transfer->stat.size : -1;
}

size_t folder_flights(struct folder *f, size_t limit, struct folder_flight **flights) {
	size_t count = 0;

	*flights = NULL;
	list_each(&f->transfers, link) {
		const struct transfer *transfer = list_entry(link, struct transfer, link);
		if (count == limit) break;
		*flights = xrealloc(*flights, (count + 1) * sizeof(**flights));
		(*flights)[count++] = (struct folder_flight){ .path = xstrdup(transfer->path),
			.size_bytes = size_of(transfer),
			.doing = doing_of(transfer) };
	}
	return count;
}

void folder_flights_free(struct folder_flight *flights, size_t count) {
	for (size_t i = 0; i < count; i++) free(flights[i].path);
	free(flights);
}
