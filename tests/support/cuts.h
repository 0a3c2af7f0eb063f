/*
 * The parts of a story: each edit, fault, kill and chapter has a number among those of its kind on its machine, and a story can be told
 * without some of them. What is left draws the same chances as before, so that a story that found something mostly finds it still, and
 * can be made smaller part by part.
 */
#ifndef SUPPORT_CUTS_H
#define SUPPORT_CUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ground;

enum part_kind { PART_CHAPTER, PART_KILL, PART_EDIT, PART_FAULT, PART_KINDS };
enum { PART_MACHINES = 3 };

struct part_row {
	unsigned *draws; /* so many chances did each draw when the story was told whole */
	bool *out;       /* these are left out */
	size_t known, size, next;
};

struct cuts {
	struct part_row rows[PART_MACHINES][PART_KINDS];
	bool again; /* it was told whole, and `draws` are known */
};

void cuts_release(struct cuts *cuts);
void cuts_begin(struct cuts *cuts); /* before each telling */

/* The next part of its kind: does it happen? Where there are no parts everything does. */
bool cuts_happens(struct ground *ground, enum part_kind kind);
/* The same of an edit, which is done here when it does. */
void cuts_edit(struct ground *ground, void (*edit)(struct ground *ground));

/* How many are known of all kinds, and one of them by its place. */
size_t cuts_count(const struct cuts *cuts);
bool *cuts_out(struct cuts *cuts, size_t place);

/* What is left out, as "Ae3-17,Bf0": of machine A the edits 3 to 17, of machine B the first fault. The caller's. */
char *cuts_write(const struct cuts *cuts);
bool cuts_read(struct cuts *cuts, const char *text);

#endif
