/* One content that stands or stood at the remote, span by span, as fast as its reader takes it. */
#include <stdlib.h>
#include <string.h>

#include "sync/past.h"

static void ended(struct store_op *op, const struct err *err) {
	struct past_fetch *fetch = container_of(op, struct past_fetch, op);
	fetch->in_flight = false;
	if (!fetch->store) {
		list_remove(&fetch->link);
		folder_wake(fetch->folder);
	}
	if (!err) {
		if (!fetch->expected) fetch->expected = xstrdup(op->entry.version);
		fetch->offset += (int64_t)op->answer_body.len;
		fetch->ended = op->kind == STORE_LINK || !op->answer_body.len ||
			       fetch->offset >= op->entry.size;
	}
	fetch->done(fetch, err);
}

static void refused(struct defer *defer) {
	struct past_fetch *fetch = container_of(defer, struct past_fetch, refuse);
	struct err err;
	err_set(&err, ERR_CANCELLED, "the folder went away");
	fetch->done(fetch, &err);
}

/* "revision:r:ID", with a name that leads nowhere else. */
static bool is_revision(const char *version) {
	size_t len = strlen(PAST_REVISION_PREFIX);
	if (!str_starts(version, PAST_REVISION_PREFIX) || !strchr("rd", version[len]) ||
		!version[len])
		return false;
	const char *id = version + len + 2;
	return version[len + 1] == ':' && *id && strlen(id) < 1024 &&
	       !id[strspn(
		       id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~+=")];
}

int past_fetch_init(struct past_fetch *fetch, const struct past_options *options,
	enum past_kind kind, const char *path, const char *version, struct err *err) {
	struct version_span span;
	if (!path_is_plain(path))
		return err_set(err, ERR_INVALID, "'%s' is no path inside the folder", path);
	bool revision = version && is_revision(version);
	if (version && !revision && version_name_parse(version, &span))
		return err_set(err, ERR_INVALID, "'%s' is no version", version);
	char *key = path_join(options->remote_key, path);
	*fetch = (struct past_fetch){
		.store = options->store, .loop = options->loop, .folder = options->folder
	};
	fetch->revision = revision ? xstrdup(version + strlen(PAST_REVISION_PREFIX) + 2) : NULL;
	fetch->key = version && !revision ? xasprintf("%s/%s/%s", VERSION_PLACE, key, version)
					  : xstrdup(key);
	free(key);
	list_init(&fetch->link);
	if (options->folder) list_add_tail(&options->folder->fetches, &fetch->link);
	defer_init(&fetch->refuse, refused);
	store_op_init(&fetch->op, STORE_GET, fetch->key);
	fetch->op.kind = kind == PAST_LINK ? STORE_LINK : STORE_FILE;
	fetch->op.revision = fetch->revision;
	fetch->op.length = PAST_SPAN_BYTES;
	fetch->op.done = ended;
	return 0;
}

void past_fetch_at(struct past_fetch *fetch, int64_t offset, int64_t length, const char *version) {
	fetch->offset = offset;
	fetch->op.length = length < PAST_SPAN_BYTES ? length : PAST_SPAN_BYTES;
	free(fetch->expected);
	fetch->expected = xstrdup(version);
	fetch->ended = false;
}

void past_fetch_next(struct past_fetch *fetch) {
	if (!fetch->store) {
		defer_start(fetch->loop, &fetch->refuse);
		return;
	}
	fetch->in_flight = true;
	fetch->op.offset = fetch->offset;
	fetch->op.if_version = fetch->expected; /* two contents are never mixed */
	store_start(fetch->store, &fetch->op);
}

void past_fetch_cancel(struct past_fetch *fetch) {
	if (fetch->in_flight && fetch->store) store_cancel(fetch->store, &fetch->op);
}

void past_fetch_release(struct past_fetch *fetch) {
	defer_cancel(&fetch->refuse);
	list_remove(&fetch->link);
	store_op_release(&fetch->op);
	free(fetch->key);
	free(fetch->expected);
	free(fetch->revision);
	fetch->key = fetch->expected = fetch->revision = NULL;
}

/* The store may go with the folder: what is in flight ends first, what rests is told at its next turn. */
void past_fetches_end(struct folder *f) {
	list_each(&f->fetches, link) {
		struct past_fetch *fetch = list_entry(link, struct past_fetch, link);
		if (fetch->in_flight && fetch->store) {
			struct store *store = fetch->store;
			fetch->store = NULL;
			store_cancel(store, &fetch->op);
		} else if (!fetch->in_flight) {
			fetch->store = NULL;
			list_remove(&fetch->link);
		}
	}
}
