/* The units tendd has: finding the one that is meant, and how it stands in a word, a line and a
 * verdict. */
#include <stdlib.h>
#include <string.h>

#include "tend/command.h"

enum { NAMES_MAX = 512 }; /* that are looked through for the nearest */

json_t *units_load(struct call *call, struct err *err) {
	return client_ask(&call->client, "GET", "/v1/units", NULL, err);
}

/* ---- finding ---- */

/* Names are compared with names, and "kind:name" with "kind:name": else the kind alone would make
 * all alike. */
static int not_found(const json_t *units, const char *word, const char *kind, struct err *err) {
	const char *names[2 * NAMES_MAX + 1];
	size_t count = 0, i;
	json_t *unit;

	json_array_foreach(units, i, unit) {
		if (count + 2 > ARRAY_LEN(names) - 1) break;
		if (kind && !str_equal(json_text(unit, "kind"), kind)) continue;
		names[count++] = json_text(unit, strchr(word, ':') ? "unit" : "name");
	}
	names[count] = NULL;
	const char *nearest = str_nearest(word, names), *what = kind ? kind : "unit";
	if (nearest) {
		return err_set(err, ERR_INVALID, "there is no %s '%s': did you mean '%s'?", what,
			word, nearest);
	}
	return err_set(err, ERR_INVALID, "there is no %s '%s'", what, word);
}

static const json_t *find_exact(
	const json_t *units, const char *word, const char *kind, struct err *err) {
	size_t i;
	json_t *unit;

	json_array_foreach(units, i, unit) {
		if (!str_equal(json_text(unit, "unit"), word)) continue;
		if (!kind || str_equal(json_text(unit, "kind"), kind)) return unit;
		(void)err_set(err, ERR_INVALID, "'%s' is no %s", word, kind);
		return NULL;
	}
	(void)not_found(units, word, kind, err);
	return NULL;
}

const json_t *units_find(
	const json_t *answer, const char *word, const char *kind, struct err *err) {
	const json_t *units = json_object_get(answer, "units"), *found = NULL, *other = NULL;
	size_t i;
	json_t *unit;

	if (strchr(word, ':')) return find_exact(units, word, kind, err);
	json_array_foreach(units, i, unit) {
		if (!str_equal(json_text(unit, "name"), word)) continue;
		if (kind && !str_equal(json_text(unit, "kind"), kind)) {
			other = unit;
			continue;
		}
		if (found) {
			(void)err_set(err, ERR_INVALID, "'%s' is both '%s' and '%s': say which",
				word, json_text(found, "unit"), json_text(unit, "unit"));
			return NULL;
		}
		found = unit;
	}
	/* "tend logs messages" where only a folder has that name: better than "there is no
	 * service". */
	if (found) return found;
	if (other)
		(void)err_set(err, ERR_INVALID, "'%s' is no %s", json_text(other, "unit"), kind);
	else
		(void)not_found(units, word, kind, err);
	return NULL;
}

/* Asked of tendd first, so that a mistyped name is said with the nearest one instead of "not
 * found". */
json_t *units_folders(struct call *call, struct err *err) {
	json_t *folders = json_array();

	if (call->word_count == 0) return folders;
	json_t *answer = units_load(call, err);
	bool good = answer != NULL;
	for (size_t i = 0; good && i < call->word_count; i++) {
		const json_t *unit = units_find(answer, call->words[i], "folder", err);
		good = unit != NULL;
		if (good) json_array_append(folders, json_object_get(unit, "name"));
	}
	json_decref(answer);
	if (good) return folders;
	json_decref(folders);
	return NULL;
}

/* ---- how it stands ---- */

const char *unit_word(const json_t *unit) {
	const json_t *folder = json_object_get(unit, "folder"),
		     *service = json_object_get(unit, "service"),
		     *step = json_object_get(unit, "step");
	const char *word = json_text(folder ? folder : service ? service : step, "state");

	return *word ? word : json_text(unit, "state");
}

enum unit_verdict unit_verdict(const json_t *unit) {
	/* What a person or the order of things still brings about is as wanted; what went wrong is
	 * not, even where it is tried again by itself. */
	static const char *const bad[] = { "failed", "stopped", "delayed", "killing", NULL };
	const json_t *folder = json_object_get(unit, "folder");
	const json_t *trouble = json_object_get(folder, "trouble");

	if (json_flag(unit, "needs_person")) return UNIT_NEEDS_PERSON;
	if (!json_flag(unit, "wanted")) return UNIT_AS_WANTED;
	if (str_equal(json_text(unit, "state"), "failed") || strv_has(bad, unit_word(unit)))
		return UNIT_NOT_AS_WANTED;
	if (json_is_object(trouble) || json_number(folder, "refused") > 0)
		return UNIT_NOT_AS_WANTED;
	return UNIT_AS_WANTED;
}

char *span_text(int64_t ms) {
	char text[64];

	/* Two units say enough: "3d4h", "2m10s". */
	if (ms >= 86400000)
		ms -= ms % 3600000;
	else if (ms >= 3600000)
		ms -= ms % 60000;
	else
		ms -= ms % 1000;
	duration_format(ms, text, sizeof(text));
	return xstrdup(text);
}

/* ---- a line ---- */

static void add_part(struct buf *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* With a comma between what is there. */
static void add_part(struct buf *out, const char *format, ...) {
	va_list args;

	if (out->len > 0) buf_adds(out, ", ");
	va_start(args, format);
	buf_addv(out, format, args);
	va_end(args);
}

static void add_count(struct buf *out, const json_t *object, const char *key, const char *what) {
	int64_t count = json_number(object, key);

	if (count > 0) add_part(out, "%lld %s", (long long)count, what);
}

/* Events of the last moment may lie unread where the system keeps them. */
enum { UNREAD_MS = 2000 };

/* Up to when: where nothing is left and nothing is blind, all that was written until a moment ago. 0: not known. */
static int64_t durable_ns(const json_t *folder, int64_t wall_ns) {
	int64_t last_ns = 0;

	if (json_age_ms(folder, "last_sync", wall_ns) < 0) return 0;
	(void)time_parse(json_text(folder, "last_sync"), &last_ns);
	bool whole = str_equal(json_text(folder, "state"), "idle") &&
		     json_number(folder, "pending") == 0 && json_number(folder, "refused") == 0 &&
		     !*json_text(folder, "degraded") &&
		     !json_is_object(json_object_get(folder, "trouble"));
	int64_t now_ns = wall_ns - UNREAD_MS * NS_PER_MS;
	return whole && now_ns > last_ns ? now_ns : last_ns;
}

char *durable_text(const json_t *folder, int64_t wall_ns) {
	int64_t at_ns = durable_ns(folder, wall_ns);

	/* What comes from the remote alone is there anyway. */
	if (at_ns == 0 || str_equal(json_text(folder, "mode"), "fetch")) return xstrdup("");
	char *moment = moment_text(at_ns, wall_ns);
	char *text = xasprintf("everything up to %s is in the cloud", moment);
	free(moment);
	return text;
}

char *left_text(const json_t *folder) {
	char size[32];
	struct buf out;

	buf_init(&out, 1 << 10);
	if (json_number(folder, "left_bytes") > 0) {
		size_format(json_number(folder, "left_bytes"), size, sizeof(size));
		add_part(&out, "%s left", size);
	}
	if (json_number(folder, "bytes_per_second") > 0) {
		size_format(json_number(folder, "bytes_per_second"), size, sizeof(size));
		add_part(&out, "%s/s", size);
	}
	if (json_number(folder, "left_seconds") > 0) {
		char *span = span_text(json_number(folder, "left_seconds") * 1000);
		add_part(&out, "about %s", span);
		free(span);
	}
	return buf_steal(&out);
}

/* What matters most first: a narrow terminal cuts the end. */
static void folder_summary(const json_t *folder, int64_t wall_ns, struct buf *out) {
	char size[32];

	if (json_is_object(json_object_get(
		    folder, "restoring"))) { /* its detail says how many files are here */
		char *left = left_text(folder);
		if (*left) add_part(out, "%s", left);
		free(left);
		return;
	}
	add_count(out, folder, "pending", "to go");
	char *left = left_text(folder);
	if (*left) add_part(out, "%s", left);
	free(left);
	add_count(out, folder, "refused", "refused");
	add_count(out, folder, "conflict_count",
		json_number(folder, "conflict_count") == 1 ? "conflict" : "conflicts");
	add_count(out, folder, "strangers", "only at the remote");
	if (json_array_size(json_object_get(folder, "away")) > 0)
		add_part(out, "%zu away", json_array_size(json_object_get(folder, "away")));
	if (*json_text(folder, "degraded"))
		add_part(out, "degraded: %s", json_text(folder, "degraded"));
	char *durable = durable_text(folder, wall_ns);
	if (*durable) add_part(out, "%s", durable);
	free(durable);
	size_format(json_number(folder, "size_bytes"), size, sizeof(size));
	long long files = (long long)json_number(folder, "files");
	add_part(out, "%lld file%s, %s", files, str_plural(files), size);
}

char *exit_text(const json_t *service) {
	const json_t *last = json_object_get(service, "exit");
	const char *class = json_text(last, "class");

	if (!json_is_object(last)) return xstrdup("");
	if (str_equal(class, "signal"))
		return xasprintf("ended by signal %lld", (long long)json_number(last, "signal"));
	if (str_equal(class, "oom")) return xstrdup("out of memory");
	if (str_equal(class, "exec_error")) return xstrdup("cannot be run");
	if (str_equal(class, "unknown")) return xstrdup("exit status unknown");
	return xasprintf("exit code %lld", (long long)json_number(last, "code"));
}

static void service_summary(const json_t *service, int64_t wall_ns, struct buf *out) {
	int64_t pid = json_number(service, "pid"), next_ns;

	if (pid > 0) add_part(out, "pid %lld", (long long)pid);
	/* Once it runs again, how it ended last time is for `tend status UNIT`. */
	bool well = str_equal(json_text(json_object_get(service, "exit"), "class"), "ok");
	char *ended = exit_text(service);
	if (*ended && !well && !str_equal(json_text(service, "state"), "up"))
		add_part(out, "%s", ended);
	free(ended);
	if (time_parse(json_text(service, "next_try"), &next_ns) == 0 && next_ns > wall_ns) {
		/* Rounded up: "next try in 0s" would be a lie. */
		char *span = span_text((next_ns - wall_ns + NS_PER_S - 1) / NS_PER_MS);
		add_part(out, "next try in %s", span);
		free(span);
	}
	add_count(out, service, "restarts",
		json_number(service, "restarts") == 1 ? "restart" : "restarts");
}

/* What tendd says of services and steps tells when the next try is; of folders, names of files. */
static void add_detail(const json_t *unit, int64_t wall_ns, struct buf *out) {
	const char *detail = json_text(unit, "detail");
	char *local =
		json_object_get(unit, "folder") ? xstrdup(detail) : moments_local(detail, wall_ns);

	buf_adds(out, local);
	free(local);
}

char *unit_summary(const json_t *unit, int64_t wall_ns) {
	const json_t *folder = json_object_get(unit, "folder"),
		     *service = json_object_get(unit, "service");
	const json_t *trouble = json_object_get(folder, "trouble"),
		     *waits = json_object_get(unit, "waits_for");
	struct buf out;

	buf_init(&out, 64 << 10);
	/* What is wrong comes first: a narrow terminal cuts the end. */
	if (json_is_object(trouble))
		buf_adds(&out, json_text(trouble, "text"));
	else if (*json_text(unit, "detail"))
		add_detail(unit, wall_ns, &out);
	else if (json_array_size(waits) > 0) {
		size_t i;
		json_t *other;
		json_array_foreach(waits, i, other) {
			buf_addf(&out, "%s%s", i ? ", " : "for ", json_string_value(other));
		}
	}
	if (folder && !json_is_object(trouble)) folder_summary(folder, wall_ns, &out);
	if (service && out.len == 0) service_summary(service, wall_ns, &out);
	if (!json_flag(unit, "enabled")) add_part(&out, "not enabled");
	return buf_steal(&out);
}
