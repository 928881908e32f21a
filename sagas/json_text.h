/*
 * JSON as text, with the number rules that jansson lacks: 19.99 stays 19.99 (the shortest text that
 * reads back), and a number that cannot be kept exactly enough is refused with its place. Duplicate
 * keys are refused, and nesting is limited.
 */
#ifndef SAGAS_JSON_TEXT_H
#define SAGAS_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "sagas/base/buf.h"
#include "sagas/base/err.h"

enum { JSON_MAX_DEPTH = 100 };

/* Appends value, compact. Reals that are not finite never occur in JSON values. */
void json_write(const json_t *value, struct buf *out);
/* The same; says how deep the value is nested: 0 for a scalar, 1 for [], 2 for [[]]. */
int json_write_depth(const json_t *value, struct buf *out);
int json_depth(const json_t *value);
/* The same as json_write with object keys in byte order: for hashes and fingerprints. */
void json_write_canonical(const json_t *value, struct buf *out);
/* Appends the quoted and escaped string. */
void json_write_string(const char *s, size_t len, struct buf *out);
/* The string without its quotes, for those who put text together from parts. */
void json_write_string_body(const char *s, size_t len, struct buf *out);
void json_write_real(double number, struct buf *out);
/* The same text into an array; returns its length. number is finite. */
enum { JSON_REAL_SIZE = 32 };
size_t json_format_real(double number, char text[JSON_REAL_SIZE]);
/* Appends a key as a part of a JSON pointer: ~ and / are escaped. */
void json_write_pointer_key(const char *key, struct buf *out);

/*
 * Checks without building: syntax, UTF-8, depth, numbers (an integer fits int64; a decimal keeps
 * its value when printed again: at most 17 significant digits that read back, finite). ERR_INVALID
 * with place "line L, column C". Duplicate keys are found only by json_parse.
 */
int json_text_check(const char *text, size_t len, struct err *err) MUST_CHECK;

/* Checks, refuses duplicate keys, and builds. Any JSON value, not only objects. ERR_INVALID. */
int json_parse(const char *text, size_t len, json_t **ret_value, struct err *err) MUST_CHECK;

/*
 * Builds what Skald itself wrote earlier: histories, stored values. What was let in then must be
 * readable for ever, also inside the structure around it: a value of JSON_MAX_DEPTH levels, a reply
 * in which a key stands twice (the last counts). ERR_INVALID when it is no JSON at all.
 */
int json_parse_stored(const char *text, size_t len, json_t **ret_value, struct err *err) MUST_CHECK;

static inline void json_decref_p(json_t **value)
{
	json_decref(*value);
}

#endif
