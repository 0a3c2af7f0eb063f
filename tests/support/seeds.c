#include "support/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILURES_MAX = 10, JOBS_MAX = 64, TRIES_MAX = 4000, TWICE_EACH = 25 };

struct seeds {
	const struct model *model;
	const char *program;
	unsigned first, last;
	bool kept, trace, shrink, one;
	int jobs;
	const char *without;
};

/* What a job tells of all it told. */
struct sum {
	struct ground_counts counts;
	unsigned failures, stories;
};

/* ---- one seed ---- */

static void tell(const struct seeds *s, unsigned seed, struct cuts *cuts, bool trace,
	struct told_story *told) {
	*told = (struct told_story){ 0 };
	if (cuts) cuts_begin(cuts);
	s->model->tell(s->model, seed, cuts, trace, told);
}

static void add(struct ground_counts *sum, const struct ground_counts *counts) {
	unsigned *to = (unsigned *)sum;
	const unsigned *from = (const unsigned *)counts;
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++) to[i] += from[i];
}

static bool seed_fails(const struct seeds *s, unsigned seed, bool twice, struct sum *sum) {
	struct told_story told, again;
	struct cuts cuts = { 0 };
	if (s->without && !cuts_read(&cuts, s->without)) {
		fprintf(stderr, "'%s' names no parts\n", s->without);
		return true;
	}
	/* Drawn for as in the story that was told whole. */
	if (s->without) {
		struct cuts whole = { 0 };
		tell(s, seed, &whole, false, &told);
		free(told.path);
		whole.again = true;
		cuts_release(&cuts);
		cuts = whole;
		cuts_read(&cuts, s->without);
	}
	tell(s, seed, s->without ? &cuts : NULL, s->trace, &told);
	add(&sum->counts, &told.counts);
	sum->stories++;
	bool failed = told.wrong != NULL;
	if (failed)
		printf("seed %u: machine %c: %s: '%s'\n  %s --seed %u --trace\n  %s --shrink %u\n",
			seed, 'A' + told.machine, told.wrong, told.path, s->program, seed,
			s->program, seed);
	free(told.path);
	cuts_release(&cuts);
	if (failed || !twice || s->without) return failed;
	tell(s, seed, NULL, false, &again);
	free(again.path);
	failed = again.trace != told.trace;
	if (failed)
		printf("seed %u: a second time it is another trace\n  %s --seed %u --trace\n", seed,
			s->program, seed);
	return failed;
}

/* ---- many ---- */

static void tell_share(const struct seeds *s, int job, struct sum *sum) {
	unsigned jobs = (unsigned)s->jobs;
	for (unsigned seed = s->first + (unsigned)job;
		seed <= s->last && sum->failures < FAILURES_MAX; seed += jobs)
		sum->failures += seed_fails(s, seed, seed % TWICE_EACH == 0 || s->one, sum);
	for (size_t i = (size_t)job; s->kept && i < s->model->kept_count; i += jobs)
		sum->failures += seed_fails(s, s->model->kept[i], false, sum);
}

/* In processes of their own: the simulation is one thread. */
static void tell_jobs(const struct seeds *s, struct sum *sum) {
	int pipes[JOBS_MAX][2];
	pid_t pids[JOBS_MAX];
	for (int job = 0; job < s->jobs; job++) {
		if (pipe(pipes[job])) abort();
		pids[job] = fork();
		if (pids[job] < 0) abort();
		if (pids[job]) continue;
		struct sum own = { 0 };
		tell_share(s, job, &own);
		fflush(stdout);
		_exit(write(pipes[job][1], &own, sizeof(own)) != sizeof(own));
	}
	for (int job = 0; job < s->jobs; job++) {
		struct sum own = { 0 };
		int status = 0;
		close(pipes[job][1]);
		bool read_well = read(pipes[job][0], &own, sizeof(own)) == sizeof(own);
		close(pipes[job][0]);
		waitpid(pids[job], &status, 0);
		if (!read_well || status) {
			printf("a process that told stories ended by itself, with %d\n", status);
			own.failures++;
		}
		add(&sum->counts, &own.counts);
		sum->failures += own.failures;
		sum->stories += own.stories;
	}
}

/* ---- a smaller one ---- */

struct shrinking {
	const struct seeds *s;
	struct cuts *cuts;
	char *wrong; /* the same must be found */
	unsigned tries;
};

static bool finds_it(struct shrinking *h) {
	struct told_story told;
	tell(h->s, h->s->first, h->cuts, false, &told);
	bool same = told.wrong && str_equal(told.wrong, h->wrong);
	free(told.path);
	h->tries++;
	return same;
}

/* Without the parts from `at` on, so many: does it still find it? */
static bool leave_out(struct shrinking *h, size_t at, size_t count, size_t all) {
	size_t end = at + count < all ? at + count : all, left = 0;
	bool *before = xcalloc(end - at, sizeof(*before));
	for (size_t i = at; i < end; i++) {
		bool *out = cuts_out(h->cuts, i);
		before[i - at] = *out;
		left += !*out;
		*out = true;
	}
	bool found = left && finds_it(h);
	for (size_t i = at; !found && i < end; i++) *cuts_out(h->cuts, i) = before[i - at];
	free(before);
	return found;
}

/* By halves, down to single cuts, as long as that helps. */
static void shrink(struct shrinking *h) {
	size_t all = cuts_count(h->cuts);
	bool helped = true;
	for (size_t count = all / 2; count > 0 && h->tries < TRIES_MAX; count /= 2)
		for (size_t at = 0; at < all && h->tries < TRIES_MAX; at += count)
			leave_out(h, at, count, all);
	while (helped && h->tries < TRIES_MAX) {
		helped = false;
		for (size_t at = 0; at < all && h->tries < TRIES_MAX; at++)
			helped |= leave_out(h, at, 1, all);
	}
}

static int shrink_seed(const struct seeds *s) {
	struct cuts cuts = { 0 };
	struct told_story told;
	tell(s, s->first, &cuts, false, &told);
	if (!told.wrong) {
		printf("seed %u found nothing\n", s->first);
		return 1;
	}
	struct shrinking h = { .s = s, .cuts = &cuts, .wrong = xstrdup(told.wrong) };
	free(told.path);
	cuts.again = true;
	shrink(&h);
	size_t all = cuts_count(&cuts), left = 0;
	for (size_t i = 0; i < all; i++) left += !*cuts_out(&cuts, i);
	tell(s, s->first, &cuts, true, &told);
	char *without = cuts_write(&cuts);
	printf("seed %u: machine %c: %s: '%s'\n%zu of %zu parts are left, after %u tries\n  %s "
	       "--seed %u --without %s --trace\n",
		s->first, 'A' + told.machine, told.wrong ? told.wrong : "", told.path, left, all,
		h.tries, s->program, s->first, without);
	free(without);
	free(told.path);
	free(h.wrong);
	cuts_release(&cuts);
	return 1;
}

/* ---- the words ---- */

static int usage(const struct seeds *s) {
	fprintf(stderr,
		"%s\nusage: %s [--seed N | --seeds FIRST LAST | --shrink N] [--jobs N] [--trace] "
		"[--without PARTS]\n"
		"  --seed N           one story, twice: the second time must be the same\n"
		"  --seeds FIRST LAST many; a million takes hours: --seeds 1 1000000 --jobs "
		"$(nproc)\n"
		"  --jobs N           in so many processes\n"
		"  --trace            with all that happens\n"
		"  --shrink N         a story that finds something, with fewer and fewer parts as "
		"long as it "
		"does, told at last\n"
		"  --without PARTS    as --shrink says them\n",
		s->model->about, s->program);
	return 2;
}

static bool read_words(struct seeds *s, int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		int left = argc - i - 1;
		if (str_equal(argv[i], "--trace")) {
			s->trace = true;
		} else if (str_equal(argv[i], "--without") && left > 0) {
			s->without = argv[++i];
		} else if (str_equal(argv[i], "--jobs") && left > 0) {
			s->jobs = (int)strtol(argv[++i], NULL, 10);
			if (s->jobs < 1 || s->jobs > JOBS_MAX) return false;
		} else if ((str_equal(argv[i], "--seed") || str_equal(argv[i], "--shrink")) &&
			   left > 0) {
			s->shrink = str_equal(argv[i], "--shrink");
			s->first = s->last = (unsigned)strtoul(argv[++i], NULL, 10);
			s->one = true;
			s->kept = false;
		} else if (str_equal(argv[i], "--seeds") && left > 1) {
			s->first = (unsigned)strtoul(argv[++i], NULL, 10);
			s->last = (unsigned)strtoul(argv[++i], NULL, 10);
			s->kept = false;
		} else {
			return false;
		}
	}
	return !s->without || (s->one && !s->shrink);
}

int seeds_main(int argc, char **argv, const struct model *model) {
	struct seeds s = { .model = model,
		.program = argv[0],
		.first = model->first,
		.last = model->last,
		.kept = true,
		.jobs = 1 };
	struct sum sum = { 0 };
	if (!read_words(&s, argc, argv)) return usage(&s);
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(s.trace ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_TEXT);
	if (s.shrink) return shrink_seed(&s);
	if (s.jobs > 1)
		tell_jobs(&s, &sum);
	else
		tell_share(&s, 0, &sum);
	printf("seeds %u to %u, %u stories: %u edits, %u operations, %u faults, %u overflows, %u "
	       "times somebody else, %u kills that lost %u commits, %u lies, %u times a person: %u "
	       "wrong\n",
		s.first, s.last, sum.stories, sum.counts.edits, sum.counts.ops, sum.counts.faults,
		sum.counts.overflows, sum.counts.foreign, sum.counts.kills, sum.counts.commits_lost,
		sum.counts.lies, sum.counts.asked, sum.failures);
	return sum.failures ? 1 : 0;
}
