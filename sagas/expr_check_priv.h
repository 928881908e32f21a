/* Static types, between expr_check.c, expr_check_type.c and expr_schema.c. */
#ifndef SAGAS_EXPR_CHECK_PRIV_H
#define SAGAS_EXPR_CHECK_PRIV_H

#include "sagas/base/suggest.h"
#include "sagas/expr_priv.h"

enum certainty { OPT_NO, OPT_YES, OPT_UNKNOWN };

/* What is known of a value: the types it may have, its schema, and whether it is an optional. */
struct ctype {
	unsigned mask; /* of T_(…); T_ALL: anything */
	const json_t *schema;
	enum certainty optional;
};

struct check {
	const struct expr *expr;
	const struct expr_scope *scope;
	void (*report)(void *ctx, const struct err *err);
	void *report_ctx;
	int n_errors;
	struct ctype vars[EXPR__MAX_VARS];
};

#define CTYPE_ANY ((struct ctype){.mask = T_ALL, .optional = OPT_UNKNOWN})

void check__report(struct check *c, const struct node *node, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
struct ctype check__node(struct check *c, const struct node *node);
/* Reports unless the value may have one of the wanted types, and is no optional. */
void check__wants(struct check *c, const struct node *node, const struct ctype *type,
				  unsigned wanted, const char *what);

/* "int or double", for messages. */
const char *check__mask_text(unsigned mask, char text[128]);

struct ctype check__operator(struct check *c, const struct node *node);
struct ctype check__call(struct check *c, const struct node *node);

struct ctype ctype__of_schema(const json_t *root, const json_t *schema);
/* The field of a value; false when the schema says that there is none, with the known names offered
 * to suggest. */
bool ctype__field(const json_t *root, const json_t *schema, const char *name,
				  struct ctype *ret_type, struct suggest *suggest);
struct ctype ctype__items(const json_t *root, const json_t *schema);

#endif
