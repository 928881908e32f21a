/*
 * Compiling JSON Schemas. Each subschema becomes one node, found again by its place in the document
 * so that a $ref may lead back to where it stands. schema_validate.c runs the nodes.
 *
 * What the subset leaves out is refused here, with its pointer, rather than ignored: a schema that
 * is silently weaker than it reads lets through what its author wanted to keep out. Annotations
 * (title, description, default, examples and the like) and names that begin with x- are accepted.
 */
#include <stdio.h>
#include <string.h>

#include "sagas/base/suggest.h"
#include "sagas/schema_priv.h"

enum { MAX_NODES = 5000, MAX_DEPTH = 100, POINTER_SIZE = 160 };

struct compile {
	struct schema *schema;
	struct err *err;
	int depth;
	void (*report)(void *ctx, const struct err *err); /* NULL: the first error ends it */
	void *report_ctx;
	int n_errors;
};

/* Where the compiler is; on its stack. */
struct spot {
	struct compile *compile;
	const struct spot *up;
	const char *key;
	const json_t *value;
};

static void spot_pointer(const struct spot *at, char text[POINTER_SIZE])
{
	const struct spot *path[2 * MAX_DEPTH + 2];
	size_t n = 0, len = 0;

	for (; at->up && n < ARRAY_SIZE(path); at = at->up)
		path[n++] = at;
	text[0] = '\0';
	while (n-- > 0 && len < POINTER_SIZE - 1) {
		text[len++] = '/';
		for (const char *c = path[n]->key; *c && len < POINTER_SIZE - 3; c++) {
			if (*c == '~' || *c == '/')
				text[len++] = '~';
			text[len++] = *c == '~' ? '0' : *c == '/' ? '1' : *c;
		}
		text[len] = '\0';
	}
}

/* An error: its code, or 0 to go on when all of them are wanted. */
static int refused(struct compile *compile)
{
	compile->n_errors++;
	if (!compile->report)
		return ERR_INVALID;
	compile->report(compile->report_ctx, compile->err);
	return 0;
}

#define refuse(at, ...)                                                                            \
	({                                                                                             \
		char pointer_[POINTER_SIZE];                                                               \
		spot_pointer((at), pointer_);                                                              \
		err_set_at((at)->compile->err, ERR_INVALID, pointer_, __VA_ARGS__);                        \
		refused((at)->compile);                                                                    \
	})

static int compile_node(const struct spot *at, struct schema_node **ret_node);

static int read_type_name(const struct spot *at, const json_t *value, unsigned *types)
{
	static const struct {
		const char *name;
		unsigned bits;
	} known[] = {
		{"null", SCHEMA_NULL},
		{"boolean", SCHEMA_BOOLEAN},
		{"object", SCHEMA_OBJECT},
		{"array", SCHEMA_ARRAY},
		{"number", SCHEMA_NUMBER | SCHEMA_INTEGER},
		{"string", SCHEMA_STRING},
		{"integer", SCHEMA_INTEGER},
	};
	const char *name = json_string_value(value);
	struct suggest suggest;

	if (!name)
		return refuse(at, "a type is a name such as string, or a list of names");
	suggest_init(&suggest, name, strlen(name));
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(name, known[i].name) == 0) {
			*types |= known[i].bits;
			return 0;
		}
		suggest_offer(&suggest, known[i].name);
	}
	if (suggest_best(&suggest))
		return refuse(at, "unknown type `%.40s`; did you mean `%s`?", name, suggest_best(&suggest));
	return refuse(
		at,
		"unknown type `%.40s`; it must be null, boolean, object, array, number, integer or "
		"string",
		name);
}

static int read_type(const struct spot *at, struct schema_node *node)
{
	size_t i;
	json_t *item;
	int r = 0;

	if (!json_is_array(at->value))
		return read_type_name(at, at->value, &node->types);
	if (json_array_size(at->value) == 0)
		return refuse(at, "the list of types is empty");
	json_array_foreach (at->value, i, item) {
		if (r == 0)
			r = read_type_name(at, item, &node->types);
	}
	return r;
}

static int read_enum(const struct spot *at, struct schema_node *node)
{
	if (!json_is_array(at->value) || json_array_size(at->value) == 0)
		return refuse(at, "enum must be a list of the allowed values");
	node->allowed = at->value;
	return 0;
}

static int read_const(const struct spot *at, struct schema_node *node)
{
	node->constant = at->value;
	return 0;
}

static int read_number(const struct spot *at, const json_t **to)
{
	if (!json_is_number(at->value))
		return refuse(at, "%s must be a number", at->key);
	*to = at->value;
	return 0;
}

static int read_size(const struct spot *at, int64_t *to)
{
	double real = json_real_value(at->value);

	if (json_is_integer(at->value) && json_integer_value(at->value) >= 0) {
		*to = json_integer_value(at->value);
		return 0;
	}
	if (json_is_real(at->value) && real >= 0 && real < 9e15 && real == (double)(int64_t)real) {
		*to = (int64_t)real;
		return 0;
	}
	return refuse(at, "%s must be a whole number, 0 or more", at->key);
}

#define NUMBER_READER(name, member)                                                                \
	static int name(const struct spot *at, struct schema_node *node)                               \
	{                                                                                              \
		return read_number(at, &node->member);                                                     \
	}
#define SIZE_READER(name, member)                                                                  \
	static int name(const struct spot *at, struct schema_node *node)                               \
	{                                                                                              \
		return read_size(at, &node->member);                                                       \
	}
#define NODE_READER(name, member)                                                                  \
	static int name(const struct spot *at, struct schema_node *node)                               \
	{                                                                                              \
		return compile_node(at, &node->member);                                                    \
	}
#define LIST_READER(name, member)                                                                  \
	static int name(const struct spot *at, struct schema_node *node)                               \
	{                                                                                              \
		return read_list(at, &node->member);                                                       \
	}

NUMBER_READER(read_minimum, minimum)
NUMBER_READER(read_maximum, maximum)
NUMBER_READER(read_exclusive_minimum, exclusive_minimum)
NUMBER_READER(read_exclusive_maximum, exclusive_maximum)
SIZE_READER(read_min_length, min_length)
SIZE_READER(read_max_length, max_length)
SIZE_READER(read_min_items, min_items)
SIZE_READER(read_max_items, max_items)
SIZE_READER(read_min_properties, min_properties)
SIZE_READER(read_max_properties, max_properties)
SIZE_READER(read_min_contains, min_contains)
SIZE_READER(read_max_contains, max_contains)
NODE_READER(read_additional, additional)
NODE_READER(read_property_names, property_names)
NODE_READER(read_items, items)
NODE_READER(read_contains, contains)
NODE_READER(read_not, negated)
NODE_READER(read_if, condition)
NODE_READER(read_then, consequence)
NODE_READER(read_else, alternative)

static int read_list(const struct spot *at, struct schema_list *list)
{
	size_t n = json_array_size(at->value);

	if (n == 0)
		return refuse(at, "%s must be a list of schemas", at->key);
	list->nodes = xcalloc(n, sizeof(struct schema_node *));
	for (; list->n < n; list->n++) {
		char index[24];
		struct spot item = {at->compile, at, index, json_array_get(at->value, list->n)};
		int r;

		snprintf(index, sizeof(index), "%zu", list->n);
		r = compile_node(&item, &list->nodes[list->n]);
		if (r < 0)
			return r;
	}
	return 0;
}

LIST_READER(read_prefix_items, prefix)
LIST_READER(read_all_of, all_of)
LIST_READER(read_any_of, any_of)
LIST_READER(read_one_of, one_of)

static int read_multiple_of(const struct spot *at, struct schema_node *node)
{
	if (!json_is_number(at->value) || json_number_value(at->value) <= 0)
		return refuse(at, "multipleOf must be a number above 0");
	node->multiple_of = at->value;
	return 0;
}

static int read_unique_items(const struct spot *at, struct schema_node *node)
{
	if (!json_is_boolean(at->value))
		return refuse(at, "uniqueItems must be true or false");
	node->unique_items = json_is_true(at->value);
	return 0;
}

static int read_pattern(const struct spot *at, struct schema_node *node)
{
	struct err err;

	if (!json_is_string(at->value))
		return refuse(at, "pattern must be a regular expression as text");
	node->pattern_text = json_string_value(at->value);
	if (strlen(node->pattern_text) != json_string_length(at->value))
		return refuse(at, "pattern may not hold a NUL");
	if (regex_compile(node->pattern_text, &node->pattern, &err) < 0)
		return refuse(at, "%s", err.text);
	return 0;
}

/* Formats that are not known are annotations, as the standard has it. */
static int read_format(const struct spot *at, struct schema_node *node)
{
	static const char *const names[] = {[FORMAT_DATE_TIME] = "date-time",
										[FORMAT_DATE] = "date",
										[FORMAT_UUID] = "uuid",
										[FORMAT_EMAIL] = "email"};

	if (!json_is_string(at->value))
		return refuse(at, "format must be a name such as date-time");
	for (size_t i = FORMAT_DATE_TIME; i < ARRAY_SIZE(names); i++) {
		if (strcmp(json_string_value(at->value), names[i]) == 0)
			node->format = (enum schema_format)i;
	}
	return 0;
}

static int read_properties(const struct spot *at, struct schema_node *node)
{
	const char *key;
	json_t *value;

	if (!json_is_object(at->value))
		return refuse(at, "properties must be an object of names and schemas");
	node->props = xcalloc(json_object_size(at->value), sizeof(*node->props));
	json_object_foreach ((json_t *)at->value, key, value) {
		struct spot child = {at->compile, at, key, value};
		int r = compile_node(&child, &node->props[node->n_props].node);

		if (r < 0)
			return r;
		node->props[node->n_props++].name = key;
	}
	return 0;
}

static int read_required(const struct spot *at, struct schema_node *node)
{
	size_t i;
	json_t *name;

	if (!json_is_array(at->value))
		return refuse(at, "required must be a list of names");
	json_array_foreach (at->value, i, name) {
		if (!json_is_string(name))
			return refuse(at, "required must be a list of names");
	}
	node->required = at->value;
	return 0;
}

/* Compiled too, so that an error in a definition that is not used yet is found. */
static int read_defs(const struct spot *at, struct schema_node *node)
{
	const char *key;
	json_t *value;

	(void)node;
	if (!json_is_object(at->value))
		return refuse(at, "$defs must be an object of names and schemas");
	json_object_foreach ((json_t *)at->value, key, value) {
		struct spot child = {at->compile, at, key, value};
		struct schema_node *unused;
		int r = compile_node(&child, &unused);

		if (r < 0)
			return r;
	}
	return 0;
}

/* One part of a JSON pointer, unescaped; NULL when it does not fit. */
static const json_t *pointer_step(const json_t *value, const char *part, size_t len)
{
	char name[POINTER_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + 1 >= sizeof(name))
			return NULL;
		if (part[i] == '~' && i + 1 < len && (part[i + 1] == '0' || part[i + 1] == '1'))
			name[n++] = part[++i] == '0' ? '~' : '/';
		else
			name[n++] = part[i];
	}
	name[n] = '\0';
	if (json_is_object(value))
		return json_object_get(value, name);
	if (json_is_array(value) && n > 0 && strspn(name, "0123456789") == n)
		return json_array_get(value, strtoul(name, NULL, 10));
	return NULL;
}

static int read_ref(const struct spot *at, struct schema_node *node)
{
	const char *ref = json_string_value(at->value);
	const json_t *target = at->compile->schema->doc;
	struct spot there = {at->compile, NULL, NULL, NULL};

	if (!ref || ref[0] != '#' || (ref[1] && ref[1] != '/'))
		return refuse(at, "$ref must lead into this schema, such as #/$defs/address");
	for (ref++; *ref && target;) {
		size_t len = strcspn(ref + 1, "/");

		target = pointer_step(target, ref + 1, len);
		ref += 1 + len;
	}
	if (!target)
		return refuse(at, "$ref leads to nothing: %.60s", json_string_value(at->value));
	/* An error there is told with the place of the reference. */
	there = *at;
	there.value = target;
	return compile_node(&there, &node->ref);
}

static int read_dialect(const struct spot *at, struct schema_node *node)
{
	(void)node;
	if (!json_is_string(at->value) || !strstr(json_string_value(at->value), "2020-12"))
		return refuse(at, "only JSON Schema 2020-12 is understood: "
						  "https://json-schema.org/draft/2020-12/schema");
	return 0;
}

static const struct keyword {
	const char *name;
	int (*read)(const struct spot *at, struct schema_node *node); /* NULL: an annotation */
} keywords[] = {
	{"type", read_type},
	{"enum", read_enum},
	{"const", read_const},
	{"minimum", read_minimum},
	{"maximum", read_maximum},
	{"exclusiveMinimum", read_exclusive_minimum},
	{"exclusiveMaximum", read_exclusive_maximum},
	{"multipleOf", read_multiple_of},
	{"minLength", read_min_length},
	{"maxLength", read_max_length},
	{"pattern", read_pattern},
	{"format", read_format},
	{"minItems", read_min_items},
	{"maxItems", read_max_items},
	{"uniqueItems", read_unique_items},
	{"items", read_items},
	{"prefixItems", read_prefix_items},
	{"contains", read_contains},
	{"minContains", read_min_contains},
	{"maxContains", read_max_contains},
	{"properties", read_properties},
	{"required", read_required},
	{"additionalProperties", read_additional},
	{"propertyNames", read_property_names},
	{"minProperties", read_min_properties},
	{"maxProperties", read_max_properties},
	{"allOf", read_all_of},
	{"anyOf", read_any_of},
	{"oneOf", read_one_of},
	{"not", read_not},
	{"if", read_if},
	{"then", read_then},
	{"else", read_else},
	{"$ref", read_ref},
	{"$defs", read_defs},
	{"$schema", read_dialect},
	{"$id", NULL},
	{"$comment", NULL},
	{"title", NULL},
	{"description", NULL},
	{"default", NULL},
	{"examples", NULL},
	{"deprecated", NULL},
	{"readOnly", NULL},
	{"writeOnly", NULL},
	{"contentEncoding", NULL},
	{"contentMediaType", NULL},
	{"contentSchema", NULL},
};

static int read_keyword(const struct spot *at, struct schema_node *node)
{
	struct suggest suggest;

	if (strncmp(at->key, "x-", 2) == 0)
		return 0;
	suggest_init(&suggest, at->key, strlen(at->key));
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
		if (strcmp(at->key, keywords[i].name) == 0)
			return keywords[i].read ? keywords[i].read(at, node) : 0;
		suggest_offer(&suggest, keywords[i].name);
	}
	if (suggest_best(&suggest))
		return refuse(at, "unknown keyword `%.40s`; did you mean `%s`?", at->key,
					  suggest_best(&suggest));
	return refuse(at, "the keyword `%.40s` is not supported", at->key);
}

static struct schema_node *find_node(const struct schema *schema, const json_t *source)
{
	for (size_t i = 0; i < schema->n_nodes; i++) {
		if (schema->nodes[i]->source == source)
			return schema->nodes[i];
	}
	return NULL;
}

static struct schema_node *add_node(struct schema *schema, const json_t *source)
{
	struct schema_node *node = xcalloc(1, sizeof(*node));

	*node = (struct schema_node){
		.source = source,
		.min_length = -1,
		.max_length = -1,
		.min_items = -1,
		.max_items = -1,
		.min_properties = -1,
		.max_properties = -1,
		.min_contains = -1,
		.max_contains = -1,
	};
	if (schema->n_nodes == schema->cap_nodes) {
		schema->cap_nodes = schema->cap_nodes ? schema->cap_nodes * 2 : 16;
		schema->nodes = xrealloc_array(schema->nodes, schema->cap_nodes, sizeof(*schema->nodes));
	}
	schema->nodes[schema->n_nodes++] = node;
	return node;
}

static int compile_keywords(const struct spot *at, struct schema_node *node)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)at->value, key, value) {
		struct spot child = {at->compile, at, key, value};
		int r = read_keyword(&child, node);

		if (r < 0)
			return r;
	}
	return 0;
}

static int compile_node(const struct spot *at, struct schema_node **ret_node)
{
	struct compile *compile = at->compile;
	struct schema_node *node;
	int r;

	/* true and false are shared values of jansson, so they cannot tell where they stand. */
	node = json_is_object(at->value) ? find_node(compile->schema, at->value) : NULL;
	if (node) {
		*ret_node = node;
		return 0;
	}
	if (!json_is_object(at->value) && !json_is_boolean(at->value))
		return refuse(at, "a schema must be an object, true or false");
	if (compile->schema->n_nodes >= MAX_NODES)
		return refuse(at, "the schema has more than %d parts", MAX_NODES);
	if (compile->depth >= MAX_DEPTH)
		return refuse(at, "the schema is nested deeper than %d", MAX_DEPTH);
	node = add_node(compile->schema, at->value);
	*ret_node = node;
	if (json_is_boolean(at->value)) {
		node->never = json_is_false(at->value);
		return 0;
	}
	compile->depth++;
	r = compile_keywords(at, node);
	compile->depth--;
	return r;
}

static int compile_doc(struct compile *compile, const json_t *doc)
{
	struct spot root = {compile, NULL, NULL, doc};
	struct schema_node *node;

	compile->schema->doc = json_incref((json_t *)doc);
	return compile_node(&root, &node);
}

int schema_compile(const json_t *doc, struct schema **ret_schema, struct err *err)
{
	CLEANUP(schema_free_p) struct schema *schema = xcalloc(1, sizeof(*schema));
	struct compile compile = {.schema = schema, .err = err};
	int r = compile_doc(&compile, doc);

	if (r < 0)
		return r;
	*ret_schema = TAKE(schema);
	return 0;
}

int schema_check(const json_t *doc, void (*report)(void *ctx, const struct err *err),
				 void *report_ctx)
{
	CLEANUP(schema_free_p) struct schema *schema = xcalloc(1, sizeof(*schema));
	struct err err = {0};
	struct compile compile = {
		.schema = schema, .err = &err, .report = report, .report_ctx = report_ctx};

	/* Errors are reported, not returned. */
	return compile_doc(&compile, doc) < 0 ? 1 : compile.n_errors;
}

static void node_free(struct schema_node *node)
{
	regex_free(node->pattern);
	free(node->props);
	free(node->prefix.nodes);
	free(node->all_of.nodes);
	free(node->any_of.nodes);
	free(node->one_of.nodes);
	free(node);
}

void schema_free(struct schema *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->n_nodes; i++)
		node_free(schema->nodes[i]);
	free(schema->nodes);
	json_decref(schema->doc);
	free(schema);
}

const json_t *schema_doc(const struct schema *schema)
{
	return schema->doc;
}
