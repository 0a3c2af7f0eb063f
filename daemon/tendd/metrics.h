/* GET /metrics: what there is to measure, as Prometheus reads it (text format 0.0.4). */
#ifndef TENDD_METRICS_H
#define TENDD_METRICS_H

#include "tendd/house.h"

void route_metrics(void *user, struct control_request *request);

#endif
