/* What `tend doctor` says of watching on macOS: there is no limit to raise. */
#include "watch/watch.h"

static void look_at_stream(const struct doctor_ground *ground, struct findings *findings) {
	(void)ground;
	finding_add(findings, FINDING_GOOD, NULL, "folders are watched by FSEvents");
}

const struct doctor_check watch_doctor[] = {
	{ "fsevents", look_at_stream },
	{ 0 },
};
