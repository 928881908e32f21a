#include "sagas/kafka_topic.h"

#include <stdbool.h>
#include <string.h>

int kafka_topic_check(const char *topic, struct err *err)
{
	for (const char *c = topic; *c; c++) {
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

		if (!letter && !(*c >= '0' && *c <= '9') && !strchr("._-", *c))
			return err_set(err, ERR_INVALID,
						   "the topic `%.64s` may hold letters, digits, `.`, `_` and `-` only",
						   topic);
	}
	if (!*topic || strlen(topic) > KAFKA_TOPIC_MAX_BYTES || strcmp(topic, ".") == 0 ||
		strcmp(topic, "..") == 0)
		return err_set(err, ERR_INVALID, "a topic has 1 to %d characters, and is not `.` or `..`",
					   KAFKA_TOPIC_MAX_BYTES);
	return 0;
}
