/* The checks that each system has its own way for. */
#ifndef MACHINE_INTERNAL_H
#define MACHINE_INTERNAL_H

#include "machine/machine.h"

void machine_look_at_clock(const struct doctor_ground *ground, struct findings *findings);
void machine_look_at_start(const struct doctor_ground *ground, struct findings *findings);

#endif
