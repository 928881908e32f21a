/*
 * JSON Schema 2020-12, the documented subset (docs/definitions.md lists it): type, enum, const, the
 * bounds of numbers, strings, arrays and objects, properties, required, additionalProperties,
 * propertyNames, items, prefixItems, contains, uniqueItems, pattern, format (date-time, date, uuid,
 * email), allOf, anyOf, oneOf, not, if/then/else, $defs with local $ref. An unknown keyword that
 * would change the meaning is refused when the schema is compiled.
 */
#ifndef SAGAS_SCHEMA_H
#define SAGAS_SCHEMA_H

#include <jansson.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

struct schema;

/* Places in err are JSON pointers into the schema. ERR_INVALID. */
int schema_compile(const json_t *doc, struct schema **ret_schema, struct err *err) MUST_CHECK;
/* Reports every error of a schema instead of the first one; returns how many there are. */
int schema_check(const json_t *doc, void (*report)(void *ctx, const struct err *err),
				 void *report_ctx);
void schema_free(struct schema *schema);
DEFINE_CLEANUP(struct schema *, schema_free)

const json_t *schema_doc(const struct schema *schema); /* borrowed */

/*
 * Calls report once for each violation with place = JSON pointer into value, and returns how many
 * there were (reporting stops at 50). Thread: any; the schema is immutable.
 */
int schema_validate(const struct schema *schema, const json_t *value,
					void (*report)(void *ctx, const struct err *err), void *report_ctx);

#endif
