/* There is no journal. */
#include "service/internal.h"

void log_journal_close(struct log_work *work) {
	work->journal_fd = -1;
}

int log_journal_send(struct log_work *work, struct err *err) {
	return err_set(err, ERR_NOT_FOUND,
		"there is no journal on macOS: write log = file for '%s'", work->name);
}
