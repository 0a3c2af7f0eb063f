/* Counters of processors and links by proc(5). */
#include <stdlib.h>

#include "power/idle.h"

enum { FILE_MAX = 256 << 10 };

void signal_cpu_now(const char *root, struct idle_cpu *cpu) {
	char *text = idle_file(root, "proc/stat", FILE_MAX);
	(void)signal_cpu_parse(text, cpu); /* it is not known then */
	free(text);
}

int signal_net_now(const char *root, uint64_t *bytes) {
	char *text = idle_file(root, "proc/net/dev", FILE_MAX);
	int rc = signal_net_parse(text, bytes);
	free(text);
	return rc;
}
