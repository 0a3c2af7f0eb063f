/* One watch a signal; what each means stands in one switch, in the order of the contract's
 * table. */
#include "tendd/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "tendd/reload.h"
#include "tendd/status.h"
#include "tendd/stop.h"

static const int signums[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT };

struct signals {
	struct signal_watch *watches[ARRAY_LEN(signums)];
};

/* As `tend sync`: what waits for quiet or for its next try goes now. */
static void sync_all(struct house *house) {
	log_info("USR1: scanning and syncing every folder");
	list_each(&house->folders, link) {
		struct house_folder *folder = list_entry(link, struct house_folder, link);
		if (!folder->closing) folder_sync(folder->folder);
	}
}

static void caught(void *user, int signum) {
	struct house *house = user;
	switch (signum) {
	case SIGTERM:
	case SIGINT: stop_start(house, STOP_AS_CONFIGURED); break;
	case SIGHUP:
		/* Whoever rotates logs sends HUP too: that part holds even when the
		 * configuration is bad. */
		services_reopen_logs(house->services);
		reload_by_signal(house);
		break;
	case SIGUSR1: sync_all(house); break;
	case SIGUSR2: status_write(house); break;
	case SIGQUIT: stop_now(house); break;
	}
}

/* Last of all that is opened: a signal before it ends us as it would any program, and nothing
 * runs yet. */
int signals_open(struct house *house, struct err *err) {
	house->signals = xcalloc(1, sizeof(*house->signals));
	for (size_t i = 0; i < ARRAY_LEN(signums); i++) {
		house->signals->watches[i] =
			signal_watch_start(house->loop, signums[i], caught, house);
		if (!house->signals->watches[i])
			return err_sys(err, errno, "cannot watch for signal %d", signums[i]);
	}
	return 0;
}

void signals_close(struct house *house) {
	if (!house->signals) return;
	for (size_t i = 0; i < ARRAY_LEN(signums); i++)
		signal_watch_stop(house->signals->watches[i]);
	free(house->signals);
	house->signals = NULL;
}
