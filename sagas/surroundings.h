/*
 * What the configuration of a server gives to definitions: the values of `env`, the address under
 * which `step.callback_url` is reached, and which secrets there are. Constant as long as the
 * process runs, so that it reads like a part of the definition; whoever compiles one for a server
 * leaves it there (saga_def.around). A test of a definition gives its own.
 *
 * Never the values of secrets: the core sees placeholders.
 */
#ifndef SAGAS_SURROUNDINGS_H
#define SAGAS_SURROUNDINGS_H

#include <jansson.h>
#include <stddef.h>

struct surroundings {
	json_t *env;            /* an object of texts; NULL: none */
	const char *public_url; /* without a slash at its end; NULL: not known */
	const char *const *secrets;
	size_t n_secrets;
};

struct doc_places;
struct findings;

/* Warns of what the document names and the surroundings do not have. Both may be NULL; of NULL
 * surroundings nothing is said. */
void surroundings_check(const struct surroundings *around, const json_t *doc,
						const struct doc_places *places, struct findings *findings);

#endif
