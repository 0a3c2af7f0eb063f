/* Two machines on one remote, the first seeds. */
#include "support/two_way.h"

int main(int argc, char **argv) {
	return two_way_main(argc, argv, 1, 200);
}
