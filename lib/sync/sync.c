/* What all folders share: slots, memory, and the place for images of databases. */
#include <stdlib.h>
#include <sys/stat.h>

#include "sync/internal.h"

struct sync *sync_new(struct loop *loop, struct unit_graph *graph,
	const struct sync_options *options, struct err *err) {
	struct sync *sync = xcalloc(1, sizeof(*sync));
	sync->loop = loop;
	sync->graph = graph;
	sync->state_dir = xstrdup(options->state_dir);
	sync->machine_id = xstrdup(options->machine_id);
	sync->max_transfers = options->max_transfers > 0 ? (int)options->max_transfers : 64;
	sync->buffer_limit =
		options->buffer_limit_bytes > 0 ? options->buffer_limit_bytes : 32 << 20;
	sync->span_bytes = options->span_bytes > 0 ? options->span_bytes : SPAN_BYTES;
	sync->prune_after_ms =
		options->prune_after_ms > 0 ? options->prune_after_ms : PRUNE_AFTER_MS;
	sync->prune_every_ms =
		options->prune_every_ms > 0 ? options->prune_every_ms : PRUNE_EVERY_MS;
	sync->log_bytes = options->log_bytes > 0 ? options->log_bytes : WAL_CHECKPOINT_BYTES;
	list_init(&sync->folders);
	list_init(&sync->memory_waiters);
	list_init(&sync->captures);
	list_init(&sync->capture_waiters);
	sync->ground = options->ground;
	if (sync->ground) return sync; /* whoever brings it keeps the state; no databases */
	sync->images = disk_open(options->state_dir, err);
	if (!sync->images) goto fail;
	if (disk_mkdir(sync->images, "folders", 0700, err) ||
		disk_mkdir(sync->images, "images", 0700, err) ||
		disk_mkdir(sync->images, "trash", 0700, err))
		goto fail;
	disk_close(sync->images);
	char *images = xasprintf("%s/images", options->state_dir);
	sync->images = disk_open(images, err);
	free(images);
	if (!sync->images) goto fail;
	return sync;
fail:
	err_wrap(err, "cannot use the state folder '%s'", options->state_dir);
	sync_free(sync);
	return NULL;
}

void sync_free(struct sync *sync) {
	if (!sync) return;
	disk_close(sync->images);
	free(sync->state_dir);
	free(sync->machine_id);
	free(sync);
}

void sync_observe(
	struct sync *sync, void (*changed)(void *user, struct folder *folder), void *user) {
	sync->changed = changed;
	sync->changed_user = user;
}

void path_stack_push(struct path_stack *stack, char *path) {
	if (stack->count == stack->cap) {
		stack->cap = stack->cap ? stack->cap * 2 : 64;
		stack->at = xrealloc(stack->at, stack->cap * sizeof(*stack->at));
	}
	stack->at[stack->count++] = path;
}

char *path_stack_pop(struct path_stack *stack) {
	return stack->count ? stack->at[--stack->count] : NULL;
}

void path_stack_release(struct path_stack *stack) {
	for (size_t i = 0; i < stack->count; i++) free(stack->at[i]);
	free(stack->at);
	*stack = (struct path_stack){ 0 };
}
