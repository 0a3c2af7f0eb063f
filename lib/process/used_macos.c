/* Not known there: another user's processes tell it to nobody without libproc's own rights. */
#include "process/process.h"

void process_used_read(struct process_used *used, size_t count) {
	for (size_t i = 0; i < count; i++) used[i].memory_bytes = used[i].cpu_ms = 0;
}
