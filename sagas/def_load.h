/*
 * From a document to a saga_def, with all errors at once. The document arrives as JSON values and a
 * map from JSON pointers to lines, so that YAML and JSON end alike; reading YAML is the business of
 * connectors/yaml.h.
 */
#ifndef SAGAS_DEF_LOAD_H
#define SAGAS_DEF_LOAD_H

#include <jansson.h>
#include <stdbool.h>

#include "sagas/def.h"

/* Where the nodes of a document stand in its text. */
struct doc_places;
struct doc_places *doc_places_new(void) MUST_CHECK;
void doc_places_free(struct doc_places *places);
DEFINE_CLEANUP(struct doc_places *, doc_places_free)
void doc_places_add(struct doc_places *places, const char *pointer, int line, int column);
/* The line of the node or of its nearest known parent; 0 when nothing is known. */
int doc_places_line(const struct doc_places *places, const char *pointer);

enum finding_level { FINDING_ERROR, FINDING_NOT_BUILT, FINDING_WARNING };

struct finding {
	enum finding_level level;
	int line; /* 0: unknown */
	char pointer[256];
	char *text; /* what is wrong, and what would be right */
};

/* A growing list of findings, with a maximum of 100 that is said when it is reached. */
struct findings {
	struct finding *list;
	size_t n;
	size_t n_errors;    /* FINDING_ERROR */
	size_t n_not_built; /* FINDING_NOT_BUILT */
	bool truncated;
};
void findings_release(struct findings *findings);
void findings_add(struct findings *findings, enum finding_level level, int line,
				  const char *pointer, const char *fmt, ...) PRINTF_LIKE(5, 6);

/*
 * Parses JSON text and notes the places of its nodes. Errors of syntax become findings, and
 * ERR_INVALID. Duplicate keys are findings, too, but the document is given all the same (the last
 * one counts), so that what else is wrong with it can be found in the same go.
 */
int doc_from_json(const char *text, size_t len, json_t **ret_doc, struct doc_places *places,
				  struct findings *findings) MUST_CHECK;

/*
 * Compiles the document. Every finding (errors, parts that are not built yet, warnings of the
 * linter) is added, and all are sorted by line; *ret_def is given only when findings hold no error,
 * not even one of reading the document, and nothing unbuilt, else ERR_INVALID or ERR_NOT_BUILT.
 * What stands at or below a place that reading found wrong is not told again. places may be NULL.
 * doc is borrowed.
 */
int saga_def_load(json_t *doc, const struct doc_places *places, struct saga_def **ret_def,
				  struct findings *findings) MUST_CHECK;

#endif
