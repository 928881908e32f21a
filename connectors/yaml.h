/*
 * Reading definitions: YAML under a strict profile (libyaml), or JSON.
 *
 * The profile refuses what YAML swallows silently: duplicate keys, several documents, anchors,
 * aliases, merge keys and tags; ` #` that cuts an expression off; `!has(x)` that reads as a tag;
 * an unquoted ${} that breaks a flow mapping. Plain scalars are those of the core schema of YAML
 * 1.2 with the numbers of JSON: null ~ true false, integers, decimals; `no`, `on` and 0x10 are
 * text. Numbers follow the rules of sagas/json_text.h.
 */
#ifndef CONNECTORS_YAML_H
#define CONNECTORS_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "sagas/def_load.h"

enum { YAML_MAX_NODES = 100000 };

/*
 * Reads one YAML document of at most DEF_MAX_BYTES. Everything that is wrong becomes a finding, and
 * *ret_doc is given only when nothing is: ERR_INVALID. places may not be NULL.
 */
int yaml_read(const char *text, size_t len, json_t **ret_doc, struct doc_places *places,
			  struct findings *findings) MUST_CHECK;

/*
 * Reads a definition: JSON when the first character that is not blank is `{`, and YAML otherwise.
 * A YAML flow mapping that is not JSON is read as YAML when file_name ends with .yaml or .yml.
 *
 * A document that could be read to its end is given, with 0, even if there are findings (duplicate
 * keys, tags and the like), so that saga_def_load finds what else is wrong in the same go; it gives
 * no definition then. Else ERR_INVALID.
 */
int definition_read(const char *file_name, const char *text, size_t len, json_t **ret_doc,
					struct doc_places *places, struct findings *findings) MUST_CHECK;

#endif
