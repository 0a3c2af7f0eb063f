/*
 * Faults on purpose: the tests build this room once more with TEND_MUTANTS, where one of them at a time is switched on, and a story of the
 * model must tell of it (tests/model/mutants.c). In every other build a mutant is the constant false, and nothing of it is left.
 */
#ifndef SYNC_MUTANT_H
#define SYNC_MUTANT_H

#include <stdbool.h>

#ifdef TEND_MUTANTS
bool mutant_is(const char *name); /* tests/model/mutants.c */
#define MUTANT(name) mutant_is(#name)
#else
#define MUTANT(name) false
#endif

#endif
