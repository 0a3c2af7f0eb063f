/* The rest of many stories of the one-way model: not quick, plain build (preset "model"). */
#include "support/one_way.h"

int main(int argc, char **argv) {
	return one_way_main(argc, argv, 7251, 14000);
}
