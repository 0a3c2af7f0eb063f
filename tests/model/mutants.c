/*
 * Does the model see anything? The engine once more, with one fault on purpose at a time (lib/sync/mutant.h): each is found by the story
 * of a seed, which finds nothing without it. Told plainly: not quick, plain build.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/one_way.h"
#include "support/two_way.h"
#define TEND_MUTANTS
#include "sync/mutant.h"

enum { CPU_SECONDS = 60, SEARCH_CPU_SECONDS = 5, OTHER_SEEDS = 100 };
enum outcome { NOTHING_FOUND, FOUND, NO_END };

static const struct two_way_plot plain, brakes = { .brakes = true }, fetch = { .fetch = true };
static const struct model models[] = {
	{ .about = "one_way", .plain = true, .tell = one_way_tell },
	{ .about = "two_way", .plain = true, .tell = two_way_tell, .plot = &plain },
	{ .about = "brakes", .plain = true, .tell = two_way_tell, .plot = &brakes },
	{ .about = "fetch", .plain = true, .tell = two_way_tell, .plot = &fetch },
};
enum { ONE_WAY, TWO_WAY, BRAKES, FETCH, MODELS };

static const struct mutant {
	const char *name;
	int model;
	unsigned seed;
} mutants[] = {
	{ "attributes_are_not_sent", ONE_WAY, 2 },
	{ "barrier_before_the_poll", TWO_WAY, 6 },
	{ "barrier_before_the_scan", ONE_WAY, 1 },
	{ "barrier_waits_for_nothing", ONE_WAY, 1 },
	{ "base_is_ignored", FETCH, 1 },
	{ "base_is_not_moved", TWO_WAY, 16 },
	{ "brake_lets_all_go", BRAKES, 1 },
	{ "clash_sends_ours", TWO_WAY, 1 },
	{ "clash_takes_theirs", TWO_WAY, 1 },
	{ "commit_before_the_upload", TWO_WAY, 1 },
	{ "deletion_beats_our_edit", TWO_WAY, 1 },
	{ "deletion_beats_their_edit", TWO_WAY, 1 },
	{ "deletion_comes_back", FETCH, 6 },
	{ "deletions_are_not_counted", BRAKES, 30 },
	{ "empty_remote_is_believed", BRAKES, 43 },
	{ "empty_root_is_believed", BRAKES, 19 },
	{ "failed_list_is_whole", BRAKES, 72 },
	{ "fetch_sends", FETCH, 1 },
	{ "folder_gives_way", FETCH, 14 },
	{ "folder_that_is_back_is_the_same", BRAKES, 2688 },
	{ "held_is_let_go", BRAKES, 1 },
	{ "hour_begins_at_the_start", BRAKES, 34 },
	{ "hour_is_forgotten", BRAKES, 30 },
	{ "id_is_not_committed", ONE_WAY, 1 },
	{ "intents_are_forgotten", ONE_WAY, 9 },
	{ "lists_are_believed", BRAKES, 72 },
	{ "newcomer_is_replaced", TWO_WAY, 65 },
	{ "no_conflict_copy", TWO_WAY, 1 },
	{ "no_version_is_kept", ONE_WAY, 1 },
	{ "nothing_to_the_trash", FETCH, 1 },
	{ "overflow_is_ignored", ONE_WAY, 2 },
	{ "place_without_a_look", TWO_WAY, 9 },
	{ "put_without_condition", TWO_WAY, 1 },
	{ "remove_without_condition", FETCH, 5 },
	{ "removed_here_unbraked", BRAKES, 1 },
	{ "root_that_is_gone_is_empty", BRAKES, 2 },
	{ "same_size_is_same_file", TWO_WAY, 1 },
	{ "scan_misses_what_is_gone", TWO_WAY, 1 },
	{ "set_on_any_content", BRAKES, 16 },
	{ "two_way_keeps_no_version", TWO_WAY, 3 },
	{ "unsealed_is_whole", TWO_WAY, 21 },
	{ "what_differs_is_equal", TWO_WAY, 1 },
};

static const char *present; /* the mutant that lives; NULL: none */

bool mutant_is(const char *name) {
	return present && str_equal(name, present);
}

/* In a process of its own, which may find no end. */
static enum outcome outcome_of(int model, unsigned seed, const char *name, int cpu_seconds) {
	int status = 0;
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0) abort();
	if (!pid) {
		struct itimerval timer = { .it_value.tv_sec = cpu_seconds };
		struct told_story told = { 0 };
		setitimer(ITIMER_PROF, &timer, NULL);
		if (!freopen("/dev/null", "w", stderr)) abort();
		present = name;
		models[model].tell(&models[model], seed, NULL, false, &told);
		_exit(told.wrong ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status)) return NO_END;
	return WEXITSTATUS(status) ? FOUND : NOTHING_FOUND;
}

/* The first story that finds it, and finds nothing without it. */
static bool search_one(const struct mutant *m, unsigned first, unsigned last) {
	for (unsigned seed = first; seed <= last; seed++) {
		for (int model = 0; model < MODELS; model++) {
			if (outcome_of(model, seed, m->name, SEARCH_CPU_SECONDS) != FOUND) continue;
			if (outcome_of(model, seed, NULL, CPU_SECONDS) != NOTHING_FOUND) continue;
			printf("%s: model.%s --seed %u\n", m->name, models[model].about, seed);
			return true;
		}
	}
	return false;
}

static int search(const char *name, unsigned first, unsigned last) {
	int missed = 0;
	for (size_t i = 0; i < ARRAY_LEN(mutants); i++) {
		const struct mutant *m = &mutants[i];
		if (!str_equal(name, "all") && !str_equal(name, m->name)) continue;
		if (search_one(m, first, last)) continue;
		printf("%s is not found\n", m->name);
		missed++;
	}
	return missed ? 1 : 0;
}

static int check(const struct mutant *m) {
	const char *about = models[m->model].about;
	if (outcome_of(m->model, m->seed, NULL, CPU_SECONDS) != NOTHING_FOUND) {
		printf("model.%s --seed %u finds something without a mutant\n", about, m->seed);
		return 1;
	}
	if (outcome_of(m->model, m->seed, m->name, CPU_SECONDS) == FOUND) return 0;
	/* Another engine tells another story: the table wants another seed, but the model sees it still. */
	if (search_one(m, 1, OTHER_SEEDS)) return 0;
	printf("%s: found by no story; its last one was model.%s --seed %u\n", m->name, about,
		m->seed);
	return 1;
}

int main(int argc, char **argv) {
	int wrong = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open(LOG_LEVEL_ERROR, LOG_TEXT);
	if (argc == 5 && str_equal(argv[1], "--search"))
		return search(argv[2], (unsigned)strtoul(argv[3], NULL, 10),
			(unsigned)strtoul(argv[4], NULL, 10));
	if (argc > 1) {
		fprintf(stderr, "usage: %s [--search NAME|all FIRST LAST]\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(mutants); i++) wrong += check(&mutants[i]);
	printf("%zu mutants, %d wrong\n", ARRAY_LEN(mutants), wrong);
	return wrong ? 1 : 0;
}
