/* The first stories of the one-way model; more are told in one_way_more.c. */
#include "support/one_way.h"

int main(int argc, char **argv) {
	return one_way_main(argc, argv, 1, 200);
}
