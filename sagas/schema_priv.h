/* The compiled schema, shared by schema.c (which builds it) and schema_validate.c. */
#ifndef SAGAS_SCHEMA_PRIV_H
#define SAGAS_SCHEMA_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "sagas/regex.h"
#include "sagas/schema.h"

enum schema_type {
	SCHEMA_NULL = 1 << 0,
	SCHEMA_BOOLEAN = 1 << 1,
	SCHEMA_OBJECT = 1 << 2,
	SCHEMA_ARRAY = 1 << 3,
	SCHEMA_NUMBER = 1 << 4,
	SCHEMA_STRING = 1 << 5,
	SCHEMA_INTEGER = 1 << 6,
};

enum schema_format { FORMAT_NONE, FORMAT_DATE_TIME, FORMAT_DATE, FORMAT_UUID, FORMAT_EMAIL };

struct schema_node;

struct schema_prop {
	const char *name; /* borrowed from the document */
	struct schema_node *node;
};

struct schema_list {
	struct schema_node **nodes;
	size_t n;
};

/* One (sub)schema. All values that are not said have no effect; limits are -1 then. */
struct schema_node {
	const json_t *source; /* borrowed; also finds nodes that a $ref leads to */
	bool never;           /* the schema `false` */
	unsigned types;       /* enum schema_type; 0: any */
	const json_t *allowed, *constant;
	const json_t *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;
	int64_t min_length, max_length, min_items, max_items, min_properties, max_properties;
	int64_t min_contains, max_contains;
	bool unique_items;
	struct regex *pattern;
	const char *pattern_text;
	enum schema_format format;
	struct schema_prop *props;
	size_t n_props;
	const json_t *required; /* a list of strings */
	struct schema_node *additional, *property_names, *items, *contains, *negated;
	struct schema_node *condition, *consequence, *alternative, *ref;
	struct schema_list prefix, all_of, any_of, one_of;
};

struct schema {
	json_t *doc;
	struct schema_node **nodes; /* owns all; the root is the first */
	size_t n_nodes, cap_nodes;
};

/* Equality as JSON Schema has it: 1 and 1.0 are the same number. */
bool schema__same(const json_t *a, const json_t *b);
int schema__compare_numbers(const json_t *a, const json_t *b);

#endif
