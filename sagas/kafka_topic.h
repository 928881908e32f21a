/* The names of Kafka's topics. */
#ifndef SAGAS_KAFKA_TOPIC_H
#define SAGAS_KAFKA_TOPIC_H

#include "sagas/base/err.h"

enum { KAFKA_TOPIC_MAX_BYTES = 249 };

/* 1 to 249 letters, digits, `.`, `_` and `-`; not `.` or `..`. ERR_INVALID. */
int kafka_topic_check(const char *topic, struct err *err) MUST_CHECK;

#endif
