/* The schemas of schemas/openapi.json, compiled with Skald's own JSON Schema. */
#ifndef TESTS_SUPPORT_OPENAPI_SCHEMA_H
#define TESTS_SUPPORT_OPENAPI_SCHEMA_H

#include <jansson.h>

#include "sagas/schema.h"

/* The compiled-in document; the caller's. */
json_t *openapi_document(void) MUST_CHECK;
/* components.schemas.<name>, with what it refers to. NULL: there is none, or err says why. */
struct schema *openapi_schema(const char *name, struct err *err) MUST_CHECK;
/* Says on stderr what does not fit; returns how much. */
int openapi_violations(const char *name, const json_t *value);

#endif
