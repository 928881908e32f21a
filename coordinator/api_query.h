/*
 * The filter grammar of lists of sagas, one for API, command line, dashboard and batches, and the
 * cursors of their pages.
 *
 *   status:compensation_failed,compensating saga:order-* version:3 key:o-17* attention:true
 *   group:00c3… kind:stuck step:charge owner:ann started>2026-01-01 started<=2026-01-31T12:00:00Z
 *   search.customer:42 label.team:fulfilment
 *   o-1742   "order 1742"   0198c0de-7a31-7abc-bf11-223344556677
 *
 * Terms are joined by AND. `search.` names a value that sagas are found by, `label.` a label of
 * their definition; both are compared as they stand. In saga and key, * and ? are wild; a key in
 * quotes stands as it is. A word alone, or a quoted text, is a key as it stands, or the id of a
 * saga if it has that form. A date means its first moment in UTC. It does no I/O.
 */
#ifndef COORDINATOR_API_QUERY_H
#define COORDINATOR_API_QUERY_H

#include "connectors/store.h"
#include "sagas/base/buf.h"

enum { QUERY_MAX_BYTES = 2000, CURSOR_SIZE = 64 };

struct saga_query {
	struct saga_filter filter; /* its strings are the query's */
	char *id, *definition, *key, *group, *kind, *step, *owner, *parent;
	struct search_value search[SEARCH_VALUES_MAX]; /* by name */
	unsigned seen;                                 /* terms, as bits: each may be there once */
};

void saga_query_init(struct saga_query *query, const char *ns);
void saga_query_release(struct saga_query *query);

/*
 * Adds the terms of a text. ERR_INVALID says which term is wrong, what would be right, and in
 * err->place where it begins ("character 8").
 */
int saga_query_parse(struct saga_query *query, const char *text, struct err *err) MUST_CHECK;
/*
 * Adds one term: name "status", op ':' and value; op is ':', '<', '>', 'l' (<=) or 'g' (>=).
 * ERR_INVALID also when the term was there before.
 */
int saga_query_add(struct saga_query *query, const char *name, char op, const char *value,
				   struct err *err) MUST_CHECK;
/*
 * Writes the query as a text that reads as the same filter, always in the same order: two texts
 * that mean the same are written alike. Pages (after_id, limit, order) are no part of it.
 */
void saga_query_write(const struct saga_query *query, struct buf *out);

/* Names that saga_query_add knows, for suggestions. */
extern const char *const saga_query_names[];
extern const size_t saga_query_n_names;

/* The place after a saga in a list, as an opaque text. */
void cursor_make(const char *saga_id, char cursor[CURSOR_SIZE]);
/* ERR_INVALID when it was not made by cursor_make. */
int cursor_read(const char *cursor, char saga_id[SAGA_ID_SIZE], struct err *err) MUST_CHECK;

#endif
