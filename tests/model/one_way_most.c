/* More stories of the one-way model; not quick. */
#include "support/one_way.h"

int main(int argc, char **argv) {
	return one_way_main(argc, argv, 1601, 3000);
}
