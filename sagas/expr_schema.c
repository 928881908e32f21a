/*
 * What a JSON Schema says about the fields of values, as far as it is plain: type, enum, const,
 * properties, additionalProperties, items, and local $ref. Whatever it leaves open stays unknown.
 */
#include <string.h>

#include "sagas/expr_check_priv.h"

enum { MAX_REFS = 16 };

/* Follows a JSON pointer such as /$defs/line; NULL when it leads nowhere. */
static const json_t *follow_pointer(const json_t *at, const char *pointer)
{
	while (at && *pointer == '/') {
		size_t len = strcspn(++pointer, "/");
		char key[128];
		size_t n = 0;

		for (size_t i = 0; i < len && n < sizeof(key) - 1; i++) {
			char c = pointer[i];

			if (c == '~' && i + 1 < len)
				c = pointer[++i] == '1' ? '/' : '~';
			key[n++] = c;
		}
		key[n] = '\0';
		at = json_is_object(at) ? json_object_get(at, key) : NULL;
		pointer += len;
	}
	return at;
}

/* The schema that counts, after local references; NULL when nothing is known. */
static const json_t *resolve(const json_t *root, const json_t *schema)
{
	for (int i = 0; i < MAX_REFS && json_is_object(schema); i++) {
		const char *ref = json_string_value(json_object_get(schema, "$ref"));

		if (!ref)
			return schema;
		if (*ref != '#')
			return NULL;
		schema = follow_pointer(root, ref + 1);
	}
	return NULL;
}

static unsigned type_mask(const char *type)
{
	static const struct {
		const char *name;
		unsigned mask;
	} types[] = {
		{"null", T_(NULL)},     {"boolean", T_(BOOL)}, {"integer", T_(INT)}, {"number", T_NUM},
		{"string", T_(STRING)}, {"array", T_(LIST)},   {"object", T_(MAP)},
	};

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i].name, type) == 0)
			return types[i].mask;
	}
	return T_ALL;
}

static unsigned value_mask(const json_t *value)
{
	struct val v = val__from_json((json_t *)value);

	return 1u << val__type(&v);
}

static unsigned schema_mask(const json_t *schema)
{
	const json_t *type = json_object_get(schema, "type");
	const json_t *list = json_object_get(schema, "enum");
	unsigned mask = 0;

	if (json_is_string(type))
		return type_mask(json_string_value(type));
	for (size_t i = 0; i < json_array_size(type); i++)
		mask |= type_mask(json_string_value(json_array_get(type, i)));
	if (mask)
		return mask;
	if (json_object_get(schema, "const"))
		return value_mask(json_object_get(schema, "const"));
	for (size_t i = 0; i < json_array_size(list); i++)
		mask |= value_mask(json_array_get(list, i));
	return mask ? mask : T_ALL;
}

struct ctype ctype__of_schema(const json_t *root, const json_t *schema)
{
	struct ctype type = {.mask = T_ALL, .optional = OPT_NO};

	schema = resolve(root, schema);
	if (schema) {
		type.mask = schema_mask(schema);
		type.schema = schema;
	}
	return type;
}

bool ctype__field(const json_t *root, const json_t *schema, const char *name,
				  struct ctype *ret_type, struct suggest *suggest)
{
	json_t *properties = json_object_get(schema, "properties");
	const json_t *property = json_object_get(properties, name);
	const json_t *additional = json_object_get(schema, "additionalProperties");
	const char *key;
	json_t *value;

	*ret_type = (struct ctype){.mask = T_ALL, .optional = OPT_NO};
	if (property && !json_is_false(property)) {
		*ret_type = ctype__of_schema(root, property);
		return true;
	}
	if (property || (json_is_false(additional) && !json_object_get(schema, "patternProperties"))) {
		json_object_foreach (properties, key, value) {
			suggest_offer(suggest, key);
		}
		return false;
	}
	if (json_is_object(additional) && !json_object_get(schema, "patternProperties"))
		*ret_type = ctype__of_schema(root, additional);
	return true;
}

struct ctype ctype__items(const json_t *root, const json_t *schema)
{
	const json_t *items = json_object_get(schema, "items");

	/* The first elements may have schemas of their own. */
	if (!items || json_object_get(schema, "prefixItems"))
		return (struct ctype){.mask = T_ALL, .optional = OPT_NO};
	return ctype__of_schema(root, items);
}
