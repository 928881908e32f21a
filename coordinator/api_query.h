/*
 * The filter grammar of lists of sagas, one for API, command line and dashboard, and the cursors of
 * their pages.
 *
 *   status:compensation_failed,compensating saga:order-* key:"a b" attention:true
 *   started>2026-01-01 started<=2026-01-31T12:00:00Z
 *
 * Terms are joined by AND. A date means its first moment in UTC. It does no I/O.
 */
#ifndef COORDINATOR_API_QUERY_H
#define COORDINATOR_API_QUERY_H

#include "connectors/store.h"

enum { QUERY_MAX_BYTES = 2000, CURSOR_SIZE = 64 };

struct saga_query {
	struct saga_filter filter; /* its strings are the query's */
	char *definition, *key;
};

void saga_query_init(struct saga_query *query, const char *ns);
void saga_query_release(struct saga_query *query);

/* Adds the terms of a text. ERR_INVALID says which term is wrong, and what would be right. */
int saga_query_parse(struct saga_query *query, const char *text, struct err *err) MUST_CHECK;
/*
 * Adds one term: name "status", op ':' and value; op is ':', '<', '>', 'l' (<=) or 'g' (>=).
 * ERR_INVALID also when the term was there before.
 */
int saga_query_add(struct saga_query *query, const char *name, char op, const char *value,
				   struct err *err) MUST_CHECK;

/* Names that saga_query_add knows, for suggestions. */
extern const char *const saga_query_names[];
extern const size_t saga_query_n_names;

/* The place after a saga in a list, as an opaque text. */
void cursor_make(const char *saga_id, char cursor[CURSOR_SIZE]);
/* ERR_INVALID when it was not made by cursor_make. */
int cursor_read(const char *cursor, char saga_id[SAGA_ID_SIZE], struct err *err) MUST_CHECK;

#endif
