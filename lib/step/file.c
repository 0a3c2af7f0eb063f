/* file: a content at a path, with mode and owner; three ways by the digest of what tend wrote there last. */
#include "step/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_USUAL = 0644, GROUP_BYTES = 64 << 10 };

struct owner {
	bool said;
	uid_t uid;
	gid_t gid;
};

struct file_look {
	struct place place;
	struct buf wanted, found;
	struct owner owner;
	int mode;
	bool keep;
};

static int file_check(const struct step_settings *settings, const char **key, struct err *err) {
	if (!settings->content == !settings->source) {
		*key = settings->content ? "source" : "file";
		return err_set(err, ERR_INVALID, "a file has `content` or `source`, one of them");
	}
	if (!settings->owner || geteuid() == 0) return 0;
	*key = "owner";
	return err_set(err, ERR_DENIED, "another owner needs a tendd that runs as root");
}

/* ---- what is wanted ---- */

static int find_group(const char *name, gid_t *gid, struct err *err) {
	struct group entry, *found = NULL;
	char *room = xmalloc(GROUP_BYTES);
	int errnum = getgrnam_r(name, &entry, room, GROUP_BYTES, &found);
	if (found) *gid = found->gr_gid;
	free(room);
	if (found) return 0;
	if (errnum && errnum != ENOENT && errnum != ESRCH)
		return err_sys(err, errnum, "cannot look up group '%s'", name);
	return err_set(err, ERR_NOT_FOUND, "there is no group '%s'", name);
}

static int find_owner(struct owner *owner, const char *text, struct err *err) {
	struct config_user person;
	if (!text) return 0;
	size_t len = strcspn(text, ":");
	char *name = xstrndup(text, len);
	int result = config_user_find(name, &person, err);
	free(name);
	if (result != 0) return -1;
	*owner = (struct owner){ true, person.uid, person.gid };
	config_user_release(&person);
	return text[len] ? find_group(text + len + 1, &owner->gid, err) : 0;
}

static int read_source(const char *path, struct buf *out, struct err *err) {
	char block[16 << 10];
	struct stat st;
	ssize_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0;
	if (fd < 0) return err_sys(err, errno, "cannot open the source '%s'", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		result = err_set(err, ERR_INVALID, "the source '%s' is no file", path);
	while (result == 0 && (got = read(fd, block, sizeof(block))) > 0)
		if (buf_add(out, block, (size_t)got) != 0)
			result = err_set(
				err, ERR_INVALID, "the source '%s' is larger than 1 MiB", path);
	if (result == 0 && got < 0)
		result = err_sys(err, errno, "cannot read the source '%s'", path);
	close(fd);
	return result;
}

/* The last line has its end, as editors leave it. */
static int find_wanted(const struct step_work *work, struct buf *out, struct err *err) {
	const struct step_settings *settings = work->settings;
	if (settings->content) {
		buf_adds(out, settings->content);
		if (out->len > 0 && out->at[out->len - 1] != '\n') buf_addc(out, '\n');
		return 0;
	}
	char *path = step_work_expand(work, settings->source, err);
	int result = path ? read_source(path, out, err) : -1;
	free(path);
	return result;
}

/* ---- what is there ---- */

static bool owner_is(struct place *place, const struct owner *owner, struct err *err) {
	struct stat st;
	struct disk_stat stat;
	if (!owner->said) return true;
	int fd = disk_open_file(place->disk, place->name, &stat, err);
	if (fd < 0) return false;
	bool same = fstat(fd, &st) == 0 && st.st_uid == owner->uid && st.st_gid == owner->gid;
	disk_close_file(place->disk, fd);
	return same;
}

/* A difference is shown to whoever may ask tendd: not of what only its owner may read. */
static char *show_diff(const struct file_look *look) {
	bool secret = !(look->mode & 044) || (look->place.there && !(look->place.stat.mode & 044));
	if (secret) return xstrdup("(not shown: only its owner may read it)\n");
	if (!str_is_utf8(look->found.at, look->found.len) ||
		!str_is_utf8(look->wanted.at, look->wanted.len))
		return xstrdup("(not shown: it is no text)\n");
	return step_diff(look->place.path, look->found.at, look->wanted.at);
}

static int judge(struct step_work *work, struct file_look *look, struct err *err) {
	struct place *place = &look->place;
	char found[LEDGER_DIGEST_SIZE];
	struct step_content content = {
		.there = place->there, .ours = work->record.wrote[0] != '\0', .forced = work->forced
	};
	bool plain = place->there && place->stat.kind == DISK_FILE;
	const char *why;
	if (plain && place->stat.size > STEP_FILE_MAX) {
		buf_adds(&look->found, "(a file larger than 1 MiB)\n");
	} else if (plain) {
		struct disk_stat stat;
		if (disk_read(place->disk, place->name, STEP_FILE_MAX, &look->found, DIGEST_SHA256,
			    NULL, &stat, err) != 0)
			return -1;
		step_digest(look->found.at, look->found.len, found);
		content.equal = str_equal(found, work->wrote);
		content.unchanged = str_equal(found, work->record.wrote);
		content.rights =
			place->stat.mode == look->mode && owner_is(place, &look->owner, err);
	}
	work->finding.verdict = step_compare_content(&content, &look->keep, &why);
	work->finding.why = xstrdup(why);
	if (work->finding.verdict != STEP_SO && !content.equal)
		work->finding.diff = show_diff(look);
	return 0;
}

/* ---- mending ---- */

static int fill(int fd, const struct file_look *look, struct err *err) {
	const struct owner *owner = &look->owner;
	if (disk_write_span(fd, 0, look->wanted.at, look->wanted.len, err) != 0) return -1;
	if (owner->said && fchown(fd, owner->uid, owner->gid) != 0)
		return err_sys(err, errno, "cannot give '%s' to its owner", look->place.path);
	if (fchmod(fd, (mode_t)look->mode) != 0)
		return err_sys(err, errno, "cannot set the mode of '%s'", look->place.path);
	return disk_sync_bytes(fd, err);
}

/* Whole beside it first: readers see the old one or the new one. */
static int mend(struct step_work *work, struct file_look *look, struct err *err) {
	struct place *place = &look->place;
	char *beside = NULL, *aside = NULL;
	if (place_make_parents(place, 0755, err) != 0) return -1;
	char *folder = path_parent(place->name);
	int fd = disk_create_beside(place->disk, folder, path_name(place->name), &beside, err);
	free(folder);
	if (fd < 0) return -1;
	int result = fill(fd, look, err);
	disk_close_file(place->disk, fd);
	if (look->keep) aside = place_aside(place, work->record.wrote[0] != '\0');
	if (result == 0) result = place_take(place, beside, aside, err);
	if (result == 0 && aside)
		work->told = xasprintf("'%s' written; what was there is kept as '%s'", place->path,
			path_name(aside));
	else if (result == 0)
		work->told = xasprintf("'%s' written", place->path);
	struct err ignored;
	if (result != 0) (void)disk_remove(place->disk, beside, &ignored);
	free(beside);
	free(aside);
	return result;
}

static int file_look(struct step_work *work, struct err *err) {
	struct file_look look = { .mode = work->settings->mode ? (int)work->settings->mode
							       : MODE_USUAL };
	buf_init(&look.wanted, STEP_FILE_MAX);
	buf_init(&look.found, STEP_FILE_MAX);
	int result = find_wanted(work, &look.wanted, err);
	if (result == 0) {
		step_digest(look.wanted.at, look.wanted.len, work->wrote);
		result = find_owner(&look.owner, work->settings->owner, err);
	}
	if (result == 0) result = place_open(&look.place, work, work->settings->file, err);
	if (result == 0) {
		free(work->finding.subject);
		work->finding.subject = xstrdup(look.place.path);
		/* Its mode counts where one was asked for. */
		if (!work->settings->mode && look.place.there) look.mode = look.place.stat.mode;
		result = judge(work, &look, err);
	}
	if (result == 0 && work->finding.verdict == STEP_TODO && !work->dry)
		result = mend(work, &look, err);
	/* What somebody else wrote there is not ours to remember. */
	if (work->finding.verdict == STEP_HELD)
		memcpy(work->wrote, work->record.wrote, sizeof(work->wrote));
	place_release(&look.place);
	buf_release(&look.wanted);
	buf_release(&look.found);
	return result;
}

const struct step_kind step_kind_file = { .name = "file", .check = file_check, .look = file_look };
