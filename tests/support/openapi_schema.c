#include "tests/support/openapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "schemas/embedded.h"

#define COMPONENTS "#/components/schemas/"

json_t *openapi_document(void)
{
	for (size_t i = 0; i < embedded_file_count; i++) {
		if (strcmp(embedded_files[i].path, "schemas/openapi.json") == 0)
			return json_loadb(embedded_files[i].data, embedded_files[i].len, JSON_REJECT_DUPLICATES,
							  NULL);
	}
	return NULL;
}

/* Components refer to each other from the document's root; alone they need $defs. */
static void point_to_defs(json_t *node)
{
	const char *name, *ref;
	json_t *value;
	size_t i;

	json_array_foreach (node, i, value)
		point_to_defs(value);
	ref = json_string_value(json_object_get(node, "$ref"));
	if (ref && strncmp(ref, COMPONENTS, strlen(COMPONENTS)) == 0) {
		CLEANUP(free_p) char *local = xasprintf("#/$defs/%s", ref + strlen(COMPONENTS));

		json_object_set_new(node, "$ref", json_string(local));
	}
	json_object_foreach (node, name, value)
		point_to_defs(value);
}

struct schema *openapi_schema(const char *name, struct err *err)
{
	json_t *document = openapi_document();
	json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
	json_t *root = json_object();
	CLEANUP(free_p) char *ref = xasprintf("#/$defs/%s", name);
	struct schema *schema = NULL;

	if (json_object_get(schemas, name)) {
		point_to_defs(schemas);
		json_object_set(root, "$defs", schemas);
		json_object_set_new(root, "$ref", json_string(ref));
		if (schema_compile(root, &schema, err) < 0)
			schema = NULL;
	} else {
		err_set(err, ERR_NOT_FOUND, "openapi.json has no schema %s", name);
	}
	json_decref(root);
	json_decref(document);
	return schema;
}

static void report(void *ctx, const struct err *err)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", err->place, err->text);
}

int openapi_violations(const char *name, const json_t *value)
{
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	struct err err;

	schema = openapi_schema(name, &err);
	if (!schema) {
		fprintf(stderr, "%s%s%s\n", err.place, *err.place ? ": " : "", err.text);
		return -1;
	}
	return schema_validate(schema, value, report, NULL);
}
