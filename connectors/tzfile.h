/*
 * Time zones from the tz database of the machine: files in the format TZif (RFC 8536), versions 1
 * to 4, of which the 64-bit part and the rule at the end are used where there are such.
 */
#ifndef CONNECTORS_TZFILE_H
#define CONNECTORS_TZFILE_H

#include "sagas/tz.h"

enum { TZFILE_MAX_BYTES = 256 * 1024, TZ_NAME_MAX_BYTES = 64 };

/*
 * The zone of this name ("Europe/Berlin"); "UTC" needs no file. ERR_NOT_FOUND: this machine does
 * not know it (or it is no name of a zone); ERR_INVALID: its file is damaged; ERR_IO.
 */
int tzfile_read(const char *name, struct tz **ret_tz, struct err *err) MUST_CHECK;

/* The same from bytes. ERR_INVALID. */
int tzfile_parse(const void *data, size_t len, struct tz **ret_tz, struct err *err) MUST_CHECK;

#endif
