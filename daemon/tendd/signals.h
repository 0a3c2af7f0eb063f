/* What signals mean to tendd (CONTRACT.md, "Signals"). */
#ifndef TENDD_SIGNALS_H
#define TENDD_SIGNALS_H

#include "tendd/house.h"

int signals_open(struct house *house, struct err *err);
void signals_close(struct house *house);

#endif
