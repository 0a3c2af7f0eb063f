/* More stories of the one-way model; not quick. Any other is told by --seed N. */
#include "support/one_way.h"

int main(int argc, char **argv) {
	return one_way_main(argc, argv, 201, 500);
}
