/*
 * The files of schemas/ (OpenAPI, JSON Schemas, migrations), compiled in as data by embed.sh.
 */
#ifndef SCHEMAS_EMBEDDED_H
#define SCHEMAS_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
	const char *path; /* from the root: "schemas/openapi.json" */
	const char *data; /* followed by a NUL */
	size_t len;
};

/* In the order of their names. */
extern const struct embedded_file embedded_files[];
extern const size_t embedded_file_count;

#endif
