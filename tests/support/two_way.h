/* The story of two machines on one remote, in mode two-way. */
#ifndef SUPPORT_TWO_WAY_H
#define SUPPORT_TWO_WAY_H

#include <stddef.h>

/* Seeds `first` to `last`, and those that failed once, unless the words say others. The program's exit code. */
int two_way_main(int argc, char **argv, unsigned first, unsigned last, const unsigned *kept,
	size_t kept_count);

#endif
