/* The story of two machines on one remote, in mode two-way. */
#ifndef SUPPORT_TWO_WAY_H
#define SUPPORT_TWO_WAY_H

/* Seeds `first` to `last`, unless the words say others. The program's exit code. */
int two_way_main(int argc, char **argv, unsigned first, unsigned last);

#endif
