/*
 * fits_openapi SCHEMA < answer: exit 0 when the JSON fits components.schemas.SCHEMA of
 * schemas/openapi.json; else it says on stderr what does not.
 */
#include <stdio.h>

#include "tests/support/openapi_schema.h"

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *value;
	int n;

	if (argc != 2) {
		fprintf(stderr, "usage: %s SCHEMA < answer\n", argv[0]);
		return 2;
	}
	value = json_loadf(stdin, JSON_DECODE_ANY, &error);
	if (!value) {
		fprintf(stderr, "no JSON: line %d: %s\n", error.line, error.text);
		return 1;
	}
	n = openapi_violations(argv[1], value);
	json_decref(value);
	return n == 0 ? 0 : 1;
}
