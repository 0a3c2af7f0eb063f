/*
 * machine: what this machine is like as a place to run on: has it a way out, is tendd started at boot, is its clock kept.
 *
 * Any one thread; blocking, but only the system's own small files are read. `root` is put before their paths: "" but in
 * tests.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "base/base.h"

/* Is there an address beside loopback, and a default route? */
bool machine_has_route(const char *root);

extern const struct doctor_check machine_doctor[]; /* for `tend doctor` */

#endif
