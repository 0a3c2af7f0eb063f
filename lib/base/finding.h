/*
 * What `tend doctor` finds. A room exports a table of checks; each looks at the ground that it is given and says what is
 * good, what could be better and what is wrong, with its cure. Whoever prints them knows no room.
 *
 * A check blocks (it looks at disks) and runs in a job or in a command; it touches only its arguments.
 */
#ifndef BASE_FINDING_H
#define BASE_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum finding_level {
	FINDING_GOOD,
	FINDING_ADVICE, /* it works; this would be better */
	FINDING_WRONG,
	FINDING_PERSON, /* it does not go on before a person acts */
};

struct finding {
	struct list link;
	enum finding_level level;
	const char *check; /* the check's name */
	char *text;        /* lower case, no full stop */
	char *cure;        /* what to do; NULL: nothing */
};

struct findings {
	struct list list;  /* of struct finding, in the order they were made */
	const char *check; /* the one that looks now */
};

void findings_init(struct findings *findings);
void findings_release(struct findings *findings);
/* Takes `cure`, which may be NULL. */
void finding_add(struct findings *findings, enum finding_level level, char *cure,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Of all of them. */
enum finding_level findings_worst(const struct findings *findings);
const char *finding_level_name(enum finding_level level); /* "good" "advice" "wrong" "person" */

/* ---- what is looked at ---- */

struct doctor_path {
	char *name; /* of the folder, or "[remote NAME] key" of a secret */
	char *path;
	int64_t folders; /* in it, where that is known; -1: not */
};

struct doctor_ground {
	char *root;  /* put before the system's own paths (/proc, /etc): "" but in tests */
	bool system; /* the machine's tendd, root's */
	bool daemon; /* this is tendd itself: its own limits are what counts */
	char *user;  /* whose it is */
	char *home;
	char *file;   /* the configuration; NULL: there is none */
	char **files; /* all that it was read from */
	char *state_dir;
	struct doctor_path *folders, *secrets;
	size_t folder_count, secret_count;
	int64_t descriptors; /* open files that this configuration may want at once; 0: not known */
};

void doctor_ground_release(struct doctor_ground *ground);
void doctor_add_folder(
	struct doctor_ground *ground, const char *name, const char *path, int64_t folders);
void doctor_add_secret(struct doctor_ground *ground, char *name, char *path); /* takes both */
/* A path of the system's as it is to be opened. The caller's. */
char *doctor_path(const struct doctor_ground *ground, const char *path);
/* The number that a file of the system holds; `otherwise` when it holds none. */
int64_t doctor_number(const struct doctor_ground *ground, const char *path, int64_t otherwise);

struct doctor_check {
	const char *name; /* one word; NULL ends a table */
	void (*look)(const struct doctor_ground *ground, struct findings *findings);
};

void checks_run(const struct doctor_check *checks, const struct doctor_ground *ground,
	struct findings *findings);

#endif
