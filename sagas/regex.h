/*
 * Regular expressions for the `pattern` of a schema: the part of ECMA-262 that can be matched in
 * time linear in the text, for the texts come from clients. Literals, `.`, classes with \d \w \s
 * and their complements, groups, alternation, * + ? {m,n} (a lazy ? after them changes nothing), ^
 * and $. Look-around, back references, \b and \p are refused. Texts are UTF-8; a match may begin
 * anywhere.
 *
 * A compiled expression is immutable and may be shared by threads.
 */
#ifndef SAGAS_REGEX_H
#define SAGAS_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "sagas/base/err.h"
#include "sagas/base/macros.h"

struct regex;

/* ERR_INVALID with what is wrong, ERR_LIMIT when the pattern is too large. */
int regex_compile(const char *pattern, struct regex **ret_regex, struct err *err) MUST_CHECK;
void regex_free(struct regex *regex);
DEFINE_CLEANUP(struct regex *, regex_free)

/* Instructions: a search takes time in proportion to this and to the length of the text. */
size_t regex_size(const struct regex *regex);

/* ERR_LIMIT when text is too long for a pattern of this size. */
int regex_search(const struct regex *regex, const char *text, size_t len, bool *ret_found,
				 struct err *err) MUST_CHECK;

#endif
