/*
 * A record of Kafka as the `event` that definitions read. CloudEvents 1.0 in both modes of its
 * Kafka protocol binding, and plain JSON:
 *
 *   binary       ce_specversion and other ce_* headers; the value is the data
 *   structured   content-type application/cloudevents+json, or a JSON object in which `specversion`
 *                is a string
 *   plain        anything else; the value is the data
 *
 *   {id, source, type, subject, time, data, key, topic, partition, offset, timestamp, headers}
 *
 * Of a plain record id, source, type, subject and time are null. Further attributes of a CloudEvent
 * (datacontenttype, dataschema, extensions) stand beside these under their names, unless they are
 * called like one of Skald's own. `timestamp` is the record's, as RFC 3339 text; `time` is the
 * event's, as it came.
 *
 * Data: what is said to be JSON (application/json, something/something+json), or about which
 * nothing is said, is a JSON value, and a record whose JSON cannot be read is refused. Another
 * content type gives a string where the value is UTF-8, and else null with base64 in `data_base64`,
 * as the JSON format of CloudEvents has it. No value (a tombstone) is null.
 *
 * Headers: an object of strings, the last of a name wins. A value that is not UTF-8 or holds a NUL
 * is base64 with "base64:" before it; a header without a value is null. The key likewise is null, a
 * string, or "base64:…".
 */
#ifndef SAGAS_CLOUDEVENT_H
#define SAGAS_CLOUDEVENT_H

#include <jansson.h>

#include "sagas/base/err.h"
#include "sagas/kafka_record.h"

enum {
	EVENT_MAX_BYTES = 2 * 1024 * 1024, /* of a record's value */
	EVENT_MAX_HEADERS = 100,
	EVENT_MAX_HEADER_BYTES = 64 * 1024, /* of all names and values */
	EVENT_MAX_KEY_BYTES = 16 * 1024,
	EVENT_MAX_ATTRIBUTE_BYTES = 2048,
};

/*
 * ERR_INVALID with the place ("value, line 1, column 7", "header ce_id"), ERR_LIMIT, ERR_NO_MEMORY.
 * The caller owns the event.
 */
int cloudevent_read(const struct kafka_record *record, json_t **ret_event,
					struct err *err) MUST_CHECK;

/* The last header of that name, whose case does not matter; NULL: none, or without a value. */
const struct kafka_header *kafka_record_header(const struct kafka_record *record, const char *name);

#endif
