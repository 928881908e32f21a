/* The text form of Prometheus, as far as those who write metrics share it. */
#ifndef COORDINATOR_METRICS_TEXT_H
#define COORDINATOR_METRICS_TEXT_H

#include "sagas/base/buf.h"

/* The lines before a metric's samples; type: "counter", "gauge" or "histogram". */
void metrics_write_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
