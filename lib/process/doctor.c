/* Can as many files be open as this configuration may want? Only tendd itself knows: a command has limits of its own. */
#include <stdlib.h>
#include <sys/resource.h>

#include "process/process.h"

static void look_at_files(const struct doctor_ground *ground, struct findings *findings) {
	struct rlimit limit;

	if (!ground->daemon || ground->descriptors == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur != RLIM_INFINITY && (int64_t)limit.rlim_cur < ground->descriptors)
		finding_add(findings, FINDING_WRONG,
			xstrdup("systemctl edit tend, and write there '[Service]' and "
				"'LimitNOFILE=65536'; then: systemctl restart tend"),
			"tendd can have %lld files open, and may want %lld",
			(long long)limit.rlim_cur, (long long)ground->descriptors);
	else
		finding_add(findings, FINDING_GOOD, NULL, "tendd can have %lld files open",
			(long long)limit.rlim_cur);
}

const struct doctor_check process_doctor[] = {
	{ "files", look_at_files },
	{ 0 },
};
