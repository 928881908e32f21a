/* The parser's state and helpers, between expr_parse.c and expr_parse_value.c. */
#ifndef SAGAS_EXPR_PARSE_PRIV_H
#define SAGAS_EXPR_PARSE_PRIV_H

#include "sagas/expr_priv.h"

struct parser {
	struct lexer lex;
	struct token token; /* the next one, not yet taken */
	struct expr *expr;
	struct err *err;
	bool failed, no_memory;
	int nesting;
	size_t n_vars;
	struct slice vars[EXPR__MAX_VARS];
};

/* A list of nodes while its length is not known. */
struct nodes {
	struct node **list;
	uint32_t n, cap;
};

/* ---- expr_parse.c ---- */

/* Sets the first error, and returns NULL; so do the other ways to fail. */
struct node *parse__fail(struct parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct node *parse__no_memory(struct parser *p);
struct node *parse__unexpected(struct parser *p, const char *wanted);

void parse__next(struct parser *p);
bool parse__is_op(const struct parser *p, int op);
/* Steps over the operator if it is there. */
bool parse__take_op(struct parser *p, int op);
bool parse__expect_op(struct parser *p, int op, const char *wanted);
bool parse__slice_is(struct slice s, const char *text);

/* false when node is NULL (there was an error) or memory is gone. */
bool parse__add(struct parser *p, struct nodes *nodes, struct node *node);
/* A node over children; NULL after an error. */
struct node *parse__node(struct parser *p, enum node_kind kind, size_t start,
						 struct nodes children);
/* The same over one to three; the first NULL ends them. */
struct node *parse__node_of(struct parser *p, enum node_kind kind, size_t start, struct node *a,
							struct node *b, struct node *c);
struct slice parse__keep_text(struct parser *p, struct slice text);

struct node *parse__expr(struct parser *p);

/* ---- expr_parse_value.c ---- */

struct node *parse__primary(struct parser *p);
struct node *parse__int(struct parser *p, size_t start, bool negative);
struct node *parse__double(struct parser *p, size_t start, bool negative);
/* Reads the arguments up to the closing bracket. */
bool parse__args(struct parser *p, struct nodes *args);
struct node *parse__call(struct parser *p, size_t start, struct slice name, size_t name_at,
						 enum fn_style style, struct nodes args);
int parse__macro_of(struct slice name); /* enum macro, or -1 */
/* After "range.macro(". */
struct node *parse__macro(struct parser *p, size_t start, enum macro macro, struct slice name,
						  struct node *range);

#endif
