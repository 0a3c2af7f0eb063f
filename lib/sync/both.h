/*
 * The modes that bring things here, two-way and fetch: a poll finds what the remote has other than was agreed (polling.c), which becomes
 * news of the index; plan_both() decides one path (both.c), and what is to be done here is bring.c's. Loop thread only, but for what says
 * otherwise; included by internal.h.
 */
#ifndef SYNC_BOTH_H
#define SYNC_BOTH_H

#include "sync/transfer.h"

/* polling.c, polling_told.c: what does the remote have? */
bool folder_brings(const struct folder *folder); /* is it in one of them? */
void polling_new(struct folder *folder);
void polling_free(struct folder *folder);  /* not busy */
void polling_step(struct folder *folder);  /* while it runs */
void polling_again(struct folder *folder); /* other settings */
void polling_stop(struct folder *folder);
bool polling_is_busy(const struct folder *folder);
/* One that begins after this call; its number, for polling_passed(). */
int64_t polling_request(struct folder *folder);
int64_t polling_request_whole(struct folder *folder); /* one that compares all */
void polling_whole_next(struct folder *folder);       /* the next one does, whenever that is */
/* index_commit(): the token of a poll goes with what makes it too little. */
int polling_commit(struct folder *folder, bool full, struct err *err);
/* What a scan read of the rules is not what was known. */
void polling_rules_read(struct folder *folder);
bool polling_passed(const struct folder *folder, int64_t number);
/* So many paths did the last one find to be others at the remote. */
int64_t polling_found(const struct folder *folder);
/* We wrote this path at the remote, perhaps: a list that is on its way may be of before. */
void polling_touched(struct folder *folder, const char *path);
/* We moved a folder there, and the rows of all below it follow now. */
void polling_moved(struct folder *folder, const char *from, const char *to);
/* Before the row of a folder is put. False: the index failed. */
bool polling_folder_back(struct folder *folder, const char *path);
/* A row of what the remote told. Release it. */
void polling_entry(
	const struct folder *folder, struct index_entry *entry, const struct store_entry *told);

/* conflict.c: the name that one of two edits gets. The caller's. */
char *conflict_name(const char *path, const char *host, int64_t wall_ns);
#define CONFLICT_THEIRS "remote" /* the host of theirs, where ours keeps its name */
bool conflict_is_theirs(const char *copy);

/* trash.c: what the remote replaced or removed here, in state_dir/trash/FOLDER/DAY, in UTC */
void trash_times(int64_t wall_ns, char day[16], char time[24]);
void trash_prune(struct folder *folder);

/* live.c: in jobs */
bool database_has_company(struct disk *disk, const char *path);
bool database_in_use(struct disk *disk, const char *path);

/* both.c: one path */
int both_load(struct transfer *transfer, struct err *err); /* with the base */
void both_release(struct transfer *transfer);
/* Has the remote, as far as is known, other than what was agreed? */
bool both_differs(const struct transfer *transfer);
/* What the remote has of this path; NULL: nothing. */
const struct index_entry *both_there(const struct transfer *transfer);
bool both_rests(struct transfer *transfer);       /* true: it is settled already, or gone */
bool both_plan(struct transfer *transfer);        /* true: taken over; false: plan_path() decides */
void both_agree(struct transfer *transfer);       /* as it is here, it is there */
void both_aside_there(struct transfer *transfer); /* the file there gets another name */
/* These two, false: the index failed, the transfer is gone. */
bool both_news_drop(struct transfer *transfer);
bool both_learned(struct transfer *transfer, const struct store_entry *theirs);

/* In the names of files that have no place yet, so that those a crash left are known again. */
#define BRING_HINT "bring"

/* bring_resume.c: what earlier runs left of large files */
int bring_resume_load(struct folder *folder, struct err *err); /* the index was opened */
/* The path is settled, in this turn: nothing beside it is waited for. */
int bring_resume_over(struct transfer *transfer, struct err *err);
/* Names, without their folders, of what any folder can go on with. The caller's (strv). */
char **bring_resume_known(const struct sync *sync);
/* By the index of a folder that is none now: what it left here goes. */
void bring_resume_clear(struct index *index);
bool bring_is_known(char *const *known, const char *name);
/* A file that a crash left before `before_ns`, or one that is known. */
bool bring_is_leftover(const struct disk_item *item, int64_t before_ns);

/* bring.c */
void bring_release(struct transfer *transfer);
void bring_memory_granted(struct transfer *transfer);

#endif
