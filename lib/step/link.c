/* link: a symbolic link that leads to `target`; as with a file, what a person changed is held. */
#include "step/place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int link_check(const struct step_settings *settings, const char **key, struct err *err) {
	(void)key;
	if (settings->target && *settings->target) return 0;
	return err_set(err, ERR_INVALID, "a link needs its `target`");
}

static int judge(struct step_work *work, struct place *place, const char *target, bool *keep,
	struct err *err) {
	char found[LEDGER_DIGEST_SIZE];
	struct step_content content = { .there = place->there,
		.rights = true,
		.ours = work->record.wrote[0] != '\0',
		.forced = work->forced };
	struct buf text;
	const char *why;
	int result = 0;
	buf_init(&text, PATH_MAX);
	if (place->there && place->stat.kind == DISK_LINK) {
		result = disk_read_link(place->disk, place->name, &text, err);
		step_digest(text.at, text.len, found);
		content.equal = str_equal(found, work->wrote);
		content.unchanged = str_equal(found, work->record.wrote);
	}
	work->finding.verdict = step_compare_content(&content, keep, &why);
	work->finding.why =
		content.there && !content.equal && text.len > 0
			? xasprintf("%s: it leads to '%s', not '%s'", why, text.at, target)
			: xstrdup(why);
	buf_release(&text);
	return result;
}

static int mend(struct step_work *work, struct place *place, const char *target, bool keep,
	struct err *err) {
	if (place_make_parents(place, 0755, err) != 0) return -1;
	char *folder = path_parent(place->name), *aside = NULL;
	char *beside = disk_beside_path(folder, path_name(place->name));
	free(folder);
	int result = disk_symlink(place->disk, target, beside, err);
	if (keep) aside = place_aside(place, work->record.wrote[0] != '\0');
	if (result == 0) result = place_take(place, beside, aside, err);
	struct err ignored;
	if (result != 0) (void)disk_remove(place->disk, beside, &ignored);
	if (result == 0)
		work->told = xasprintf("'%s' leads to '%s'%s%s", place->path, target,
			aside ? "; what was there is kept as " : "", aside ? path_name(aside) : "");
	free(beside);
	free(aside);
	return result;
}

/* A target is taken as it is written, but for ~: relative ones are relative to the link. */
static int link_look(struct step_work *work, struct err *err) {
	struct place place;
	bool keep = false;
	char *target = *work->settings->target == '~'
			       ? step_work_expand(work, work->settings->target, err)
			       : xstrdup(work->settings->target);
	if (!target) return -1;
	step_digest(target, strlen(target), work->wrote);
	int result = place_open(&place, work, work->settings->link, err);
	if (result == 0) {
		free(work->finding.subject);
		work->finding.subject = xstrdup(place.path);
		result = judge(work, &place, target, &keep, err);
	}
	if (result == 0 && work->finding.verdict == STEP_TODO && !work->dry)
		result = mend(work, &place, target, keep, err);
	if (work->finding.verdict == STEP_HELD)
		memcpy(work->wrote, work->record.wrote, sizeof(work->wrote));
	place_release(&place);
	free(target);
	return result;
}

const struct step_kind step_kind_link = { .name = "link", .check = link_check, .look = link_look };
