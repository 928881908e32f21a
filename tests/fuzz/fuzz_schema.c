/*
 * Schemas come from definitions and values from clients. The first line of a text is the schema,
 * and what follows the value; the two spellings of an error list must agree, and validating must
 * end.
 */
#include <stdint.h>
#include <string.h>

#include "sagas/json_text.h"
#include "sagas/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, const struct err *err)
{
	CHECK(err->code == ERR_INVALID && err->text[0] != '\0');
	++*(int *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *newline = memchr(text, '\n', size);
	size_t len = newline ? (size_t)(newline - text) : size;
	CLEANUP(json_decref_p) json_t *doc = NULL;
	CLEANUP(json_decref_p) json_t *value = NULL;
	CLEANUP(schema_free_p) struct schema *schema = NULL;
	struct err err;
	int reported = 0, r;

	if (json_parse(text, len, &doc, &err) < 0)
		return 0;
	r = schema_compile(doc, &schema, &err);
	CHECK((schema_check(doc, count, &reported) == 0) == (r == 0));
	CHECK((reported == 0) == (r == 0));
	if (r < 0 || !newline || json_parse(newline + 1, size - len - 1, &value, &err) < 0)
		return 0;
	reported = 0;
	r = schema_validate(schema, value, count, &reported);
	CHECK(r >= 0 && reported == (r < 50 ? r : 50));
	CHECK(schema_validate(schema, value, NULL, NULL) == r);
	return 0;
}
