/* "Did you mean …": the known word nearest to one that is not known. */
#ifndef SAGAS_BASE_SUGGEST_H
#define SAGAS_BASE_SUGGEST_H

#include <stddef.h>

/* Collects the best of the words offered; all words are borrowed. */
struct suggest {
	const char *word;
	size_t len;
	const char *best; /* NULL: nothing is near enough */
	int distance;
};

void suggest_init(struct suggest *s, const char *word, size_t len);
void suggest_offer(struct suggest *s, const char *candidate);

/* The nearest of the words offered, or NULL when none is near enough to be meant. */
static inline const char *suggest_best(const struct suggest *s)
{
	return s->best;
}

/* The nearest word of a list, or NULL. */
const char *suggest_from(const char *word, const char *const *list, size_t n);

#endif
