/* Inside sync: a dry run; its walk of the one-way modes in dry.c, of those that bring things here in dry_both.c. For commands: it blocks. */
#ifndef SYNC_DRY_H
#define SYNC_DRY_H

#include "sync/internal.h"

struct dry {
	const struct folder_settings *settings;
	struct disk *disk;
	struct ignore *ignore;
	struct index *known;         /* in memory: what the remote lists; NULL: the index is read */
	struct index_reader *reader; /* NULL: nothing was agreed yet */
	struct path_stack folders;
	void (*found)(void *user, enum dry_what what, const char *path, int64_t bytes);
	void *user;
	struct dry_totals *totals;
};

/* ---- dry.c ---- */

void dry_tell(struct dry *dry, enum dry_what what, const char *path, int64_t bytes);
/* Links are left out. */
bool dry_skips_links(const struct dry *dry);
bool dry_excludes(const struct dry *dry, const char *path, bool folder);
bool dry_agreed(const struct index_entry *row);
/* Only where the size leaves the question open: what is stored has these very bytes. */
bool dry_same_bytes(struct dry *dry, const char *path, const struct index_entry *row, int64_t size);
bool dry_same_identity(const struct index_entry *row, const struct disk_stat *stat);
/* A database speaks for its -wal and the like. */
bool dry_is_journal(struct dry *dry, const char *path);
void dry_rules_read(struct dry *dry, const char *folder);

/* ---- dry_both.c ---- */

/* What would be done in this folder, itself there or not; what lies below it is pushed. */
int dry_both(struct dry *dry, const struct store *store, const char *folder, struct err *err);

#endif
