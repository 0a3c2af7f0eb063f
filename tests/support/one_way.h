/*
 * The one-way model: the engine itself on a ground, random edits and faults, kills at any step. A
 * seed is a whole story; the same seed twice is the same story.
 */
#ifndef SUPPORT_ONE_WAY_H
#define SUPPORT_ONE_WAY_H

/* Runs these seeds, or what the arguments say: --seed N, --seeds FIRST LAST, --trace. The exit
 * status. */
int one_way_main(int argc, char **argv, unsigned first, unsigned last);

#endif
