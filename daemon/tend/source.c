#include "tend/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answers/answers.h"
#include "disk/disk.h"

enum { LINE_MAX_BYTES = 64 << 10 };

/* ---- whom to ask ---- */

static int ask_tendd(struct source *source, const char *word, struct err *err) {
	json_t *units = units_load(source->call, err);
	const json_t *unit = units ? units_find(units, word, "folder", err) : NULL;
	if (unit) {
		source->folder = xstrdup(json_text(unit, "name"));
		source->local = xstrdup(json_text(json_object_get(unit, "folder"), "path"));
	}
	json_decref(units);
	return unit ? 0 : -1;
}

int source_open(struct source *source, struct call *call, const char *word, struct err *err) {
	*source = (struct source){ .call = call };
	if (client_probe(&call->client, err) == 0) return ask_tendd(source, word, err);
	if (err->kind != ERR_OFFLINE) return -1;
	source->direct = direct_open(call, word, &source->local, err);
	if (!source->direct) return -1;
	source->folder = xstrdup(str_starts(word, "folder:") ? word + strlen("folder:") : word);
	return 0;
}

void source_close(struct source *source) {
	direct_close(source->direct);
	free(source->folder);
	free(source->local);
}

int source_failure(const struct source *source, const struct err *err) {
	if (!source->direct) return say_failure(source->call, err);
	say("%s", err->text);
	return err->kind == ERR_INVALID || err->kind == ERR_NOT_FOUND ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- words ---- */

char *source_path(const struct source *source, const char *word, struct err *err) {
	char *clean = path_clean(word), *path = NULL;
	if (str_equal(clean, ".") || !*clean) {
		path = xstrdup("");
	} else if (*clean == '/') {
		char *local = path_clean(source->local);
		size_t len = strlen(local);
		if (path_is_within(clean, local)) path = xstrdup(clean + len + (clean[len] == '/'));
		free(local);
	} else if (path_is_plain(clean)) {
		path = xstrdup(clean);
	}
	if (!path)
		err_set(err, ERR_INVALID, "'%s' is no path inside the folder '%s'", word,
			source->folder);
	free(clean);
	return path;
}

int source_at(struct call *call, int64_t *at_ns, struct err *err) {
	const char *text = call_option(call, "at");
	int64_t now_ns = loop_wall_ns(call->client.loop);
	*at_ns = PAST_NOW;
	if (!text || str_equal(text, "now")) return 0;
	if (time_parse_words(text, now_ns, at_ns))
		return err_set(err, ERR_INVALID,
			"'%s' is no time: write '2026-11-22 14:03', '14:00', 'yesterday 14:00' or "
			"'2h ago'",
			text);
	if (*at_ns > now_ns) return err_set(err, ERR_INVALID, "'%s' is still to come", text);
	return 0;
}

char *entry_path(const json_t *entry) {
	const char *encoded = json_string_value(json_object_get(entry, "path_percent"));
	char *path = xstrdup(encoded ? encoded : json_text(entry, "path"));
	if (encoded && str_percent_decode(path) < 0) path[0] = 0;
	return path;
}

/* ---- entries, from the remote itself ---- */

static int direct_tree(struct source *source, const char *path, int64_t at_ns,
	enum past_reach reach, int (*entry)(void *user, json_t *entry), void *user,
	struct err *err) {
	struct past *past = direct_past(source->direct, path, at_ns, reach, err);
	struct past_item item;
	int got = past ? 1 : -1;
	while (got > 0 && (got = past_next(past, &item, err)) > 0) {
		json_t *line = answer_past(&item);
		int rc = entry(user, line);
		json_decref(line);
		if (rc) break;
	}
	past_free(past);
	return got < 0 ? -1 : 0;
}

/* ---- entries, from tendd: JSON lines ---- */

struct lines {
	struct buf line;
	int (*entry)(void *user, json_t *entry);
	void *user;
	bool whole, stopped;
};

static int line_came(struct lines *lines) {
	json_t *line = json_loadb(lines->line.at, lines->line.len, 0, NULL);
	int rc = line ? 0 : -1;
	if (json_flag(line, "end"))
		lines->whole = true;
	else if (json_object_get(line, "kind"))
		rc = lines->entry(lines->user, line);
	json_decref(line);
	return rc;
}

static int text_came(void *user, const char *text, size_t len) {
	struct lines *lines = user;
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t part = end ? (size_t)(end - text) : len;
		if (buf_add(&lines->line, text, part)) return -1;
		if (!end) return 0;
		if (line_came(lines)) {
			lines->stopped = true;
			return -1;
		}
		buf_clear(&lines->line);
		text += part + 1;
		len -= part + 1;
	}
	return 0;
}

/* The caller's. */
static char *query(
	const struct source *source, const char *what, const char *path, const char *more) {
	char *encoded = str_percent_encode(path, "/"),
	     *name = str_percent_encode(source->folder, "");
	char *url = xasprintf("/v1/units/folder:%s/%s?path=%s%s", name, what, encoded, more);
	free(encoded);
	free(name);
	return url;
}

static int tendd_tree(struct source *source, const char *path, int64_t at_ns, enum past_reach reach,
	int (*entry)(void *user, json_t *entry), void *user, struct err *err) {
	struct lines lines = { .entry = entry, .user = user };
	char at[TIME_TEXT_SIZE] = "", more[80];
	if (at_ns != PAST_NOW) time_format(at_ns, at);
	snprintf(more, sizeof(more), "&at=%s&recursive=%d&way=%d", at, reach != REACH_LEVEL,
		reach == REACH_WAY);
	char *url = query(source, "tree", path, more);
	buf_init(&lines.line, LINE_MAX_BYTES);
	int rc = client_stream(&source->call->client, url, text_came, &lines, err);
	if (rc == 0 && !lines.whole && !lines.stopped)
		rc = err_set(
			err, ERR_CORRUPT, "tendd ended in the middle of its answer: try again");
	buf_release(&lines.line);
	free(url);
	return rc;
}

int source_tree(struct source *source, const char *path, int64_t at_ns, enum past_reach reach,
	int (*entry)(void *user, json_t *entry), void *user, struct err *err) {
	return (source->direct ? direct_tree : tendd_tree)(
		source, path, at_ns, reach, entry, user, err);
}

/* ---- versions ---- */

static json_t *direct_versions(struct source *source, const char *path, struct err *err) {
	struct past *past = direct_past(source->direct, path, PAST_NOW, REACH_VERSIONS, err);
	struct past_item item;
	json_t *list = json_array();
	int got = past ? 1 : -1;
	while (got > 0 && (got = past_next_version(past, &item, err)) > 0)
		json_array_append_new(list, answer_past(&item));
	past_free(past);
	if (got == 0 && !json_array_size(list))
		got = err_set(err, ERR_NOT_FOUND,
			"there is no '%s' at the remote, and no old version of it", path);
	if (got == 0)
		return json_pack("{s:i, s:o, s:o, s:o}", "api", 1, "folder",
			answer_text(source->folder), "path", answer_text(path), "versions", list);
	json_decref(list);
	return NULL;
}

json_t *source_versions(struct source *source, const char *path, struct err *err) {
	if (source->direct) return direct_versions(source, path, err);
	char *url = query(source, "versions", path, "");
	json_t *answer = client_ask(&source->call->client, "GET", url, NULL, err);
	free(url);
	return answer;
}

/* ---- one content ---- */

struct content {
	struct restore_content *wanted;
	struct stream stream;
	struct err err;
	int64_t got;
};

static int64_t header_number(
	const struct content *content, const char *name, int base, int64_t preset) {
	const char *text = http_header(&content->stream.ask.request, name);
	char *end;
	if (!text || !*text) return preset;
	long long value = strtoll(text, &end, base);
	return *end ? preset : value;
}

static int bytes_came(void *user, const char *bytes, size_t len) {
	struct content *content = user;
	struct restore_content *wanted = content->wanted;
	int rc = 0;
	if (wanted->fd >= 0)
		rc = disk_write_span(wanted->fd, content->got, bytes, len, &content->err);
	else if (buf_add(&wanted->target, bytes, len))
		rc = err_set(&content->err, ERR_INVALID, "its target is too long");
	content->got += (int64_t)len;
	return rc;
}

static void stream_ended(void *user) {
	struct content *content = user;
	struct restore_content *wanted = content->wanted;
	if (content->err.kind == ERR_NONE) content->err = content->stream.ask.err;
	wanted->size = header_number(content, "x-tend-size", 10, -1);
	wanted->mtime_ns = header_number(content, "x-tend-mtime", 10, STORE_MTIME_UNKNOWN);
	wanted->mode = (int)header_number(content, "x-tend-mode", 8, STORE_MODE_UNKNOWN);
	if (content->err.kind == ERR_NONE && content->got != wanted->size)
		err_set(&content->err, ERR_CHANGED, "only %lld of its %lld bytes came",
			(long long)content->got, (long long)wanted->size);
	wanted->done(wanted, content->err.kind == ERR_NONE ? NULL : &content->err);
}

static void tendd_fetch(struct source *source, struct restore_content *wanted) {
	struct content *content = xcalloc(1, sizeof(*content));
	const struct past_item *item = wanted->item;
	const char *version = item->version;
	char *encoded = str_percent_encode(version ? version : "", "");
	char *more = xasprintf("%s%s%s", item->kind == PAST_LINK ? "&kind=link" : "",
		version ? "&version=" : "", encoded);
	char *url = query(source, "content", item->path, more);
	content->wanted = wanted;
	wanted->impl = content;
	if (wanted->fd >= 0 && ftruncate(wanted->fd, 0)) /* what was longer is written over */
		log_debug("cannot cut what came of '%s'", item->path);
	content->stream =
		(struct stream){ .part = bytes_came, .done = stream_ended, .user = content };
	stream_start(&content->stream, &source->call->client, url);
	free(encoded);
	free(more);
	free(url);
}

void source_content_fetch(struct source *source, struct restore_content *content) {
	if (source->direct)
		restore_past_fetch(direct_options(source->direct), content);
	else
		tendd_fetch(source, content);
}

void source_content_cancel(struct source *source, struct restore_content *content) {
	struct content *ours = content->impl;
	if (source->direct)
		restore_past_cancel(content);
	else
		ask_cancel(&ours->stream.ask);
}

void source_content_release(struct source *source, struct restore_content *content) {
	struct content *ours = content->impl;
	if (source->direct) {
		restore_past_release(content);
		return;
	}
	ask_release(&ours->stream.ask);
	content->impl = NULL;
	free(ours);
}
